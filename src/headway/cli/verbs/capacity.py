"""The verb about how much traffic fits within limits."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json, Out
from headway.cli.output import emit, emit_csv
from headway.cli.terminal import show
from headway.questions import Request

_OTHERS = ("arrivals", "batch", "concurrency", "drafts", "overlap", "load", "rounds")
_Traffic = Annotated[
    str,
    Parameter(help="What arrives, at the rate that is looked for: poisson:1/s, gamma:1/s,cv=3, azure-conv; of closed:1,think=5s users."),
]  # fmt: skip
_Readers = Annotated[
    str, Parameter(help="Speeds at which users read, by comma (tokens per second): how many can; none for nobody.")
]


@asks(Request, leave_out=_OTHERS)
def capacity(
    asked: dict[str, Any],
    *,
    ttft: Annotated[str | None, Parameter(help="Longest time to the first token. [500ms]")] = None,
    tpot: Annotated[str | None, Parameter(help="Longest time per output token after it. [20ms]")] = None,
    within: Annotated[str | None, Parameter(help="Share of requests that must meet both; default 90%. [99%]")] = None,
    traffic: _Traffic = "poisson:1/s",
    readers: _Readers = "30,100,300",
    seeds: Annotated[int, Parameter(help="Repeats with other seeds: the interval is over them.")] = 5,
    seed: Annotated[int, Parameter(help="Of the first.")] = 0,
    requests: Annotated[
        str | None, Parameter(help="Requests of a run; default: as many as the answer needs, all of a trace.")
    ] = None,
    duration: Annotated[str | None, Parameter(help="How long of it, in its own time. [10min]")] = None,
    start: Annotated[str | None, Parameter(help="Where in a trace to begin. [5min]")] = None,
    policy: Annotated[
        Literal["engine", "chunked", "prefill-first", "decode-first"],
        Parameter(help="Scheduler; engine: the engine's own."),
    ] = "engine",
    router: Annotated[
        Literal["round-robin", "least-loaded"], Parameter(help="Which replica a request goes to.")
    ] = "round-robin",
    max_sequences: Annotated[
        int | None, Parameter(help="Most requests that run on a replica at a time; default: as many as memory holds.")
    ] = None,
    json: Json = False,
    csv: Csv = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Find the largest rate, or number of users, that meets TTFT and TPOT limits, by simulation; what binds there, and its price.

    --csv and -o show what requests see at rates below and above it.
    """
    from headway.catalog import use
    from headway.cli.progress import Stages
    from headway.plan.benches import Window
    from headway.plan.capacity import find_capacity as find
    from headway.plan.capacity import share_of, speeds_of
    from headway.records.capacities import capacity_record, curve_rows
    from headway.report.capacities import capacity_text

    use(catalog)
    if out:
        from headway.figures.style import check

        check(out)
    with Stages() as tell:
        found = find(
            Request(**given(asked)), traffic, ttft=ttft, tpot=tpot, within=share_of(within), seeds=seeds, seed=seed,
            window=Window(requests, duration, start), policy=policy, router=router, sequences=max_sequences,
            speeds=() if csv else speeds_of(readers), tell=tell,
        )  # fmt: skip
        if out:
            from headway import figures

            figures.write_figure(figures.capacity_figure(found), out)
    if json:
        emit(capacity_record(found))
    elif csv:
        emit_csv(curve_rows(found))
    else:
        show(capacity_text(found))
        if out:
            show(f"\nchart written to {out}")
