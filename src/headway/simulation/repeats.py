"""Repeats of a simulation with other seeds: what they say together, and how far apart they lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from headway.errors import InputError
from headway.numeric import student
from headway.shown import Shown
from headway.simulation.requests import Requests
from headway.simulation.results import Simulated

_BELOW = 0.9  # upper end of an 80 % interval, as everywhere in headway
MOST = 10_000


class Over(NamedTuple):
    """A number over repeats: its mean, and the 80 % interval of that mean.

    Attributes
    ----------
    value, low, high : float
        The ends are NaN of a single repeat, which says nothing about others. [unit of the number]
    """

    value: float
    low: float
    high: float


def over(values: Sequence[float], least: float = 0.0) -> Over:
    """Return the mean of a number over independent repeats with its 80 % interval (Student's t).

    Parameters
    ----------
    values : sequence of float
        One of each repeat; those that have none (NaN) are left out. [any]
    least : float
        What the number cannot be below. [unit of the values]
    """
    known = [v for v in values if not math.isnan(v)]
    if not known:
        return Over(math.nan, math.nan, math.nan)
    n, mean = len(known), math.fsum(known) / len(known)
    if n == 1:
        return Over(mean, math.nan, math.nan)
    wide = student(_BELOW, n - 1) * math.sqrt(math.fsum((v - mean) ** 2 for v in known) / (n - 1) / n)
    return Over(mean, max(mean - wide, least), mean + wide)


def counted_seeds(seeds: int) -> int:
    """Return a number of repeats that can be run.

    Parameters
    ----------
    seeds : int
        As asked for. [1]

    Raises
    ------
    InputError
        When it is none.
    """
    if isinstance(seeds, bool) or not 1 <= seeds <= MOST:
        raise InputError(f"--seeds: {seeds} is no number of repeats; 1 to {MOST:,} are possible")
    return seeds


@dataclass(frozen=True, repr=False)
class Repeated(Shown):
    """The same traffic drawn with several seeds, each run on its own.

    Attributes
    ----------
    runs : tuple of Simulated
    """

    RECORD = "headway.records.repeats:repeated_record"
    TEXT = "headway.report.repeats:repeated_text"

    runs: tuple[Simulated, ...]

    @property
    def quantiles(self) -> dict[str, list[Over]]:
        """Of ``ttft``, ``tpot``, ``request`` and ``queued``, as of `Simulated.quantiles`: each over the repeats. [s]"""
        found = [run.quantiles for run in self.runs]
        return {
            name: [over([q[name][i].value for q in found]) for i in range(len(found[0][name]))] for name in found[0]
        }

    def number(self, name: str) -> Over:
        """Return a number of `Simulated` over the repeats: ``carried``, ``output_rate``, ``busy``, ``batch``, ...

        Parameters
        ----------
        name : str
            Of an attribute; None in a run counts as unknown.
        """
        values = [getattr(run, name) for run in self.runs]
        return over([math.nan if v is None else float(v) for v in values])

    def goodput(self, ttft: float = math.inf, tpot: float = math.inf) -> Over:
        """Return the rate of requests that ended within both limits. [requests/s]

        Parameters
        ----------
        ttft, tpot : float
            Most time to the first token, and per token after it. [s]
        """
        return over([run.goodput(ttft, tpot) for run in self.runs])

    @property
    def saturated(self) -> int:
        """Repeats to which more came than the replicas carry. [1]"""
        return sum(run.saturated for run in self.runs)

    def brief(self) -> str:
        """Return the headline in one line."""
        return f"{len(self.runs)} repeats of {self.runs[0].brief()}"


def alike(a: Requests, b: Requests) -> bool:
    """Say whether two draws of some traffic are the same requests: a trace is what it is, whatever the seed."""
    columns = ("arrival", "prompt", "output", "think")
    return all(np.array_equal(getattr(a, c), getattr(b, c)) for c in columns)
