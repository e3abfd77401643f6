"""Load: what one forward pass carries. Its fields may be arrays; everything broadcasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.errors import InputError

Real = Any  # a float or a NumPy array; everything broadcasts


@dataclass(frozen=True, slots=True)
class Group:
    """Sequences that are alike in one pass.

    Attributes
    ----------
    sequences : float or array
        How many.
    new : float or array
        New tokens of each (decode 1, prefill many).
    context : float or array
        Tokens of each already in the cache.
    """

    sequences: Real
    new: Real
    context: Real


@dataclass(frozen=True, slots=True)
class Load:
    """Groups of sequences that share a pass; loads add (a chunk of prefill rides along with decodes).

    Attributes
    ----------
    groups : tuple of Group
    skew : float
        Zipf exponent of expert popularity; 0 is balanced routing.
    """

    groups: tuple[Group, ...]
    skew: float = 0.0

    @classmethod
    def decode(cls, batch: Real, context: Real, *, new: Real = 1.0, skew: float = 0.0) -> Load:
        """Return a decode pass: `batch` sequences with `context` cached tokens, each adding `new` (1).

        Raises
        ------
        InputError
            When the batch is not positive or the context is negative.
        """
        return cls((_checked(batch, new, context),), skew)

    @classmethod
    def prefill(cls, batch: Real, prompt: Real, *, cached: Real = 0.0, skew: float = 0.0) -> Load:
        """Return a prefill pass: `batch` prompts of `prompt` new tokens after `cached` tokens of a prefix."""
        return cls((_checked(batch, prompt, cached),), skew)

    def __add__(self, other: Load) -> Load:
        if self.skew != other.skew:
            raise InputError("two loads with different expert skew cannot share a pass")
        return Load(self.groups + other.groups, self.skew)

    @property
    def sequences(self) -> Real:
        """Sequences in the pass."""
        return sum(g.sequences for g in self.groups)

    @property
    def tokens(self) -> Real:
        """New tokens in the pass."""
        return sum(g.sequences * g.new for g in self.groups)

    def busiest(self, parts: float) -> tuple[Real, Real]:
        """Return (sequences, new tokens) on the busiest of `parts` data-parallel groups: a sequence is never split."""
        seats = [spread(g.sequences, parts) for g in self.groups]
        return sum(seats), sum(s * g.new for s, g in zip(seats, self.groups, strict=True))


def spread(amount: Real, parts: float) -> Real:
    """Return the part of `amount` on the busiest of `parts`: an even share, but never less than one whole one."""
    return amount if parts == 1 else np.maximum(amount / parts, np.minimum(amount, 1.0))


def _checked(sequences: Real, new: Real, context: Real) -> Group:
    for name, value, least in (("batch", sequences, None), ("new tokens", new, None), ("context", context, 0)):
        low = float(np.min(value))
        if not low > 0 and not (least == 0 and low == 0):
            raise InputError(f"{name} is {low:g}; it must be {'zero or more' if least == 0 else 'positive'}")
    return Group(sequences, new, context)
