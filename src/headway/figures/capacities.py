"""A capacity against the rate: the share of requests within the limits, and the times themselves."""

from __future__ import annotations

import math
from typing import Any

from headway import units
from headway.figures.style import CONFIG, FEW, SCHEMA, Spec
from headway.plan.capacity import Capacity
from headway.records.capacities import curve_rows

_MEDIAN, _SLOW, _LIMIT, _MARK = "#2e86ab", "#d1495b", "#888888", "#222222"
_TALL = 1.6  # of the highest limit or median, that a panel of times shows


def capacity_figure(c: Capacity) -> Spec:
    """Return the share of requests within the limits, and median and p99 of TTFT and TPOT, against the rate or the users.

    Parameters
    ----------
    c : Capacity
    """
    rows = curve_rows(c)
    unit = "users" if c.bench.loops else "requests/s"
    field = "users" if c.bench.loops else "requests_per_s"
    for row in rows:
        row["x"] = row[field]
    value = c.most.value.value
    number = f"{value:,.0f}" if c.bench.loops else units.rate(value)
    x: Spec = {"field": "x", "type": "quantitative", "title": unit, "axis": FEW,
               "scale": {"domain": [0, max(r["x"] for r in rows)], "nice": False}}  # fmt: skip
    panels = [_attainment(c, rows, x), *(p for w in ("ttft", "tpot") if (p := _times(c, rows, x, w)))]
    limits = [
        f"{n.upper()} {units.seconds(v)}" for n, v in (("ttft", c.slo.ttft), ("tpot", c.slo.tpot)) if math.isfinite(v)
    ]
    return {
        "$schema": SCHEMA,
        "title": {
            "text": f"{c.setting.model.name} on {c.setting.system.name}: {number} {unit}",
            "subtitle": [f"{c.deployment.layout} x {c.bench.replicas}, {c.bench.traffic}; {units.per_cent(c.slo.within)} of requests "
                         f"within {' and '.join(limits)}", f"{c.most.binds} binds; line: the capacity, shade: its 80 % interval"],
            "anchor": "start", "offset": 14,
        },
        "vconcat": panels,
        "config": CONFIG,
    }  # fmt: skip


def _mark(c: Capacity, x: Spec) -> list[Spec]:
    """The capacity and its interval."""
    o = c.most.value
    line: Spec = {
        "data": {"values": [{"x": o.value}]},
        "mark": {"type": "rule", "color": _MARK, "strokeWidth": 1.5},
        "encoding": {"x": x},
    }
    if math.isnan(o.low):
        return [line]
    band: Spec = {"data": {"values": [{"x": o.low, "to": o.high}]}, "mark": {"type": "rect", "color": _MARK, "opacity": 0.15},
                  "encoding": {"x": x, "x2": {"field": "to"}}}  # fmt: skip
    return [band, line]


def _attainment(c: Capacity, rows: list[dict[str, Any]], x: Spec) -> Spec:
    y: Spec = {"field": "within", "type": "quantitative", "title": "requests within limits",
               "axis": {"format": "%", "tickCount": 5}, "scale": {"domain": [0, 1]}}  # fmt: skip
    wanted: Spec = {"data": {"values": [{"within": c.slo.within}]}, "mark": {"type": "rule", "color": _LIMIT, "strokeDash": [4, 3]},
                    "encoding": {"y": y}}  # fmt: skip
    line: Spec = {"data": {"values": rows}, "mark": {"type": "line", "color": _MEDIAN, "point": {"color": _MEDIAN, "size": 25}},
                  "encoding": {"x": x, "y": y}}  # fmt: skip
    return {"width": 560, "height": 150, "layer": [*_mark(c, x), wanted, line]}


def _times(c: Capacity, rows: list[dict[str, Any]], x: Spec, what: str) -> Spec | None:
    """Median and p99 of one time, as high as what matters: beyond the limit a queue's times would hide the rest."""
    limit = c.slo.ttft if what == "ttft" else c.slo.tpot
    curves: list[dict[str, Any]] = [
        {"x": r["x"], "name": name, "seconds": r[f"{what}_{name}_s"]} for name in ("p50", "p99") for r in rows
    ]
    known = [r for r in curves if r["seconds"] is not None]
    if not known:
        return None
    inside = [r["seconds"] for r in known if r["x"] <= max(c.most.value.value, min(r["x"] for r in known))]
    top = _TALL * max([limit] * math.isfinite(limit) + [max(inside)])
    scale, unit = (1.0, "s") if top > 2 else (1e3, "ms")
    for r in known:
        r["time"] = scale * r["seconds"]
    y: Spec = {"field": "time", "type": "quantitative", "title": f"{what.upper()} ({unit})", "axis": {"tickCount": 5},
               "scale": {"domain": [0, scale * top], "nice": False}}  # fmt: skip
    colour: Spec = {
        "field": "name",
        "type": "nominal",
        "title": None,
        "scale": {"domain": ["p50", "p99"], "range": [_MEDIAN, _SLOW]},
    }
    lines: Spec = {"data": {"values": known}, "mark": {"type": "line", "clip": True, "point": {"size": 25, "clip": True}},
                   "encoding": {"x": x, "y": y, "color": colour}}  # fmt: skip
    layers = [*_mark(c, x), lines]
    if math.isfinite(limit):
        layers.insert(0, {"data": {"values": [{"time": scale * limit}]}, "mark": {"type": "rule", "color": _LIMIT, "strokeDash": [4, 3]},
                          "encoding": {"y": y}})  # fmt: skip
    return {"width": 560, "height": 150, "layer": layers}
