"""Fitting: hierarchical calibration numbers from measurements, with priors from kernels.

Each number is a product: pooled value x engine x vendor x generation x chip. Every factor has a Gaussian prior in its
logarithm around 1 (the pooled value around what kernels measure): evidence moves a factor only as far as it must, and a
chip without evidence keeps its generation's, its vendor's or the pooled value.
"""

from __future__ import annotations

import functools
import importlib.util
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.errors import InputError
from headway.evidence.measurements import Measurement
from headway.fitting.compare import Truth, ratios, second, truth
from headway.fitting.estimate import Batch, estimate
from headway.fitting.factors import LEVELS, SHARES, TRENDS, Factor, Fitted, Prior, present_engines, priors
from headway.fitting.flat import Pieces
from headway.fitting.intervals import Residuals, voices
from headway.roofline import years_since
from headway.serving import Case

Array = NDArray[np.float64]

_SCALE = {"closed_loop": 0.08, "static_batch": 0.12}  # where a residual starts to count linearly: repeats' spread
_TTFT_SCALE = 0.4
STEPS = 20  # of a fit, at the most
_DAMPING, _STIFF = 1e-3, 1e6  # of a step: at first, and where one is given up
_GAIN = 1e-4  # of the cost, below which no further step is made
_STEP = 1e-4  # of the numerical derivative, in the logarithm


@dataclass(frozen=True)
class Data:
    """Measurements with their cases, flattened once."""

    rows: Sequence[Measurement]
    batch: Batch

    @functools.cached_property
    def truth(self) -> Truth:
        """What was measured, as arrays."""
        return truth(self.rows)

    @property
    def cases(self) -> Sequence[Case]:
        """The cases."""
        return self.batch.cases

    def who(self, level: str) -> list[str]:
        """Return who each row belongs to at a level."""
        match level:
            case "engine" | "engine_release":
                return [c.engine.profile for c in self.cases]
            case "vendor":
                return [c.chip.vendor for c in self.cases]
            case "generation":
                return [c.chip.generation for c in self.cases]
            case "chip":
                return [c.chip.name for c in self.cases]
            case _:
                return [""] * len(self.cases)

    @functools.cached_property
    def models(self) -> list[str]:
        """Model of each row: the first name among those of its shape, however it is spelled."""
        shapes = [(c.model.hidden, sum(x.count for x in c.model.layers), c.model.total_parameters) for c in self.cases]
        names = [r.model.rsplit("/", 1)[-1] for r in self.rows]
        first: dict[tuple[int, int, int], str] = {}
        for shape, name in sorted(zip(shapes, names, strict=True)):
            first.setdefault(shape, name)
        return [first[s] for s in shapes]

    @functools.cached_property
    def pairs(self) -> NDArray[np.str_]:
        """The (model, chip) of each row, as one label: the folds of every out-of-fold figure."""
        return np.array([f"{m} on {c.chip.name}" for m, c in zip(self.models, self.cases, strict=True)])

    @functools.cached_property
    def cells(self) -> NDArray[np.str_]:
        """(chip, model, engine, format, kind of load) of each row, as one label: rows of one cell err together."""
        parts = zip(self.rows, self.cases, self.models, strict=True)
        return np.array(
            [" | ".join((c.chip.name, m, c.engine.profile, r.weights, c.workload.kind)) for r, c, m in parts]
        )

    @functools.cached_property
    def kinds(self) -> list[frozenset[str]]:
        """What each row is that predictions err on differently."""
        return [frozenset((*c.setting.kinds, *c.kinds)) for c in self.cases]

    def residuals(self, values: Array) -> Residuals:
        """Return log ratios with what each row is.

        Parameters
        ----------
        values : array
            log(predicted/measured). [1]
        """
        return Residuals(values, self.cells, self.kinds)

    @functools.cached_property
    def voices(self) -> dict[str, NDArray[np.bool_]]:
        """Which rows' residuals speak for which interval."""
        return voices([r.load for r in self.rows], self.truth.names, np.array(self.who("engine")), self.pairs)

    @functools.cached_property
    def years(self) -> Array:
        """How many years after the reference date each row's modern engine was released; 0 where not known."""
        return np.array(
            [release_years(r.release, c.engine.profile) for r, c in zip(self.rows, self.cases, strict=True)]
        )

    @functools.cached_property
    def weights(self) -> Array:
        """Weight of each row: repeats of one configuration share a vote of the square root of their number."""
        keys = [
            (r.system, r.model, r.weights, c.engine.profile, c.layout, r.pp, r.drafts, r.batch, r.prompt, r.output)
            for r, c in zip(self.rows, self.cases, strict=True)
        ]
        count = Counter(keys)
        return np.array([count[k] ** -0.5 for k in keys])

    def masks(self, factors: tuple[Factor, ...]) -> Array:
        """Return how much of each factor each row has: 1 or 0, years for trends. One row per factor.

        Parameters
        ----------
        factors : tuple of Factor
        """
        if factors not in self._masks:
            who = {level: np.array(self.who(level)) for level in LEVELS}
            self._masks[factors] = np.array(
                [(who[f.level] == f.who) * (self.years if f.level in TRENDS else 1.0) for f in factors]
            )
        return self._masks[factors]

    @functools.cached_property
    def _masks(self) -> dict[tuple[Factor, ...], Array]:  # every fold of a fit asks for the same ones
        return {}

    @functools.cached_property
    def measured(self) -> tuple[NDArray[np.intp], ...]:
        """Rows that a fit looks at: for their own measure, for a TTFT, for its median beside its mean."""
        known = self.truth
        own = np.flatnonzero(np.isfinite(known.values))
        first, both = np.sort(np.concatenate([known.ttft[0], known.ttft_median[0]])), known.both[0]
        good = np.array([not r.ttft_not_fitted for r in self.rows], dtype=bool)
        return own, first[good[first]], both[good[both]]


