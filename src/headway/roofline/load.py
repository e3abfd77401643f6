"""Load: what one forward pass carries. Its fields may be arrays; everything broadcasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headway.errors import InputError
from headway.numeric import larger, plain, smaller, where

Real = Any  # a float or a NumPy array; everything broadcasts


@dataclass(frozen=True, slots=True)
class Group:
    """Sequences that are alike in one pass.

    Attributes
    ----------
    sequences : float or array
        How many. [sequences]
    new : float or array
        New tokens of each (decode 1, prefill many). [tokens]
    context : float or array
        Tokens of each already in the cache. [tokens]
    logits : float or array
        Positions of each whose logits are needed: the last of a prompt, every new one of a decode. [tokens]
    """

    sequences: Real
    new: Real
    context: Real
    logits: Real = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """Groups of sequences that share a pass; loads add (a chunk of prefill rides along with decodes).

    Attributes
    ----------
    groups : tuple of Group
    skew : float
        Zipf exponent of expert popularity; 0 is balanced routing. [1]
    """

    groups: tuple[Group, ...]
    skew: float = 0.0

    @classmethod
    def decode(cls, batch: Real, context: Real, *, new: Real = 1.0, skew: float = 0.0) -> Load:
        """Return a decode pass: `batch` sequences with `context` cached tokens, each adding `new` (1).

        Parameters
        ----------
        batch : float or array
            Sequences in the pass. [sequences]
        context, new : float or array
            Of each: tokens in its cache; tokens that it adds. [tokens]
        skew : float
            Zipf exponent of expert popularity; 0 is balanced routing. [1]

        Raises
        ------
        InputError
            When the batch is not positive or the context is negative.
        """
        return cls((_checked(batch, new, context, logits=new),), skew)

    @classmethod
    def prefill(cls, batch: Real, prompt: Real, *, cached: Real = 0.0, skew: float = 0.0) -> Load:
        """Return a prefill pass: `batch` prompts of `prompt` new tokens after `cached` tokens of a prefix.

        Parameters
        ----------
        batch : float or array
            Prompts in the pass. [sequences]
        prompt, cached : float or array
            Of each: new tokens; tokens of a prefix already in the cache. [tokens]
        skew : float
            Zipf exponent of expert popularity; 0 is balanced routing. [1]
        """
        return cls((_checked(batch, prompt, cached),), skew)

    def __add__(self, other: Load) -> Load:
        if self.skew != other.skew:
            raise InputError("two loads with different expert skew cannot share a pass")
        return Load(self.groups + other.groups, self.skew)

    def halved(self) -> Load:
        """Return half of the sequences of every group: one of two micro-batches."""
        return Load(tuple(replace(g, sequences=g.sequences / 2) for g in self.groups), self.skew)

    def piece(self, at: int, size: int) -> Load:
        """Return so many points of a sweep, from one on.

        Parameters
        ----------
        at, size : int
            First point; points. [1]
        """

        def part(v: Real) -> Real:
            return v if plain(v) else v[at : at + size]

        columns = ((g.sequences, g.new, g.context, g.logits) for g in self.groups)
        return Load(tuple(Group(*map(part, c)) for c in columns), self.skew)

    @property
    def sequences(self) -> Real:
        """Sequences in the pass."""
        return sum(g.sequences for g in self.groups)

    @property
    def tokens(self) -> Real:
        """New tokens in the pass."""
        return sum(g.sequences * g.new for g in self.groups)

    @property
    def prompted(self) -> Real:
        """New tokens of prompts in the pass, as of `prompt_tokens`."""
        return sum(g.sequences * prompt_tokens(g) for g in self.groups)

    def busiest(self, parts: Real, amount: Callable[[Group], Real]) -> Real:
        """Return the total of `amount` (per sequence) on the busiest of `parts` data-parallel groups.

        An even share, but never less than the largest single sequence: a sequence is never split.

        Parameters
        ----------
        parts : float or array
            Data-parallel groups over which sequences spread. [groups]
        amount : callable
            Group -> amount of one of its sequences; the total has its unit.
        """
        total = sum(g.sequences * amount(g) for g in self.groups)
        if plain(parts) and parts == 1:
            return total
        return larger(total / parts, self.largest(amount))

    def largest(self, amount: Callable[[Group], Real]) -> Real:
        """Return the largest `amount` of a single sequence (of less than one where a group has less).

        Parameters
        ----------
        amount : callable
            Group -> amount of one of its sequences; the result has its unit.
        """
        single = smaller(self.groups[0].sequences, 1.0) * amount(self.groups[0])
        for g in self.groups[1:]:
            single = larger(single, smaller(g.sequences, 1.0) * amount(g))
        return single


def shared_tokens(ways: Real) -> Callable[[Group], Real]:
    """Return what counts new tokens on one of `ways` chips that share each sequence: a token is never split.

    Parameters
    ----------
    ways : float or array
        Chips that share the tokens of each sequence. [chips]
    """
    if plain(ways) and ways == 1:
        return new_tokens
    return lambda g: larger(g.new / ways, smaller(g.new, 1.0))


def carried(what: str, ways: Real) -> Callable[[Group], Real]:
    """Return what counts the tokens of a sequence that a collective carries for one of `ways` chips that share it.

    Parameters
    ----------
    what : str
        ``new``: its new tokens; ``own``: those among them that no other chip of the sequence has, so not its single one of a
        decode; ``same``: those that all of them have; ``older``: its new tokens where something is cached already;
        ``logits``: positions whose logits are needed.
    ways : float or array
        Chips that share the tokens of each sequence. [chips]
    """
    if what == "logits":
        return logit_positions
    here = shared_tokens(ways)
    if what == "new":
        return here
    return lambda g: where(_CARRIES[what](g), here(g), 0.0)


_CARRIES: dict[str, Callable[[Group], Any]] = {
    "own": lambda g: g.new > 1, "same": lambda g: g.new <= 1, "older": lambda g: g.context > 0,
}  # fmt: skip


def one(group: Group) -> Real:
    """Count sequences."""
    return 1.0


def new_tokens(group: Group) -> Real:
    """Count new tokens."""
    return group.new


def logit_positions(group: Group) -> Real:
    """Count positions whose logits are needed."""
    return group.logits


def prompt_tokens(group: Group) -> Real:
    """Count new tokens whose logits nobody needs: those of prompts but for their last one."""
    return group.new - group.logits


def _checked(sequences: Real, new: Real, context: Real, logits: Real = 1.0) -> Group:
    for name, value, least in (("batch", sequences, None), ("new tokens", new, None), ("context", context, 0)):
        low = float(np.min(value))
        if not low > 0 and not (least == 0 and low == 0):
            raise InputError(f"{name} is {low:g}; it must be {'zero or more' if least == 0 else 'positive'}")
    return Group(sequences, new, context, logits)
