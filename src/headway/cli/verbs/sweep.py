"""The verb about many simulations."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json
from headway.cli.output import names
from headway.cli.running import AS_THE_ENGINE, Running
from headway.cli.simulated import Count, Duration, LaterLimit, Limit, Scale, Seed, Start
from headway.questions import Request

_OTHERS = ("arrivals", "batch", "concurrency", "overlap", "load", "rounds", "length_spread")
_Traffic = Annotated[
    tuple[str, ...],
    Parameter(negative="", help="What arrives, as of headway simulate; several by repeating the option.", show_default=False),
]  # fmt: skip


_Rates = Annotated[str | None, Parameter(help="Mean rates by comma. [5/s,10/s,20/s]")]
_Policies = Annotated[
    str,
    Parameter(help="Schedulers by comma: engine, chunked, prefill-first, decode-first, static:32, departures:20ms."),
]
_Routers = Annotated[str, Parameter(help="Routers by comma: round-robin, least-loaded, prefix-aware, tiered:2+6.")]
_Seeds = Annotated[int, Parameter(help="Repeats of every cell with other seeds: the intervals are over them.")]
_Results = Annotated[
    str | None, Parameter(help="Journal, one line per finished cell; a rerun goes on from it. Default: none is kept.")
]
_Workers = Annotated[int | None, Parameter(help="Local processes; default: one per core.")]
_Ray = Annotated[str | None, Parameter(help="Run on Ray: auto (this machine), or a cluster's address.")]


@asks(Request, leave_out=_OTHERS)
def sweep(
    asked: dict[str, Any],
    *,
    traffic: _Traffic = ("poisson:1/s",),
    rate: _Rates = None,
    policy: _Policies = "engine",
    router: _Routers = "round-robin",
    ttft: Limit = None,
    tpot: LaterLimit = None,
    seeds: _Seeds = 5,
    seed: Seed = 0,
    requests: Count = None,
    duration: Duration = None,
    start: Start = None,
    rate_scale: Scale = None,
    running: Running = AS_THE_ENGINE,
    results: _Results = None,
    workers: _Workers = None,
    ray: _Ray = None,
    json: Json = False,
    csv: Csv = False,
    catalog: Folder = (),
) -> None:
    """Simulate all combinations of models, systems, layouts, schedulers, routers and rates (by comma): percentiles and cost of each."""
    from headway.cli import sweeping
    from headway.plan.operations import Words
    from headway.questions import parsed
    from headway.simulation.repeats import counted_seeds

    axes: dict[str, Any] = {
        "model": names(asked.pop("model")), "system": names(asked.pop("system")), "layout": names(asked.pop("layout") or ""),
        "traffic": traffic, "rate": names(rate or ""), "policy": names(policy), "router": names(router),
    }  # fmt: skip
    window = (("count", requests), ("duration", duration), ("start", start), ("scale", rate_scale))
    runs = sweeping.Runs(
        window, counted_seeds(seeds), seed, Words(**asdict(running)), parsed("ttft", ttft), parsed("tpot", tpot)
    )
    where = sweeping.Place(results, workers, ray)
    sweeping.sweep(given(asked), axes, runs, where, json=json, csv=csv, catalog=catalog)
