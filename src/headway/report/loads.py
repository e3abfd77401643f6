"""What requests see, as text: at the operating batch, and at the rate at which they really come."""

from __future__ import annotations

import math

from headway import units
from headway.plan import Plan
from headway.serving import Answer

Cell = tuple[str, str, str]  # label, value, remark


def money(value: float | None) -> str:
    """Say a price per million tokens; a dash where there is none.

    Parameters
    ----------
    value : float or None
        [$/Mtok]
    """
    return "—" if value is None else f"{units.dollars(value)}/Mtok"


def in_flight(plan: Plan) -> str:
    """Say how many requests the operating batch has under way."""
    n, waiting = plan.loaded.case.in_flight, plan.loaded.case.waiting
    if plan.setting.kind == "static_batch":
        return f"{n:,.0f} started together"
    room = f" ({waiting:,.0f} of them wait for room in memory)" if waiting >= 1 else ""
    return f"{n:,.0f} in flight{room}, each replaced when it ends"


def found(plan: Plan) -> str:
    """Say how much of each prompt a prefix cache holds; nothing where it holds none."""
    tokens = plan.setting.found
    return f" ({tokens:,.0f} of them found in the prefix cache)" if tokens else ""


def loaded(plan: Plan) -> list[Cell]:
    """What requests see at the operating batch: prompts and answers on the same chips."""
    a, cost = plan.loaded, plan.loaded.dollars_per_mtok
    floor = f"; floor {units.seconds(a.tpot_floor)}"
    rows = [
        ("TPOT", units.seconds(a.tpot), f"{_sure(plan, a.tpot_interval, 'tpot')}{floor}"),
        ("TTFT", units.seconds(a.ttft), f"mean; {_sure(plan, a.ttft_interval, 'ttft')}; median {units.seconds(a.ttft_median)}"),
        ("request", units.seconds(float(a.served.request)), f"prompts take {100 * float(a.served.prefill_share):.0f} % of the time"),
        ("user, loaded", f"{1 / a.tpot:,.1f} tok/s", f"system {units.rate(a.output_rate)} tok/s of output"),
    ]  # fmt: skip
    rows.append(("carries", f"{units.rate(plan.capacity)} requests/s", "prompts and answers on the same chips"))
    if cost is not None:
        rows.append(
            ("loaded output", f"{money(cost)}", "prompts included, as `headway search` counts; every seat taken")
        )
    return rows


def at_arrivals(plan: Plan) -> list[tuple[str, list[Cell]]]:
    """What requests see, and cost, at the rate at which they come; nothing without such a rate, or beyond what is carried."""
    at = plan.arriving
    if at is None:
        return []
    a = at.answer
    rows = [
        ("TPOT", units.seconds(a.tpot), _sure(plan, a.tpot_interval, "tpot", a)),
        ("TTFT", units.seconds(a.ttft), f"mean; {_sure(plan, a.ttft_interval, 'ttft', a)}; no queue of a burst counted"),
        ("request", units.seconds(float(a.served.request)), ""),
        ("full", units.per_cent(plan.departures.fill), f"{at.rate:g} of {units.rate(plan.capacity)} requests/s"),
    ]  # fmt: skip
    if at.dollars_per_mtok is not None:
        full = money(plan.loaded.dollars_per_mtok)
        rows.append(
            ("output", money(at.dollars_per_mtok), f"the whole rent over the tokens that flow; {full} when full")
        )
    return [(f"at {at.rate:g} requests/s: {at.in_flight:,.3g} in flight", rows)]


def _sure(plan: Plan, ends: tuple[float, float], what: str, a: Answer | None = None) -> str:
    """An interval, and how many measurements of that kind of load it comes from, and of whom."""
    spread, engine = (a or plan.loaded).spread(what), plan.setting.engine
    if spread is None or math.isnan(ends[0]):
        return "ideal machine"
    alone = what == "tpot" and not engine.loaded
    static = plan.setting.kind == "static_batch" or alone
    whose = (
        f", none of {engine.name} under load"
        if alone
        else ""
        if engine.loaded or static
        else f" of other engines, none of {engine.name}"
    )
    kind = "measurements of static batches" if static else "loaded measurements"
    return f"80 %: {units.seconds(ends[0])} to {units.seconds(ends[1])}, from {spread.rows:,} {kind}{whose}"
