"""Sweeps of a plan: latency and cost against batch, context, or new tokens per sequence and pass."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

import numpy as np

from headway.batching import Curve, against_batch, against_context, against_pass_length
from headway.plan.answer import Plan

LONGEST_PASS = 8192.0  # tokens per sequence and pass: from decode (1) to a prefill chunk of every engine


def sweep(plan: Plan, points: int = 49) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return batches from 1 to what memory holds (four balance batches where it holds any number), evenly on a log scale.

    Parameters
    ----------
    plan : Plan
    points : int
        Batches at the most: equal ones count once. [1]
    """
    most = plan.max_batch if math.isfinite(plan.max_batch) else 4 * plan.balance_weights
    top = max(most, 2.0)
    return np.array(sorted(set(np.round(np.geomspace(1.0, top, points)).tolist())))


def curve(plan: Plan, points: int = 49) -> Curve:
    """Return the decode sweep of a plan against batch; costs are per replica's share of the system.

    Parameters
    ----------
    plan : Plan
    points : int
        Batches at the most: equal ones count once. [1]
    """
    chips = plan.system.chips / plan.replicas
    return against_batch(plan.scene, sweep(plan, points), plan.context, chips, plan.system.price)


def sweep_against(plan: Plan, against: Literal["batch", "context", "tokens"], points: int = 25) -> Curve:
    """Return a sweep of a plan.

    Parameters
    ----------
    plan : Plan
    against : str
        ``batch``; ``context``, at the plan's batch or what memory holds of it; ``tokens``: new ones of each
        sequence in a pass, of as many sequences as the engine's budget takes.
    points : int
        At the most, on a log scale. [1]
    """
    chips, price = plan.system.chips / plan.replicas, plan.system.price
    if against == "batch":
        return curve(plan, points)
    if against == "context":
        contexts = np.geomspace(1024, max(plan.model.max_context, 2048), points).round()
        at = [dataclasses.replace(plan.setting, prompt=max(float(c) - plan.output / 2, 1.0)) for c in contexts]
        held = np.array([s.account(plan.layout).holds for s in at])
        contexts, batches = contexts[held >= 1], np.minimum(held, plan.point.batch)[held >= 1]
        return against_context(plan.scene, contexts, batches, chips, price)
    tokens = np.unique(np.geomspace(1, LONGEST_PASS, points).round())
    budget = np.floor(plan.setting.chunk * plan.layout.dp / tokens)
    batches = np.maximum(np.minimum(budget, plan.point.batch), 1.0)
    return against_pass_length(plan.scene, tokens, batches, plan.context, chips, price)
