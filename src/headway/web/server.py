"""The routes: the page, the API that answers as `--json` does, its documents."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import json
import zlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from headway.gate import LOOPBACK, App, Gate, no_number, unless_gone
from headway.web.limits import MOST_BODY, Limits
from headway.web.offered import OFFERED
from headway.web.pool import Answer, BusyError, Pool, refusal
from headway.web.schema import openapi, schemas

_PAGE = Path(__file__).parent / "page"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
_FIRST_VIEW = ("batch", "results_curve", "results_plans")  # modules of the view at /
_VIEWS = (
    "/",
    "/lecture",
    "/layouts",
    "/traffic",
    "/money",
    "/money/self-host",
    "/money/infer",
    "/training",
    "/training/lifetime",
    "/training/rl",
    "/learn",
    "/yours",
)
FIRST = {  # what the page opens with
    "model": "deepseek-v3", "system": "gb200-nvl72", "context": "32k", "points": 49, "stacked": True, "why": True,
}  # fmt: skip
_FIRST = {"verb": "curve", "form": "view", "body": FIRST}
_LONG = 2000  # bytes of an answer that are worth packing
_BEAT = 1.0  # seconds between two lines of a stream


def application(limits: Limits, hosts: tuple[str, ...], folders: tuple[str, ...] = ()) -> App:
    """Return the server as an ASGI application.

    Parameters
    ----------
    limits : Limits
    hosts : tuple of str
        Names that it answers to.
    folders : tuple of str
        Of the user's own catalogue.
    """
    pool = Pool(limits, folders)

    @contextlib.asynccontextmanager
    async def living(_: Starlette) -> AsyncGenerator[None]:
        warming = asyncio.ensure_future(pool.lanes["short"].warm(_FIRST))
        try:
            yield
        finally:
            warming.cancel()
            pool.close()

    known: dict[str, Answer] = {}
    alone = set(hosts) <= set(LOOPBACK)  # whoever asks is the user: reviews may be kept in the user's progress
    routes = [*_static(), *_documents(), Route("/api/names", _names(pool)), Route("/api/start", _start(pool, known, alone)),
              Route("/api/start/bare", _start(pool, known, alone, bare=True))]  # fmt: skip
    for form in ("record", "view", "csv"):
        suffix = "" if form == "record" else f"/{form}"
        routes.append(Route(f"/api/{{verb}}{suffix}", _asking(pool, form, alone), methods=["POST"]))
    inner = Starlette(routes=routes, lifespan=living)
    inner.state.pool = pool
    return Gate(inner, hosts, MOST_BODY)


def _static() -> list[Route]:
    """Every file of the page by its own name, read once: no path is ever made of what a browser asks for."""
    routes: list[Route] = []
    for file in sorted(_PAGE.iterdir()):
        if file.suffix == ".gz":
            packed, name = file.read_bytes(), file.stem
            plain = b""
        elif file.suffix in _KINDS:
            plain, name = file.read_bytes(), file.name
            packed = gzip.compress(plain, 9)
        else:
            continue
        handler = _file(plain, packed, _KINDS[Path(name).suffix])
        routes.append(Route(f"/page/{name}", handler))
        if name == "index.html":
            routes.append(Route("/", handler))
            lean = _of_other_views(plain)
            other = _file(lean, gzip.compress(lean, 9), _KINDS[".html"])
            routes += [Route(view, other) for view in _VIEWS[1:]]
    return routes


def _of_other_views(page: bytes) -> bytes:
    """The page without what only the view at / needs."""
    lines = page.decode().replace('href="/api/start"', 'href="/api/start/bare"').splitlines(keepends=True)
    return "".join(x for x in lines if not any(f"/page/{n}.js" in x for n in _FIRST_VIEW)).encode()


def _file(plain: bytes, packed: bytes, kind: str) -> Any:
    async def answer(request: Request) -> Response:
        headers = {"cache-control": "no-cache", "vary": "accept-encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(packed, media_type=kind, headers={**headers, "content-encoding": "gzip"})
        return Response(plain or gzip.decompress(packed), media_type=kind, headers=headers)

    return answer


def _documents() -> list[Route]:
    described_once, listed_once = functools.cache(openapi), functools.cache(schemas)

    async def described(request: Request) -> Response:
        return _packed(request, described_once())

    async def listed(request: Request) -> Response:
        return _packed(request, listed_once())

    return [Route("/openapi.json", described), Route("/api/schema", listed)]


def _names(pool: Pool) -> Any:
    async def answer(request: Request) -> Response:
        return _response(await _asked(pool, "short", {"verb": "", "form": "names", "body": {}}), "record", request)

    return answer


def _start(pool: Pool, known: dict[str, Answer], alone: bool, *, bare: bool = False) -> Any:
    """Schemas, names and the first question with its answer, all in one: the first chart waits for one answer only.

    Bare of the answer, for views that show another. What has been asked once is known to both.
    """
    asked = {"names": {"verb": "", "form": "names", "body": {}}} | ({} if bare else {"first": _FIRST})

    async def answer(request: Request) -> Response:
        for name, job in asked.items():
            if name not in known:
                found = await _asked(pool, "short", dict(job))
                if found["status"] != 200 and name == "names":
                    return _response(found, "record", request)
                known[name] = found
        found = None if bare else known["first"]
        first = {"body": FIRST, "found": found["body"] if found and found["status"] == 200 else None}
        return _packed(request, {"schemas": schemas(), "names": known["names"]["body"], "first": first, "keeps": alone})

    return answer


def _asking(pool: Pool, form: str, alone: bool) -> Any:
    async def answer(request: Request) -> Response:
        verb = request.path_params["verb"]
        offered = OFFERED.get(verb)
        if offered is None:
            return _response(refusal(404, "malformed", f"no such verb; there are {', '.join(OFFERED)}"), "record")
        body = await _body(request)
        if isinstance(body, Response):
            return body
        if not alone and isinstance(body, dict) and body.get("keep"):
            return _response(
                refusal(403, "malformed", "reviews are kept only by a page that answers this machine alone"), "record"
            )
        job = {"verb": verb, "form": form, "body": body}
        if "text/event-stream" in request.headers.get("accept", ""):
            return _streaming(request, _stream(pool, offered.lane, job))
        found = await unless_gone(request.receive, _asked(pool, offered.lane, job))
        return Response(status_code=499) if found is None else _response(found, form, request)

    return answer


async def _body(request: Request) -> Any:
    """The parsed body, or the refusal of one that is too large or no JSON."""
    found = b""
    try:
        async for part in request.stream():
            found += part
            if len(found) > MOST_BODY:
                return _response(refusal(413, "size", f"the body must be below {MOST_BODY // 1000} kB"), "record")
        return json.loads(found, parse_constant=no_number)
    except (ValueError, RecursionError, ClientDisconnect):
        return _response(refusal(400, "malformed", "the body is no JSON object, or one too deep"), "record")


async def _asked(pool: Pool, lane: str, job: dict[str, Any], tell: Any = None) -> Answer:
    try:
        return await pool.lanes[lane].ask(job, tell or (lambda _: None))
    except BusyError:
        return refusal(429, "busy", "as many questions as the server takes are waiting; ask again in a moment")


def _response(answer: Answer, form: str, request: Request | None = None) -> Response:
    status, body = answer["status"], answer["body"]
    headers = {"cache-control": "no-store", **({"retry-after": "2"} if status in (429, 503) else {})}
    if form == "csv" and status == 200:
        return Response(body, media_type="text/csv; charset=utf-8", headers=headers)
    return _packed(request, body, status, headers)


def _packed(request: Request | None, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON, packed where it is long and the client unpacks it."""
    text, headers = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), headers or {}
    if request is not None and len(text) > _LONG and "gzip" in request.headers.get("accept-encoding", ""):
        text, headers = gzip.compress(text, 4), {**headers, "content-encoding": "gzip", "vary": "accept-encoding"}
    return Response(text, status_code=status, media_type="application/json", headers=headers)


