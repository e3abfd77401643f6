"""Trains against time, each with its riders: one panel per way to depart, one row per train."""

from __future__ import annotations

from typing import Any

from headway import units
from headway.figures.style import CONFIG, SCHEMA, Spec
from headway.plan.trains import Timetables, Way
from headway.records.trains import drawn

_STAY, _BOARD, _SEATS = "#2e86ab", "#d1495b", "#ececec"
_HIGH, _ROOM = 0.8, 0.1  # of a row: a train's height, and the space above it
_SECONDS = 5.0  # seconds from which a panel counts in seconds
_AFTER = 0.4  # of the time shown, after the last departure at the most


def trains_figure(t: Timetables) -> Spec:
    """Return the trains of every way to depart.

    Parameters
    ----------
    t : Timetables
    """
    p = t.plan
    about = (
        f"requests at {units.rate(t.rate)}/s, {units.some(t.seats, 'seat')}, {units.some(t.passes, 'pass')} per request"
    )
    return {
        "$schema": SCHEMA,
        "title": {
            "text": f"{p.model.name} on {p.system.name}: trains and their riders",
            "subtitle": [f"{p.layout}, {about}",
                         "a row is a train, its filled height the seats taken; dots: riders who come, lines: their wait"],
            "anchor": "start",
            "offset": 14,
        },
        "vconcat": [trains_panel(drawn(w), t.seats, _title(t, w)) for w in t.ways],
        "config": CONFIG,
    }  # fmt: skip


def _title(t: Timetables, w: Way) -> str:
    waits = "the queue grows" if w.wait == float("inf") else f"mean wait {units.seconds(w.wait)}"
    cost = "" if w.dollars_per_mtok is None else f", {units.dollars(w.dollars_per_mtok)}/Mtok"
    name = {
        "timetable": f"timetable: one leaves every {units.seconds(t.headway)}",
        "held": f"held: leaves full, or after {units.seconds(t.hold)}",
        "continuous": "continuous batching: the next leaves when one arrives",
    }[w.name]  # fmt: skip
    return f"{name}; {waits}, {w.riders:,.3g} riders{cost}"


def _bars(rows: list[dict[str, Any]], seats: int, end: float, scale: float) -> list[dict[str, Any]]:
    """A rectangle for the seats of each train, for those who stay and for those who board."""
    found: list[dict[str, Any]] = []
    for number, x in enumerate(rows):
        foot, at = (
            number + _ROOM + _HIGH,
            {"start": scale * x["departs_s"], "end": scale * min(x["departs_s"] + x["rides_s"], end)},
        )
        stay = x["riders"] - x["boarded"]
        levels = (("free seats", 0, seats), ("stay aboard", 0, stay), ("board", stay, x["riders"]))
        found += [
            {**at, "kind": kind, "low": foot - _HIGH * a / seats, "high": foot - _HIGH * b / seats,
             "riders": x["riders"], "boarded": x["boarded"]}
            for kind, a, b in levels if b > a
        ]  # fmt: skip
    return found


def _waits(rows: list[dict[str, Any]], scale: float) -> list[dict[str, Any]]:
    """A line from each rider's arrival to the departure, spread over the row's height."""
    return [
        {"came": scale * a, "leaves": scale * x["departs_s"], "row": n + _ROOM + _HIGH * (i + 0.5) / x["boarded"],
         "wait": scale * (x["departs_s"] - a)}
        for n, x in enumerate(rows) for i, a in enumerate(x["arrivals_s"])
    ]  # fmt: skip


def trains_panel(rows: list[dict[str, Any]], seats: int, named: str) -> Spec:
    """Return trains one under the other, each with its riders.

    Parameters
    ----------
    rows : list of dict
        Of each: ``departs_s``, ``rides_s``, ``riders``, ``boarded``, and ``arrivals_s`` of those who board. [s, requests]
    seats : int
        [requests]
    named : str
    """
    first = min([rows[0]["departs_s"], *(a for x in rows for a in x["arrivals_s"])])
    last = rows[-1]["departs_s"]
    span = last - first or rows[-1]["rides_s"]
    end = min(last + rows[-1]["rides_s"], last + _AFTER * span)
    unit, scale = ("s", 1.0) if end - first > _SECONDS else ("ms", 1e3)
    domain = [scale * (first - 0.01 * span), scale * end]
    x: Spec = {
        "field": "start",
        "type": "quantitative",
        "title": f"time ({unit})",
        "scale": {"domain": domain, "nice": False},
    }
    y: Spec = {"field": "low", "type": "quantitative", "title": "train", "axis": None,
               "scale": {"domain": [0, len(rows)], "reverse": True, "nice": False}}  # fmt: skip
    colour: Spec = {"field": "kind", "type": "nominal", "title": None,
                    "scale": {"domain": ["stay aboard", "board", "free seats"], "range": [_STAY, _BOARD, _SEATS]}}  # fmt: skip
    tips = [{"field": f, "type": "quantitative"} for f in ("riders", "boarded", "start")]
    bars: Spec = {
        "data": {"values": _bars(rows, seats, end, scale)}, "mark": {"type": "rect", "clip": True},
        "encoding": {"x": x, "x2": {"field": "end"}, "y": y, "y2": {"field": "high"}, "color": colour, "tooltip": tips},
    }  # fmt: skip
    edges: Spec = {
        "data": {"values": [{"start": scale * r["departs_s"], "low": n + _ROOM, "high": n + _ROOM + _HIGH} for n, r in enumerate(rows)]},
        "mark": {"type": "rule", "color": "#444"}, "encoding": {"x": x, "y": y, "y2": {"field": "high"}},
    }  # fmt: skip
    came: Spec = x | {"field": "came"}
    at: Spec = y | {"field": "row"}
    lines: Spec = {"mark": {"type": "rule", "color": _BOARD, "opacity": 0.45, "clip": True},
                   "encoding": {"x": came, "x2": {"field": "leaves"}, "y": at}}  # fmt: skip
    dots: Spec = {"mark": {"type": "circle", "color": _BOARD, "size": 14, "opacity": 0.9, "clip": True},
                  "encoding": {"x": came, "y": at, "tooltip": [{"field": "wait", "type": "quantitative"}]}}  # fmt: skip
    title: Spec = {"text": named, "anchor": "start", "fontSize": 12}
    return {"title": title, "width": 640, "height": 20 * len(rows),
            "layer": [bars, edges, {"data": {"values": _waits(rows, scale)}, "layer": [lines, dots]},
                      _numbers(rows, x, y, scale)]}  # fmt: skip


def _numbers(rows: list[dict[str, Any]], x: Spec, y: Spec, scale: float) -> Spec:
    """Riders of each train as a number beside its departure."""
    label: Spec = {"x": x, "y": y, "text": {"field": "riders", "format": ","}}
    words: Spec = {"type": "text", "align": "left", "dx": 4, "fontSize": 10}
    return {
        "data": {
            "values": [
                {"start": scale * r["departs_s"], "low": n + 0.5, "riders": r["riders"]} for n, r in enumerate(rows)
            ]
        },
        "layer": [  # a white edge, so that the number is read on any colour
            {"mark": words | {"stroke": "white", "strokeWidth": 3}, "encoding": label},
            {"mark": words | {"color": "#222"}, "encoding": label},
        ],
    }
