"""A loop of reinforcement learning as a picture: where the chips' time goes under each split, and how its answers end."""

from __future__ import annotations

import numpy as np

from headway import units
from headway.figures.style import CONFIG, SCHEMA, Spec
from headway.plan.reinforcement import Iterated, Loop

_SHOWN = 8  # splits
_POINTS = 60  # of the answers' curve
_COLOURS = {
    "generating": "#2e86ab", "forward passes": "#e08e9b", "training": "#d1495b", "sending weights": "#b58900",
    "last answers": "#c9c9c9", "other pool": "#8f8f8f",
}  # fmt: skip
_IDLE = {"last answers": "idle: last answers", "other pool": "idle: other pool"}


def loop_figure(found: Loop) -> Spec:
    """Return an iteration's time by what the chips do in it, split beside split, and the answers that are still written against time.

    Parameters
    ----------
    found : Loop
    """
    b, q = found.best, found.question
    about = [
        f"{found.plan.model.name} on {q.request.system}: {q.prompts:,} prompts x {q.group} answers, "
        f"{units.tokens(found.generated)} tokens",
        f"{units.seconds(b.seconds)} an iteration at the fastest, {units.per_cent(b.idle)} of the chips' time idle",
    ]
    return {
        "$schema": SCHEMA,
        "title": {"text": "Reinforcement learning as a loop", "subtitle": about, "anchor": "start", "offset": 12},
        "vconcat": [_splits(found), _answers(found)],
        "config": CONFIG,
    }


def _name(x: Iterated) -> str:
    chips = f"all {x.generating:,}" if x.way == "together" else f"{x.generating:,} + {x.training:,}"
    return f"{chips} {x.way}, {x.layout}"


def _splits(found: Loop) -> Spec:
    order = list(_COLOURS)
    rows = [
        {
            "split": _name(x), "part": _IDLE.get(part, part), "index": order.index(part), "seconds": share * x.seconds,
            "share": units.per_cent(share),
        }
        for x in found.splits[:_SHOWN] for part, share in x.parts.items() if share > 0
    ]  # fmt: skip
    names = list(dict.fromkeys(str(r["split"]) for r in rows))
    parts = [_IDLE.get(p, p) for p in order]
    bar: Spec = {
        "x": {"field": "seconds", "type": "quantitative", "title": "an iteration, by what the chips do in it (s)"},
        "y": {"field": "split", "type": "nominal", "sort": names, "title": None},
        "color": {
            "field": "part", "type": "nominal", "title": None, "legend": {"orient": "bottom", "columns": 3},
            "scale": {"domain": parts, "range": list(_COLOURS.values())},
        },
        "order": {"field": "index"},
        "tooltip": [{"field": "split"}, {"field": "part"}, {"field": "share"}],
    }  # fmt: skip
    return {
        "width": 440, "height": 26 * len(names), "data": {"values": rows}, "mark": {"type": "bar", "height": 16}, "encoding": bar,
    }  # fmt: skip


def _answers(found: Loop) -> Spec:
    ends = np.sort(found.simulated.log.end)
    at = np.unique(np.linspace(0.0, float(ends[-1]), _POINTS))
    left = 1.0 - np.searchsorted(ends, at, side="right") / len(ends)
    return {
        "width": 440, "height": 120,
        "data": {"values": [{"seconds": float(t), "left": float(x)} for t, x in zip(at, left, strict=True)]},
        "mark": {"type": "area", "interpolate": "step-after", "color": _COLOURS["generating"], "opacity": 0.7},
        "encoding": {
            "x": {"field": "seconds", "type": "quantitative", "title": "time since the prompts (s), of the fastest"},
            "y": {"field": "left", "type": "quantitative", "title": "answers not ended", "axis": {"format": "%"}},
        },
    }  # fmt: skip
