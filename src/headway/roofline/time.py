"""`step_time`: the only function in headway that turns amounts into seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from headway.errors import InputError
from headway.roofline.calibration import IDEAL, Calibration
from headway.roofline.kernels import Amounts, Kind, Transfer, kernel_time, pass_overhead, together, transfer_time
from headway.roofline.load import Load, logit_positions, one, shared_tokens
from headway.roofline.step import Row, Send, Step
from headway.roofline.work import Work

Real = Any  # a float or a NumPy array; everything broadcasts
Convention = Literal["kernels", "machine"]

CONVENTIONS = {
    "kernels": "kernels run one after another: the sum over kernels of the larger of compute and memory time",
    "machine": "the machine overlaps everything: the largest of summed compute, summed memory and summed network time",
}


@runtime_checkable
class Machine(Protocol):
    """What `step_time` needs of one chip and its links; `headway.hardware.Chip` is one."""

    @property
    def bandwidth(self) -> Any:
        """Memory bandwidth. [bytes/s]"""
        ...

    @property
    def link(self) -> Any:
        """Link bandwidth per direction. [bytes/s]"""
        ...

    def beyond(self, ranks: Any) -> Any:
        """Bandwidth per direction of what joins so many chips beyond the link; 0 where nothing does. [bytes/s]"""
        ...

    @property
    def joined(self) -> Any:
        """Chips that the link joins."""
        ...

    def peak(self, chain: tuple[str, ...]) -> Any:
        """Dense peak of the first compute kind in the chain that the chip has. [FLOP/s]"""
        ...

    def rate_kind(self, chain: tuple[str, ...]) -> str:
        """Name of that compute kind."""
        ...


@dataclass(frozen=True, slots=True)
class RowTime:
    """Time of one kind of kernel (or collective) in one pass, and which resource binds it."""

    name: str
    kind: str
    work: Work
    compute: Real
    memory: Real
    network: Real
    overhead: Real
    seconds: Real

    @property
    def bound(self) -> Any:
        """Name of the largest of compute, memory, network and overhead; an array of names for arrays."""
        return _largest(self.compute, self.memory, self.network, self.overhead)


@dataclass(frozen=True, slots=True)
class StepTime:
    """Time of one forward pass.

    Attributes
    ----------
    seconds : float or array
    rows : tuple of RowTime
        Kernels, then collectives.
    compute, memory, network, overhead : float or array
        Totals over rows, each as if it ran alone. [s]
    convention : str
    """

    seconds: Real
    rows: tuple[RowTime, ...]
    compute: Real
    memory: Real
    network: Real
    overhead: Real
    convention: Convention

    @property
    def work(self) -> Work:
        """Amounts of the whole pass, per chip."""
        return sum((r.work for r in self.rows), Work())

    @property
    def bound(self) -> Any:
        """The resource that holds most of the time: of the kernels' time when they run one after another."""
        if self.convention == "machine":
            return _largest(self.compute, self.memory, self.network, self.overhead)
        kernels = [r for r in self.rows if r.kind != "collective"]
        in_compute = sum(np.where(r.compute >= r.memory, r.seconds - r.overhead, 0.0) for r in kernels)
        in_memory = sum(np.where(r.compute >= r.memory, 0.0, r.seconds - r.overhead) for r in kernels)
        return _largest(in_compute, in_memory, self.network, self.overhead)


def _largest(compute: Real, memory: Real, network: Real, overhead: Real) -> Any:
    names = np.array(["compute", "memory", "network", "overhead"])
    stacked = np.stack(np.broadcast_arrays(compute, memory, network, overhead))
    best = names[np.argmax(stacked, axis=0)]
    return str(best) if best.ndim == 0 else best