def release_years(date: str, engine: str) -> float:
    """Return years since the reference date for a release of a present engine; 0 for others or without a date."""
    return (years_since(date) or 0.0) if engine in present_engines() else 0.0


def unknowns(data: Data, base: Mapping[str, Prior]) -> tuple[Factor, ...]:
    """List the factors that a fit of `data` has."""
    found: list[Factor] = []
    present = present_engines()
    for level in LEVELS:
        for who in sorted(set(data.who(level))):
            for name, prior in base.items():
                column = "old_engine" if level == "engine" and who not in present else level
                width = prior.widths.get(column, 0.0)
                if width:
                    found.append(Factor(level, who, name, width))
    return tuple(found)


class Problem:
    """Residuals of some rows under some priors, and their derivatives.

    A row's prediction depends on a number only through that number's own value for that row, so one evaluation per
    number gives the derivatives to the factors of every level.

    Attributes
    ----------
    at : array of int
        Row of each measured value that counts; the residuals hold them in this order, then the factors'.
    """

    def __init__(
        self,
        data: Data,
        factors: tuple[Factor, ...],
        base: Mapping[str, Prior],
        keep: NDArray[np.bool_] | None = None,
    ) -> None:
        self.data, self.factors, self.base = data, factors, base
        self.masks = data.masks(factors)
        self.widths = np.array([f.width for f in factors])
        self.by_name = {n: [i for i, f in enumerate(factors) if f.name == n] for n in base}
        self._rows = tuple(r if keep is None else r[keep[r]] for r in data.measured)
        self.at = np.concatenate(self._rows)
        own = [_SCALE[data.rows[i].load] for i in self._rows[0]]
        self.scale = np.concatenate([own, np.full(len(self.at) - len(own), _TTFT_SCALE)])
        self.weight = data.weights[self.at]

    def logs(self, x: Array) -> dict[str, Array]:
        """Return the logarithm of each number's factor for each row.

        Parameters
        ----------
        x : array
            Logarithm of each factor. [1]
        """
        return {n: x[i] @ self.masks[i] for n, i in self.by_name.items() if i}

    def numbers(self, logs: Mapping[str, Any]) -> dict[str, Any]:
        """Return each number for each row.

        Parameters
        ----------
        logs : mapping
            Of `logs`. [1]
        """
        found: dict[str, Any] = {n: p.value for n, p in self.base.items()}
        for name, log in logs.items():
            value = self.base[name].value * np.exp(log)
            found[name] = np.minimum(value, 1.0) if name in SHARES else value
        return found

    def rows(self, numbers: Mapping[str, Any], pieces: Pieces | None = None) -> Array:
        """Return the log ratio over its scale of each measured value, robust and weighted.

        Parameters
        ----------
        numbers : mapping
            Of `numbers`. [each number's unit]
        pieces : mapping or None
            Of `Flat.pieces` under these numbers, where they are known.
        """
        known, found = self.data.truth, estimate(self.data.batch, numbers, pieces)
        logs = (*ratios(known, found), second(known, found))
        values = np.concatenate([log[rows] for log, rows in zip(logs, self._rows, strict=True)])
        return _robust(np.nan_to_num(values) / self.scale) * self.weight

    def residuals(self, x: Array) -> Array:
        """Return what is minimised, squared and summed: the rows', and the factors' distance from their priors.

        Parameters
        ----------
        x : array
            Logarithm of each factor. [1]
        """
        return np.concatenate([self.rows(self.numbers(self.logs(x))), x / self.widths])

    def jacobian(self, x: Array) -> Array:
        """Return the derivatives of `residuals`.

        Parameters
        ----------
        x : array
            Logarithm of each factor. [1]
        """
        logs, flat = self.logs(x), self.data.batch.flat
        numbers = self.numbers(logs)
        pieces = flat.pieces(numbers)
        now = self.rows(numbers, pieces)
        size = len(self.weight)
        found = np.zeros((size + len(x), len(x)))
        for name, where in self.by_name.items():
            if not where:
                continue
            changed = self.numbers({**logs, name: logs[name] + _STEP})
            slope = (self.rows(changed, flat.pieces(changed, pieces, name)) - now) / _STEP
            found[:size, where] = (slope * self.masks[where][:, self.at]).T
        found[size:] = np.diag(1 / self.widths)
        return found


