"""What speed costs: the cheapest way to every speed, the tiers designed on it, and real tiers laid on it."""

from __future__ import annotations

import math

from headway.figures.style import CONFIG, FEW, LOG, SCHEMA, Spec
from headway.plan.tiers import TierSheet

_COST, _TIER, _MARKET = "#2e86ab", "#d1495b", "#b58900"


def tiers_figure(s: TierSheet) -> Spec:
    """Return cost and price of a million tokens against a user's speed, with the designed tiers and the market's.

    Parameters
    ----------
    s : TierSheet

    Notes
    -----
    A real tier stands at its speed and price relative to its provider's standard tier, on this sheet's standard tier.
    """
    price = f"price at {s.margin:.0%} margin"
    tiers: list[Spec] = [{"speed": t.at.speed, "dollars": t.price, "name": t.name, "line": price} for t in s.tiers]
    market = _market(s)
    x: Spec = {
        "field": "speed",
        "type": "quantitative",
        "scale": LOG | {"padding": 16},
        "axis": FEW,
        "title": "speed of one user (tokens/s)",
    }
    y: Spec = {
        "field": "dollars",
        "type": "quantitative",
        "scale": LOG | {"padding": 22},
        "title": "$ per million output tokens",
    }
    lines = ["cost", price, *(["real tier"] if market else [])]
    colour: Spec = {"field": "line", "type": "nominal", "title": None, "legend": {"orient": "bottom"},
                    "scale": {"domain": lines, "range": [_COST, _TIER, _MARKET][: len(lines)]}}  # fmt: skip

    at: Spec = {"x": x, "y": y, "color": colour}
    middle = math.sqrt(s.fastest.speed * s.floor.speed)
    tips = [{"field": f, "type": "nominal"} for f in ("speed", "dollars", "layout", "batch")]
    line: Spec = {"type": "line", "strokeWidth": 2.5, "point": {"size": 16}}
    return {
        "$schema": SCHEMA,
        "title": {
            "text": f"What speed costs: {s.setting.model.name} on {s.setting.system.name}", "anchor": "start",
            "subtitle": f"{s.setting.prompt:,.0f} tokens in, {s.setting.output:,.0f} out; real tiers over the standard one",
        },
        "width": 560, "height": 340,
        "layer": [
            {"data": {"values": _curve(s)}, "mark": line, "encoding": {"x": x, "y": y, "color": colour, "tooltip": tips}},
            *_points(tiers, "square", at, middle), *(_points(market, "diamond", at, middle) if market else []),
        ],
        "config": CONFIG,
    }  # fmt: skip


def _market(s: TierSheet) -> list[Spec]:
    """Real tiers on the sheet's standard one; those that meet in one place are one mark with all their names."""
    base = s.standard
    found: list[Spec] = []
    for m in s.market:
        if not math.isfinite(m.speed_times * m.price_times):
            continue
        at, dollars = base.at.speed * m.speed_times, base.price * m.price_times
        near = next(
            (f for f in found if abs(f["speed"] / at - 1) < 0.02 and abs(f["dollars"] / dollars - 1) < 0.05), None
        )
        if near:
            near["name"].append(m.name)
        else:
            found.append(
                {
                    "speed": at,
                    "dollars": dollars,
                    "name": [m.name],
                    "line": "real tier",
                    "source": f"{m.source}, {m.date}",
                }
            )
    return found


def _curve(s: TierSheet) -> list[Spec]:
    return [
        {"speed": p.speed, "dollars": p.cost, "layout": str(p.layout), "batch": p.batch, "line": "cost"}
        for p in s.curve
    ]


def _points(rows: list[Spec], shape: str, at: Spec, middle: float) -> list[Spec]:
    """Named marks; names stand towards the middle speed, where there is room."""
    tips = [{"field": f, "type": "nominal"} for f in rows[0] if f != "line"]
    mark: Spec = {"type": "point", "filled": True, "size": 90, "shape": shape, "opacity": 1}
    found: list[Spec] = [{"data": {"values": rows}, "mark": mark, "encoding": {**at, "tooltip": tips}}]
    for left in (False, True):
        mine = [r for r in rows if (r["speed"] > middle) == left]
        word: Spec = {"type": "text", "align": "right" if left else "left", "dx": -9 if left else 9, "fontSize": 11}
        if mine:
            found.append({"data": {"values": mine}, "mark": word, "encoding": {**at, "text": {"field": "name"}}})
    return found
