"""A training step as a picture: where its time goes, what lies in a chip's memory, and its pipeline."""

from __future__ import annotations

from headway import units
from headway.figures.gantt import gantt
from headway.figures.style import CONFIG, SCHEMA, Spec
from headway.parallel.schedules import training_play
from headway.plan.train import TrainingPlan

_STAGES = 16  # of a pipeline that is drawn
_ROOM = 1.12  # for what stands behind the last bar
_NUMBERED = 16  # tasks of a kind on a stage, beyond which their numbers would hide them
_COLOURS = {
    "compute": "#d1495b", "memory": "#2e86ab", "collectives": "#b58900", "launches": "#7d5ba6", "recompute": "#e08e9b",
    "bubble": "#999999", "exchange": "#d8b44a", "optimizer": "#3a9d5d", "host": "#555555",
}  # fmt: skip


def training_figure(t: TrainingPlan) -> Spec:
    """Return where a step's time goes, part after part, a chip's memory by part beside what is usable, and its pipeline's first tasks.

    Parameters
    ----------
    t : TrainingPlan
    """
    i = t.step
    about = [
        f"{t.model.name} on {i.recipe.chips:,} chips of {t.system.name}, {i.recipe.layout}, "
        f"{units.some(i.recipe.batch, 'sequence')} of {i.recipe.sequence:,} tokens",
        f"{units.seconds(i.seconds)} a step, MFU {units.per_cent(i.mfu)}; {t.run.seconds / 86400:,.3g} days in all",
    ]
    return {
        "$schema": SCHEMA,
        "title": {"text": "A training step", "subtitle": about, "anchor": "start", "offset": 12},
        "vconcat": [_time(t), _memory(t), *_pipeline(t)],
        "resolve": {"scale": {"color": "independent"}},
        "config": CONFIG,
    }


def _pipeline(t: TrainingPlan) -> list[Spec]:
    """The schedule of the first micro-batches, with the passes' own times."""
    r, took = t.step.recipe, {p.name: p.seconds for p in t.step.passes}
    stages = r.layout.pp
    if not 1 < stages <= _STAGES:
        return []
    many = min(r.micro_batches, 2 * stages)
    back = sum(s for name, s in took.items() if name != "forward") / took["forward"]
    play = training_play(r.schedule, stages, many, 1.0, back, r.parts)
    drawn = gantt(play, numbered=many * r.parts <= _NUMBERED)
    said = drawn["title"]["text"] + (
        "" if many == r.micro_batches else f"; {units.per_cent(t.step.bubble)} of all {r.micro_batches:,}"
    )
    axis = drawn["layer"][0]["encoding"]["x"]
    axis["title"] = f"in forward passes of a micro-batch ({units.seconds(took['forward'] / stages)} each)"
    return [drawn | {"title": drawn["title"] | {"text": said}, "width": 560}]


def _time(t: TrainingPlan) -> Spec:
    rows: list[dict[str, object]] = []
    begin = 0.0
    for name, seconds in t.step.parts().items():
        if seconds > 0:
            share = units.per_cent(seconds / t.step.seconds)
            rows.append({"part": name, "begin": begin, "end": begin + seconds, "share": share})
        begin += seconds
    names = [str(r["part"]) for r in rows]
    y: Spec = {"field": "part", "type": "nominal", "sort": names, "title": None}
    bar: Spec = {
        "x": {
            "field": "begin",
            "type": "quantitative",
            "title": "time of a step (s)",
            "scale": {"domain": [0, _ROOM * t.step.seconds], "nice": False},
        },
        "x2": {"field": "end"},
        "y": y,
        "color": {
            "field": "part",
            "type": "nominal",
            "legend": None,
            "scale": {"domain": names, "range": [_COLOURS[n] for n in names]},
        },
        "tooltip": [{"field": "part"}, {"field": "share"}],
    }
    text: Spec = {"x": {"field": "end", "type": "quantitative"}, "y": y, "text": {"field": "share"}}
    return {
        "width": 560, "height": 26 * len(rows), "data": {"values": rows},
        "layer": [
            {"mark": {"type": "bar", "height": 16}, "encoding": bar},
            {"mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 11}, "encoding": text},
        ],
    }  # fmt: skip


def _memory(t: TrainingPlan) -> Spec:
    rows = [{"part": name, "gigabytes": b / 1e9} for name, b in t.memory.parts().items() if b]
    limit = [{"limit": t.usable / 1e9, "text": f"usable {t.usable / 1e9:,.1f} GB"}]
    order = [str(r["part"]) for r in rows]
    bar: Spec = {
        "x": {"field": "gigabytes", "type": "quantitative", "title": "memory of the fullest chip (GB)"},
        "color": {
            "field": "part", "type": "nominal", "title": None, "sort": order, "legend": {"orient": "bottom", "columns": 6},
            "scale": {"domain": order},
        },
        "order": {"field": "index"},
        "tooltip": [{"field": "part"}, {"field": "gigabytes", "format": ".3s"}],
    }  # fmt: skip
    for number, row in enumerate(rows):
        row["index"] = number
    rule: Spec = {"x": {"field": "limit", "type": "quantitative"}}
    return {
        "width": 560, "height": 40,
        "layer": [
            {"data": {"values": rows}, "mark": {"type": "bar", "height": 26}, "encoding": bar},
            {"data": {"values": limit}, "mark": {"type": "rule", "strokeDash": [4, 3], "size": 2}, "encoding": rule},
            {"data": {"values": limit}, "mark": {"type": "text", "align": "right", "dx": -4, "dy": -24, "fontSize": 11},
             "encoding": rule | {"text": {"field": "text"}}},
        ],
    }  # fmt: skip
