"""Options of the lab engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True)
class Engine:
    """What a lab engine is, in words."""

    policy: Annotated[
        str,
        Parameter(help="Scheduler: chunked, prefill-first, decode-first, static:8,timeout=100ms, departures:50ms."),
    ] = "chunked"
    max_sequences: Annotated[int, Parameter(help="Most requests that run at a time; 1: one after another.")] = 8
    max_tokens: Annotated[int, Parameter(help="Most new tokens of a pass.")] = 64
    max_context: Annotated[int, Parameter(help="Most tokens of a request, prompt and answer.")] = 512
    max_queue: Annotated[int | None, Parameter(help="Most that wait; who comes then is refused (429).")] = None
    blocks: Annotated[int, Parameter(help="Blocks of the KV cache.")] = 256
    block: Annotated[int, Parameter(help="Tokens of a block.")] = 16
    cache: Annotated[bool, Parameter(help="Find prompts' blocks again.")] = True
    seats: Annotated[
        str | None, Parameter(help="Most that run of a tier: batch=4,flex=6 (tiers: priority, default, flex, batch).")
    ] = None
    layers: Annotated[int, Parameter(help="Layers of the network.")] = 2
    seed: Annotated[int, Parameter(help="Of the random weights.")] = 0
    delay_pass: Annotated[str | None, Parameter(help="Known delay of every pass, to be found again. [5ms]")] = None
    delay_sequence: Annotated[str | None, Parameter(help="Known delay per sequence of a pass. [1ms]")] = None
    delay_token: Annotated[str | None, Parameter(help="Known delay per new token of a pass. [100us]")] = None
    delay_context: Annotated[str | None, Parameter(help="Known delay per token in the caches of a pass. [1us]")] = None


USUAL = Engine()
