"""What keeping a cache costs against how long it is kept: a line per place, and the least of all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from headway import units
from headway.economics import total_cost
from headway.figures.style import CONFIG, LOG, SCHEMA, Spec
from headway.plan.holding import Holding

_COLOURS = ("#d1495b", "#2e86ab", "#3a9d5d", "#b58900", "#777777", "#7d5ba6")
_LEAST = "cheapest"
_SHORT, _LONG = 1e-3, 1e7  # seconds that a picture shows at the least: a pass and a hundred days
_A_DECADE = 24


def holding_figure(h: Holding) -> Spec:
    """Return the cost of holding a cache and using it once against the hold time, for every place, with the cheapest below them.

    Parameters
    ----------
    h : Holding
    """
    rows = _rows(h)
    names = [o.name for o in h.options]
    marks = [{"held": t, "text": units.seconds(t)} for t in h.ttls]
    x: Spec = {
        "field": "held",
        "type": "quantitative",
        "scale": LOG,
        "title": "time between uses (s)",
        "axis": {"values": _tens(rows)},
    }
    y: Spec = {
        "field": "cost",
        "type": "quantitative",
        "scale": {"type": "log"},
        "title": "holding and using it once ($ per million tokens)",
    }
    colour: Spec = {"field": "place", "type": "nominal", "title": None, "legend": {"orient": "bottom", "columns": 5},
                    "scale": {"domain": names, "range": [*_COLOURS[: len(names)]]}}  # fmt: skip
    tips = [{"field": "place", "type": "nominal"}, {"field": "held", "type": "quantitative", "format": ".3s"},
            {"field": "cost", "type": "quantitative", "format": ".3s"}]  # fmt: skip
    lines, least = [r for r in rows if r["place"] != _LEAST], [r for r in rows if r["place"] == _LEAST]
    rule: Spec = {"type": "rule", "color": "#222222", "strokeDash": [3, 3]}
    word: Spec = {"type": "text", "align": "left", "dx": 4, "baseline": "top", "color": "#222222", "fontSize": 11}
    return {
        "$schema": SCHEMA,
        "title": {"text": f"Where to keep a prompt's cache{_where(h)}", "subtitle": _about(h), "anchor": "start", "offset": 12},
        "width": 620, "height": 320,
        "layer": [
            {"data": {"values": least}, "mark": {"type": "line", "strokeWidth": 7, "opacity": 0.25, "color": "#222222"},
             "encoding": {"x": x, "y": y}},
            {"data": {"values": lines}, "mark": {"type": "line", "strokeWidth": 1.8},
             "encoding": {"x": x, "y": y, "color": colour, "tooltip": tips}},
            {"data": {"values": marks}, "mark": rule, "encoding": {"x": x}},
            {"data": {"values": marks}, "mark": word, "encoding": {"x": x, "y": {"value": 2}, "text": {"field": "text"}}},
        ],
        "config": CONFIG,
    }  # fmt: skip


def _rows(h: Holding) -> list[dict[str, Any]]:
    """Points of every place, from a pass to beyond the last change of places; what costs nothing yet has no point."""
    starts = [t for t, _ in h.ranges if t > 0]
    low, high = min([_SHORT, *starts]), min(max([_LONG, *h.ttls, *(3 * t for t in starts)]), 1e12)
    count = math.ceil(_A_DECADE * math.log10(high / low)) + 1
    held = np.unique([*np.geomspace(low, high, count), *starts])
    costs = {o.name: np.broadcast_to(total_cost(o, h.kv_bytes, held) * 1e6, held.shape) for o in h.options}
    costs[_LEAST] = np.min([*costs.values()], axis=0)
    return [
        {"held": float(t), "cost": float(c), "place": name}
        for name, line in costs.items() for t, c in zip(held, line, strict=True) if c > 0
    ]  # fmt: skip


def _tens(rows: list[dict[str, Any]]) -> list[float]:
    low, high = (f(r["held"] for r in rows) for f in (min, max))
    return [10.0**e for e in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]


def _where(h: Holding) -> str:
    return "" if h.plan is None else f" for {h.plan.model.name} on {h.plan.system.name}"


def _about(h: Holding) -> str:
    each = f"{units.si(h.kv_bytes, 'B')} per token; grey: the cheapest"
    return each if h.plan is None else f"{h.plan.layout}, prompts of {h.plan.prompt:,.0f} tokens; {each}"
