"""`step_time`: the only function in headway that turns amounts into seconds."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from headway.errors import InputError
from headway.numeric import excess, larger, plain, smaller
from headway.roofline.calibration import IDEAL, Calibration
from headway.roofline.collectives import send_amounts, wire
from headway.roofline.join import CACHES, Resources, by_resource, largest, pass_seconds, split, together
from headway.roofline.kernels import Amounts, Kind, Parts, kernel_time, pass_overhead, with_launches
from headway.roofline.load import Load, logit_positions, one, shared_tokens
from headway.roofline.machine import Machine
from headway.roofline.step import Row, Send, Step
from headway.roofline.work import Work

Real = Any  # a float or a NumPy array; everything broadcasts
_WIDE = 2.0  # bytes of a 16-bit weight: narrower ones are unpacked before 16-bit units multiply them
Convention = Literal["kernels", "machine"]

CONVENTIONS = {
    "kernels": "kernels run one after another: the sum over kernels of the larger of compute and memory time",
    "machine": "the machine overlaps everything: the largest of summed compute, summed memory and summed network time",
}


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
    def busy(self) -> Real:
        """Time of a kernel without its launch; 0 for a collective. [s]"""
        return 0.0 if self.kind == "collective" else self.seconds - self.overhead

    @property
    def bound(self) -> Any:
        """Name of the largest of compute, memory, network and overhead; an array of names for arrays."""
        return largest(self.compute, self.memory, self.network, self.overhead)


@dataclass(frozen=True, slots=True)
class StepTime:
    """Time of one forward pass.

    Attributes
    ----------
    seconds : float or array
        Of the whole pass. [s]
    rows : tuple of RowTime
        Kernels, then collectives.
    compute, memory, network, overhead : float or array
        Totals over rows, each as if it ran alone. [s]
    convention : str
    beside : float or array
        The part of the overhead that is no row's: scheduling, sampling, uncaptured launches of prompts. [s]
    """

    seconds: Real
    rows: tuple[RowTime, ...]
    compute: Real
    memory: Real
    network: Real
    overhead: Real
    convention: Convention
    beside: Real = 0.0

    def lasting(self, seconds: Real) -> StepTime:
        """Return the same pass where it takes so long: what its rows do not explain is nobody's overhead, or hidden.

        Parameters
        ----------
        seconds : float or array
            How long the pass takes; less than its own time adds no overhead. [s]
        """
        more = excess(seconds, self.seconds)
        return replace(self, seconds=seconds, overhead=self.overhead + more, beside=self.beside + more)

    @property
    def work(self) -> Work:
        """Amounts of the whole pass, per chip."""
        return sum((r.work for r in self.rows), Work())

    @property
    def resources(self) -> Resources:
        """What the pass's seconds are spent on: they sum to it, hidden communication left out."""
        if self.convention == "kernels":
            return by_resource(self.rows, self.seconds, self.overhead)
        busy = self.seconds - self.overhead - self.network  # less than nothing hidden: the network takes its own
        busy = larger(busy, 0.0) if plain(busy) else np.maximum(busy, 0.0)
        compute, memory = split(self.compute, self.memory, busy)
        cache = sum(r.memory for r in self.rows if r.kind in CACHES)
        share = cache / np.where(np.asarray(self.memory) > 0, self.memory, 1.0)
        rest = self.seconds - self.overhead - busy
        return Resources(compute, memory * (1 - share), memory * share, rest, self.overhead)

    @property
    def bound(self) -> Any:
        """The resource that holds most of the time: of the kernels' time when they run one after another."""
        if self.convention == "machine":
            return largest(self.compute, self.memory, self.network, self.overhead)
        spent = self.resources
        return largest(spent.compute, spent.weights + spent.cache, self.network, self.overhead)


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
    overlap it hides behind the kernels (the longer counts), with none it comes on top. Of a pass with prompts the host
    launches the kernels one by one (`with_launches`); where it takes the longer, the rest is overhead.
    """
    kernels = tuple(_row_time(r, step, load, chip, calibration) for r in step.rows)
    links = tuple(_send_time(s, load, chip, calibration) for s in step.sends)
    compute = sum(r.compute for r in kernels)
    memory = sum(r.memory for r in kernels)
    network = sum(r.network for r in links)
    beside = pass_overhead(load.busiest(step.groups, one), calibration)
    overhead = sum(r.overhead for r in (*kernels, *links)) + beside
    if convention == "machine":
        busy = together(compute, memory, calibration.knee)
    else:
        busy = sum(r.busy for r in kernels)
    seconds = pass_seconds(busy, network, overhead, calibration.network_overlap)
    found = StepTime(seconds, (*kernels, *links), compute, memory, network, overhead, convention, beside)
    if not np.any(calibration.launch_seconds):
        return found
    return found.lasting(with_launches(seconds, step.launches, load.prompted, calibration))


class Way(NamedTuple):
    """How the kernels of a row can run: which efficiencies they meet, at what peak, with their bytes coming how fast."""

    kind: Kind
    peak: Real
    bandwidth: Real


def row_kind(row: Row, chip: Machine) -> Kind:
    """Return which efficiencies and overheads the kernels of a row meet on a chip."""
    unpacked = unpacks(chip, row.chain, row.bytes_per_weight)
    width = float(row.bytes_per_weight) if unpacked else 0.0
    return Kind(row.kind, chip.rate_kind(row.chain), unpacked, row.block_scales, width)


def unpacks(chip: Machine, chain: tuple[str, ...], bytes_per_weight: Real) -> bool:
    """Return whether 16-bit units of a chip multiply weights that are stored in fewer bits.

    Parameters
    ----------
    chip : Chip
    chain : tuple of str
        Rates at which the weights may be multiplied, the narrowest first.
    bytes_per_weight : float
        As stored. [bytes]
    """
    return chip.rate_kind(chain) == "bf16" and bytes_per_weight < _WIDE


def row_ways(row: Row, chip: Machine) -> tuple[Way, ...]:
    """Return the ways in which the kernels of a row can run; the shortest counts.

    Raises
    ------
    InputError
        When a row lies on a host that the machine does not have.

    Notes
    -----
    What lies on the host runs on its processor, or, of weights, comes over the link for the chip to multiply: large passes
    do (llama.cpp from 32 tokens on).
    """
    here = Way(row_kind(row, chip), chip.peak(row.chain), chip.bandwidth)
    if not row.host:
        return (here,)
    cpu = chip.cpu
    if cpu is None:
        raise InputError(f"{row.name}: the machine has no host processor in the catalogue")
    on_host = row_kind(row, cpu)._replace(width=0.0)  # its vector units multiply what is stored: no rate of its own
    beside = Way(on_host, cpu.peak(row.chain), cpu.bandwidth)
    streamed = here._replace(bandwidth=smaller(chip.cpu_link, cpu.bandwidth))
    return (beside,) if row.kind in CACHES else (beside, streamed)


def row_amounts(row: Row, step: Step, load: Load, way: Way) -> Amounts:
    """Return what the kernels of a row do in a pass on the busiest chip, one way."""
    work, temporaries = row_work(row, step, load)
    return Amounts(
        work.flops, work.bytes, temporaries, way.peak, way.bandwidth, row.kernels, row.products, row.layers,
        *_uneven(row, step, load),
    )  # fmt: skip


def weights_once(step: Step, chip: Machine) -> Real:
    """Return the time to read all of a chip's weights once, those on the host at the rate of its memory. [s]"""

    def rate(row: Row) -> Real:
        return chip.cpu.bandwidth if row.host and chip.cpu is not None else chip.bandwidth

    return sum(r.weight_bytes / rate(r) for r in step.rows)


