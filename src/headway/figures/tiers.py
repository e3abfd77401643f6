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
    base = s.standard
    curve = [
        {"speed": p.speed, "dollars": p.cost, "layout": str(p.layout), "batch": p.batch, "line": "cost"} for p in s.curve
    ]
    tiers = [
        {"speed": t.at.speed, "dollars": t.price, "name": t.name, "line": f"price at {s.margin:.0%} margin"} for t in s.tiers
    ]
    market = [
        {"speed": base.at.speed * m.speed_times, "dollars": base.price * m.price_times, "name": m.name, "line": "real tier",
         "source": f"{m.source}, {m.date}"}
        for m in s.market
        if math.isfinite(m.speed_times * m.price_times)
    ]  # fmt: skip
    x: Spec = {"field": "speed", "type": "quantitative", "scale": LOG, "axis": FEW, "title": "speed of one user (tokens/s)"}
    y: Spec = {"field": "dollars", "type": "quantitative", "scale": {"type": "log"}, "title": "$ per million output tokens"}
    lines = ["cost", f"price at {s.margin:.0%} margin", *(["real tier"] if market else [])]
    colour: Spec = {"field": "line", "type": "nominal", "title": None, "legend": {"orient": "bottom"},
                    "scale": {"domain": lines, "range": [_COST, _TIER, _MARKET][: len(lines)]}}  # fmt: skip

    def points(rows: list[Spec], shape: str, dy: int) -> list[Spec]:
        tips = [{"field": f, "type": "nominal"} for f in rows[0] if f != "line"]
        mark: Spec = {"type": "point", "filled": True, "size": 90, "shape": shape, "opacity": 1}
        word: Spec = {"type": "text", "dy": dy, "fontSize": 11}
        where: Spec = {"x": x, "y": y, "color": colour}
        return [
            {"data": {"values": rows}, "mark": mark, "encoding": {**where, "tooltip": tips}},
            {"data": {"values": rows}, "mark": word, "encoding": {**where, "text": {"field": "name"}}},
        ]

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
            {"data": {"values": curve}, "mark": line, "encoding": {"x": x, "y": y, "color": colour, "tooltip": tips}},
            *points(tiers, "square", -12), *(points(market, "diamond", 16) if market else []),
        ],
        "config": CONFIG,
    }  # fmt: skip