async def _stream(pool: Pool, lane: str, job: dict[str, Any]) -> AsyncGenerator[str, None]:
    """Server-sent events: `progress` as it comes, then `answer` or `refused`; a client that leaves ends the work."""
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    work = asyncio.ensure_future(_asked(pool, lane, job, told.put_nowait))
    loop = asyncio.get_running_loop()
    start, last = loop.time(), {"what": "waiting or computing"}
    try:
        yield _event("progress", {**last, "seconds": 0.0})
        while not work.done():
            coming = asyncio.ensure_future(told.get())
            await asyncio.wait({work, coming}, timeout=_BEAT, return_when=asyncio.FIRST_COMPLETED)
            last = coming.result() if coming.done() else last
            coming.cancel()
            if not work.done():
                yield _event("progress", {**last, "seconds": round(loop.time() - start, 1)})
        answer = work.result()
        yield _event("answer" if answer["status"] == 200 else "refused", answer)
    finally:
        if not work.done():
            work.cancel()


def _streaming(request: Request, events: AsyncGenerator[str, None]) -> Response:
    """A stream, packed line by line where the client unpacks it: an answer may be a megabyte."""
    headers = {"cache-control": "no-store"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def packed() -> AsyncGenerator[bytes, None]:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        async with contextlib.aclosing(events) as coming:  # a client that leaves ends the work
            async for event in coming:
                yield packer.compress(event.encode()) + packer.flush(zlib.Z_SYNC_FLUSH)
        yield packer.flush()

    return StreamingResponse(packed(), media_type="text/event-stream", headers={**headers, "content-encoding": "gzip"})


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