def shorter(one: Parts, other: Parts) -> Parts:
    """Return the parts of the way that takes less time, element by element."""
    if plain(one.busy) and plain(other.busy):
        return one if one.busy <= other.busy else other
    first = np.asarray(one.busy) <= other.busy
    return Parts(*(np.where(first, a, b) for a, b in zip(one, other, strict=True)))


def _uneven(row: Row, step: Step, load: Load) -> tuple[Real, Real]:
    """Excess of the busiest chip by the luck of uniform routing; popularity that the load states decides alone."""
    if step.busiest is None or load.skew or not row.experts:
        return 0.0, 0.0
    return step.busiest(row.experts, row.active, expert_groups(row), load.tokens)


def expert_groups(row: Row) -> Real:
    """Return over how many equal groups of chips the experts of a row lie; 1 where every chip has its share of each."""
    if plain(row.on_chip):
        return float(round(row.experts * row.copies / row.on_chip)) if row.on_chip < row.experts else 1.0
    return np.where(np.asarray(row.on_chip) < row.experts, np.round(row.experts * row.copies / row.on_chip), 1.0)


def _row_time(row: Row, step: Step, load: Load, chip: Machine, calibration: Calibration) -> RowTime:
    ways = [(w, row_amounts(row, step, load, w)) for w in row_ways(row, chip)]
    timed = [kernel_time(w.kind, a, calibration) for w, a in ways]
    found = functools.reduce(shorter, timed)._replace(overhead=timed[0].overhead)
    amounts = ways[0][1]
    work = Work(amounts.flops, amounts.bytes + calibration.activation_traffic * amounts.temporaries)
    return RowTime(
        row.name, row.kind, work, found.compute, found.memory, 0.0, found.overhead, found.busy + found.overhead
    )


