"""Posterior against truth: what is inferred of open models from prices, each shape left out; and priors beside posteriors."""

from __future__ import annotations

from typing import Any

from headway.economics.joint import Belief
from headway.economics.leave_out import Calibration
from headway.figures.style import CONFIG, SCHEMA, Spec
from headway.plan.infer import Inference

_IN, _OUT, _PRIOR = "#2e86ab", "#d1495b", "#b0b0b0"
_NAMES = {
    "active": ("active parameters (B)", 1e9),
    "total": ("total parameters (B)", 1e9),
    "kv": ("KV bytes per token, 16 bits (kB)", 1e3),
}
_SHAPES: Spec = {"field": "kind", "type": "nominal", "title": None,
                 "scale": {"domain": ["open", "hosted"], "range": ["circle", "diamond"]}}  # fmt: skip
_LOG: Spec = {"type": "log", "nice": False}


def calibration_figure(c: Calibration) -> Spec:
    """Return intervals against truths, one panel per quantity.

    Parameters
    ----------
    c : Calibration
    """
    return {
        "$schema": SCHEMA,
        "title": {
            "text": "Inferred from prices, against the truth",
            "subtitle": ["each model's shape left out; dot: median, bar: 80 % interval, grey line: right",
                         "diamonds: hosted models with context steps"],
            "anchor": "start", "offset": 14,
        },
        "hconcat": [_panel(c, q) for q in _NAMES],
        "config": CONFIG,
    }  # fmt: skip


def _panel(c: Calibration, q: str) -> Spec:
    name, unit = _NAMES[q]
    rows: list[dict[str, Any]] = [
        {"name": r.prices.name, "truth": r.truth[q] / unit, "kind": kind, "state": "inside" if r.beliefs[q].holds(r.truth[q]) else "missed",
         **_scaled(r.beliefs[q], unit)}
        for kind, found in (("open", c.models), ("hosted", c.hosted)) for r in found
    ]  # fmt: skip
    ends = [float(r[k]) for r in rows for k in ("truth", "low", "high")]
    domain = [0.9 * min(ends), 1.1 * max(ends)]
    score = next(s for s in c.scores["models"] if s.quantity == q)
    title: Spec = {
        "text": f"{score.coverage:.0%} of {score.lists} inside, median width {score.width:.2g}x",
        "anchor": "start",
        "fontSize": 12,
    }
    return {"title": title, "width": 300, "height": 300, "layer": _layers(rows, domain, name)}


def _layers(rows: list[dict[str, Any]], domain: list[float], name: str) -> list[Spec]:
    """The right answers as a line, intervals as bars, medians as dots."""
    axis: Spec = {"labelOverlap": True, "format": "~s", "tickCount": 5}
    same: Spec = {"type": "quantitative", "scale": _LOG | {"domain": domain}, "axis": axis}
    x: Spec = {"field": "truth", "title": f"true {name}", **same}
    y: Spec = {"field": "low", "title": f"inferred {name}", **same}
    colour: Spec = {
        "field": "state",
        "type": "nominal",
        "title": None,
        "scale": {"domain": ["inside", "missed"], "range": [_IN, _OUT]},
    }
    tips = [{"field": f, "type": "nominal"} for f in ("name", "truth", "low", "median", "high")]
    line: Spec = {
        "data": {"values": [{"truth": d, "low": d} for d in domain]},
        "mark": {"type": "line", "color": "#999", "strokeDash": [4, 3]}, "encoding": {"x": x, "y": y},
    }  # fmt: skip
    bars: Spec = {"mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.6},
                  "encoding": {"x": x, "y": y, "y2": {"field": "high"}, "color": colour, "tooltip": tips}}  # fmt: skip
    dots: Spec = {
        "mark": {"type": "point", "filled": True, "size": 45, "opacity": 0.9},
        "encoding": {"x": x, "y": y | {"field": "median"}, "color": colour, "tooltip": tips,
                     "shape": _SHAPES},
    }  # fmt: skip
    return [line, {"data": {"values": rows}, "layer": [bars, dots]}]


def _scaled(b: Belief, unit: float) -> dict[str, Any]:
    return {"low": b.low / unit, "median": b.median / unit, "high": b.high / unit}


def inference_figure(i: Inference) -> Spec:
    """Return prior and posterior intervals of each quantity, and the truth where it is public.

    Parameters
    ----------
    i : Inference
    """
    panels: list[Spec] = []
    for q, (name, unit) in _NAMES.items():
        rows = [{"row": "before", **_scaled(i.priors[q], unit)}, {"row": "all prices", **_scaled(i.beliefs[q], unit)}]
        rows += [{"row": f"{m.price} alone", **_scaled(m.alone[q], unit)} for m in i.moved]
        x: Spec = {
            "field": "low",
            "type": "quantitative",
            "title": name,
            "scale": _LOG,
            "axis": {"labelOverlap": True, "format": "~s", "tickCount": 6},
        }
        order = ["before", *(f"{m.price} alone" for m in i.moved), "all prices"]
        y: Spec = {"field": "row", "type": "nominal", "title": None, "sort": order}
        colour: Spec = {"condition": {"test": "datum.row == 'all prices'", "value": _IN}, "value": _PRIOR}
        layer: list[Spec] = [
            {
                "mark": {"type": "rule", "strokeWidth": 5},
                "encoding": {"x": x, "x2": {"field": "high"}, "y": y, "color": colour},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60, "color": "#222"},
                "encoding": {"x": x | {"field": "median"}, "y": y},
            },
        ]
        if q in i.truth:
            mark = {"type": "rule", "color": _OUT, "strokeDash": [4, 3], "strokeWidth": 2}
            layer.append({"data": {"values": [{"low": i.truth[q] / unit}]}, "mark": mark, "encoding": {"x": x}})
        panels.append({"width": 520, "height": 24 * len(rows), "data": {"values": rows}, "layer": layer})
    told = ["bars: 80 % intervals, dots: medians" + ("; dashed: the truth" if i.truth else "")]
    title: Spec = {"text": f"{i.prices.name}: inferred from prices", "subtitle": told, "anchor": "start", "offset": 14}
    return {"$schema": SCHEMA, "title": title, "vconcat": panels, "config": CONFIG}  # fmt: skip
