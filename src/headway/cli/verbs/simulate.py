"""The verb about traffic."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json, Out, Parquet, Perfetto, Why
from headway.cli.running import AS_THE_ENGINE, Running
from headway.cli.simulated import AnySeed, Count, Duration, LaterLimit, Limit, Policy, Rate, Router, Scale, Start
from headway.questions import Request

_USUAL = "poisson:1/s"
_Traffic = Annotated[
    str,
    Parameter(
        help="What arrives: poisson:20/s, gamma:20/s,cv=3, closed:64,think=2s, poisson:4/s,prompt=1k~0.8,output=100-300, "
        "azure-conv, or a file (docs/simulate.md)."
    ),
]
_Compare = Annotated[
    str | None,
    Parameter(help="Replay a real engine's log, not --traffic, and put predicted beside measured. [LOG.jsonl]"),
]
_NOT_STREAMED = "--csv, --why, -o, --perfetto, --parquet, --compare, --seeds, --ttft and --tpot"
_OTHERS = ("arrivals", "batch", "concurrency", "overlap", "load", "rounds", "length_spread")
_Seeds = Annotated[int, Parameter(help="Repeats with so many seeds, from --seed on: intervals over them.")]
_Stream = Annotated[
    str | None,
    Parameter(help="Write every request to FILE.csv or .parquet as it ends and hold none: for runs of any length."),
]


@asks(Request, leave_out=_OTHERS)
def simulate(
    asked: dict[str, Any],
    *,
    traffic: _Traffic = _USUAL,
    requests: Count = None,
    duration: Duration = None,
    start: Start = None,
    rate: Rate = None,
    rate_scale: Scale = None,
    seed: AnySeed = 0,
    seeds: _Seeds = 1,
    policy: Policy = "engine",
    router: Router = "round-robin",
    running: Running = AS_THE_ENGINE,
    ttft: Limit = None,
    tpot: LaterLimit = None,
    compare: _Compare = None,
    json: Json = False,
    csv: Csv = False,
    why: Why = False,
    out: Out = None,
    perfetto: Perfetto = None,
    parquet: Parquet = None,
    stream: _Stream = None,
    catalog: Folder = (),
) -> None:
    """Run traffic through the engine's loop: every request's wait, first token and end, percentiles, saturation, cost at that load.

    With --ttft or --tpot it says which share of the requests was within them.
    """
    from headway.catalog import use
    from headway.cli.simulating import Answer, Asked
    from headway.plan.operations import Words
    from headway.questions import parsed

    use(catalog)
    answer = Answer(json, csv, out, perfetto, parquet, parsed("ttft", ttft), parsed("tpot", tpot), why)
    words = Words(policy=policy, router=router, **asdict(running))
    window = {"count": requests, "duration": duration, "start": start, "rate": rate, "scale": rate_scale}
    if stream is not None:
        from headway.cli.streaming import Streaming
        from headway.errors import InputError

        if csv or why or out or perfetto or parquet or compare or seeds != 1 or ttft or tpot:
            raise InputError(f"--stream: leave out {_NOT_STREAMED} beside it")
        Streaming(Request(**given(asked)), traffic, words, window, seed).run(stream, json=json)
        return
    said = None if traffic == _USUAL else traffic
    Asked(Request(**given(asked)), said, words, window, seed).answer(answer, seeds=seeds, compare=compare)
