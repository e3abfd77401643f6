"""The sequences that decode, as running sums: joining, leaving and a run of passes cost the same however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from headway.roofline import PassClock

_STRAIGHT = 1e-9  # of a slope: a smaller change is rounding
_BENDS = 64  # places at which a read law may bend; one that bends at more is curved, and is summed anew at every pass


class Law(NamedTuple):
    """What one sequence adds to a meter, by the length of its cache.

    Attributes
    ----------
    meter : int
        Index of the meter. [1]
    table : list of float
        At each length. [unit of the meter]
    bends : list of (int, float)
        Lengths at which the slope changes, and by how much. [tokens, unit of the meter per token]
    curved : bool
        It bends nearly everywhere.
    """

    meter: int
    table: list[float]
    bends: list[tuple[int, float]]
    curved: bool


def laws(clock: PassClock, longest: int) -> list[Law]:
    """Return the laws of a clock's context meters up to a length.

    Parameters
    ----------
    clock : PassClock
    longest : int
        Longest cache of any sequence. [tokens]
    """
    found: list[Law] = []
    for meter, table in zip(clock.growing, clock.decode_tables(longest + 1), strict=True):
        slopes = np.diff(table)
        change = np.diff(slopes)
        at = np.flatnonzero(np.abs(change) > _STRAIGHT * max(float(np.abs(slopes).max(initial=0.0)), 1e-300)) + 1
        curved = len(at) > _BENDS
        bends = [] if curved else [(int(c), float(change[c - 1])) for c in at]
        found.append(Law(meter, table, bends, curved))
    return found


class Decoding:
    """Sequences that take a token in every pass.

    Attributes
    ----------
    count : int
        Sequences. [sequences]
    passed : int
        Decode passes done. [passes]
    totals, slopes : list of float
        Of each meter in the next pass, and what each further pass adds. [unit of the meter]
    """

    def __init__(self, clock: PassClock, laws: Sequence[Law]) -> None:
        self._clock, self._laws = clock, laws
        self.curved = any(law.curved for law in self._laws)
        one = clock.amounts_of(1.0, 0.0)
        self._counts = [(i, v) for i, v in enumerate(one) if i not in clock.growing]
        self.count, self.passed = 0, 0
        self.totals, self.slopes = [0.0] * clock.meters, [0.0] * clock.meters
        self._start: dict[int, int] = {}  # sequence -> its cache less the passes done when it joined
        self._bends: list[tuple[int, int, int, int, float]] = []  # (pass, who, its start, meter, change)
        self._longest: list[tuple[int, int]] = []

    def __contains__(self, who: int) -> bool:
        return who in self._start

    def join(self, who: int, cached: int) -> None:
        """Let a sequence decode from the next pass on.

        Parameters
        ----------
        who, cached : int
            The sequence; tokens in its cache. [1, tokens]
        """
        self.count += 1
        self._add(cached, 1.0)
        start = self._start[who] = cached - self.passed
        for law in self._laws:
            for length, change in law.bends:
                if length > cached:
                    heappush(self._bends, (length - start, who, start, law.meter, change))
        if not self._clock.alone:
            heappush(self._longest, (-start, who))

    def leave(self, who: int) -> int:
        """Take a sequence out; returns the tokens in its cache.

        Parameters
        ----------
        who : int
            The sequence. [1]
        """
        cached = self._start.pop(who) + self.passed
        self.count -= 1
        if self.count:
            self._add(cached, -1.0)
        else:  # whatever rounding has left
            self.totals, self.slopes = [0.0] * len(self.totals), [0.0] * len(self.slopes)
            self._bends.clear()
            self._longest.clear()
        return cached

    def _add(self, cached: int, sign: float) -> None:
        totals, slopes, count = self.totals, self.slopes, self.count
        for i, v in self._counts:
            totals[i] = count * v
        for meter, table, _, curved in self._laws:
            here = table[cached]
            totals[meter] += sign * here
            if not curved:
                slopes[meter] += sign * (table[cached + 1] - here)

    def straight(self, most: int) -> int:
        """Return for how many passes, up to `most`, the sums grow by the same amounts.

        Parameters
        ----------
        most : int
            [passes]
        """
        if self.curved:
            return min(most, 1)
        bends = self._bends
        while bends and self._start.get(bends[0][1]) != bends[0][2]:  # it has left
            heappop(bends)
        return min(most, bends[0][0] - self.passed) if bends else most

    def largest(self) -> tuple[list[float], list[float]] | tuple[None, None]:
        """Return what the longest sequence adds to each meter and by how much that grows; (None, None) in one group."""
        if self._clock.alone or not self.count:
            return None, None
        heap = self._longest
        while self._start.get(heap[0][1]) != -heap[0][0]:
            heappop(heap)
        cached = self.passed - heap[0][0]
        singles, steps = [0.0] * len(self.totals), [0.0] * len(self.totals)
        for i, v in self._counts:
            singles[i] = v
        for law in self._laws:
            singles[law.meter] += law.table[cached]
            steps[law.meter] = law.table[cached + 1] - law.table[cached]
        return singles, steps

    def advance(self, count: int) -> None:
        """Do so many passes, over which the sums are straight.

        Parameters
        ----------
        count : int
            [passes]
        """
        self.passed += count
        totals, slopes, passed, bends = self.totals, self.slopes, self.passed, self._bends
        for law in self._laws:
            totals[law.meter] += count * slopes[law.meter]
        while bends and bends[0][0] <= passed:
            _, who, start, meter, change = heappop(bends)
            if self._start.get(who) == start:
                slopes[meter] += change
        if self.curved:
            self._anew()

    def _anew(self) -> None:
        for law in self._laws:
            if law.curved:
                self.totals[law.meter] = sum(law.table[s + self.passed] for s in self._start.values())
