"""One training step in time: passes of micro-batches through the pipeline, exchange between replicas, the update."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from headway.errors import PhysicsError
from headway.hardware import Chip, System
from headway.models import Architecture, stored_as
from headway.parallel import Layout
from headway.parallel.sharding import fullest_stage, weight_share
from headway.roofline import Calibration, Load, Row, Send, Step, StepTime, row_work, step_time, together
from headway.training.numbers import Numbers
from headway.training.passes import (
    Held,
    Recompute,
    backward,
    exchange,
    forward,
    gathers,
    micro_load,
    of_ends,
    recomputed,
    update,
)
from headway.training.recipes import Rate, Recipe, States

_ONCE = Load.decode(1.0, 0.0)  # what happens once a step: one token carries it
_KEPT_WIDE = ("router", "head", "embedding")  # rows that stay in 16 bits whatever matrices multiply in
_CHAINS: dict[Rate, tuple[str, ...]] = {"bf16": ("bf16",), "fp8": ("fp8", "bf16"), "fp4": ("fp4", "fp8", "bf16")}


@dataclass(frozen=True, slots=True)
class PassTime:
    """A pass of one micro-batch through all stages.

    Attributes
    ----------
    name : str
        ``forward``, ``recompute`` or ``backward``.
    body, ends : float
        Of the layers; of embedding and head. [s]
    compute, memory, network, waiting : float
        What its seconds go to: multiplying, moving, collectives, and launches that kernels do not hide. They sum to it. [s]
    """

    name: str
    body: float
    ends: float
    compute: float
    memory: float
    network: float
    waiting: float

    @property
    def seconds(self) -> float:
        """Through all stages. [s]"""
        return self.body + self.ends


@dataclass(frozen=True, slots=True)
class Iteration:
    """One training step.

    Attributes
    ----------
    recipe : Recipe
    passes : tuple of PassTime
        Of a micro-batch.
    stage : float
        A micro-batch's passes on the slowest stage. [s]
    fill : float
        In which the slowest stage waits for the first micro-batch, and for the last: the bubble. [s]
    exchange, gather : float
        Gradients and weights between replicas once a step, and gathers of ZeRO 3 in its passes: as far as nothing hides them. [s]
    update, host : float
        The optimizer; what a step takes whatever it does. [s]
    model_flops, hardware_flops : float
        Of the step on all chips: forward and backward of each token; with what is computed again. [FLOP]
    peak : float
        Of one chip, at the rate of most products. [FLOP/s]
    held : Held
    """

    recipe: Recipe
    passes: tuple[PassTime, ...]
    stage: float
    fill: float
    exchange: float
    gather: float
    update: float
    host: float
    model_flops: float
    hardware_flops: float
    peak: float
    held: Held

    @property
    def seconds(self) -> float:
        """Of the whole step. [s]"""
        return (
            self.recipe.micro_batches * self.stage + self.fill + self.exchange + self.gather + self.update + self.host
        )

    @property
    def mfu(self) -> float:
        """Model FLOPs utilisation: of forward and backward, nothing computed again counts. [share]"""
        return self.model_flops / (self.seconds * self.recipe.chips * self.peak)

    @property
    def hfu(self) -> float:
        """Hardware FLOPs utilisation: what is computed again counts. [share]"""
        return self.hardware_flops / (self.seconds * self.recipe.chips * self.peak)

    @property
    def bubble(self) -> float:
        """Share of the passes' time in which a stage waits. [share]"""
        return self.fill / (self.recipe.micro_batches * self.stage + self.fill)

    @property
    def tokens_per_second(self) -> float:
        """Of all chips. [tokens/s]"""
        return self.recipe.tokens / self.seconds

    def parts(self) -> dict[str, float]:
        """Return what a step's seconds go to; they sum to it. [s]"""
        m, whole = self.recipe.micro_batches, sum(p.seconds for p in self.passes)
        share = m * self.stage / whole

        def of(name: str) -> float:
            return share * sum(float(getattr(p, name)) for p in self.passes if p.name != "recompute")

        again = share * sum(p.seconds for p in self.passes if p.name == "recompute")
        return {
            "compute": of("compute"), "memory": of("memory"), "collectives": of("network"), "launches": of("waiting"), "recompute": again,
            "bubble": self.fill, "exchange": self.exchange + self.gather, "optimizer": self.update, "host": self.host,
        }  # fmt: skip


def parameters_held(model: Architecture, recipe: Recipe) -> Held:
    """Return the parameters of the fullest stage's chip, and how many chips have the same.

    Parameters
    ----------
    model : Architecture
    recipe : Recipe
    """
    layout = recipe.layout
    dense = experts = 0.0
    for x in model.layers:
        each = fullest_stage(x.count, layout)
        dense += each * x.vector_parameters
        for m in x.linears:
            here = each * m.parameters * weight_share(model, layout, m)
            dense, experts = (dense, experts + here) if m.role == "expert" else (dense + here, experts)
    tables = model.embedding.parameters + sum(t.parameters for t in model.tables)
    head = 0 if model.tied else model.head.parameters
    dense += (
        max(tables, model.head.parameters) if layout.pp > 1 else tables + head
    ) / layout.tp + model.final_parameters
    return Held(dense, experts, recipe.ranks * layout.cp, max(recipe.replicas, 1))


