"""`headway serve`: compiles, listens, says where."""

from __future__ import annotations

import os
from contextlib import ExitStack

from headway.errors import InputError
from headway.gate import listening, names_of
from headway.lab.engine.settings import Settings

EXTRA = "the lab engine needs the [serve] extra: pip install 'headway[serve]'"


def serve(
    settings: Settings, model: str, host: str, port: int, *, trace: str = "", database: str = "", room: float = 0.0
) -> None:
    """Serve a network until somebody ends it.

    Parameters
    ----------
    settings : Settings
    model : str
        Under which name.
    host : str
        Address or name to listen on.
    port : int
        0: one that is free. [1]
    trace : str
        File for a line of every pass and request; "" for none.
    database : str
        Of the Batch API; "" for none.
    room : float
        That it may take; 0: the disk's. [bytes]

    Raises
    ------
    InputError
        When the ``[serve]`` extra is missing, nothing can listen there, or a file cannot be used.
    """
    try:
        import uvicorn

        from headway.lab.engine.server import Server, application
        from headway.lab.needs import jax_with
    except ImportError:
        raise InputError(EXTRA) from None
    jax_with(1)
    from headway.lab.engine.core import Engine
    from headway.lab.engine.jobs import Jobs
    from headway.lab.engine.tracing import Trace

    with listening(host, port) as line, ExitStack() as kept:
        address, hosts = names_of(host, line.getsockname()[1])
        jobs = Jobs(os.path.abspath(database), int(room)) if database else None
        if jobs is not None:
            kept.callback(jobs.close)
        engine = Engine(settings, (Trace(settings, trace),) if trace else ())
        print(_said(settings, model, engine.compiled) + f"\nit is at {address}v1  (Ctrl+C ends it)", flush=True)
        config = uvicorn.Config(
            application(Server(engine, model, jobs), hosts), log_level="warning", access_log=False, server_header=False,
            limit_concurrency=2000, timeout_keep_alive=30, timeout_graceful_shutdown=1, ws="none",
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[line])


def _said(settings: Settings, model: str, programs: int) -> str:
    s = settings.limits
    return (
        f"headway's lab engine, for learning and testing: {model} ({settings.model.name}, random weights), {settings.policy.says}, "
        f"up to {s.sequences} sequences and {s.tokens} tokens a pass, {s.blocks} blocks of {s.block}; {programs} programs compiled"
    )
