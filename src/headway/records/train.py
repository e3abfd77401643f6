"""A training run as plain data: times in seconds, sizes in bytes."""

from __future__ import annotations

from typing import Any

from headway.plan.train import TrainingPlan, Tried
from headway.training.recipes import Recipe


def train_record(t: TrainingPlan) -> dict[str, Any]:
    """Return a training run as plain data for ``--json``: SI units, names end in the unit where it is not a count."""
    i, run, low_high = t.step, t.run, t.interval
    return {
        "model": t.model.name, "system": t.system.name, "chips": i.recipe.chips, "engine": t.numbers.name, "optimizer": t.states.name,
        "tokens": t.tokens, "tokens_per_parameter": t.tokens_per_parameter, **_recipe(i.recipe),
        "step_s": i.seconds, "step_low_s": low_high[0], "step_high_s": low_high[1], "floor_s": t.floor.seconds,
        "tokens_per_s": i.tokens_per_second, "mfu": i.mfu, "hfu": i.hfu, "bubble": i.bubble,
        "parts_s": i.parts(),
        "passes": [
            {
                "name": p.name, "seconds": p.seconds, "compute_s": p.compute, "memory_s": p.memory, "network_s": p.network,
                "waiting_s": p.waiting,
            }
            for p in i.passes
        ],
        "memory_bytes": t.memory.total, "usable_bytes": t.usable, "memory_parts_bytes": t.memory.parts(), "stage": t.memory.stage,
        "micro_batches_held": t.memory.held,
        "run": {
            "steps": run.steps, "seconds": run.seconds, "busy_s": run.busy, "goodput": t.goodput.share,
            "checkpoints": t.goodput.checkpoints, "done_again": t.goodput.lost, "restarts": t.goodput.restarts,
            "failures": run.failures, "between_failures_s": t.goodput.between, "checkpoint_s": t.reliability.checkpoint,
            "interval_s": t.reliability.interval, "restart_s": t.reliability.restart, "checkpoint_bytes": run.checkpoint_bytes,
            "flops": run.steps * i.model_flops, "dollars": run.dollars, "joules": run.joules,
        },
        "looked_at": t.looked_at, "did_not_fit": t.did_not_fit, "runners_up": [_tried(x, i.seconds) for x in t.others],
    }  # fmt: skip


def _recipe(r: Recipe) -> dict[str, Any]:
    return {
        "layout": str(r.layout), "replicas": r.replicas, "sequence": r.sequence, "global_batch": r.batch, "micro_batch": r.micro_batch,
        "micro_batches": r.micro_batches, "recompute": r.recompute, "zero": r.zero, "schedule": r.schedule, "parts": r.parts,
        "precision": r.rate,
    }  # fmt: skip


def _tried(t: Tried, best: float) -> dict[str, Any]:
    return _recipe(t.recipe) | {"step_s": t.seconds, "times": t.seconds / best, "memory_bytes": t.memory}