def chips_of(system: System) -> Chip:
    """Return a system's chip with the links that it has there."""
    return replace(
        system.chip, link=system.link, link_kind=system.link_kind, domain=system.domain, scale_out=system.scale_out
    )


def trainable(model: Architecture) -> Architecture:
    """Return a model as it is trained: every matrix in 16 bits."""
    return stored_as(model, "bf16")


def iteration(model: Architecture, system: System, recipe: Recipe, kept: States, numbers: Numbers) -> Iteration:
    """Return the time of one training step.

    Parameters
    ----------
    model : Architecture
        As of `trainable`.
    system : System
    recipe : Recipe
    kept : States
    numbers : Numbers

    Raises
    ------
    InputError
        For a layout that does not divide the model, a chip without the rate or the links.
    PhysicsError
        When the system has fewer chips.

    Notes
    -----
    Seconds are `step_time`'s, of the forward, recomputed and backward pass of a micro-batch on all stages. A step of M
    micro-batches takes M times the slowest stage, and the time in which it waits for the first and the last of them: all stages'
    time less its own (GPipe, 1F1B), over the parts of a stage where they are interleaved, less the weight gradients that fill it
    with zero-bubble schedules.
    """
    recipe.check(model)
    if recipe.chips > system.chips:
        raise PhysicsError(
            f"{recipe.replicas:,} x {recipe.layout} takes {recipe.chips:,} chips; {system.name} has {system.chips:,}"
        )
    chip, c = chips_of(system), numbers.on(system.chip)
    held, passes = parameters_held(model, recipe), _passes(model, chip, _Same.of(recipe), kept.gradient, numbers)
    stage, fill = pipelined(model, recipe, passes)
    exposed = _exchanged(held, recipe, kept, chip, c, numbers, passes)
    gather = _gathered(model, held, recipe, kept, chip, c, numbers, stage)
    renewed = float(step_time(update(held, kept.moved, recipe.zero), _ONCE, chip, c).seconds)
    counted = _flops(model, recipe)
    peak = chip.peak(_CHAINS[recipe.rate])
    return Iteration(recipe, passes, stage, fill, exposed, gather, renewed, numbers.step_seconds, *counted, peak, held)


@dataclass(frozen=True, slots=True)
class _Same:
    """What of a recipe decides the passes of a micro-batch."""

    layout: Layout
    micro_batch: int
    sequence: int
    recompute: Recompute
    rate: Rate
    overlap: float

    @classmethod
    def of(cls, r: Recipe) -> _Same:
        return cls(r.layout, r.micro_batch, r.sequence, r.recompute, r.rate, r.overlap)


@functools.lru_cache(maxsize=4096)
def _passes(model: Architecture, chip: Chip, r: _Same, gradient_bytes: float, n: Numbers) -> tuple[PassTime, ...]:
    """The passes of a micro-batch through all stages."""
    c = n.on(chip)
    c = c if n.ideal else replace(c, network_overlap=r.overlap)
    load = micro_load(r.layout, r.micro_batch, r.sequence)
    first = _at_rate(forward(model, r.layout, r.sequence, n.scores), r.rate)
    again = recomputed(first, r.recompute)
    back = backward(first, gradient_bytes, n.scores)
    steps = [("forward", first), *([("recompute", again)] if again else []), ("backward", back)]
    return tuple(_timed(name, step, load, chip, c, n) for name, step in steps)


def _flops(model: Architecture, recipe: Recipe) -> tuple[float, float]:
    """FLOPs of a step that the model needs, attention over its causal half, and of one that computes activations again."""
    once, again = _of_sequence(model, recipe.sequence, recipe.recompute)
    return 3 * recipe.batch * once, recipe.batch * (3 * once + again)


@functools.lru_cache(maxsize=256)
def _of_sequence(model: Architecture, sequence: int, recompute: Recompute) -> tuple[float, float]:
    """FLOPs of a sequence's forward pass, and of what is computed again."""
    step, load = forward(model, Layout(), sequence), micro_load(Layout(), 1, sequence)

    def of(s: Step | None) -> float:
        return sum(float(row_work(r, s, load)[0].flops) for r in s.rows) if s else 0.0

    return of(step), of(recomputed(step, recompute))


def _at_rate(step: Step, rate: Rate) -> Step:
    """Products of a pass at another rate, where engines use it."""
    if rate == "bf16":
        return step

    def at(r: Row) -> Row:
        return r if r.read is not None or r.name in _KEPT_WIDE or r.kind == "state" else replace(r, chain=_CHAINS[rate])

    return replace(step, rows=tuple(map(at, step.rows)))