def step_time(
    step: Step,
    load: Load,
    chip: Machine,
    calibration: Calibration = IDEAL,
    convention: Convention = "kernels",
) -> StepTime:
    """Return how long one forward pass takes and what binds each kind of kernel.

    Parameters
    ----------
    step : Step
        Coefficients per chip of one model under one layout.
    load : Load
        What the pass carries; arrays broadcast.
    chip : Machine
        Peak rates, memory bandwidth and link of one chip.
    calibration : Calibration
        Departures from ideal; ideal by default, which makes the result a lower bound.
    convention : str
        ``kernels`` (default): sum of per-kernel maxima. ``machine``: one maximum over summed work, the lecture's.

    Returns
    -------
    StepTime
        Seconds, with the same shape as the broadcast load.

    Notes
    -----
    E1 to E3: per row, compute = FLOPs/peak, memory = bytes/bandwidth. The network is a machine of its own: with full
    overlap it hides behind the kernels (the longer counts), with none it comes on top.
    """
    kernels = tuple(_row_time(r, step, load, chip, calibration) for r in step.rows)
    links = tuple(_send_time(s, load, chip, calibration) for s in step.sends)
    compute = sum(r.compute for r in kernels)
    memory = sum(r.memory for r in kernels)
    network = sum(r.network for r in links)
    beside = pass_overhead(load.busiest(step.groups, one), load.carries_prompt * step.layers, calibration)
    overhead = sum(r.overhead for r in (*kernels, *links)) + beside
    if convention == "machine":
        busy = together(compute, memory, calibration.knee)
    else:
        busy = sum(r.seconds - r.overhead for r in kernels)
    hidden = calibration.network_overlap * np.minimum(busy, network)
    seconds = busy + network - hidden + overhead
    return StepTime(seconds, (*kernels, *links), compute, memory, network, overhead, convention)


def row_kind(row: Row, chip: Machine) -> Kind:
    """Return which efficiencies and overheads the kernels of a row meet on a chip."""
    rate = chip.rate_kind(row.chain)
    return Kind(row.kind, rate, rate == "bf16" and row.bytes_per_weight < 1.5, row.block_scales)


def row_amounts(row: Row, step: Step, load: Load, chip: Machine) -> Amounts:
    """Return what the kernels of a row do in a pass on the busiest chip."""
    work, temporaries = row_work(row, step, load)
    return Amounts(
        work.flops, work.bytes, temporaries, chip.peak(row.chain), chip.bandwidth, row.kernels, row.products, row.layers,
        *_uneven(row, step, load),
    )  # fmt: skip


def _uneven(row: Row, step: Step, load: Load) -> tuple[Real, Real]:
    """Excess of the busiest chip by the luck of uniform routing; popularity that the load states decides alone."""
    if step.busiest is None or load.skew or not row.experts:
        return 0.0, 0.0
    groups = np.where(np.asarray(row.on_chip) < row.experts, np.round(row.experts * row.copies / row.on_chip), 1.0)
    return step.busiest(row.experts, row.active, groups, load.tokens)


def send_amounts(send: Send, load: Load, chip: Machine) -> Transfer:
    """Return what a collective sends in a pass from the busiest chip.

    Raises
    ------
    InputError
        When the chip has no link in the catalogue, or no scale-out network and the layout needs one.

    Notes
    -----
    Over more ranks than the link joins: an all-reduce is hierarchical (each chip carries its share of the payload
    outside); a token's copies for experts cross once to each other domain that holds one, and are handed on inside; of
    hand-overs between pipeline stages those from one domain to the next cross.
    """
    if not chip.link:
        raise InputError(
            f"{send.name}: the chip has no link in the catalogue, so a layout over several chips has no time"
        )
    sent = load.busiest(send.groups, shared_tokens(send.ways)) * send.bytes_per_token
    if load.skew and send.crowding is not None:
        sent = sent * send.crowding(load.skew)
    local = send.ranks <= chip.joined
    if np.all(local):
        return Transfer(sent, send.messages, 2 if send.kind == "send" else send.ranks, chip.link)
    out = chip.beyond(send.ranks)
    if np.any(~np.asarray(local) & (np.asarray(out) == 0)):
        raise InputError(
            f"{send.name} over {np.max(send.ranks):g} chips: the link joins {chip.joined}, and the chip has no scale-out "
            "network in the catalogue"
        )
    leaves, out = np.where(local, 0.0, 1.0), np.where(local, 1.0, out)
    inside = np.minimum(send.ranks, chip.joined)
    parts = np.ceil(send.ranks / inside)
    leaving = send.messages * leaves
    if send.kind == "all-to-all":
        away = send.domains(parts) / send.copies if send.domains else (send.ranks - inside) / (send.ranks - 1)
        away = np.minimum(away, 1.0) * leaves
        return Transfer(sent, send.messages, inside, chip.link, sent * away, out, leaving)
    if send.kind == "send":  # between stages: so many of the hand-overs cross from one domain to the next
        crossing = np.minimum(np.ceil(send.ranks / chip.joined) - 1, send.messages)
        away = crossing / send.messages
        return Transfer(sent * (1 - away), send.messages, 2, chip.link, sent * away, out, crossing)
    if send.kind == "all-gather":  # a ring passes everything over its slowest link
        return Transfer(sent * (1 - leaves), send.messages, inside, chip.link, sent * leaves, out, leaving)
    payload = sent / (1.0 if send.in_network else _twice(send.ranks))
    within = payload * (1.0 if send.in_network else _twice(inside))
    return Transfer(within, send.messages, inside, chip.link, payload / inside * _twice(parts) * leaves, out, leaving)


