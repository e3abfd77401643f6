"""Fits training's numbers to measured steps, and says how well they predict models that they have not seen."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.catalog import catalogue
from headway.errors import InputError
from headway.training.evidence import TrainingCase, training_cases
from headway.training.numbers import FITTED, Numbers, training_numbers
from headway.workers import forked

Floats = NDArray[np.float64]
_HIGHEST = {"compute": 1.4, "attention": 1.0, "network": 1.98, "outside": 1.0, "hidden": 1.0, "launch_knee": 1.0}
_SOFT = 0.1  # relative error beyond which a row pulls no harder
_STEP = 0.02  # of a logarithm, for slopes
_TRIES = 14
_FEW = 240  # rows of an engine that a fit looks at
_TAIL = 0.1


@dataclass(frozen=True)
class TrainingFold:
    """Steps of one engine and kind that were predicted by fits that have not seen their models.

    Attributes
    ----------
    engine, kind : str
        ``one node`` or ``several nodes``.
    rows, folds : int
        Steps; groups that were left out in turn. [rows, 1]
    mean, median, bias : float
        Of the relative error, absolute and signed. [share]
    covered : float
        Share of the steps inside the 80 % interval. [share]
    """

    engine: str
    kind: str
    rows: int
    folds: int
    mean: float
    median: float
    bias: float
    covered: float


def free_numbers(engine: str) -> tuple[str, ...]:
    """Return which numbers an engine's rows determine; the others are priors with a source (catalogue `training_engines`)."""
    row, _ = catalogue().row("training_engines", engine, "training engine")
    free = tuple(x for x in row["fitted"].split("|") if x)
    if set(free) - set(FITTED):
        raise InputError(f"training_engines: {row['name']}: fitted: {row['fitted']!r}; accepted: {', '.join(FITTED)}")
    return free


def _predicted(cases: Sequence[TrainingCase], numbers: Numbers) -> Floats:
    return np.array([c.predicted(numbers) for c in cases])


def _with(numbers: Numbers, free: Sequence[str], logs: Floats) -> Numbers:
    values = {k: min(float(np.exp(x)), _HIGHEST.get(k, np.inf)) for k, x in zip(free, logs, strict=True)}
    return replace(numbers, **values)


def fit_training(engine: str, cases: Sequence[TrainingCase]) -> Numbers:
    """Return an engine's numbers fitted to measured steps: soft least squares of logarithms.

    Parameters
    ----------
    engine : str
    cases : sequence of TrainingCase
        A sample, evenly spaced, where there are many.
    """
    from scipy.optimize import least_squares

    free, start = free_numbers(engine), training_numbers(engine)
    picked = [cases[int(i)] for i in np.unique(np.linspace(0, len(cases) - 1, min(len(cases), _FEW)))]
    measured = np.log([c.seconds for c in picked])

    def off(logs: Floats) -> Floats:
        return np.log(_predicted(picked, _with(start, free, logs))) - measured

    first = np.log([max(float(getattr(start, k)), 1e-6) for k in free])
    most = np.log([_HIGHEST.get(k, 1e3) * (1 + 1e-9) for k in free])
    found: Any = least_squares(
        off, np.minimum(first, most - 1e-6), loss="soft_l1", f_scale=_SOFT, diff_step=_STEP, max_nfev=_TRIES, bounds=(first - 8, most),
    )  # fmt: skip
    return replace(_with(start, free, found.x), rows=len(cases))


def _left_out(job: tuple[str, str, str]) -> list[tuple[int, float]]:
    """Predictions of one fold by a fit to the others of its engine."""
    engine, fold, _ = job
    every = training_cases()
    mine = [i for i, c in enumerate(every) if c.engine == engine]
    numbers = fit_training(engine, [every[i] for i in mine if every[i].fold != fold])
    return [(i, every[i].predicted(numbers)) for i in mine if every[i].fold == fold]


@dataclass(frozen=True)
class TrainingValidation:
    """Out-of-fold predictions of every measured step.

    Attributes
    ----------
    measured, predicted : array
        [s]
    engines, kinds, folds : tuple of str
        Of each step.
    """

    measured: Floats
    predicted: Floats
    engines: tuple[str, ...]
    kinds: tuple[str, ...]
    folds: tuple[str, ...]

    @property
    def errors(self) -> Floats:
        """Predicted over measured, less 1. [share]"""
        return self.predicted / self.measured - 1

    def interval(self, engine: str) -> tuple[float, float]:
        """Return the 80 % interval of an engine's measured over predicted, less 1. [share]

        Parameters
        ----------
        engine : str
        """
        mine = np.array([e == engine for e in self.engines])
        low, high = np.quantile(self.measured[mine] / self.predicted[mine] - 1, [_TAIL, 1 - _TAIL])
        return float(low), float(high)

    def rows(self) -> list[TrainingFold]:
        """Return a line for each engine and kind, with intervals from the engine's other folds."""
        found: list[TrainingFold] = []
        ratio = self.measured / self.predicted - 1
        for engine, kind in dict.fromkeys(zip(self.engines, self.kinds, strict=True)):
            mine = np.array([(e, k) == (engine, kind) for e, k in zip(self.engines, self.kinds, strict=True)])
            names = {f for f, m in zip(self.folds, mine, strict=True) if m}
            inside = 0
            for name in names:
                here = mine & (np.array(self.folds) == name)
                others = np.array([e == engine for e in self.engines]) & ~here
                low, high = np.quantile(ratio[others], [_TAIL, 1 - _TAIL])
                inside += int(((ratio[here] >= low) & (ratio[here] <= high)).sum())
            e, n = self.errors[mine], int(mine.sum())
            found.append(
                TrainingFold(
                    engine,
                    kind,
                    n,
                    len(names),
                    float(np.abs(e).mean()),
                    float(np.median(np.abs(e))),
                    float(e.mean()),
                    inside / n,
                )
            )
        return found


@functools.cache
def validate_training() -> TrainingValidation:
    """Predict each measured step by a fit that has not seen its model: width and depth of one node, the whole size of several."""
    every = training_cases()
    jobs = list(dict.fromkeys((c.engine, c.fold, "") for c in every))
    predicted = np.full(len(every), np.nan)
    for found in forked(_left_out, jobs):
        for i, seconds in found:
            predicted[i] = seconds
    kinds = tuple("one node" if c.nodes == 1 else "several nodes" for c in every)
    return TrainingValidation(
        np.array([c.seconds for c in every]),
        predicted,
        tuple(c.engine for c in every),
        kinds,
        tuple(c.fold for c in every),
    )
