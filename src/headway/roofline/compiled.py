"""A Step on a chip under a calibration, compiled: everything that does not depend on the load is folded into coefficients.

`CompiledStep` gives the same numbers as `step_time` (to rounding, and a test says so), from the same primitives: a few
microseconds for one pass, millions a second for arrays. A pass is known by its *sums*: new tokens, sequences, cache
entries and pairs over all its sequences. They add, so a simulator keeps them up to date instead of walking its batch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from headway.numeric import excess, larger, number, plain, smaller, some, where
from headway.roofline.calibration import IDEAL, Calibration
from headway.roofline.coefficients import Experts, Kernel, PassParts
from headway.roofline.collectives import ALWAYS, Wire, transfer, wire
from headway.roofline.join import pass_seconds, split, together
from headway.roofline.kernels import Parts, kernel_overhead, kernel_rates, with_launches
from headway.roofline.load import Group, Load, carried, logit_positions, one, prompt_tokens, shared_tokens
from headway.roofline.machine import Machine
from headway.roofline.step import Row, Step
from headway.roofline.sums import Amount, Meters, Sums
from headway.roofline.time import Convention, Way, expert_groups, expert_work, row_ways, shorter

Real = Any  # a float or a NumPy array; everything broadcasts
_MANY = 12  # groups of a load from which they are summed as arrays
_REMEMBERED = 4096  # token counts whose expert work a pass function keeps
_BLOCK = 8_192  # points of a sweep timed together: they stay in the processor's cache


class CompiledStep:
    """A pass function: load (or its sums) -> seconds.

    Parameters
    ----------
    step : Step
        Coefficients per chip; columns over layouts are fine.
    chip : Machine
    calibration : Calibration
    convention : str
        As of `step_time`.

    Raises
    ------
    InputError
        When the chip lacks a rate or a link that the step needs.
    """

    def __init__(
        self, step: Step, chip: Machine, calibration: Calibration = IDEAL, convention: Convention = "kernels"
    ) -> None:
        self.step, self.chip, self.calibration, self.convention = step, chip, calibration, convention
        self._meters = Meters()
        c = calibration
        self._kernels: list[Kernel] = []
        self._experts: list[Experts] = []
        self._either: list[list[Kernel | Experts]] = []  # rows that can run in several ways
        overhead: Real = c.step_seconds
        for row in step.rows:
            ways = row_ways(row, chip)
            overhead = overhead + kernel_overhead(ways[0].kind, row.kernels, row.products, row.layers, c)
            found = [self._coefficients(row, way) for way in ways]
            if len(found) > 1:
                self._either.append(found)
            elif isinstance(found[0], Experts):
                self._experts.append(found[0])
            else:
                self._kernels.append(found[0])
        self._wires: list[tuple[int, Wire, Callable[[float], Real] | None]] = []
        self._at_times: list[tuple[int, Real]] = []  # latencies of what not every pass sends
        overhead = overhead + self._join_chips()
        self._sequences = self._meters.add("one", one, step.groups)
        self._constant, self.launches = number(overhead), number(step.launches)
        self.prompted = self._meters.add("prompted", prompt_tokens, 1) if np.any(c.launch_seconds) else None
        self._per_sequence = c.sequence_seconds
        self._overlap = c.network_overlap
        self._alone, self._amounts = self._meters.alone, self._meters.amounts
        self._parts_of = [(i, p) for i, p in enumerate(self._meters.parts) if not (plain(p) and p == 1)]
        self._uneven = bool(np.any(c.expert_imbalance)) and step.busiest is not None
        # coefficients that are single numbers: a pass of plain numbers then needs no array arithmetic
        every = (*self._kernels, *(k for ways in self._either for k in ways if isinstance(k, Kernel)))
        self._single = all(map(plain, (self._constant, c.knee, c.network_overlap, *self._meters.parts))) and all(
            plain(k.constant) and plain(k.compute) and plain(k.memory) for k in every
        )
        self._soft = max(float(c.knee), 1e-3) if plain(c.knee) and c.knee > 0 else 0.0
        self._known: dict[tuple[float, float], tuple[float, float]] = {}
        self.context_meters = tuple(self._meters.of_context)
        grows = set(self.context_meters)
        self._grow = [k for k in self._kernels if any(m in grows for m, _, _ in k.more)]
        self._stay = [k for k in self._kernels if not any(m in grows for m, _, _ in k.more)]

    def _join_chips(self) -> Real:
        """Take in the collectives; returns the latencies of those that every pass has. [s]"""
        latency: Real = 0.0
        for send in self.step.sends:
            found = wire(send.kind, transfer(send, send.payload, self.chip), self.calibration)
            law = Wire._make(number(x) for x in found)
            name = "tokens" if send.carries == "new" else send.carries
            key = () if name == "logits" else (send.ways,)
            meter = self._meters.add(name, carried(send.carries, send.ways), send.groups, *key)
            latency = latency + (law.latency if send.carries in ALWAYS else 0.0)
            self._at_times += [] if send.carries in ALWAYS else [(meter, law.latency)]
            self._wires.append((meter, law, send.crowding))
        return latency

    @property
    def amounts(self) -> Sequence[Amount]:
        """What each meter counts of a group of sequences; its sums over all of them are a pass's `Sums`."""
        return self._amounts

    @property
    def parts_of_meters(self) -> Sequence[Real]:
        """Data-parallel groups of which each meter counts the busiest. [groups]"""
        return self._meters.parts

    @property
    def metered(self) -> bool:
        """Whether a pass is a function of single numbers: one layout, one calibration, kernels one after another, no host."""
        return self._single and self.convention == "kernels" and not self._either

    def counted(self, values: Sequence[float], tokens: float, skew: float = 0.0) -> tuple[float, float, float]:
        """Return (kernels, network, overhead) of everything that caches do not decide. [s]

        Parameters
        ----------
        values : sequence of float
            Of each meter, on the busiest group. [unit of the meter]
        tokens, skew : float
            New tokens of the pass; Zipf exponent of expert popularity. [tokens, 1]
        """
        s = Sums(values, values, tokens, skew)
        knee = self.calibration.knee
        busy = sum(together(*self._one(k, s, values), knee) for k in (*self._stay, *self._experts))
        return float(busy), float(self._network(s, values)), float(self._overhead(values))

    def contextual(self, values: Sequence[float]) -> float:
        """Return the time of the kernels that read caches, `_one` and `corner` written out: calls would take half of the time. [s]

        Parameters
        ----------
        values : sequence of float
            Of each meter, on the busiest group. [unit of the meter]
        """
        soft, busy = self._soft, 0.0
        power = 1.0 / soft if soft else 0.0
        for constant, token, compute_each, memory_each, more in self._grow:
            tokens = values[token]
            compute, memory = tokens * compute_each, constant + tokens * memory_each
            for meter, c, m in more:
                amount = values[meter]
                compute, memory = compute + amount * c, memory + amount * m
            longer, shorter = (compute, memory) if compute >= memory else (memory, compute)
            busy += longer * (1.0 + (shorter / longer) ** power) ** soft if power and shorter > 0 else longer
        return busy

    @property
    def soft(self) -> tuple[float, float]:
        """Softness of the corner where compute and memory meet, and its inverse; zeros of a sharp one. [1]"""
        return self._soft, 1.0 / self._soft if self._soft else 0.0

    def caches(self, values: Sequence[float]) -> tuple[tuple[float, float, tuple[tuple[int, float, float], ...]], ...]:
        """Return the kernels that read caches: compute and memory seconds without them, and of a unit of each of their meters. [s]

        Parameters
        ----------
        values : sequence of float
            Of the other meters. [unit of the meter]
        """
        found: list[tuple[float, float, tuple[tuple[int, float, float], ...]]] = []
        for k in self._grow:
            compute, memory = values[k.token] * k.compute, k.constant + values[k.token] * k.memory
            for m, c, b in k.more:
                if m not in self.context_meters:
                    compute, memory = compute + values[m] * c, memory + values[m] * b
            found.append((compute, memory, tuple(x for x in k.more if x[0] in self.context_meters)))
        return tuple(found)

    def _coefficients(self, row: Row, way: Way) -> Kernel | Experts:
        """A row in one of its ways."""
        flop, byte, activation = kernel_rates(way.kind, way.peak, way.bandwidth, self.calibration)
        if row.experts:
            return Experts(row, flop, byte, self.calibration.activation_traffic * activation, expert_groups(row))
        return self._kernel(row, flop, byte)

    def _kernel(self, row: Row, flop: Real, byte: Real) -> Kernel:
        add, more = self._meters.add, []
        token = add("tokens", shared_tokens(row.ways), row.groups, row.ways)
        if some(row.flops_per_logit):
            more.append((add("logits", logit_positions, row.groups), number(row.flops_per_logit * flop), 0.0))
        if some(row.bytes_per_sequence):
            more.append((add("one", one, row.groups), 0.0, number(row.bytes_per_sequence * byte)))
        read = row.read
        if read is not None:
            entries: Amount = lambda g: read.read_entries(g.new, g.context)  # noqa: E731
            more.append((add("entries", entries, row.groups, read), 0.0, number(row.read_bytes * byte)))
            if some(row.share):
                pairs: Amount = lambda g: read.pair_flops(g.new, g.context)  # noqa: E731
                more.append((add("pairs", pairs, row.groups, read), number(row.share * flop), 0.0))
        moved = row.bytes_per_token + self.calibration.activation_traffic * row.temporaries_per_token
        numbers = (number(x) for x in (row.weight_bytes * byte, row.flops_per_token * flop, moved * byte))
        constant, compute, memory = numbers
        return Kernel(constant, token, compute, memory, tuple(more))

    def sums(self, load: Load) -> Sums:
        """Return what a load carries, as this step meters it."""
        groups = load.groups
        if len(groups) >= _MANY and all(plain(g.sequences) and plain(g.new) and plain(g.context) for g in groups):
            return self._sums_of_many(load)
        if len(groups) > 1:
            totals = [sum(g.sequences * a(g) for g in groups) for a in self._amounts]
            singles = totals if self._alone else [load.largest(a) for a in self._amounts]
            return Sums(totals, singles, load.tokens, load.skew)
        g = load.groups[0]
        n = g.sequences
        each = [a(g) for a in self._amounts]
        part = smaller(n, 1.0)
        totals = [n * x for x in each]
        return Sums(totals, totals if self._alone else [part * x for x in each], n * g.new, load.skew)

    def _sums_of_many(self, load: Load) -> Sums:
        """The same for a load of many sequences counted one by one."""
        columns = np.array([(g.sequences, g.new, g.context, g.logits) for g in load.groups], dtype=float).T
        every = Group(columns[0], columns[1], columns[2], columns[3])
        weight = np.minimum(every.sequences, 1.0)
        values = [np.broadcast_to(a(every), weight.shape) for a in self._amounts]
        totals = [float(every.sequences @ v) for v in values]
        singles = totals if self._alone else [float((weight * v).max()) for v in values]
        return Sums(totals, singles, float(every.sequences @ every.new), load.skew)

    def seconds(self, load: Load | Sums) -> Real:
        """Return the time of a pass. [s]"""
        if isinstance(load, Load):
            first = load.groups[0]
            cut = None if plain(first.sequences) and plain(first.context) else self._blocks(load)
            if cut is not None:
                return np.concatenate([self._parts(self.sums(piece)).seconds for piece in cut])
            load = self.sums(load)
        return self._parts(load).seconds

    def parts(self, load: Load | Sums) -> PassParts:
        """Return the time of a pass and its parts. [s]"""
        return self._parts(self.sums(load) if isinstance(load, Load) else load, whole=True)

    def _blocks(self, load: Load) -> Sequence[Load] | None:
        """Cut a long sweep whose points all differ into pieces; None where there is nothing to cut."""
        arrays = [v for g in load.groups for v in (g.sequences, g.new, g.context, g.logits) if not plain(v)]
        size = max((v.size for v in arrays), default=0)
        if size <= 2 * _BLOCK or any(v.shape != (size,) for v in arrays) or not self._single:
            return None
        return [load.piece(at, _BLOCK) for at in range(0, size, _BLOCK)]

    def _parts(self, s: Sums, whole: bool = False) -> PassParts:
        values = s.totals
        if self._parts_of:
            values = list(values)
            for i, p in self._parts_of:
                values[i] = larger(values[i] / p, s.singles[i])
        knee, one_by_one = self.calibration.knee, self.convention == "kernels"
        if self._single and one_by_one and all(map(plain, values)) and plain(s.tokens):
            return self._one_pass(s, values)
        busy = in_compute = in_memory = on_compute = 0.0
        for compute, memory in self._each(s, values):
            in_compute, in_memory = in_compute + compute, in_memory + memory
            if one_by_one:
                took = together(compute, memory, knee)
                busy = busy + took
                if whole:
                    on_compute = on_compute + split(compute, memory, took)[0]
        if not one_by_one:
            busy = together(in_compute, in_memory, knee)
            on_compute = split(in_compute, in_memory, busy)[0]
        return self._joined(s, values, (busy, in_compute, in_memory, on_compute))

    def _each(self, s: Sums, values: Sequence[Real]) -> Iterator[tuple[Real, Real]]:
        """Compute and memory seconds of each kernel."""
        for k in (*self._kernels, *self._experts):
            yield self._one(k, s, values)
        yield from self._quickest(s, values)

    def _one(self, k: Kernel | Experts, s: Sums, values: Sequence[Real]) -> tuple[Real, Real]:
        """Compute and memory seconds of a kernel."""
        if isinstance(k, Experts):
            return self._expert(k, s.tokens, s.skew)
        tokens = values[k.token]
        compute, memory = tokens * k.compute, k.constant + tokens * k.memory
        for meter, c, m in k.more:
            amount = values[meter]
            compute, memory = compute + amount * c, memory + amount * m
        return compute, memory

    def _quickest(self, s: Sums, values: Sequence[Real]) -> Iterator[tuple[Real, Real]]:
        """Compute and memory seconds of each kernel that can run in several ways, in the shortest of them."""
        for ways in self._either:
            found = [Parts(*(t := self._one(k, s, values)), together(*t, self.calibration.knee), 0.0) for k in ways]
            yield functools.reduce(shorter, found)[:2]

    def _joined(self, s: Sums, values: Sequence[Real], kernels: tuple[Real, Real, Real, Real]) -> PassParts:
        return self._whole(values, kernels, self._network(s, values))

    def _network(self, s: Sums, values: Sequence[Real]) -> Real:
        """Time on the wire. [s]"""
        network = 0.0
        for meter, law, crowding in self._wires:
            times = values[meter] * crowding(s.skew) if s.skew and crowding is not None else values[meter]
            network = network + law.seconds(times)
        return network

    def _whole(self, values: Sequence[Real], kernels: tuple[Real, Real, Real, Real], network: Real) -> PassParts:
        busy, in_compute, in_memory, on_compute = kernels
        overhead = self._overhead(values)
        seconds = pass_seconds(busy, network, overhead, self._overlap)
        if self.prompted is not None:
            longer = with_launches(seconds, self.launches, values[self.prompted], self.calibration)
            seconds, overhead = longer, overhead + excess(longer, seconds)
        return PassParts(seconds, busy, in_compute, in_memory, network, overhead, on_compute)

    def _overhead(self, values: Sequence[Real]) -> Real:
        """Launches, latencies and scheduling of a pass. [s]"""
        found = self._constant + values[self._sequences] * self._per_sequence
        for meter, latency in self._at_times:
            found = found + where(values[meter] > 0, latency, 0.0)
        return found

    def _one_pass(self, s: Sums, values: Sequence[float]) -> PassParts:
        """The same of plain numbers: `together` and `Wire.seconds` written out, whose calls would take half of the time."""
        soft = self._soft
        power = 1.0 / soft if soft else 0.0
        busy = in_compute = in_memory = on_compute = 0.0
        times: list[tuple[float, float]] = []
        for constant, token, compute_each, memory_each, more in self._kernels:
            tokens = values[token]
            compute, memory = tokens * compute_each, constant + tokens * memory_each
            for meter, c, m in more:
                amount = values[meter]
                compute, memory = compute + amount * c, memory + amount * m
            times.append((compute, memory))
        for e in self._experts:
            key = (s.tokens, s.skew)
            found = self._known.get(key) if len(self._experts) == 1 else None
            if found is None:
                found = self._expert(e, s.tokens, s.skew)
                if len(self._known) < _REMEMBERED:
                    self._known[key] = found
            times.append(found)
        times.extend(self._quickest(s, values))
        for compute, memory in times:
            in_compute, in_memory = in_compute + compute, in_memory + memory
            if compute >= memory:
                took = compute * (1.0 + (memory / compute) ** power) ** soft if soft and memory > 0 else compute
                busy, on_compute = busy + took, on_compute + took
            else:
                busy += memory * (1.0 + (compute / memory) ** power) ** soft if soft and compute > 0 else memory
        if s.skew:
            return self._joined(s, values, (busy, in_compute, in_memory, on_compute))
        network = 0.0
        for meter, (linear, ramp, outside, _, at_once), _ in self._wires:
            amount = values[meter]
            inside, away = linear * amount + ramp * math.sqrt(amount), outside * amount
            network += (inside if inside > away else away) if at_once else inside + away
        return self._whole(values, (busy, in_compute, in_memory, on_compute), network)

    def _expert(self, e: Experts, tokens: Real, skew: float) -> tuple[Real, Real]:
        work, temporaries = expert_work(e.row, self.step, tokens, skew)
        flops, moved = work.flops, work.bytes
        busiest = self.step.busiest
        if self._uneven and busiest is not None and not skew:
            imbalance = self.calibration.expert_imbalance
            more_bytes, more_flops = busiest(e.row.experts, e.row.active, e.groups, tokens)
            flops, moved = flops * (1 + imbalance * more_flops), moved * (1 + imbalance * more_bytes)
        return flops * e.flop, moved * e.byte + temporaries * e.temporaries

    def half_and_half(self, load: Load) -> Real:
        """Return the time of a pass whose two halves take turns on the chip and on the network. [s]

        Notes
        -----
        Two-batch overlap (DeepSeek-V3 report, 3.1 and 3.4). Each half reads the weights and launches its kernels by itself,
        and its network time hides behind the other half's kernels: 2 max(busy(B/2), network(B/2)) plus the overheads of
        both, of which scheduling counts once. Groups of a single sequence have no halves: there the pass runs plain.
        """
        plain_pass, half = self.seconds(load), self.parts(load.halved())
        hidden = pass_seconds(half.busy, half.network, half.overhead, 1.0)
        enough = load.busiest(self.step.groups, one) >= 2
        return np.where(enough, 2 * hidden - self.calibration.step_seconds, plain_pass)

    def shortest(self, load: Load, overlap: bool) -> Real:
        """Return the time of a pass: plain, or in two halves where that is allowed and faster. [s]"""
        plain_pass = self.seconds(load)
        return np.minimum(plain_pass, self.half_and_half(load)) if overlap else plain_pass


def compiled(
    step: Step, chip: Machine, calibration: Calibration = IDEAL, convention: Convention = "kernels"
) -> CompiledStep:
    """Return a step on a chip as a pass function (see `CompiledStep`)."""
    return CompiledStep(step, chip, calibration, convention)
