"""Charts as data: pure functions that return Vega-Lite specifications, and one writer (the ``[plots]`` extra)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from headway.batching import Curve
from headway.errors import InputError
from headway.plan import Plan

Spec = dict[str, Any]
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_COLOURS = {"step": "#222222", "compute": "#d1495b", "weights": "#2e86ab", "KV cache": "#3a9d5d", "network": "#b58900"}
FORMATS = (".svg", ".png", ".pdf", ".html", ".json")


def curve_figure(plan: Plan, curve: Curve) -> Spec:
    """Return latency and cost against batch (or context, or tokens per pass), with component lines and knees.

    Parameters
    ----------
    plan : Plan
        Names, knees and memory limit.
    curve : Curve
        The sweep.
    """
    key = curve.axis
    rows = [
        {key: float(x), "line": name, "ms": 1e3 * float(y)}
        for name, line in (
            ("step", curve.seconds), ("compute", curve.compute), ("weights", curve.weights),
            ("KV cache", curve.kv), ("network", curve.network),
        )
        for x, y in zip(curve.x, line, strict=True)
        if y > 0
    ]  # fmt: skip
    x = {"field": key, "type": "quantitative", "scale": {"type": "log", "nice": False}, "title": _axis_title(key)}
    latency: Spec = {
        "width": 460,
        "height": 260,
        "layer": [
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
                        "scale": {"domain": list(_COLOURS), "range": list(_COLOURS.values())},
                    },
                    "strokeWidth": {"condition": {"test": "datum.line == 'step'", "value": 3}, "value": 1.5},
                },
            },
            *(_knees(plan, curve) if key == "batch" else []),
        ],
    }
    panels = [latency]
    if not any(math.isnan(c) for c in curve.cost):
        panels.append(_cost_panel(plan, curve, x))
    return {
        "$schema": _SCHEMA,
        "title": {
            "text": f"{plan.model.name} on {plan.system.name}",
            "subtitle": f"{plan.layout}, context {plan.context:,.0f}, {plan.request.calibration} machine",
        },
        "hconcat": panels,
        "config": {"view": {"stroke": None}, "axis": {"grid": True, "gridOpacity": 0.3}},
    }


def _axis_title(key: str) -> str:
    return {"batch": "batch (sequences per pass)", "context": "context (tokens)"}.get(
        key, "new tokens per sequence and pass"
    )


def _knees(plan: Plan, curve: Curve) -> list[Spec]:
    """Vertical rules where the subject changes: balance batch, operating batch; named in place."""
    marks = [("operating", plan.point.batch), ("balance", plan.balance_weights), ("memory full", plan.max_batch)]
    inside: list[Spec] = []
    for name, at_batch in marks:
        if not math.isfinite(at_batch) or not curve.x[0] <= at_batch <= curve.x[-1] * 1.001:
            continue
        near = next((i for i in inside if abs(math.log(i["at"] / at_batch)) < 0.1), None)
        if near:  # labels on one spot would cover each other
            near["name"] = f"{near['name']} = {name}"
        else:
            inside.append({"at": at_batch, "name": name})
    at = {"field": "at", "type": "quantitative"}
    return [
        {
            "data": {"values": inside},
            "mark": {"type": "rule", "strokeDash": [4, 3], "color": "#888"},
            "encoding": {"x": at},
        },
        {
            "data": {"values": inside},
            "mark": {"type": "text", "align": "right", "angle": 270, "dy": -5, "color": "#666", "y": 4},
            "encoding": {"x": at, "text": {"field": "name"}},
        },
    ]


def _cost_panel(plan: Plan, curve: Curve, x: Spec) -> Spec:
    rows = [
        {curve.axis: float(a), "dollars": 1e6 * float(c), "bound": str(b)}
        for a, c, b in zip(curve.x, curve.cost, curve.bound, strict=True)
    ]
    y = {"field": "dollars", "type": "quantitative", "scale": {"type": "log"}, "title": "$ per million tokens"}
    layers: list[Spec] = [
        {
            "data": {"values": rows},
            "mark": {"type": "line", "strokeWidth": 3, "color": _COLOURS["step"], "tooltip": True, "clip": True},
            "encoding": {"x": x, "y": y},
        }
    ]
    if plan.cost_floor and curve.axis == "batch":
        floor = [{"dollars": plan.cost_floor, "name": "floor"}]
        at: Spec = {"field": "dollars", "type": "quantitative"}
        layers.append(
            {"data": {"values": floor}, "mark": {"type": "rule", "strokeDash": [2, 3]}, "encoding": {"y": at}}
        )
    return {"width": 300, "height": 260, "layer": layers}


def write(spec: Spec, file: str | Path) -> Path:
    """Write a chart; the ending decides: .svg, .png, .pdf, .html (self-contained), .json (the specification).

    Raises
    ------
    InputError
        For another ending, a folder that is not there, or when the ``[plots]`` extra is missing.
    """
    path = Path(file)
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"-o {path}: the ending must be one of {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise InputError(f"-o {path}: there is no folder {path.parent}")
    try:
        if path.suffix.lower() == ".json":
            path.write_text(json.dumps(spec, indent=1), encoding="utf-8")
        else:
            _render(spec, path)
    except OSError as error:
        raise InputError(f"-o {path}: cannot be written ({error.strerror})") from None
    return path


def _render(spec: Spec, path: Path) -> None:
    try:
        import vl_convert as vlc
    except ImportError:
        raise InputError(f"-o {path}: charts need the [plots] extra: pip install 'headway[plots]'") from None
    match path.suffix.lower():
        case ".svg":
            path.write_text(vlc.vegalite_to_svg(spec), encoding="utf-8")
        case ".png":
            path.write_bytes(vlc.vegalite_to_png(spec, scale=2))
        case ".pdf":
            path.write_bytes(vlc.vegalite_to_pdf(spec))
        case _:
            path.write_text(vlc.vegalite_to_html(spec, bundle=True), encoding="utf-8")
