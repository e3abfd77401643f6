"""Predictions beside the measurements that a table brings: how far they lie apart, and how often inside the intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from headway.fitting.compare import accuracy
from headway.numeric import finite

# What is compared: the measured columns in order of preference with the predicted one of each, and the interval of the first.
_PAIRS = (
    ("TPOT", {"tpot_ms_mean": "predicted_tpot_ms", "tpot_ms_median": "predicted_tpot_ms"}, ("tpot_ms_low", "tpot_ms_high")),
    ("TTFT", {"ttft_ms_mean": "predicted_ttft_ms", "ttft_ms_median": "predicted_ttft_median_ms"}, ("ttft_ms_low", "ttft_ms_high")),
    ("output tok/s", {"output_tok_s": "predicted_output_tok_s"}, None),
)  # fmt: skip


def _positive(text: str | None) -> float:
    try:
        value = float((text or "").replace(",", ""))
    except ValueError:
        return math.nan
    return value if value > 0 and math.isfinite(value) else math.nan


class Pair(NamedTuple):
    """One measured quantity of a row beside its prediction.

    Attributes
    ----------
    what : str
        TPOT, TTFT or output tok/s.
    measured, predicted, low, high : float
        And the 80 % interval; NaN where there is none. [ms, or tokens/s]
    """

    what: str
    measured: float
    predicted: float
    low: float
    high: float


def paired(row: Mapping[str, str]) -> Iterator[Pair]:
    """Yield what of a row with predictions was measured, too.

    Parameters
    ----------
    row : mapping
        Of a table, with `headway.predictions.ADDED`.
    """
    for what, columns, ends in _PAIRS:
        column = next((c for c in columns if not math.isnan(_positive(row.get(c)))), "")
        measured, guess = _positive(row.get(column)), _positive(row.get(columns.get(column, "")))
        if math.isnan(measured) or math.isnan(guess):
            continue
        scale = guess / _positive(row.get(next(iter(columns.values()))))  # a median's interval is as wide as the mean's
        low, high = (scale * _positive(row.get(e)) for e in ends) if ends else (math.nan, math.nan)
        yield Pair(what, measured, guess, low, high)


@dataclass
class Compared:
    """Pairs of measured and predicted values, gathered row by row."""

    pairs: dict[str, list[tuple[float, float, float]]] = field(
        default_factory=dict[str, "list[tuple[float, float, float]]"]
    )

    def add(self, row: Mapping[str, str]) -> None:
        """Take up a row with its predictions; one that was refused, or holds no measurement, adds nothing."""
        for p in paired(row):
            inside = math.nan if math.isnan(p.low) or math.isnan(p.high) else float(p.low <= p.measured <= p.high)
            self.pairs.setdefault(p.what, []).append((p.measured, p.predicted, inside))

    def record(self) -> list[dict[str, Any]]:
        """Return a row per quantity that was measured: rows, errors as shares, and the share inside the 80 % intervals."""
        found: list[dict[str, Any]] = []
        for what, pairs in self.pairs.items():
            measured, guess, inside = np.array(pairs).T
            said = accuracy(np.log(guess / measured), inside=None if np.isnan(inside).all() else inside)
            if said is not None:
                found.append({
                    "what": what, "rows": said.n, "median_error": said.median, "p90_error": said.p90, "bias": said.bias,
                    "inside_80": finite(said.coverage),
                })  # fmt: skip
        return found
