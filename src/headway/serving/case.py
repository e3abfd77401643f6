"""Case: a setting with its layout and load. Built once, by one function, from any verb, table row, grid or library call."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headway.batching import expected_tokens
from headway.hardware import Chip, System
from headway.models import Architecture
from headway.parallel import Layout, LayoutColumns, kv_per_chip
from headway.parallel.sharding import longest_turn, stage_share
from headway.roofline import Load, Profile, Step
from headway.serving.capacity import Account, too_many
from headway.serving.engines import Engine
from headway.serving.loops import LOOPS, Workload
from headway.serving.remedies import refused
from headway.serving.setting import Setting

Real = Any  # a float or a NumPy array; everything broadcasts


PROMPTS = ("prefill", "burst")  # passes that carry prompts only


@dataclass(frozen=True, slots=True)
class PromptPool:
    """Replicas that compute prompts only, and how each of them lies on its chips.

    Attributes
    ----------
    layout : Layout
    replicas : float
        [1]
    """

    layout: Layout
    replicas: float


@dataclass(frozen=True)
class Case:
    """Everything that a prediction needs, and nothing measured.

    Attributes
    ----------
    setting : Setting
    layout : Layout
        Of one replica (that decodes, where the pools are split).
    copies : int
        Replicas of that layout. [1]
    shares : float
        Closed loops that share the requests in flight: a replica's pipeline stages each work on one of their own. [1]
    workload : Workload
        Of one share.
    account : Account
        Memory of one replica.
    transfer_bytes : float
        Cache of one prompt that a split deployment hands over, per chip. [bytes]
    waits : float
        By which a pass over a full pipeline is longer than its layers (see `beat`). [times]
    undivided : bool
        Said to have split pools, but of one replica: there is nothing to split, and it is predicted whole.
    prompts : PromptPool or None
        The pool of prompts, where it is stated; `copies` are then the replicas that decode.
    """

    setting: Setting
    layout: Layout
    copies: int
    shares: float
    workload: Workload
    account: Account
    transfer_bytes: float = 0.0
    undivided: bool = False
    waits: float = 1.0
    prompts: PromptPool | None = None

    @property
    def model(self) -> Architecture:
        """The model as it is served."""
        return self.setting.model

    @property
    def system(self) -> System:
        """The system."""
        return self.setting.system

    @property
    def chip(self) -> Chip:
        """The chip."""
        return self.setting.system.chip

    @property
    def engine(self) -> Engine:
        """The engine's habits."""
        return self.setting.engine

    @property
    def profile(self) -> Profile:
        """The engine's evidence."""
        return self.setting.profile

    @property
    def step(self) -> Step:
        """The forward pass of one replica."""
        return self.setting.step(self.layout)

    def layout_of(self, name: str) -> Layout:
        """Return the layout on which one of its passes runs.

        Parameters
        ----------
        name : str
            Of `passes`.
        """
        return self.prompts.layout if self.prompts is not None and name in PROMPTS else self.layout

    @property
    def passes(self) -> dict[str, Load]:
        """The passes that its load model needs timed."""
        return passes_of(self.setting, self.workload)

    @property
    def guessed(self) -> bool:
        """Split pools of which nobody said how many chips each has."""
        return self.workload.kind == "disaggregated" and self.prompts is None

    @property
    def in_flight(self) -> float:
        """Requests in flight on all replicas together."""
        return float(self.workload.batch * self.shares)

    @property
    def overfull(self) -> bool:
        """A static batch whose cache, laid out as stated, exceeds the memory: the engine must do something else."""
        return self.workload.kind == "static_batch" and self.account.fits < self.workload.batch

    @property
    def kinds(self) -> tuple[str, ...]:
        """What its load is that predictions err on differently."""
        split = self.workload.kind == "disaggregated" or self.undivided
        waits = self.overfull or self.waiting > 0
        return (*(["disaggregated"] if split else []), *(["waiting"] if waits else []))

    @property
    def waiting(self) -> float:
        """Requests in flight on all replicas that find no room in memory and wait."""
        return float(self.workload.waiting * self.shares)

    @property
    def carrier(self) -> float:
        """What carries caches between split pools: the scale-out network, else the scale-up link; infinite without. [bytes/s]"""
        return self.system.scale_out or self.system.link or math.inf


def passes_of(s: Setting, w: Workload) -> dict[str, Load]:
    """Return the passes that a load model needs timed, under the setting's popularity of experts."""
    found = LOOPS[w.kind].passes(w, s.chunk)
    return {name: Load(load.groups, s.skew) for name, load in found.items()} if s.skew else found


def beat(s: Setting, layout: Layout, shares: float) -> float:
    """Return how much longer a pass over a pipeline takes because micro-batches wait for the stage with the most layers.

    Parameters
    ----------
    s : Setting
    layout : Layout
    shares : float
        Micro-batches in flight on a replica. [1]
    """
    return float(longest_turn(stage_share(s.model, layout), shares)) if layout.pp > 1 else 1.0


