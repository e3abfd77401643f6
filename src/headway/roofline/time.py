"""`step_time`: the only function in headway that turns amounts into seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from headway.errors import InputError
from headway.roofline.calibration import Calibration
from headway.roofline.load import Load, logit_positions, new_tokens, one
from headway.roofline.step import Row, Send, Step
from headway.roofline.work import Work

Real = Any  # a float or a NumPy array; everything broadcasts
Convention = Literal["kernels", "machine"]

CONVENTIONS = {
    "kernels": "kernels run one after another: the sum over kernels of the larger of compute and memory time",
    "machine": "the machine overlaps everything: the largest of summed compute, summed memory and summed network time",
}
IDEAL = Calibration.ideal()


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

    def peak(self, chain: tuple[str, ...]) -> Any:
        """Dense peak of the first compute kind in the chain that the chip has. [FLOP/s]"""
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
    overhead = sum(r.overhead for r in (*kernels, *links)) + calibration.step_seconds
    if convention == "machine":
        busy = np.maximum(compute, memory)
    else:
        busy = sum(r.seconds - r.overhead for r in kernels)
    hidden = calibration.network_overlap * np.minimum(busy, network)
    seconds = busy + network - hidden + overhead
    return StepTime(seconds, (*kernels, *links), compute, memory, network, overhead, convention)


def _row_time(row: Row, step: Step, load: Load, chip: Machine, calibration: Calibration) -> RowTime:
    work = row_work(row, step, load, calibration.activation_traffic)
    uneven = calibration.expert_imbalance if row.experts else 1.0
    compute = work.flops * (uneven / (chip.peak(row.chain) * calibration.compute_efficiency))
    memory = work.bytes * (uneven / (chip.bandwidth * calibration.memory_efficiency))
    overhead = row.kernels * calibration.kernel_seconds
    seconds = np.maximum(compute, memory) + overhead
    return RowTime(row.name, row.kind, work, compute, memory, 0.0, overhead, seconds)


def _send_time(send: Send, load: Load, chip: Machine, calibration: Calibration) -> RowTime:
    if not chip.link:
        raise InputError(
            f"{send.name}: the chip has no link in the catalogue, so a layout over several chips has no time"
        )
    sent = load.busiest(send.groups, new_tokens) * send.bytes_per_token
    network = sent / (chip.link * calibration.network_efficiency)
    overhead = send.messages * calibration.message_seconds
    return RowTime(send.name, "collective", Work(sent=sent), 0.0, 0.0, network, overhead, network + overhead)


def row_work(row: Row, step: Step, load: Load, activation_traffic: float = 0.0) -> Work:
    """Return FLOPs and bytes of one row under a load, on the busiest chip."""
    if row.experts:
        return _expert_work(row, step, load, activation_traffic)
    here = load.busiest(row.groups, new_tokens)
    flops = here * row.flops_per_token
    moved = row.weight_bytes + here * (row.bytes_per_token + activation_traffic * row.temporaries_per_token)
    if row.flops_per_logit:
        flops = flops + load.busiest(row.groups, logit_positions) * row.flops_per_logit
    if row.bytes_per_sequence:
        moved = moved + load.busiest(row.groups, one) * row.bytes_per_sequence
    read = row.read
    if read is not None:
        entries = load.busiest(row.groups, lambda g: read.read_entries(g.new, g.context))
        moved = moved + entries * row.read_bytes
        if row.share:
            flops = flops + load.busiest(row.groups, lambda g: read.pair_flops(g.new, g.context)) * row.share
    return Work(flops, moved)


def _expert_work(row: Row, step: Step, load: Load, activation_traffic: float) -> Work:
    """Work of routed experts: only touched experts are read, at least one on the busiest chip."""
    if step.touched is None:
        raise InputError(f"step of {step.model!r}: row {row.name!r} routes to experts, but the step has no routing law")
    tokens = load.tokens
    touched = step.touched(row.experts, row.active, tokens, load.skew) * (row.on_chip / row.experts)
    least = np.minimum(1.0, tokens * row.active)
    read = np.maximum(touched, least) * (row.weight_bytes / row.on_chip)
    # Expert-tokens on the busiest chip: an even share, at least one whole token.
    even = tokens * row.active * (row.on_chip / row.experts)
    here = np.maximum(even, least)
    if load.skew and row.on_chip < row.experts and step.hottest is not None:
        here = np.maximum(
            here, tokens * step.hottest(row.experts, row.active, load.skew)
        )  # wherever the hottest one lies
    return Work(here * row.flops_per_token, read + here * activation_traffic * row.temporaries_per_token)
