"""Rent in steps against an API's bill in a straight line."""

from __future__ import annotations

import math
from typing import Any

from headway import units
from headway.economics.self_hosting import systems_for
from headway.figures.style import CONFIG, FEW, SCHEMA, Spec
from headway.plan.break_even import BreakEven, Cell

_COLOURS = {"cheapest API": "#2e86ab", "median API": "#7d5ba6", "on demand": "#d1495b", "reserved": "#3a9d5d"}
_SYSTEMS = 4  # at the most, that the axis has room for
_POINTS = 200


def break_even_figure(b: BreakEven) -> Spec:
    """Return dollars an hour against requests per second, a panel for each SLO and share of hits.

    Parameters
    ----------
    b : BreakEven
    """
    panels = [p for c in b.cells if (p := _panel(b, c))]
    return {
        "$schema": SCHEMA,
        "title": {
            "text": f"{b.model} on {b.system.name} against API prices", "anchor": "start", "offset": 14,
            "subtitle": [f"{b.work.prompt:,} tokens in, {b.work.output:,} out; prices of {b.day}; dots: where self-hosting begins to pay"],
        },
        "concat": panels, "columns": 2,
        "config": CONFIG,
    }  # fmt: skip


def break_even_points(b: BreakEven, c: Cell) -> list[dict[str, Any]]:
    """Return what each way costs at rates up to a few systems' worth. [requests/s, $/h]

    Parameters
    ----------
    b : BreakEven
    c : Cell
    """
    most = c.carried * _SYSTEMS
    rows: list[dict[str, Any]] = []
    for i in range(_POINTS + 1):
        rate = most * i / _POINTS
        values = {"cheapest API": rate * c.least, "median API": rate * c.median}
        values |= {r.name: systems_for(rate, c.carried) * r.per_busy_second(b.busy) for r in b.rents}
        rows += [{"x": float(rate), "name": name, "dollars": float(v * 3600)} for name, v in values.items()]
    return rows


def _panel(b: BreakEven, c: Cell) -> Spec | None:
    if c.carried <= 0:
        return None
    rows = break_even_points(b, c)
    top = 1.15 * max(r["dollars"] for r in rows if r["name"] in {x.name for x in b.rents})
    names = ["cheapest API", "median API", *(r.name for r in b.rents)]
    meets: list[dict[str, Any]] = []
    for r in b.rents:
        for name, api in (("cheapest API", c.least), ("median API", c.median)):
            at = b.crossing(c, r, api).first
            if at is not None and at <= c.carried * _SYSTEMS:
                meets.append({"x": float(at), "name": name, "dollars": float(at * api * 3600)})
    x: Spec = {"field": "x", "type": "quantitative", "title": "requests/s", "axis": FEW,
               "scale": {"domain": [0, float(c.carried * _SYSTEMS)], "nice": False}}  # fmt: skip
    y: Spec = {
        "field": "dollars",
        "type": "quantitative",
        "title": "$/h",
        "axis": {"tickCount": 5},
        "scale": {"domain": [0, top], "nice": False},
    }
    colour: Spec = {
        "field": "name",
        "type": "nominal",
        "title": None,
        "scale": {"domain": names, "range": [_COLOURS[n] for n in names]},
    }
    lines: Spec = {"data": {"values": rows}, "mark": {"type": "line", "interpolate": "step-before", "clip": True},
                   "transform": [{"filter": "datum.name != 'cheapest API' && datum.name != 'median API'"}],
                   "encoding": {"x": x, "y": y, "color": colour}}  # fmt: skip
    bills: Spec = {"data": {"values": rows}, "mark": {"type": "line", "clip": True},
                   "transform": [{"filter": "datum.name == 'cheapest API' || datum.name == 'median API'"}],
                   "encoding": {"x": x, "y": y, "color": colour}}  # fmt: skip
    dots: Spec = {"data": {"values": meets}, "mark": {"type": "point", "filled": True, "size": 60, "clip": True, "color": "#222222"},
                  "encoding": {"x": x, "y": y}}  # fmt: skip
    return {
        "title": {"text": _title(c), "fontSize": 11, "anchor": "start"},
        "width": 300,
        "height": 200,
        "layer": [lines, bills, dots],
    }


def _title(c: Cell) -> str:
    slo = c.capacity.slo
    limit = f"TPOT {units.seconds(slo.tpot)}" if math.isfinite(slo.tpot) else f"TTFT {units.seconds(slo.ttft)}"
    return f"{limit}, {units.per_cent(c.hits)} cached: {units.rate(float(c.carried))}/s a system"
