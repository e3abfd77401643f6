"""80 % intervals from out-of-fold residuals: variances that add up over what a case is, and quantiles of what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from headway.roofline import Spread

Array = NDArray[np.float64]
Labels = NDArray[np.str_]
LOW, HIGH = 0.1, 0.9
_OWN_ROWS, _OWN_FOLDS = 100, 5
_FARTHEST = 1.2  # of a logarithm: a row further away than 3.3 times counts as that far
_KNOWN = 4  # groups that are believed beforehand to err like the others: what one or two say is not all that is known


@dataclass(frozen=True)
class Residuals:
    """log(predicted/measured) of rows out of fold, and what each row is.

    Attributes
    ----------
    values : array
        NaN where not measured. [1]
    cell : array of str
        (chip, model, engine, format, kind of load): rows of one cell err together, and each cell has one vote.
    kinds : sequence of frozenset of str
        What each row is that may widen an interval (`serving.Case.kinds`).
    """

    values: Array
    cell: Labels
    kinds: Sequence[frozenset[str]]

    def of(self, rows: NDArray[np.bool_]) -> Residuals:
        """Return some of the rows: those chosen that have a value."""
        known = np.flatnonzero(rows & np.isfinite(self.values))
        return Residuals(self.values[known], self.cell[known], [self.kinds[int(i)] for i in known])

    @property
    def weights(self) -> Array:
        """Of each row: one over the square root of its cell's rows, between a vote per row and a vote per cell."""
        _, where, count = np.unique(self.cell, return_inverse=True, return_counts=True)
        return 1 / np.sqrt(count.astype(float))[where]

    @property
    def squares(self) -> Array:
        """Squared logarithms, none larger than that of a row three times away."""
        return np.minimum(np.abs(self.values), _FARTHEST) ** 2


@dataclass(frozen=True)
class Widths:
    """How wide an interval is for what a case is.

    Attributes
    ----------
    plain : Spread
        Where nothing widens it.
    more : mapping
        Kind -> variance that it adds, in units of the plain one; 0 for one that adds none. [1]
    variance : float
        The plain one. [1]
    """

    plain: Spread
    more: Mapping[str, float] = field(default_factory=dict[str, float])
    variance: float = 1.0

    def factor(self, kinds: frozenset[str]) -> float:
        """Return how many times the plain spread that of a case of these kinds is."""
        return (1 + sum(self.more.get(k, 0.0) for k in kinds)) ** 0.5


def widths(residuals: Residuals) -> Widths | None:
    """Return the widths that residuals ask for; None below ten rows.

    Parameters
    ----------
    residuals : Residuals
        Out of fold, those with values.

    Notes
    -----
    Variances add: E[r^2] = plain + sum over a row's kinds, found by non-negative least squares; what more than half of
    the cells are is the rule and no kind. What a kind adds is stretched by Student's t of its number of cells, squared:
    few groups say little of the next. The quantiles are those of r over its row's own width, stretched by t of all cells.
    """
    from scipy.optimize import nnls  # pyright: ignore[reportMissingTypeStubs]

    if residuals.values.size < 10:
        return None
    pairs = {(c, k) for c, kinds in zip(residuals.cell.tolist(), residuals.kinds, strict=True) for k in kinds}
    cells = Counter(k for _, k in pairs)
    whole = len(set(residuals.cell))
    names = [k for k, n in sorted(cells.items()) if 2 * n <= whole]
    has = np.array([[k in kinds for k in names] for kinds in residuals.kinds], dtype=float).reshape(
        len(residuals.kinds), len(names)
    )
    weight = np.sqrt(residuals.weights)[:, None]
    found = nnls(weight * np.column_stack([np.ones(len(has)), has]), weight[:, 0] * residuals.squares)[0]
    plain = max(float(found[0]), float(np.mean(residuals.squares)) / 20)
    more = dict.fromkeys(cells, 0.0) | {
        k: float(v) / plain * _student(cells[k] + _KNOWN) ** 2 for k, v in zip(names, found[1:], strict=True)
    }
    unit = Widths(Spread(-1.0, 1.0), more)
    each = -residuals.values / np.array([unit.factor(k) for k in residuals.kinds])
    low, high = _quantiles(each, residuals.weights)
    stretch = _student(whole)
    spread = Spread(min(low * stretch, -1e-3), max(high * stretch, 1e-3), int(residuals.values.size))
    return Widths(spread, more, plain)


def added(wider: Residuals, base: Residuals, group: Labels, plain: float) -> float:
    """Return the variance that a level of evidence adds where it is missing, in units of the plain one.

    Parameters
    ----------
    wider, base : Residuals
        Of the same rows: from fits without their whole group of that level, and without their cell only.
    group : array of str
        Of each row.
    plain : float
        Variance of a plain case. [1]
    """
    both = np.isfinite(wider.values) & np.isfinite(base.values)
    if not both.any():
        return 0.0
    rows, before = wider.of(both), base.of(both)
    more = float(np.average(rows.squares - before.squares, weights=rows.weights))
    return max(more, 0.0) / plain * _student(len(set(group[both].tolist())) + _KNOWN) ** 2


def _student(groups: int) -> float:
    """Student's t at 90 % of so many groups over the normal one, with what one group more brings: sqrt(1 + 1/K)."""
    from scipy.special import stdtrit  # pyright: ignore[reportMissingTypeStubs]

    k = max(float(groups), 2.0)  # t of a single group has no width
    return float(stdtrit(k - 1, HIGH)) / NormalDist().inv_cdf(HIGH) * (1 + 1 / k) ** 0.5


def _quantiles(values: Array, weights: Array) -> tuple[float, float]:
    """Return the 10 % and 90 % quantiles of weighted values."""
    order = np.argsort(values)
    share = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    return float(np.interp(LOW, share, values[order])), float(np.interp(HIGH, share, values[order]))


Voices = Mapping[str, NDArray[np.bool_]]


def voices(load: Sequence[str], quantity: Labels, engine: Labels, fold: Labels) -> dict[str, NDArray[np.bool_]]:
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


def bounds(residuals: Residuals, fold: Labels, spoken: Voices) -> tuple[Array, Array]:
    """Return the ends of each row's interval of log(measured/predicted), from the other folds; NaN without one. [1]

    Parameters
    ----------
    residuals : Residuals
    fold : array of str
        Fold of each row.
    spoken : mapping
        Of `voices`; a later one wins where several have a row.
    """
    low, high = np.full(len(residuals.values), np.nan), np.full(len(residuals.values), np.nan)
    for rows in spoken.values():
        for name in set(fold[rows].tolist()):
            held = np.flatnonzero(rows & (fold == name))
            found = widths(residuals.of(rows & (fold != name)))
            if found is not None:
                factor = np.array([found.factor(residuals.kinds[int(i)]) for i in held])
                low[held], high[held] = found.plain.low * factor, found.plain.high * factor
    return low, high


def score(values: Array, low: Array, high: Array) -> Array:
    """Return the interval score of 80 % intervals: width, and ten times what a measurement lies outside (Gneiting 2007).

    Parameters
    ----------
    values : array
        log(predicted/measured). [1]
    low, high : array
        Ends of the intervals of log(measured/predicted). [1]
    """
    miss = np.maximum(low + values, 0.0) + np.maximum(-values - high, 0.0)
    return high - low + miss / LOW
