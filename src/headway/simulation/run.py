"""Requests through replicas: the order of events, and what each request saw."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from headway.roofline import PassClock
from headway.simulation.decoding import laws
from headway.simulation.policies import Policy
from headway.simulation.replica import NEVER, Limits, Replica
from headway.simulation.requests import Requests
from headway.simulation.routers import RoundRobin, Router

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
    replica : array of int
        Which replica it went to; -1 before. [1]
    preempted : array of int
        How often its cache was given up and computed again. [1]
    rejected : array of bool
        It can never fit into this deployment's memory.
    passes : tuple of Passes
        Of each replica.
    now : float
        When the simulation ended. [s]
    """

    requests: Requests
    arrival: Floats
    start: Floats
    first: Floats
    end: Floats
    replica: NDArray[np.int64]
    preempted: NDArray[np.int64]
    rejected: NDArray[np.bool_]
    passes: tuple[Passes, ...]
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


class _Lane:
    """A replica, and who is on the way to it."""

    def __init__(self, run: _Run, number: int, replica: Replica) -> None:
        self.run, self.number, self.replica = run, number, replica
        self.inbox: deque[tuple[float, int]] = deque()  # in order of arrival
        self.coming: list[tuple[float, int]] = []  # who comes because others have ended
        self.starts, self.took = array("d"), array("d")
        self.counts, self.riders, self.tokens = array("q"), array("q"), array("q")
        replica.on_start, replica.on_first = run.start.__setitem__, run.first.__setitem__
        replica.on_end = self.ended if run.requests.closed else run.end.__setitem__
        replica.on_passes = self.passed

    def passed(self, begin: float, seconds: float, count: int, decoding: int, new: int) -> None:
        self.starts.append(begin)
        self.took.append(seconds)
        self.counts.append(count)
        self.riders.append(decoding)
        self.tokens.append(new)

    @property
    def running(self) -> int:
        """Requests that run. [requests]"""
        return self.replica.running

    @property
    def queue(self) -> int:
        """Requests that wait, or are on their way. [requests]"""
        return self.replica.queue + len(self.inbox)

    @property
    def passes(self) -> Passes:
        columns = (self.counts, self.riders, self.tokens)
        return Passes(np.array(self.starts), np.array(self.took), *(np.array(c, dtype=np.int64) for c in columns))

    def ended(self, who: int, when: float) -> None:
        self.run.end[who] = when
        self.release(who, when)

    def release(self, who: int, when: float) -> None:
        """Let those come who wait for `who`."""
        r = self.run.requests
        for i in self.run.followers.pop(who, ()):
            pause = float(r.think[i]) if len(r.think) else 0.0
            heappush(self.coming, (max(when + pause, float(r.arrival[i])), i))

    def arrive(self, who: int, when: float) -> None:
        run = self.run
        run.arrival[who] = when
        run.replica[who] = self.number
        if self.replica.fits(who):
            self.replica.offer(who)
        else:
            run.rejected.append(who)
            self.release(who, when)

    def advance(self, until: float) -> None:
        """Take in who has come and do passes, until one ends at or after `until` or nothing is left to do."""
        replica, delay, inbox, coming = self.replica, self.run.delay, self.inbox, self.coming
        while replica.now < until:
            upcoming = inbox[0][0] if inbox else NEVER
            soonest = min(upcoming, coming[0][0]) if coming else upcoming
            while soonest + delay <= replica.now:
                when, who = inbox.popleft() if upcoming <= soonest else heappop(coming)
                self.arrive(who, when)
                upcoming = inbox[0][0] if inbox else NEVER
                soonest = min(upcoming, coming[0][0]) if coming else upcoming
            if not replica.advance(soonest + delay, until):
                if soonest + delay >= until:
                    return
                replica.now = max(replica.now, soonest + delay)


class _Run:
    """One simulation on its way."""

    def __init__(self, requests: Requests, replicas: Sequence[Replica], delay: float) -> None:
        size = len(requests)
        self.requests, self.delay = requests, delay
        self.arrival, self.start, self.first, self.end = _blank(size), _blank(size), _blank(size), _blank(size)
        self.replica = array("q", [-1]) * size
        self.rejected: list[int] = []
        self.followers: dict[int, list[int]] = {}
        self.lanes = [_Lane(self, i, r) for i, r in enumerate(replicas)]

    def go(self, router: Router, until: float) -> None:
        """Send requests to replicas as they come; who looks at the replicas sees them as they are then."""
        lanes = self.lanes
        for when, who in self._free():
            if when >= until:
                break
            if router.looks and len(lanes) > 1:
                for lane in lanes:
                    lane.advance(when + self.delay)
            lanes[router.pick(lanes, who) if len(lanes) > 1 else 0].inbox.append((when, who))
        for lane in lanes:
            lane.advance(until)

    def _free(self) -> Iterator[tuple[float, int]]:
        """Those that wait for nobody, in order of arrival; the others are noted with whom they wait for."""
        r = self.requests
        if not r.closed:
            return zip(r.arrival.tolist(), range(len(r)), strict=True)
        free = np.flatnonzero(r.after < 0)
        for i in np.flatnonzero(r.after >= 0).tolist():
            self.followers.setdefault(int(r.after[i]), []).append(i)
        return zip(r.arrival[free].tolist(), free.tolist(), strict=True)

    def log(self) -> Log:
        size = len(self.requests)
        preempted, rejected = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.bool_)
        for lane in self.lanes:
            for who, times in lane.replica.preempted.items():
                preempted[who] = times
        rejected[self.rejected] = True
        times = (np.array(self.arrival), np.array(self.start), np.array(self.first), np.array(self.end))
        return Log(
            self.requests, *times, np.array(self.replica, dtype=np.int64), preempted, rejected,
            tuple(lane.passes for lane in self.lanes), max(lane.replica.now for lane in self.lanes),
        )  # fmt: skip


def simulate(
    clock: PassClock,
    limits: Limits,
    policy: Policy,
    requests: Requests,
    delay: float = 0.0,
    until: float = NEVER,
    *,
    replicas: int = 1,
    router: Router | None = None,
) -> Log:
    """Run traffic through replicas that are alike.

    Parameters
    ----------
    clock : PassClock
    limits : Limits
        Of each replica.
    policy : Policy
    requests : Requests
    delay : float
        A request's way through the server before it can board. [s]
    until : float
        When to stop; default: when all have ended. [s]
    replicas : int
        How many. [replicas]
    router : Router or None
        Default: round robin.
    """
    prompt, output = requests.prompt.tolist(), requests.output.tolist()
    longest = int((requests.prompt + requests.output).max(initial=1))
    alike = laws(clock, longest)  # the same tables for all
    run = _Run(requests, [Replica(clock, limits, policy, prompt, output, alike) for _ in range(replicas)], delay)
    run.go(router or RoundRobin(), until)
    return run.log()
