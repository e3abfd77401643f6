"""Out-of-fold predictions: every (model, chip) predicted by a fit that has never seen it; and what that costs elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headway.fitting.compare import ratios
from headway.fitting.estimate import Estimate, estimate
from headway.fitting.factors import Fitted
from headway.fitting.fit import Data, predict_with
from headway.fitting.refits import Refits
from headway.workers import forked

Array = NDArray[np.float64]
_JOB: list[tuple[Refits, NDArray[np.str_]]] = []  # what forked workers inherit


@dataclass(frozen=True)
class OutOfFold:
    """Log ratios predicted/measured, each from a fit without its fold.

    Attributes
    ----------
    own, ttft : array
        Of each row's own measure and of its TTFT; NaN where not measured. [1]
    fold : array of str
        Which fold each row is in.
    """

    own: Array
    ttft: Array
    fold: NDArray[np.str_]


def out_of_fold(
    fits: Refits,
    fold: NDArray[np.str_],
    only: NDArray[np.bool_] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> OutOfFold:
    """Predict each fold by a fit of the others.

    How each fit is found without what it has seen of its fold: `Refits`.

    Parameters
    ----------
    fits : Refits
        Of the data; shared between several kinds of folds.
    fold : array of str
    only : array of bool
        Rows whose folds are needed; the others stay NaN.
    progress : callable
        Called with (folds done, folds).
    """
    size = len(fits.data.rows)
    own, ttft = np.full(size, np.nan), np.full(size, np.nan)
    names = sorted(set(fold if only is None else fold[only]))
    _JOB[:] = [(fits, fold)]
    try:
        for number, (name, a, b) in enumerate(forked(_without, names)):
            held = fold == name
            own[held], ttft[held] = a, b
            if progress:
                progress(number + 1, len(names))
    finally:
        _JOB.clear()
    return OutOfFold(own, ttft, fold)


def _without(name: str) -> tuple[str, Array, Array]:
    fits, fold = _JOB[0]
    held = fold == name
    own, ttft = ratios(fits.data.truth, estimated(fits.data, fits.without(held)))
    return name, own[held], ttft[held]


def estimated(data: Data, fitted: Fitted) -> Estimate:
    """Predict the rows of `data` under a fit."""
    return estimate(data.batch, predict_with(fitted, data))


def labels(values: Iterable[str]) -> NDArray[np.str_]:
    """Return labels as an array."""
    return np.array(list(values))
