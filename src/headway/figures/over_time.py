"""Panels of a simulation against time: requests one by one, the batch of the passes, and what came, ran and waited."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headway import units
from headway.figures.style import FEW, Spec
from headway.simulation.run import Log, Passes
from headway.simulation.timeline import Timeline, moments, spread, timeline

Floats = NDArray[np.float64]
WIDE = 760  # of the picture [pixels]
_REQUESTS, _FEW, _ROW = 60, 8, 6  # that are drawn one by one, at most and at least; and the height of each [pixels]
_SPARSE = 30  # times that the median request takes: in a longer window bars would be specks
_PHASES = {"queued": "#c9ced6", "prompt": "#d1495b", "decode": "#2e86ab"}
_COLUMNS, _ROWS = 95, 24  # of the heat map
_BINS, _FEWEST, _EACH = 190, 40, 4  # of the strips: at most, at least, and requests in each
LEFT: Spec = {"minExtent": 34}  # room for the labels of every vertical axis, so that plots stand under one another
_SHORT = "datum.value < 1000 ? format(datum.value, '~r') : format(datum.value, '~s')"
_UNITS = ((3 * 3600.0, "h", 3600.0), (300.0, "min", 60.0), (3.0, "s", 1.0), (0.0, "ms", 1e-3))


def _unit(first: float, last: float) -> tuple[str, float]:
    """A unit of time that suits a span, and its seconds; no milliseconds far from 0, where they are long numbers."""
    least = _UNITS[-2][0]
    span = max(last - first, min(last, least))
    return next((name, size) for from_, name, size in _UNITS if span >= from_)


def _time(field: str, first: float, last: float, title: bool = True) -> tuple[Spec, float]:
    """An axis of time, and by what seconds are divided on it."""
    unit, size = _unit(first, last)
    axis: Spec = {"grid": False, "format": ",~r", "labelFlush": True, "tickCount": 8}
    domain = [first / size, last / size]
    return {"field": field, "type": "quantitative", "title": f"time ({unit})" if title else None, "axis": axis,
            "scale": {"domain": domain, "nice": False, "zero": False}}, size  # fmt: skip


def requests_panel(log: Log) -> Spec | None:
    """Return some requests in a row as bars: queued, prompt, decode.

    Parameters
    ----------
    log : Log
    """
    r = log.requests
    shown = _in_a_row(log)
    if not len(shown):
        return None
    ends = np.nan_to_num(log.end[shown], nan=log.now)
    ends = np.where(log.rejected[shown], log.arrival[shown], ends)
    first, last = float(log.arrival[shown].min()), float(ends.max())
    x, size = _time("from", first, last if last > first else first + 1.0)
    rows: list[Spec] = []
    for row, i in enumerate(shown.tolist()):
        times = [float(v[i]) for v in (log.arrival, log.start, log.first, log.end)]
        tip = {
            "request": i,
            "prompt_tokens": int(r.prompt[i]),
            "output_tokens": int(r.output[i]),
            "replica": int(log.replica[i]),
        }
        for kind, a, b in zip(_PHASES, times, times[1:], strict=False):
            if np.isfinite(a) and not log.rejected[i]:
                to = b if np.isfinite(b) else log.now
                rows.append({"row": row + 0.1, "foot": row + 0.9, "kind": kind, "from": a / size, "to": to / size,
                             "takes": units.seconds(to - a)} | tip)  # fmt: skip
    y: Spec = {"field": "row", "type": "quantitative", "axis": None,
               "scale": {"domain": [0, len(shown)], "reverse": True, "nice": False}}  # fmt: skip
    colour: Spec = {"field": "kind", "type": "nominal", "title": None, "legend": {"orient": "right", "symbolType": "square"},
                    "scale": {"domain": list(_PHASES), "range": list(_PHASES.values())}}  # fmt: skip
    tips = [
        {"field": f, "title": f.replace("_", " ")}
        for f in ("request", "kind", "takes", "prompt_tokens", "output_tokens", "replica")
    ]
    part = "all" if len(shown) == len(r) else "from the middle of the run"
    return {
        "title": _title(f"{units.some(len(shown), 'request')} one by one, in order of arrival ({part})"),
        "width": WIDE, "height": max(_ROW * len(shown), 40), "data": {"values": rows},
        "mark": {"type": "rect", "aria": False, "clip": True},
        "encoding": {"x": x, "x2": {"field": "to"}, "y": y, "y2": {"field": "foot"}, "color": colour, "tooltip": tips},
    }  # fmt: skip


def _in_a_row(log: Log) -> NDArray[np.int64]:
    """Requests from the middle of the run, in order of arrival; fewer where they come so rarely that each would be a speck."""
    came = np.flatnonzero(np.isfinite(log.arrival))
    came = came[np.argsort(log.arrival[came], kind="stable")]
    if not len(came):
        return came
    typical = float(np.median(np.nan_to_num(log.end[came], nan=log.now) - log.arrival[came]))
    for number in range(_REQUESTS, 0, -1):
        begin = max((len(came) - number) // 2, 0)
        shown = came[begin : begin + number]
        if number <= _FEW or float(np.ptp(log.arrival[shown])) <= _SPARSE * typical:
            return shown
    return came[:0]


def _title(text: str) -> Spec:
    return {"text": text, "anchor": "start", "frame": "group", "fontSize": 12}


def batch_panel(log: Log) -> Spec | None:
    """Return how much of the time passes of each decoding batch took, as a heat map.

    Parameters
    ----------
    log : Log
    """
    edges = moments(log, _COLUMNS)
    most = max((int(p.decoding.max()) for p in log.passes if len(p.decoding)), default=-1)
    if len(edges) < 2 or most < 0:
        return None
    step = -(-(most + 1) // _ROWS)  # batches of a row
    x, size = _time("from", float(edges[0]), float(edges[-1]))
    long, rows = (edges[1] - edges[0]) * len(log.passes), list[Spec]()
    for low in range(0, most + 1, step):

        def inside(p: Passes, low: int = low) -> Floats:
            return p.seconds * ((p.decoding >= low) & (p.decoding < low + step))

        share = spread(log, edges, inside) / long
        rows += [
            {"from": float(edges[i]) / size, "to": float(edges[i + 1]) / size, "low": low - 0.5, "high": low + step - 0.5,
             "batch": f"{low:,}" if step == 1 else f"{low:,} to {low + step - 1:,}", "share": float(share[i])}
            for i in np.flatnonzero(share > 5e-4).tolist()
        ]  # fmt: skip
    top = (most // step + 1) * step - 0.5
    y: Spec = {"field": "low", "type": "quantitative", "title": "decoding batch", "scale": {"domain": [-0.5, top], "nice": False},
               "axis": LEFT | {"grid": False, "tickMinStep": 1, "tickCount": 6}}  # fmt: skip
    colour: Spec = {"field": "share", "type": "quantitative", "title": "of the time",
                    "scale": {"scheme": "blues", "domainMin": 0}, "legend": {"format": "%"}}  # fmt: skip
    tips: list[Spec] = [{"field": "batch"}, {"field": "share", "format": ".1%"}]
    of = "" if len(log.passes) == 1 else f" on {len(log.passes)} replicas"
    return {
        "title": _title(f"sequences that decode in a pass{of} (0: prompts alone), by share of the time"),
        "width": WIDE, "height": 150, "data": {"values": rows}, "mark": {"type": "rect", "aria": False},
        "encoding": {"x": x, "x2": {"field": "to"}, "y": y, "y2": {"field": "high"}, "color": colour, "tooltip": tips},
    }  # fmt: skip


def strips(log: Log) -> Spec | None:
    """Return what came, was made, ran and waited over time: one low panel each.

    Parameters
    ----------
    log : Log
    """
    found = timeline(log, min(max(len(log.requests) // _EACH, _FEWEST), _BINS))
    if not found.bin:
        return None
    lines: list[tuple[str, dict[str, Floats]]] = [
        ("requests/s", {"come": found.arrivals / found.bin, "end": found.ends / found.bin}),
        ("tok/s", {"output": found.tokens / found.bin}),
        *((name.replace("_", " "), {name: values}) for name, values in found.levels.items()),
        ("waiting", {"waiting": found.waiting}),
    ]  # fmt: skip
    panels = [_strip(found, title, of, last=i == len(lines) - 1) for i, (title, of) in enumerate(lines)]
    return {"title": _title("over time, all replicas together"), "vconcat": panels, "spacing": 8,
            "resolve": {"scale": {"color": "independent"}}}  # fmt: skip


def _strip(found: Timeline, title: str, lines: dict[str, Floats], last: bool) -> Spec:
    x, size = _time("at", float(found.edges[0]), float(found.edges[-1]), title=last)
    x["axis"] |= {"labels": last, "ticks": last}
    rows = [
        {"at": float(a), "line": name, "value": float(v)}
        for name, values in lines.items()
        for a, v in zip(found.edges / size, [*values, values[-1]], strict=True)  # the last bin ends at the last edge
    ]
    y: Spec = {"field": "value", "type": "quantitative", "title": title,
               "axis": FEW | LEFT | {"tickCount": 3, "labelExpr": _SHORT}}  # fmt: skip
    colours = ["#2e86ab", "#d1495b"][: len(lines)]
    colour: Spec = {
        "field": "line",
        "type": "nominal",
        "title": None,
        "scale": {"domain": list(lines), "range": colours},
    }
    colour["legend"] = {"orient": "right", "symbolType": "stroke"} if len(lines) > 1 else None
    mark: Spec = {"type": "line", "interpolate": "step-after", "strokeWidth": 1.3, "clip": True}
    if len(lines) == 1:
        mark |= {"type": "area", "opacity": 0.35, "line": {"strokeWidth": 1.3, "interpolate": "step-after"}}
    return {
        "width": WIDE,
        "height": 62,
        "data": {"values": rows},
        "mark": mark,
        "encoding": {"x": x, "y": y, "color": colour},
    }
