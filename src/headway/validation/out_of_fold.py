"""`headway validate`: predictions out of fold against the evidence, beside the ideal floor and a one-constant roofline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headway.evidence.measurements import measurer
from headway.fitting.compare import Accuracy, accuracy, ratios
from headway.fitting.estimate import estimate
from headway.fitting.fit import Data
from headway.fitting.floors import below_floors
from headway.fitting.folds import labels, out_of_fold
from headway.fitting.intervals import bounds, score
from headway.fitting.refits import Refits
from headway.roofline import IDEAL
from headway.serving import Case

Array = NDArray[np.float64]
By = Literal["chip", "model", "engine", "layout", "set"]
LeaveOut = Literal["pair", "generation", "engine", "family", "load", "measurer"]
LEFT_OUT: dict[LeaveOut, str] = {
    "pair": "(model, chip)", "generation": "generation of chips", "engine": "engine", "family": "family of models",
    "load": "kind of load", "measurer": "measurer",
}  # fmt: skip
GROUPS: tuple[By, ...] = ("chip", "model", "engine", "layout", "set")
WHATS = ("closed-loop TPOT", "closed-loop TTFT", "static batch")


@dataclass(frozen=True)
class Validation:
    """Out-of-fold predictions of every row of evidence, and two simpler models on the same rows.

    Attributes
    ----------
    data : Data
    own, ttft : array
        log(predicted/measured), each row from a fit that has never seen what is left out. [1]
    own_ends, ttft_ends : (array, array)
        Ends of each row's 80 % interval of log(measured/predicted) as the other folds give it; NaN without one. [1]
    ideal, ideal_ttft : array
        log(predicted/measured) of the ideal machine: the floor. [1]
    constant, constant_ttft : array
        log(predicted/measured) of a simple model, fitted out of fold: the ideal machine times one constant, and for a
        closed loop's TPOT a time per layer beside it. [1]
    violations : int
        Rows predicted below their physical floor. [rows]
    left_out : str
        What each prediction's fit has not seen: of `LEFT_OUT`.
    """

    data: Data
    own: Array
    ttft: Array
    own_ends: tuple[Array, Array]
    ttft_ends: tuple[Array, Array]
    ideal: Array
    ideal_ttft: Array
    constant: Array
    constant_ttft: Array
    violations: int
    left_out: LeaveOut = "pair"

    def rows_of(self, what: str) -> NDArray[np.bool_]:
        """Return which rows a table speaks of."""
        closed = np.array([r.load == "closed_loop" for r in self.data.rows])
        return ~closed if what == "static batch" else closed

    def log(self, what: str, who: str = "headway") -> Array:
        """Return log ratios of a table: of `headway`, the `ideal` floor, or the roofline times one `constant`."""
        own, first = {
            "headway": (self.own, self.ttft), "ideal": (self.ideal, self.ideal_ttft),
            "constant": (self.constant, self.constant_ttft),
        }[who]  # fmt: skip
        return first if what == "closed-loop TTFT" else own

    def measured(self, what: str) -> Array:
        """Return what was measured; rates inverted, so that larger is always slower."""
        known = self.data.truth
        if what == "closed-loop TTFT":
            found = np.full(known.size, np.nan)
            for rows, values in (known.ttft, known.ttft_median):
                found[rows] = values
            return found
        return np.where(np.isin(known.names, ("output", "input")), 1 / known.values, known.values)

    def accuracy(self, what: str, who: str = "headway", rows: NDArray[np.bool_] | None = None) -> Accuracy | None:
        """Return the statistics of one table, of some of its rows."""
        chosen = self.rows_of(what) if rows is None else self.rows_of(what) & rows
        inside = None
        if who == "headway":
            inside = self.inside(what)[chosen]
        if not chosen.any():
            return None
        kinds = None if what == "closed-loop TTFT" else self.data.truth.names[chosen]
        return accuracy(self.log(what, who)[chosen], self.measured(what)[chosen], inside, kinds)

    def inside(self, what: str) -> Array:
        """Return 1 where a measurement lies in its 80 % interval, 0 where not; NaN without either. [1]"""
        values, (low, high) = self.log(what), self.ends(what)
        found = np.where((-values >= low) & (-values <= high), 1.0, 0.0)
        return np.where(np.isfinite(values) & np.isfinite(low), found, np.nan)

    def ends(self, what: str) -> tuple[Array, Array]:
        """Return the ends of the intervals that a table speaks of. [1]"""
        return self.ttft_ends if what == "closed-loop TTFT" else self.own_ends

    def scores(self, what: str) -> Array:
        """Return the interval score of each row: width and misses, in logarithms. [1]"""
        return score(self.log(what), *self.ends(what))

    def by_cell(self, what: str, who: str, rows: NDArray[np.bool_]) -> dict[str, Any]:
        """Return statistics with one vote for each (chip, model, engine, format, kind of load), for JSON.

        Parameters
        ----------
        what, who : str
        rows : array of bool
        """
        log, inside, scores = self.log(what, who), self.inside(what), self.scores(what)
        chosen = self.rows_of(what) & rows & np.isfinite(log)
        each = [chosen & (self.data.cells == c) for c in sorted(set(self.data.cells[chosen].tolist()))]
        known = [m for m in each if np.isfinite(inside[m]).any()] if who == "headway" else []
        return {
            "cells": len(each), "cell_median": float(np.mean([np.median(np.abs(np.expm1(log[m]))) for m in each])),
            "cell_coverage": float(np.mean([np.nanmean(inside[m]) for m in known])) if known else None,
            "score": float(np.mean([np.nanmean(scores[m]) for m in known])) if known else None,
        }  # fmt: skip

    def labels(self, by: By) -> list[str]:
        """Return the group of each row."""
        match by:
            case "chip":
                return [c.chip.name for c in self.data.cases]
            case "model":
                return self.data.models
            case "engine":
                return [c.engine.profile for c in self.data.cases]
            case "layout":
                return [_layout(c) for c in self.data.cases]
            case "set":
                return [r.source for r in self.data.rows]

    def table(self, by: By | None = None) -> list[dict[str, Any]]:
        """Return the records of the report: per table and group, headway beside the floor and the one constant."""
        names = np.array(self.labels(by)) if by else np.full(len(self.data.rows), "all")
        found: list[dict[str, Any]] = []
        for what in WHATS:
            for name in sorted(set(names.tolist())):
                for who in ("headway", "constant", "ideal"):
                    a = self.accuracy(what, who, names == name)
                    if a and (by is None or who == "headway"):
                        cells = self.by_cell(what, who, names == name)
                        found.append({"what": what, "group": name, "who": who} | a.record() | cells)
        return found


def validate(
    fits: Refits, progress: Callable[[int, int], None] | None = None, left_out: LeaveOut = "pair"
) -> Validation:
    """Predict all evidence out of fold.

    Parameters
    ----------
    fits : Refits
        Of the data.
    progress : callable
        Called with (folds done, folds).
    left_out : str
        What the fits of a fold have not seen: of `LEFT_OUT`. Intervals, too, are from the other folds.
    """
    data = fits.data
    pairs = folds_of(data, left_out)
    found = out_of_fold(fits, pairs, progress=progress)
    closed = np.array([r.load == "closed_loop" for r in data.rows])
    ideal, ideal_ttft = ratios(data.truth, estimate(data.batch, IDEAL.numbers()))
    return Validation(
        data, found.own, found.ttft, bounds(data.residuals(found.own), pairs, data.voices),
        bounds(data.residuals(found.ttft), pairs, {"closed_loop ttft": closed}), ideal, ideal_ttft,
        np.where(closed, _two_numbers(data, ideal, closed, pairs), _constant(ideal, ~closed, pairs)),
        _constant(ideal_ttft, closed, pairs), int(below_floors(data, found.own, found.ttft).sum()), left_out,
    )  # fmt: skip


def folds_of(data: Data, left_out: LeaveOut) -> NDArray[np.str_]:
    """Return the fold of each row.

    Parameters
    ----------
    data : Data
    left_out : str
        Of `LEFT_OUT`.
    """
    match left_out:
        case "pair":
            return data.pairs
        case "generation" | "engine":
            return labels(data.who(left_out))
        case "family":
            return labels(c.model.family for c in data.cases)
        case "load":
            return labels(c.workload.kind for c in data.cases)
        case "measurer":
            return labels(measurer(r.source) for r in data.rows)


def _layout(c: Case) -> str:
    """Name the dimensions that a row's replica is cut along."""
    cut = [name for name, ways in (("tp", c.layout.tp), ("pp", c.layout.pp), ("ep", c.layout.ep)) if ways > 1]
    return " + ".join([*cut, *(["attention dp"] if c.layout.dp > 1 else [])]) or "one chip"


