"""Trains simulated one by one, exactly: timetable, continuous batching, hold until full (lecture 1.4, SYS-A7, SYS-I2)."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headway.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_COUNTED = 2.0**50  # trains: beyond, neighbours have one moment in floating point


@dataclass(frozen=True, slots=True)
class Trains:
    """What left when and with whom. Trains that are alike and follow one another are one entry with a count.

    Attributes
    ----------
    arrivals, boards, ends : array
        Of each request: when it came, boarded, and its last pass arrived. [s]
    departs, seconds : array
        Of each entry: when its first train leaves, how long one rides. [s]
    count : array of int
        Trains of the entry, each leaving when the one before arrives.
    riders, boarded : array of int
        Aboard each of its trains, and those of them who boarded its first.
    """

    arrivals: Floats
    boards: Floats
    ends: Floats
    departs: Floats
    seconds: Floats
    count: Ints
    riders: Ints
    boarded: Ints

    @property
    def waits(self) -> Floats:
        """From arrival until boarding. [s]"""
        return self.boards - self.arrivals

    @property
    def busy(self) -> float:
        """Machine time of all trains that had riders. [s]"""
        return float((self.seconds * self.count)[self.riders > 0].sum())

    @property
    def mean_riders(self) -> float:
        """Riders of a train on average, empty ones included. [requests]"""
        return float((self.riders * self.count).sum() / max(self.count.sum(), 1))

    def boarding(self, moment: float) -> Floats:
        """Return when those came who board at a moment of departure. [s]

        Parameters
        ----------
        moment : float
            A departure, as `each` tells it. [s]
        """
        first, last = np.searchsorted(self.boards, moment, "left"), np.searchsorted(self.boards, moment, "right")
        return self.arrivals[first:last]

    def each(self, start: float, most: int) -> list[tuple[float, float, int, int]]:
        """Return trains one by one: (departure, ride, riders, boarded).

        Parameters
        ----------
        start : float
            From the first that leaves at that moment or later. [s]
        most : int
            At the most. [trains]
        """
        found: list[tuple[float, float, int, int]] = []
        first = max(int(np.searchsorted(self.departs, start, side="right")) - 1, 0)
        for i in range(first, len(self.departs)):
            leaves, ride = float(self.departs[i]), float(self.seconds[i])
            skip = max(math.ceil((start - leaves) / ride - 1e-9), 0)
            for j in range(skip, int(self.count[i])):
                if len(found) == most:
                    return found
                found.append((leaves + j * ride, ride, int(self.riders[i]), int(self.boarded[i]) if j == 0 else 0))
        return found


def _checked(arrivals: Sequence[float] | Floats, seats: int) -> list[float]:
    when = np.asarray(arrivals, dtype=float)
    if when.ndim != 1 or not np.isfinite(when).all() or (np.diff(when) < 0).any() or (len(when) and when[0] < 0):
        raise InputError("arrivals must be one row of finite moments in order, the first at 0 s or later")
    if seats < 1:
        raise InputError(f"a train with {seats} seats: it needs at least 1")
    return when.tolist()


def run_timetable(arrivals: Sequence[float] | Floats, headway: float, seats: int, passes: int = 1) -> Trains:
    """Run trains that leave at 0, T, 2T, ... whatever their fill; who comes at the moment of departure boards.

    Parameters
    ----------
    arrivals : array
        In order. [s]
    headway : float
        T. [s]
    seats : int
        [requests]
    passes : int
        n, trains in a row that each request rides. [passes]
    """
    when = _checked(arrivals, seats)
    if not headway > 0 or (when and when[-1] / headway > _COUNTED):
        last = when[-1] if when else 0.0
        raise InputError(f"departures every {headway:g} s cannot be counted until the last arrival at {last:g} s")
    return _run(when, [headway] * (seats + 1), passes, True)


def run_continuous(arrivals: Sequence[float] | Floats, seconds: Sequence[float] | Floats, passes: int = 1) -> Trains:
    """Run passes back to back: each takes along who is there; one starts at once when somebody comes to an empty platform.

    Parameters
    ----------
    arrivals : array
        In order. [s]
    seconds : array
        Of a pass with 1, 2, .. c riders; c is the number of seats. [s]
    passes : int
        n, that each request rides. [passes]
    """
    return _run(_checked(arrivals, len(seconds)), [0.0, *(float(s) for s in seconds)], passes, False)


def _next(when: float, headway: float) -> int:
    """Number of the first departure at that moment or later, by the very numbers that departures have."""
    p = math.ceil(when / headway)
    if p and (p - 1) * headway >= when:
        return p - 1
    return p + 1 if p * headway < when else p


def _run(arrivals: list[float], seconds: list[float], passes: int, fixed: bool) -> Trains:
    """Jump from change to change: a boarding or an end; between them trains are alike."""
    n, seats = len(arrivals), len(seconds) - 1
    boards, ends = [0.0] * n, [0.0] * n
    rows: list[tuple[float, float, int, int, int]] = []
    now, p, waiting, riding = 0.0, 0, 0, 0  # departure at hand; first request that has not boarded, first not yet off
    off: list[int] = [0] * n  # the pass at which each gets off
    while riding < n:
        while riding < waiting and off[riding] == p:
            ends[riding] = now
            riding += 1
        before = waiting
        while waiting < n and waiting - riding < seats and arrivals[waiting] <= now:
            boards[waiting], off[waiting] = now, p + passes
            waiting += 1
        aboard = waiting - riding
        if not aboard:
            if waiting == n:
                break
            if not fixed:
                now = arrivals[waiting]
                continue
        ride = seconds[aboard]
        jump = off[riding] - p if aboard else n + passes
        if waiting < n and aboard < seats:
            gap = arrivals[waiting] - now
            later = _next(arrivals[waiting], ride) - p if fixed else math.ceil(gap / ride)
            jump = later if not aboard else min(jump, later)
        rows.append((now, ride, jump, aboard, waiting - before))
        p += jump
        now = p * ride if fixed else now + jump * ride
    return _made(arrivals, boards, ends, rows)


def run_held(
    arrivals: Sequence[float] | Floats, seconds: Sequence[float] | Floats, timeout: float, machines: int | None = None
) -> Trains:
    """Run trains that wait until full, or until their first rider has waited for the timeout.

    Parameters
    ----------
    arrivals : array
        In order. [s]
    seconds : array
        Of the whole ride with 1, 2, .. c riders. [s]
    timeout : float
        [s]
    machines : int or None
        That trains ride on: one that finds none free waits, and goes on taking riders; None: there is always one. [machines]
    """
    when, seats = _checked(arrivals, len(seconds)), len(seconds)
    rides = [float(s) for s in seconds]
    n, i = len(when), 0
    boards, ends = [0.0] * n, [0.0] * n
    free = [0.0] * (machines or 0)
    rows: list[tuple[float, float, int, int, int]] = []
    while i < n:
        leaves, last = when[i] + timeout, i + seats - 1
        if last < n:
            leaves = min(leaves, when[last])
        if machines:
            leaves = max(leaves, heapq.heappop(free))
        to = bisect_right(when, leaves, i, min(i + seats, n))
        ride = rides[to - i - 1]
        boards[i:to], ends[i:to] = [leaves] * (to - i), [leaves + ride] * (to - i)
        rows.append((leaves, ride, 1, to - i, to - i))
        if machines:
            heapq.heappush(free, leaves + ride)
        i = to
    return _made(when, boards, ends, rows)


def _made(
    arrivals: list[float], boards: list[float], ends: list[float], rows: list[tuple[float, float, int, int, int]]
) -> Trains:
    departs, seconds, count, riders, boarded = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    times = (np.array(x, dtype=float) for x in (arrivals, boards, ends, departs, seconds))
    return Trains(*times, *(np.array(x, dtype=np.int64) for x in (count, riders, boarded)))
