"""What `headway plan` and `headway curve` draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headway import figures
from headway.batching import Curve
from headway.cli.pictures import draw
from headway.plan import Plan
from headway.plan import curve as sweep_batches
from headway.records.plans import curve_rows, plan_record
from headway.report.why import why_rows

_POINTS = 49  # of a curve that one drags a batch along


def draw_plans(plans: Sequence[Plan], refused: Sequence[dict[str, str]], out: str) -> None:
    """Draw one plan, or several side by side."""
    if len(plans) == 1:
        page = out.lower().endswith(".html")
        draw_curve(plans[0], sweep_batches(plans[0], _POINTS) if page else sweep_batches(plans[0]), out, stacked=page)
        return
    record = {"plans": [plan_record(p) for p in plans], "refused": list(refused)}
    draw(out, "plans", lambda: figures.comparison_figure([(p, sweep_batches(p)) for p in plans]), lambda: record)


def draw_curve(plan: Plan, curve: Curve, out: str, *, stacked: bool) -> None:
    """Draw a curve; against batch a page shows it as its view Batch does."""
    figure = figures.terms_figure if stacked else figures.curve_figure
    if curve.axis != "batch":
        figures.write_figure(figure(plan, curve), out)
        return

    def answer() -> dict[str, Any]:
        return {"plan": plan_record(plan), "curve": curve_rows(plan, curve), "why": why_rows(plan)}

    draw(out, "plan", lambda: figure(plan, curve), answer)
