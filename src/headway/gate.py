"""What stands before every answer of a server here: whose question it is, how large it may be, what the browser may do with it."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from headway.errors import InputError

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
    """Refuses other hosts' names (DNS rebinding), other sites' questions, bodies that are too large; adds the security headers.

    Parameters
    ----------
    app : App
        That answers what passes.
    hosts : tuple of str
        Names that it answers to.
    most : int
        Of a body. [bytes]
    forms : tuple of str
        Content types of bodies.
    says : function
        (what was wrong, its kind) -> body of a refusal.
    bodiless : tuple of str
        Ends of paths that are asked without a body.
    """

    def __init__(
        self,
        app: App,
        hosts: tuple[str, ...],
        most: int,
        forms: tuple[str, ...] = ("application/json",),
        says: Callable[[str, str], Any] = lambda said, kind: {"error": said, "kind": kind},
        bodiless: tuple[str, ...] = (),
    ) -> None:
        self.app, self.hosts, self.most, self.forms, self.says, self.bodiless = app, hosts, most, forms, says, bodiless

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
            status, kind, said = refused
            await _say(adding, status, self.says(said, kind))
            return
        await self.app(scope, receive, adding)

    def _refused(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str, str] | None:
        host = headers.get("host", "")
        name = name_of(host)
        if name not in self.hosts and not (ANY_ADDRESS in self.hosts and _is_address(name)):
            return 403, "host", "this server answers to its own names only; --host NAME adds one"
        if scope["method"] in ("GET", "HEAD"):
            return None
        origin = headers.get("origin")
        if origin is not None and origin.split("://", 1)[-1] != host:
            return 403, "origin", "questions come from the server's own page"
        size = headers.get("content-length", "0")
        if not size.isdigit() or int(size) > self.most:
            return 413, "size", f"the body must be below {self.most // 1000} kB"
        bare = scope["method"] == "DELETE" or scope["path"].endswith(self.bodiless)
        if headers.get("content-type", "").split(";")[0].strip() not in self.forms and not (bare and self.bodiless):
            return 415, "form", f"the body must be {' or '.join(self.forms)}"
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


async def _say(send: Send, status: int, answer: Any) -> None:
    body = json.dumps(answer).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def names_of(host: str, port: int) -> tuple[str, tuple[str, ...]]:
    """Return a server's address, and the names that it answers to.

    Parameters
    ----------
    host : str
        That it listens on.
    port : int
        [1]
    """
    shown = f"[{host}]" if ":" in host else host
    hosts = LOOPBACK if host in ("127.0.0.1", "::1", "localhost") else (*LOOPBACK, shown.lower())
    if host in ("0.0.0.0", "::"):  # whoever says so is reached by this machine's name, or by any of its addresses
        hosts = (*LOOPBACK, socket.gethostname().lower(), ANY_ADDRESS)
    return f"http://{shown}:{port}/", hosts


def listening(host: str, port: int) -> socket.socket:
    """Return the socket that somebody listens on.

    Parameters
    ----------
    host : str
        Address or name.
    port : int
        0: one that is free. [1]

    Raises
    ------
    InputError
        For an address that cannot be had.
    """
    if not 0 <= port <= 65535:
        raise InputError(f"--port: {port} must be in 0..65535")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(
            family, socket.SOCK_STREAM, socket.IPPROTO_TCP
        )  # named: only then asyncio sends each piece at once
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(1024)  # from now on nobody is turned away
    except OSError as error:
        raise InputError(f"--host {host} --port {port}: cannot listen there ({error.strerror or error})") from None
    return found


async def unless_gone(receive: Receive, coming: Awaitable[Any]) -> Any:
    """Return what is coming, or None where the client has left first, which ends the work."""
    work, left = asyncio.ensure_future(coming), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        left.cancel()
        if not work.done():
            work.cancel()
    return work.result() if work.done() else None


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def no_number(text: str) -> float:
    """Refuse NaN and infinities, which JSON does not have.

    Raises
    ------
    ValueError
        Always.
    """
    raise ValueError(text)
