"""The verb about departures."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json, Out, Why
from headway.cli.output import emit, emit_csv
from headway.cli.terminal import show
from headway.questions import Request

_Rate = Annotated[str, Parameter(help="Requests per second that come, at random moments: 20/s.")]
_Hold = Annotated[
    str | None,
    Parameter(help="Longest wait of a train for more riders, in a tier that fills its batch; default 200ms."),
]
_Headway = Annotated[
    str | None, Parameter(help="Time between departures of the timetable (20ms); default: a full pass.")
]


@asks(Request, leave_out=("arrivals", "load", "concurrency"))
def trains(
    asked: dict[str, Any],
    *,
    rate: _Rate,
    hold: _Hold = None,
    headway: _Headway = None,
    json: Json = False,
    csv: Csv = False,
    why: Why = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Let trains depart: on a timetable, held until full, or continuously; waits, fill, $/Mtok, and what holding saves.

    --batch is the number of seats. -o draws trains against time, each with its riders.
    """
    from headway import units
    from headway.catalog import use
    from headway.plan.trains import trains as depart
    from headway.records.trains import trains_record, ways_rows
    from headway.report.trains import trains_text
    from headway.report.why_trains import why_rows, why_text

    use(catalog)
    if out:
        from headway.figures.style import check

        check(out)
    times = {"hold": hold, "headway": headway}
    read = {k: None if v is None else units.parse(v, units.SECONDS, f"--{k}") for k, v in times.items()}
    found = depart(Request(**given(asked), arrivals=units.parse(rate, units.PER_SECOND, "--rate")), **read)
    if out:
        from headway import figures

        figures.write_figure(figures.trains_figure(found), out)
    if json:
        emit(trains_record(found) | ({"why": why_rows(found)} if why else {}))
        return
    if csv:
        emit_csv(ways_rows(found))
        return
    show(trains_text(found))
    if why:
        show("\n" + why_text(found))
    if out:
        show(f"\nchart written to {out}")
