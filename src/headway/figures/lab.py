"""Pictures of the lab: lines of a system that ran, and how far a program lies from the formulas."""

from __future__ import annotations

from headway.figures.gantt import gantt
from headway.figures.style import CONFIG, SCHEMA, Spec
from headway.lab.findings import Audit, Demonstration, Picture

_COLOURS = ("#2e86ab", "#d1495b", "#3a9d5d", "#b58900", "#7d5ba6", "#777777")
_WIDE, _HIGH = 620, 320
_SOLID, _DASHED = [1, 0], [6, 5]  # lines that lie on each other are both seen
_MARKED = 200  # points: more of them are lines alone
_COUNTED, _LEFT = "as counted", "less what is explained"


def lab_figure(d: Demonstration) -> Spec:
    """Return a system that ran: its schedules, its map, or its lines.

    Parameters
    ----------
    d : Demonstration
    """
    checks = f"{sum(c.passes for c in d.checks)} of {len(d.checks)} checks pass"
    title: Spec = {
        "text": f"{d.system}: {d.title}",
        "subtitle": f"{d.model}; {checks}",
        "anchor": "start",
        "offset": 12,
    }
    drawn = (
        {"vconcat": [gantt(p, tokens=3 if p.name == "decode" else 0) for p in d.plays]}
        if d.plays
        else _map(d.picture)
        if d.picture.kind == "map"
        else _lines(d.picture)
    )
    return {"$schema": SCHEMA, "title": title, **drawn, "config": CONFIG}


def _map(p: Picture) -> Spec:
    """Rows, columns and amounts as coloured fields with their numbers."""
    values = [{"row": row, "column": column, "amount": amount} for row, column, amount in p.points]
    x: Spec = {"field": "column", "type": "ordinal", "title": p.x, "axis": {"labelAngle": 0, "grid": False}}
    y: Spec = {"field": "row", "type": "ordinal", "title": p.y, "sort": None, "axis": {"grid": False}}
    middle = sum(amount for _, _, amount in p.points) / len(values) if values else 0.0
    return {
        "width": _WIDE - 160, "height": {"step": 36}, "data": {"values": values},
        "layer": [
            {"mark": "rect", "encoding": {"x": x, "y": y, "color": {
                "field": "amount", "type": "quantitative", "title": None, "scale": {"scheme": "blues", "zero": True}}}},
            {"mark": {"type": "text", "fontSize": 10}, "encoding": {
                "x": x, "y": y, "text": {"field": "amount", "type": "quantitative", "format": ","},
                "color": {"condition": {"test": f"datum.amount > {middle}", "value": "white"}, "value": "#222222"}}},
        ],
    }  # fmt: skip


def _lines(p: Picture) -> Spec:
    """Lines over one axis, on logarithmic axes or plain ones."""
    powers = p.kind == "powers"
    values = [{"line": line, "x": x, "y": y} for line, x, y in p.points if not powers or (x > 0 and y > 0)]
    names = list(dict.fromkeys(v["line"] for v in values))
    scale: Spec = {"type": "log", "nice": False} if powers else {}
    ticks = "~s" if powers else "~g"
    dash: Spec = {"field": "line", "type": "nominal", "legend": None, "scale": {
        "domain": names, "range": [_SOLID if i % 2 == 0 else _DASHED for i in range(len(names))]}}  # fmt: skip
    colour: Spec = {
        "field": "line", "type": "nominal", "title": None, "legend": {"orient": "bottom", "columns": 3, "labelLimit": 260},
        "scale": {"domain": names, "range": [*_COLOURS]},
    }  # fmt: skip
    return {
        "width": _WIDE, "height": _HIGH, "data": {"values": values},
        "mark": {"type": "line", "point": len(values) < _MARKED, "strokeWidth": 2},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": p.x, "scale": scale, "axis": {"format": ticks}},
            "y": {"field": "y", "type": "quantitative", "title": p.y, "scale": {"type": "log"} if powers else {},
                  "axis": {"format": ticks}},
            "color": colour, "strokeDash": dash,
        },
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
