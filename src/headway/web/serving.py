"""`headway web`: listens, says where, and opens the browser if asked."""

from __future__ import annotations

import webbrowser

from headway.errors import InputError
from headway.gate import listening, names_of
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
    line = listening(host, port)
    address, hosts = names_of(host, line.getsockname()[1])
    print(f"headway is at {address}  (Ctrl+C ends it)", flush=True)
    if open_it:
        webbrowser.open(address)
    config = uvicorn.Config(
        application(limits, hosts, folders), log_level="warning", access_log=False, server_header=False, limit_concurrency=500,
        timeout_keep_alive=30, timeout_graceful_shutdown=1, ws="none",
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[line])
