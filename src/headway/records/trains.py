"""Trains as plain data: a row per way to depart, and the whole answer for ``--json``."""

from __future__ import annotations

from typing import Any

from headway.numeric import finite
from headway.plan.trains import Timetables, Way

_DRAWN = 12  # trains of each way that are told one by one


def ways_rows(t: Timetables) -> list[dict[str, Any]]:
    """Return a row per way to depart: times in seconds."""
    return [
        {"departs": w.name, "wait_s": finite(w.wait), "wait_simulated_s": finite(w.simulated), "wait_p99_s": finite(w.p99),
         "token_s": finite(w.token), "request_s": finite(w.request), "riders": w.riders, "seats": t.seats,
         "replicas_busy": w.busy, "dollars_per_mtok": w.dollars_per_mtok, "crowded": w.crowded}
        for w in t.ways
    ]  # fmt: skip


def drawn(w: Way, most: int = _DRAWN) -> list[dict[str, Any]]:
    """Return trains one by one, from one that somebody boards after the start of the run; times from its departure on.

    Parameters
    ----------
    w : Way
    most : int
        At the most. [trains]
    """
    start = float(w.run.boards[len(w.run.boards) // 4])
    return [
        {"departs_s": leaves - start, "rides_s": ride, "riders": riders, "boarded": boarded,
         "arrivals_s": [float(a) - start for a in w.run.boarding(leaves)] if boarded else []}
        for leaves, ride, riders, boarded in w.run.each(start, most)
    ]  # fmt: skip


def trains_record(t: Timetables) -> dict[str, Any]:
    """Return the answer as plain data."""
    p = t.plan
    low, high = p.interval(t.step, p.ideal.seconds) or (None, None)
    return {
        "model": p.model.name, "system": p.system.name, "layout": str(p.layout), "replicas": p.replicas, "context": p.context,
        "engine": p.setting.engine.name, "rate_per_s": t.rate, "carries_per_s": t.carries, "saturated": t.saturated, "seats": t.seats,
        "passes": t.passes, "hold_s": t.hold, "headway_s": t.headway, "step_s": t.step, "step_low_s": low, "step_high_s": high,
        "full_pass_s": t.full,
        "ways": ways_rows(t), "alone_dollars_per_mtok": t.alone,
        "saves": {
            "share": t.saves, "counts_from": t.slack, "from_hold_s": finite(t.enough),
            "from_rate_per_s": None if t.useful is None else t.useful[0],
            "to_rate_per_s": None if t.useful is None else t.useful[1],
        },
        "against_rate": [
            {"rate_per_s": c.rate, "continuous_dollars_per_mtok": c.continuous_dollars, "held_dollars_per_mtok": c.held_dollars,
             "continuous_busy": c.continuous_busy, "held_busy": c.held_busy, "wait_s": finite(c.wait), "riders": finite(c.fill),
             "share": c.saves}
            for c in t.compared
        ],
        "trains": {w.name: drawn(w) for w in t.ways},
        "warnings": p.warnings,
    }  # fmt: skip
