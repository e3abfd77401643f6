"""The verb about what tokens cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json, Out
from headway.cli.output import emit, emit_csv
from headway.cli.terminal import show
from headway.questions import Request

if TYPE_CHECKING:
    from headway.economics import OwnedPrice

_Against = Annotated[
    Literal["batch", "context", "hits", "load"],
    Parameter(
        help="Axis of the table and the chart: batch, context, hits (share of prompts found), load (share of the most)."
    ),
]
_Owned = Annotated[
    bool, Parameter(negative="", help="Chips that one owns, instead of the rent: capex, hall, power, failures.")
]
_Assume = Annotated[
    str | None,
    Parameter(help="Inputs of the owned price, like capex=25k,life=4,electricity=0.06 (`headway catalog owned`)."),
]
_Check = Annotated[
    bool,
    Parameter(name="--check", negative="", help="Simulate the load request by request and attribute its passes, too."),
]


@asks(Request, leave_out=("load",))
def cost(
    asked: dict[str, Any],
    *,
    against: _Against = "batch",
    points: Annotated[int, Parameter(help="Places on that axis.")] = 8,
    owned: _Owned = False,
    assume: _Assume = None,
    check: _Check = False,
    json: Json = False,
    csv: Csv = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Say what input, cached input and output cost where they share passes, the floor of each, and the energy by term.

    --csv is the table along the axis.
    """
    from headway.catalog import use
    from headway.errors import InputError
    from headway.plan.costs import costs, costs_against
    from headway.plan.costs_checked import checked
    from headway.records.costs import checked_record, costs_record, costs_rows
    from headway.report.costs import checked_text, costs_sweep_text

    if not 2 <= points <= 1000:
        raise InputError(f"--points: {points} must be in 2..1000")
    use(catalog)
    request = Request(**given(asked))
    own = _own(request, assume or "") if owned or assume else None
    found = costs(request, owned=own)
    swept = costs_against(request, against, points, owned=own)
    run = checked(found, arrivals=request.arrivals is not None) if check else None
    if out:
        from headway import figures

        figures.write_figure(figures.costs_figure(against, swept), out)
    if json:
        said = {} if run is None else {"simulated": checked_record(run)}
        emit(costs_record(found) | {"against": against, "sweep": costs_rows(against, swept)} | said)
        return
    if csv:
        emit_csv(costs_rows(against, swept))
        return
    show(f"{found.text()}\n{costs_sweep_text(against, swept)}")
    if run is not None:
        show(checked_text(found, run))
    if out:
        show(f"\nchart written to {out}")


def _own(request: Request, assume: str) -> OwnedPrice:
    from headway.economics import owned_price, read_assumed
    from headway.errors import InputError
    from headway.serving import setting

    if request.price is not None:
        raise InputError("--price is a rent and --owned what an own chip costs: give one of them")
    return owned_price(setting(request).system.chip, **read_assumed(assume))
