"""The KV pool of a replica as requests see it: blocks given out and taken back, with prefixes that are found in it again."""

from __future__ import annotations

import numpy as np

from headway.simulation.blocks import Blocks
from headway.simulation.clocks import Clock
from headway.simulation.decoding import Aboard
from headway.simulation.limits import Limits
from headway.simulation.prefixes import Found, Prefix, Prefixes
from headway.simulation.requests import Ints, Listed

NOTHING = Found()


class Memory:
    """What lies in a pool for whom.

    Parameters
    ----------
    clock : Clock
        Says what computing a prompt takes, beside which bringing its cache up must be worth it.
    limits : Limits
    requests : Listed
    rules : Prefix or None
        Of the prompt cache; None keeps nothing.
    """

    __slots__ = (
        "_clock",
        "_limits",
        "_requests",
        "blocks",
        "prefixes",
    )

    def __init__(self, clock: Clock, limits: Limits, requests: Listed, rules: Prefix | None) -> None:
        self._clock, self._limits, self._requests = clock, limits, requests
        self.blocks = Blocks(limits.blocks, limits.block)
        self.prefixes: Prefixes | None = None
        if rules is not None and requests.first_hash:
            self.prefixes = Prefixes(
                rules, self.blocks, requests.hashes, requests.first_hash, requests.hash_tokens
            )  # fmt: skip

    @property
    def plain(self) -> bool:
        """Whether a request holds the blocks of its own tokens and nothing else matters."""
        return self.prefixes is None and not (self._limits.whole or self._limits.reserve or self._limits.watermark)

    def _claim(self, who: int, tokens: int) -> int:
        """Blocks of a request with so many tokens in its cache."""
        limits, r = self._limits, self._requests
        if limits.reserve:
            return self.blocks.of(limits.reserve)
        return self.blocks.of(r.prompt[who] + r.output[who] - 1 if limits.whole else tokens)

    def take(self, who: int, known: int, now: float, aboard: Aboard, stored: bool = False) -> Found | None:
        """Give a request its blocks; returns what of its cache is there or on its way, None where there is no room.

        Parameters
        ----------
        who, known : int
            The request; tokens that must be in its cache. [1, tokens]
        now : float
            [s]
        aboard : Aboard
            Those who decode: what they take next comes first.
        stored : bool
            All of its cache lies elsewhere and is brought here.
        """
        blocks, prefixes = self.blocks, self.prefixes
        claim = self._claim(who, known)
        room = blocks.free + blocks.spare - aboard.needed() - (self._limits.watermark if blocks.used else 0)
        found = NOTHING
        if prefixes is not None:
            found = prefixes.look(who, known, now)
            claim -= found.here * prefixes.unit
            room -= found.idle * prefixes.unit
        if claim > room:
            return None
        blocks.free -= claim
        if prefixes is not None:
            if found.below and (stored or not self._worth(found, prefixes.tokens)):
                found.below, found.seconds = 0, 0.0
            prefixes.take(who, found, now, found.below > 0)
            prefixes.make_room()
        return found

    def _worth(self, found: Found, tokens: int) -> bool:
        """Whether bringing a cache up is quicker than computing it with nothing in the way."""
        new = found.below * tokens
        amounts = self._clock.amounts_of(new, found.here * tokens)
        return found.seconds < self._clock.seconds(amounts, float(new), amounts)

    def cached(self, who: int, now: float) -> int:
        """Return the tokens of a prompt that lie here, or in the stores below.

        Parameters
        ----------
        who, now : int, float
            The request; the moment. [1, s]
        """
        if self.prefixes is None:
            return 0
        found = self.prefixes.look(who, self._requests.prompt[who], now)
        return (found.here + found.below) * self.prefixes.tokens

    def computed(self, who: int, tokens: int) -> None:
        """Note that so much of a request's cache is there.

        Parameters
        ----------
        who, tokens : int
            The request; tokens of its cache. [1, tokens]
        """
        if self.prefixes is not None:
            self.prefixes.computed(who, tokens)

    def give(self, who: int, tokens: int, now: float, answered: int = 0) -> None:
        """Take a request's blocks back.

        Parameters
        ----------
        who, tokens : int
            The request; tokens that its blocks are taken for. [1, tokens]
        now : float
            [s]
        answered : int
            Tokens in the cache of one that has ended: whose prompt goes on from there finds them. [tokens]
        """
        held = self._claim(who, tokens)
        if self.prefixes is not None:
            follower = self._requests.follower.get(who) if answered else None
            if follower is not None:
                self.prefixes.answered(who, follower, answered)
            held -= self.prefixes.release(who, now)
        self.blocks.free += held

    def settle(self) -> None:
        """Give up prefixes until no block is missing."""
        if self.prefixes is not None:
            self.prefixes.make_room()


def fitting(limits: Limits, prompt: Ints, output: Ints) -> list[bool]:
    """Return which requests can ever run under limits: their last tokens need a place in the pool, and the model a position for them.

    Parameters
    ----------
    limits : Limits
    prompt, output : array of int
        [tokens]
    """
    most = prompt + output - 1
    fits = -(-np.maximum(most, limits.reserve) // limits.block) <= limits.blocks
    fits &= prompt + output <= limits.context
    return (fits & (most <= limits.reserve) if limits.reserve else fits).tolist()
