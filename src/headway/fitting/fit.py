"""Fitting: hierarchical calibration numbers from measurements, with priors from kernels.

Each number is a product: pooled value x engine x vendor x generation x chip. Every factor has a Gaussian prior in its
logarithm around 1 (the pooled value around what kernels measure): evidence moves a factor only as far as it must, and a
chip without evidence keeps its generation's, its vendor's or the pooled value.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.catalog import Catalogue, catalogue
from headway.errors import InputError
from headway.evidence.measurements import Measurement
from headway.fitting.compare import Truth, ratios, truth
from headway.fitting.estimate import Batch, estimate
from headway.fitting.flat import Pieces
from headway.fitting.intervals import voices
from headway.roofline import NUMBERS, years_since
from headway.serving import Case

Array = NDArray[np.float64]
LEVELS = ("pooled", "engine", "vendor", "generation", "chip", "release")
SHARES = frozenset(f.name for f in NUMBERS if f.metadata["unit"] in ("share", "") and f.metadata["high"] == 1.0)

_SCALE = {"closed_loop": 0.08, "static_batch": 0.12}  # where a residual starts to count linearly: repeats' spread
_TTFT_SCALE = 0.4
_STEP = 1e-4  # of the numerical derivative, in the logarithm


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of a number before any serving evidence.

    Attributes
    ----------
    value : float
        Where the number is expected. [the number's unit]
    widths : mapping
        Level -> standard deviation of the logarithm of that level's factor; 0 fixes it. [1]
    """

    value: float
    widths: Mapping[str, float]


def priors() -> dict[str, Prior]:
    """Return the priors of the catalogue."""
    return _priors(catalogue())


@functools.lru_cache(maxsize=8)
def _priors(facts: Catalogue) -> dict[str, Prior]:
    columns = (*LEVELS, "old_engine")
    return {
        r["name"]: Prior(float(r["value"]), {c: float(r[c] or 0) for c in columns})
        for r in facts.table("fit_priors").rows
    }


def present_engines() -> frozenset[str]:
    """Return the engines of the present, alike in kernels and graphs: they share one pooled value and differ little."""
    return frozenset(r["name"] for r in catalogue().table("engines").rows if r["cohort"] == "present")


@dataclass(frozen=True)
class Factor:
    """One unknown: a level, who it belongs to, and which number it multiplies."""

    level: str
    who: str
    name: str
    width: float


@dataclass(frozen=True)
class Fitted:
    """Result of a fit.

    Attributes
    ----------
    factors : tuple of Factor
    values : array
        Logarithm of each factor. [1]
    spread : array
        Posterior standard deviation of each. [1]
    base : mapping
        Values that the pooled factors multiply. [each number's unit]
    """

    factors: tuple[Factor, ...]
    values: Array
    spread: Array
    base: Mapping[str, float]

    def log(self, level: str, who: str, name: str) -> float:
        """Return the logarithm of one factor; 0 when there is none."""
        return self._index.get((level, who, name), 0.0)

    @property
    def _index(self) -> dict[tuple[str, str, str], float]:
        return {(f.level, f.who, f.name): float(v) for f, v in zip(self.factors, self.values, strict=True)}

    def numbers(self, engine: str) -> dict[str, float]:
        """Return the numbers of an engine on a machine about which nothing is known."""
        index = self._index
        found = {
            n: b * float(np.exp(index.get(("pooled", "", n), 0.0) + index.get(("engine", engine, n), 0.0)))
            for n, b in self.base.items()
        }
        return {n: min(v, 1.0) if n in SHARES else v for n, v in found.items()}

    def machines(self) -> dict[str, dict[str, float]]:
        """Return multipliers by vendor, generation and chip."""
        found: dict[str, dict[str, float]] = {}
        for f, v in zip(self.factors, self.values, strict=True):
            if f.level in ("vendor", "generation", "chip") and abs(v) > 5e-4:
                found.setdefault(f.who, {})[f.name] = found.get(f.who, {}).get(f.name, 1.0) * float(np.exp(v))
        return found

    def releases(self) -> dict[str, float]:
        """Return the change per year of each number's logarithm over engine releases."""
        return {f.name: float(v) for f, v in zip(self.factors, self.values, strict=True) if f.level == "release"}

    def undetermined(self, level: str) -> list[str]:
        """Name the numbers of a level that the data left where their priors put them."""
        at_prior = {
            f.name
            for f, s in zip(self.factors, self.spread, strict=True)
            if f.level == level and f.width and s > 0.9 * f.width
        }
        moved = {
            f.name
            for f, s in zip(self.factors, self.spread, strict=True)
            if f.level == level and f.width and s <= 0.9 * f.width
        }
        return sorted(at_prior - moved)


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
            case "engine":
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
    def voices(self) -> dict[str, NDArray[np.bool_]]:
        """Which rows' residuals speak for which interval."""
        return voices([r.load for r in self.rows], self.truth.names, np.array(self.who("engine")), self.pairs)

    def years(self) -> Array:
        """Return how many years after the reference date each row's modern engine was released; 0 where not known."""
        return np.array([release_years(r.date, c.engine.profile) for r, c in zip(self.rows, self.cases, strict=True)])

    def weights(self) -> Array:
        """Return the weight of each row: repeats of one configuration share a vote of the square root of their number."""
        keys = [
            (r.system, r.model, r.weights, c.engine.profile, c.layout, r.pp, r.drafts, r.batch, r.prompt, r.output)
            for r, c in zip(self.rows, self.cases, strict=True)
        ]
        count = Counter(keys)
        return np.array([count[k] ** -0.5 for k in keys])


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


