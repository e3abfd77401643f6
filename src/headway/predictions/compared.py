"""Predictions beside the measurements that a table brings: how far they lie apart, and how often inside the intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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


@dataclass
class Compared:
    """Pairs of measured and predicted values, gathered row by row."""

    pairs: dict[str, list[tuple[float, float, float]]] = field(
        default_factory=dict[str, "list[tuple[float, float, float]]"]
    )

    def add(self, row: Mapping[str, str]) -> None:
        """Take up a row with its predictions; one that was refused, or holds no measurement, adds nothing."""
        for what, columns, ends in _PAIRS:
            column = next((c for c in columns if not math.isnan(_positive(row.get(c)))), "")
            measured, guess = _positive(row.get(column)), _positive(row.get(columns.get(column, "")))
            if math.isnan(measured) or math.isnan(guess):
                continue
            scale = guess / _positive(
                row.get(next(iter(columns.values())))
            )  # a median's interval is as wide as the mean's
            low, high = (scale * _positive(row.get(e)) for e in ends) if ends else (math.nan, math.nan)
            inside = math.nan if math.isnan(low) or math.isnan(high) else float(low <= measured <= high)
            self.pairs.setdefault(what, []).append((measured, guess, inside))

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
