"""A measured run: requests with what they saw, in order of arrival."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from headway.simulation.measured.cells import Told
from headway.simulation.requests import Floats, Ints, Requests

_APART = 0.05  # share by which a logged TPOT may differ from (request - TTFT) / (tokens - 1) before it is said


@dataclass(frozen=True)
class Run:
    """One run of a log: who was answered, in order of arrival.

    Attributes
    ----------
    name : str
        File, and which of its runs.
    arrival : array
        From the first on. [s]
    prompt, output : array of int
        As they were. [tokens]
    ttft, tpot, request : array
        Measured: until the first token, per token after it, until the last; NaN where the log does not say. [s]
    where : tuple of str
        Where each request stands in the file.
    failed, unfinished : int
        Requests left out: marked as failed; without an answer. [requests]
    notes : tuple of str
        What was assumed, or looks odd.
    """

    name: str
    arrival: Floats
    prompt: Ints
    output: Ints
    ttft: Floats
    tpot: Floats
    request: Floats
    where: tuple[str, ...]
    failed: int = 0
    unfinished: int = 0
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.arrival)

    def requests(self) -> Requests:
        """Return what arrived, as traffic."""
        return Requests(self.arrival, self.prompt, self.output, name=self.name, source=self.name)


def run_of(name: str, told: list[Told], failed: int, unfinished: int, notes: tuple[str, ...]) -> Run:
    """Return a run of what its requests tell.

    Parameters
    ----------
    name : str
    told : list of Told
        At least one.
    failed, unfinished : int
        Left out. [requests]
    notes : tuple of str
    """
    arrival = np.array([t.arrival for t in told])
    order = np.argsort(arrival, kind="stable")
    rows = [told[i] for i in order.tolist()]
    found = [*notes]
    if np.any(np.diff(arrival) < 0):
        found.append("requests do not stand in order of arrival: sorted")
    return Run(
        name,
        arrival[order] - arrival.min(),
        np.array([t.prompt for t in rows], dtype=np.int64),
        np.array([t.output for t in rows], dtype=np.int64),
        np.array([t.ttft for t in rows]),
        np.array([t.tpot for t in rows]),
        np.array([t.request for t in rows]),
        tuple(t.where for t in rows),
        failed,
        unfinished,
        (*found, *_odd(rows)),
    )


def _odd(rows: list[Told]) -> list[str]:
    """What in a log does not agree with itself."""
    found: list[str] = []
    gaps, tokens = sum(t.gaps for t in rows if t.gaps), sum(t.output - 1 for t in rows if t.gaps)
    if tokens and abs(gaps / tokens - 1) > _APART:
        found.append(
            f"its lists of ITL hold {gaps:,} gaps for {tokens:,} tokens after the first: several tokens came at a time, "
            "or answers ended before the length that the log states"
        )
    ratios = [
        t.stated * (t.output - 1) / (t.request - t.ttft)
        for t in rows
        if t.output > 1 and math.isfinite(t.stated) and t.request > t.ttft
    ]
    if ratios and abs(float(np.median(ratios)) - 1) > _APART:
        found.append(
            f"its TPOT is {float(np.median(ratios)):.3g} times (request - TTFT) / (tokens - 1), in the median: the log's own is compared"
        )
    return found
