"""The verb about the lab engine."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from headway.cli.options import Folder, to_write
from headway.cli.serving import USUAL, Engine


def serve(
    model: Annotated[str, Parameter(help="Whose network runs at tiny widths: a name or config.json.")] = "llama-3.1-8b",
    *,
    port: Annotated[int, Parameter(help="Port to listen on; 0: one that is free.")] = 8018,
    host: Annotated[
        str, Parameter(help="Address to listen on; others than this machine's own reach the network.")
    ] = "127.0.0.1",
    engine: Engine = USUAL,
    trace: Annotated[
        str | None, to_write("Write a line for every pass and request, for `headway replay`: FILE.jsonl.", "--trace")
    ] = None,
    database: Annotated[
        str | None, to_write("Keep files and batches of the Batch API in FILE.db; servers may share it.", "--database")
    ] = None,
    database_room: Annotated[
        str | None, Parameter(help="Most that the database may take; default: as much as the disk has. [1GB]")
    ] = None,
    config: Annotated[
        str | None,
        to_write(
            "Write the tiny network's config.json, for --model of other verbs (with --precision fp32 --kv-precision fp32).",
            "--config",
        ),
    ] = None,
    catalog: Folder = (),
) -> None:
    """Serve a tiny network of the lab by the simulator's schedulers, with the OpenAI API: for learning and testing (docs/lab.md)."""
    from headway import units
    from headway.catalog import use
    from headway.cli.engine import settings_of
    from headway.lab.engine.serving import serve as served

    use(catalog)
    if config is not None:
        from headway.cli.engine import write_config

        write_config(model, engine, config)
    room = 0.0 if database_room is None else units.parse(database_room, units.BYTES, "--database-room")
    settings = settings_of(model, engine)
    served(settings, model, host, port, trace=trace or "", database=database or "", room=room)
