"""Processes that compute: a lane for short questions, which stay warm, and one for long ones; limited in number and time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from headway.web.limits import Limits

Answer = dict[str, Any]  # status and body
Tell = Callable[[dict[str, Any]], None]
_LONGEST_LINE = 64_000_000  # bytes of an answer


class BusyError(Exception):
    """As many questions as the server takes are waiting."""


class _Process:
    """One worker."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, memory: float, folders: tuple[str, ...]) -> _Process:
        pipe = asyncio.subprocess.PIPE
        one = {f"{x}_NUM_THREADS": "1" for x in ("OMP", "OPENBLAS", "MKL")} | {"HF_HUB_OFFLINE": "1"}  # nothing leaves
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "headway.web.worker", str(memory), *folders, stdin=pipe, stdout=pipe,
            stderr=asyncio.subprocess.DEVNULL, limit=_LONGEST_LINE, start_new_session=True, env={**os.environ, **one},
        )  # fmt: skip
        return cls(process)

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def ask(self, job: dict[str, Any], tell: Tell) -> Answer:
        """Answer one question; a process that ends loses this one."""
        into, out = self.process.stdin, self.process.stdout
        assert into is not None
        assert out is not None
        with contextlib.suppress(ConnectionError):
            into.write(json.dumps(job).encode() + b"\n")
            await into.drain()
        while line := await out.readline():
            said = json.loads(line)
            if "done" in said:
                return said["done"]
            tell(said["progress"])
        self.kill()
        return refusal(503, "lost", "the process that computed this has ended (killed, or out of memory); ask again")

    def kill(self) -> None:
        """End it and what it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


def refusal(status: int, kind: str, said: str) -> Answer:
    """Return an answer that is none.

    Parameters
    ----------
    status : int
        Of HTTP. [1]
    kind, said : str
    """
    return {"status": status, "body": {"error": said, "kind": kind}}


class Lane:
    """So many processes, and so many questions that wait for one.

    Attributes
    ----------
    seconds : float
        Of a question. [s]
    grace : float
        That a process goes on for a client that has left: a short question ends sooner than a new process starts. [s]
    """

    def __init__(
        self, limits: Limits, count: int, waiting: int, seconds: float, grace: float, folders: tuple[str, ...]
    ) -> None:
        self.seconds, self.grace = seconds, grace
        self._limits, self._folders = limits, folders
        self._slots, self._count = asyncio.Semaphore(count), count
        self._idle: list[_Process] = []
        self._most, self._inside = count + waiting, 0
        self._all: set[_Process] = set()

    async def ask(self, job: dict[str, Any], tell: Tell) -> Answer:
        """Answer a question, or refuse it where too many wait; when the caller is cancelled its process is free again.

        Raises
        ------
        BusyError
            When as many wait as may.
        """
        if self._inside >= self._most:
            raise BusyError
        self._inside += 1
        try:
            async with self._slots:
                return await self._on_one(job, tell)
        finally:
            self._inside -= 1

    async def _on_one(self, job: dict[str, Any], tell: Tell) -> Answer:
        while self._idle and not self._idle[-1].alive:
            self._all.discard(self._idle.pop())
        one = self._idle.pop() if self._idle else await self._started()
        work = asyncio.ensure_future(one.ask(job, tell))
        try:
            done, _ = await asyncio.wait({work}, timeout=self.seconds)
        except asyncio.CancelledError:  # the client has left
            await asyncio.wait({work}, timeout=self.grace)
            self._after(one, work)
            raise
        self._after(one, work)
        if not done:
            return refusal(
                408, "time", f"this took longer than the {self.seconds:g} s that the server gives such a question"
            )
        return work.result()

    async def _started(self) -> _Process:
        one = await _Process.start(self._limits.memory, self._folders)
        self._all.add(one)
        return one

    def _after(self, one: _Process, work: asyncio.Future[Answer]) -> None:
        """Keep a process that has answered; end one that has not."""
        if work.done() and one.alive and work.exception() is None:
            self._idle.append(one)
        else:
            work.cancel()
            one.kill()
            self._all.discard(one)

    async def warm(self, job: dict[str, Any]) -> None:
        """Start every process and let it compute something: imports and fits, before anybody waits for them."""
        await asyncio.gather(*(self.ask(dict(job), lambda _: None) for _ in range(self._count)))

    def close(self) -> None:
        """End all processes."""
        for one in self._all:
            one.kill()

    @property
    def pids(self) -> list[int]:
        """Return the processes that are alive."""
        return [p.process.pid for p in self._all if p.alive]


class Pool:
    """Both lanes."""

    def __init__(self, limits: Limits, folders: tuple[str, ...] = ()) -> None:
        n, w = limits.workers, limits.waiting
        self.lanes = {
            "short": Lane(limits, n, 4 * w, limits.short, 2.0, folders),
            "long": Lane(limits, n, w, limits.long, 0.0, folders),
        }

    def close(self) -> None:
        """End all processes."""
        for lane in self.lanes.values():
            lane.close()
