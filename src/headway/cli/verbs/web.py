"""The verb about the page."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from headway.cli.options import Folder


def web(
    *,
    port: Annotated[int, Parameter(help="Port to listen on; 0: one that is free.")] = 8017,
    host: Annotated[
        str, Parameter(help="Address to listen on; others than this machine's own reach the network.")
    ] = "127.0.0.1",
    open_: Annotated[bool, Parameter(name="--open", negative="", help="Open the browser.")] = False,
    workers: Annotated[int, Parameter(help="Processes for short questions, and as many for long ones.")] = 2,
    seconds: Annotated[str, Parameter(help="Longest time of a long question. [5min]")] = "5min",
    memory: Annotated[str, Parameter(help="Most memory of a process (address space). [4GB]")] = "4GB",
    catalog: Folder = (),
) -> None:
    """Serve a page on this machine to explore it all: sliders, and the physics moves; every number as of --json."""
    import os

    from headway import units
    from headway.catalog import use
    from headway.errors import InputError
    from headway.web import Limits
    from headway.web.serving import serve

    if not 1 <= workers <= 64:
        raise InputError(f"--workers: {workers} must be in 1..64")
    use(catalog)  # a folder that is none is refused here, not in a worker
    longest = units.parse(seconds, units.SECONDS, "--seconds")
    limits = Limits(workers=workers, long=longest, memory=units.parse(memory, units.BYTES, "--memory"))
    serve(host, port, limits, tuple(os.path.abspath(os.path.expanduser(f)) for f in catalog), open_it=open_)
