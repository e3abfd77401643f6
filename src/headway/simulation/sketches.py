"""Quantiles of more times than are held: counts in bins whose edges are a thousandth apart."""

from __future__ import annotations

import math

import numpy as np

from headway.simulation.requests import Floats
from headway.simulation.results import SHARES, Quantile

_WIDE = 1.001  # from one edge to the next: a quantile is off by half of that at the most
_LEAST, _MOST = 1e-7, 1e9  # shorter times count as the one, longer ones as the other [s]
_BINS = math.ceil(math.log(_MOST / _LEAST) / math.log(_WIDE)) + 2
_SURE = 1.2816  # standard deviations of an 80 % interval


class Sketch:
    """Counts of times by size (after Masson et al., DDSketch, VLDB 2019); the greatest is kept as it was. [s]"""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, dtype=np.int64)
        self.count, self.total, self.most = 0, 0.0, -math.inf

    def add(self, values: Floats) -> None:
        """Count some times; NaN are left out.

        Parameters
        ----------
        values : array
            [s]
        """
        known = values[np.isfinite(values)]
        if not len(known):
            return
        at = np.ceil(np.log(np.clip(known, _LEAST, _MOST) / _LEAST) / math.log(_WIDE)).astype(np.int64)
        self._counts += np.bincount(at, minlength=_BINS)
        self.count += len(known)
        self.total += float(known.sum())
        self.most = max(self.most, float(known.max()))

    @property
    def mean(self) -> float:
        """[s]"""
        return self.total / self.count if self.count else math.nan

    def value(self, share: float) -> float:
        """Return the time below which a share of them lies; NaN of none. [s]

        Parameters
        ----------
        share : float
            0 to 1. [share]
        """
        if not self.count:
            return math.nan
        rank = math.ceil(min(max(share, 0.0), 1.0) * self.count)
        if rank >= self.count:
            return self.most
        at = int(np.searchsorted(np.cumsum(self._counts), max(rank, 1)))
        return min(_LEAST * _WIDE ** (at - 0.5), self.most)

    def quantiles(self) -> list[Quantile]:
        """Return those at `SHARES` with 80 % intervals from the order of so many independent times (binomial)."""
        found: list[Quantile] = []
        for q in SHARES:
            wide = _SURE * math.sqrt(q * (1 - q) / self.count) if self.count else 0.0
            known = self.count * (1 - q) >= 1
            found.append(Quantile(q, self.value(q), self.value(q - wide), self.value(q + wide), known))
        return found
