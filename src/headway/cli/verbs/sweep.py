"""The verb about many simulations."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json
from headway.cli.output import names
from headway.questions import Request

_OTHERS = ("arrivals", "batch", "concurrency", "drafts", "overlap", "load", "rounds", "length_spread")
_Traffic = Annotated[
    tuple[str, ...],
    Parameter(negative="", help="What arrives, as of headway simulate; several by repeating the option.", show_default=False),
]  # fmt: skip


@asks(Request, leave_out=_OTHERS)
def sweep(
    asked: dict[str, Any],
    *,
    traffic: _Traffic = ("poisson:1/s",),
    rate: Annotated[str | None, Parameter(help="Mean rates by comma. [5/s,10/s,20/s]")] = None,
    policy: Annotated[
        str, Parameter(help="Schedulers by comma: engine, chunked, prefill-first, decode-first.")
    ] = "engine",
    router: Annotated[str, Parameter(help="Routers by comma: round-robin, least-loaded.")] = "round-robin",
    ttft: Annotated[
        str | None, Parameter(help="Limit of the time to the first token: the share of requests within. [500ms]")
    ] = None,
    tpot: Annotated[str | None, Parameter(help="Limit of the time per output token. [20ms]")] = None,
    seeds: Annotated[int, Parameter(help="Repeats of every cell with other seeds: the intervals are over them.")] = 5,
    seed: Annotated[int, Parameter(help="Of the first.")] = 0,
    requests: Annotated[
        str | None, Parameter(help="How many of them; default: 1,000 that are drawn, all of a trace.")
    ] = None,
    duration: Annotated[str | None, Parameter(help="How long of it, in its own time. [10min]")] = None,
    start: Annotated[str | None, Parameter(help="Where in a trace to begin. [5min]")] = None,
    rate_scale: Annotated[str | None, Parameter(help="Let them arrive so many times as fast.")] = None,
    max_sequences: Annotated[int | None, Parameter(help="Most requests that run on a replica at a time.")] = None,
    results: Annotated[
        str | None,
        Parameter(help="Journal, one line per finished cell; a rerun goes on from it."),
    ] = None,
    workers: Annotated[int | None, Parameter(help="Local processes; default: one per core.")] = None,
    ray: Annotated[str | None, Parameter(help="Run on Ray: auto (this machine), or a cluster's address.")] = None,
    json: Json = False,
    csv: Csv = False,
    catalog: Folder = (),
) -> None:
    """Simulate all combinations of models, systems, layouts, schedulers, routers and rates (by comma): percentiles and cost of each."""
    from headway.cli import sweeping
    from headway.errors import InputError, unknown
    from headway.grids.sweeps import Runs
    from headway.plan.simulated import POLICIES, ROUTERS
    from headway.questions import parsed
    from headway.simulation.repeats import counted_seeds

    axes: dict[str, Any] = {
        "model": names(asked.pop("model")), "system": names(asked.pop("system")), "layout": names(asked.pop("layout") or ""),
        "traffic": traffic, "rate": names(rate or ""), "policy": names(policy), "router": names(router),
    }  # fmt: skip
    for what, known in (("policy", POLICIES), ("router", ROUTERS)):
        for name in axes[what]:
            if name not in known:
                raise unknown(what, name, known, f"Accepted: {', '.join(known)}.")
    for what in ("model", "system", "traffic", "policy", "router"):
        if not axes[what]:
            raise InputError(f"--{what}: nothing is named")
    window = (("count", requests), ("duration", duration), ("start", start), ("scale", rate_scale))
    runs = Runs(window, counted_seeds(seeds), seed, max_sequences, parsed("ttft", ttft), parsed("tpot", tpot))
    sweeping.sweep(
        given(asked), axes, runs, results=results, workers=workers, ray=ray, json=json, csv=csv, catalog=catalog
    )
