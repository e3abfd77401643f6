"""Predictions for rows of a table: each row's own case, its answer as columns; a refused row says why, the others are answered."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator

from headway.catalog import Row
from headway.errors import HeadwayError
from headway.evidence import FAULT, case_of, measurement
from headway.serving import Answer, answer

ADDED = (
    "predicted_ttft_ms", "predicted_ttft_median_ms", "predicted_tpot_ms", "predicted_output_tok_s", "tpot_ms_low", "tpot_ms_high",
    "ttft_ms_low",
    "ttft_ms_high", "floor_tpot_ms", "bound", "profile", "outside_evidence", "refused",
)  # fmt: skip


def predict_row(place: str, row: Row, engine: str | None = None) -> Answer:
    """Predict one row of a table in the schema of serving benchmarks.

    Parameters
    ----------
    place : str
        File and line, for messages.
    row : mapping
        Column -> cell (see docs/predict.md).
    engine : str or None
        Engine or profile instead of the row's own.

    Raises
    ------
    HeadwayError
        When the row is malformed, a name does not resolve, or it does not fit.
    """
    return answer(case_of(measurement(place, row), engine=engine))


def cells(p: Answer) -> dict[str, str]:
    """Return an answer as the columns that `headway predict` adds."""

    def milliseconds(seconds: float) -> str:
        return "" if math.isnan(seconds) else f"{seconds * 1e3:.6g}"

    (tpot_low, tpot_high), (ttft_low, ttft_high) = p.tpot_interval, p.ttft_interval
    tpot, floor = p.tpot, p.tpot_floor
    if p.case.setting.output <= 1:  # the only token comes with the prompt: there is no time between tokens
        tpot = tpot_low = tpot_high = floor = math.nan
    return {
        "predicted_ttft_ms": milliseconds(p.ttft), "predicted_ttft_median_ms": milliseconds(p.ttft_median),
        "predicted_tpot_ms": milliseconds(tpot),
        "predicted_output_tok_s": f"{p.output_rate:.6g}",
        "tpot_ms_low": milliseconds(tpot_low), "tpot_ms_high": milliseconds(tpot_high),
        "ttft_ms_low": milliseconds(ttft_low), "ttft_ms_high": milliseconds(ttft_high),
        "floor_tpot_ms": milliseconds(floor), "bound": p.bound, "profile": p.case.profile.name,
        "outside_evidence": " ".join(p.outside), "refused": "",
    }  # fmt: skip


def predicted_rows(rows: Iterable[tuple[str, Row]], engine: str | None = None) -> Iterator[dict[str, str]]:
    """Yield every row with its predictions; a row that cannot be answered says why in `refused`, the others are answered.

    Parameters
    ----------
    rows : iterable of (place, row)
    engine : str or None
        Engine or profile instead of each row's own.
    """
    for place, row in rows:
        try:
            added = cells(predict_row(place, row, engine))
        except Exception as error:
            added = dict.fromkeys(ADDED, "") | {"refused": _reason(error)}
        yield {k: v for k, v in row.items() if k != FAULT} | added


def _reason(error: Exception) -> str:
    """Say why a row is refused; a fault of headway's own must not cost the rows around it."""
    if isinstance(error, HeadwayError):
        return str(error)
    if os.environ.get("HEADWAY_DEBUG"):
        raise error
    return f"a fault in headway itself ({error.__class__.__name__}: {error})"
