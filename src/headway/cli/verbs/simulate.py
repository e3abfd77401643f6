"""The verb about traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json
from headway.cli.output import emit, emit_csv
from headway.cli.terminal import show
from headway.questions import Request

if TYPE_CHECKING:
    from headway.simulation.compared import Comparison
    from headway.simulation.results import Simulated

_USUAL = "poisson:1/s"
_Traffic = Annotated[
    str,
    Parameter(
        help="What arrives: poisson:20/s, gamma:20/s,cv=3, closed:64,think=2s, azure-conv, mooncake-conv, or a file (docs/simulate.md)."
    ),
]
_Compare = Annotated[
    str | None,
    Parameter(help="Replay a real engine's log, not --traffic, and put predicted beside measured. [LOG.jsonl]"),
]
_OTHERS = ("arrivals", "batch", "concurrency", "drafts", "overlap", "load", "rounds", "length_spread")


@asks(Request, leave_out=_OTHERS)
def simulate(
    asked: dict[str, Any],
    *,
    traffic: _Traffic = _USUAL,
    requests: Annotated[
        str | None, Parameter(help="How many of them; default: 1,000 that are drawn, all of a trace.")
    ] = None,
    duration: Annotated[str | None, Parameter(help="How long of it, in its own time. [10min]")] = None,
    start: Annotated[str | None, Parameter(help="Where in a trace to begin. [5min]")] = None,
    rate: Annotated[str | None, Parameter(help="Scale a trace's arrivals to this mean rate. [20/s]")] = None,
    rate_scale: Annotated[str | None, Parameter(help="Let them arrive so many times as fast.")] = None,
    seed: Annotated[int, Parameter(help="Of all that is drawn.")] = 0,
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
    compare: _Compare = None,
    json: Json = False,
    csv: Csv = False,
    catalog: Folder = (),
) -> None:
    """Run traffic through the engine's loop: every request's wait, first token and end, percentiles, saturation, cost at that load."""
    from headway.catalog import use
    from headway.plan.replayed import replayed
    from headway.plan.simulated import POLICIES, ROUTERS, asked_for
    from headway.plan.simulated import simulate as run

    def play(request: Request, arriving: Any) -> Simulated:
        return run(request, arriving, policy=POLICIES[policy](), router=ROUTERS[router](), sequences=max_sequences)

    use(catalog)
    request = Request(**given(asked))
    window = {"count": requests, "duration": duration, "start": start, "rate": rate, "scale": rate_scale}
    if compare is not None:
        own = {"traffic": None if traffic == _USUAL else traffic, **window}
        _print(replayed(request, compare, play, own), json, csv)
    else:
        _print(play(*asked_for(request, traffic, seed=seed, **window)), json, csv)


def _print(found: Simulated | Comparison, json: bool, csv: bool) -> None:
    """Print a simulation, or one beside a log."""
    from headway.records.comparisons import comparison_rows
    from headway.records.simulations import simulation_rows
    from headway.simulation.compared import Comparison

    if json:
        emit(found.to_dict())
    elif csv:
        emit_csv(comparison_rows(found) if isinstance(found, Comparison) else simulation_rows(found))
    else:
        show(found.text())
