"""A request of a log: its cells, by what they mean, checked against each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from headway.errors import InputError, quoted
from headway.simulation.traffic.times import PER_SECOND, Clock
from headway.simulation.traffic.traces import whole

SPANS = ("ttft", "tpot", "itl", "latency")
MOMENTS = ("arrival", "first_token", "end")
FLAGS = ("error", "cancelled", "rejected", "success")
COLUMNS = ("prompt", "output", *MOMENTS, *SPANS, *FLAGS, "run")
LONGEST_TIME = 1e9  # seconds, of anything that is measured: some 30 years
_SLACK = 1e-6  # seconds, as dates since 1970 are rounded in 64 bits (0.24 us), with room
_NOTHING = ("", "0", "false", "no", "none", "null", "nan")
_WORDS = {"first_token": "first token", "end": "end", "latency": "request latency", "itl": "ITL"}

Meaning = Mapping[str, tuple[str, str]]  # column -> (title, unit or "")


class UnfinishedError(Exception):
    """A request that was not answered."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a log tells of a request.

    Attributes
    ----------
    where : str
        Its place in the file.
    arrival : float
        On the log's clock. [s]
    prompt, output : int
        Lengths. [tokens]
    ttft, tpot, request : float
        NaN where it is not told. [s]
    stated : float
        TPOT as the log has it; NaN where it was derived. [s]
    gaps : int
        Entries of its list of ITL. [1]
    """

    where: str
    arrival: float
    prompt: int
    output: int
    ttft: float
    tpot: float
    request: float
    stated: float
    gaps: int


class Clocks:
    """Reads the moments of a log: columns whose titles state no unit follow that of arrivals.

    Parameters
    ----------
    usual : str
        Unit of numbers that nobody states: s or ms.
    """

    def __init__(self, usual: str = "s") -> None:
        self.usual, self._own = usual, dict[str, Clock]()

    def read(self, cell: Any, column: str, meaning: Meaning) -> float:
        """Return a moment. [s]

        Parameters
        ----------
        cell : any
            As the file has it.
        column : str
        meaning : mapping
        """
        unit = meaning[column][1] or meaning["arrival"][1]
        clock = self._own.setdefault(unit, Clock(unit, self.usual))
        clock.what = f"time of {_WORDS.get(column, column)}"
        found = clock.one(cell)
        if not clock.dated and clock.unit == "ms" and not unit and self.usual == "ms":
            self.assumed = True
        return found

    assumed = False  # whether numbers were taken as ms because the key is called timestamp


def failed(cells: Mapping[str, Any], meaning: Meaning) -> bool:
    """Return whether a request is marked as not answered."""
    for column in FLAGS:
        if column in meaning:
            cell = cells.get(meaning[column][0])
            told = str(cell).strip().lower() not in _NOTHING if isinstance(cell, str | int | float) else bool(cell)
            blank = cell is None or (isinstance(cell, str) and not cell.strip())
            if (not told and not blank) if column == "success" else told:
                return True
    return False


def told(where: str, cells: Mapping[str, Any], meaning: Meaning, clocks: Clocks) -> Told:
    """Return what a request's cells tell, and what follows from them.

    Parameters
    ----------
    where : str
        Its place in the file.
    cells : mapping
        Title -> cell.
    meaning : mapping
    clocks : Clocks

    Raises
    ------
    InputError
        For cells that are no such thing, or do not agree.
    UnfinishedError
        When it has no answer.
    """

    def cell(column: str) -> Any:
        return cells.get(meaning[column][0]) if column in meaning else None

    prompt, output = whole(cell("prompt"), "prompt"), whole(cell("output"), "output", 0)
    if not output:
        raise UnfinishedError
    arrival = clocks.read(cell("arrival"), "arrival", meaning)
    gaps, mean = _gaps(cell("itl"), meaning)
    ttft, latency, stated = (_span(cell(c), c, meaning) for c in ("ttft", "latency", "tpot"))
    stated = mean if math.isnan(stated) else stated
    if math.isnan(ttft) and not _blank(cell("first_token")):
        ttft = _since(clocks.read(cell("first_token"), "first_token", meaning) - arrival, "first token comes")
    if math.isnan(latency) and not _blank(cell("end")):
        latency = _since(clocks.read(cell("end"), "end", meaning) - arrival, "ends")
    late = ttft - latency
    if late > _SLACK:
        raise InputError(f"ends {late:.6g} s before its first token; check the units of both")
    if math.isnan(ttft) and math.isnan(latency) and math.isnan(stated) and not gaps:
        raise UnfinishedError
    later = output - 1
    if math.isnan(latency) and (gaps or not math.isnan(stated) or not later):
        latency = ttft + (sum(gaps) if gaps else stated * later if later else 0.0)
    if not later:
        stated = tpot = math.nan
    else:
        tpot = max(latency - ttft, 0.0) / later if math.isnan(stated) else stated
        tpot = sum(gaps) / later if math.isnan(tpot) and gaps else tpot
    return Told(where, arrival, prompt, output, ttft, tpot, latency, stated, len(gaps))


def _blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _since(seconds: float, what: str) -> float:
    if seconds < -_SLACK:
        raise InputError(f"{what} {-seconds:.6g} s before it arrives; check the units of both")
    return max(seconds, 0.0)


def _span(cell: Any, column: str, meaning: Meaning) -> float:
    """Return a measured time; NaN where there is none. [s]"""
    if _blank(cell):
        return math.nan
    unit = meaning[column][1] or "s"
    needed = f"a number of 0 to {LONGEST_TIME:,.0f} s is needed"
    what = _WORDS.get(column, column.upper())
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        raise InputError(f"{what} is {quoted(cell)}; {needed}")
    try:
        found = float(cell) / PER_SECOND[unit]
    except (ValueError, OverflowError):
        found = math.nan
    if not 0 <= found <= LONGEST_TIME:
        raise InputError(f"{what} is {quoted(cell)}; {needed}")
    return found


def _gaps(cell: Any, meaning: Meaning) -> tuple[Sequence[float], float]:
    """Return a list of times between tokens, or of a single number the mean. [s]"""
    if isinstance(cell, list):
        return [_span(g, "itl", meaning) for g in cast("list[Any]", cell) if g is not None], math.nan
    return (), _span(cell, "itl", meaning)
