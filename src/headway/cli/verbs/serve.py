"""The verb about the lab engine."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from headway.cli.options import Folder, to_write


def serve(
    model: Annotated[str, Parameter(help="Whose network runs at tiny widths: a name or config.json.")] = "llama-3.1-8b",
    *,
    port: Annotated[int, Parameter(help="Port to listen on; 0: one that is free.")] = 8018,
    host: Annotated[
        str, Parameter(help="Address to listen on; others than this machine's own reach the network.")
    ] = "127.0.0.1",
    policy: Annotated[
        str,
        Parameter(help="Scheduler: chunked, prefill-first, decode-first, static:8,timeout=100ms, departures:50ms."),
    ] = "chunked",
    max_sequences: Annotated[int, Parameter(help="Most requests that run at a time; 1: one after another.")] = 8,
    max_tokens: Annotated[int, Parameter(help="Most new tokens of a pass.")] = 64,
    max_context: Annotated[int, Parameter(help="Most tokens of a request, prompt and answer.")] = 512,
    max_queue: Annotated[int | None, Parameter(help="Most that wait; who comes then is refused (429).")] = None,
    blocks: Annotated[int, Parameter(help="Blocks of the KV cache.")] = 256,
    block: Annotated[int, Parameter(help="Tokens of a block.")] = 16,
    cache: Annotated[bool, Parameter(help="Find prompts' blocks again.")] = True,
    seats: Annotated[
        str | None, Parameter(help="Most that run of a tier: batch=4,flex=6 (tiers: priority, default, flex, batch).")
    ] = None,
    layers: Annotated[int, Parameter(help="Layers of the network.")] = 2,
    seed: Annotated[int, Parameter(help="Of the random weights.")] = 0,
    trace: Annotated[
        str | None, to_write("Write a line for every pass and request, for `headway replay`: FILE.jsonl.", "--trace")
    ] = None,
    database: Annotated[
        str | None, to_write("Keep files and batches of the Batch API in FILE.db; servers may share it.", "--database")
    ] = None,
    database_room: Annotated[
        str | None, Parameter(help="Most that the database may take; default: as much as the disk has. [1GB]")
    ] = None,
    delay_pass: Annotated[str | None, Parameter(help="Known delay of every pass, to be found again. [5ms]")] = None,
    delay_sequence: Annotated[str | None, Parameter(help="Known delay per sequence of a pass. [1ms]")] = None,
    delay_token: Annotated[str | None, Parameter(help="Known delay per new token of a pass. [100us]")] = None,
    delay_context: Annotated[str | None, Parameter(help="Known delay per token in the caches of a pass. [1us]")] = None,
    catalog: Folder = (),
) -> None:
    """Serve a tiny network of the lab by the simulator's schedulers, with the OpenAI API: for learning and testing (docs/lab.md)."""
    from headway import units
    from headway.catalog import use
    from headway.cli.engine import settings_of
    from headway.lab.engine.serving import serve as served
    from headway.lab.engine.settings import Delays

    use(catalog)
    told = {
        "pass": delay_pass, "sequence": delay_sequence, "token": delay_token, "context": delay_context,
    }  # fmt: skip
    delays = Delays(
        **{f"per_{n}": units.parse(v, units.SECONDS, f"--delay-{n}") for n, v in told.items() if v is not None}
    )
    settings = settings_of(
        model, policy, {"tokens": max_tokens, "sequences": max_sequences, "blocks": blocks, "block": block, "context": max_context},
        seats=seats, queue=max_queue, cache=cache, delays=delays, layers=layers, seed=seed,
    )  # fmt: skip
    room = 0.0 if database_room is None else units.parse(database_room, units.BYTES, "--database-room")
    served(settings, model, host, port, trace=trace or "", database=database or "", room=room)
