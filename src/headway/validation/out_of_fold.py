"""`headway validate`: predictions out of fold against the evidence, beside the ideal floor and a one-constant roofline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headway.fitting.compare import Accuracy, accuracy, ratios
from headway.fitting.estimate import estimate
from headway.fitting.fit import Data
from headway.fitting.floors import below_floors
from headway.fitting.folds import out_of_fold
from headway.fitting.intervals import covered
from headway.roofline import IDEAL
from headway.serving import Case

Array = NDArray[np.float64]
By = Literal["chip", "model", "engine", "layout", "set"]
GROUPS: tuple[By, ...] = ("chip", "model", "engine", "layout", "set")
WHATS = ("closed-loop TPOT", "closed-loop TTFT", "static batch")


@dataclass(frozen=True)
class Validation:
    """Out-of-fold predictions of every row of evidence, and two simpler models on the same rows.

    Attributes
    ----------
    data : Data
    own, ttft : array
        log(predicted/measured), each row from a fit that has never seen its (model, chip). [1]
    own_inside, ttft_inside : array
        1 where the measurement lies in the 80 % interval that the other folds give, 0 where not, NaN without one. [1]
    ideal, ideal_ttft : array
        log(predicted/measured) of the ideal machine: the floor. [1]
    constant, constant_ttft : array
        log(predicted/measured) of the ideal machine times one constant per kind of row, fitted out of fold. [1]
    violations : int
        Rows predicted below their physical floor. [rows]
    """

    data: Data
    own: Array
    ttft: Array
    own_inside: Array
    ttft_inside: Array
    ideal: Array
    ideal_ttft: Array
    constant: Array
    constant_ttft: Array
    violations: int

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
            inside = (self.ttft_inside if what == "closed-loop TTFT" else self.own_inside)[chosen]
        if not chosen.any():
            return None
        kinds = None if what == "closed-loop TTFT" else self.data.truth.names[chosen]
        return accuracy(self.log(what, who)[chosen], self.measured(what)[chosen], inside, kinds)

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
                        found.append({"what": what, "group": name, "who": who} | a.record())
        return found


def validate(data: Data, progress: Callable[[int, int], None] | None = None) -> Validation:
    """Predict all evidence out of fold: leave-one-(model, chip)-out.

    Parameters
    ----------
    data : Data
    progress : callable
        Called with (folds done, folds).
    """
    pairs = data.pairs
    found = out_of_fold(data, pairs, progress=progress)
    closed = np.array([r.load == "closed_loop" for r in data.rows])
    ideal, ideal_ttft = ratios(data.truth, estimate(data.batch, IDEAL.numbers()))
    return Validation(
        data, found.own, found.ttft, covered(found.own, pairs, data.voices),
        covered(found.ttft, pairs, {"closed_loop ttft": closed}), ideal, ideal_ttft,
        np.where(closed, _constant(ideal, closed, pairs), _constant(ideal, ~closed, pairs)),
        _constant(ideal_ttft, closed, pairs), int(below_floors(data, found.own, found.ttft).sum()),
    )  # fmt: skip


def _layout(c: Case) -> str:
    """Name the dimensions that a row's replica is cut along."""
    cut = [name for name, ways in (("tp", c.layout.tp), ("pp", c.layout.pp), ("ep", c.layout.ep)) if ways > 1]
    return " + ".join([*cut, *(["attention dp"] if c.layout.dp > 1 else [])]) or "one chip"


def _constant(ideal: Array, rows: NDArray[np.bool_], fold: NDArray[np.str_]) -> Array:
    """Return the floor times the one constant that the median row of the other folds asks for."""
    found = np.full(len(ideal), np.nan)
    for name in set(fold[rows].tolist()):
        held = rows & (fold == name)
        found[held] = ideal[held] - np.nanmedian(ideal[rows & (fold != name)])
    return found
