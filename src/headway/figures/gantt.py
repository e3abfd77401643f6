"""Gantt charts of pipeline schedules: one row per stage, one bar per task."""

from __future__ import annotations

from collections.abc import Sequence

from headway.figures.style import CONFIG, SCHEMA, Spec
from headway.parallel.schedules import Play
from headway.plan.racks import RackReport

_KINDS = {"decode": "#2e86ab", "forward": "#2e86ab", "backward": "#d1495b", "weights": "#3a9d5d"}


def racks_figure(r: RackReport) -> Spec:
    """Return the decode schedules for each number of micro-batches beside the training schedules."""
    most = max(p.micro_batches for p in r.training)
    columns = [
        {"title": "decode: one bar per token and stage", "vconcat": [gantt(p, tokens=3) for p in r.decode]},
        {"title": "training step: forward, backward, weight gradients",
         "vconcat": [gantt(p) for p in r.training if p.micro_batches < most]},
    ]  # fmt: skip
    title = {"text": f"{r.model.name} on {r.system.name}: pipelines over {r.decode[0].stages} stages", "anchor": "start",
             "subtitle": "numbers are micro-batches; idle is read off the schedule, not off a formula"}  # fmt: skip
    return {"$schema": SCHEMA, "title": title, "hconcat": columns, "config": CONFIG}


def gantt(play: Play, tokens: int = 0, numbered: bool = True) -> Spec:
    """Return one schedule: time across, stages down.

    Parameters
    ----------
    play : Play
    tokens : int
        Of a decode: show so many tokens of each micro-batch only; 0: all. [tokens]
    numbered : bool
        Micro-batches have their numbers; else bars are thin and many.
    """
    tasks = [t for t in play.tasks if not tokens or t.turn < tokens]
    values = [
        {"stage": t.stage, "start": t.start, "end": t.end, "middle": (t.start + t.end) / 2, "number": t.micro_batch + 1,
         "kind": t.kind}
        for t in tasks
    ]  # fmt: skip
    m = f"{play.micro_batches} micro-batch{'es' if play.micro_batches > 1 else ''}"
    latency = f", {play.token_latency:.2g} stage times per token" if play.name == "decode" else ""
    parts = 1 + max(t.turn for t in play.tasks) if play.name == "interleaved" else 1
    halves = "" if parts == 1 else " halves" if parts == 2 else f" parts of {parts}"
    held = "" if play.name == "decode" else f", {play.peak_activations}{halves} held"
    x: Spec = {"field": "start", "type": "quantitative", "title": None, "axis": {"tickMinStep": 1, "grid": False}}
    y: Spec = {"field": "stage", "type": "ordinal", "title": "stage"}
    colour: Spec = {"field": "kind", "type": "nominal", "legend": None,
                    "scale": {"domain": list(_KINDS), "range": list(_KINDS.values())}}  # fmt: skip
    tips: Sequence[Spec] = [{"field": f, "type": "nominal"} for f in ("kind", "number", "stage", "start", "end")]
    bars: Spec = {"mark": {"type": "bar", "stroke": "white", "strokeWidth": 1 if numbered else 0.2},
                  "encoding": {"x": x, "x2": {"field": "end"}, "y": y, "color": colour, "tooltip": list(tips)}}  # fmt: skip
    words: Spec = {"mark": {"type": "text", "color": "white", "fontSize": 9},
                   "encoding": {"x": {"field": "middle", "type": "quantitative"}, "y": y, "text": {"field": "number"}}}  # fmt: skip
    return {"title": {"text": f"{play.name}, {m}: {play.idle:.0%} idle{latency}{held}", "anchor": "start", "fontSize": 11},
            "data": {"values": values}, "width": 460, "height": {"step": 17}, "layer": [bars, words] if numbered else [bars]}  # fmt: skip
