"""The verbs about one layout: plan and curve. Nothing heavy is imported until one runs, so that ``headway --help`` starts fast."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json, Out, Why
from headway.cli.output import emit, emit_csv, names
from headway.cli.terminal import show
from headway.questions import Request

_Stacked = Annotated[
    bool, Parameter(negative="", help="Draw what a pass is spent on as areas that sum to it (with -o).")
]


@asks(Request)
def plan(asked: dict[str, Any], *, json: Json = False, why: Why = False, out: Out = None, catalog: Folder = ()) -> None:
    """Plan a service: what batch to run, what latency to promise, what a token costs, and why.

    Several models and systems by comma stand side by side.
    """
    from headway.catalog import use
    from headway.errors import HeadwayError, InputError
    from headway.plan import Plan, make_plan
    from headway.records.plans import plan_record
    from headway.report.plans import comparison_text, plan_text
    from headway.report.why import why_rows, why_text

    use(catalog)
    pairs = [(m, s) for m in names(asked["model"]) for s in names(asked["system"])]
    if not pairs:
        raise InputError("plan needs a model and --on SYSTEM, like: headway plan deepseek-v3 --on gb200-nvl72")
    plans: list[Plan] = []
    refused: list[tuple[str, HeadwayError]] = []
    for m, s in pairs:
        try:
            plans.append(make_plan(Request(**given(asked | {"model": m, "system": s}))))
        except HeadwayError as error:
            if len(pairs) == 1:
                raise
            refused.append((f"{m} on {s}", error))
    if not plans:
        raise refused[0][1]
    left = [{"what": name, "why": str(e)} for name, e in refused]
    if out:
        from headway.cli.planning import draw_plans

        draw_plans(plans, left, out)
    if json:
        records = [plan_record(p) | ({"why": why_rows(p)} if why else {}) for p in plans]
        emit(records[0] if len(pairs) == 1 else {"plans": records, "refused": left})
        return
    show(plan_text(plans[0]) if len(pairs) == 1 else comparison_text(plans))
    for name, error in refused:
        show(f"! {name}: {error}")
    if why:
        for p in plans:
            show("\n" + why_text(p))
    if out:
        show(f"\nchart written to {out}")


@asks(Request, leave_out=("arrivals",))
def curve(
    asked: dict[str, Any],
    *,
    against: Annotated[
        Literal["batch", "context", "tokens"],
        Parameter(
            help="batch, context, or tokens (new ones of each sequence in a pass, up to the engine's budget: 1 is decode, many is prefill)."
        ),
    ] = "batch",
    points: Annotated[int, Parameter(help="How many points on the log scale.")] = 25,
    stacked: _Stacked = False,
    json: Json = False,
    csv: Csv = False,
    why: Why = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Sweep latency and cost against batch, context or new tokens per sequence, with the lines they are made of."""
    from headway.catalog import use
    from headway.errors import InputError
    from headway.plan import make_plan, sweep_against
    from headway.records.plans import curve_rows, plan_record
    from headway.report.plans import curve_text
    from headway.report.why import why_rows, why_text

    if not 2 <= points <= 100_000:
        raise InputError(f"--points: {points} must be in 2..100000")
    if len(names(asked["model"])) != 1 or len(names(asked["system"])) != 1:
        raise InputError("curve takes one model and one system; `headway plan` compares several")
    use(catalog)
    p = make_plan(Request(**given(asked)))
    found = sweep_against(p, against, points)
    if out:
        from headway.cli.planning import draw_curve

        draw_curve(p, found, out, stacked=stacked)
    rows = curve_rows(p, found)
    if json:
        emit({"plan": plan_record(p), "curve": rows} | ({"why": why_rows(p)} if why else {}))
        return
    if csv:
        emit_csv(rows)
        return
    show(curve_text(p, found.axis, rows))
    if why:
        show("\n" + why_text(p))
    if out:
        show(f"\nchart written to {out}")
