"""The cheapest size over a life as plain data."""

from __future__ import annotations

import dataclasses
from typing import Any

from headway.plan.lifetime import ByLaw, Lifetime
from headway.training.optimum import Life


def lifetime_record(found: Lifetime) -> dict[str, Any]:
    """Return the cheapest size over a life as plain data for ``--json``."""
    p, t = found.prices, found.training
    return {
        "model": t.model.name, "train_system": t.system.name, "system": found.serving.system.name, "tokens": t.tokens,
        "demand_tokens": p.demand, "rl_tokens": p.rollouts, "rl_factor": found.rl_factor, "rl_idle": p.idle, "mfu": t.step.mfu,
        "dollars_per_flop": p.flop, "dollars_per_token_of_caches": p.token, "dollars_per_token_and_parameter": p.per_parameter,
        "laws": [_law(x) for x in found.laws],
    }  # fmt: skip


def _law(x: ByLaw) -> dict[str, Any]:
    o = x.optimum
    return {
        "law": x.name, "source": x.source, "asked": _life(x.asked), "best": _life(o.best), "compute_optimal": _life(o.compute_optimal),
        "over_training": o.over_training, "flat_from_parameters": o.low, "flat_to_parameters": o.high, "flat_within": o.within,
        "released": [
            {
                "name": r.name, "year": r.year, "active_parameters": r.n, "tokens": r.tokens, "over_training": r.over,
                "justified_by_tokens": r.demand,
            }
            for r in x.released
        ],
    }  # fmt: skip


def sizes(found: Lifetime) -> list[dict[str, Any]]:
    """Return the model itself, the least training and the least over its life, law by law, as rows of a table."""
    return [
        {"law": x.name, "size": name, **_life(life)}
        for x in found.laws
        for name, life in (
            ("the model itself", x.asked),
            ("least training", x.optimum.compute_optimal),
            ("least over its life", x.optimum.best),
        )
    ]


def _life(x: Life) -> dict[str, Any]:
    d = dataclasses.asdict(x)
    return {
        "active_parameters": d["n"], "tokens": d["tokens"], "pretraining_dollars": d["pretraining"],
        "reinforcement_dollars": d["reinforcement"], "serving_dollars": d["serving"], "total_dollars": x.total,
    }  # fmt: skip
