"""The Batch API's routes: files in and out, batches queued, looked at, cancelled."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from headway.errors import HeadwayError, quoted
from headway.lab.engine.jobs import Jobs
from headway.lab.engine.replies import json_body, refused
from headway.lab.engine.wire import CHAT, TEXT, RefusedError

_MOST_LINES = 50_000  # of a file, as OpenAI's
_SHOWN = 20  # errors of a file


class Filing:
    """Answers what is asked of files and batches.

    Parameters
    ----------
    jobs : Jobs
    """

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/v1/files", _answering(self.files), methods=["GET", "POST"]),
            Route("/v1/files/{file}", _answering(self.file), methods=["GET", "DELETE"]),
            Route("/v1/files/{file}/content", _answering(self.content)),
            Route("/v1/batches", _answering(self.batches), methods=["GET", "POST"]),
            Route("/v1/batches/{batch}", _answering(self.batch)),
            Route("/v1/batches/{batch}/cancel", _answering(self.cancel), methods=["POST"]),
        ]

    async def files(self, request: Request) -> Any:
        """List files, or keep one."""
        if request.method == "GET":
            return {"object": "list", "data": await asyncio.to_thread(self.jobs.files), "has_more": False}
        try:
            form = await request.form(max_files=1, max_fields=8)
        except Exception as error:  # python-multipart's own
            raise RefusedError(f"the form cannot be read ({error})") from None
        purpose, file = form.get("purpose"), form.get("file")
        if purpose != "batch" or file is None or isinstance(file, str):
            raise RefusedError("a form with purpose=batch and a file", "file")
        return await asyncio.to_thread(self.jobs.add_file, file.filename or "", "batch", await file.read())

    async def file(self, request: Request) -> Any:
        """Tell of a file, or remove it."""
        number = request.path_params["file"]
        if request.method == "DELETE":
            if await asyncio.to_thread(self.jobs.remove_file, number):
                return {"id": number, "object": "file", "deleted": True}
        elif found := await asyncio.to_thread(self.jobs.file_of, number):
            return found
        raise _absent("file", number)

    async def content(self, request: Request) -> Any:
        """Give what a file holds."""
        number = request.path_params["file"]
        found = await asyncio.to_thread(self.jobs.content, number)
        if found is None:
            raise _absent("file", number)
        return Response(found, media_type="application/jsonl")

    async def batches(self, request: Request) -> Any:
        """List batches, or queue one."""
        if request.method == "GET":
            return {"object": "list", "data": await asyncio.to_thread(self.jobs.batches), "has_more": False}
        body = await json_body(request)
        if not isinstance(body, dict) or body.get("endpoint") not in (CHAT, TEXT):
            raise RefusedError(f"endpoint: {CHAT} or {TEXT}", "endpoint")
        if body.get("completion_window") != "24h":
            raise RefusedError("completion_window: 24h is the only one", "completion_window")
        source, endpoint = str(body.get("input_file_id")), body["endpoint"]
        read = await asyncio.to_thread(self.jobs.content, source)
        if read is None:
            raise _absent("file", source)
        found, errors = await asyncio.to_thread(lines_of, read, endpoint)
        return await asyncio.to_thread(self.jobs.add_batch, source, endpoint, body.get("metadata"), found, errors)

    async def batch(self, request: Request) -> Any:
        """Tell of a batch."""
        number = request.path_params["batch"]
        found = await asyncio.to_thread(self.jobs.batch_of, number)
        if found is None:
            raise _absent("batch", number)
        return found

    async def cancel(self, request: Request) -> Any:
        """Let a batch's queued lines go."""
        found = await self.batch(request)
        if not await asyncio.to_thread(self.jobs.cancel, found["id"]):
            raise RefusedError(f"batch {found['id']!r} has ended already", None, 409)
        return await self.batch(request)


def _absent(what: str, number: str) -> RefusedError:
    return RefusedError(f"{what} {quoted(number)} is not here", what, 404)


def _answering(handler: Any) -> Any:
    async def answer(request: Request) -> Response:
        try:
            found = await handler(request)
        except HeadwayError as error:
            return refused(error)
        return found if isinstance(found, Response) else JSONResponse(found)

    return answer


def lines_of(content: bytes, endpoint: str) -> tuple[list[tuple[str, Any]], list[dict[str, Any]]]:
    """Return the lines of a batch's file, by their own names, and what is wrong with it.

    Parameters
    ----------
    content : bytes
    endpoint : str
        Where every line must be asked.
    """
    found: list[tuple[str, Any]] = []
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    rows = content.split(b"\n")
    rows = rows[:-1] if rows and not rows[-1].strip() else rows
    if not rows or len(rows) > _MOST_LINES:
        return [], [
            _error(
                "empty_file" if not rows else "too_many_lines",
                f"{len(rows):,} lines; 1 to {_MOST_LINES:,} are taken",
                None,
            )
        ]
    for number, raw in enumerate(rows, 1):
        custom, body, said = _line(raw, endpoint, seen)
        if said is not None:
            errors.append(_error(said[0], f"line {number}: {said[1]}", number))
        else:
            seen.add(custom)
            found.append((custom, body))
        if len(errors) == _SHOWN:
            break
    return found, errors


def _line(raw: bytes, endpoint: str, seen: set[str]) -> tuple[str, Any, tuple[str, str] | None]:
    """A line's own name and body, and what is wrong with it."""
    try:
        row = json.loads(raw)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        return "", None, ("invalid_json_line", "no JSON object")
    custom, body = row.get("custom_id"), row.get("body")
    if not isinstance(custom, str) or not custom:
        return "", None, ("missing_required_parameter", "custom_id: a text that names the line")
    if custom in seen:
        return custom, None, ("duplicate_custom_id", f"custom_id {quoted(custom)} stands twice")
    if row.get("method") != "POST" or row.get("url") != endpoint:
        return custom, None, ("invalid_request", f"method POST and url {endpoint}, as the batch's endpoint")
    if not isinstance(body, dict):
        return custom, None, ("missing_required_parameter", "body: an object")
    return custom, body, None


def _error(code: str, said: str, line: int | None) -> dict[str, Any]:
    return {"code": code, "message": said, "param": None, "line": line}
