"""Demand of a service: users, what they ask for in a day, and when."""

from __future__ import annotations

import csv
import math
import os
from dataclasses import dataclass
from pathlib import Path

from headway.catalog import Row, catalogue
from headway.errors import InputError, quoted, unknown

DAY = 86_400.0  # seconds
MONTH = 365.25 / 12  # days
_HOURS = 24
_MOST = 10_080  # rows of a file: a week of minutes


@dataclass(frozen=True, slots=True)
class LoadCurve:
    """How demand lies over time.

    Attributes
    ----------
    name : str
    weights : tuple of float
        Rate of each equal slot over the mean; their mean is 1. [1]
    source : str
    """

    name: str
    weights: tuple[float, ...]
    source: str = ""

    @property
    def peak(self) -> float:
        """The busiest slot over the mean. [1]"""
        return max(self.weights)

    @property
    def valley(self) -> float:
        """The quietest slot over the mean. [1]"""
        return min(self.weights)


@dataclass(frozen=True, slots=True)
class Demand:
    """What users ask of a service.

    Attributes
    ----------
    users : float
        [users]
    per_day : float
        Requests of a user per day. [requests]
    prompt, output : float
        Of a request. [tokens]
    curve : LoadCurve
    """

    users: float
    per_day: float
    prompt: float
    output: float
    curve: LoadCurve

    @property
    def rate(self) -> float:
        """Requests per second, over all hours. [requests/s]"""
        return self.users * self.per_day / DAY

    @property
    def peak_rate(self) -> float:
        """Requests per second in the busiest slot. [requests/s]"""
        return self.rate * self.curve.peak

    @property
    def rates(self) -> tuple[float, ...]:
        """Requests per second in each slot. [requests/s]"""
        return tuple(self.rate * w for w in self.curve.weights)

    @property
    def output_rate(self) -> float:
        """Tokens of answers per second, over all hours. [tokens/s]"""
        return self.rate * self.output

    @property
    def input_rate(self) -> float:
        """Tokens of prompts per second, over all hours. [tokens/s]"""
        return self.rate * self.prompt

    def scaled(self, times: float) -> Demand:
        """Return the demand of so many times as many users.

        Parameters
        ----------
        times : float
            [times]
        """
        return Demand(self.users * times, self.per_day, self.prompt, self.output, self.curve)


def shaped(peak: float, valley: float, at: float, slots: int = _HOURS) -> tuple[float, ...]:
    """Return a day with a given peak and valley: a raised cosine to the power that makes its mean 1.

    Parameters
    ----------
    peak : float
        Busiest slot over the mean, at least 1. [1]
    valley : float
        Quietest slot over the mean, at most 1. [1]
    at : float
        Hour of the peak. [h]
    slots : int
        Equal parts of the day. [1]

    Notes
    -----
    w = v + (p - v) ((1 + cos x)/2)^k: k, above 0, narrows the day until the slots' mean is 1.
    """
    if peak <= 1 or valley >= 1:
        return (1.0,) * slots
    lifted = [(1 + math.cos(2 * math.pi * (i - at * slots / _HOURS) / slots)) / 2 for i in range(slots)]
    low, high = 1e-3, 1e3
    for _ in range(200):
        power = math.sqrt(low * high)
        mean = math.fsum(valley + (peak - valley) * x**power for x in lifted) / slots
        low, high = (power, high) if mean > 1 else (low, power)
    return _normal([valley + (peak - valley) * x**low for x in lifted])


def _normal(weights: list[float]) -> tuple[float, ...]:
    mean = math.fsum(weights) / len(weights)
    return tuple(w / mean for w in weights)


def load_curve(text: str) -> LoadCurve:
    """Return a load curve by its name in the catalogue (``flat``, ``conversation``, ``office``) or from a CSV file.

    Parameters
    ----------
    text : str
        A name, or a file whose rows are equal slots of a day, or of a week: its column ``requests`` (``weight``, ``load``), or its last.

    Raises
    ------
    InputError
        When there is no such curve, or the file cannot be read as one.
    """
    table = catalogue().table("load_curves")
    number = table.find(text)
    if number is not None:
        return _named(table.rows[number])
    if os.path.isfile(text):
        return LoadCurve(Path(text).name, _read(Path(text)), f"{text}")
    raise unknown(
        "load curve",
        text,
        table.names(),
        f"Known: {', '.join(table.names())}; or a CSV file with a row per hour and a column 'requests'.",
    )


def _named(row: Row) -> LoadCurve:
    peak, ratio = float(row["peak_over_mean"]), float(row["peak_over_valley"])
    return LoadCurve(
        row["name"], shaped(peak, peak / ratio, float(row["peak_hour"])), f"{row['source']}, {row['date']}"
    )


def _read(path: Path) -> tuple[float, ...]:
    try:
        rows = [r for r in csv.reader(path.read_text(encoding="utf-8-sig").splitlines()) if any(c.strip() for c in r)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"--load-curve {path}: cannot be read as CSV ({error.__class__.__name__})") from None
    head = [c.strip().lower() for c in rows[0]] if rows else []
    titled = bool(head) and _number(head[-1]) is None
    column = (
        next((i for i, c in enumerate(head) if c in ("requests", "weight", "load")), len(head) - 1) if titled else -1
    )
    found: list[float] = []
    for line, row in enumerate(rows[1:] if titled else rows, 2 if titled else 1):
        cell = row[column] if -len(row) <= column < len(row) else ""
        value = _number(cell)
        if value is None or value < 0:
            raise InputError(
                f"--load-curve {path} row {line}: {quoted(cell)} is no rate; a number of 0 or more is needed"
            )
        found.append(value)
    if not found or len(found) > _MOST or not max(found) > 0:
        raise InputError(f"--load-curve {path}: {len(found):,} slots; 1 to {_MOST:,} are needed, one of them above 0")
    return _normal(found)


def _number(text: str) -> float | None:
    try:
        value = float(text.strip())
    except ValueError:
        return None
    return value if math.isfinite(value) else None
