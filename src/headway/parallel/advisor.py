"""Which dimension to cut, and why, in words (lecture 4.1, 5.2, 5.4; SYS-D6)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from headway import units
from headway.errors import InputError
from headway.hardware import Chip
from headway.models import Architecture, kv_bytes_stored
from headway.parallel.pipeline import training_bubble
from headway.parallel.racks import place_experts
from headway.roofline import IDEAL, Load, Row, Send, Step, step_time

Verdict = Literal["cut", "leave", "warn"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What the advice depends on; of a model's config, or made up.

    Attributes
    ----------
    weights : float
        All weights. [bytes]
    cache : float
        Of one sequence at the context in question. [bytes]
    experts, active : int
        Per layer, and of them per token; 0 for a dense model. [experts]
    hidden, inner : int
        Width of the residual stream; of one expert (or of the dense feed-forward). [1]
    bytes_per_weight : float
        Of the feed-forward matrices. [bytes]
    chain : tuple of str
        Compute kinds of the feed-forward matrices.
    layers : int
        Layers of the model. [layers]
    reaches : int
        Different kinds of attention among the layers (full beside windows, say). [1]
    reaches_back : bool
        Layers read what earlier layers (not their neighbours) computed: shared caches, residuals across layers.
    """

    weights: float
    cache: float = 0.0
    experts: int = 0
    active: int = 0
    hidden: int = 0
    inner: int = 0
    bytes_per_weight: float = 1.0
    chain: tuple[str, ...] = ("bf16",)
    layers: int = 1
    reaches: int = 1
    reaches_back: bool = False

    @classmethod
    def of(cls, model: Architecture, context: float) -> Subject:
        """Return what a model's config says, at `context` tokens per sequence.

        Parameters
        ----------
        model : Architecture
        context : float
            Tokens in each cache. [tokens]
        """
        role = "expert" if model.experts else "dense"
        wide = [m for x in model.layers for m in x.linears if m.role == role]
        widest = max(wide, key=lambda m: m.outputs / max(m.inputs, 1), default=None)
        kinds = {a.reach for _, a in model.attends() if not a.index}
        states = any(x.state for x in model.layers)
        experts = model.experts
        return cls(
            weights=model.weight_bytes, cache=float(kv_bytes_stored(model, context)),
            experts=experts.count if experts else 0, active=experts.active if experts else 0, hidden=model.hidden,
            inner=min(m.outputs if m.outputs != model.hidden else m.inputs for m in wide) if wide else 0,
            bytes_per_weight=widest.format.bytes if widest else 1.0, chain=widest.format.chain if widest else ("bf16",),
            layers=model.layer_count, reaches=len(kinds) + states,
            reaches_back=any(not a.stores for _, a in model.attends() if not a.index),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Remark:
    """What to do with one dimension, and why."""

    dimension: str
    verdict: Verdict
    says: str


@dataclass(frozen=True)
class Advice:
    """A recommended cut and the reasons.

    Attributes
    ----------
    experts_over, tensor, stages : int
        E: chips over which experts are spread; ways to slice matrices; pipeline stages (racks). [chips, chips, stages]
    remarks : tuple of Remark
    """

    experts_over: int
    tensor: int
    stages: int
    remarks: tuple[Remark, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to be careful about."""
        return tuple(r.says for r in self.remarks if r.verdict == "warn")


def advise(
    subject: Subject, chip: Chip, domain: int, reserve: float, *, training: bool = False, micro_batches: int = 0
) -> Advice:
    """Say which dimension of a model to cut on scale-up domains of `domain` chips.

    Parameters
    ----------
    subject : Subject
    chip : Chip
    domain : int
        Chips of one scale-up domain. [chips]
    reserve : float
        Share of memory left to the engine. [share]
    training : bool
        Training, not inference.
    micro_batches : int
        Of a training step; 0 for four per stage. [1]

    Raises
    ------
    InputError
        When the domain has no chip.

    Notes
    -----
    Cut along a dimension only if it is big (lecture 4.1): experts over the domain; pipeline stages only for capacity, as many
    as hold the weights (5.2); tensor slices only while multiplying a slice takes longer than sending its result.
    """
    if domain < 1:
        raise InputError(f"a scale-up domain of {domain} chips: it has at least 1")
    remarks: list[Remark] = []
    usable = chip.memory * domain * (1 - reserve)
    stages = _stages(subject, usable, remarks)
    spread = _experts(subject, domain, remarks)
    tensor = _tensor(subject, chip, domain, remarks)
    if training:
        _training(stages, micro_batches, remarks)
    _context(subject, chip, reserve, remarks)
    if subject.reaches_back:
        remarks.append(Remark("pipeline", "warn", "layers read what earlier layers computed (shared caches or residuals across "
                              "layers): stages would have to pass it on or hold it twice (lecture 5.4)"))  # fmt: skip
    if subject.reaches > 1:
        remarks.append(Remark("pipeline", "warn", f"{subject.reaches} kinds of layer (windows beside full attention, states): "
                              "stages with an equal number of layers are not equally loaded (lecture 5.4)"))  # fmt: skip
    return Advice(spread, tensor, stages, tuple(remarks))


def _stages(s: Subject, usable: float, remarks: list[Remark]) -> int:
    stages = max(math.ceil(s.weights / usable), 1)
    size, room = f"{s.weights / 1e12:.3g} TB of weights", f"{usable / 1e12:.3g} TB of a scale-up domain"
    if stages == 1:
        share = s.weights / usable
        remarks.append(Remark("pipeline", "leave", f"P = 1: {size} take {share:.0%} of the {room}; a pipeline would save memory "
                              "that is not short, add hops to every token, and leave the KV per chip as it is"))  # fmt: skip
    elif stages > s.layers:
        remarks.append(
            Remark("pipeline", "warn", f"{size} do not fit the {room} even with a stage per layer ({s.layers})")
        )
    else:
        sparse = (
            f" It is sparse ({s.experts} experts, {s.active} active): capacity, not compute, asks for it."
            if s.experts
            else ""
        )
        remarks.append(Remark("pipeline", "cut", f"P = {stages}: {size} do not fit the {room}; stages hold them, at a hop per "
                              f"stage and with KV per chip unchanged.{sparse}"))  # fmt: skip
    return stages


def _experts(s: Subject, domain: int, remarks: list[Remark]) -> int:
    if not s.experts:
        remarks.append(Remark("experts", "leave", "the model is dense: there are no experts to spread"))
        return 1
    placed = place_experts(s.experts, domain)
    idle = (
        f", {units.some(placed.idle, 'chip')} idle (or second copies of some experts to fill them)"
        if placed.idle
        else ""
    )
    remarks.append(Remark("experts", "cut", f"E = {placed.used}: {s.experts} experts over the whole scale-up domain, "
                          f"{placed.per_chip} on each chip{idle}; all-to-all traffic is what its network is for, and each chip "
                          "reads as few weights as it can"))  # fmt: skip
    return placed.used


def widest_slicing(s: Subject, chip: Chip) -> float:
    """Return into how many slices a feed-forward block may be cut before sending results outlasts multiplying (SYS-D6).

    Notes
    -----
    Per token a slice of a gated block multiplies 6 h i/n FLOP and its all-reduce sends at least 2 h bytes (16-bit, added in
    the network): n <= 3 i x link/peak. Both times are those of `step_time` on one row and one send.
    """
    if not chip.link:
        return 0.0
    row = Row("feed-forward", "linear", 1, 0, s.chain, flops_per_token=6.0 * s.hidden * s.inner)
    send = Send("sum", "all-reduce", 2.0 * s.hidden, 1, algorithm="in-network")
    t = step_time(Step((row,), (send,)), Load.decode(1, 0), chip, IDEAL)
    return float(t.compute / t.network)


def _tensor(s: Subject, chip: Chip, domain: int, remarks: list[Remark]) -> int:
    if not s.inner:
        return 1
    most = widest_slicing(s, chip)
    what = "an expert" if s.experts else "the feed-forward block"
    text = f"multiplying {what} of width {s.inner:,} takes {most:.2g}x as long as sending its result"
    if most < 2:
        remarks.append(Remark("tensor", "leave", f"not advised inside {what}: {text}, and each slice would make it less "
                              "(lecture 4.1: experts are too small)"))  # fmt: skip
        return 1
    ways = min(2 ** int(math.log2(most)), domain)
    remarks.append(Remark("tensor", "cut", f"up to {units.some(ways, 'way')} for latency: {text}"))
    return ways


def _training(stages: int, micro_batches: int, remarks: list[Remark]) -> None:
    depth = max(stages, 2)
    m = micro_batches or 4 * depth
    bubble = float(training_bubble(depth, m))
    remarks.append(Remark("pipeline", "cut" if stages > 1 else "leave", "training at scale may pipeline: "
                          f"{units.some(depth, 'stage')} with {m} micro-batches idle {bubble:.1%} (GPipe, 1F1B), less with "
                          "zero-bubble schedules; larger batches shrink it, fresher gradients want small ones (lecture 4.3)"))  # fmt: skip


def _context(s: Subject, chip: Chip, reserve: float, remarks: list[Remark]) -> None:
    if s.cache <= 0:
        return
    share = s.cache / (chip.memory * (1 - reserve))
    if share > 0.5:
        remarks.append(Remark("context", "cut", f"one sequence's cache of {s.cache / 1e9:,.1f} GB takes {share:.0%} of a chip: share "
                              "sequences between chips (context parallelism, or KV heads over tensor parallelism)"))  # fmt: skip