def _timed(name: str, step: Step, load: Load, chip: Chip, c: Calibration, n: Numbers) -> PassTime:
    """A pass whose kernels the host launches one by one: it takes the longer of both, softened."""
    ends = of_ends(step)
    found, outer = step_time(step, load, chip, c), step_time(ends, load, chip, c)
    launched = [sum(float(r.kernels) for r in s.rows) + sum(float(x.messages) for x in s.sends) for s in (step, ends)]
    waits = [kernels * n.launch_seconds for kernels in launched]
    body, last = float(found.seconds - outer.seconds), float(outer.seconds)
    body, last = (
        float(together(body, waits[0] - waits[1], n.launch_knee)),
        float(together(last, waits[1], n.launch_knee)) if ends.rows else 0.0,
    )
    return PassTime(name, body, last, *_spent(found, body + last))


def _spent(t: StepTime, seconds: float) -> tuple[float, float, float, float]:
    r = t.resources
    compute, memory, network = float(r.compute), float(r.weights + r.cache), float(r.network + r.overhead)
    return compute, memory, network, max(seconds - compute - memory - network, 0.0)


def pipelined(model: Architecture, recipe: Recipe, passes: Iterable[PassTime]) -> tuple[float, float]:
    """Return a micro-batch's passes on the slowest stage, and the time in which it waits in a step. [s, s]

    Parameters
    ----------
    model : Architecture
    recipe : Recipe
    passes : iterable of PassTime
        Through all stages.
    """
    layout, found = recipe.layout, list(passes)
    share = fullest_stage(model.layer_count, layout) / model.layer_count
    whole = sum(p.seconds for p in found)
    stage = sum(p.body * share + p.ends for p in found) if layout.pp > 1 else whole
    fill = max(whole - stage, 0.0) + (layout.pp - 1) * max(stage - whole, 0.0)
    if recipe.schedule == "interleaved":
        fill /= recipe.parts
    elif recipe.schedule == "zero-bubble":  # weight gradients, half of a backward pass, fill what they can (ZB-H1)
        back = sum(p.seconds for p in found if p.name == "backward")
        fill *= 1 - back / whole * min(recipe.micro_batches / max(layout.pp - 1, 1), 1.0)
    return stage, fill


def _between(chip: Chip, inside: int) -> Chip:
    """The chip as replicas see it: so many chips of its domain hold other parts of the same replica."""
    return replace(chip, domain=max(chip.domain // inside, 1))


def _network(sends: Iterable[Send], chip: Chip, c: Calibration) -> float:
    """Time of exchanges between replicas. [s]"""
    step = Step((), tuple(sends), "", "", 1, 1)
    return float(step_time(step, _ONCE, chip, c).seconds) if step.sends else 0.0


def _exchanged(
    held: Held, recipe: Recipe, kept: States, chip: Chip, c: Calibration, n: Numbers, passes: Iterable[PassTime]
) -> float:
    """Gradients between replicas as far as the last backward pass does not hide them, weights as far as the first forward. [s]"""
    sends = exchange(held, recipe.zero, kept.wire, kept.weight)
    layout = recipe.layout
    inside = {False: layout.tp, True: layout.stage_chips}
    exposed = 0.0
    for behind, kinds in (("backward", ("all-reduce", "reduce-scatter")), ("forward", ("all-gather",))):
        some = [s for s in sends if s.kind in kinds]
        whole = sum(_network([s], _between(_scaled_out(chip, n), inside[s.name.endswith("experts")]), c) for s in some)
        beside = sum(p.seconds for p in passes if p.name == behind) / layout.pp
        often = (
            recipe.micro_batches if recipe.zero >= 2 and behind == "backward" else 1
        )  # who shares gradients keeps no others'
        exposed += often * (whole - n.hidden * min(whole, beside))
    return exposed


def _gathered(
    model: Architecture, held: Held, recipe: Recipe, kept: States, chip: Chip, c: Calibration, n: Numbers, stage: float
) -> float:
    """Weights gathered in every pass (ZeRO 3), as far as the passes do not hide them. [s]"""
    if recipe.zero < 3:
        return 0.0
    layout = recipe.layout
    often = 2 + (recipe.recompute == "full")
    sends = gathers(held, kept.weight, fullest_stage(model.layer_count, layout))
    whole = often * sum(
        _network(
            [s], _between(_scaled_out(chip, n), layout.stage_chips if s.name.endswith("experts") else layout.tp), c
        )
        for s in sends
    )
    each = whole - n.hidden * min(whole, stage)
    return each * recipe.micro_batches


def _scaled_out(chip: Chip, n: Numbers) -> Chip:
    return replace(chip, scale_out=chip.scale_out * n.outside)
