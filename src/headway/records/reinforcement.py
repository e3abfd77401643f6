"""A loop of reinforcement learning as plain data."""

from __future__ import annotations

import dataclasses
from typing import Any

from headway.plan.reinforcement import Iterated, Loop


def loop_record(found: Loop) -> dict[str, Any]:
    """Return a loop as plain data for ``--json``. SI units."""
    q, run = found.question, found.simulated
    return {
        "model": found.plan.model.name, "system": q.request.system, "prompts": q.prompts, "group": q.group,
        "iterations": q.iterations, "tokens": found.tokens, "generated_tokens": found.generated,
        "rollout_layout": str(run.deployment.layout), "rollout_replicas": run.replicas, "rollout_tok_s": run.output_rate,
        "training_layout": str(found.plan.step.recipe.layout), "training_replicas": found.plan.step.recipe.replicas,
        "mfu": found.plan.step.mfu, "seconds": found.seconds, "dollars": found.dollars, "rl_factor": found.factor,
        "best": iterated_record(found.best), "splits": [iterated_record(x) for x in found.tried], "left_out": list(found.left_out),
    }  # fmt: skip


def iterated_record(x: Iterated) -> dict[str, Any]:
    """Return an iteration as plain data."""
    return dataclasses.asdict(x) | {"idle": x.idle, "shares": x.parts}
