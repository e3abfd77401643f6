"""A simulation in one picture: how long requests took, some of them one by one, and the replicas over time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from headway import units
from headway.figures.over_time import LEFT, WIDE, batch_panel, requests_panel, strips
from headway.figures.style import CONFIG, FEW, SCHEMA, Spec
from headway.simulation.results import Simulated

Floats = NDArray[np.float64]
_LINE, _SLO = "#2e86ab", "#d1495b"
_SHARES = np.unique(np.concatenate([np.linspace(0, 1, 101), np.linspace(0.99, 1, 11), [0.9999]]))
_NAMED = (0.5, 0.99)  # quantiles whose value stands beside the line
_ABOVE = 1.14  # end of the axis of shares: room for words above the line
_TICKS = 4  # of an axis of times, about
_GAP = 30  # between panels of a row [pixels]


def simulation_figure(s: Simulated, ttft: float | None = None, tpot: float | None = None) -> Spec:
    """Return a simulation as a picture whose size does not grow with the number of requests.

    Parameters
    ----------
    s : Simulated
    ttft, tpot : float or None
        Limits that are drawn as lines, with the share of requests within each. [s]
    """
    return {
        "$schema": SCHEMA,
        "title": {"text": f"{s.deployment.setting.model.name} on {s.deployment.setting.system.name}: {_traffic(s)}",
                  "subtitle": _about(s), "anchor": "start", "offset": 14},
        "vconcat": [p for p in (_times(s, {"TTFT": ttft, "TPOT": tpot}), requests_panel(s.log), batch_panel(s.log), strips(s.log)) if p],
        "spacing": 26,
        "config": CONFIG,
    }  # fmt: skip


def _traffic(s: Simulated) -> str:
    return f"{units.some(len(s.log.requests), 'request')}{f' of {s.log.requests.name}' if s.log.requests.name else ''}"


def _about(s: Simulated) -> list[str]:
    d = s.deployment
    ran = f"{d.layout} x {s.replicas}, {d.setting.engine.name}, over {units.seconds(s.span)}"
    rates = f"carried {units.rate(s.carried)} requests/s" + (
        "" if np.isnan(s.offered) else f" of {units.rate(s.offered)} offered"
    )
    lost = [
        f"{units.some(int(number), 'request')} {what}"
        for number, what in ((s.log.rejected.sum(), "rejected"), ((s.log.preempted > 0).sum(), "pre-empted")) if number
    ]  # fmt: skip
    grows = ["the queue grows without bound"] if s.saturated else []
    return ["; ".join([ran, rates]), *(["; ".join([*grows, *lost])] if grows or lost else [])]


def _times(s: Simulated, limits: Mapping[str, float | None]) -> Spec | None:
    """Cumulative shares of requests against the times that they saw."""
    sets = (("TTFT", s.log.ttft), ("TPOT", s.log.tpot), ("request", s.request))
    known = [(name, values) for name, values in sets if (np.isfinite(values) & (values > 0)).any()]
    if not known:
        return None
    wide = (WIDE - _GAP * (len(known) - 1)) // len(known)
    return {
        "hconcat": [_shares(s, name, values, wide, limits.get(name)) for name, values in known],
        "spacing": _GAP,
        "bounds": "flush",
    }


def _groups(s: Simulated) -> dict[str, NDArray[np.bool_]]:
    """Which requests are of which tier; of one tier all."""
    r = s.log.requests
    if len(r.tiers) < 2 or not len(r.tier):
        return {"all": np.ones(len(r), dtype=np.bool_)}
    return {name: r.tier == i for i, name in enumerate(r.tiers)}


def _shares(s: Simulated, name: str, values: Floats, wide: int, limit: float | None) -> Spec:
    known = np.isfinite(values) & (values > 0)
    unit, scale = ("ms", 1e3) if float(np.median(values[known])) < 1 else ("s", 1.0)
    groups = {tier: np.sort(scale * values[known & own]) for tier, own in _groups(s).items()}
    groups = {tier: sample for tier, sample in groups.items() if len(sample)}
    low, high = min(g[0] for g in groups.values()), max(g[-1] for g in groups.values())
    if limit is not None:
        low, high = min(low, scale * limit), max(high, scale * limit)
    room = (high / low) ** 0.02 * 1.001
    x: Spec = {"field": "x", "type": "quantitative", "title": f"{name} ({unit})",
               "axis": FEW | {"values": _ticks(low, high), "labelExpr": "format(datum.value, ',~r')"},
               "scale": {"type": "log", "nice": False, "domain": [low / room, high * room]}}  # fmt: skip
    first = name == "TTFT"
    y: Spec = {"field": "share", "type": "quantitative", "scale": {"domain": [0, _ABOVE]},
               "title": "requests within it" if first else None,
               "axis": LEFT | {"format": "%", "values": [0, 0.25, 0.5, 0.75, 1], "labels": first}}  # fmt: skip
    several = len(groups) > 1
    colour: Spec = {"field": "tier", "type": "nominal", "title": None, "scale": {"domain": list(groups)},
                    "legend": {"orient": "bottom"}} if several else {"value": _LINE}  # fmt: skip
    lines = [row for tier, sample in groups.items() for row in _points(tier, sample, _SHARES)]
    dots = [row for tier, sample in groups.items() for row in _points(tier, sample, np.array(_NAMED))]
    tips: list[Spec] = [{"field": "share", "format": ".2%"}, {"field": "x", "title": unit, "format": ",.4~r"}]
    layers: list[Spec] = [
        {"data": {"values": lines}, "mark": {"type": "line", "strokeWidth": 2, "clip": True},
         "encoding": {"x": x, "y": y, "color": colour, "detail": {"field": "tier"}}},
        {"data": {"values": dots}, "mark": {"type": "circle", "size": 40, "opacity": 1},
         "encoding": {"x": x, "y": y, "color": colour, "tooltip": tips}},
    ]  # fmt: skip
    if not several:
        layers += [_words(row, (low * high) ** 0.5, x, y) for row in dots]
    if limit is not None:
        layers += _promised(limit, scale, float((values[known] <= limit).mean()), (low * high) ** 0.5, x)
    return {"width": wide, "height": 150, "layer": layers}


def _promised(limit: float, scale: float, kept: float, middle: float, x: Spec) -> list[Spec]:
    """A limit as a line, and how many are within it."""
    right = scale * limit < middle
    row: Spec = {"x": scale * limit, "said": f"{units.per_cent(kept)} within"}
    words: Spec = {"type": "text", "align": "left" if right else "right", "dx": 5 if right else -5, "color": _SLO,
                   "fontWeight": 600}  # fmt: skip
    line: Spec = {"type": "rule", "color": _SLO, "strokeDash": [5, 3], "strokeWidth": 2}
    return [
        {"data": {"values": [row]}, "mark": line, "encoding": {"x": x}},
        {
            "data": {"values": [row]},
            "mark": words,
            "encoding": {"x": x, "y": {"value": 142}, "text": {"field": "said"}},
        },
    ]


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers on a logarithmic axis: 1, 2, 5 and tens of them; of a narrow one equal steps."""
    tens = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for set_ in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        inside = [t for t in np.outer(tens, set_).ravel().tolist() if low <= t <= high]
        if len(inside) >= _TICKS - 1:
            return inside if len(inside) <= 2 * _TICKS else inside[:: -(-len(inside) // _TICKS)]
    rough = (high - low) / _TICKS
    ten = 10.0 ** np.floor(np.log10(rough)) if rough > 0 else 1.0
    step = next(float(m * ten) for m in (1, 2, 5, 10) if m * ten >= rough)
    return [step * i for i in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def _points(tier: str, sample: Floats, shares: Floats) -> list[Spec]:
    return [
        {"tier": tier, "share": float(q), "x": float(v)}
        for q, v in zip(shares, np.quantile(sample, shares), strict=True)
    ]


def _words(row: Spec, middle: float, x: Spec, y: Spec) -> Spec:
    """The value of a quantile where no line is: above it on its left, below it on its right."""
    left = row["x"] > middle
    unit = 1e-3 if x["title"].endswith("(ms)") else 1.0
    text = f"p{100 * row['share']:g} {units.seconds(unit * row['x'])}"
    above = left or row["share"] > 0.9
    mark: Spec = {"type": "text", "align": "right" if left else "left", "dx": -6 if left else 6, "dy": -9 if above else 8,
                  "color": "#222"}  # fmt: skip
    return {"data": {"values": [row]}, "mark": mark, "encoding": {"x": x, "y": y, "text": {"value": text}}}
