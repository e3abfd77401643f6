"""The valley of a model's lifetime cost against its size."""

from __future__ import annotations

import math

import numpy as np

from headway import units
from headway.figures.style import CONFIG, LOG, SCHEMA, Spec
from headway.plan.lifetime import Lifetime
from headway.training.optimum import life_at

_POINTS = 80
_WIDE = 30.0  # times the cheapest size, either way
_DEEP = 30.0  # times the least cost
_ITSELF = "the model"  # stands below its point: it may be the cheapest
_COLOURS = {"pre-training": "#d1495b", "reinforcement": "#7d5ba6", "serving": "#2e86ab", "together": "#222222"}


def lifetime_figure(found: Lifetime) -> Spec:
    """Return the cost of pre-training, reinforcement and serving at equal quality against the size of the model.

    Parameters
    ----------
    found : Lifetime
        Its first law is drawn.
    """
    x = found.laws[0]
    rows, marks = _rows(found), _marks(found)
    names = list(_COLOURS)
    ax: Spec = {"field": "n", "type": "quantitative", "scale": LOG, "title": "active parameters (billions)"}
    ay: Spec = {
        "field": "dollars",
        "type": "quantitative",
        "scale": {"type": "log"},
        "title": "cost over its life ($ million)",
    }
    colour: Spec = {
        "field": "part", "type": "nominal", "title": None, "legend": {"orient": "bottom"},
        "scale": {"domain": names, "range": [_COLOURS[c] for c in names]},
    }  # fmt: skip
    served, trained = units.tokens(found.prices.demand), units.tokens(found.training.tokens)
    about = f"as good as {found.training.model.name} on {trained} tokens, {served} to serve; {x.name}"
    return {
        "$schema": SCHEMA,
        "title": {"text": "How large a model should be", "subtitle": about, "anchor": "start", "offset": 12},
        "width": 560, "height": 320,
        "layer": [
            {"data": {"values": rows}, "mark": {"type": "line", "strokeWidth": 2}, "encoding": {"x": ax, "y": ay, "color": colour}},
            {"data": {"values": marks}, "mark": {"type": "point", "filled": True, "size": 70, "color": "#222222"},
             "encoding": {"x": ax, "y": ay}},
            *({"data": {"values": [m for m in marks if (m["text"] == _ITSELF) == below]},
               "mark": {"type": "text", "dy": 16 if below else -12, "fontSize": 11},
               "encoding": {"x": ax, "y": ay, "text": {"field": "text"}}} for below in (False, True)),
        ],
        "config": CONFIG,
    }  # fmt: skip


def _most(found: Lifetime) -> float:
    """Up to which cost the valley is drawn. [$ million]"""
    return _DEEP * found.laws[0].optimum.best.total / 1e6


def _rows(found: Lifetime) -> list[dict[str, object]]:
    x = found.laws[0]
    best, loss = x.optimum.best, float(x.law.loss(x.asked.n, x.asked.tokens))
    rows: list[dict[str, object]] = []
    for n in np.geomspace(best.n / _WIDE, best.n * _WIDE, _POINTS).tolist():
        life = life_at(x.law, n, loss, found.prices)
        costs = (life.pretraining, life.reinforcement, life.serving, life.total)
        parts = [(part, cost / 1e6) for part, cost in zip(_COLOURS, costs, strict=True) if math.isfinite(life.total)]
        shown = [(part, d) for part, d in parts if 0 < d <= _most(found)]
        rows.extend({"n": n / 1e9, "dollars": d, "part": part} for part, d in shown)
    return rows


def _marks(found: Lifetime) -> list[dict[str, object]]:
    x = found.laws[0]
    lives = ((x.optimum.best, "cheapest"), (x.optimum.compute_optimal, "least training"), (x.asked, _ITSELF))
    shown = [(v, text) for v, text in lives if v.total / 1e6 <= _most(found)]
    return [{"n": v.n / 1e9, "dollars": v.total / 1e6, "text": text} for v, text in shown]
