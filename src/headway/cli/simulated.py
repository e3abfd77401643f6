"""Options of the verbs that simulate: what of the traffic is played, and how a deployment serves it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

Policy = Annotated[
    str,
    Parameter(
        help="Scheduler: engine (the engine's own), chunked, prefill-first, decode-first, static:32,timeout=1s, departures:20ms."
    ),
]
Router = Annotated[
    str, Parameter(help="Which replica a request goes to: round-robin, least-loaded, prefix-aware, tiered:2+6.")
]
Count = Annotated[str | None, Parameter(help="How many of them; default: 1,000 that are drawn, all of a trace.")]
Rate = Annotated[str | None, Parameter(help="Scale a trace's arrivals to this mean rate. [20/s]")]
Scale = Annotated[str | None, Parameter(help="Let them arrive so many times as fast.")]
AnySeed = Annotated[int, Parameter(help="Of all that is drawn.")]
Duration = Annotated[str | None, Parameter(help="How long of it, in its own time. [10min]")]
Start = Annotated[str | None, Parameter(help="Where in a trace to begin. [5min]")]
Seed = Annotated[int, Parameter(help="Of the first repeat.")]
Limit = Annotated[str | None, Parameter(help="Longest time to the first token. [500ms]")]
LaterLimit = Annotated[str | None, Parameter(help="Longest time per output token after it. [20ms]")]
