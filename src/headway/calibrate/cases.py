"""Cases: a measurement's model, layout, workload and machine, and the passes whose times its load model needs."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from headway.batching import Workload, loads
from headway.calibrate.evidence import Measurement
from headway.calibrate.names import Engine, engine, machine, served_model
from headway.errors import InputError, PhysicsError
from headway.hardware import Chip, System
from headway.models import Architecture
from headway.parallel import Layout, build_step, kv_per_chip, weights_per_chip
from headway.roofline import DEFAULT, Calibration, Load, Profile, Step, profile, step_time


@dataclass(frozen=True)
class Case:
    """Everything that a prediction needs, and nothing measured.

    Attributes
    ----------
    model : Architecture
    system : System
    layout : Layout
        Of one replica.
    replicas : float
        Copies that share the load.
    workload : Workload
        Of one replica.
    engine : Engine
    transfer_bytes : float
        Cache of one prompt that a split deployment hands over, per chip. [bytes]
    overfull : bool
        A static batch whose cache, laid out as stated, exceeds the memory: the engine must do something else.
    undivided : bool
        Said to be disaggregated, but of one replica: there is nothing to split, and it is predicted whole.
    """

    model: Architecture
    system: System
    layout: Layout
    replicas: float
    workload: Workload
    engine: Engine
    transfer_bytes: float = 0.0
    overfull: bool = False
    undivided: bool = False

    @property
    def chip(self) -> Chip:
        """The chip."""
        return self.system.chip

    @property
    def step(self) -> Step:
        """The forward pass of one replica."""
        return _step(self.model, self.layout, self.system.adds_in_network)

    @property
    def profile(self) -> Profile:
        """The profile of its engine."""
        return profile(self.engine.profile)

    def passes(self, chunk_tokens: float) -> dict[str, Load]:
        """Return the passes that its load model needs timed."""
        return loads(self.workload, chunk_tokens)


@functools.lru_cache(maxsize=2048)
def _step(model: Architecture, layout: Layout, adds_in_network: bool) -> Step:
    return build_step(model, layout, adds_in_network)


def case(m: Measurement, policy: Calibration | None = None, name: str | None = None) -> Case:
    """Return the case of a measurement.

    Parameters
    ----------
    m : Measurement
    policy : Calibration
        Whose `memory_reserve` decides how many sequences fit; default: the engine's profile.
    name : str
        Engine to take instead of the row's.

    Raises
    ------
    InputError
        When a name does not resolve or the layout does not divide the model.
    PhysicsError
        When the weights do not fit in memory.
    """
    said = name or m.engine
    served_by = engine(said or DEFAULT)
    box = machine(m.system)
    arch = served_model(m.model, m.weights, m.kv, served_by)
    ep, redundant = _expert_groups(arch, m)
    layout = Layout(tp=m.tp, dp=m.dp, ep=ep, pp=m.pp, redundant=redundant)
    if layout.chips > 1 and not box.link:
        raise InputError(f"{box.name} has no link in the catalogue, so {layout} over {layout.chips} chips has no time")
    numbers = policy or profile(served_by.profile).on(box.chip)
    copies = max(m.chips // layout.chips, 1)
    split = m.disaggregated and m.load == "closed_loop" and copies > 1 and m.prompt > 0 and m.output > 1
    static = m.load == "static_batch"
    # A pipeline's stages work on different micro-batches of a closed loop: each passes through all of them.
    stages = 1 if static else m.pp
    slots = _slots(arch, box, layout, m, served_by, numbers.memory_reserve)
    prefilling = _prefill_pool(arch, box, layout, m, copies, slots) if split else 0
    shares = min(float((copies - prefilling) * stages), max(m.batch, 1.0))  # a sequence is never split over copies
    kind = "disaggregated" if split else m.load
    load = Workload(cast(Any, kind), m.batch / shares, m.prompt, m.output, m.drafts, groups=layout.dp)
    load = (
        replace(load, stages=float(m.pp), piece=served_by.prompt_piece)
        if static
        else replace(load, slots=max(slots / stages, 1.0))
    )
    if split:
        load = replace(load, prefill_pool=prefilling * stages / shares)
    moved = kv_per_chip(arch, layout, m.prompt) if split else 0.0
    overfull = static and slots < load.batch
    whole = m.disaggregated and not split
    return Case(arch, box, layout, shares, load, served_by, moved, overfull, whole)


def _prefill_pool(arch: Architecture, box: System, layout: Layout, m: Measurement, copies: int, slots: float) -> int:
    """Return how many of a split deployment's replicas compute prompts: those that a full ideal machine serves most with.

    Tables state the chips of both pools together; an operator balances them for the most that memory holds, so the split
    does not change with the load.
    """
    step = _step(arch, layout, box.adds_in_network)
    prefilling = np.arange(1, copies)
    full = max((slots if math.isfinite(slots) else m.batch) / m.pp, 1.0)
    prompt = float(step_time(step, Load.prefill(1.0, m.prompt), box.chip).seconds)
    decode = float(step_time(step, Load.decode(full, m.prompt + m.output / 2), box.chip).seconds) * m.output
    rate = np.minimum(prefilling / prompt, (copies - prefilling) * full / decode)
    return int(prefilling[np.argmax(rate)])


def _expert_groups(arch: Architecture, m: Measurement) -> tuple[int, int]:
    """Return expert-parallel groups, at most those stated, and how many experts have a second copy to fill them.

    Engines copy some experts where they do not divide (288 slots on 144 chips for 256 experts).
    """
    if arch.experts is None:
        return 1, 0
    chips = m.tp * m.dp
    groups = max(d for d in range(1, chips + 1) if chips % d == 0 and d <= m.ep)
    redundant = -arch.experts.count % groups
    if redundant <= arch.experts.count:
        return groups, redundant
    return max(d for d in range(1, groups + 1) if chips % d == 0 and arch.experts.count % d == 0), 0


_GIB = 1.0737


def _slots(arch: Architecture, box: System, layout: Layout, m: Measurement, e: Engine, reserve: float) -> float:
    """Sequences that fit beside the weights: held to their last token, or as they grow.

    Raises
    ------
    PhysicsError
        When the weights, or the first sequence of a closed loop, do not fit.
    """
    weights, memory = weights_per_chip(arch, layout, even=m.load == "static_batch"), box.chip.memory
    if weights > memory:
        raise PhysicsError(
            f"{arch.name} as {layout} does not fit on {box.chip.name}: {weights / 1e9:,.1f} GB of weights per chip, "
            f"{memory / 1e9:,.3g} GB of memory"
        )
    static = m.load == "static_batch"
    # Cards sold as 24 GB hold 24 GiB, 7 % more: a static batch that was run is not doubted for that.
    free = memory * _GIB - weights if static else memory * (1 - reserve) - weights
    tokens = m.prompt + (m.output if e.holds_whole or static else m.output / 2)
    each = kv_per_chip(arch, layout, tokens)
    if each <= 0:
        return math.inf
    slots = math.floor(free / each) * layout.dp if free > 0 else 0
    if memory - weights >= each and not static:
        slots = max(slots, 1)  # an engine is started with less in reserve before it is not started
    if slots < 1 and not static:
        raise PhysicsError(
            f"{arch.name} as {layout} does not fit on {box.chip.name}: {weights / 1e9:,.1f} GB of weights per chip leave "
            f"no room for one sequence of {tokens:,.0f} tokens"
        )
    return float(slots)
