"""Traffic without end in bounded memory: requests take a place when they come, and leave it with their record when they have ended."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from headway.errors import InputError
from headway.simulation.autoscaling import Autoscale, Scaled
from headway.simulation.boarding import NEVER
from headway.simulation.lanes import Book, Lane, Passes, Pool
from headway.simulation.memory import fitting
from headway.simulation.requests import Floats, Ints, Listed, Requests
from headway.simulation.run import Engine, Log

LONGEST = 1 << 20  # tokens of a request that can be streamed, where the model allows as many
_STEPS = 64  # looks at what is left after the last arrival, before its time is doubled


@dataclass(frozen=True)
class Piece:
    """What has ended since the last piece, and the passes of that time.

    Attributes
    ----------
    number : array of int
        Of each request, counted from the first that came. [1]
    log : Log
        Of these requests alone, and of all passes since the last piece; what is rented is of the whole time.
    come : int
        Requests that had come by then. [requests]
    last : float
        When the last of them came. [s]
    left : int
        Of those, they have neither ended nor been turned away. [requests]
    """

    number: Ints
    log: Log
    come: int
    last: float
    left: int


class _Window:
    """Places of requests: columns that the loop reads and writes, as long as there were requests at once."""

    def __init__(self, engine: Engine, delay: float, tiers: tuple[str, ...], longest: int) -> None:
        nobody = Requests(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
        self.longest = longest
        self.engine, self.tiers, self.book = engine, tiers, Book(nobody, delay)
        self.listed = Listed([], [], [], max(len(tiers), 1), [], [], 512, {}, [], [])
        self.fits: list[bool] = []
        self.number: list[int] = []
        self.free: list[int] = []
        self.come, self.last = 0, 0.0

    def _grow(self, count: int) -> None:
        size, book, listed = len(self.fits), self.book, self.listed
        for column in (listed.prompt, listed.output, listed.tier, listed.made, listed.done, self.number):
            column.extend([0] * count)
        self.fits.extend([False] * count)
        blank = array("d", [math.nan]) * count
        for times in (book.arrival, book.start, book.first, book.end):
            times.extend(blank)
        book.replica.extend(array("q", [-1]) * count)
        self.free.extend(range(size + count - 1, size - 1, -1))

    def take(self, piece: Requests) -> list[tuple[float, int]]:
        """Give places to those who come; when each of them comes, and where it is."""
        count = len(piece)
        if count > len(self.free):
            self._grow(count - len(self.free))
        where = [self.free.pop() for _ in range(count)]
        listed, fits = self.listed, fitting(self.engine.limits, piece.prompt, piece.output)
        fits = (np.array(fits) & (piece.prompt + piece.output <= self.longest)).tolist()
        tier = piece.tier.tolist() if len(piece.tier) else [0] * count
        rows = zip(where, piece.prompt.tolist(), piece.output.tolist(), tier, fits, strict=True)
        for number, (at, prompt, output, of_tier, fit) in enumerate(rows, self.come):
            listed.prompt[at], listed.output[at], listed.tier[at] = prompt, output, of_tier
            listed.made[at] = listed.done[at] = 0
            self.fits[at], self.number[at] = fit, number
        self.come += count
        arrivals = piece.arrival.tolist()
        self.last = arrivals[-1] if arrivals else self.last
        return list(zip(arrivals, where, strict=True))

    def harvest(self, pool: Pool, name: str, rented: Floats, now: float) -> Piece:
        """The records of those who have ended, whose places are free again, and the passes since the last time."""
        book, listed = self.book, self.listed
        away = [who for _, who in book.turned_away]
        gone = np.isfinite(np.array(book.end))
        gone[away], gone[book.rejected] = True, True
        for lane in pool.lanes:  # who has ended and keeps its seat until all of a padded batch have
            gone[list(lane.replica.sitting)] = False
        at = np.flatnonzero(gone)
        where, taken = at.tolist(), gone.tolist()
        preempted, cached, rejected, turned = (np.zeros(len(gone), dtype=np.int64) for _ in range(4))
        rejected[book.rejected], turned[away] = 1, 1
        for lane in pool.lanes:
            for found, into in ((lane.replica.preempted, preempted), (lane.replica.cached, cached)):
                for who in [w for w in found if taken[w]]:
                    into[who] += found.pop(who)
        times = [np.array(x)[at] for x in (book.arrival, book.start, book.first, book.end)]
        order = np.argsort(np.array(self.number)[at], kind="stable")
        prompt, output, tier, number = (
            np.array([column[i] for i in where], dtype=np.int64)[order]
            for column in (listed.prompt, listed.output, listed.tier, self.number)
        )
        replica = np.array(book.replica, dtype=np.int64)[at][order]
        arrival, start, first, end = (t[order] for t in times)
        columns = (x[at][order] for x in (preempted, cached, rejected, turned))
        self._clear(where)
        asked = Requests(np.zeros(len(at)), prompt, output, tier=tier, tiers=self.tiers, name=name)
        less, found, no, out = columns
        log = Log(
            asked, arrival, start, first, end, replica, less, found, no.astype(bool), out.astype(bool), tuple(map(_passes, pool.lanes)),
            rented, now,
        )  # fmt: skip
        return Piece(number, log, self.come, self.last, len(self.fits) - len(self.free))

    def _clear(self, where: list[int]) -> None:
        book = self.book
        for times in (book.arrival, book.start, book.first, book.end):
            view = np.frombuffer(times)
            view[where] = math.nan
        for i in where:
            book.replica[i] = -1
        gone = set(where)
        book.rejected[:] = [i for i in book.rejected if i not in gone]
        book.turned_away[:] = [x for x in book.turned_away if x[1] not in gone]
        self.free.extend(where)


def _passes(lane: Lane) -> Passes:
    found = lane.passes
    lane.runs.clear()
    return found


def stream(
    engine: Engine, pieces: Iterable[Requests], delay: float, *, autoscale: Autoscale | None = None, name: str = ""
) -> Iterator[Piece]:
    """Run traffic that comes piece by piece, and give back what has ended, piece by piece; memory holds who is under way.

    Parameters
    ----------
    engine : Engine
        Its replicas and router.
    pieces : iterable of Requests
        In order of arrival; none waits for others or shares its prompt, and all have the same tiers.
    delay : float
        A request's way through the server before it can board. [s]
    autoscale : Autoscale or None
        Opens and closes replicas by load; the engine's are then the most.
    name : str
        What the traffic is called.

    Raises
    ------
    InputError
        For traffic whose requests wait for others or share prompts: such a run needs all of them at once.
    """
    run: _Run | None = None
    for piece in pieces:
        if len(piece.after) or len(piece.first_hash):
            raise InputError(
                "streamed traffic: requests must wait for nobody and share no prompts; run it without --stream"
            )
        if run is None:
            run = _Run(engine, delay, piece, autoscale, name)
        yield run.send(piece)
    if run is not None:
        yield from run.rest()


class _Run:
    """A pool with its window on the traffic."""

    def __init__(self, engine: Engine, delay: float, first: Requests, autoscale: Autoscale | None, name: str) -> None:
        self.longest = min(engine.limits.context, LONGEST)
        self.window = _Window(engine, delay, first.tiers if len(first.tier) else (), self.longest)
        self.pool = engine.pool(self.window.book, self.window.listed, self.longest, fits=self.window.fits)
        self.scaled = None if autoscale is None else Scaled(autoscale, self.pool)
        self.name, self.begin = name, float(first.arrival.min(initial=math.inf))
        self.step = 1.0

    def send(self, piece: Requests) -> Piece:
        """Let requests come, and all happen until the last of them has."""
        window, pool, before = self.window, self.pool, self.window.last
        some = window.take(piece)
        if len(pool.lanes) == 1 and self.scaled is None:
            pool.lanes[0].inbox.extend(some)
        else:
            for when, who in some:
                if self.scaled is not None:
                    self.scaled.look(when)
                pool.send(when, who)
        pool.advance(window.last)
        self.step = max(window.last - before, 1.0)
        return self._piece()

    def rest(self) -> Iterator[Piece]:
        """Let those end who have come."""
        now, looks = self.window.last, 0
        while True:
            busy = [lane for lane in self.pool.lanes if lane.running or lane.queue or lane.coming]
            idle = min((lane.at for lane in busy), default=NEVER)
            if idle == NEVER:
                return
            looks += 1
            self.step *= 2.0 if looks % _STEPS == 0 else 1.0
            now = max(now + self.step, idle)
            if self.scaled is not None:
                self.scaled.look(now)
            self.pool.advance(now)
            yield self._piece()

    def _piece(self) -> Piece:
        now = max(lane.replica.now for lane in self.pool.lanes)
        rented = (
            np.full(len(self.pool.lanes), max(now - self.begin, 0.0))
            if self.scaled is None
            else self.scaled.rented(self.begin, now)
        )
        return self.window.harvest(self.pool, self.name, rented, now)
