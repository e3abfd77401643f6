"""The sequences that decode, as running sums: joining, leaving and a run of passes cost the same however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import NamedTuple, Protocol

import numpy as np

from headway.simulation.blocks import Blocks
from headway.simulation.clocks import Clock

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


_NOBODY: list[int] = []  # not to be changed


def laws(clock: Clock, longest: int, new: int = 1) -> list[Law]:
    """Return the laws of a clock's context meters up to a length.

    Parameters
    ----------
    clock : Clock
    longest, new : int
        Longest cache of any sequence; new tokens of each in a pass. [tokens]
    """
    found: list[Law] = []
    for meter, table in zip(clock.growing, clock.decode_tables(longest + 1, float(new)), strict=True):
        slopes = np.diff(table)
        change = np.diff(slopes)
        at = np.flatnonzero(np.abs(change) > _STRAIGHT * max(float(np.abs(slopes).max(initial=0.0)), 1e-300)) + 1
        curved = len(at) > _BENDS
        bends = [] if curved else [(int(c), float(change[c - 1])) for c in at]
        found.append(Law(meter, table, bends, curved))
    return found


class Aboard(Protocol):
    """The sequences that decode on a replica; `Decoding` makes one token of each in a pass, `Drafting` as many as are accepted."""

    count: int
    passed: int
    caches: int
    made: int
    slopes: list[float]

    @property
    def new(self) -> int:
        """New tokens of each sequence in a pass. [tokens]"""
        ...

    def __contains__(self, who: int) -> bool: ...

    def sums(self) -> list[float]:
        """Return what each meter counts in the next pass; not to be changed. [unit of the meter]"""
        ...

    def of_caches(self) -> list[float]:
        """Return the same, right of the meters of caches only."""
        ...

    def join(self, who: int, cached: int, left: int) -> None:
        """Let a sequence decode from the next pass on.

        Parameters
        ----------
        who, cached, left : int
            The sequence; tokens in its cache; tokens it has yet to make. [1, tokens, tokens]
        """
        ...

    def leave(self, who: int) -> tuple[int, int]:
        """Take a sequence out; returns the tokens in its cache, and those that its blocks are taken for.

        Parameters
        ----------
        who : int
            The sequence. [1]
        """
        ...

    def largest(self) -> tuple[list[float], list[float]] | tuple[None, None]:
        """Return what the longest sequence adds to each meter and by how much that grows; (None, None) in one group."""
        ...

    def needed(self) -> int:
        """Return the blocks that the next pass takes."""
        ...

    def most(self) -> int:
        """Return the passes that nothing here interrupts: nobody ends, no sum bends, blocks suffice."""
        ...

    def advance(self, count: int) -> list[int]:
        """Do so many passes, at most `most`; returns who has made all its tokens, still aboard.

        Parameters
        ----------
        count : int
            [passes]
        """
        ...


class Decoding:
    """Sequences that take a token in every pass.

    Parameters
    ----------
    clock : Clock
    laws : sequence of Law
    blocks : Blocks
        From which they grow.
    grows : bool
        They take blocks as they grow; False: all were taken when they boarded.

    Attributes
    ----------
    count : int
        Sequences. [sequences]
    passed : int
        Decode passes done. [passes]
    caches : int
        Tokens in the caches of all. [tokens]
    made : int
        Tokens made so far. [tokens]
    slopes : list of float
        What each further pass adds to each meter. [unit of the meter]
    """

    new = 1

    __slots__ = (
        "_bends",
        "_bent",
        "_blocks",
        "_clock",
        "_counts",
        "_ends",
        "_grows",
        "_laws",
        "_longest",
        "_meters",
        "_start",
        "_straight",
        "_ticket",
        "_tickets",
        "_totals",
        "caches",
        "count",
        "curved",
        "made",
        "passed",
        "slopes",
    )

    def __init__(self, clock: Clock, laws: Sequence[Law], blocks: Blocks, grows: bool) -> None:
        self._clock, self._laws, self._blocks, self._grows = clock, laws, blocks, grows
        self._straight = [(law.meter, law.table) for law in laws if not law.curved]
        self._meters = tuple(law.meter for law in laws)
        self._bent = [law for law in laws if law.bends]
        self.curved = any(law.curved for law in self._laws)
        one = clock.amounts_of(1.0, 0.0)
        self._counts = [(i, v) for i, v in enumerate(one) if i not in clock.growing]
        self.count, self.passed, self.caches, self.made = 0, 0, 0, 0
        self._totals, self.slopes = [0.0] * clock.meters, [0.0] * clock.meters
        self._start: dict[int, int] = {}  # sequence -> its cache less the passes done when it joined
        self._ticket: dict[int, int] = {}  # one for each time that a sequence joins
        self._tickets = 0
        self._ends: list[tuple[int, int, int]] = []  # (pass, who, ticket)
        self._bends: list[tuple[int, int, int, int, float]] = []  # (pass, who, ticket, meter, change)
        self._longest: list[tuple[int, int, int]] = []  # (passes less the cache, who, ticket)

    def __contains__(self, who: int) -> bool:
        return who in self._start

    def join(self, who: int, cached: int, left: int) -> None:
        """Let a sequence decode from the next pass on.

        Parameters
        ----------
        who, cached, left : int
            The sequence; tokens in its cache; tokens it has yet to make. [1, tokens, tokens]
        """
        self.count += 1
        self.caches += cached
        self._add(cached, 1.0)
        start = self._start[who] = cached - self.passed
        self._tickets = ticket = self._ticket[who] = self._tickets + 1
        for law in self._bent:
            for length, change in law.bends:
                if length > cached:
                    heappush(self._bends, (length - start, who, ticket, law.meter, change))
        if not self._clock.alone:
            heappush(self._longest, (-start, who, ticket))
        heappush(self._ends, (self.passed + left, who, ticket))
        if self._grows:
            self._blocks.join(cached, self.passed)

    def leave(self, who: int) -> tuple[int, int]:
        """Take a sequence out; returns the tokens in its cache, and those that its blocks are taken for: the same.

        Parameters
        ----------
        who : int
            The sequence. [1]
        """
        cached = self._start.pop(who) + self.passed
        del self._ticket[who]
        self.count -= 1
        self.caches -= cached
        if self.count:
            self._add(cached, -1.0)
        else:  # whatever rounding has left
            self._totals, self.slopes = [0.0] * len(self._totals), [0.0] * len(self.slopes)
            self._ends.clear()
            self._bends.clear()
            self._longest.clear()
        if self._grows:
            self._blocks.leave(cached, self.passed)
        return cached, cached

    def _add(self, cached: int, sign: float) -> None:
        totals, slopes = self._totals, self.slopes
        for meter, table in self._straight:
            here = table[cached]
            totals[meter] += sign * here
            slopes[meter] += sign * (table[cached + 1] - here)
        if self.curved:
            for law in self._laws:
                if law.curved:
                    totals[law.meter] += sign * law.table[cached]

    def sums(self) -> list[float]:
        """Return what each meter counts in the next pass; not to be changed. [unit of the meter]"""
        for i, v in self._counts:
            self._totals[i] = self.count * v
        return self._totals

    def of_caches(self) -> list[float]:
        """Return the same, right of the meters of caches only."""
        return self._totals

    def needed(self) -> int:
        """Return the blocks that the next pass takes."""
        return self._blocks.needed(self.passed)

    def most(self) -> int:
        """Return the passes that nothing here interrupts: nobody ends, no sum bends, blocks suffice."""
        ends, bends, ticket = self._ends, self._bends, self._ticket
        while ticket.get(ends[0][1]) != ends[0][2]:  # it has left
            heappop(ends)
        most = ends[0][0] - self.passed
        if self.curved:
            most = min(most, 1)
        while bends and ticket.get(bends[0][1]) != bends[0][2]:
            heappop(bends)
        if bends:
            most = min(most, bends[0][0] - self.passed)
        return self._blocks.lasting(self.passed, most) if self._grows else most

    def largest(self) -> tuple[list[float], list[float]] | tuple[None, None]:
        """Return what the longest sequence adds to each meter and by how much that grows; (None, None) in one group."""
        if self._clock.alone or not self.count:
            return None, None
        heap = self._longest
        while self._ticket.get(heap[0][1]) != heap[0][2]:
            heappop(heap)
        cached = self.passed - heap[0][0]
        singles, steps = [0.0] * len(self._totals), [0.0] * len(self._totals)
        for i, v in self._counts:
            singles[i] = v
        for law in self._laws:
            singles[law.meter] += law.table[cached]
            steps[law.meter] = law.table[cached + 1] - law.table[cached]
        return singles, steps

    def advance(self, count: int) -> list[int]:
        """Do so many passes, at most `most`; returns who has made all its tokens, still aboard.

        Parameters
        ----------
        count : int
            [passes]
        """
        if self._grows:
            blocks = self._blocks
            if count == 1:
                blocks.free -= blocks.turn[self.passed % blocks.size]
            else:
                blocks.grow(self.passed, count)
        self.passed = passed = self.passed + count
        made = count * self.count
        self.caches += made
        self.made += made
        totals, slopes = self._totals, self.slopes
        for meter in self._meters:
            totals[meter] += count * slopes[meter]
        bends, ticket = self._bends, self._ticket
        while bends and bends[0][0] <= passed:
            _, who, theirs, meter, change = heappop(bends)
            if ticket.get(who) == theirs:
                slopes[meter] += change
        if self.curved:
            self._anew()
        ends = self._ends
        if not ends or ends[0][0] > passed:
            return _NOBODY
        found: list[int] = []
        while ends and ends[0][0] <= passed:
            _, who, theirs = heappop(ends)
            if ticket.get(who) == theirs:
                found.append(who)
        return found

    def _anew(self) -> None:
        for law in self._laws:
            if law.curved:
                self._totals[law.meter] = sum(law.table[s + self.passed] for s in self._start.values())
