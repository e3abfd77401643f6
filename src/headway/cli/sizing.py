"""What `headway capacity` does: look, with a bar that names its stages, and print."""

from __future__ import annotations

from typing import Any

from headway.cli.output import emit, emit_csv
from headway.cli.progress import Stages
from headway.cli.terminal import show
from headway.plan.capacity import find_capacity
from headway.questions import Request
from headway.records.capacities import capacity_record, curve_rows
from headway.report.capacities import capacity_text


def size(request: Request, traffic: str, how: dict[str, Any], *, json: bool, csv: bool, out: str | None) -> None:
    """Find the capacity and print it, draw it where that is asked for."""
    if out:
        from headway.figures.style import check

        check(out)
    with Stages() as tell:
        found = find_capacity(request, traffic, **how, tell=tell)
    if out:
        from headway import figures

        figures.write_figure(figures.capacity_figure(found), out)
    if json:
        emit(capacity_record(found))
        return
    if csv:
        emit_csv(curve_rows(found))
        return
    show(capacity_text(found))
    if out:
        show(f"\nchart written to {out}")
