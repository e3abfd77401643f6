"""Fits without some of the rows: what every out-of-fold figure rests on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from headway.fitting.factors import Fitted, Prior, priors
from headway.fitting.fit import STEPS, Data, Problem, descend, fit, fitted

_GAIN = 1e-3  # of the cost, below which no further step is made


class Refits:
    """Fits without some of the rows, each a few steps from the fit of all of them, the first with slopes that all share.

    A step goes to the minimum of the quadratic that the rows left and the priors make: along directions that only the rows
    taken out had closed it goes back to the priors, so nothing of them is carried along. Further steps follow until none
    gains: the result is that of a fit from the priors (tests).

    Parameters
    ----------
    data : Data
    base : mapping or None
        Priors; default: the catalogue's.
    """

    def __init__(self, data: Data, base: Mapping[str, Prior] | None = None) -> None:
        self.data, self.base = data, dict(priors() if base is None else base)
        self.full = fit(data, self.base)
        problem = Problem(data, self.full.factors, self.base)
        self._at = problem.at
        self._r, self._slopes = problem.residuals(self.full.values), problem.jacobian(self.full.values)
        self._curvature, self._downhill = self._slopes.T @ self._slopes, self._slopes.T @ self._r

    def without(self, held: NDArray[np.bool_]) -> Fitted:
        """Return the fit of all rows but those that are held out."""
        rows = np.flatnonzero(held[self._at])
        out = self._slopes[rows]
        x = self.full.values - np.linalg.solve(self._curvature - out.T @ out, self._downhill - out.T @ self._r[rows])
        rest = Problem(self.data, self.full.factors, self.base, ~held)
        return fitted(self.full.factors, self.base, *descend(rest, x, STEPS, _GAIN))
