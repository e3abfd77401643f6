"""80 % intervals from out-of-fold residuals: their quantiles, and how much wider they are where evidence ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headway.roofline import Spread

Array = NDArray[np.float64]
LOW, HIGH = 0.1, 0.9


def spread_of(log_ratio: Array, fold: NDArray[np.str_]) -> Spread | None:
    """Return the spread of log(measured/predicted) from log(predicted/measured); None below ten rows.

    Notes
    -----
    Rows of one fold err together, so the evidence is K folds, not n rows: the quantiles are stretched about their
    middle by sqrt(1 + 1/K), as a prediction interval for one more group is.
    """
    known = np.isfinite(log_ratio)
    have = -log_ratio[known]
    if have.size < 10:
        return None
    groups = max(len(set(fold[known].tolist())), 2)
    stretch = (1 + 1 / groups) ** 0.5
    low, middle, high = np.quantile(have, [LOW, 0.5, HIGH])
    low, high = middle + (low - middle) * stretch, middle + (high - middle) * stretch
    return Spread(float(min(low, -1e-3)), float(max(high, 1e-3)), int(have.size))


def covered(log_ratio: Array, fold: NDArray[np.str_]) -> Array:
    """Return 1 where a measurement lies in its interval, 0 where not; each fold's interval comes from the other folds."""
    found = np.full(len(log_ratio), np.nan)
    for name in set(fold.tolist()):
        held = fold == name
        s = spread_of(log_ratio[~held], fold[~held])
        if s is None:
            continue
        miss = -log_ratio[held]
        found[held] = np.where(np.isfinite(miss), (miss >= s.low) & (miss <= s.high), np.nan)
    return found


def widening(wider: Array, base: Array) -> float:
    """Return how much wider the central 80 % of residuals is without some evidence than with it; at least 1."""
    both = np.isfinite(wider) & np.isfinite(base)
    if both.sum() < 10:
        return 1.0
    return float(max(np.quantile(np.abs(wider[both]), 0.8) / np.quantile(np.abs(base[both]), 0.8), 1.0))
