"""Sums: what a pass carries, as so many numbers that add up over its sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from headway.numeric import larger, plain
from headway.roofline.load import Group

Real = Any  # a float or a NumPy array; everything broadcasts
Amount = Callable[[Group], Real]


class Sums(NamedTuple):
    """What a pass carries, summed over its sequences; `together_with` adds what others carry.

    Attributes
    ----------
    totals, singles : sequence of float
        Of each quantity that the step meters: the sum over sequences, and the largest single one. [unit of
        the meter: tokens, sequences, 1 (positions, cache entries), FLOP (pairs)]
    tokens : float
        New tokens in the pass. [tokens]
    skew : float
        Zipf exponent of expert popularity. [1]
    """

    totals: Sequence[Real]
    singles: Sequence[Real]
    tokens: Real
    skew: float = 0.0

    def together_with(self, other: Sums) -> Sums:
        """Return the sums of a pass that carries both."""
        return Sums(
            [a + b for a, b in zip(self.totals, other.totals, strict=True)],
            [larger(a, b) for a, b in zip(self.singles, other.singles, strict=True)],
            self.tokens + other.tokens, self.skew,
        )  # fmt: skip


class Meters:
    """The quantities that a step's rows need of a load, each read once however many rows use it."""

    def __init__(self) -> None:
        self.amounts: list[Amount] = []
        self.parts: list[Real] = []
        self.of_context: list[int] = []  # those that depend on how long caches are
        self._known: dict[Any, int] = {}

    def add(self, name: str, amount: Amount, parts: Real, *key: Any) -> int:
        """Return the number of a meter, a new one where none is alike.

        Parameters
        ----------
        name : str
        amount : callable
            Of a group of sequences: what is metered of each.
        parts : float or array
            Data-parallel groups, of which the busiest counts. [groups]
        key
            What else tells meters of one name apart.
        """
        spread = parts if plain(parts) else parts.tobytes()
        full = (name, spread, *(k if plain(k) or not isinstance(k, np.ndarray) else k.tobytes() for k in key))
        if full not in self._known:
            self._known[full] = len(self.amounts)
            self.amounts.append(amount)
            self.parts.append(parts)
            if name in ("entries", "pairs"):
                self.of_context.append(self._known[full])
        return self._known[full]

    @property
    def alone(self) -> bool:
        """Whether every quantity is of one group, so that no largest single one matters."""
        return all(plain(p) and p == 1 for p in self.parts)
