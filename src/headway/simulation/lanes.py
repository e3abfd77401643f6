"""Lanes: a replica, who is on the way to it, and what is written down of both; a pool of them behind a router."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from headway.simulation.boarding import NEVER
from headway.simulation.replica import Replica
from headway.simulation.requests import Requests
from headway.simulation.routers import Router, Tiered

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
    caches, blocks : array of int
        Before the run: tokens in the caches of those that decode; KV blocks that somebody uses. [tokens, blocks]
    made : array of int
        Tokens that those who decode have made in it. [tokens]
    """

    start: Floats
    seconds: Floats
    count: Ints
    decoding: Ints
    tokens: Ints
    caches: Ints
    blocks: Ints
    made: Ints


_RUN = np.dtype([
    ("start", "f8"), ("seconds", "f8"), ("count", "i8"), ("decoding", "i8"), ("tokens", "i8"), ("caches", "i8"), ("unused", "i8"),
        ("made", "i8"),
])  # fmt: skip


def _blank(size: int) -> array[float]:
    return array("d", [math.nan]) * size


class Book:
    """What is written down of every request while the lanes run.

    Parameters
    ----------
    requests : Requests
    delay : float
        A request's way through the server before it can board. [s]
    """

    def __init__(self, requests: Requests, delay: float) -> None:
        size = len(requests)
        self.requests, self.delay = requests, delay
        self.arrival, self.start, self.first, self.end = _blank(size), _blank(size), _blank(size), _blank(size)
        self.replica = array("q", [-1]) * size
        self.rejected: list[int] = []
        self.turned_away: list[tuple[float, int]] = []
        self.followers: dict[int, list[int]] = {}

    def free(self) -> Iterator[tuple[float, int]]:
        """Return those that wait for nobody, in order of arrival; the others are noted with whom they wait for."""
        r = self.requests
        if not r.closed:
            return zip(array("d", r.arrival), range(len(r)), strict=True)
        free = np.flatnonzero(r.after < 0)
        for i in np.flatnonzero(r.after >= 0).tolist():
            self.followers.setdefault(int(r.after[i]), []).append(i)
        return zip(array("d", r.arrival[free]), array("q", free), strict=True)

    def following(self, who: int, when: float) -> list[tuple[float, int]]:
        """Return those who waited for one that has ended or was turned away, with the moments at which they come.

        Parameters
        ----------
        who, when : int, float
            The request; when it ended. [1, s]
        """
        r = self.requests
        return [
            (max(when + (float(r.think[i]) if len(r.think) else 0.0), float(r.arrival[i])), i)
            for i in self.followers.pop(who, ())
        ]


