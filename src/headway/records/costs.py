"""Costs of tokens as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headway.numeric import finite
from headway.plan.costs import KINDS, Costs
from headway.plan.costs_checked import Checked
from headway.roofline import Energy


def costs_record(c: Costs) -> dict[str, Any]:
    """Return costs as plain data for ``--json``: SI units, names end in the unit where it is not a count."""
    s, case = c.setting, c.answer.case
    return {
        "model": s.model.name, "system": s.system.name, "layout": str(case.layout), "replicas": case.copies, "prompt": s.prompt,
        "found": s.found, "output": s.output, "in_flight": case.in_flight, "requests_per_s": c.rate, "busy": c.busy,
        "rent_dollars_per_s": c.rent, "owned": _owned(c), "all_output_dollars_per_mtok": c.all_output,
        "kinds": [
            {
                "name": k.name, "tokens_per_s": k.rate, "rent_share": k.share, "marginal_dollars_per_mtok": finite(k.marginal),
                "average_dollars_per_mtok": finite(k.average), "floor_dollars_per_mtok": finite(k.floor),
            }
            for k in c.kinds
        ],
        "hold": None if c.hold is None else {"place": c.hold[0], "dollars_per_mtok": c.hold[1]},
        "energy": _energy(c),
    }  # fmt: skip


def _owned(c: Costs) -> dict[str, Any] | None:
    o = c.owned
    if o is None:
        return None
    terms = [{"name": t.name, "dollars_per_h": t.dollars, "why": t.why} for t in o.terms]
    return {"chip": o.chip, "dollars_per_h": o.per_hour, "low": o.low, "high": o.high, "terms": terms}


def _energy(c: Costs) -> dict[str, Any] | None:
    j = c.energy
    if j is None:
        return None
    kinds = {name: _terms(e) for name, e in zip(KINDS, (j.fresh, j.cached, j.output), strict=True)}
    return {
        "joules_per_token": kinds, "idle_joules_per_output_token": j.idle, "all_joules_per_output_token": j.per_output,
        "low": j.low, "high": j.high, "chip_watts": j.watts, "decode_watts": j.decode_watts, "rated_watts": j.rated,
    }  # fmt: skip


def _terms(e: Energy) -> dict[str, float]:
    return {"memory": e.memory, "link": e.link, "arithmetic": e.arithmetic, "awake": e.awake}


def costs_rows(axis: str, found: Sequence[tuple[float, Costs]]) -> list[dict[str, Any]]:
    """Return a sweep of costs, a row per place on its axis.

    Parameters
    ----------
    axis : str
    found : sequence of (float, Costs)
        The place on it, in its unit, and the costs there. [1]
    """
    rows: list[dict[str, Any]] = []
    for x, c in found:
        row: dict[str, Any] = {axis: x, "tpot_s": finite(c.answer.tpot), "requests_per_s": c.rate, "busy": c.busy}
        for k in c.kinds:
            row[f"{k.name.replace(' ', '_')}_dollars_per_mtok"] = finite(k.average)
        row["all_output_dollars_per_mtok"] = c.all_output
        row["joules_per_output_token"] = None if c.energy is None else c.energy.per_output
        rows.append(row)
    return rows


def checked_record(c: Checked) -> dict[str, Any]:
    """Return the costs of a simulated run as plain data."""
    return {
        "requests": len(c.run.log.requests), "span_s": c.run.span, "requests_per_s": c.run.carried,
        **{f"{n.replace(' ', '_')}_dollars_per_mtok": finite(x) for n, x in zip(KINDS, c.averages, strict=True)},
    }  # fmt: skip
