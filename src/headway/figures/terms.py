"""What a pass's time is spent on, stacked: the areas sum to the step."""

from __future__ import annotations

from typing import Any

import numpy as np

from headway.batching import Curve
from headway.errors import InputError
from headway.figures.curves import curve_figure, knees, sure
from headway.figures.style import COLOURS, FEW, LOG, Spec
from headway.plan import Plan

_ORDER = ("weights", "KV cache", "compute", "network", "overhead")


def terms_figure(plan: Plan, curve: Curve) -> Spec:
    """Return `curve_figure` with its terms as stacked areas: kernels by what binds each, exposed network, overheads.

    Parameters
    ----------
    plan : Plan
    curve : Curve
        Against batch.

    Raises
    ------
    InputError
        Against anything else: passes there have no one context and batch.
    """
    if curve.axis != "batch":
        raise InputError("--stacked goes with --against batch")
    whole = curve_figure(plan, curve)
    x: Spec = {
        "field": "batch",
        "type": "quantitative",
        "scale": LOG,
        "axis": FEW,
        "title": "batch (sequences per pass)",
    }
    return {**whole, "hconcat": [_stack(plan, curve, x), *whole["hconcat"][1:]]}


def spent_rows(plan: Plan, curve: Curve) -> list[dict[str, Any]]:
    """Return what each pass of a curve is spent on: ``batch``, ``term``, ``ms``, its ``share``; the terms sum to the step."""
    spent = plan.scene.decode(curve.x, plan.context).resources
    lines = {
        "weights": spent.weights, "KV cache": spent.cache, "compute": spent.compute, "overhead": spent.overhead,
    }  # fmt: skip
    full = {name: np.broadcast_to(np.asarray(line, dtype=float), curve.x.shape) for name, line in lines.items()}
    full["network"] = np.maximum(curve.seconds - sum(full.values()), 0.0)
    return [
        {"batch": float(b), "term": name, "order": i, "ms": 1e3 * float(t), "share": float(t / s)}
        for i, name in enumerate(_ORDER)
        for b, t, s in zip(curve.x, full[name], curve.seconds, strict=True)
    ]


def _stack(plan: Plan, curve: Curve, x: Spec) -> Spec:
    rows = spent_rows(plan, curve)
    shown = [n for n in _ORDER if any(r["ms"] > 0 for r in rows if r["term"] == n)]
    y: Spec = {"field": "ms", "type": "quantitative", "stack": "zero", "title": "time of a pass (ms)"}
    colour: Spec = {"field": "term", "type": "nominal", "title": None, "sort": shown,
                    "scale": {"domain": shown, "range": [COLOURS[n] for n in shown]}}  # fmt: skip
    tips = [{"field": "batch", "type": "quantitative", "format": ",.0f"}, {"field": "term", "type": "nominal"},
            {"field": "ms", "type": "quantitative", "format": ".3~r", "title": "ms"},
            {"field": "share", "type": "quantitative", "format": ".0%", "title": "of the step"}]  # fmt: skip
    areas: Spec = {
        "data": {"values": [r for r in rows if r["term"] in shown]}, "mark": {"type": "area", "opacity": 0.85, "clip": True},
        "encoding": {"x": x, "y": y, "color": colour, "order": {"field": "order"}, "tooltip": tips},
    }  # fmt: skip
    behind, before = _interval(plan, curve, x)
    return {"width": 460, "height": 260, "layer": [*behind, areas, *before, *knees(plan, curve)]}


def _interval(plan: Plan, curve: Curve, x: Spec) -> tuple[list[Spec], list[Spec]]:
    """What lies behind the areas, the band of the 80 % interval; and before them, the step and the band's lower end."""
    rows: list[Spec] = []
    for a, t, b in zip(curve.x, curve.seconds, curve.batch, strict=True):
        low, high = sure(plan, curve, float(a), float(t), float(b))
        rows.append({"batch": float(a), "step": 1e3 * float(t), "low": 1e3 * low, "high": 1e3 * high})
    data: Spec = {"data": {"values": rows}}

    def line(field: str, **mark: Any) -> Spec:
        y: Spec = {"field": field, "type": "quantitative"}
        return {
            **data,
            "mark": {"type": "line", "color": COLOURS["step"], "clip": True, **mark},
            "encoding": {"x": x, "y": y},
        }

    step = line("step", strokeWidth=2.5)
    if plan.spread is None:
        return [], [step]
    ends: Spec = {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}
    mark: Spec = {"type": "area", "opacity": 0.18, "color": COLOURS["step"], "clip": True}
    return [{**data, "mark": mark, "encoding": {"x": x, **ends}}], [line("low", strokeWidth=1, strokeDash=[3, 3]), step]
