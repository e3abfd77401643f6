"""The verb about how much traffic fits within limits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json, Out
from headway.cli.running import AS_THE_ENGINE, Running
from headway.cli.simulated import Duration, LaterLimit, Limit, Policy, Router, Seed, Start
from headway.questions import Request

_OTHERS = ("arrivals", "batch", "concurrency", "overlap", "load", "rounds")
_Traffic = Annotated[
    str,
    Parameter(help="What arrives, at the rate that is looked for: poisson:1/s, gamma:1/s,cv=3, azure-conv; of closed:1,think=5s users."),
]  # fmt: skip
_Readers = Annotated[
    str, Parameter(help="Speeds at which users read, by comma (tokens per second): how many can; none for nobody.")
]


_Within = Annotated[str | None, Parameter(help="Share of requests that must meet both; default 90%. [99%]")]
_Seeds = Annotated[int, Parameter(help="Repeats with other seeds: the interval is over them.")]
_Count = Annotated[
    str | None, Parameter(help="Requests of a run; default: as many as the answer needs, all of a trace.")
]


@asks(Request, leave_out=_OTHERS)
def capacity(
    asked: dict[str, Any],
    *,
    ttft: Limit = None,
    tpot: LaterLimit = None,
    within: _Within = None,
    traffic: _Traffic = "poisson:1/s",
    readers: _Readers = "30,100,300",
    seeds: _Seeds = 5,
    seed: Seed = 0,
    requests: _Count = None,
    duration: Duration = None,
    start: Start = None,
    policy: Policy = "engine",
    router: Router = "round-robin",
    running: Running = AS_THE_ENGINE,
    json: Json = False,
    csv: Csv = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Find the largest rate, or number of users, that meets TTFT and TPOT limits, by simulation; what binds there, and its price.

    --csv and -o show what requests see at rates below and above it.
    """
    from headway.catalog import use
    from headway.cli.sizing import size
    from headway.plan.benches import Window
    from headway.plan.operations import Words
    from headway.plan.slo import share_of, speeds_of

    use(catalog)
    words = Words(policy=policy, router=router, **asdict(running))
    how = {"seeds": seeds, "seed": seed, "words": words}
    limits = {"ttft": ttft, "tpot": tpot, "within": share_of(within), "speeds": () if csv else speeds_of(readers)}
    window = Window(requests, duration, start)
    size(Request(**given(asked)), traffic, how | limits | {"window": window}, json=json, csv=csv, out=out)
