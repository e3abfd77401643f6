"""What stands before every answer: whose question it is, how large it may be, and what the browser may do with it."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from headway.web.limits import MOST_BODY

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
ANY_ADDRESS = "any address"  # as a host: numbers cannot be made to point elsewhere, names can
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
POLICY = "; ".join(
    ("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'", "base-uri 'none'",
     "form-action 'none'", "frame-ancestors 'none'")
)  # fmt: skip
_HEADERS = {
    "content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin", "x-frame-options": "DENY",
}  # fmt: skip


class Gate:
    """Refuses other hosts' names (DNS rebinding), other sites' questions, bodies that are too large; adds the security headers."""

    def __init__(self, app: App, hosts: tuple[str, ...]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        refused = self._refused(scope, headers)

        async def adding(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                known = {k.lower() for k, _ in message["headers"]}
                more = [(k.encode(), v.encode()) for k, v in _HEADERS.items() if k.encode() not in known]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        if refused:
            await _say(adding, *refused)
            return
        await self.app(scope, receive, adding)

    def _refused(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str, str] | None:
        host = headers.get("host", "")
        name = name_of(host)
        if name not in self.hosts and not (ANY_ADDRESS in self.hosts and _is_address(name)):
            return 403, "host", "this server answers to its own names only; `headway web --host NAME` adds one"
        if scope["method"] in ("GET", "HEAD"):
            return None
        origin = headers.get("origin")
        if origin is not None and origin.split("://", 1)[-1] != host:
            return 403, "origin", "questions come from the server's own page"
        if headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return 415, "form", "the body must be application/json"
        size = headers.get("content-length", "0")
        if not size.isdigit() or int(size) > MOST_BODY:
            return 413, "size", f"the body must be below {MOST_BODY // 1000} kB"
        return None


def name_of(host: str) -> str:
    """Return a Host header's name without its port."""
    if host.startswith("["):
        return host.split("]", maxsplit=1)[0].lower() + "]"
    return host.rsplit(":", 1)[0].lower() if ":" in host else host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


async def _say(send: Send, status: int, kind: str, said: str) -> None:
    body = json.dumps({"error": said, "kind": kind}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
