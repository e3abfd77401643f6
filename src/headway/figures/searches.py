"""The frontier of a search: a dot for each layout, the line that no other point beats, and one option opened below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headway import units
from headway.figures.layouts import SHOWN, opened, opened_panels, parameters
from headway.figures.style import CONFIG, FEW, SCHEMA, Spec
from headway.records.searches import dots
from headway.search import Option, SearchAnswer
from headway.search.placement import name_of

_DOTS = 500  # the best so many layouts; more would hide each other and make the page slow
_ROOM = 0.04  # of an axis, beyond its values at either end
_TIPS = (
    ("layout", "layout", None), ("system", "system", None), ("batch", "batch", ",.0f"),
    ("user", "tok/s per user", ",.1f"), ("chip", "tok/s per chip", ",.0f"), ("dollars", "$/Mtok", ",.3~r"),
    ("ttft", "TTFT (s)", ".3~r"), ("tpot", "TPOT (ms)", ".3~r"), ("tpot_low", "80 % from (ms)", ".3~r"),
    ("tpot_high", "80 % to (ms)", ".3~r"),
)  # fmt: skip


def search_figure(answer: SearchAnswer) -> Spec:
    """Return tokens per second per chip, and dollars per million tokens, against tokens per second per user; below, the best opened.

    The parameter `shown` opens another: the name of an option as a dot of the line has it in ``option``.

    Parameters
    ----------
    answer : SearchAnswer
    """
    every = [_short(d) for f, chosen in answer.layouts for d in dots(f, chosen[:_DOTS])]
    panels = [_panel(answer, every, answer.frontier, "chip", "output tokens per second per chip")]
    if answer.by_cost:
        panels.append(_panel(answer, every, answer.by_cost, "dollars", "$ per million output tokens, prompts included"))
    q, used = answer.query, answer.best.found.where.engine.name
    limits = [f"{n} at most {units.seconds(v)}" for n, v in (("TTFT", q.ttft), ("TPOT", q.tpot)) if v is not None]
    asked = "; ".join([f"{units.some(q.prompt, 'token')} in, {q.output:,.0f} out", *limits])
    return {
        "$schema": SCHEMA,
        "title": {
            "text": f"{answer.best.found.where.model.name} on {', '.join(o.system for o in answer.systems)}",
            "subtitle": f"{asked}; engine {used}; dots: layouts, each at its best batch, line: none beats it, ring: best, square: open"
            + ("" if answer.best.found.where.profile.name == "ideal" else "; bars: 80 % intervals"),
            "anchor": "start",
        },
        "params": parameters(answer),
        "datasets": {"layouts": every},
        "vconcat": [{"hconcat": panels}, opened_panels(answer)],
        "spacing": 30,
        "resolve": {"scale": {"color": "independent"}},
        "config": CONFIG,
    }


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """Four digits: no screen shows more."""
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()}


def _line(options: Sequence[Option]) -> list[dict[str, Any]]:
    """Points of a line, each with the interval of what its user sees."""
    found: list[dict[str, Any]] = [d | {"option": name_of(o)} for o in options for d in dots(o.found, [o.index])]
    return [
        _short(d | {"user_low": 1e3 / d["tpot_high"], "user_high": 1e3 / d["tpot_low"]})
        for d in found
        if d["tpot_low"] > 0
    ]


def _around(values: Sequence[float | None]) -> Spec:
    """A logarithmic scale with room at both ends, so that dots and the ends of intervals are whole."""
    known = [v for v in values if v is not None and v > 0]
    if not known:
        return {"type": "log", "nice": False}
    room = (max(known) / min(known)) ** _ROOM * (1 + _ROOM)
    return {"type": "log", "nice": False, "domain": [min(known) / room, max(known) * room]}


def _panel(
    answer: SearchAnswer, every: Sequence[dict[str, Any]], line: Sequence[Option], field: str, title: str
) -> Spec:
    best = _line(line), _line([answer.best])
    kept = {name_of(o) for o in opened(answer)}
    for d in best[0]:
        if d["option"] not in kept:
            del d["option"]  # of a very large system not every point opens
    open_ = _line([o for o in opened(answer) if field != "dollars" or o.per_mtok])
    shown = [*every, *best[0], *best[1], *open_]
    users = [d[k] for d in shown for k in ("user", "user_low", "user_high") if k in d]
    x: Spec = {"field": "user", "type": "quantitative", "axis": FEW, "title": "output tokens per second per user",
               "scale": _around(users)}  # fmt: skip
    y: Spec = {
        "field": field,
        "type": "quantitative",
        "axis": FEW,
        "title": title,
        "scale": _around([d[field] for d in shown]),
    }
    tips = [
        {"field": f, "title": t, "type": "quantitative" if fmt else "nominal"} | ({"format": fmt} if fmt else {})
        for f, t, fmt in _TIPS
    ]
    colour: Spec = {"field": "kind", "type": "nominal", "title": None, "legend": {"orient": "bottom"},
                    "scale": {"domain": ["one pool", "two pools"], "range": ["#2e86ab", "#b58900"]}}  # fmt: skip
    if len(answer.systems) > 1:
        colour = {"field": "system", "type": "nominal", "title": None, "legend": {"orient": "bottom"}}
    layers: list[Spec] = [
        {"data": {"name": "layouts"}, "mark": {"type": "circle", "size": 26, "opacity": 0.45},
         "encoding": {"x": x, "y": y, "color": colour, "tooltip": tips}},
        {"data": {"values": best[0]}, "mark": {"type": "line", "color": "#222", "strokeWidth": 1.5},
         "encoding": {"x": x, "y": y, "order": {"field": "user"}}},
        {"data": {"values": best[0]}, "mark": {"type": "rule", "color": "#222", "opacity": 0.3},
         "encoding": {"x": x | {"field": "user_low"}, "x2": {"field": "user_high"}, "y": y}},
        {"data": {"values": best[0]}, "mark": {"type": "circle", "color": "#222", "size": 60, "opacity": 1, "cursor": "pointer"},
         "encoding": {"x": x, "y": y, "tooltip": tips}},
        {"data": {"values": best[1]},
         "mark": {"type": "point", "color": "#d1495b", "size": 220, "strokeWidth": 2.5, "filled": False},
         "encoding": {"x": x, "y": y, "tooltip": tips}},
        {"data": {"values": open_}, "transform": [{"filter": f"datum.option == {SHOWN}"}],
         "mark": {"type": "point", "color": "#222", "size": 420, "strokeWidth": 2, "filled": False, "shape": "square"},
         "encoding": {"x": x, "y": y}},
    ]  # fmt: skip
    return {"width": 430, "height": 380, "layer": layers}
