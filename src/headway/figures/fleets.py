"""What a token costs against the scale of a service, and the fleet over its day."""

from __future__ import annotations

import math
from typing import Any

from headway import units
from headway.figures.style import CONFIG, FEW, LOG, SCHEMA, Spec
from headway.plan.fleets import FleetPlan, by_hour

_COST, _MARK, _NEED, _PAID = "#d1495b", "#888888", "#2e86ab", "#222222"
_WIDE = 560
_FINE = 160  # points of the curve


def fleet_figure(p: FleetPlan) -> Spec:
    """Return cost per token against users, with the price at full load and the sale's, and the systems of each hour.

    Parameters
    ----------
    p : FleetPlan
    """
    f, d = p.fleet, p.fleet.demand
    return {
        "$schema": SCHEMA,
        "title": {
            "text": f"{p.setting.model.name} on {p.setting.system.name}: {d.users:,.0f} users",
            "subtitle": [f"{f.chips:,} chips, {units.dollars(f.month)} a month; {d.per_day:,.3g} requests a day each, "
                         f"{d.prompt:,.0f} tokens in, {d.output:,.0f} out", f"{p.found.layout}, load curve {d.curve.name}"],
            "anchor": "start", "offset": 14,
        },
        "vconcat": [_scale(p), _day(p)], "config": CONFIG,
    }  # fmt: skip


def _scale(p: FleetPlan) -> Spec:
    from headway.economics.unit_costs import over_scales

    users, now = [s.demand.users for s in p.scales], p.fleet.demand.users
    low, high = users[0] / now, users[-1] / now
    steps = tuple(low * (high / low) ** (i / (_FINE - 1)) for i in range(_FINE))
    rows = [
        {"users": s.demand.users, "cost": s.cost} for s in over_scales(p.fleet.demand, p.fleet.site, steps, p.elastic)
    ]
    x: Spec = {"field": "users", "type": "quantitative", "title": "users", "scale": LOG, "axis": FEW | {"format": "~s"}}
    y: Spec = {"field": "cost", "type": "quantitative", "title": "output, $/Mtok", "axis": FEW,
               "scale": LOG | {"domain": [p.fleet.full / 1.3, max(r["cost"] for r in rows)]}}  # fmt: skip
    lines = [(p.fleet.full, "full load"), (p.revenue / p.fleet.demand.output * 1e6, "what it brings")]
    marks: list[Spec] = []
    for value, name in lines:
        at = [{"cost": value, "users": users[0], "name": name}]
        marks.append(
            {
                "data": {"values": at},
                "mark": {"type": "rule", "color": _MARK, "strokeDash": [4, 3]},
                "encoding": {"y": y},
            }
        )
        text: Spec = {"type": "text", "align": "left", "dx": 4, "dy": -7, "color": _MARK}
        marks.append({"data": {"values": at}, "mark": text, "encoding": {"x": x, "y": y, "text": {"field": "name"}}})
    here = [{"users": now, "cost": p.fleet.cost}]
    return {
        "width": _WIDE, "height": 260,
        "layer": [
            {"data": {"values": rows}, "mark": {"type": "line", "color": _COST}, "encoding": {"x": x, "y": y}}, *marks,
            {"data": {"values": here}, "mark": {"type": "point", "filled": True, "size": 70, "color": _PAID}, "encoding": {"x": x, "y": y}},
        ],
    }  # fmt: skip


def _day(p: FleetPlan) -> Spec:
    hours = by_hour(p)
    rows: list[dict[str, Any]] = [
        {"hour": r["hour"], "systems": r[key], "what": what}
        for r in hours
        for key, what in (("systems_needed", "needed"), ("systems_paid", "paid"))
    ]
    rows += [{**r, "hour": r["hour"] + (24 / len(hours) if len(hours) <= 24 else 1)} for r in rows[-2:]]
    name = "hour of the day" if len(hours) <= 24 else "slot of the load curve"
    x: Spec = {"field": "hour", "type": "quantitative", "title": name, "axis": FEW}
    y: Spec = {"field": "systems", "type": "quantitative", "title": "systems", "scale": {"zero": True}, "axis": FEW}
    colour: Spec = {
        "field": "what",
        "type": "nominal",
        "title": None,
        "scale": {"domain": ["needed", "paid"], "range": [_NEED, _PAID]},
    }
    top = max(math.ceil(r["systems"]) for r in rows)
    y["scale"]["domain"] = [0, top * 1.05]
    return {"width": _WIDE, "height": 140, "data": {"values": rows}, "mark": {"type": "line", "interpolate": "step-after"},
            "encoding": {"x": x, "y": y, "color": colour}}  # fmt: skip