def _twice(ranks: Real) -> Real:
    """Times that a reduce-scatter and an all-gather over `ranks` send their payload (Patarasuk and Yuan 2009)."""
    return 2 * (ranks - 1) / ranks


def _row_time(row: Row, step: Step, load: Load, chip: Machine, calibration: Calibration) -> RowTime:
    amounts = row_amounts(row, step, load, chip)
    found = kernel_time(row_kind(row, chip), amounts, calibration)
    work = Work(amounts.flops, amounts.bytes + calibration.activation_traffic * amounts.temporaries)
    return RowTime(
        row.name, row.kind, work, found.compute, found.memory, 0.0, found.overhead, found.busy + found.overhead
    )


def _send_time(send: Send, load: Load, chip: Machine, calibration: Calibration) -> RowTime:
    amounts = send_amounts(send, load, chip)
    network, overhead = transfer_time(Kind(send.kind), amounts, calibration)
    sent = amounts.sent + amounts.outside
    return RowTime(send.name, "collective", Work(sent=sent), 0.0, 0.0, network, overhead, network + overhead)


def row_work(row: Row, step: Step, load: Load) -> tuple[Work, Real]:
    """Return FLOPs and bytes of one row under a load on the busiest chip, and its temporaries in bytes."""
    if row.experts:
        return _expert_work(row, step, load)
    here = load.busiest(row.groups, shared_tokens(row.ways))
    flops = here * row.flops_per_token
    moved = row.weight_bytes + here * row.bytes_per_token
    if np.any(row.flops_per_logit):
        flops = flops + load.busiest(row.groups, logit_positions) * row.flops_per_logit
    if np.any(row.bytes_per_sequence):
        moved = moved + load.busiest(row.groups, one) * row.bytes_per_sequence
    read = row.read
    if read is not None:
        entries = load.busiest(row.groups, lambda g: read.read_entries(g.new, g.context))
        moved = moved + entries * row.read_bytes
        if np.any(row.share):
            flops = flops + load.busiest(row.groups, lambda g: read.pair_flops(g.new, g.context)) * row.share
    return Work(flops, moved), here * row.temporaries_per_token


def _expert_work(row: Row, step: Step, load: Load) -> tuple[Work, Real]:
    """Work of routed experts: only touched experts are read, at least one on the busiest chip."""
    if step.touched is None:
        raise InputError(f"step of {step.model!r}: row {row.name!r} routes to experts, but the step has no routing law")
    tokens = load.tokens
    # Of two copies each meets half of the tokens: touched as by half the tokens, on the share of experts that have two.
    twice = row.copies - 1.0
    each = step.touched(row.experts, row.active, tokens, load.skew) * (1.0 - twice)
    if np.any(twice):
        each = each + 2 * twice * step.touched(row.experts, row.active, tokens / 2, load.skew)
    touched = each / row.copies * (row.on_chip / row.experts)
    least = np.minimum(1.0, tokens * row.active)
    read = np.maximum(touched, least) * (row.weight_bytes / row.on_chip)
    # Expert-tokens on the busiest chip: an even share, at least one whole token.
    even = tokens * row.active * (row.on_chip / row.experts) / row.copies
    here = np.maximum(even, least)
    if load.skew and step.hottest is not None:  # wherever the hottest one lies
        hottest = tokens * step.hottest(row.experts, row.active, load.skew)
        here = np.where(np.asarray(row.on_chip) < row.experts, np.maximum(here, hottest), here)
    return Work(here * row.flops_per_token, read), here * row.temporaries_per_token
