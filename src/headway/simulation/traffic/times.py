"""Times of arrival as files write them, numbers or dates, as seconds."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np

from headway.errors import InputError, quoted
from headway.simulation.requests import Floats

PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DATE = re.compile(r"\s*((?:19|20|21)\d\d-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(?:Z|[+-]00:?00)?\s*")
_EPOCHS = (
    (1e9, "s"),
    (1e11, "ms"),
    (1e14, "us"),
    (1e17, "ns"),
)  # from these on: a date since 1970, in years 1973 to 5138
_CALENDAR = 1e8  # seconds; times beyond three years count from a date, and are told from the first


class Clock:
    """Reads times. The first one decides, where nothing is stated, whether a file has numbers or dates, and the numbers' unit.

    Parameters
    ----------
    unit : str
        Of numbers: s, ms, us or ns; "" where neither the user nor a title says it.
    usual : str
        Unit of numbers that nobody states, below 10^9; larger ones are seconds, ms, us or ns since 1970.
    """

    what = "time of arrival"  # in messages

    def __init__(self, unit: str = "", usual: str = "s") -> None:
        if unit and unit not in PER_SECOND:
            raise InputError(f"unit of times: {quoted(unit)}; accepted: {', '.join(PER_SECOND)}")
        self._unit, self._usual = unit, usual
        self._first: int | None = None  # the first date, in ns since 1970
        self._numbers: bool | None = None

    @property
    def unit(self) -> str:
        """Unit of the numbers read so far; "" before the first."""
        return self._unit

    @property
    def dated(self) -> bool:
        """Whether the times are dates."""
        return self._numbers is False

    def many(self, cells: Sequence[Any]) -> Floats | None:
        """Return times of cells that are all well-formed, else None: `one` says what is wrong. Dates count from the first. [s]

        Parameters
        ----------
        cells : sequence
            Text or numbers.
        """
        kinds = set(map(type, cells))
        if self._numbers is not False and kinds <= {int, float}:
            return self._scaled(cells)
        if kinds != {str}:
            return None
        if self._numbers is not False:
            try:
                return self._scaled(list(map(float, cells)))
            except (ValueError, OverflowError):
                if self._numbers:
                    return None
        matches = list(map(_DATE.fullmatch, cast("Sequence[str]", cells)))
        try:
            stamps = np.array([m[1] for m in matches if m], dtype="datetime64[ns]")
        except ValueError:  # a 13th month
            return None
        return self._since(stamps.astype(np.int64)) if len(stamps) == len(cells) else None

    def one(self, cell: Any) -> float:
        """Return the time in a cell. [s]

        Raises
        ------
        InputError
            When it is none, or a date among numbers, or a number among dates.
        """
        if isinstance(cell, bool) or not isinstance(cell, str | int | float):
            raise InputError(f"{self.what} is {quoted(cell)}; a number or a date is needed")
        try:
            found = self._scaled([float(cell)])
        except (ValueError, OverflowError):
            return self._date(str(cell))
        if self._numbers is False:
            raise InputError(f"{self.what} is {quoted(cell)}, a number; the lines before it have dates")
        if found is None:
            raise InputError(f"{self.what} is {quoted(cell)}; a finite number of at least 0 is needed")
        return float(found[0])

    def _date(self, text: str) -> float:
        try:
            date = datetime.fromisoformat(text.strip())
        except ValueError:
            accepted = "seconds like 1.25 or a date like 2023-11-16 18:15:46.68"
            raise InputError(f"{self.what} is {quoted(text)}; accepted: {accepted}") from None
        if self._numbers:
            raise InputError(f"{self.what} is {quoted(text)}, a date; the lines before it have numbers")
        if not 1900 <= date.year < 2200:
            raise InputError(f"{self.what} is {quoted(text)}; a date of 1900 to 2199 is needed")
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        stamp = np.datetime64(date.astimezone(UTC).replace(tzinfo=None), "ns")
        return float(self._since(np.array([stamp]).astype(np.int64))[0])

    def _since(self, stamps: np.ndarray[Any, np.dtype[np.int64]]) -> Floats:
        self._numbers = False
        if self._first is None:
            self._first = int(stamps[0])
        return (stamps - self._first) / 1e9

    def _scaled(self, numbers: Sequence[float]) -> Floats | None:
        try:
            found = np.array(numbers, dtype=np.float64)
        except OverflowError:
            return None
        if self._numbers is False or not len(found) or not (np.isfinite(found).all() and found.min() >= 0):
            return None
        if not self._unit:
            self._unit = next((u for least, u in reversed(_EPOCHS) if found[0] >= least), self._usual)
        self._numbers = True
        return found / PER_SECOND[self._unit]

    def counted(self, times: Floats) -> Floats:
        """Return times of a whole file: those that count from a date count from the earliest of them.

        Parameters
        ----------
        times : array
            As of `many` and `one`. [s]
        """
        least = float(times.min(initial=math.inf))
        return times - least if len(times) and (self.dated or least >= _CALENDAR) else times