def _send_time(send: Send, load: Load, chip: Machine, calibration: Calibration) -> RowTime:
    amounts = send_amounts(send, load, chip)
    law = wire(send.kind, amounts, calibration)
    network, sent = law.seconds(), amounts.sent + amounts.outside
    return RowTime(send.name, "collective", Work(sent=sent), 0.0, 0.0, network, law.latency, network + law.latency)


def row_work(row: Row, step: Step, load: Load) -> tuple[Work, Real]:
    """Return FLOPs and bytes of one row under a load on the busiest chip, and its temporaries in bytes."""
    if row.experts:
        return expert_work(row, step, load.tokens, load.skew)
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


def expert_work(row: Row, step: Step, tokens: Real, skew: float = 0.0) -> tuple[Work, Real]:
    """Return FLOPs and bytes of routed experts in a pass of so many tokens, and temporaries in bytes.

    Only touched experts are read, at least one on the busiest chip.

    Parameters
    ----------
    row : Row
        The routed experts.
    step : Step
        Has the routing laws.
    tokens : float or array
        New tokens in the pass. [tokens]
    skew : float
        Zipf exponent of expert popularity; 0 is balanced routing. [1]
    """
    if step.touched is None:
        raise InputError(f"step of {step.model!r}: row {row.name!r} routes to experts, but the step has no routing law")
    # Of two copies each meets half of the tokens: touched as by half the tokens, on the share of experts that have two.
    twice = row.copies - 1.0
    each = step.touched(row.experts, row.active, tokens, skew) * (1.0 - twice)
    if twice if plain(twice) else np.any(twice):
        each = each + 2 * twice * step.touched(row.experts, row.active, tokens / 2, skew)
    touched = each / row.copies * (row.on_chip / row.experts)
    least = smaller(1.0, tokens * row.active)
    read = larger(touched, least) * (row.weight_bytes / row.on_chip)
    # Expert-tokens on the busiest chip: an even share, at least one whole token.
    even = tokens * row.active * (row.on_chip / row.experts) / row.copies
    here = larger(even, least)
    if skew and step.hottest is not None:  # wherever the hottest one lies
        hottest = tokens * step.hottest(row.experts, row.active, skew)
        here = np.where(np.asarray(row.on_chip) < row.experts, np.maximum(here, hottest), here)
    return Work(here * row.flops_per_token, read), here * row.temporaries_per_token
