"""The Batch API's work: lines of batches asked at the lowest priority, their answers kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from headway.errors import HeadwayError
from headway.lab.engine.core import BusyError
from headway.lab.engine.jobs import FullError, Jobs
from headway.lab.engine.settings import TIERS
from headway.lab.engine.wire import CHAT, RefusedError, error_body

if TYPE_CHECKING:
    from headway.lab.engine.server import Server

_LOOK = 0.2  # seconds between two looks for lines, or for servers that have died
_AGAIN = 0.5  # seconds until what a full disk did not take is tried again


class Batches:
    """Asks the lines of batches, as many at a time as the engine has seats.

    Parameters
    ----------
    jobs : Jobs
    server : Server
    """

    def __init__(self, jobs: Jobs, server: Server) -> None:
        self.jobs, self.server = jobs, server
        self._under: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Take lines until cancelled."""
        most = self.server.engine.settings.limits.sequences
        try:
            while True:
                free = most - len(self._under)
                try:
                    await asyncio.to_thread(self.jobs.take_over)
                    lines = await asyncio.to_thread(self.jobs.claim, free) if free else []
                except FullError:
                    lines = []
                for line in lines:
                    task = asyncio.ensure_future(self._line(*line))
                    self._under.add(task)
                    task.add_done_callback(self._under.discard)
                if self._under:
                    await asyncio.wait(self._under, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await asyncio.sleep(_LOOK)
        finally:
            under = list(self._under)
            for task in under:
                task.cancel()
            await asyncio.gather(*under, return_exceptions=True)

    async def _line(self, batch: str, number: int, endpoint: str, body: Any) -> None:
        """Ask one line and keep its answer; where that cannot be kept, try until it can."""
        ok, answer = await self._asked(endpoint, body)
        while True:
            try:
                await asyncio.to_thread(self.jobs.done, batch, number, ok, answer)
                return
            except FullError:
                await asyncio.sleep(_AGAIN)

    async def _asked(self, endpoint: str, body: Any) -> tuple[bool, dict[str, Any]]:
        while True:
            try:
                asked = self.server.read(body, endpoint == CHAT, TIERS.index("batch"))
                found = await self.server.whole(asked)
                return True, {"status_code": 200, "request_id": found["id"], "body": found}
            except BusyError:
                await asyncio.sleep(_AGAIN)
            except RefusedError as error:
                said = error_body(str(error), error.kind, error.param)
                return False, {"status_code": error.status, "request_id": None, "body": said}
            except HeadwayError as error:
                return False, {"status_code": 400, "request_id": None, "body": error_body(str(error))}
