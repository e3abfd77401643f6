"""A sweep of an equation: a panel for each of its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from headway.equations import Asked, Result
from headway.errors import InputError
from headway.figures.style import CONFIG, FEW, LOG, SCHEMA, Spec
from headway.records.equations import swept_rows

_LINE = "#2e86ab"


def asked_figure(a: Asked) -> Spec:
    """Return a panel for each unit of the results that move, against what was swept; axes are logarithmic where numbers allow.

    Parameters
    ----------
    a : Asked
        With a sweep.

    Raises
    ------
    InputError
        Without one, or when no result is a number.
    """
    e, rows = a.equation, swept_rows(a)
    if not a.swept:
        raise InputError("-o: a chart needs --sweep name=a..b")
    p = e.parameter(a.swept)
    drawn = [g for g in _groups(e.results) if any(len(set(_numbers(rows, r.name))) > 1 for r in g)]
    panels = [_panel(g, p.name, p.unit, bool(p.choices), rows) for g in drawn]
    if not panels:
        raise InputError(f"-o: no result of {e.id} moves over this sweep")
    return {
        "$schema": SCHEMA,
        "title": {"text": f"{e.id}: {e.title}", "subtitle": [e.formula], "anchor": "start", "offset": 14},
        "vconcat": panels,
        "resolve": {"scale": {"color": "independent"}},
        "config": CONFIG,
    }


def _groups(results: Sequence[Result]) -> list[list[Result]]:
    """Results of one unit share a panel; pure numbers have one each."""
    found: dict[str, list[Result]] = {}
    for r in results:
        found.setdefault(r.unit if r.unit not in ("", "x") else f"/{r.name}", []).append(r)
    return list(found.values())


def _numbers(rows: list[dict[str, Any]], name: str) -> list[float]:
    return [r[name] for r in rows if isinstance(r[name], int | float) and math.isfinite(r[name])]


def _axis(name: str, title: str, unit: str, values: list[float]) -> Spec:
    said = f"{title.replace('_', ' ')}{f' [{unit}]' if unit else ''}".strip()
    axis: Spec = {"field": name, "type": "quantitative", "title": said, "axis": FEW}
    wide = min(values) > 0 and max(values) > 5 * min(values)
    return axis | ({"scale": LOG} if wide else {"scale": {"zero": False}})


def _panel(group: list[Result], name: str, unit: str, words: bool, rows: list[dict[str, Any]]) -> Spec:
    """One panel: a line for each result of the group, bars side by side where the sweep goes over words."""
    numbers = [r for r in group if _numbers(rows, r.name)]
    values: list[dict[str, Any]] = [
        {name: row[name], "value": row[r.name], "what": r.name.replace("_", " ")}
        for r in numbers
        for row in rows
        if row[r.name] is not None
    ]
    x: Spec = (
        {"field": name, "type": "nominal", "sort": None, "axis": {"labelAngle": 0}}
        if words
        else _axis(name, name, unit, [v[name] for v in values])
    )
    title = numbers[0].name if len(numbers) == 1 else ""
    encoding: Spec = {"x": x, "y": _axis("value", title, numbers[0].unit, [v["value"] for v in values])}
    if len(numbers) > 1:
        encoding["color"] = {"field": "what", "title": None, "sort": None}
        encoding |= {"xOffset": {"field": "what"}} if words else {}
    mark: Spec = {"type": "point", "filled": True} if words else {"type": "line", "point": {"size": 20}}
    if len(numbers) == 1:
        mark["color"] = _LINE
    return {"width": 560, "height": 150, "data": {"values": values}, "mark": mark, "encoding": encoding}
