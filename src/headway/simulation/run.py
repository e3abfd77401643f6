"""Requests through replicas: the order of events, and what each request saw."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headway.simulation.autoscaling import Autoscale, Scaled
from headway.simulation.boarding import NEVER
from headway.simulation.clocks import Clock
from headway.simulation.decoding import laws
from headway.simulation.driving import Watch, drive
from headway.simulation.habits import USUAL, Habits
from headway.simulation.lanes import Book, Lane, Passes, Pool
from headway.simulation.limits import Limits
from headway.simulation.memory import fitting
from headway.simulation.policies import Policy
from headway.simulation.replica import Replica
from headway.simulation.requests import Listed, Requests
from headway.simulation.routers import RoundRobin, Router
from headway.simulation.split import run_split

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Log:
    """What happened to every request, by its index; NaN where it has not come so far.

    Attributes
    ----------
    requests : Requests
    arrival, start, first, end : array
        When it came, boarded its first pass, had its first token and its last. [s]
    replica : array of int
        Which replica it went to (of split pools: which answers); -1 before. [1]
    preempted : array of int
        How often its cache was given up and computed or brought again. [1]
    cached : array of int
        Tokens of its prompt that were found and not computed. [tokens]
    rejected : array of bool
        It can never fit into this deployment's memory.
    turned_away : array of bool
        It found the queue full, or lost patience.
    passes : tuple of Passes
        Of each replica; of split pools first those that compute prompts.
    rented : array
        Replica-seconds that are paid, of each replica. [s]
    now : float
        When the simulation ended. [s]
    stopped : bool
        Somebody has stopped it before all had ended.
    """

    requests: Requests
    arrival: Floats
    start: Floats
    first: Floats
    end: Floats
    replica: NDArray[np.int64]
    preempted: NDArray[np.int64]
    cached: NDArray[np.int64]
    rejected: NDArray[np.bool_]
    turned_away: NDArray[np.bool_]
    passes: tuple[Passes, ...]
    rented: Floats
    now: float
    stopped: bool = False

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


@dataclass(frozen=True)
class Engine:
    """What the replicas of a pool are, and how they are reached.

    Attributes
    ----------
    clock : Clock
    limits : Limits
        Of each replica.
    policy : Policy
    habits : Habits
    replicas : int
        How many. [replicas]
    router : Router or None
        None: round robin.
    """

    clock: Clock
    limits: Limits
    policy: Policy
    habits: Habits = USUAL
    replicas: int = 1
    router: Router | None = None

    def pool(self, book: Book, listed: Listed, longest: int, first: int = 0, fits: list[bool] | None = None) -> Pool:
        """Return its lanes, empty.

        Parameters
        ----------
        book : Book
        listed : Listed
        longest, first : int
            Of all requests, prompt and answer; number of the first replica. [tokens, 1]
        fits : list of bool or None
            Which requests can run; None: those whose last token fits here.
        """
        drafts = self.habits.drafts
        if self.policy.padded:  # the longest prompt may ride with the longest answer
            longest = max(longest, int(book.requests.prompt.max(initial=1) + book.requests.output.max(initial=1)))
        alike = laws(self.clock, longest, 1 + drafts.length if drafts else 1)  # the same tables for all
        r = book.requests
        fits = fitting(self.limits, r.prompt, r.output) if fits is None else fits
        lanes = [
            Lane(book, first + i, Replica(self.clock, self.limits, self.policy, listed, alike, self.habits), fits)
            for i in range(self.replicas)
        ]
        return Pool(lanes, copy.copy(self.router) or RoundRobin())  # a copy: whose turn it is does not outlive the run


def simulate(
    clock: Clock,
    limits: Limits,
    policy: Policy,
    requests: Requests,
    delay: float = 0.0,
    until: float = NEVER,
    *,
    replicas: int = 1,
    router: Router | None = None,
    habits: Habits = USUAL,
    prompts: Engine | None = None,
    autoscale: Autoscale | None = None,
    watch: Watch | None = None,
) -> Log:
    """Run traffic through replicas that are alike.

    Parameters
    ----------
    clock, limits, policy, replicas, router, habits : -
        As of `Engine`. [replicas]
    requests : Requests
    delay : float
        A request's way through the server before it can board. [s]
    until : float
        When to stop; default: when all have ended. [s]
    prompts : Engine or None
        Replicas that compute the prompts; these only answer, and have a ``transfer`` among their habits.
    autoscale : Autoscale or None
        Opens and closes replicas by load; `replicas` is then the most.
    watch : Watch or None
    """
    book, listed = Book(requests, delay), requests.listed()
    longest = int((requests.prompt + requests.output).max(initial=1))
    engine = Engine(clock, limits, policy, habits, replicas, router)
    if prompts is not None:
        return _split(book, prompts, engine, listed, longest, until, watch)
    pool = engine.pool(book, listed, longest)
    scaled = None if autoscale is None else Scaled(autoscale, pool)
    stopped = drive(book, pool, scaled, until, watch)
    return _log(book, pool.lanes, scaled, stopped)


def _split(
    book: Book, prompts: Engine, answers: Engine, listed: Listed, longest: int, until: float, watch: Watch | None
) -> Log:
    """The same where prompts are computed elsewhere."""
    r, ones = book.requests, np.ones_like(book.requests.output)
    here, there = fitting(answers.limits, r.prompt, r.output), fitting(prompts.limits, r.prompt, ones)
    fits = [
        a and b for a, b in zip(here, there, strict=True)
    ]  # no prompt is computed for an answer that cannot be given
    fronts = prompts.pool(book, listed._replace(output=ones.tolist()), longest, fits=fits)
    backs = answers.pool(book, listed, longest, len(fronts.lanes), fits)
    stopped = run_split(book, fronts, backs, until, watch)
    return _log(book, [*fronts.lanes, *backs.lanes], None, stopped)


def _log(book: Book, lanes: list[Lane], scaled: Scaled | None, stopped: bool) -> Log:
    size, now = len(book.requests), max(lane.replica.now for lane in lanes)
    preempted, cached = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    rejected, away = np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
    for lane in lanes:
        for who, times in lane.replica.preempted.items():
            preempted[who] += times
        for who, tokens in lane.replica.cached.items():
            cached[who] += tokens
    rejected[book.rejected] = True
    away[[who for _, who in book.turned_away]] = True
    times = (np.array(book.arrival), np.array(book.start), np.array(book.first), np.array(book.end))
    begin = float(np.nanmin(times[0])) if np.isfinite(times[0]).any() else 0.0
    rented = np.full(len(lanes), max(now - begin, 0.0)) if scaled is None else scaled.rented(begin, now)
    return Log(
        book.requests, *times, np.array(book.replica, dtype=np.int64), preempted, cached, rejected, away,
        tuple(lane.passes for lane in lanes), rented, now, stopped,
    )  # fmt: skip
