"""Where the numbers about trains come from: formula and source of each."""

from __future__ import annotations

from headway import units
from headway.plan.trains import Timetables
from headway.report.why import rows_text
from headway.report.why import why_rows as plan_rows

_OF_THE_PLAN = ("parameters", "weights", "KV cache", "chip", "system", "price", "engine", "step", "memory holds")


def why_rows(t: Timetables) -> list[dict[str, str]]:
    """Return where each number came from: those of the plan that trains need, then their own."""
    p = t.plan
    c = f"c = {units.some(t.seats, 'seat')}, n = {units.some(t.passes, 'pass')}"
    own = [
        ("full pass", f"step of {t.seats:,} at {p.context:,.0f} tokens {units.seconds(t.step)} + share of the prompts "
         f"{units.seconds(t.full - t.step)}",
         f"step_time, as `headway plan`; prompts: what its {p.capacity:.3g} requests/s leave of the time"),
        ("carries", f"{p.replicas} x c / (n x full pass) = {t.carries:.4g} requests/s, {c}", "lecture E10"),
        ("timetable", "T/2 + E[left]/rate until a request boards; left: max(left + Poisson(rate n T) - c, 0)",
         "lecture E8; bulk service, Bailey 1954; Crommelin 1932; Spitzer 1956"),
        ("held", "M = min(Poisson(rate x hold), c - 1) join the first: fill 1 + E M, wait E[M (M + 1)] / (2 rate (1 + E M))", "SYS-I2"),
        ("continuous", "P(k riders) ~ product over j <= k of rate n t(j)/j; half a pass until the next departs",
         "generalised processor sharing, Cohen 1979; beyond the seats half of the wait for exponential lengths (Allen and Cunneen)"),
        ("simulated", f"{len(t.ways[2].run.arrivals):,} Poisson arrivals, run one by one; the first quarter is not counted",
         "simulation/trains.py"),
        ("$/Mtok", "replicas busy x rent of a replica, idle chips too, / (rate x output tokens)", "lecture E4"),
        ("hold", units.seconds(t.hold), "--hold, or the catalogue's train_hold"),
        ("saves", f"1 - held / continuous; counts from {t.slack:.0%}", "catalogue default cost_slack"),
    ]  # fmt: skip
    kept = [r for r in plan_rows(p) if r["what"] in _OF_THE_PLAN]
    return [*kept, *({"what": a, "how": b, "source": d} for a, b, d in own)]


def why_text(t: Timetables) -> str:
    """Return the same as text."""
    return rows_text(why_rows(t))
