"""A table's predictions: over what was measured, or, where nothing was, against the requests in flight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from headway import units
from headway.figures.style import CONFIG, FEW, SCHEMA, Spec
from headway.predictions.compared import Compared, paired

_UNITS = {"TPOT": "ms", "TTFT": "ms", "output tok/s": "tokens/s"}
_ALONE = {  # what is drawn of a table without measurements: prediction, low, high
    "TPOT": ("predicted_tpot_ms", "tpot_ms_low", "tpot_ms_high"), "TTFT": ("predicted_ttft_ms", "ttft_ms_low", "ttft_ms_high"),
    "output tok/s": ("predicted_output_tok_s", "", ""),
}  # fmt: skip
_SERIES = 8  # colours that one tells apart
_SIZE = 250  # of a panel [pixels]


def predictions_figure(rows: Sequence[Mapping[str, str]]) -> Spec:
    """Return predicted against measured, a panel for each quantity: on the line is right, bars are 80 % intervals, the band is 20 %.

    Parameters
    ----------
    rows : sequence of mapping
        As of `headway.predictions.predicted_rows`.
    """
    tally = Compared()
    for r in rows:
        tally.add(r)
    said = [
        f"{r['what']}: {r['rows']} rows, median error {units.per_cent(r['median_error'])}"
        + ("" if r["inside_80"] is None else f", {units.per_cent(r['inside_80'])} inside the 80 % interval")
        for r in tally.record()
    ]
    measured = [(p, r) for r in rows for p in paired(r)]
    kinds = {r["model"] + " on " + r["system"] for r in rows if not r.get("refused")}
    if measured:
        values = [_value(p.what, p.measured, (p.predicted, p.low, p.high), r) for p, r in measured]
        title = "Predicted against measured"
    else:
        values = [v for r in rows for v in _alone(r)]
        said, title = ["nothing was measured: a column like mean_tpot_ms stands beside its prediction"], "Predictions"
    panels = [
        _panel(n, mine, bool(measured), len(kinds) <= _SERIES)
        for n in _UNITS
        if (mine := [v for v in values if v["what"] == n])
    ]
    head: Spec = {"text": title, "subtitle": said, "anchor": "start", "offset": 14}
    return {"$schema": SCHEMA, "title": head, "hconcat": panels, "config": CONFIG}


def _number(text: str | None) -> float:
    try:
        return float((text or "").replace(",", ""))
    except ValueError:
        return math.nan


def _value(what: str, at: float, found: tuple[float, float, float], row: Mapping[str, str]) -> dict[str, Any]:
    value, low, high = (None if math.isnan(x) else x for x in found)
    kind = f"{row['model']} on {row['system']}"
    return {
        "what": what,
        "at": at,
        "value": value,
        "low": low,
        "high": high,
        "kind": kind,
        "in_flight": row["batch_or_concurrency"],
    }


def _alone(row: Mapping[str, str]) -> list[dict[str, Any]]:
    at = _number(row.get("batch_or_concurrency"))
    found = [(n, (_number(row.get(a)), _number(row.get(b)), _number(row.get(c)))) for n, (a, b, c) in _ALONE.items()]
    return [_value(n, at, v, row) for n, v in found if v[0] > 0 and at > 0]


def _panel(name: str, values: Sequence[dict[str, Any]], measured: bool, coloured: bool) -> Spec:
    unit = _UNITS[name]
    log: Spec = {"type": "log", "nice": False}
    ends = [v[k] for v in values for k in ("at", "value", "low", "high") if v[k]]
    same = {"domain": [0.9 * min(ends), 1.1 * max(ends)]} if measured else {}
    x: Spec = {"field": "at", "type": "quantitative", "axis": FEW, "scale": log | same,
               "title": f"measured {name} ({unit})" if measured else "requests in flight (or batch)"}  # fmt: skip
    y: Spec = {
        "field": "value",
        "type": "quantitative",
        "axis": FEW,
        "scale": log | same,
        "title": f"predicted {name} ({unit})",
    }
    tips: list[Spec] = [{"field": "kind", "title": "case"}, {"field": "in_flight", "title": "in flight"}]
    tips += [{"field": f, "type": "quantitative", "title": t, "format": ",.4~r"} for f, t in (
        ("at", "measured" if measured else "in flight"), ("value", "predicted"), ("low", "80 % from"), ("high", "80 % to"))]  # fmt: skip
    paint: Spec = {"color": {"field": "kind", "type": "nominal", "title": None, "legend": {"orient": "bottom", "columns": 1}},
                   "shape": {"field": "kind", "type": "nominal", "title": None}}  # fmt: skip
    paint = paint if coloured else {"color": {"value": "#2e86ab"}}
    layers: list[Spec] = []
    if measured:
        line = [{"at": e, "value": e, "low": 0.8 * e, "high": 1.2 * e} for e in same["domain"]]
        band: Spec = {"type": "area", "opacity": 0.15, "color": "#888", "clip": True}
        layers += [
            {
                "data": {"values": line},
                "mark": band,
                "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}},
            },
            {
                "data": {"values": line},
                "mark": {"type": "line", "color": "#888", "strokeWidth": 1},
                "encoding": {"x": x, "y": y},
            },
        ]
    bars: Spec = {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}}
    sure = [v for v in values if v["low"]]
    layers += [
        {"data": {"values": sure}, "mark": {"type": "rule", "opacity": 0.5}, "encoding": bars | {"tooltip": tips}},
        {"data": {"values": list(values)}, "mark": {"type": "point", "filled": True, "size": 55, "opacity": 0.9},
         "encoding": {"x": x, "y": y, "tooltip": tips} | paint},
    ]  # fmt: skip
    return {"width": _SIZE, "height": _SIZE, "layer": layers}
