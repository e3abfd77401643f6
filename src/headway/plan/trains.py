"""Trains for a model, a machine and a rate: a timetable, held trains and continuous batching, and what holding saves."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headway import units
from headway.batching import Held, continuous, cost_per_token, fills, held, held_share, per_million, timetable
from headway.catalog import default
from headway.errors import InputError, PhysicsError
from headway.plan.answer import Plan
from headway.plan.make import make_plan
from headway.questions import Request
from headway.shown import Shown
from headway.simulation import Trains, run_continuous, run_held, run_timetable

Array = NDArray[np.float64]
_FEWEST, _MOST = 20_000, 200_000  # requests simulated
_FIRST = 4  # of the run, one part in so many is not counted: trains start empty
_MEMORIES = 40  # ride times that a run lasts, so that it forgets how it began
_CROWDED = 1.1  # times the wait of trains that always find a replica, from which the replicas are what they wait for
_RATES = 9  # rates at which holding is compared
_FINE = 160  # and at which its limits are looked for


@dataclass(frozen=True)
class Way:
    """One way to let trains depart.

    Attributes
    ----------
    name : str
        ``timetable``, ``held`` or ``continuous``.
    wait, token, request : float
        From arrival until a request boards, its next pass has arrived, its last one has: means; infinite when saturated. [s]
    simulated, p99 : float
        Mean wait of requests run one by one, and the wait that one in a hundred exceeds; NaN when saturated. [s]
    riders : float
        On a train with riders (a timetable's: on every train), on average. [requests]
    busy : float
        Replicas at work, on average. [replicas]
    dollars_per_mtok : float or None
        Chips paid while they are at work, per output token. [$/Mtok]
    run : Trains
        The trains themselves: of one replica, held ones of all together.
    crowded : bool
        Held trains wait for a replica: wait, riders and cost are the simulated ones.
    """

    name: str
    wait: float
    token: float
    request: float
    simulated: float
    p99: float
    riders: float
    busy: float
    dollars_per_mtok: float | None
    run: Trains
    crowded: bool = False


@dataclass(frozen=True)
class Compared:
    """Holding against continuous batching at one rate.

    Attributes
    ----------
    rate : float
        [requests/s]
    continuous_busy, held_busy : float
        Replicas at work. [replicas]
    continuous_dollars, held_dollars : float or None
        [$/Mtok]
    wait, fill : float
        Mean wait and riders of held trains; NaN where they keep all replicas at work and fill while they wait for one. [s, requests]
    saves : float
        1 - held / continuous. [share]
    """

    rate: float
    continuous_busy: float
    held_busy: float
    continuous_dollars: float | None
    held_dollars: float | None
    wait: float
    fill: float
    saves: float


@dataclass(frozen=True, repr=False)
class Timetables(Shown):
    """Trains for a model on a machine at a rate.

    Attributes
    ----------
    plan : Plan
        Layout, batch, step, prices.
    rate, carries : float
        Arrivals; what full trains carry. [requests/s]
    passes : int
        That a request rides: its output tokens. [passes]
    hold, headway : float
        Longest wait of a held train; T of the timetable. [s]
    step, full : float
        A full decode pass, and with its share of the prompts. [s]
    seconds : array
        Of a pass with 1, 2, .. riders, its share of their prompts included. [s]
    ways : tuple of Way
        Timetable, held, continuous.
    alone : float or None
        Every request in a pass of its own, at once. [$/Mtok]
    compared : tuple of Compared
        Holding against continuous batching over rates.
    useful : (float, float) or None
        Rates between which holding saves at least `slack` against continuous batching. [requests/s]
    enough : float
        Shortest hold that saves as much at this rate; infinite where none does. [s]
    slack : float
        What counts as a saving. [share]
    """

    RECORD = "headway.records.trains:trains_record"
    TEXT = "headway.report.trains:trains_text"

    plan: Plan
    rate: float
    carries: float
    passes: int
    hold: float
    headway: float
    step: float
    full: float
    seconds: Array
    ways: tuple[Way, ...]
    alone: float | None
    compared: tuple[Compared, ...]
    useful: tuple[float, float] | None
    enough: float
    slack: float

    @property
    def seats(self) -> int:
        """Seats of a train. [requests]"""
        return len(self.seconds)

    @property
    def saturated(self) -> bool:
        """Whether more arrive than full trains carry."""
        return self.rate >= self.carries

    @property
    def saves(self) -> float:
        """What holding saves against continuous batching at this rate; negative where it costs more. [share]"""
        _, holding, going = self.ways
        return 1 - holding.busy / going.busy

    def brief(self) -> str:
        """Return the headline in one line."""
        p = self.plan
        said = "; ".join(f"{w.name} waits {units.seconds(w.wait)}" for w in self.ways)
        return f"{p.model.name} on {p.system.name}, {self.seats} seats at {units.rate(self.rate)}/s: {said}"


def trains(request: Request, hold: float | None = None, headway: float | None = None) -> Timetables:
    """Let trains depart for a model, a machine and a rate of requests (lecture 1.4, SYS-A7, SYS-I2).

    Parameters
    ----------
    request : Request
        As of a plan, with ``arrivals``; its batch is the number of seats.
    hold : float or None
        Longest wait of a train for more riders; default: the catalogue's ``train_hold``. [s]
    headway : float or None
        Time between departures of the timetable; default: a full pass. [s]

    Raises
    ------
    InputError
        Unknown names, no rate, a layout with pipeline stages.
    PhysicsError
        When the model does not fit, or a full pass takes longer than the headway.
    """
    if request.arrivals is None:
        raise InputError("trains need a rate of requests: give --rate (arrivals), like --rate 20/s")
    if hold is not None and not (math.isfinite(hold) and hold >= 0):
        raise InputError(f"--hold: {hold:g} must be 0 s or more, like 200ms")
    plan = make_plan(replace(request, arrivals=None))
    if plan.layout.pp > 1:
        raise InputError(f"--layout {plan.layout}: trains are looked at inside one stage; leave out pp")
    passes, step, seconds = _passes(plan)
    full = float(seconds[-1])
    every = full if headway is None else headway
    if every < full * (1 - 1e-9):
        raise PhysicsError(
            f"--headway {units.seconds(every)}: a full pass of {units.some(len(seconds), 'request')} takes {units.seconds(full)}; "
            "a longer headway, a smaller --batch or more chips would do"
        )
    at = _Line(
        plan, request.arrivals, passes, default("train_hold") if hold is None else hold, seconds, float(plan.replicas)
    )
    slack = default("cost_slack")
    most = at.carries(full)
    return Timetables(
        plan, at.rate, most, passes, at.hold, every, step, full, seconds, _ways(at, every), at.dollars(at.alone),
        tuple(at.compare(r) for r in _rates(at.rate, most)), at.useful(most, slack), at.enough(slack), slack,
    )  # fmt: skip


def _passes(plan: Plan) -> tuple[int, float, Array]:
    """Passes of a request, a full decode pass, and passes of 1, 2, .. riders with their share of the prompts.

    A prompt takes what `plan` counts for it: at the rate that the chips carry, passes and prompts take all the time.
    """
    seats, passes = max(math.floor(plan.point.batch), 1), max(round(plan.output / plan.scene.made), 1)
    k = np.arange(1, seats + 1)
    steps = np.asarray(plan.scene.seconds(k.astype(float), plan.context), dtype=float)
    step = float(steps[-1])
    prompt = max(plan.replicas / plan.capacity - passes * step / seats, 0.0)
    return passes, step, steps + k * prompt / passes


@dataclass(frozen=True)
class _Line:
    """The line that trains run on: replicas, passes, and riders at a rate."""

    plan: Plan
    rate: float
    passes: int
    hold: float
    seconds: Array
    replicas: float

    @property
    def alone(self) -> float:
        """Replicas at work when every request rides alone."""
        return self.rate * self.passes * float(self.seconds[0])

    def carries(self, every: float) -> float:
        """Requests per second that full trains carry, one leaving each replica every so many seconds."""
        return self.replicas * len(self.seconds) / (self.passes * every)

    def dollars(self, busy: float, rate: float | None = None) -> float | None:
        """Replicas at work -> $/Mtok of output; every chip that is paid counts."""
        p = self.plan
        if p.system.price is None:
            return None
        tokens = (self.rate if rate is None else rate) * p.output
        return float(per_million(cost_per_token(busy / self.replicas, tokens, p.system.chips, p.system.price)))

    def held(self, rate: float, hold: float) -> tuple[Held, float]:
        """Held trains, and the replicas that they would keep at work."""
        chances = fills(rate, hold, len(self.seconds))
        return held(rate, hold, len(self.seconds)), rate * self.passes * held_share(self.seconds, chances)

    def going(self, rate: float) -> float:
        """Replicas that continuous batching keeps at work."""
        return self.replicas * continuous(self.seconds, rate / self.replicas, self.passes).busy

    def compare(self, rate: float) -> Compared:
        """Held trains can take all replicas, no more: then they fill while they wait for one."""
        found, busy = self.held(rate, self.hold)
        going, taken = self.going(rate), min(busy, self.replicas)
        wait, fill = (float(found.wait), float(found.fill)) if busy < self.replicas else (math.nan, math.nan)
        costs = self.dollars(going, rate), self.dollars(taken, rate)
        return Compared(rate, going, taken, *costs, wait, fill, 1 - taken / going)

    def useful(self, most: float, slack: float) -> tuple[float, float] | None:
        """Rates between which holding saves at least that share."""
        rates = np.geomspace(most / 1e5, most * (1 - 1e-6), _FINE)
        good = [float(r) for r in rates if self.compare(float(r)).saves >= slack]
        return (good[0], good[-1]) if good else None

    def enough(self, slack: float) -> float:
        """Shortest hold that saves that share at this rate."""
        going = self.going(self.rate) * (1 - slack)
        low, high = 1e-3 / self.rate, 2 * (len(self.seconds) + 10 * math.sqrt(len(self.seconds))) / self.rate
        if self.held(self.rate, high)[1] > going:
            return math.inf
        while high / low > 1.001:
            middle = math.sqrt(low * high)
            low, high = (low, middle) if self.held(self.rate, middle)[1] <= going else (middle, high)
        return high


def _rates(rate: float, most: float) -> list[float]:
    """Rates over three decades below saturation, and the one asked for."""
    found = [float(f"{r:.2g}") for r in np.geomspace(most / 1e3, most * 0.98, _RATES)]
    return sorted({*found, rate}) if rate < most else found


def _ways(at: _Line, headway: float) -> tuple[Way, ...]:
    """All three, in closed form and run one by one."""
    c, own, most = len(at.seconds), at.rate / at.replicas, at.carries(float(at.seconds[-1]))
    when = _arrivals(own, own * at.passes * headway)
    together = _arrivals(at.rate, at.rate * at.passes * headway) if at.replicas > 1 else when
    fixed, going = timetable(headway, c, own, at.passes), continuous(at.seconds, own, at.passes)
    rode = run_timetable(when, headway, c, at.passes)
    went = run_continuous(when, at.seconds, at.passes)
    return (
        Way("timetable", fixed.wait, fixed.token, fixed.request, *_seen(rode, fixed.saturated), fixed.riders, at.replicas,
            at.dollars(at.replicas, min(at.rate, at.carries(headway))), rode),
        _held_way(at, together),
        Way("continuous", going.wait, going.token, going.request, *_seen(went, going.saturated), going.riders,
            going.busy * at.replicas, at.dollars(going.busy * at.replicas, min(at.rate, most)), went),
    )  # fmt: skip


def _held_way(at: _Line, when: Array) -> Way:
    """Held trains: the closed form while they find a replica, else as they ran."""
    rides = at.seconds * at.passes
    ran = run_held(when, rides, at.hold, int(at.replicas))
    found, busy = at.held(at.rate, at.hold)
    full = at.rate >= at.carries(float(at.seconds[-1]))
    simulated, p99 = _seen(ran, full)
    if full:
        cost = at.dollars(at.replicas, at.carries(float(at.seconds[-1])))
        return Way(
            "held", math.inf, math.inf, math.inf, simulated, p99, float(len(rides)), at.replicas, cost, ran, True
        )
    if simulated > _CROWDED * float(found.wait) or busy > at.replicas:
        late = slice(len(ran.departs) // _FIRST, None)
        riders = float(ran.riders[late].mean())
        ride = float((ran.ends - ran.boards)[len(when) // _FIRST :].mean())
        busy = min(at.rate / riders * float(ran.seconds[late].mean()), at.replicas)
        wait = simulated
    else:
        chances = fills(at.rate, at.hold, len(rides))
        riders, wait = float(found.fill), float(found.wait)
        ride = float((chances * np.arange(1, len(rides) + 1)) @ rides) / riders
    crowded = wait == simulated
    token, request, cost = wait + ride / at.passes, wait + ride, at.dollars(busy)
    return Way("held", wait, token, request, simulated, p99, riders, busy, cost, ran, crowded)


def _arrivals(rate: float, riding: float) -> Array:
    """Poisson arrivals, the same each time: enough of them to forget how the run began."""
    count = int(min(max(_FEWEST, _MEMORIES * riding), _MOST))
    return np.cumsum(np.random.default_rng(0).exponential(1 / rate, count))


def _seen(ran: Trains, saturated: bool) -> tuple[float, float]:
    """Mean wait and its 99th percentile, after the start."""
    if saturated:
        return math.nan, math.nan
    waits = ran.waits[len(ran.waits) // _FIRST :]
    return float(waits.mean()), float(np.percentile(waits, 99))
