"""80 % intervals from out-of-fold residuals: their quantiles, and how much wider they are where evidence ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from headway.roofline import Spread

Array = NDArray[np.float64]
LOW, HIGH = 0.1, 0.9
_OWN_ROWS, _OWN_FOLDS = 100, 5


def spread_of(log_ratio: Array, fold: NDArray[np.str_]) -> Spread | None:
    """Return the spread of log(measured/predicted) from log(predicted/measured); None below ten rows.

    Parameters
    ----------
    log_ratio : array
        log(predicted/measured) of each row; NaN where not measured. [1]
    fold : array of str
        Fold of each row.

    Notes
    -----
    Rows of one fold err together, so the evidence is K folds, not n rows: the quantiles are stretched about their
    middle, see `_stretch`.
    """
    known = np.isfinite(log_ratio)
    have = -log_ratio[known]
    if have.size < 10:
        return None
    stretch = _stretch(have, fold[known])
    low, middle, high = np.quantile(have, [LOW, 0.5, HIGH])
    low, high = middle + (low - middle) * stretch, middle + (high - middle) * stretch
    return Spread(float(min(low, -1e-3)), float(max(high, 1e-3)), int(have.size))


Voices = Mapping[str, NDArray[np.bool_]]


def voices(
    load: Sequence[str], quantity: NDArray[np.str_], engine: NDArray[np.str_], fold: NDArray[np.str_]
) -> dict[str, NDArray[np.bool_]]:
    """Return which rows' own measures speak for an interval: ``LOAD WHAT`` of all engines, ``LOAD WHAT ENGINE`` of one.

    Notes
    -----
    `WHAT` is ``ttft`` for times to the first token and input rates, else ``tpot``. An engine of static batches speaks
    for itself from a hundred rows in five folds on: such engines differ more than those of closed loops.
    """
    first = np.isin(quantity, ("ttft", "input"))
    static = np.array([x == "static_batch" for x in load])
    found: dict[str, NDArray[np.bool_]] = {}
    for name, rows in (("closed_loop", ~static), ("static_batch", static)):
        for what, kind in (("tpot", rows & ~first), ("ttft", rows & first)):
            found[f"{name} {what}"] = kind
            for who in sorted(set(engine[kind].tolist())):
                mine = kind & (engine == who)
                if name == "static_batch" and mine.sum() >= _OWN_ROWS and len(set(fold[mine].tolist())) >= _OWN_FOLDS:
                    found[f"{name} {what} {who}"] = mine
    return found


def _stretch(values: Array, fold: NDArray[np.str_]) -> float:
    """Return how much wider than the values an interval for one more fold is.

    Notes
    -----
    With W the variance inside folds and B that of their means: sqrt((W + B t^2 (1 + 1/K))/(W + B)), t being
    Student's quantile with K - 1 degrees of freedom over the normal one. K is Kish's effective number of folds,
    n^2/sum n_f^2: a fold with most of the rows is nearly the only one.
    """
    from scipy.special import stdtrit  # pyright: ignore[reportMissingTypeStubs]

    _, where, count = np.unique(fold, return_inverse=True, return_counts=True)
    means = np.bincount(where, values) / count
    inside = float(np.mean((values - means[where]) ** 2))
    between = float(np.mean((means[where] - np.mean(values)) ** 2))
    if inside + between == 0:
        return 1.0
    folds = max(count.sum() ** 2 / float(np.sum(count.astype(float) ** 2)), 2.0)
    t = float(stdtrit(folds - 1, HIGH)) / NormalDist().inv_cdf(HIGH)
    return ((inside + between * t**2 * (1 + 1 / folds)) / (inside + between)) ** 0.5


def covered(log_ratio: Array, fold: NDArray[np.str_], spoken: Voices) -> Array:
    """Return 1 where a measurement lies in its interval, 0 where not; each fold's interval comes from the other folds.

    Parameters
    ----------
    log_ratio : array
        log(predicted/measured) of each row; NaN where not measured. [1]
    fold : array of str
        Fold of each row.
    spoken : mapping
        Of `voices`; a later one wins where several have a row.
    """
    found = np.full(len(log_ratio), np.nan)
    for rows in spoken.values():
        for name in set(fold[rows].tolist()):
            held = rows & (fold == name)
            s = spread_of(log_ratio[rows & ~held], fold[rows & ~held])
            if s is not None:
                miss = -log_ratio[held]
                found[held] = np.where(np.isfinite(miss), (miss >= s.low) & (miss <= s.high), np.nan)
    return found


def widening(wider: Array, base: Array) -> float:
    """Return how much wider the central 80 % of residuals is without some evidence than with it; at least 1.

    Parameters
    ----------
    wider, base : array
        log(predicted/measured) of each row without that evidence, and with it; NaN where not known. [1]
    """
    both = np.isfinite(wider) & np.isfinite(base)
    if both.sum() < 10:
        return 1.0
    return float(max(np.quantile(np.abs(wider[both]), 0.8) / np.quantile(np.abs(base[both]), 0.8), 1.0))
