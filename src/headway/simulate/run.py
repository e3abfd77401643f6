"""Requests through a replica: the order of events, and what each request saw."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from headway.roofline import PassClock
from headway.simulate.policies import Policy
from headway.simulate.replica import NEVER, Limits, Replica
from headway.simulate.requests import Requests

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Passes:
    """Every run of passes of a replica, one entry per run.

    Attributes
    ----------
    start, seconds : array
        When it began, and what it took. [s]
    count : array of int
        Passes of the run. [passes]
    decoding, tokens : array of int
        Sequences that decode in each of them; new tokens of all together. [sequences, tokens]
    """

    start: Floats
    seconds: Floats
    count: NDArray[np.int64]
    decoding: NDArray[np.int64]
    tokens: NDArray[np.int64]


@dataclass(frozen=True)
class Log:
    """What happened to every request, by its index; NaN where it has not come so far.

    Attributes
    ----------
    requests : Requests
    arrival, start, first, end : array
        When it came, boarded its first pass, had its first token and its last. [s]
    preempted : array of int
        How often its cache was given up and computed again. [1]
    rejected : array of bool
        It can never fit into this deployment's memory.
    passes : Passes
    now : float
        When the simulation ended. [s]
    """

    requests: Requests
    arrival: Floats
    start: Floats
    first: Floats
    end: Floats
    preempted: NDArray[np.int64]
    rejected: NDArray[np.bool_]
    passes: Passes
    now: float

    @property
    def ttft(self) -> Floats:
        """Time to the first token. [s]"""
        return self.first - self.arrival

    @property
    def tpot(self) -> Floats:
        """Time per output token after the first; NaN of a single one. [s]"""
        later = self.requests.output - 1
        return np.where(later > 0, (self.end - self.first) / np.maximum(later, 1), np.nan)

    @property
    def queued(self) -> Floats:
        """Time before boarding. [s]"""
        return self.start - self.arrival


def _blank(size: int) -> array[float]:
    return array("d", [math.nan]) * size


class _Run:
    """One simulation on its way."""

    def __init__(self, requests: Requests, replica: Replica, delay: float) -> None:
        size = len(requests)
        self.requests, self.replica, self.delay = requests, replica, delay
        self.arrival, self.start, self.first, self.end = _blank(size), _blank(size), _blank(size), _blank(size)
        self.rejected: list[int] = []
        self.followers: dict[int, list[int]] = {}
        self.coming: list[tuple[float, int]] = []  # who comes because others have ended
        self.starts, self.took = array("d"), array("d")
        self.counts, self.riders, self.tokens = array("q"), array("q"), array("q")
        replica.on_start, replica.on_first = self.start.__setitem__, self.first.__setitem__
        replica.on_end = self.ended if requests.closed else self.end.__setitem__
        replica.on_passes = self.passed

    def passed(self, begin: float, seconds: float, count: int, decoding: int, new: int) -> None:
        self.starts.append(begin)
        self.took.append(seconds)
        self.counts.append(count)
        self.riders.append(decoding)
        self.tokens.append(new)

    def log(self) -> Log:
        size = len(self.requests)
        preempted, rejected = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.bool_)
        for who, times in self.replica.preempted.items():
            preempted[who] = times
        rejected[self.rejected] = True
        passes = Passes(
            np.array(self.starts),
            np.array(self.took),
            np.array(self.counts),
            np.array(self.riders),
            np.array(self.tokens),
        )
        times = (np.array(self.arrival), np.array(self.start), np.array(self.first), np.array(self.end))
        return Log(self.requests, *times, preempted, rejected, passes, self.replica.now)

    def ended(self, who: int, when: float) -> None:
        self.end[who] = when
        self.release(who, when)

    def release(self, who: int, when: float) -> None:
        """Let those come who wait for `who`."""
        for i in self.followers.pop(who, ()):
            pause = float(self.requests.think[i]) if len(self.requests.think) else 0.0
            heappush(self.coming, (max(when + pause, float(self.requests.arrival[i])), i))

    def arrive(self, who: int, when: float) -> None:
        self.arrival[who] = when
        if self.replica.fits(who):
            self.replica.offer(who)
        else:
            self.rejected.append(who)
            self.release(who, when)


def simulate(
    clock: PassClock, limits: Limits, policy: Policy, requests: Requests, delay: float = 0.0, until: float = NEVER
) -> Log:
    """Run traffic through one replica.

    Parameters
    ----------
    clock : PassClock
    limits : Limits
    policy : Policy
    requests : Requests
    delay : float
        A request's way through the server before it can board. [s]
    until : float
        When to stop; default: when all have ended. [s]
    """
    replica = Replica(clock, limits, policy, requests.prompt.tolist(), requests.output.tolist())
    run = _Run(requests, replica, delay)
    _loop(run, until)
    return run.log()


def _loop(run: _Run, until: float) -> None:
    """Offer requests as they come and let the replica do what comes next."""
    replica, delay, coming = run.replica, run.delay, run.coming
    times, free = _free(run)
    at, count = 0, len(free)
    upcoming = times[0] if count else NEVER
    while replica.now < until:
        soonest = min(upcoming, coming[0][0]) if coming else upcoming
        while soonest + delay <= replica.now:
            if upcoming <= soonest:
                run.arrive(free[at], upcoming)
                at += 1
                upcoming = times[at] if at < count else NEVER
            else:
                when, who = heappop(coming)
                run.arrive(who, when)
            soonest = min(upcoming, coming[0][0]) if coming else upcoming
        if not replica.advance(soonest + delay):
            if soonest == NEVER:
                return
            replica.now = max(replica.now, soonest + delay)


def _free(run: _Run) -> tuple[list[float], list[int]]:
    """Those that wait for nobody, with their times; the others are noted with whom they wait for."""
    r = run.requests
    if not r.closed:
        return r.arrival.tolist(), list(range(len(r)))
    free = np.flatnonzero(r.after < 0)
    for i in np.flatnonzero(r.after >= 0).tolist():
        run.followers.setdefault(int(r.after[i]), []).append(i)
    return r.arrival[free].tolist(), free.tolist()
