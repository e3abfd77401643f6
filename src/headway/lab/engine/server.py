"""The lab engine over HTTP: the OpenAI API's completions, piece by piece or whole, its models, and metrics."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import uuid
from collections.abc import AsyncGenerator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from headway.errors import HeadwayError
from headway.gate import App, Gate, unless_gone
from headway.lab.engine.batches import Batches
from headway.lab.engine.core import BusyError, Engine, Said
from headway.lab.engine.filing import Filing
from headway.lab.engine.jobs import Jobs
from headway.lab.engine.metrics import KIND, Metrics
from headway.lab.engine.replies import MOST_BODY, json_body, refused
from headway.lab.engine.wire import CHAT, TEXT, Answer, RefusedError, Wanted, error_body, wanted


class Server:
    """An engine, its model's name, and what runs beside it.

    Parameters
    ----------
    engine : Engine
        Not yet running.
    model : str
        Under which name it is served.
    jobs : Jobs or None
        For the Batch API; None: it has none.
    """

    def __init__(self, engine: Engine, model: str, jobs: Jobs | None = None) -> None:
        self.engine, self.model, self.jobs = engine, model, jobs
        self.metrics = Metrics(model, engine)
        engine.watchers = (*engine.watchers, self.metrics)
        self.batches = None if jobs is None else Batches(jobs, self)

    def read(self, body: Any, chat: bool, tier: int | None = None) -> Wanted:
        """Return what a body asks for; refused as `wanted` says.

        Parameters
        ----------
        body : any
        chat : bool
        tier : int or None
            Of a batch's line. [1]
        """
        return wanted(body, chat, self.model, self.engine.settings, tier)

    async def said(self, asked: Wanted) -> AsyncGenerator[Said]:
        """Yield what passes make of an answer; whoever stops listening leaves the engine.

        Parameters
        ----------
        asked : Wanted
        """
        loop, told = asyncio.get_running_loop(), asyncio.Queue[Said]()

        def tell(one: Said) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(told.put_nowait, one)

        who = self.engine.submit(asked.ask, tell)
        over = False
        try:
            while not over:
                one = await told.get()
                over = bool(one.why)
                if one.why == "busy":
                    raise BusyError("as many requests wait as may; ask again in a moment")
                if one.why == "fault":
                    raise BusyError(f"the engine has stopped: {self.engine.fault}")
                yield one
        finally:
            if not over:
                self.engine.give_up(who)

    async def whole(self, asked: Wanted) -> dict[str, Any]:
        """Return an answer in one piece.

        Parameters
        ----------
        asked : Wanted
        """
        answer, texts = Answer.begun(uuid.uuid4().hex, self.model, asked), list[str]()
        last = Said("", 0, 0, "")
        async with contextlib.aclosing(self.said(asked)) as coming:
            async for last in coming:
                texts.append(last.text)
        return answer.whole("".join(texts), last.why, last.made, last.cached)


def application(server: Server, hosts: tuple[str, ...]) -> App:
    """Return the server as an ASGI application.

    Parameters
    ----------
    server : Server
    hosts : tuple of str
        Names that it answers to.
    """

    @contextlib.asynccontextmanager
    async def living(_: Starlette) -> AsyncGenerator[None]:
        passes = threading.Thread(target=server.engine.run, name="passes", daemon=True)
        passes.start()
        work = None if server.batches is None else asyncio.ensure_future(server.batches.run())
        try:
            yield
        finally:
            if work is not None:
                work.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await work
            server.engine.close()
            await asyncio.to_thread(passes.join)

    routes = [
        Route(TEXT, _completions(server, False), methods=["POST"]), Route(CHAT, _completions(server, True), methods=["POST"]),
        Route("/v1/models", _models(server)), Route("/v1/models/{model:path}", _models(server)), Route("/metrics", _metrics(server)),
        Route("/health", _health(server)), *(Filing(server.jobs).routes() if server.jobs is not None else []),
    ]  # fmt: skip
    inner = Starlette(routes=routes, lifespan=living, exception_handlers={404: _missing, 405: _missing})
    forms = ("application/json", "multipart/form-data")
    return Gate(inner, hosts, MOST_BODY, forms, error_body, ("/cancel",))


async def _missing(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return JSONResponse(error_body(f"{request.method} {request.url.path}: the lab engine has no such thing"), status)


def _completions(server: Server, chat: bool) -> Any:
    async def answer(request: Request) -> Response:
        try:
            asked = server.read(await json_body(request), chat)
            if not asked.stream:
                found = await unless_gone(request.receive, server.whole(asked))
                return Response(status_code=499) if found is None else JSONResponse(found)
            coming = server.said(asked)
            first = await unless_gone(
                request.receive, anext(coming)
            )  # what is refused is refused before the stream begins
            if first is None:
                return Response(status_code=499)
        except HeadwayError as error:
            return refused(error)
        return StreamingResponse(
            _stream(server, asked, coming, first), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    return answer


async def _stream(server: Server, asked: Wanted, coming: AsyncGenerator[Said], one: Said) -> AsyncGenerator[bytes]:
    """Events until ``[DONE]``; a fault on the way is one, too."""
    answer = Answer.begun(uuid.uuid4().hex, server.model, asked)
    async with contextlib.aclosing(coming):
        try:
            if asked.chat:
                yield answer.piece("", "", first=True)
            while True:
                if one.text or one.why:
                    yield answer.piece(one.text, one.why)
                if one.why:
                    break
                one = await anext(coming)
            if asked.usage:
                yield answer.counted(one.made, one.cached)
            yield b"data: [DONE]\n\n"
        except BusyError as error:
            yield f"data: {json.dumps(error_body(str(error), 'server_error'))}\n\n".encode()


def _models(server: Server) -> Any:
    async def answer(request: Request) -> Response:
        s = server.engine.settings
        one = {"id": server.model, "object": "model", "created": int(server.engine.started), "owned_by": "headway lab engine",
               "root": s.model.name, "max_model_len": s.limits.context}  # fmt: skip
        named = request.path_params.get("model")
        if named is None:
            return JSONResponse({"object": "list", "data": [one]})
        return (
            JSONResponse(one)
            if named == server.model
            else refused(RefusedError(f"model {named!r} is not served here", "model", 404))
        )

    return answer


def _metrics(server: Server) -> Any:
    async def answer(_: Request) -> Response:
        return Response(server.metrics.text(), media_type=KIND)

    return answer


def _health(server: Server) -> Any:
    async def answer(_: Request) -> Response:
        return JSONResponse({"fault": server.engine.fault or None}, 503 if server.engine.fault else 200)

    return answer
