"""The verb about tiers of speed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json, Out
from headway.cli.output import emit, emit_csv
from headway.cli.terminal import show
from headway.questions import Request

if TYPE_CHECKING:
    from headway.plan.mixed import Mixed
    from headway.plan.promises import Promise
    from headway.plan.sheets import PricedTier
    from headway.plan.tiers import TierSheet

_OTHERS = ("batch", "concurrency", "arrivals", "load")
_Tiers = Annotated[
    str | None,
    Parameter(
        help="Speeds over the standard tier's; cheapest: whatever costs least; "
        "default: those of fast:2.5x,standard:1x,batch:cheapest that can be."
    ),
]
_Standard = Annotated[
    str | None,
    Parameter(help="Speed of the standard tier, tokens per second; default: half way between fastest and cheapest."),
]
_Margin = Annotated[str, Parameter(help="That every tier shall have at full load. [60%]")]

_Check = Annotated[
    bool,
    Parameter(name="--check", negative="", help="Simulate each tier: the load at which it keeps its speed for 95 %."),
]
_Steps = Annotated[
    str | None,
    Parameter(
        help="Lengths of prompts at which prices step; default: the prompt's, 4x, 16x, ..., the longest. [32k,128k]"
    ),
]
_Fill = Annotated[
    str | None,
    Parameter(
        help="Traffic of the standard tier, by simulation: how much batch work fits beside. [poisson:3/s, azure-conv]"
    ),
]
_Rate = Annotated[str | None, Parameter(help="Of that traffic instead of its own. [5/s]")]
_Ttft = Annotated[
    str | None, Parameter(help="p95 that its first tokens must keep; default: twice that without batch work. [2s]")
]


@asks(Request, leave_out=_OTHERS)
def tiers(
    asked: dict[str, Any],
    *,
    tiers: _Tiers = None,
    standard: _Standard = None,
    margin: _Margin = "50%",
    check: _Check = False,
    steps: _Steps = None,
    fill: _Fill = None,
    rate: _Rate = None,
    ttft: _Ttft = None,
    json: Json = False,
    csv: Csv = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Design fast, standard and batch tiers: what speed costs, what to charge, when it loses money, and the market's tiers beside.

    --csv is the cheapest way to every speed.
    """
    from headway import units
    from headway.catalog import use
    from headway.plan.mixed import fill_seats
    from headway.plan.operations import margin as read_margin
    from headway.plan.promises import promises
    from headway.plan.sheets import price_sheet, read_steps
    from headway.plan.tiers import design_tiers
    from headway.records.tiers import mixed_record, promises_record, sheet_record, tiers_record

    use(catalog)
    speed = None if standard is None else units.parse(standard, units.COUNT, "--standard")
    request = Request(**given(asked))
    found = design_tiers(request, tiers, standard=speed, margin=read_margin(margin))
    priced, output = price_sheet(request, found, read_steps(steps) if steps else ()), found.setting.output
    wait = None if ttft is None else units.parse(ttft, units.SECONDS, "--ttft")
    mixed = fill_seats(request, found, fill, rate=rate, ttft=wait) if fill else None
    kept = promises(request, found) if check else ()
    more = {"promises": promises_record(kept)} if check else {}
    more |= {"mixed": mixed_record(mixed)} if mixed else {}
    record: dict[str, Any] = tiers_record(found) | {"sheet": sheet_record(priced, output)} | more
    if out:
        _draw(found, record, out)
    if json:
        emit(record)
    elif csv:
        emit_csv(record["curve"])
    else:
        _show(found, priced, mixed, kept if check else None, out)


def _draw(found: TierSheet, record: dict[str, Any], out: str) -> None:
    from headway import figures
    from headway.cli.pictures import draw

    draw(out, "tiers", lambda: figures.tiers_figure(found), lambda: record)


def _show(
    found: TierSheet, priced: Sequence[PricedTier], mixed: Mixed | None, kept: Sequence[Promise] | None, out: str | None
) -> None:
    from headway.report.sheets import mixed_text, sheet_text
    from headway.report.tiers import promises_text

    parts = [found.text(), sheet_text(priced, found.setting.output)]
    parts += [mixed_text(mixed, found)] if mixed else []
    parts += [promises_text(kept)] if kept is not None else []
    show("\n".join([*parts, *([f"\nchart written to {out}"] if out else [])]))