_START = (1.8, 8e-5)  # where the two numbers of the simple model are looked for: times the floor, s per layer


def _two_numbers(data: Data, ideal: Array, rows: NDArray[np.bool_], fold: NDArray[np.str_]) -> Array:
    """Return log(predicted/measured) of a x floor + b x layers, a and b from the other folds: least mean absolute error."""
    from scipy.optimize import minimize  # pyright: ignore[reportMissingTypeStubs]

    found, measured = np.full(len(ideal), np.nan), data.truth.values
    layers = np.array([float(sum(x.count for x in c.model.layers)) for c in data.cases])
    floor = measured * np.exp(ideal)

    def log(x: Array, some: NDArray[np.bool_]) -> Array:
        return np.log((np.exp(x[0]) * floor[some] + np.exp(x[1]) * layers[some]) / measured[some])

    for name in sorted(set(fold[rows].tolist())):
        held, rest = rows & (fold == name), rows & (fold != name)

        def error(x: Array, some: NDArray[np.bool_] = rest) -> float:
            return float(np.nanmean(np.abs(log(x, some))))

        if rest.any():
            best: Any = minimize(error, np.log(_START), method="Nelder-Mead")
            found[held] = log(best.x, held)
    return found


def _constant(ideal: Array, rows: NDArray[np.bool_], fold: NDArray[np.str_]) -> Array:
    """Return the floor times the one constant that the median row of the other folds asks for."""
    found = np.full(len(ideal), np.nan)
    for name in set(fold[rows].tolist()):
        held = rows & (fold == name)
        found[held] = ideal[held] - np.nanmedian(ideal[rows & (fold != name)])
    return found
