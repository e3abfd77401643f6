"""Hit rate of a prompt cache against its size: a line for each time to live, and what memories hold as marks."""

from __future__ import annotations

import math
from typing import Any

from headway import units
from headway.figures.style import CONFIG, SCHEMA, Spec
from headway.plan.prompt_cache import PART, PromptCache
from headway.records.prompt_cache import cache_rows

_COLOURS = ("#2e86ab", "#3a9d5d", "#b58900", "#7d5ba6", "#d1495b", "#777777")
_MARK = "#222222"
_WIDE, _HIGH = 620, 320
_LINE = 13  # pixels of a line of words above the picture
_FINE = 60  # points of a decade
_ENDLESS = "no time to live"


def cache_figure(c: PromptCache) -> Spec:
    """Return the hit rate against the size of each cache, in bytes where a model says how many a token takes.

    Parameters
    ----------
    c : PromptCache
    """
    marks = _marks(c)
    rows = _rows(c, max([m["size"] for m in marks], default=0.0))
    s = c.served
    unit = "tokens" if s is None else "bytes"
    each = "" if c.own.caches == 1 else " of each replica"
    top = max([r["rate"] for r in rows], default=0.0) or 1.0
    known = [r["size"] for r in rows] + [m["size"] for m in marks]
    domain = [min(known, default=1.0) / 1.05, max(known, default=10.0) * 1.05]
    x: Spec = {"field": "size", "type": "quantitative", "title": f"size of the cache{each} ({unit})",
               "scale": {"type": "log", "nice": False, "domain": domain},
               "axis": {"values": _tens(*domain), "labelExpr": _label(unit)}}  # fmt: skip
    y: Spec = {"field": "rate", "type": "quantitative", "title": "hit rate: prompt tokens found", "axis": {"format": "%"},
               "scale": {"domain": [0, top * 1.05]}}  # fmt: skip
    lines = list(dict.fromkeys(r["line"] for r in rows))
    colour: Spec = {"field": "line", "type": "nominal", "title": None, "legend": {"orient": "bottom", "columns": 4, "labelLimit": 260},
                    "scale": {"domain": lines, "range": [*_COLOURS]}}  # fmt: skip
    tips = [{"field": "line", "type": "nominal"}, {"field": "size", "type": "quantitative", "format": ".3s"},
            {"field": "rate", "type": "quantitative", "format": ".1%"}]  # fmt: skip
    plain: Spec = {"x": x, "y": y, "color": colour, "tooltip": tips}
    base, rest = ([r for r in rows if (r["line"] == _ENDLESS) is first] for first in (True, False))
    layers: list[Spec] = [
        {"data": {"values": base}, "mark": {"type": "line", "strokeWidth": 5, "opacity": 0.55}, "encoding": plain},  # others lie on it
        {"data": {"values": rest}, "mark": {"type": "line", "strokeWidth": 1.8}, "encoding": plain},
        {"data": {"values": marks}, "mark": {"type": "rule", "color": _MARK, "strokeDash": [3, 3]}, "encoding": {"x": x}},
        *(_words(m, x) for m in marks),
    ]  # fmt: skip
    return {
        "$schema": SCHEMA,
        "title": {"text": f"Prompt cache: {c.traffic.name or 'traffic'}{_where(c)}", "subtitle": _about(c), "anchor": "start",
                  "offset": 12},
        "width": _WIDE, "height": _HIGH, "layer": layers, "config": CONFIG,
    }  # fmt: skip


def _rows(c: PromptCache, end: float) -> list[dict[str, Any]]:
    """Points of all lines, up to `end` at least; that of one cache for all last."""
    key, found = "size_tokens" if c.served is None else "size_bytes", cache_rows(c, _FINE)
    known = [r[key] for r in found if r[key] is not None]
    if not known:
        return []
    found = [r if r[key] is not None else r | {key: max(end, *known)} for r in found]
    points = [{"size": r[key], "rate": r["hit_rate"], "line": _name(r["ttl_s"])} for r in found]
    if c.own.caches > 1:
        name = f"one cache of all {c.own.caches} together"
        points += [{"size": r[key], "rate": r["hit_rate_shared"], "line": name} for r in found if r["ttl_s"] is None]
    return points


def _name(ttl: float | None) -> str:
    return _ENDLESS if ttl is None else f"unused for at most {units.seconds(ttl)}"


def _marks(c: PromptCache) -> list[dict[str, Any]]:
    """Where the working set and the memories lie, from the smallest."""
    per = 1.0 if c.served is None else c.served.token_bytes
    found = [{"size": c.working_set * per, "text": f"{units.per_cent(PART)} of the most"}] if c.working_set else []
    names = {"free": "HBM beside the batch", "pool": "HBM, nothing running"}
    if c.served is not None:
        found += [
            {"size": x.tokens * per, "text": names.get(x.name, f"+ {x.name}")}
            for x in c.served.levels if 0 < x.tokens < math.inf
        ]  # fmt: skip
    found.sort(key=lambda m: m["size"])
    return [m | {"row": i} for i, m in enumerate(found)]


def _words(mark: dict[str, Any], x: Spec) -> Spec:
    """A mark's name above the picture, each on a line of its own."""
    text: Spec = {"type": "text", "align": "right", "dx": -4, "baseline": "bottom", "color": _MARK, "fontSize": 11}
    tick: Spec = {"type": "rule", "color": _MARK, "strokeDash": [3, 3]}
    top = -4 - _LINE * mark["row"]
    return {
        "data": {"values": [mark]},
        "layer": [
            {"mark": tick, "encoding": {"x": x, "y": {"value": top - _LINE / 2}, "y2": {"value": 0}}},
            {"mark": text, "encoding": {"x": x, "y": {"value": top}, "text": {"field": "text"}}},
        ],
    }


def _tens(low: float, high: float) -> list[float]:
    return [10.0**e for e in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]


def _label(unit: str) -> str:
    """Powers of ten with a metric prefix; of bytes with their unit."""
    giga = "replace(format(datum.value, '~s'), 'G', ' G')"
    return f"replace(replace(replace({giga}, 'M', ' M'), 'k', ' k'), 'T', ' T') + '{'B' if unit == 'bytes' else ''}'"


def _where(c: PromptCache) -> str:
    s = c.served
    return "" if s is None else f" for {s.plan.model.name} on {s.plan.system.name}"


def _about(c: PromptCache) -> str:
    r, s = c.rates, c.served
    where = "" if s is None else f"{s.plan.layout} x {s.plan.replicas}, batch {s.plan.point.batch:,.0f}; "
    return f"{where}{units.some(r.requests, 'request')}, {units.si(r.prompt_tokens)} prompt tokens, blocks of {r.unit_tokens:,}"
