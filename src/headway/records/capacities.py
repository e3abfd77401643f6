"""A capacity as plain data."""

from __future__ import annotations

from typing import Any

from headway.numeric import finite
from headway.plan.capacity import Capacity
from headway.plan.slo import Most
from headway.records.repeats import over_record
from headway.simulation.repeats import over
from headway.simulation.steady import Steady

_SHARES = (0.5, 0.9, 0.95, 0.99)


def capacity_record(c: Capacity) -> dict[str, Any]:
    """Return a capacity as plain data for ``--json``: SI units, names end in the unit where it is not a count."""
    d, unit = c.deployment, "users" if c.bench.loops else "requests_per_s"
    return {
        "model": c.setting.model.name, "system": c.setting.system.name, "layout": str(d.layout), "replicas": c.bench.replicas,
        "replicas_played": round(c.bench.replicas / c.bench.times),
        "engine": c.setting.engine.name, "policy": d.policy.name, "router": c.bench.words.router, "traffic": c.bench.traffic,
        "limits": {"ttft_s": finite(c.slo.ttft), "tpot_s": finite(c.slo.tpot), "within": c.slo.within},
        "capacity": {"unit": unit, **_most(c.most)},
        "requests_per_s": finite(c.rate.value),
        "mean_field_requests_per_s": finite(c.estimate), "all_seats_requests_per_s": finite(c.carries),
        "seeds": len(c.seeds), "requests_per_run": c.count or None, "settled": c.settled, "simulations": c.bench.runs,
        "alone": seen_record((c.bench.alone,), c), "at_capacity": seen_record(c.at, c) if c.at else None,
        "output_tokens_per_s": c.output_rate, "dollars_per_mtok": c.dollars_per_mtok,
        "readers": [
            {"tokens_per_s": r.speed, **_most(r.most), "mean_field_users": finite(r.estimate)} for r in c.readers
        ],
    }  # fmt: skip


def _most(m: Most) -> dict[str, Any]:
    return {**over_record(m.value), "binds": m.binds, "by_seed": list(m.found)}


def seen_record(seen: tuple[Steady, ...], c: Capacity) -> dict[str, Any]:
    """Return what requests saw, each number the mean over the seeds."""

    def mean(values: list[float]) -> float | None:
        return finite(over(values).value)

    times = {
        f"{what}_s": {f"p{100 * q:g}": mean([s.quantile(what, q) for s in seen]) for q in _SHARES}
        for what in ("ttft", "tpot")
    }
    return {
        "within": mean([s.within(c.slo.ttft, c.slo.tpot) for s in seen]), "within_ttft": mean([s.within(ttft=c.slo.ttft) for s in seen]),
        "within_tpot": mean([s.within(tpot=c.slo.tpot) for s in seen]), **times, "in_flight": mean([s.flying for s in seen]),
        "busy": mean([s.busy for s in seen]), "decoding_sequences": mean([s.batch for s in seen]),
    }  # fmt: skip


def curve_rows(c: Capacity) -> list[dict[str, Any]]:
    """Return what requests see at rates (numbers of users) below and above the capacity, for ``--csv`` and the chart."""
    rows: list[dict[str, Any]] = []
    for x, seen in c.curve:
        share = over([s.within(c.slo.ttft, c.slo.tpot) for s in seen])
        row: dict[str, Any] = {"users" if c.bench.loops else "requests_per_s": x, "within": share.value,
                               "within_low": finite(share.low), "within_high": finite(min(share.high, 1.0))}  # fmt: skip
        for what in ("ttft", "tpot"):
            for q in (0.5, 0.9, 0.99):
                row[f"{what}_p{100 * q:g}_s"] = finite(over([s.quantile(what, q) for s in seen]).value)
        row |= {"in_flight": over([s.flying for s in seen]).value, "busy": over([s.busy for s in seen]).value,
                "growing": sum(s.growing for s in seen) > len(seen) / 2}  # fmt: skip
        rows.append(row)
    return rows
