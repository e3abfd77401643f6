"""From rows of measurements to data for a fit: cases, policies and flat passes, with a reason for each row left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headway.errors import HeadwayError
from headway.evidence import case_of
from headway.evidence.measurements import Measurement, shipped
from headway.fitting.estimate import Batch
from headway.fitting.factors import priors
from headway.fitting.fit import Data
from headway.roofline import Calibration
from headway.serving import Case


def prior_policy() -> Calibration:
    """Return the priors as a calibration: its memory reserve and token budget decide slots and passes in every fit."""
    values: dict[str, Any] = {n: p.value for n, p in priors().items()}
    return Calibration(name="priors", **values)


def usable(rows: Sequence[Measurement], engine: str | None = None) -> tuple[Data, list[tuple[Measurement, str]]]:
    """Return the rows that have a case, as data, and (row, reason) of those that have none.

    Parameters
    ----------
    rows : sequence of Measurement
    engine : str
        Engine to take instead of the rows' own.
    """
    policy = prior_policy()
    good: list[Measurement] = []
    cases: list[Case] = []
    left: list[tuple[Measurement, str]] = []
    for row in rows:
        try:
            cases.append(case_of(row, policy, engine))
            good.append(row)
        except HeadwayError as error:
            left.append((row, str(error)))
    return Data(good, Batch.of(cases)), left


def evidence() -> Data:
    """Return the shipped serving evidence, ready for a fit."""
    return usable(shipped())[0]
