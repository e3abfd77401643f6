"""Bodies read, and errors as answers: what all routes of the lab engine share."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from headway.errors import HeadwayError
from headway.gate import no_number
from headway.lab.engine.core import BusyError
from headway.lab.engine.jobs import FullError
from headway.lab.engine.wire import RefusedError, error_body

MOST_BODY = 32_000_000  # bytes of a request: a batch's file


def refused(error: HeadwayError) -> Response:
    """Return the answer to what cannot be done."""
    if isinstance(error, RefusedError):
        return JSONResponse(error_body(str(error), error.kind, error.param), error.status)
    if isinstance(error, BusyError):
        full = "stopped" not in str(error)
        kind, status = ("overloaded_error", 429) if full else ("server_error", 503)
        return JSONResponse(error_body(str(error), kind), status, {"retry-after": "1"})
    if isinstance(error, FullError):
        return JSONResponse(error_body(str(error), "insufficient_storage"), 507)
    return JSONResponse(error_body(str(error)), 400)


async def json_body(request: Request) -> Any:
    """Return a request's parsed body.

    Raises
    ------
    RefusedError
        For one that is too large or no JSON.
    """
    found = b""
    try:
        async for part in request.stream():
            found += part
            if len(found) > MOST_BODY:
                raise RefusedError(f"the body must be below {MOST_BODY // 1000} kB", None, 413)
        return json.loads(found, parse_constant=no_number)
    except (ValueError, RecursionError, ClientDisconnect):
        raise RefusedError("the body is no JSON, or one too deep") from None
