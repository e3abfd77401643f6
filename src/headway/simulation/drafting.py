"""Sequences that decode with drafts: in a pass each makes as many tokens as the model accepts, drawn anew every time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from headway.errors import InputError
from headway.simulation.blocks import Blocks
from headway.simulation.clocks import Clock
from headway.simulation.decoding import Law

_DRAWN = 1 << 14  # numbers drawn at a time


@dataclass(frozen=True, slots=True)
class Drafts:
    """How an engine drafts.

    Attributes
    ----------
    length : int
        Tokens drafted for each sequence and pass. [tokens]
    acceptance : float
        Chance that one is accepted, given those before it. [share]
    seed : int
        Of what is drawn. [1]
    """

    length: int
    acceptance: float
    seed: int = 0

    def __post_init__(self) -> None:
        if self.length < 1 or not 0 <= self.acceptance <= 1:
            raise InputError(f"drafts: {self.length} at acceptance {self.acceptance:g}; at least 1, and 0 to 1")


def accepted(d: Drafts) -> Iterator[int]:
    """Draw the tokens that passes make of a sequence: one, and the drafts before the first that is refused.

    Parameters
    ----------
    d : Drafts

    Notes
    -----
    Their mean is (1 - a^(g+1))/(1 - a) (Leviathan et al. 2023, arXiv 2211.17192, eq. 1).
    """
    rng = np.random.default_rng(d.seed)
    while True:
        made = rng.geometric(1 - d.acceptance, _DRAWN) if d.acceptance < 1 else np.full(_DRAWN, d.length + 1)
        yield from np.minimum(made, d.length + 1).tolist()


class Drafting:
    """Sequences of which every pass checks drafts. The same face as `Decoding`; passes are done one at a time.

    Parameters
    ----------
    clock : Clock
    laws : sequence of Law
        Of passes with so many new tokens of each sequence.
    blocks : Blocks
        From which they grow: room for a token and all drafts is taken before each pass, and kept.
    grows : bool
        They take blocks as they grow; False: all were taken when they boarded.
    drafts : Drafts
    """

    def __init__(self, clock: Clock, laws: Sequence[Law], blocks: Blocks, grows: bool, drafts: Drafts) -> None:
        self._clock, self._laws, self._blocks, self._grows = clock, laws, blocks, grows
        self.new, self._drawn = 1 + drafts.length, accepted(drafts)
        one = clock.amounts_of(self.new, 0.0, self.new)
        self._counts = [(i, v) for i, v in enumerate(one) if i not in clock.growing]
        self.count, self.passed, self.caches, self.made = 0, 0, 0, 0
        self._totals, self.slopes = [0.0] * clock.meters, [0.0] * clock.meters
        self._cached: dict[int, int] = {}
        self._reach: dict[int, int] = {}  # tokens that blocks are taken for
        self._left: dict[int, int] = {}

    def __contains__(self, who: int) -> bool:
        return who in self._cached

    def join(self, who: int, cached: int, left: int) -> None:
        """Let a sequence decode from the next pass on.

        Parameters
        ----------
        who, cached, left : int
            The sequence; tokens in its cache; tokens it has yet to make. [1, tokens, tokens]
        """
        self.count += 1
        self.caches += cached
        self._cached[who] = self._reach[who] = cached
        self._left[who] = left

    def leave(self, who: int) -> tuple[int, int]:
        """Take a sequence out; returns the tokens in its cache, and those that its blocks are taken for.

        Parameters
        ----------
        who : int
            The sequence. [1]
        """
        cached = self._cached.pop(who)
        self.count -= 1
        self.caches -= cached
        del self._left[who]
        return cached, self._reach.pop(who)

    def sums(self) -> list[float]:
        """Return what each meter counts in the next pass; not to be changed. [unit of the meter]"""
        for i, v in self._counts:
            self._totals[i] = self.count * v
        for law in self._laws:
            self._totals[law.meter] = sum(map(law.table.__getitem__, self._cached.values()))
        return self._totals

    def of_caches(self) -> list[float]:
        """Return the same."""
        return self.sums()

    def _wanted(self, who: int) -> int:
        """Tokens for which a sequence needs room in the next pass: no draft beyond its last token is kept."""
        return max(self._cached[who] + min(self.new, self._left[who]), self._reach[who])

    def needed(self) -> int:
        """Return the blocks that the next pass takes."""
        of = self._blocks.of
        return sum(of(self._wanted(who)) - of(reach) for who, reach in self._reach.items()) if self._grows else 0

    def most(self) -> int:
        """Return 1: what a pass makes is not known before it."""
        return 1

    def largest(self) -> tuple[list[float], list[float]] | tuple[None, None]:
        """Return what the longest sequence adds to each meter, and zeros; (None, None) in one group."""
        if self._clock.alone or not self.count:
            return None, None
        singles, longest = [0.0] * len(self._totals), max(self._cached.values())
        for i, v in self._counts:
            singles[i] = v
        for law in self._laws:
            singles[law.meter] += law.table[longest]
        return singles, [0.0] * len(self._totals)

    def advance(self, count: int) -> list[int]:
        """Do a pass; returns who has made all its tokens, still aboard.

        Parameters
        ----------
        count : int
            1. [passes]
        """
        self._blocks.free -= self.needed()
        self.passed += count
        found: list[int] = []
        for who, left in self._left.items():
            if not left:  # it has ended, and keeps its seat in a padded batch
                continue
            if self._grows:
                self._reach[who] = self._wanted(who)
            made = min(next(self._drawn), left)
            self._cached[who] += made
            self._left[who] = left - made
            self.caches += made
            self.made += made
            if left == made:
                found.append(who)
        return found
