"""`headway web`: listens, says where, and opens the browser if asked."""

from __future__ import annotations

import socket
import webbrowser

from headway.errors import InputError
from headway.web.gate import ANY_ADDRESS, LOOPBACK
from headway.web.limits import Limits


def serve(host: str, port: int, limits: Limits, folders: tuple[str, ...] = (), *, open_it: bool = False) -> None:
    """Serve the page until somebody ends it.

    Parameters
    ----------
    host : str
        Address or name to listen on.
    port : int
        0: one that is free. [1]
    limits : Limits
    folders : tuple of str
        Of the user's own catalogue.
    open_it : bool
        Open the browser.

    Raises
    ------
    InputError
        When the ``[web]`` extra is missing, or nothing can listen there.
    """
    try:
        import uvicorn

        from headway.web.server import application
    except ImportError:
        raise InputError("the page needs the [web] extra: pip install 'headway[web]'") from None
    listening = _listening(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}/"
    hosts = LOOPBACK if host in ("127.0.0.1", "::1", "localhost") else (*LOOPBACK, shown.lower())
    if host in ("0.0.0.0", "::"):  # whoever says so is reached by this machine's name, or by any of its addresses
        hosts = (*LOOPBACK, socket.gethostname().lower(), ANY_ADDRESS)
    print(f"headway is at {address}  (Ctrl+C ends it)", flush=True)
    if open_it:
        webbrowser.open(address)
    config = uvicorn.Config(
        application(limits, hosts, folders), log_level="warning", access_log=False, server_header=False, limit_concurrency=500,
        timeout_keep_alive=30, timeout_graceful_shutdown=1, ws="none",
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """The socket; an address that cannot be had is one line."""
    if not 0 <= port <= 65535:
        raise InputError(f"--port: {port} must be in 0..65535")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(1024)  # from now on nobody is turned away
    except OSError as error:
        raise InputError(f"--host {host} --port {port}: cannot listen there ({error.strerror or error})") from None
    return found
