"""Latency and cost curves, and predictions against measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from headway.batching import Curve
from headway.figures.style import COLOURS, CONFIG, FEW, LOG, SCHEMA, Spec
from headway.plan import Plan

_NAMED = 3  # plans that a title names one by one


def curve_figure(plan: Plan, curve: Curve) -> Spec:
    """Return latency and cost against batch (or context, or new tokens per sequence), with component lines and knees.

    Parameters
    ----------
    plan : Plan
        Names, knees and memory limit.
    curve : Curve
        The sweep.
    """
    key = curve.axis
    x = {"field": key, "type": "quantitative", "scale": LOG, "axis": FEW, "title": _axis_title(key)}
    panels = [_latency_panel(plan, curve, x)]
    if not any(math.isnan(c) for c in curve.cost):
        panels.append(_cost_panel(plan, curve, x))
    return {
        "$schema": SCHEMA,
        "title": {
            "text": f"{plan.model.name} on {plan.system.name}",
            "subtitle": f"{plan.layout}, {_held(plan, curve)}, {_engine(plan)}",
            "anchor": "start",
        },
        "hconcat": panels,
        "config": CONFIG,
    }


def _latency_panel(plan: Plan, curve: Curve, x: Spec) -> Spec:
    """Time of a pass and the lines it is made of."""
    key = curve.axis
    rows = [
        {key: float(x), "line": name, "ms": 1e3 * float(y)}
        for name, line in (
            ("step", curve.seconds), ("compute", curve.compute), ("weights", curve.weights),
            ("KV cache", curve.kv), ("network", curve.network), ("overhead", curve.overhead),
        )
        for x, y in zip(curve.x, line, strict=True)
        if y > 0
    ]  # fmt: skip
    shown = [name for name in COLOURS if any(row["line"] == name for row in rows)]
    return {
        "width": 460,
        "height": 260,
        "layer": [
            *_band(plan, curve, x),
            {
                "data": {"values": rows},
                "mark": {"type": "line", "tooltip": True, "clip": True},
                "encoding": {
                    "x": x,
                    "y": {
                        "field": "ms",
                        "type": "quantitative",
                        "scale": {"type": "log"},
                        "title": "time of a pass (ms)",
                    },
                    "color": {
                        "field": "line",
                        "type": "nominal",
                        "title": None,
                        "scale": {"domain": shown, "range": [COLOURS[name] for name in shown]},
                    },
                    "strokeWidth": {"condition": {"test": "datum.line == 'step'", "value": 3}, "value": 1.5},
                },
            },
            *(knees(plan, curve) if key == "batch" else []),
        ],
    }


def comparison_figure(pairs: Sequence[tuple[Plan, Curve]]) -> Spec:
    """Return latency and cost against batch of several plans, one line each; batches are of the whole system."""
    names = [f"{p.model.name.split('/')[-1]} on {p.system.name}" for p, _ in pairs]
    rows: list[Spec] = []
    for name, (p, found) in zip(names, pairs, strict=True):
        for x, t, c, b in zip(found.x, found.seconds, found.cost, found.batch, strict=True):
            low, high = sure(p, found, float(x), float(t), float(b))
            dollars = None if math.isnan(c) else 1e6 * float(c)
            ends = {"ms_low": 1e3 * low, "ms_high": 1e3 * high}
            if dollars is not None:
                ends |= {"dollars_low": dollars * low / float(t), "dollars_high": dollars * high / float(t)}
            rows.append({"plan": name, "batch": float(x) * p.replicas, "ms": 1e3 * float(t), "dollars": dollars} | ends)
    x = {"field": "batch", "type": "quantitative", "scale": LOG, "axis": FEW, "title": "sequences in the system"}
    colour = {"field": "plan", "type": "nominal", "title": None, "legend": {"labelLimit": 400}}

    def panel(field: str, title: str) -> Spec:
        y = {"field": field, "type": "quantitative", "scale": {"type": "log"}, "title": title}
        line = {"type": "line", "tooltip": True, "clip": True, "strokeWidth": 2.5}
        ends = {"y": y | {"field": f"{field}_low"}, "y2": {"field": f"{field}_high"}}
        band = {"mark": {"type": "area", "opacity": 0.15, "clip": True}, "encoding": {"x": x, **ends, "color": colour}}
        return {
            "width": 380,
            "height": 260,
            "layer": [band, {"mark": line, "encoding": {"x": x, "y": y, "color": colour}}],
        }

    panels = [panel("ms", "time of a pass (ms)")]
    if any(row["dollars"] for row in rows):
        panels.append(panel("dollars", "$ per million tokens"))
    several = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) <= _NAMED else f"{len(names)} plans"
    held = " or ".join(dict.fromkeys(_held(p, found) for p, found in pairs))
    title = {"text": several, "subtitle": f"{held}, {_engine(pairs[0][0])}", "anchor": "start"}
    return {"$schema": SCHEMA, "title": title, "data": {"values": rows}, "hconcat": panels, "config": CONFIG}


def sure(plan: Plan, curve: Curve, x: float, seconds: float, batch: float) -> tuple[float, float]:
    """Return the 80 % interval of a point's time; itself where nothing is estimated. [s]

    Parameters
    ----------
    plan : Plan
    curve : Curve
    x, batch : float
        Place on its axis, and sequences there. [sequences or tokens]
    seconds : float
        Time of the pass there. [s]
    """
    spread, _ = plan.spread_at(curve.axis, x, batch)
    return spread.around(seconds) if spread else (seconds, seconds)


def _axis_title(key: str) -> str:
    return {"batch": "batch (sequences per pass)", "context": "context (tokens)"}.get(
        key, "new tokens per sequence and pass"
    )


def _held(plan: Plan, curve: Curve) -> str:
    """Say what stays the same along the curve."""
    if curve.axis == "context":
        return f"batch {curve.batch.max():,.0f}" + (
            " or what memory holds" if curve.batch.min() < curve.batch.max() else ""
        )
    context = f"context {plan.context:,.0f}"
    if curve.axis == "batch":
        return context
    fewer = " or what a pass takes" if curve.batch.min() < plan.point.batch else ""
    return f"batch {plan.point.batch:,.0f}{fewer}, {context}"


def _engine(plan: Plan) -> str:
    """Name what the curve assumes of the machine."""
    return "ideal machine" if plan.spread is None else f"engine {plan.setting.engine.name}, shaded: 80 % interval"


def _band(plan: Plan, curve: Curve, x: Spec) -> list[Spec]:
    """80 % interval of the step, as an area behind the lines."""
    if plan.spread is None:
        return []
    rows: list[Spec] = []
    for a, t, b in zip(curve.x, curve.seconds, curve.batch, strict=True):
        low, high = sure(plan, curve, float(a), float(t), float(b))
        rows.append({curve.axis: float(a), "low": 1e3 * low, "high": 1e3 * high})
    y: Spec = {"field": "low", "type": "quantitative", "scale": {"type": "log"}, "title": "time of a pass (ms)"}
    mark: Spec = {"type": "area", "opacity": 0.18, "color": COLOURS["step"], "clip": True}
    return [{"data": {"values": rows}, "mark": mark, "encoding": {"x": x, "y": y, "y2": {"field": "high"}}}]


def knees(plan: Plan, curve: Curve) -> list[Spec]:
    """Return vertical rules where the subject changes: balance batch, operating batch; named in place."""
    marks = [("operating", plan.point.batch), ("balance", plan.balance_weights), ("memory full", plan.max_batch)]
    inside: list[Spec] = []
    for name, at_batch in marks:
        if not math.isfinite(at_batch) or not curve.x[0] <= at_batch <= curve.x[-1] * 1.001:
            continue
        near = next((i for i in inside if abs(i["at"] / at_batch - 1) < 0.01), None)
        if near:  # one spot, one label
            near["name"] = f"{near['name']}, {name}"
        else:
            inside.append({"at": at_batch, "name": name, "line": 0})
    inside.sort(key=lambda i: i["at"])
    for before, after in pairwise(inside):  # labels that would meet stand on different lines
        close = math.log(after["at"] / before["at"]) < 0.25 * math.log(curve.x[-1] / curve.x[0])
        after["line"] = before["line"] + 1 if close else 0
    at = {"field": "at", "type": "quantitative"}
    return [
        {
            "data": {"values": inside},
            "mark": {"type": "rule", "strokeDash": [4, 3], "color": "#888"},
            "encoding": {"x": at},
        },
        *(
            {
                "data": {"values": [i]},
                "mark": {"type": "text", "align": "right", "dx": 3, "color": "#666", "y": -7 - 12 * i["line"]},
                "encoding": {"x": at, "text": {"field": "name"}},
            }
            for i in inside
        ),
    ]


def _cost_band(plan: Plan, curve: Curve, x: Spec, y: Spec) -> list[Spec]:
    """80 % interval of the cost: a pass that takes longer costs more in proportion."""
    if plan.spread is None:
        return []
    rows: list[Spec] = []
    for a, c, b in zip(curve.x, curve.cost, curve.batch, strict=True):
        spread, _ = plan.spread_at(curve.axis, float(a), float(b))
        low, high = spread.around(1e6 * float(c)) if spread else (0.0, 0.0)
        rows.append({curve.axis: float(a), "dollars": low, "high": high})
    mark: Spec = {"type": "area", "opacity": 0.18, "color": COLOURS["step"], "clip": True}
    return [{"data": {"values": rows}, "mark": mark, "encoding": {"x": x, "y": y, "y2": {"field": "high"}}}]


def _cost_panel(plan: Plan, curve: Curve, x: Spec) -> Spec:
    rows = [
        {curve.axis: float(a), "dollars": 1e6 * float(c), "bound": str(b)}
        for a, c, b in zip(curve.x, curve.cost, curve.bound, strict=True)
    ]
    y = {"field": "dollars", "type": "quantitative", "scale": {"type": "log"}, "title": "$ per million tokens"}
    layers: list[Spec] = [
        *_cost_band(plan, curve, x, y),
        {
            "data": {"values": rows},
            "mark": {"type": "line", "strokeWidth": 3, "color": COLOURS["step"], "tooltip": True, "clip": True},
            "encoding": {"x": x, "y": y},
        },
    ]
    if plan.cost_floor and curve.axis == "batch":
        floor = [{"dollars": plan.cost_floor, "name": "floor"}]
        at: Spec = {"field": "dollars", "type": "quantitative"}
        layers.append(
            {"data": {"values": floor}, "mark": {"type": "rule", "strokeDash": [2, 3]}, "encoding": {"y": at}}
        )
        words: Spec = {"type": "text", "align": "left", "dy": 9, "color": "#666"}
        where: Spec = {"x": {"value": 6}, "y": at, "text": {"field": "name"}}
        layers.append({"data": {"values": floor}, "mark": words, "encoding": where})
    return {"width": 300, "height": 260, "layer": layers}


def against_measured(values: Sequence[dict[str, Any]], panels: Sequence[str]) -> Spec:
    """Return predicted against measured, one panel per kind of row: on the diagonal is right, the band is 20 %.

    Parameters
    ----------
    values : sequence of dict
        `what` (panel), `measured` (ms), `error` (log of predicted over measured), `engine`, `chip`, `model`.
    panels : sequence of str
        Names of the panels, in order.
    """
    x: Spec = {
        "field": "measured",
        "type": "quantitative",
        "scale": {"type": "log"},
        "axis": FEW,
        "title": "measured (ms)",
    }
    y: Spec = {
        "field": "predicted",
        "type": "quantitative",
        "scale": {"type": "log"},
        "axis": FEW,
        "title": "predicted (ms)",
    }
    tips = [{"field": f, "type": "nominal"} for f in ("model", "chip", "engine")]
    tips += [{"field": f, "type": "quantitative", "format": ".3~r"} for f in ("measured", "predicted")]

    def panel(name: str) -> Spec:
        mine = [v for v in values if v["what"] == name]
        ends = [min(v["measured"] for v in mine), max(v["measured"] for v in mine)] if mine else [1.0, 10.0]
        line = [{"measured": e, "predicted": e, "low": e * 0.8, "high": e * 1.2} for e in ends]
        dots: Spec = {
            "data": {"values": mine},
            "transform": [{"calculate": "datum.measured * exp(datum.error)", "as": "predicted"}],
            "mark": {"type": "circle", "opacity": 0.45, "size": 22, "clip": True},
            "encoding": {
                "x": x, "y": y, "color": {"field": "engine", "type": "nominal", "title": None}, "tooltip": tips,
            },
        }  # fmt: skip
        band: Spec = {
            "data": {"values": line}, "mark": {"type": "area", "opacity": 0.15, "color": "#444"},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        }  # fmt: skip
        rule: Spec = {
            "data": {"values": line}, "mark": {"type": "line", "color": "#444", "strokeWidth": 1},
            "encoding": {"x": x, "y": y},
        }  # fmt: skip
        return {"title": name, "width": 330, "height": 330, "layer": [band, rule, dots]}

    return {"$schema": SCHEMA, "columns": 3, "concat": [panel(name) for name in panels], "config": CONFIG}