class Lane:
    """A replica, and who is on the way to it.

    Parameters
    ----------
    book : Book
    number : int
        Of the replica. [1]
    replica : Replica
    fits : sequence of bool
        Whether each request can ever run on it.
    """

    __slots__ = (
        "at",
        "book",
        "coming",
        "delay",
        "fits",
        "follow",
        "inbox",
        "number",
        "offer",
        "replica",
        "runs",
        "second",
    )

    def __init__(self, book: Book, number: int, replica: Replica, fits: Sequence[bool]) -> None:
        self.book, self.number, self.replica, self.delay = book, number, replica, book.delay
        self.fits, self.second = fits, False  # second: a request has arrived elsewhere before
        self.offer = replica.offer if replica.habits.transfer is not None else replica.waiting.push
        self.at = NEVER  # when it can do something next
        self.inbox: deque[tuple[float, int]] = deque()  # in order of arrival
        self.coming: list[tuple[float, int]] = []  # who comes because others have ended
        self.follow: Callable[[int, float], None] = self._follow
        self.runs = bytearray()  # of `_RUN`
        replica.on_start, replica.on_first = book.start.__setitem__, book.first.__setitem__
        replica.on_end = self._ended if book.requests.closed else book.end.__setitem__
        replica.on_passes = self.runs.extend

    @property
    def running(self) -> int:
        """Requests that run. [requests]"""
        return self.replica.running

    @property
    def queue(self) -> int:
        """Requests that wait, or are on their way. [requests]"""
        return self.replica.queue + len(self.inbox)

    def cached(self, who: int) -> int:
        """Return the tokens of a prompt that are found here.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        return self.replica.memory.cached(who, self.replica.now)

    @property
    def passes(self) -> Passes:
        """All its passes so far."""
        runs = np.frombuffer(self.runs, dtype=_RUN)
        start, seconds, count, decoding, tokens, caches, unused, made = (
            runs[name].copy() for name in runs.dtype.fields or ()
        )
        return Passes(start, seconds, count, decoding, tokens, caches, self.replica.blocks.total - unused, made)

    def _ended(self, who: int, when: float) -> None:
        self.book.end[who] = when
        self.follow(who, when)

    def _follow(self, who: int, when: float) -> None:
        """Who waited for one of ours comes here, too."""
        for moment, i in self.book.following(who, when):
            heappush(self.coming, (moment, i))

    def push(self, when: float, who: int) -> None:
        """Send a request here; in order of arrival.

        Parameters
        ----------
        when, who : float, int
            When it comes; the request. [s, 1]
        """
        self.inbox.append((when, who))
        self.at = min(self.at, max(when + self.delay, self.replica.now))

    def _arrive(self, who: int, when: float) -> None:
        book = self.book
        if not self.second:
            book.arrival[who] = when
        book.replica[who] = self.number
        if not self.fits[who]:
            book.rejected.append(who)
            self.follow(who, when)
        elif not self.offer(when, who):
            self._turn_away(when, who)

    def _turn_away(self, when: float, who: int) -> None:
        self.book.turned_away.append((when, who))
        self.follow(who, when)

    def advance(self, until: float) -> None:
        """Take in who has come and do passes, until one ends at or after a moment or nothing is left to do.

        Parameters
        ----------
        until : float
            [s]
        """
        replica, delay, inbox, coming = self.replica, self.delay, self.inbox, self.coming
        away = replica.waiting.turned_away
        while replica.now < until:
            upcoming = inbox[0][0] if inbox else NEVER
            soonest = min(upcoming, coming[0][0]) if coming else upcoming
            while soonest + delay <= replica.now:
                when, who = inbox.popleft() if upcoming <= soonest else heappop(coming)
                self._arrive(who, when)
                upcoming = inbox[0][0] if inbox else NEVER
                soonest = min(upcoming, coming[0][0]) if coming else upcoming
            done = replica.advance(soonest + delay, until)
            if away:
                for moment, who in away:
                    self._turn_away(moment, who)
                away.clear()
                if not done:
                    continue
            if not done:
                self.at = min(soonest + delay, replica.wake)
                if self.at >= until:
                    return
                replica.now = max(replica.now, self.at)
        self.at = replica.now


class Pool:
    """Lanes that share their arrivals.

    Parameters
    ----------
    lanes : sequence of Lane
    router : Router
    """

    def __init__(self, lanes: Sequence[Lane], router: Router) -> None:
        self.lanes, self.router = list(lanes), router
        if isinstance(router, Tiered):
            router.check(len(self.lanes))
        self.open: Sequence[Lane] = self.lanes  # to which the router sends

    def send(self, when: float, who: int) -> None:
        """Send a request where the router says; who looks at the replicas sees them as they are then.

        Parameters
        ----------
        when, who : float, int
            When it comes; the request. [s, 1]
        """
        lanes = self.open
        if len(lanes) == 1:
            lanes[0].push(when, who)
            return
        if self.router.looks:
            for lane in lanes:
                lane.advance(when + lane.delay)
        lanes[self.router.pick(lanes, who)].push(when, who)

    def advance(self, until: float) -> None:
        """Let all lanes run up to a moment.

        Parameters
        ----------
        until : float
            [s]
        """
        for lane in self.lanes:
            lane.advance(until)
