"""The racks' report as plain data for ``--json``: times in seconds, sizes in bytes."""

from __future__ import annotations

import dataclasses
from typing import Any

from headway.plan.racks import RackReport


def racks_record(r: RackReport) -> dict[str, Any]:
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