def decode_tokens(s: Setting) -> float:
    """Return tokens that a decode pass makes for each sequence: 1, or more with drafts."""
    return float(expected_tokens(s.numbers.draft_acceptance, s.drafts))


def workload(s: Setting, layout: Layout | LayoutColumns, batch: Real, slots: Real = math.inf) -> Workload:
    """Return the load of one share: of a replica, or of one of its pipeline's micro-batches.

    Parameters
    ----------
    s : Setting
    layout : Layout or LayoutColumns
    batch, slots : float or array
        Requests in flight, and those that memory lets run at a time, on one share. [requests]
    """
    found = Workload(
        s.kind,
        batch,
        s.prompt,
        s.output,
        float(s.drafts),
        slots,
        groups=layout.dp,
        spread=s.length_spread,
        apart=float(s.engine.apart),
        found=s.found,
        gather=s.engine.gather,
    )
    return replace(found, stages=layout.pp, piece=s.engine.prompt_piece) if s.kind == "static_batch" else found


def case(
    s: Setting,
    layout: Layout,
    *,
    batch: float | None = None,
    concurrency: float | None = None,
    copies: int | None = None,
    split: bool = False,
    remedy: str = "",
    prompts: PromptPool | None = None,
) -> Case:
    """Return the case of a setting under a layout and a load.

    Parameters
    ----------
    s : Setting
    layout : Layout
        Of one replica.
    batch, concurrency : float or None
        Requests in flight on each replica, at most what memory holds; or on all together, of which some may wait.
        [requests]
    copies : int or None
        Replicas; None takes as many as the system holds. [1]
    split : bool
        Prompts run on replicas of their own, as many as balance an ideal machine, or `prompts`.
    remedy : str
        What to say instead of the nearest layout that fits, where nothing does.
    prompts : PromptPool or None
        Replicas that compute prompts, beside `copies` that decode.

    Raises
    ------
    PhysicsError
        When the weights, or the first sequence of a closed loop, or its batch, do not fit.
    """
    count, static = copies or max(s.replicas(layout.chips), 1), s.kind == "static_batch"
    account = _held(s, layout, batch, remedy)
    total = (batch or 1.0) * count if concurrency is None else concurrency
    prompts = prompts if split and not static and s.prompt > 0 and s.output > 1 else None
    divided = prompts is not None or (split and not static and count > 1 and s.prompt > 0 and s.output > 1)
    # A pipeline's stages work on different micro-batches of a closed loop: each passes through all of them.
    stages = 1.0 if static else min(float(layout.pp), max(account.holds, 1.0))
    prefilling = _prefill_pool(s, layout, total, count, account.holds) if divided and prompts is None else 0
    shares = min((count - prefilling) * stages, max(total, 1.0))  # a sequence is never split over copies
    slots = math.inf if static else max(account.holds / stages, 1.0)
    load = workload(s, layout, total / shares, slots)
    pool = prompts or PromptPool(layout, prefilling * stages)
    load, moved = _apart(s, load, pool, shares) if divided else (load, 0.0)
    waits = 1.0 if static else beat(s, layout, shares / (count - prefilling))
    return Case(s, layout, count, shares, load, account, moved, split and not divided, waits, prompts)


def _apart(s: Setting, load: Workload, pool: PromptPool, shares: float) -> tuple[Workload, float]:
    """The load of one share of split pools, and the cache of a prompt that each chip hands over. [bytes]"""
    found = replace(load, kind="disaggregated", prefill_pool=pool.replicas / shares, prompt_groups=pool.layout.dp)
    return found, float(kv_per_chip(s.model, pool.layout, s.prompt))


def _held(s: Setting, layout: Layout, batch: float | None, remedy: str) -> Account:
    """The memory account of a layout; what does not fit is refused. A static batch that was run is not doubted."""
    account, static = s.account(layout), s.kind == "static_batch"
    if account.weights > account.capacity or (account.holds < 1 and not static):
        raise refused(s, layout, account, remedy)
    if batch is not None and not static and batch > account.holds:
        raise too_many(s.system, {layout: account}, batch)
    return account


def _prefill_pool(s: Setting, layout: Layout, total: float, copies: int, holds: float) -> int:
    """Return how many of a split deployment's replicas compute prompts: those that a full ideal machine serves most with.

    Tables state the chips of both pools together; an operator balances them for the most that memory holds, so the split
    does not change with the load.
    """
    ideal = s.passes_of(layout, ideal=True)
    prefilling = np.arange(1, copies)
    full = max((holds if math.isfinite(holds) else total) / layout.pp, 1.0)
    prompt = float(ideal.seconds(Load.prefill(1.0, s.prompt - s.found, cached=s.found)))
    decode = float(ideal.seconds(Load.decode(full, s.prompt + s.output / 2))) * s.output
    rate = np.minimum(prefilling / prompt, (copies - prefilling) * full / decode)
    return int(prefilling[np.argmax(rate)])
