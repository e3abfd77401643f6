"""A measured endpoint: steps against batch, with the line, the floor and the estimate."""

from __future__ import annotations

from typing import Any

import numpy as np

from headway import units
from headway.errors import InputError
from headway.figures.style import CONFIG, FEW, LOG, SCHEMA, Spec
from headway.measure.measuring import Measured

_WIDER = 1.5  # times beyond the batches that were measured


def measured_figure(m: Measured) -> Spec:
    """Return time of a step against batch, a panel per context: runs, line, floor, estimate.

    Parameters
    ----------
    m : Measured

    Raises
    ------
    InputError
        When nothing was timed.
    """
    cells = [c for c in m.cells if c.steps]
    if not cells:
        raise InputError("-o: no step was timed, so there is nothing to draw")
    groups: dict[int, list[float]] = {}
    for c in cells:
        groups.setdefault(_near(c.prompt), []).append(c.context)
    panels = [_panel(m, p, float(np.mean(x))) for p, x in sorted(groups.items())]
    knee = (
        ""
        if m.line is None
        else f"; knee at {m.line.knee:,.3g}, 80 % of the peak from {m.line.near_peak:,.3g} sequences"
    )
    return {
        "$schema": SCHEMA,
        "title": {"text": f"{m.swept.served}: a step against batch", "anchor": "start",
                  "subtitle": f"{units.some(len(m.swept.runs), 'run')}; points: runs that repeat each other{knee}"},
        "hconcat": panels, "spacing": 30, "config": CONFIG,
    }  # fmt: skip


def _near(prompt: float) -> int:
    """Prompts of nearly one length are one panel."""
    return 10 * round(prompt / 10) if prompt >= 10 else round(prompt)


def _panel(m: Measured, prompt: int, context: float) -> Spec:
    here = [c for c in m.cells if c.steps and _near(c.prompt) == prompt]
    runs = [{"batch": c.batch, "ms": 1e3 * s} for c in here for s in c.steps]
    low, high = min(c.batch for c in here), max(c.batch for c in here) * _WIDER
    batches = np.geomspace(low, high, 40)
    rows: list[dict[str, Any]] = []
    if m.line is not None:
        rows += [{"batch": float(b), "ms": 1e3 * m.line.seconds(float(b), context), "what": "line"} for b in batches]
    if m.roof is not None:
        for name, f in (("floor", m.roof.floor), ("estimate", m.roof.estimate)):
            rows += [{"batch": float(b), "ms": 1e3 * f(float(b), context), "what": name} for b in batches]
    rows = [r for r in rows if r["ms"] > 0]
    x = {"field": "batch", "type": "quantitative", "scale": LOG, "axis": FEW, "title": "sequences"}
    y = {"field": "ms", "type": "quantitative", "scale": LOG, "axis": FEW, "title": "step (ms)"}
    names = {"line": "#222222", "floor": "#2e86ab", "estimate": "#d1495b"}
    colour = {
        "field": "what",
        "type": "nominal",
        "title": None,
        "scale": {"domain": list(names), "range": list(names.values())},
    }
    lines = {"data": {"values": rows}, "mark": {"type": "line"}, "encoding": {"x": x, "y": y, "color": colour}}
    points = {"data": {"values": runs}, "mark": {"type": "point", "filled": True, "size": 45, "color": "#222222", "opacity": 0.6},
              "encoding": {"x": x, "y": y, "tooltip": [{"field": "batch"}, {"field": "ms", "format": ".3g"}]}}  # fmt: skip
    return {
        "title": {"text": f"prompts of {prompt:,} tokens", "anchor": "start", "fontSize": 11}, "width": 300, "height": 240,
        "layer": [*([lines] if rows else []), points],
    }  # fmt: skip
