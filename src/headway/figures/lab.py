"""Pictures of the lab: lines of a system that ran, and how far a program lies from the formulas."""

from __future__ import annotations

from headway.figures.style import CONFIG, SCHEMA, Spec
from headway.lab.findings import Audit, Demonstration

_COLOURS = ("#2e86ab", "#d1495b", "#3a9d5d", "#b58900", "#7d5ba6", "#777777")
_WIDE, _HIGH = 620, 320
_COUNTED, _LEFT = "as counted", "less what is explained"


def lab_figure(d: Demonstration) -> Spec:
    """Return the lines of a system that ran, on logarithmic axes.

    Parameters
    ----------
    d : Demonstration
    """
    values = [{"line": line, "x": x, "y": y} for line, x, y in d.picture.points if x > 0 and y > 0]
    names = list(dict.fromkeys(v["line"] for v in values))
    checks = f"{sum(c.passes for c in d.checks)} of {len(d.checks)} checks pass"
    colour: Spec = {
        "field": "line", "type": "nominal", "title": None, "legend": {"orient": "bottom", "columns": 3, "labelLimit": 260},
        "scale": {"domain": names, "range": [*_COLOURS]},
    }  # fmt: skip
    return {
        "$schema": SCHEMA,
        "title": {"text": f"{d.system}: {d.title}", "subtitle": f"{d.model}; {checks}", "anchor": "start", "offset": 12},
        "width": _WIDE, "height": _HIGH, "data": {"values": values},
        "mark": {"type": "line", "point": True, "strokeWidth": 2},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": d.picture.x, "scale": {"type": "log", "nice": False},
                  "axis": {"format": "~s"}},
            "y": {"field": "y", "type": "quantitative", "title": d.picture.y, "scale": {"type": "log"}, "axis": {"format": "~s"}},
            "color": colour,
        },
        "config": CONFIG,
    }  # fmt: skip


def audit_figure(a: Audit) -> Spec:
    """Return, for each row of FLOPs and each send, what the program counts over what the step says.

    Parameters
    ----------
    a : Audit
    """
    shown = [x for x in a.lines if x.kind in ("FLOPs", "sent", "entries", "parameters", "cache") and x.step]
    values = [
        {"of": f"{x.phase} {x.kind}: {x.name}".strip(), "which": which, "over": amount / x.step}
        for x in shown for which, amount in ((_COUNTED, x.program), (_LEFT, x.left))
    ]  # fmt: skip
    said = "agrees" if a.agrees else f"{len(a.disagreements)} comparisons disagree"
    y: Spec = {"field": "of", "type": "nominal", "title": None, "sort": None, "axis": {"labelLimit": 320}}
    return {
        "$schema": SCHEMA,
        "title": {"text": f"Audit: {a.model.name} as {a.layout}", "subtitle": f"the program's count over the step's; {said}",
                  "anchor": "start", "offset": 12},
        "width": _WIDE - 200, "height": {"step": 15},
        "layer": [
            {"data": {"values": [{"at": 1}]}, "mark": {"type": "rule", "color": "#999999"},
             "encoding": {"x": {"field": "at", "type": "quantitative"}}},
            {"data": {"values": values}, "mark": {"type": "point", "filled": True, "size": 55, "opacity": 0.9}, "encoding": {
                "x": {"field": "over", "type": "quantitative", "title": "program over step"}, "y": y,
                "color": {"field": "which", "type": "nominal", "title": None, "legend": {"orient": "bottom"},
                          "scale": {"domain": [_COUNTED, _LEFT], "range": [_COLOURS[1], _COLOURS[0]]}},
                "shape": {"field": "which", "type": "nominal", "title": None,
                          "scale": {"domain": [_COUNTED, _LEFT], "range": ["diamond", "circle"]}}}},
        ],
        "config": CONFIG,
    }  # fmt: skip
