"""Options of how replicas are run, for every verb that simulates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True)
class Running:
    """As of `headway.plan.operations.Words`, with a help text each. [1]"""

    max_sequences: Annotated[
        int | None, Parameter(help="Most requests that run on a replica at a time; default: as many as memory holds.")
    ] = None
    max_queue: Annotated[
        int | None, Parameter(help="Most that wait on a replica; who comes then is turned away. Default: no end.")
    ] = None
    tiers: Annotated[
        str | None,
        Parameter(
            help="Classes of the traffic, most urgent first: fast:20%,seats=40%,ttft=500ms,tpot=20ms,batch:80%,patience=1h."
        ),
    ] = None
    cache: Annotated[bool, Parameter(help="Keep prefixes where the traffic says what prompts share.")] = True
    cache_ttl: Annotated[str | None, Parameter(help="Forget a prefix that nobody has used for so long. [5min]")] = None
    cache_below: Annotated[
        str | None,
        Parameter(
            help="Where prefixes go that the chips give up: host, or host:1TB@50GB/s (of a replica), then others."
        ),
    ] = None
    swap: Annotated[
        bool, Parameter(help="Move the cache of who loses its place to the host; else it is computed again.")
    ] = False
    contiguous: Annotated[bool, Parameter(help="A cache in one piece, as long as the longest request; else paged.")] = (
        False
    )
    watermark: Annotated[
        str | None, Parameter(help="Share of the KV blocks that must stay free when somebody boards. [1%]")
    ] = None
    prefill: Annotated[
        str | None, Parameter(help="Replicas that compute prompts only: 2, or 2xtp4 of a layout of their own.")
    ] = None
    autoscale: Annotated[
        str | None,
        Parameter(help="Open and close replicas: requests that one shall have. [64,least=1,boot=2min,calm=5min]"),
    ] = None


AS_THE_ENGINE = Running()
