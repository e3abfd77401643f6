"""Out-of-fold predictions: every (model, chip) predicted by a fit that has never seen it; and what that costs elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headway.calibrate.compare import ratios
from headway.calibrate.estimate import Estimate, estimate
from headway.calibrate.fit import Data, Fitted, Prior, fit, predict_with

Array = NDArray[np.float64]
_REFIT = 4  # evaluations of a refit that starts at the full fit: its cost no longer falls in the third digit


@dataclass(frozen=True)
class OutOfFold:
    """Log ratios predicted/measured, each from a fit without its fold.

    Attributes
    ----------
    own, ttft : array
        Of each row's own measure and of its TTFT; NaN where not measured.
    fold : array of str
        Which fold each row is in.
    """

    own: Array
    ttft: Array
    fold: NDArray[np.str_]


def pair_of(data: Data) -> NDArray[np.str_]:
    """Return the (model, chip) of each row, as one label."""
    labels = [
        f"{row.model.rsplit('/', 1)[-1]} on {case.chip.name}" for row, case in zip(data.rows, data.cases, strict=True)
    ]
    return np.array(labels)


def out_of_fold(
    data: Data,
    full: Fitted,
    fold: NDArray[np.str_],
    base: Mapping[str, Prior] | None = None,
    only: NDArray[np.bool_] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> OutOfFold:
    """Predict each fold by a fit of the others, started at the full fit.

    Parameters
    ----------
    data : Data
    full : Fitted
        Fit of all rows.
    fold : array of str
    base : mapping
        Priors; default: the catalogue's.
    only : array of bool
        Rows whose folds are needed; the others stay NaN.
    progress : callable
        Called with (folds done, folds).
    """
    own, ttft = np.full(len(data.rows), np.nan), np.full(len(data.rows), np.nan)
    names = sorted(set(fold if only is None else fold[only]))
    for number, name in enumerate(names):
        held = fold == name
        fitted = fit(data, base, start=full, evaluations=_REFIT, keep=~held)
        a, b = ratios(data.truth, estimated(data, fitted))
        own[held], ttft[held] = a[held], b[held]
        if progress:
            progress(number + 1, len(names))
    return OutOfFold(own, ttft, fold)


def estimated(data: Data, fitted: Fitted) -> Estimate:
    """Predict the rows of `data` under a fit."""
    return estimate(data.batch, predict_with(fitted, data.batch, data.rows))


def labels(values: Iterable[str]) -> NDArray[np.str_]:
    """Return labels as an array."""
    return np.array(list(values))
