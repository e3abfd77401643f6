"""What `headway racks` does."""

from __future__ import annotations

import dataclasses
from typing import Any

from headway import catalog as facts
from headway import units
from headway.cli.commands import emit
from headway.errors import InputError
from headway.plan.racks import RackReport, rack_report


def racks(
    model: str, on: str, counts: str, typed: dict[str, str | None], words: dict[str, Any], *, json: bool, out: str | None,
    catalog: tuple[str, ...],
) -> None:  # fmt: skip
    """Print the report, or write its Gantt charts."""
    from headway import figures, report

    facts.use(catalog)
    if out:
        figures.check(out)
    kinds = {"context": units.TOKENS, "batch": units.COUNT, "hop": units.SECONDS}
    read = {k: units.parse(v, kinds[k], f"--{k}") for k, v in typed.items() if v is not None}
    found = rack_report(model, on, _numbers(counts), **read, **words)
    if out:
        figures.write(figures.racks_figure(found), out)
    if json:
        emit(record(found))
        return
    print(report.racks_text(found))
    if out:
        print(f"\nchart written to {out}")


def _numbers(text: str) -> list[int]:
    parts = [p.strip() for p in text.split(",") if p.strip()]
    if not parts or not all(p.isdigit() and int(p) > 0 for p in parts):
        raise InputError(f"--racks: {text!r} must be numbers of racks by comma, like 1,2,4,8")
    return sorted({int(p) for p in parts})


def record(r: RackReport) -> dict[str, Any]:
    """Return the report as plain data: times in seconds, sizes in bytes."""
    plays = [
        {"schedule": p.name, "stages": p.stages, "micro_batches": p.micro_batches, "idle": p.idle,
         "peak_activations": p.peak_activations if p.name != "decode" else None,
         "token_latency": p.token_latency if p.name == "decode" else None}
        for p in (*r.decode, *r.training)
    ]  # fmt: skip
    return {
        "model": r.model.name, "system": r.system.name, "bandwidth_ratio": r.ratio, "lecture_ratio": r.lecture_ratio,
        "placement": dataclasses.asdict(r.placement) if r.placement else None,
        "filled_layout": str(r.filled) if r.filled else None, "micro_batch": r.micro_batch, "context": r.context,
        "fewest_layers_per_stage": r.fewest_layers, "fewest_layers_per_stage_here": r.own_fewest_layers,
        "all_to_all": [dataclasses.asdict(a) for a in r.across], "pipeline": [dataclasses.asdict(d) for d in r.depths],
        "hop_s": r.hop, "collectives": [dataclasses.asdict(c) for c in r.collectives],
        "domains": [dataclasses.asdict(g) for g in r.generations], "schedules": plays,
        "advice": {
            "experts_over": r.advice.experts_over, "tensor": r.advice.tensor, "stages": r.advice.stages,
            "remarks": [dataclasses.asdict(x) for x in r.advice.remarks],
        },
    }  # fmt: skip
