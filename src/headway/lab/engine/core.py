"""The lab engine: requests in, passes one after another, tokens out; a log of every pass.

Time is that of the passes: one begins when the one before has ended, when somebody comes to an idle engine, or when the
policy wakes, and carries who had come by then. So the simulator, given what passes took, must depart with the same riders.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from headway.errors import HeadwayError, InputError
from headway.lab.engine.pages import Seat, identities
from headway.lab.engine.scheduling import Departure, Scheduler
from headway.lab.engine.settings import Settings
from headway.lab.engine.text import END, Told, allowed

Tell = Callable[["Said"], None]
_LEFT = 4  # tokens: what a character takes at the most


class BusyError(HeadwayError):
    """As many requests wait as may."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request.

    Attributes
    ----------
    prompt : tuple of int
        [1]
    most : int
        Tokens of the answer at the most. [tokens]
    temperature : float
        0: always the likeliest token. [1]
    seed : int or None
        Of its own draws; None: any. [1]
    stops : tuple of str
    ends : bool
        Whether the end token ends it.
    tier : int
        0 is the most urgent. [1]
    """

    prompt: tuple[int, ...]
    most: int
    temperature: float = 1.0
    seed: int | None = None
    stops: tuple[str, ...] = ()
    ends: bool = True
    tier: int = 0


class Said(NamedTuple):
    """What a pass has made of an answer.

    Attributes
    ----------
    text : str
        What has become certain of it.
    made : int
        Its tokens so far. [tokens]
    cached : int
        Tokens of the prompt that were found. [tokens]
    why : str
        Why it has ended: ``stop``, ``length``; or did not: ``busy``, ``fault``; "" before.
    """

    text: str
    made: int
    cached: int
    why: str


@dataclass(slots=True, eq=False)
class Under:
    """A request under way."""

    ask: Ask
    tell: Tell
    seat: Seat
    arrival: float
    told: Told
    draws: np.random.Generator
    start: float = math.nan
    first: float = math.nan
    end: float = math.nan
    why: str = ""


class Watcher:
    """Told of everything that happens; metrics and traces are ones."""

    def passed(self, engine: Engine, row: dict[str, Any]) -> None:
        """Note a pass."""

    def ended(self, engine: Engine, one: Under) -> None:
        """Note that a request has ended, or that nobody waits for it any more."""


@dataclass(slots=True)
class _Inbox:
    """What came from other threads since the last pass."""

    asks: deque[Under] = field(default_factory=deque[Under])
    gone: set[int] = field(default_factory=set[int])


class Engine:
    """Continuous batching of the lab's networks.

    Parameters
    ----------
    settings : Settings
    watchers : sequence of Watcher
    clock, sleep : function
        Of the time, in seconds.
    """

    def __init__(
        self,
        settings: Settings,
        watchers: tuple[Watcher, ...] = (),
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        from headway.lab.engine.programs import Programs

        self.settings, self.watchers, self._clock, self._sleep = settings, watchers, clock, sleep
        self.programs = Programs(settings.model, settings.limits, settings.seed)
        self.scheduler = Scheduler(
            settings.policy, settings.limits, len(settings.tiers), settings.admission, settings.keeps
        )
        self.compiled = self.programs.compile(settings.longest_chunk)
        self.under: dict[int, Under] = {}
        self.passes, self.fault = 0, ""
        self._closed, self._next, self._inbox = False, 0, _Inbox()
        self._changed = threading.Condition()
        self.started = time.time()
        self._zero = clock()

    @property
    def now(self) -> float:
        """Since the start. [s]"""
        return self._clock() - self._zero

    def submit(self, ask: Ask, tell: Tell) -> int:
        """Let a request come; returns its number. May be called from any thread, and tells from the engine's.

        Parameters
        ----------
        ask : Ask
        tell : function
            Called with what each pass has made of it.

        Raises
        ------
        InputError
            For one that can never run here.
        BusyError
            After a fault of the engine.
        """
        limits, prompt = self.settings.limits, list(ask.prompt)
        if not prompt:
            raise InputError("an empty prompt: at least 1 token is needed")
        if ask.most < 1:
            raise InputError(f"max_tokens is {ask.most}; at least 1 is needed")
        whole = len(prompt) + ask.most
        if whole > limits.context:
            raise InputError(
                f"{len(prompt):,} tokens of prompt and {ask.most:,} of answer are more than this model's {limits.context:,}"
            )
        if -(-max(whole - 1, limits.reserve) // limits.block) > limits.blocks:
            raise InputError(
                f"{whole:,} tokens take more than the {limits.blocks:,} blocks of {limits.block} of the KV pool"
            )
        units = identities(prompt, limits.block) if self.settings.keeps else []
        with self._changed:
            if self.fault:
                raise BusyError(f"the engine has stopped: {self.fault}")
            who, self._next = self._next, self._next + 1
            seat = Seat(who, prompt, ask.most, ask.tier, units=units)
            one = Under(ask, tell, seat, self.now, Told(ask.stops), np.random.default_rng(ask.seed))
            self._inbox.asks.append(one)
            self._changed.notify()
        return who

    def give_up(self, who: int) -> None:
        """Let a request go that nobody waits for any more: before the next pass its seat and blocks are free.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        with self._changed:
            self._inbox.gone.add(who)
            self._changed.notify()

    def close(self) -> None:
        """Let `run` end after the pass under way."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def run(self) -> None:
        """Do passes until `close`; a fault ends all requests, and is said in `fault`."""
        try:
            while not self._closed:
                if not self.step():
                    self._wait()
        except Exception as error:
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            with self._changed:
                self.fault = said
                waiting = [*self.under.values(), *self._inbox.asks]
                self._inbox.asks.clear()
            for one in waiting:
                one.tell(Said("", len(one.seat.made), 0, "fault"))

    def finish(self) -> None:
        """Do passes until nobody is left who can run; for those who have no thread of their own for it."""
        while True:
            if not self.step():
                if not self._inbox.asks and self.scheduler.wake == math.inf:
                    return
                self._wait()

    def _wait(self) -> None:
        """Wait for somebody to come or go, or for the moment at which the policy wakes."""
        with self._changed:
            wake = self.scheduler.wake
            while not (self._inbox.asks or self._inbox.gone or self._closed) and wake > self.now:
                self._changed.wait(None if wake == math.inf else wake - self.now)

    def step(self) -> bool:
        """Do the next pass; False where nobody rides."""
        self._take_in()
        s = self.scheduler
        left = s.depart()
        if left is None:
            with self._changed:
                at = min(self._inbox.asks[0].arrival if self._inbox.asks else math.inf, s.wake)
                if at > self.now:
                    return False
            s.now = max(s.now, at)
            return True
        self._go(left, s.now)
        return True

    def _take_in(self) -> None:
        """Who has come by the moment at which the next pass may leave, and who has gone."""
        s = self.scheduler
        with self._changed:
            came: list[Under] = []
            while self._inbox.asks and self._inbox.asks[0].arrival <= s.now:
                came.append(self._inbox.asks.popleft())
            gone = self._inbox.gone
            self._inbox.gone = gone & {one.seat.who for one in self._inbox.asks}  # not taken in yet
        for one in came:
            self.under[one.seat.who] = one
            if not s.offer(one.arrival, one.seat):
                del self.under[one.seat.who]
                one.tell(Said("", 0, 0, "busy"))
        for who in gone:
            if s.give_up(who) is not None:
                self._over(self.under.pop(who), s.now, "abort")

    def _go(self, left: Departure, start: float) -> None:
        s, d = self.scheduler, self.settings.delays
        for seat, _ in left.chunks:
            one = self.under.get(seat.who)
            if one is not None and math.isnan(one.start):
                one.start = start
        context = sum(x.done for x in left.riders) + sum(x.done for x, _ in left.chunks)
        row: dict[str, Any] = {
            "pass": self.passes, "start_s": start, "riders": [x.who for x in left.riders],
            "chunks": [[x.who, new] for x, new in left.chunks], "padded": left.padded, "tokens": left.tokens,
            "prompt_tokens": sum(new for _, new in left.chunks), "context_tokens": context, "blocks": left.blocks,
            "waiting": s.queue,
        }  # fmt: skip
        begun = self._clock()
        logits = self.programs.run(left)
        told = {who: self._drawn(self.under[who], scores) for who, scores in logits.items()}
        texts = {who: self.under[who].told.add(token) for who, token in told.items()}
        stops = {who for who, token in told.items() if token == END or self.under[who].told.stopped}
        row["computed_s"] = self._clock() - begun
        before = s.preemptions
        ended = s.arrive(left, told, stops)
        extra = d.seconds(len(left.riders) + len(left.chunks), left.tokens, context)
        if extra:
            self._sleep(extra)
        end = s.now = self.now
        row |= {
            "seconds": end - start, "sequences": len(left.riders) + len(left.chunks), "preempted": before, "made": list(told),
            "ended": [x.who for x in ended],
        }  # fmt: skip
        self.passes += 1
        for w in self.watchers:
            w.passed(self, row)
        self._tell(texts, {x.who for x in ended}, stops, end)

    def _drawn(self, one: Under, scores: Any) -> int:
        """The next token: the likeliest, or by chance, of those that keep the text a text."""
        left = min(one.seat.most - len(one.seat.made), _LEFT)
        scores = np.where(allowed(one.told.state, left, one.ask.ends), scores, -np.inf)
        if one.ask.temperature > 0:
            scores = scores / one.ask.temperature + one.draws.gumbel(size=scores.shape)
        return int(np.argmax(scores))

    def _tell(self, texts: dict[int, str], ended: set[int], stops: set[int], end: float) -> None:
        for who, text in texts.items():
            one = self.under[who]
            if math.isnan(one.first):
                one.first = end
            if who in ended:
                del self.under[who]
                self._over(one, end, "stop" if who in stops else "length")
                one.tell(Said(text + one.told.rest(), len(one.seat.made), one.seat.cached, one.why))
            else:
                one.tell(Said(text, len(one.seat.made), one.seat.cached, ""))

    def _over(self, one: Under, end: float, why: str) -> None:
        one.end, one.why = end, why
        for w in self.watchers:
            w.ended(self, one)
