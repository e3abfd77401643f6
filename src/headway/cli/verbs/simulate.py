"""The verb about traffic."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json
from headway.cli.output import emit, emit_csv
from headway.cli.simulated import Policy, Router
from headway.cli.terminal import show
from headway.questions import Request

_OTHERS = ("arrivals", "batch", "concurrency", "drafts", "overlap", "load", "rounds", "length_spread")
_Seeds = Annotated[int, Parameter(help="Repeats with so many seeds, from --seed on: intervals over them.")]


@asks(Request, leave_out=_OTHERS)
def simulate(
    asked: dict[str, Any],
    *,
    traffic: Annotated[
        str,
        Parameter(
            help="What arrives: poisson:20/s, gamma:20/s,cv=3, closed:64,think=2s, azure-conv, mooncake-conv, or a file (docs/simulate.md)."
        ),
    ] = "poisson:1/s",
    requests: Annotated[
        str | None, Parameter(help="How many of them; default: 1,000 that are drawn, all of a trace.")
    ] = None,
    duration: Annotated[str | None, Parameter(help="How long of it, in its own time. [10min]")] = None,
    start: Annotated[str | None, Parameter(help="Where in a trace to begin. [5min]")] = None,
    rate: Annotated[str | None, Parameter(help="Scale a trace's arrivals to this mean rate. [20/s]")] = None,
    rate_scale: Annotated[str | None, Parameter(help="Let them arrive so many times as fast.")] = None,
    seed: Annotated[int, Parameter(help="Of all that is drawn.")] = 0,
    seeds: _Seeds = 1,
    policy: Policy = "engine",
    router: Router = "round-robin",
    max_sequences: Annotated[
        int | None, Parameter(help="Most requests that run on a replica at a time; default: as many as memory holds.")
    ] = None,
    json: Json = False,
    csv: Csv = False,
    catalog: Folder = (),
) -> None:
    """Run traffic through the engine's loop: every request's wait, first token and end, percentiles, saturation, cost at that load."""
    from headway.catalog import use
    from headway.plan.simulated import POLICIES, ROUTERS, asked_for
    from headway.plan.simulated import simulate as run
    from headway.records.simulations import simulation_record, simulation_rows
    from headway.report.simulations import simulation_text

    use(catalog)
    window = {"count": requests, "duration": duration, "start": start, "rate": rate, "scale": rate_scale}
    if seeds != 1:
        from headway.cli.repeating import repeat

        how = {"seeds": seeds, "seed": seed, "policy": policy, "router": router, "sequences": max_sequences}
        repeat(Request(**given(asked)), traffic, how | {"window": window}, json=json, csv=csv)
        return
    request, arriving = asked_for(Request(**given(asked)), traffic, seed=seed, **window)
    found = run(request, arriving, policy=POLICIES[policy](), router=ROUTERS[router](), sequences=max_sequences)
    if json:
        emit(simulation_record(found))
    elif csv:
        emit_csv(simulation_rows(found))
    else:
        show(simulation_text(found))
