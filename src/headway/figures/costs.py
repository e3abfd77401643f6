"""Costs of tokens along an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from headway import units
from headway.figures.style import CONFIG, SCHEMA, Spec
from headway.plan.costs import KINDS, Costs

_TITLES = {
    "batch": "sequences of a replica", "context": "context [tokens]", "hits": "share of prompts found in the prefix cache",
    "load": "share of what the deployment carries",
}  # fmt: skip
_COLOURS = ["#2e86ab", "#3a9d5d", "#d1495b"]


def costs_figure(axis: str, found: Sequence[tuple[float, Costs]]) -> Spec:
    """Return $/Mtok of input, cached input and output along an axis, their floors dashed.

    Parameters
    ----------
    axis : str
    found : sequence of (float, Costs)
        The place on it, in its unit, and the costs there. [1]
    """
    c = found[0][1]
    rows = [
        {"x": x, "name": k.name, "cost": y, "what": what}
        for x, at in found
        for k in at.kinds
        for what, y in (("average", k.average), ("floor", k.floor))
        if k.rate > 0 and not math.isnan(y) and y > 0
    ]
    kind = "linear" if axis in ("hits", "load") else "log"
    s = c.setting
    asked = f"{s.output:,.0f} tokens out" if axis == "context" else f"{s.prompt:,.0f} tokens in, {s.output:,.0f} out"
    return {
        "$schema": SCHEMA,
        "title": {
            "text": f"{s.model.name} on {s.system.name} as {c.answer.case.layout}", "anchor": "start",
            "subtitle": [f"{asked}; ${c.rent * 3600:,.2f}/h for {units.some(s.system.chips, 'chip')}"],
        },
        "data": {"values": rows}, "width": 520, "height": 320, "config": CONFIG,
        "mark": {"type": "line", "strokeWidth": 2, "tooltip": True},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": _TITLES[axis], "scale": {"type": kind, "nice": False},
                  **({"axis": {"format": "%"}} if kind == "linear" else {})},
            "y": {"field": "cost", "type": "quantitative", "title": "cost [$/Mtok]", "scale": {"type": "log"}},
            "color": {"field": "name", "type": "nominal", "title": None, "scale": {"domain": list(KINDS), "range": _COLOURS}},
            "strokeDash": {"field": "what", "type": "nominal", "title": None,
                           "scale": {"domain": ["average", "floor"], "range": [[1, 0], [5, 4]]}},
        },
    }  # fmt: skip
