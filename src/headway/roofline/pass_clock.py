"""Times of passes whose sums somebody keeps up to date, one by one or a whole run of decode passes at once.

`PassClock` gives the seconds of `CompiledStep` (tests say so) from the same coefficients, in a microsecond or two: what
counts alone decide (tokens, sequences, logits) is timed once per combination of counts and remembered; what is left depends
on caches, which grow by one token per sequence and pass. A run of passes is then a sum of a function that is all but linear,
taken at a few places: `run` is exact to rounding where a loop would be, at any length.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from headway.errors import InputError
from headway.roofline.compiled import CompiledStep
from headway.roofline.join import pass_seconds
from headway.roofline.load import Group

_REMEMBERED = 1 << 20  # combinations of counts; a simulation meets some thousands
_PLACES = 8  # at which a stretch of a run is evaluated
_STRETCH = 0.5  # growth of a sum over one stretch: a polynomial through those places errs by less than rounding there
_SHORT = 8  # passes that are simply added up
_FLAT = 4e-15  # of a time: how far the middle of a straight piece lies from its chord by rounding


class _Riders(NamedTuple):
    """A decode pass of so many sequences: seconds that caches do not decide, and its kernels that read them."""

    fixed: float
    kernels: tuple[
        tuple[float, float, tuple[tuple[int, float, float], ...]], ...
    ]  # (compute, memory, [(meter, compute, memory)])


class PassClock:
    """A compiled step whose loads come as sums.

    Parameters
    ----------
    step : CompiledStep
        Of one layout, one machine, one calibration; kernels one after another.
    skew : float
        Zipf exponent of expert popularity. [1]
    times : float
        By which every pass takes longer, where micro-batches wait for a pipeline's fullest stage. [times]

    Raises
    ------
    InputError
        Where the step is columns over layouts, part of it lies on a host, or the machine overlaps everything.
    """

    def __init__(self, step: CompiledStep, skew: float = 0.0, times: float = 1.0) -> None:
        if not step.metered:
            raise InputError("a pass clock needs one layout on the chips alone, with kernels one after another")
        self.step, self.skew, self.times = step, skew, times
        self.meters = len(step.amounts)
        self.growing = step.context_meters
        self.parts = tuple(float(p) for p in step.parts_of_meters)
        self.alone = all(p == 1 for p in self.parts)
        self._contextual, self._soft = step.contextual, step.soft
        self._prompted = step.prompted or 0
        self._host = 0.0 if step.prompted is None else float(step.launches * step.calibration.launch_seconds)
        self._overlap = float(step.calibration.network_overlap)
        self._kinked = bool(step.calibration.knee and self._overlap)  # curved, and a maximum over it
        self._counts = operator.itemgetter(*(i for i in range(self.meters) if i not in set(self.growing)))
        self.quick = self.alone and not self._overlap  # a decode pass is a sum of what counts and what caches decide
        self._riders: dict[tuple[int, int], _Riders] = {}
        self._known: dict[tuple[float, Any], tuple[float, float, float]] = {}
        self.sequences: dict[tuple[float, float, float], list[float]] = {}  # of `amounts_of`

    def amounts_of(self, new: float, context: float, logits: float = 1.0) -> list[float]:
        """Return what one sequence adds to each meter; remembered, so not to be changed.

        Parameters
        ----------
        new, context, logits : float
            New tokens; tokens in its cache before them; positions whose logits are needed. [tokens]
        """
        key = (new, context, logits)
        found = self.sequences.get(key)
        if found is None:
            group = Group(1.0, float(new), float(context), float(logits))
            found = [float(a(group)) for a in self.step.amounts]
            if len(self.sequences) < _REMEMBERED:
                self.sequences[key] = found
        return found

    def decode_tables(self, longest: int, new: float = 1.0) -> list[list[float]]:
        """Return, for each meter of caches, what a decoding sequence adds to it at every length up to `longest`.

        Parameters
        ----------
        longest : int
            Longest cache. [tokens]
        new : float
            New tokens of a pass. [tokens]
        """
        lengths = np.arange(longest + 1, dtype=float)
        group = Group(1.0, new, lengths, new)
        return [
            np.broadcast_to(self.step.amounts[i](group), lengths.shape).astype(float).tolist() for i in self.growing
        ]

    def seconds(self, totals: Sequence[float], tokens: float, singles: Sequence[float] | None = None) -> float:
        """Return the time of a pass. [s]

        Parameters
        ----------
        totals : sequence of float
            Of each meter, over all sequences. [unit of the meter]
        tokens : float
            New tokens of the pass. [tokens]
        singles : sequence of float or None
            The largest single sequence's; needed where there are data-parallel groups. [unit of the meter]
        """
        values = totals if self.alone else self._busiest(totals, singles)
        known = self._known.get((tokens, self._counts(values)))  # `_counted` without a call where it is remembered
        busy, network, overhead = known or self._counted(values, tokens)
        busy += self._contextual(values)
        took = self._joined(busy, network, overhead) if self._overlap else busy + network + overhead
        if self._host and values[self._prompted] > 0:  # `with_launches` without two calls
            soft, power = self._soft
            longer, shorter = (took, self._host) if took >= self._host else (self._host, took)
            took = longer * (1.0 + (shorter / longer) ** power) ** soft if power else longer
        return took * self.times

    def decode(self, count: int, totals: Sequence[float], new: int = 1) -> float:
        """Return the time of a pass in which so many sequences decode; as `seconds`, where the clock is `quick`. [s]

        Parameters
        ----------
        count : int
            Sequences. [sequences]
        totals : sequence of float
            Of the meters of caches; the others follow from the count. [unit of the meter]
        new : int
            New tokens of each. [tokens]
        """
        fixed, kernels = self._riders.get((count, new)) or self._of_riders(count, new)
        soft, power = self._soft
        for compute, memory, more in kernels:
            for meter, c, m in more:
                amount = totals[meter]
                compute, memory = compute + amount * c, memory + amount * m  # noqa: PLW2901 - half of the time
            longer, shorter = (compute, memory) if compute >= memory else (memory, compute)
            fixed += longer * (1.0 + (shorter / longer) ** power) ** soft if power and shorter > 0 else longer
        return fixed * self.times

    def _of_riders(self, count: int, new: int) -> _Riders:
        each = self.amounts_of(new, 0.0, new)
        values = [0.0 if i in self.growing else count * v for i, v in enumerate(each)]
        found = _Riders(math.fsum(self._counted(values, count * new)), self.step.caches(values))
        self._riders[count, new] = found
        return found

    def _counted(self, values: Sequence[float], tokens: float) -> tuple[float, float, float]:
        """Seconds of everything that counts alone decide, remembered: kernels, network, overheads."""
        key = (tokens, self._counts(values))
        found = self._known.get(key)
        if found is None:
            found = self.step.counted(values, tokens, self.skew)
            if len(self._known) < _REMEMBERED:
                self._known[key] = found
        return found

    def _joined(self, busy: float, network: float, overhead: float) -> float:
        if not self._overlap:  # as `pass_seconds` has it, without a call
            return busy + network + overhead
        return float(pass_seconds(busy, network, overhead, self._overlap))

    def _busiest(self, totals: Sequence[float], singles: Sequence[float] | None) -> list[float]:
        if singles is None:
            raise InputError("a pass over data-parallel groups needs the largest single sequence of each meter")
        return [t if p == 1 else max(t / p, s) for t, s, p in zip(totals, singles, self.parts, strict=True)]

    def run(
        self,
        count: int,
        totals: Sequence[float],
        slopes: Sequence[float],
        tokens: float,
        singles: Sequence[float] | None = None,
        steps: Sequence[float] | None = None,
    ) -> float:
        """Return the time of `count` passes, of which each carries more than the last. [s]

        Parameters
        ----------
        count : int
            Passes. [1]
        totals, slopes : sequence of float
            Of each meter: the sum in the first pass, and what each further pass adds to it (0 to counts). [unit of the meter]
        tokens : float
            New tokens of each pass. [tokens]
        singles, steps : sequence of float or None
            The same of the largest single sequence, where there are data-parallel groups. [unit of the meter]

        Notes
        -----
        Between the passes at which one sequence begins or ceases to be larger than a group's share the time is smooth: the sum over
        i < n of a polynomial of degree 7 through eight places of a stretch, in which no sum grows by more than half. On a machine
        without a knee it is convex and made of straight pieces: where its middle lies on the chord it is one.
        """

        at = self._growing(totals, slopes, tokens, singles, steps)
        if count <= _SHORT or self._kinked:
            return math.fsum(map(at, range(count)))
        cuts = [0, count] if singles is None or steps is None else self._cuts(count, totals, slopes, singles, steps)
        pieces = itertools.pairwise(cuts)
        if not self.step.calibration.knee:
            return math.fsum(_straight(at, a, b) for a, b in pieces)
        grow = [*zip(totals, slopes, strict=True), *zip(singles or (), steps or (), strict=True)]
        return math.fsum(_smooth(at, a, b, grow) for a, b in pieces)

    def until(
        self,
        gap: float,
        most: int,
        first: float,
        totals: Sequence[float],
        slopes: Sequence[float],
        tokens: float,
        singles: Sequence[float] | None = None,
        steps: Sequence[float] | None = None,
    ) -> tuple[int, float]:
        """Return (passes, seconds) of a run that ends with the first pass at or after a moment: for short ones, summed one by one.

        Parameters
        ----------
        gap, first : float
            Until that moment; time of the first pass. [s]
        most : int
            Passes at the most. [1]
        totals, slopes, tokens, singles, steps : -
            As of `run`. [unit of the meter]
        """
        return _added(self._growing(totals, slopes, tokens, singles, steps), gap, most, first)

    def decode_until(
        self, gap: float, most: int, first: float, sequences: int, totals: Sequence[float], slopes: Sequence[float]
    ) -> tuple[int, float]:
        """Return the same of passes of `decode`.

        Parameters
        ----------
        gap, first : float
            Until that moment; time of the first pass. [s]
        most, sequences : int
            Passes at the most; sequences that decode. [1, sequences]
        totals, slopes : sequence of float
            As of `run`. [unit of the meter]
        """
        values = list(totals)

        def at(i: float) -> float:
            for m in self.growing:
                values[m] = totals[m] + i * slopes[m]
            return self.decode(sequences, values)

        return _added(at, gap, most, first)

    def _growing(
        self,
        totals: Sequence[float],
        slopes: Sequence[float],
        tokens: float,
        singles: Sequence[float] | None,
        steps: Sequence[float] | None,
    ) -> Callable[[float], float]:
        """The time of the i-th pass of a run: counts stay, caches grow."""
        values = list(totals) if self.alone else self._busiest(totals, singles)
        busy, network, overhead = self._counted(values, tokens)
        contextual, joined, times = self.step.contextual, self._joined, self.times
        if singles is None or steps is None:
            grow = [(m, totals[m], slopes[m]) for m in self.growing]

            def at(i: float) -> float:
                for m, t, d in grow:
                    values[m] = t + i * d
                return times * joined(busy + contextual(values), network, overhead)

            return at
        each = [(m, totals[m], slopes[m], singles[m], steps[m], self.parts[m]) for m in self.growing]

        def of_groups(i: float) -> float:
            for m, t, d, s, e, p in each:
                values[m] = t + i * d if p == 1 else max((t + i * d) / p, s + i * e)
            return times * joined(busy + contextual(values), network, overhead)

        return of_groups

    def _cuts(
        self,
        count: int,
        totals: Sequence[float],
        slopes: Sequence[float],
        singles: Sequence[float],
        steps: Sequence[float],
    ) -> list[int]:
        """Passes between which the same side of every group's maximum counts."""
        found = {0, count}
        for t, d, s, e, p in zip(totals, slopes, singles, steps, self.parts, strict=True):
            gap, closing = t / p - s, e - d / p
            if p != 1 and closing and 0 < gap / closing < count:
                found.add(math.ceil(gap / closing))
        return sorted(found)


