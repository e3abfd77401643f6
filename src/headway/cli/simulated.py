"""Options of the verbs that simulate: what of the traffic is played, and how a deployment serves it."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

Policy = Annotated[
    Literal["engine", "chunked", "prefill-first", "decode-first"],
    Parameter(help="Scheduler; engine: the engine's own."),
]
Router = Annotated[Literal["round-robin", "least-loaded"], Parameter(help="Which replica a request goes to.")]
Sequences = Annotated[
    int | None, Parameter(help="Most requests that run on a replica at a time; default: as many as memory holds.")
]
Duration = Annotated[str | None, Parameter(help="How long of it, in its own time. [10min]")]
Start = Annotated[str | None, Parameter(help="Where in a trace to begin. [5min]")]
Seed = Annotated[int, Parameter(help="Of the first repeat.")]
Limit = Annotated[str | None, Parameter(help="Longest time to the first token. [500ms]")]
LaterLimit = Annotated[str | None, Parameter(help="Longest time per output token after it. [20ms]")]
