"""A sweep of simulations as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headway import units
from headway.grids.sweeps import AXES
from headway.report.loads import money
from headway.tables import table_text


def sweep_text(rows: Sequence[dict[str, Any]]) -> str:
    """Return a row per cell: where it lies, percentiles with the interval of the p99 over its repeats, rates and money; refusals below."""
    answered = [r for r in rows if not r["refused"]]
    varied = [a for a in AXES if len({r[a] for r in rows}) > 1] or ["layout"]
    limits = any(r["within"] is not None for r in answered)
    head = [
        *varied,
        "carried/s",
        "TTFT p50",
        "TTFT p99",
        "80 % over seeds",
        "TPOT p50",
        "TPOT p99",
        "80 % over seeds",
        "$/Mtok",
    ]
    head += (["within"] if limits else []) + ["saturated"]
    body = [[str(r[a]) for a in varied] + _cells(r, limits) for r in answered]
    out = [table_text(head, body)] if body else []
    out += [
        f"! {', '.join(str(r[a]) for a in varied if r[a]) or r['model']}: {r['refused']}" for r in rows if r["refused"]
    ]
    return "\n".join(out)


def _cells(r: dict[str, Any], limits: bool) -> list[str]:
    found = ["—" if r["carried_requests_per_s"] is None else units.rate(r["carried_requests_per_s"])]
    for what in ("ttft", "tpot"):
        found += [_time(r[f"{what}_p50_s"]), _time(r[f"{what}_p99_s"])]
        low, high = r[f"{what}_p99_s_low"], r[f"{what}_p99_s_high"]
        found.append("—" if low is None else f"{_time(low)} to {_time(high)}")
    cost = r["dollars_per_mtok"]
    found.append("—" if cost is None else money(cost).removesuffix("/Mtok"))
    if limits:
        found.append("—" if r["within"] is None else units.per_cent(r["within"]))
    return [*found, f"{r['saturated_repeats']} of {r['repeats']}" if r["saturated_repeats"] else ""]


def _time(value: float | None) -> str:
    return "—" if value is None else units.seconds(value)
