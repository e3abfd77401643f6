"""Drafting for a model on a machine: where it helps, and the batch from which it hurts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headway.batching import Scene, Speculation, hurts_from, speculation
from headway.catalog import default
from headway.errors import InputError, PhysicsError
from headway.models import Architecture, model
from headway.parallel import Layout, build_step, check, kv_per_chip, weights_per_chip, widest_tensor
from headway.plan.answer import Plan
from headway.plan.make import make_plan
from headway.questions import Request
from headway.shown import Shown


@dataclass(frozen=True, repr=False)
class Drafting(Shown):
    """Drafting at batches from 1 to what memory holds.

    Attributes
    ----------
    plan : Plan
        Layout, context and memory.
    drafter : str
        What makes the drafts.
    acceptance : float
        Chance per drafted token. [share]
    length : int
        Drafted per step. [tokens]
    batches : array
        Batches of one replica. [sequences]
    found, ideal : Speculation
        The engine's and the ideal machine's, over the batches.
    hurts, hurts_ideal : float
        Smallest batch from which drafting no longer helps; infinite when it helps as far as memory reaches. [sequences]
    best_length : int
        Draft length with the highest gain at the plan's batch; 0 where none helps. [tokens]
    """

    RECORD = "headway.records.drafting:drafting_record"
    TEXT = "headway.report.speculation:speculation_text"

    plan: Plan
    drafter: str
    acceptance: float
    length: int
    batches: NDArray[np.float64]
    found: Speculation
    ideal: Speculation
    hurts: float
    hurts_ideal: float
    best_length: int

    def brief(self) -> str:
        """Return the headline in one line."""
        until = "at every batch that memory holds" if np.isinf(self.hurts) else f"below batch {self.hurts:,.0f}"
        return (
            f"{self.plan.model.name} on {self.plan.system.name}, {self.length} drafts by {self.drafter} at acceptance "
            f"{self.acceptance:.0%}: helps {until}"
        )


def speculate(
    request: Request, acceptance: float | None = None, length: int | None = None, drafter: str | None = None
) -> Drafting:
    """Return what drafting does for a model on a machine.

    Parameters
    ----------
    request : Request
        As of a plan.
    acceptance : float or None
        Chance per drafted token; default: the engine's, fitted on runs with multi-token prediction. [share]
    length : int or None
        Drafted tokens per step; default 3. [tokens]
    drafter : str or None
        A small model; ``mtp`` for the model's own module; ``lookup`` for drafts that cost nothing. Default: the module where
        the model has one, else lookup.

    Raises
    ------
    InputError
        Unknown names, or ``mtp`` for a model without such a module.
    PhysicsError
        When the drafter does not fit beside the model.
    """
    plan = make_plan(replace(request, drafts=0))
    g, longest = int(default("mtp_drafts")) if length is None else length, int(default("longest_draft"))
    chance = float(plan.scene.calibration.draft_acceptance) if acceptance is None else acceptance
    _check(plan, g, longest, chance)
    name = drafter or ("mtp" if plan.model.mtp else "lookup")
    small = _drafter(plan.model, name)
    ideal = plan.scene.ideal
    cut = _layout_of(small, plan.layout) if small is not None else plan.layout
    step = build_step(small, cut, plan.system.adds_in_network) if small is not None else None
    helpers: list[Scene | None] = [None if step is None else replace(s, step=step) for s in (plan.scene, ideal)]
    most = min(_room(plan, small if name != "mtp" else None, cut), 1e6)
    batches = np.unique(np.round(np.geomspace(1.0, max(most, 1.0), 13)))
    gains = [
        float(speculation(plan.scene, min(plan.point.batch, most), plan.context, chance, n, helpers[0]).gain)
        for n in range(1, longest + 1)
    ]
    return Drafting(
        plan, small.name if small is not None and name != "mtp" else name, chance, g, batches,
        speculation(plan.scene, batches, plan.context, chance, g, helpers[0]),
        speculation(ideal, batches, plan.context, chance, g, helpers[1]),
        hurts_from(plan.scene, plan.context, chance, g, most, helpers[0]),
        hurts_from(ideal, plan.context, chance, g, most, helpers[1]),
        int(np.argmax(gains)) + 1 if max(gains) > 1 else 0,
    )  # fmt: skip


def _check(plan: Plan, length: int, longest: int, chance: float) -> None:
    if plan.layout.pp > 1:
        raise InputError(f"--layout {plan.layout}: drafting is looked at inside one stage; leave out pp")
    if not 0 <= length <= longest:
        raise InputError(f"--length: {length} must be in 0..{longest}")
    if not 0 <= chance <= 1:
        raise InputError(f"--acceptance: {chance:g} must be in 0..1")


def _layout_of(small: Architecture, big: Layout) -> Layout:
    """Return how a small model lies on the chips of a large one: as many slices as its heads divide into, same groups."""
    try:
        check(small, big)
    except InputError:
        return Layout(tp=widest_tensor(small, big.tp), dp=big.dp)
    return big


def _room(plan: Plan, small: Architecture | None, cut: Layout) -> float:
    """Return the batch that memory holds beside a drafter's weights and cache.

    Raises
    ------
    PhysicsError
        When the drafter leaves no room for one sequence.
    """
    if small is None:
        return plan.max_batch
    held, own = plan.account, weights_per_chip(small, cut)
    cache = float(kv_per_chip(small, cut, held.tokens))
    whole = held.kv_whole + float(kv_per_chip(small, cut, plan.prompt + plan.output))
    more = replace(held, weights=held.weights + own, kv_per_sequence=held.kv_per_sequence + cache, kv_whole=whole)
    room = more.fits
    if room < 1:
        raise PhysicsError(
            f"--draft {small.name}: its {own / 1e9:,.1f} GB of weights per chip do not fit beside {plan.model.name} on "
            f"{plan.system.name}, which leaves {held.free / 1e9:,.1f} GB; a smaller model does, or lookup"
        )
    return room


def _drafter(big: Architecture, name: str) -> Architecture | None:
    """Return what one draft runs: the model's MTP layers and head, another model, or nothing."""
    if name == "lookup":
        return None
    if name != "mtp":
        return model(name)
    if not big.mtp:
        raise InputError(f"--draft mtp: {big.name} has no multi-token-prediction module; name a small model, or lookup")
    return replace(big, layers=tuple(replace(x, count=1) for x in big.mtp[:1]), mtp=(), name=f"{big.name} MTP")
