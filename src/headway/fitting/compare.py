"""Predicted against measured: each row's own measure, and the statistics that every table of accuracy shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.evidence.measurements import Measurement
from headway.fitting.estimate import Estimate

Array = NDArray[np.float64]


_OWN = (("tpot", "tpot_mean", "tpot_median"), ("request", "e2e_mean", "e2e_median"))
_RATES = (("output", "output_tok_s"), ("input", "input_tok_s"))


@dataclass(frozen=True)
class Truth:
    """What rows measured, as arrays: each row's own measure, and its TTFT.

    Attributes
    ----------
    own : mapping
        Quantity (``tpot``, ``request``, ``output``, ``input``, ``ttft``) -> (rows, values). [s; rates: tokens/s]
    ttft, ttft_median : (rows, values)
        Mean TTFT; median TTFT where no mean was measured. [s]
    both : (rows, values)
        Median TTFT where a mean was measured, too. [s]
    size : int
        All rows, also those that measured nothing. [rows]

    Notes
    -----
    A row's own measure is the first that it has of: TPOT, end-to-end time, output rate, input rate, TTFT. A mean is
    taken before a median.
    """

    own: Mapping[str, tuple[NDArray[np.intp], Array]]
    ttft: tuple[NDArray[np.intp], Array]
    ttft_median: tuple[NDArray[np.intp], Array]
    both: tuple[NDArray[np.intp], Array]
    size: int

    @property
    def values(self) -> Array:
        """Measured value of each row's own measure; NaN without one."""
        found = np.full(self.size, np.nan)
        for rows, values in self.own.values():
            found[rows] = values
        return found

    @property
    def names(self) -> NDArray[np.str_]:
        """Name of each row's own measure."""
        found = np.full(self.size, "", dtype="U8")
        for name, (rows, _) in self.own.items():
            found[rows] = name
        return found


def truth(rows: Sequence[Measurement]) -> Truth:
    """Return what rows measured."""
    own: dict[str, list[tuple[int, float]]] = {}
    first: list[tuple[int, float]] = []
    median: list[tuple[int, float]] = []
    both: list[tuple[int, float]] = []
    for i, row in enumerate(rows):
        m = row.measured
        ttft = m.get("ttft_mean")
        if ttft:
            first.append((i, ttft))
            if row.load == "closed_loop" and "ttft_median" in m:
                both.append((i, m["ttft_median"]))
        elif row.load == "closed_loop" and "ttft_median" in m:
            median.append((i, m["ttft_median"]))
        found = next(((k, v) for k, a, b in _OWN if (v := m.get(a) or m.get(b))), None)
        found = found or next(((k, v) for k, a in _RATES if (v := m.get(a))), None)
        found = found or (("ttft", ttft) if ttft else None)
        if found:
            own.setdefault(found[0], []).append((i, found[1]))
    return Truth({k: _arrays(v) for k, v in own.items()}, _arrays(first), _arrays(median), _arrays(both), len(rows))


def _arrays(pairs: list[tuple[int, float]]) -> tuple[NDArray[np.intp], Array]:
    return np.array([i for i, _ in pairs], dtype=np.intp), np.array([v for _, v in pairs], dtype=float)


def ratios(known: Truth, e: Estimate) -> tuple[Array, Array]:
    """Return log(predicted/measured) of each row's own measure and of its TTFT; NaN where there is none.

    Notes
    -----
    Rates enter inverted, so that a positive value is always a prediction that is too slow.
    """
    s = e.served
    predicted = {"tpot": s.tpot, "request": s.request, "ttft": s.ttft, "output": e.output_rate, "input": e.input_rate}
    own, first = np.full(known.size, np.nan), np.full(known.size, np.nan)
    for name, (rows, values) in known.own.items():
        log = np.log(predicted[name][rows] / values)
        own[rows] = -log if name in ("output", "input") else log
    for value, (rows, values) in ((s.ttft, known.ttft), (s.ttft_median, known.ttft_median)):
        first[rows] = np.log(value[rows] / values)
    return own, first


def second(known: Truth, e: Estimate) -> Array:
    """Return log(predicted/measured) of the median TTFT of rows that measured a mean, too; NaN elsewhere."""
    found = np.full(known.size, np.nan)
    rows, values = known.both
    found[rows] = np.log(e.served.ttft_median[rows] / values)
    return found


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Statistics of relative errors.

    Attributes
    ----------
    n : int
        Rows that have a value. [rows]
    median, mean, p90 : float
        Of |predicted/measured - 1|. [1]
    within : float
        Share of rows within 20 %. [share]
    bias : float
        Median of predicted/measured - 1. [1]
    rank : float
        Spearman's rank correlation of predicted with measured; NaN below three rows. [1]
    coverage : float
        Share of rows inside their 80 % interval; NaN where there is none. [share]
    """

    n: int
    median: float
    mean: float
    p90: float
    within: float
    bias: float
    rank: float
    coverage: float

    def record(self) -> dict[str, Any]:
        """Return the statistics for JSON; NaN becomes null."""
        return {
            f: None if isinstance(v, float) and np.isnan(v) else v
            for f, v in ((f, getattr(self, f)) for f in self.__dataclass_fields__)
        }


def accuracy(
    log_ratio: Array,
    measured: Array | None = None,
    inside: Array | None = None,
    kinds: NDArray[np.str_] | None = None,
) -> Accuracy | None:
    """Return the statistics of rows that have a value, or None when none has.

    Parameters
    ----------
    log_ratio : array
        log(predicted/measured). [1]
    measured : array
        What was measured, for the rank correlation; rates inverted. [s; rates: s/token]
    inside : array
        1 where the measurement lies in its interval, 0 where not, NaN without one. [1]
    kinds : array of str
        Quantity of each row: only values of one quantity are ranked against each other.
    """
    have = np.isfinite(log_ratio)
    if not have.any():
        return None
    log = log_ratio[have]
    e = np.abs(np.expm1(log))
    rank = float("nan")
    if measured is not None and have.sum() > 2:
        rank = _rank(np.log(measured[have]), log, np.full(log.size, "") if kinds is None else kinds[have])
    known = np.zeros(0) if inside is None else inside[have & np.isfinite(inside)]
    covered = float(known.mean()) if known.size else float("nan")
    return Accuracy(
        int(have.sum()), float(np.median(e)), float(e.mean()), float(np.quantile(e, 0.9)), float((e <= 0.2).mean()),
        float(np.expm1(np.median(log))), rank, covered,
    )  # fmt: skip


def _rank(measured: Array, log: Array, kinds: NDArray[np.str_]) -> float:
    """Spearman's correlation: the mean over quantities, weighted by rows."""
    each = [
        (_correlation(_ranks(measured[k]), _ranks(measured[k] + log[k])), float(k.sum()))
        for k in (kinds == name for name in sorted(set(kinds.tolist())))
        if k.sum() > 2
    ]
    known = [(r, n) for r, n in each if not np.isnan(r)]
    return float(np.average([r for r, _ in known], weights=[n for _, n in known])) if known else float("nan")


def _ranks(values: Array) -> Array:
    """Ranks, ties sharing their mean rank."""
    _, where, count = np.unique(values, return_inverse=True, return_counts=True)
    upper = np.cumsum(count)
    return (upper - (count - 1) / 2)[where]


def _correlation(a: Array, b: Array) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