class _Problem:
    """Residuals and their derivatives. A row's prediction depends on a number only through that number's own value for
    that row, so one evaluation per number gives the derivatives to the factors of every level."""

    def __init__(
        self, data: Data, factors: Sequence[Factor], base: Mapping[str, Prior], keep: NDArray[np.bool_] | None = None
    ) -> None:
        self.data, self.factors, self.base = data, factors, base
        who = {level: np.array(data.who(level)) for level in LEVELS}
        years = data.years()
        self.masks = np.array([(who[f.level] == f.who) * (years if f.level == "release" else 1.0) for f in factors])
        self.widths = np.array([f.width for f in factors])
        self.by_name = {n: [i for i, f in enumerate(factors) if f.name == n] for n in base}
        self.weight = data.weights() if keep is None else data.weights() * keep
        self.scale = np.array([_SCALE[r.load] for r in data.rows])

    def logs(self, x: Array) -> dict[str, Array]:
        return {n: x[i] @ self.masks[i] for n, i in self.by_name.items() if i}

    def numbers(self, logs: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {n: p.value for n, p in self.base.items()}
        for name, log in logs.items():
            value = self.base[name].value * np.exp(log)
            found[name] = np.minimum(value, 1.0) if name in SHARES else value
        return found

    def rows(self, numbers: Mapping[str, Any], pieces: Pieces | None = None) -> tuple[Array, Array]:
        own, first = ratios(self.data.truth, estimate(self.data.batch, numbers, pieces))
        return np.nan_to_num(own) / self.scale, np.nan_to_num(first) / _TTFT_SCALE

    def residuals(self, x: Array) -> Array:
        own, first = self.rows(self.numbers(self.logs(x)))
        return np.concatenate([_robust(own) * self.weight, _robust(first) * self.weight, x / self.widths])

    def jacobian(self, x: Array) -> Array:
        logs, flat = self.logs(x), self.data.batch.flat
        numbers = self.numbers(logs)
        pieces = flat.pieces(numbers)
        own, first = self.rows(numbers, pieces)
        size = len(own)
        found = np.zeros((2 * size + len(x), len(x)))
        for name, where in self.by_name.items():
            if not where:
                continue
            changed = self.numbers({**logs, name: logs[name] + _STEP})
            moved = self.rows(changed, flat.pieces(changed, pieces, name))
            for part, (now, then) in enumerate(((own, moved[0]), (first, moved[1]))):
                slope = (_robust(then) - _robust(now)) / _STEP * self.weight
                found[part * size : (part + 1) * size, where] = (slope * self.masks[where]).T
        found[2 * size :] = np.diag(1 / self.widths)
        return found


def _robust(r: Array) -> Array:
    """Square root of the soft-L1 loss: rows far away count linearly (Barron 2019)."""
    return np.sign(r) * np.sqrt(2 * (np.sqrt(1 + r * r) - 1))


def fit(
    data: Data,
    base: Mapping[str, Prior] | None = None,
    start: Fitted | None = None,
    evaluations: int = 20,
    keep: NDArray[np.bool_] | None = None,
) -> Fitted:
    """Fit calibration numbers to measurements by maximum a posteriori.

    Parameters
    ----------
    data : Data
    base : mapping
        Priors; default: the catalogue's.
    start : Fitted
        Where to begin: a fit of nearly the same rows.
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
    try:
        from scipy.optimize import least_squares  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise InputError("fitting needs SciPy: install headway[fit]") from None
    known = dict(priors() if base is None else base)
    factors = unknowns(data, known)
    problem = _Problem(data, factors, known, keep)
    begin = np.array([start.log(f.level, f.who, f.name) if start else 0.0 for f in factors])
    slopes: Any = problem.jacobian
    found = least_squares(problem.residuals, begin, jac=slopes, x_scale=problem.widths, max_nfev=evaluations, ftol=1e-4)
    curvature = found.jac.T @ found.jac
    spread = np.sqrt(np.diag(np.linalg.inv(curvature)))
    return Fitted(factors, found.x, spread, {n: p.value for n, p in known.items()})


def predict_with(fitted: Fitted, batch: Batch, rows: Sequence[Measurement]) -> dict[str, Any]:
    """Return the numbers of each case of a batch under a fit: its own factors where there are any."""
    data = Data(rows, batch)
    years = data.years()
    index = {(f.level, f.who, f.name): float(v) for f, v in zip(fitted.factors, fitted.values, strict=True)}
    names = {f.name for f in fitted.factors}
    who = {level: data.who(level) for level in LEVELS}
    found: dict[str, Any] = dict(fitted.base)
    for name in names:
        logs = [
            sum(
                index.get((level, who[level][i], name), 0.0) * (years[i] if level == "release" else 1.0)
                for level in LEVELS
            )
            for i in range(len(batch.cases))
        ]
        value = fitted.base[name] * np.exp(np.array(logs))
        found[name] = np.minimum(value, 1.0) if name in SHARES else value
    return found
