"""A sweep of an equation: a panel for each of its numbers."""

from __future__ import annotations

import math
from typing import Any

from headway.equations import Asked, Result
from headway.errors import InputError
from headway.figures.style import CONFIG, FEW, LOG, SCHEMA, Spec
from headway.records.equations import swept_rows

_LINE = "#2e86ab"


def asked_figure(a: Asked) -> Spec:
    """Return a panel for each result against the parameter that was swept; both axes logarithmic where numbers allow.

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
    panels = [_panel(r, p.name, p.unit, bool(p.choices), rows) for r in e.results if _numbers(rows, r.name)]
    if not panels:
        raise InputError(f"-o: no result of {e.id} is a number over this sweep")
    return {
        "$schema": SCHEMA,
        "title": {"text": f"{e.id}: {e.title}", "subtitle": [e.formula], "anchor": "start", "offset": 14},
        "vconcat": panels,
        "config": CONFIG,
    }


def _numbers(rows: list[dict[str, Any]], name: str) -> list[float]:
    return [r[name] for r in rows if isinstance(r[name], float) and math.isfinite(r[name])]


def _axis(name: str, unit: str, values: list[float]) -> Spec:
    axis: Spec = {
        "field": name,
        "type": "quantitative",
        "title": f"{name.replace('_', ' ')}{f' [{unit}]' if unit else ''}",
        "axis": FEW,
    }
    return axis | ({"scale": LOG} if min(values) > 0 and max(values) > 5 * min(values) else {"scale": {"zero": False}})


def _panel(r: Result, name: str, unit: str, words: bool, rows: list[dict[str, Any]]) -> Spec:
    values = [row for row in rows if row[r.name] is not None]
    x: Spec = (
        {"field": name, "type": "nominal", "sort": None} if words else _axis(name, unit, [row[name] for row in values])
    )
    mark: Spec = {"type": "bar" if words else "line", "color": _LINE, "point": {"color": _LINE, "size": 20}}
    y = _axis(r.name, r.unit, _numbers(rows, r.name))
    return {"width": 560, "height": 130, "data": {"values": values}, "mark": mark, "encoding": {"x": x, "y": y}}