def _added(at: Callable[[float], float], gap: float, most: int, first: float) -> tuple[int, float]:
    """Passes, added up one by one until one ends at or after a moment, and their seconds."""
    count, took = 1, first
    while count < most and took < gap:
        took += at(count)
        count += 1
    return count, took


def _straight(at: Callable[[float], float], first: int, end: int) -> float:
    """Sum of at(i) over first <= i < end, convex and made of straight pieces."""
    size = end - first
    if size <= _SHORT:
        return math.fsum(at(i) for i in range(first, end))
    low, high, middle = at(first), at(end - 1), at((first + end - 1) / 2)
    if abs(middle - (low + high) / 2) <= _FLAT * high:
        return size * (low + high) / 2
    half = (first + end) // 2
    return _straight(at, first, half) + _straight(at, half, end)


def _smooth(at: Callable[[float], float], first: int, end: int, grow: Sequence[tuple[float, float]]) -> float:
    """Sum of at(i) over first <= i < end, smooth."""
    found, done = 0.0, first
    while done < end:
        room = min((_STRETCH * (t + done * d) / d for t, d in grow if d > 0), default=end)
        size = min(end - done, max(int(room), _SHORT))
        if size <= _SHORT:
            found += math.fsum(at(done + i) for i in range(size))
        else:
            found += math.fsum(w * at(done + x) for x, w in _weights(size))
        done += size
    return found


@functools.lru_cache(maxsize=1 << 16)
def _weights(count: int) -> tuple[tuple[float, float], ...]:
    """Places in [0, count - 1] and weights that sum every polynomial of degree 7 over i = 0 .. count - 1 exactly.

    Chebyshev's places keep the polynomial through them close to the function between them.
    """
    middle = (count - 1) / 2
    unit = np.cos(np.pi * (np.arange(_PLACES) + 0.5) / _PLACES)
    powers = np.polynomial.legendre.legvander(unit, _PLACES - 1)
    every = np.polynomial.legendre.legvander((np.arange(count) - middle) / middle, _PLACES - 1).sum(axis=0)
    weights = np.linalg.solve(powers.T, every)
    return tuple((float(middle + middle * u), float(w)) for u, w in zip(unit, weights, strict=True))