def _robust(r: Array) -> Array:
    """Square root of the soft-L1 loss: rows far away count linearly (Barron 2019)."""
    return np.sign(r) * np.sqrt(2 * (np.sqrt(1 + r * r) - 1))


def fit(
    data: Data,
    base: Mapping[str, Prior] | None = None,
    evaluations: int = STEPS,
    keep: NDArray[np.bool_] | None = None,
) -> Fitted:
    """Fit calibration numbers to measurements by maximum a posteriori.

    Parameters
    ----------
    data : Data
    base : mapping
        Priors; default: the catalogue's.
    evaluations : int
        Most evaluations of the residuals. [1]
    keep : array of bool
        Rows that count; the others are held out. Factors that no counted row has stay at their priors.

    Raises
    ------
    InputError
        When there are no rows, or SciPy is missing.
    """
    if not data.rows:
        raise InputError("no row to fit: every row was refused, or the file has none")
    if importlib.util.find_spec("scipy") is None:
        raise InputError("fitting needs SciPy: install headway[fit]")
    known = dict(priors() if base is None else base)
    factors = unknowns(data, known)
    problem = Problem(data, factors, known, keep)
    x, curvature = descend(problem, np.zeros(len(factors)), evaluations, _GAIN)
    return fitted(factors, known, x, curvature)


def fitted(factors: tuple[Factor, ...], known: Mapping[str, Prior], x: Array, curvature: Array) -> Fitted:
    """Return a fit with the posterior's standard deviations from the curvature at its minimum.

    Parameters
    ----------
    factors : tuple of Factor
    known : mapping
        Priors.
    x : array
        Logarithm of each factor. [1]
    curvature : array
        Of what is minimised, there. [1]
    """
    spread = np.sqrt(np.diag(np.linalg.inv(curvature)))
    return Fitted(factors, x, spread, {n: p.value for n, p in known.items()})


def descend(problem: Problem, x: Array, evaluations: int, least: float) -> tuple[Array, Array]:
    """Minimise by Gauss-Newton steps, damped where one fails (Levenberg 1944); returns the curvature there, too.

    The priors keep the normal equations well conditioned. SciPy's least_squares decomposes the whole matrix of slopes
    at each step instead, which takes ten times as long as everything else.

    Parameters
    ----------
    problem : Problem
    x : array
        Where to begin: the logarithm of each factor. [1]
    evaluations : int
        Most steps. [1]
    least : float
        Share of the cost that a further step must gain. [share]
    """
    r, damping, scale = problem.residuals(x), _DAMPING, np.diag(1 / problem.widths**2)
    curvature = scale
    for _ in range(evaluations):
        slopes, cost = problem.jacobian(x), float(r @ r)
        curvature, downhill = slopes.T @ slopes, slopes.T @ r
        while True:
            step = np.linalg.solve(curvature + damping * scale, downhill)
            tried = problem.residuals(x - step)
            gained = cost - float(tried @ tried)
            if gained > 0 or damping > _STIFF:
                break
            damping *= 10
        if gained > 0:
            x, r, damping = x - step, tried, damping / 10
        if gained < least * cost:
            break
    return x, curvature


def predict_with(fitted: Fitted, data: Data) -> dict[str, Any]:
    """Return the numbers of each row under a fit: its own factors where there are any."""
    known = {n: Prior(v, {}) for n, v in fitted.base.items()}
    problem = Problem(data, fitted.factors, known)
    return problem.numbers(problem.logs(fitted.values))
