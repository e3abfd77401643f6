"""One option of a search, opened: its chips by what they do, a chip's memory, and where the time goes beside the best one's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from headway.figures.style import Spec
from headway.search import Option, SearchAnswer
from headway.search.placement import Place, memory_parts, name_of, places
from headway.search.why import spent

SHOWN, ROLE = "shown", "role"  # parameters of the chart: the option that is open, and by what its chips are coloured
ROLES = ("pool", "replica", "stage", "data", "expert", "tensor")
_SAID = {
    "pool": "pool (P: prompts, A: answers)", "replica": "replica",
    "stage": "pipeline stage", "data": "data-parallel group",
    "expert": "expert group", "tensor": "tensor slice",
}  # fmt: skip
_POOLS = {"all": "PA", "prompts": "P", "answers": "A", "idle": "-"}
_CHIPS, _ALL = 288, 24_000  # chips that are drawn: of an option, and of all that can be opened
_SIDE = 30  # of a chip [pixels]
_ACROSS = 12  # chips


def opened(answer: SearchAnswer) -> list[Option]:
    """Return the options that a chart can open: the best first, then its frontiers, then the runners-up; of very large systems some.

    Parameters
    ----------
    answer : SearchAnswer
    """
    every = [answer.best, *answer.by_cost, *answer.frontier, *answer.losers]
    found = {(o.system, o.index): o for o in reversed(every)}
    order = list(dict.fromkeys((o.system, o.index) for o in every))
    most = max(int(_ALL / min(max(o.chips for o in every), _CHIPS)), 2)
    kept = order if len(order) <= most else [order[0], *order[1 :: math.ceil((len(order) - 1) / (most - 1))]]
    return [found[k] for k in kept]


def opened_panels(answer: SearchAnswer) -> Spec:
    """Return the panels of the option that the parameter `SHOWN` names, at first the best.

    Parameters
    ----------
    answer : SearchAnswer
    """
    options = opened(answer)
    memory = [(name_of(o), {k: v / 1e9 for k, v in memory_parts(o).items()}) for o in options]
    time = [(name_of(o), {k: 1e6 * v for k, v in spent(o).items()}) for o in options]
    bars = [
        _bars("memory of a chip (GB)", memory, "GB"),
        _bars("chip-time of an output token (µs)", time, "µs"),
    ]
    return {"hconcat": [_rack(options), {"vconcat": bars, "spacing": 14}], "spacing": 40}


def parameters(answer: SearchAnswer) -> list[Spec]:
    """Return what opens an option, and what its chips are coloured by: the finest cut that the best one has.

    Parameters
    ----------
    answer : SearchAnswer
    """
    d, layout = answer.best.deployment, answer.best.layout
    cuts = {"pool": d.prefill is not None, "expert": layout.ep > 1, "tensor": layout.tp > 1, "stage": layout.pp > 1}
    first = next((k for k, used in cuts.items() if used), "replica")
    return [{"name": SHOWN, "value": name_of(answer.best)}, {"name": ROLE, "value": first}]


def _columns(found: Sequence[Place]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {k: [getattr(p, k) for p in found] for k in ROLES}
    return columns | {"pool": [_POOLS[p.pool] for p in found], "chip": list(range(1, len(found) + 1))}


def _rack(options: Sequence[Option]) -> Spec:
    """The chips as squares, each with the number of the group that the parameter `ROLE` names."""
    rows: list[Spec] = []
    most = 0
    for o in options:
        found = places(o)[:_CHIPS]
        most = max(most, len(found))
        rows.append({"option": name_of(o), **_columns(found)})
    fields = ["chip", *ROLES]
    across = min(most, _ACROSS)
    x: Spec = {"field": "column", "type": "ordinal", "axis": None, "scale": {"domain": list(range(across))}}
    y: Spec = {"field": "row", "type": "ordinal", "axis": None}
    tips = [{"field": f, "title": _SAID.get(f, f), "type": "nominal"} for f in fields]
    colour: Spec = {"field": "group", "type": "nominal", "scale": {"scheme": "set3"}, "legend": None}
    said = " : ".join(f"role == '{k}' ? '{v}'" for k, v in _SAID.items())
    return {
        "title": {"text": {"expr": f"'chips by ' + ({said} : role)"}, "anchor": "start", "fontSize": 12},
        "data": {"values": rows},
        "transform": [
            {"filter": f"datum.option == {SHOWN}"}, {"flatten": fields},
            {"calculate": f"datum[{ROLE}] == 0 ? '-' : '' + datum[{ROLE}]", "as": "group"},
            {"calculate": f"(datum.chip - 1) % {across}", "as": "column"},
            {"calculate": f"floor((datum.chip - 1) / {across})", "as": "row"},
        ],
        "width": {"step": _SIDE}, "height": {"step": _SIDE},
        "layer": [
            {"mark": {"type": "rect", "stroke": "#888", "cornerRadius": 4},
             "encoding": {"x": x, "y": y, "color": colour, "tooltip": tips}},
            {"mark": {"type": "text", "fontSize": 11, "color": "#111111"},
             "encoding": {"x": x, "y": y, "text": {"field": "group", "type": "nominal"}, "tooltip": tips}},
        ],
    }  # fmt: skip


def _bars(title: str, found: Sequence[tuple[str, dict[str, float]]], unit: str) -> Spec:
    """A bar for each part of the option that is open; a line where the best one's bar ends."""
    parts = list(found[0][1])
    rows = [{"option": name, "part": parts, "value": [amounts[k] for k in parts]} for name, amounts in found]
    best = [{"part": k, "value": v, "said": f"{v:,.3g} {unit}"} for k, v in found[0][1].items()]
    x: Spec = {"field": "value", "type": "quantitative", "title": title, "axis": {"tickCount": 5}}
    y: Spec = {"field": "part", "type": "nominal", "title": None, "sort": parts}
    tips: list[Spec] = [{"field": "part"}, {"field": "value", "title": unit, "type": "quantitative", "format": ",.3~r"}]
    return {
        "width": 330, "height": {"step": 20},
        "layer": [
            {"data": {"values": rows}, "transform": [{"filter": f"datum.option == {SHOWN}"}, {"flatten": ["part", "value"]}],
             "mark": {"type": "bar", "color": "#2e86ab", "height": 12}, "encoding": {"x": x, "y": y, "tooltip": tips}},
            {"data": {"values": best}, "mark": {"type": "tick", "color": "#d1495b", "thickness": 3, "size": 17},
             "encoding": {"x": x, "y": y, "tooltip": [{"field": "said", "title": "of the best"}]}},
        ],
    }  # fmt: skip
