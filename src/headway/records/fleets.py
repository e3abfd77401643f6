"""A service's fleet as plain data."""

from __future__ import annotations

import dataclasses
from typing import Any

from headway.economics.generations import Horizon
from headway.economics.owned import OwnedPrice
from headway.economics.unit_costs import Sized
from headway.numeric import finite
from headway.plan.fleets import FleetPlan, by_hour


def fleet_record(p: FleetPlan) -> dict[str, Any]:
    """Return a fleet as plain data for ``--json``: names end in the unit where it is not a count."""
    f, d, law = p.fleet, p.fleet.demand, p.fleet.site.staffing
    return {
        "model": p.setting.model.name, "system": p.setting.system.name, "layout": str(p.found.layout),
        "limits": {"ttft_s": finite(p.slo.ttft), "tpot_s": finite(p.slo.tpot), "within": p.slo.within},
        "demand": {
            "users": d.users, "requests_per_day": d.per_day, "prompt": d.prompt, "output": d.output, "load_curve": d.curve.name,
            "load_curve_source": d.curve.source, "weights": list(d.curve.weights), "requests_per_s": d.rate,
            "peak_requests_per_s": d.peak_rate, "input_tokens_per_s": d.input_rate, "output_tokens_per_s": d.output_rate,
        },
        "replica": {
            "chips": f.site.replica, "per_system": f.site.per_system, "binds": p.found.binds, "layouts_compared": p.found.compared,
            "limit_requests_per_s": law.limit, "room": law.room,
            "measured": [{"replicas": n, "requests_per_s_each": y} for n, y in law.measured],
            "ratios_80": [finite(x) for x in p.found.ratios],
        },
        "fleet": fleet_row(f, p.revenue) | {"chips_80": [finite(x) for x in p.chips], "dollars_per_month_80": [finite(x) for x in p.months],
        "spare_systems": f.site.spare, "elastic": p.elastic},
        "paid_otherwise": fleet_row(p.other, p.revenue) | {"elastic": not p.elastic},
        "hours": by_hour(p),
        "price_dollars_per_chip_h": finite((p.setting.system.price or float("nan")) * 3600),
        "owned": None if p.owned is None else owned_record(p.owned),
        "sale": {
            "name": p.sale.name, "input_dollars_per_mtok": p.sale.input, "output_dollars_per_mtok": p.sale.output,
            "source": p.sale.source, "dollars_per_request": p.revenue,
        },
        "scale_slack": p.slack, "users_enough": finite(p.enough), "users_break_even": finite(p.pays),
        "system_output_tokens_per_s": p.system_rate,
        "world": [
            {"name": w.name, "tokens_per_s": w.tokens, "share": w.share, "systems": w.systems, "source": w.source, "date": w.date}
            for w in p.world
        ],
        "scales": [fleet_row(s, p.revenue) for s in p.scales],
        "years": None if p.horizon is None else years_record(p.horizon),
        "ways": [{"name": name, "dollars": finite(cost)} for name, cost in p.ways],
    }  # fmt: skip


def fleet_row(s: Sized, revenue: float) -> dict[str, Any]:
    """Return a fleet of one size.

    Parameters
    ----------
    s : Sized
    revenue : float
        [$ per request]
    """
    return {
        "users": s.demand.users, "requests_per_s": s.demand.rate, "replicas": max(s.replicas), "systems": s.most, "chips": s.chips,
        "mean_systems": s.mean_systems, "headroom": s.headroom, "used": s.used, "dollars_per_month": s.month,
        "dollars_per_mtok": s.cost, "full_load_dollars_per_mtok": s.full, "dollars_per_request": s.per_request,
        "factors": {x.name: x.times for x in s.factors}, "margin": finite(s.margin(revenue)),
    }  # fmt: skip


def owned_record(o: OwnedPrice) -> dict[str, Any]:
    """Return an owned price as plain data.

    Parameters
    ----------
    o : OwnedPrice
    """
    return {
        "chip": o.chip, "dollars_per_h": o.per_hour, "low_dollars_per_h": o.low, "high_dollars_per_h": o.high, "capex_dollars": o.capex,
        "terms": [{"name": t.name, "dollars_per_h": t.dollars, "why": t.why} for t in o.terms],
        "inputs": [
            dataclasses.asdict(a)
            for a in o.inputs
        ],
    }  # fmt: skip


def years_record(h: Horizon) -> list[dict[str, Any]]:
    """Return the years of a fleet.

    Parameters
    ----------
    h : Horizon
    """
    return [
        {
            "year": h.start + y, "peak_requests_per_s": rate, "dollars": h.costs[y],
            "systems": [
                {
                    "name": c.contract.generation.name, "bought": c.contract.bought, "since": h.start + c.contract.year,
                    "systems": c.systems, "chips": c.systems * c.contract.generation.chips, "requests_per_s": c.rate,
                    "capex_dollars": finite(c.systems * c.contract.generation.capex) if c.contract.bought else None,
                }
                for c in h.serving(y)
            ],
        }
        for y, rate in enumerate(h.rates)
    ]  # fmt: skip
