"""A deployment under test: traffic of any seed and length at any rate, and what its steady part saw."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

import numpy as np

from headway.errors import InputError
from headway.plan.operations import Words, operation
from headway.plan.operations import router as router_of
from headway.plan.simulated import asked_for, placed
from headway.questions import Request
from headway.simulation import Requests
from headway.simulation.deployment import Deployment
from headway.simulation.repeats import alike
from headway.simulation.run import Log
from headway.simulation.steady import Steady, everyone, one_by_one, steady
from headway.simulation.tiers import dealt
from headway.simulation.traffic import ClosedLoop, Independent, Observed, Sizes, trace_names
from headway.simulation.traffic.lengths import around
from headway.simulation.traffic.specs import Spec, closed, is_spec

_FEW = 100  # requests, of whose share within limits little can be said
_PLAYED = 16  # replicas of many that are alike: requests dealt to more of them come hardly more evenly
_USERS = 4  # of each replica, from which users are dealt evenly enough to play a part of them
ROUNDS, THINKING = 8, 24  # of a closed loop; of one with pauses, whose luckiest user is done long before the others


@dataclass(frozen=True)
class Window:
    """What of some traffic is played.

    Attributes
    ----------
    count, duration, start : str or None
        As people write them: of `headway.simulation.traffic.Options`.
    """

    count: str | None = None
    duration: str | None = None
    start: str | None = None


@dataclass
class Bench:
    """A deployment and the traffic that tests it.

    Attributes
    ----------
    request : Request
    traffic : str
        As of `headway.simulation.traffic.traffic`; its rate is nothing but a unit.
    window : Window
    deployment : Deployment
    replicas : int
        [replicas]
    words : Words
        How replicas are run.
    alone : Steady
        What requests see each of which has the machine to itself.
    runs : int
        Simulations so far. [1]
    """

    request: Request
    traffic: str
    window: Window
    deployment: Deployment
    replicas: int
    words: Words
    alone: Steady
    runs: int = 1
    drawn: dict[tuple[int, int], Requests] = field(default_factory=dict[tuple[int, int], Requests])

    def draw(self, seed: int, count: int = 0) -> Requests:
        """Return the traffic of a seed at its own rate.

        Parameters
        ----------
        seed : int
            [1]
        count : int
            Requests; 0 for what the window says. [requests]
        """
        if (seed, count) not in self.drawn:
            options = options_of(self.window) | ({"count": str(count)} if count else {})
            self.drawn[seed, count] = asked_for(self.request, self.traffic, seed=seed, **options)[1]
        return self.drawn[seed, count]

    @property
    def grows(self) -> bool:
        """Whether a longer run can be drawn: nobody said how much of it to play."""
        spec = is_spec(self.traffic) and self.traffic not in trace_names()
        said = self.window.count or self.window.duration
        return spec and not said and not any(Spec(self.traffic).given(k) for k in ("count", "duration"))

    @property
    def loops(self) -> bool:
        """Whether the traffic is a number of users, each of whom waits for an answer."""
        return is_spec(self.traffic) and Spec(self.traffic).kind == "closed"

    def repeats(self, seed: int) -> bool:
        """Return whether another seed is other traffic: a trace is what it is.

        Parameters
        ----------
        seed : int
            Of the first. [1]
        """
        return not alike(self.draw(seed), self.draw(seed + 1))

    @property
    def times(self) -> float:
        """Replicas for each that is played: all are alike, and each has its part of requests that know nothing of each other. [1]"""
        d, spec = self.deployment, is_spec(self.traffic) and Spec(self.traffic).kind not in ("sessions", "agents")
        plain = Spec(self.words.router).kind in ("round-robin", "least-loaded") and not self.words.autoscale
        if not (spec and plain and d.prompts is None and self.replicas > _PLAYED):
            return 1.0
        return self.replicas / _PLAYED

    def run(self, requests: Requests, loop: int = 0, times: float = 1.0) -> Steady:
        """Return what the steady part of a run saw.

        Parameters
        ----------
        requests : Requests
        loop : int
            Users of a closed loop. [users]
        times : float
            Replicas for each that is played; the requests are those of the played ones. [1]
        """
        self.runs += 1
        return steady(self._log(requests, round(self.replicas / times)), loop).for_all(times)

    def _log(self, requests: Requests, replicas: int) -> Log:
        come = dealt(requests, self.deployment.operation.tiers)
        return self.deployment.run(come, replicas=replicas, router=router_of(self.words.router, come.tier.tolist()))

    def _part(self, users: int) -> tuple[int, float]:
        """Users of the replicas that are played, and for how many replicas each of those stands."""
        times = self.times if users >= _USERS * self.replicas else 1.0
        return max(round(users / times), 1), times

    def at_rate(self, rate: float, seed: int, count: int = 0) -> Steady:
        """Return what requests see that come at a mean rate.

        Parameters
        ----------
        rate : float
            [requests/s]
        seed, count : int
            As of `draw`. [1]
        """
        base = self.draw(seed, count)
        return self.run(base.scaled(rate / self.times / own_rate(base)), times=self.times)

    def users(self, users: int, seed: int, slowest: float) -> Steady:
        """Return what so many users see who behave as the traffic's closed loop says.

        Parameters
        ----------
        users : int
            [users]
        seed : int
            [1]
        slowest : float
            Longest time per token that is good enough: sets how users come (see `_ramp`). [s]
        """
        _, _, keys = self.traffic.partition(":")[2].partition(",")
        options, think = options_of(self.window), closed(Spec(self.traffic)).think
        users, times = self._part(users)
        if not options.get("count"):
            options["count"] = str(users * (THINKING if think > 0 else ROUNDS))
        ramp = "" if "ramp" in keys else f",ramp={self._ramp(slowest) + think:g}s"
        text = f"closed:{users}{',' + keys if keys else ''}{ramp}"
        if "rounds" in keys:
            options.pop("count")
        return self.run(asked_for(self.request, text, seed=seed, **options)[1], users, times)

    def readers(self, users: int, seed: int, slowest: float) -> Steady:
        """Return what so many users see who ask again at once, with the traffic's own pairs of lengths.

        Parameters
        ----------
        users : int
            [users]
        seed : int
            [1]
        slowest : float
            Longest time per token that is good enough. [s]

        Notes
        -----
        Users whose requests are all alike stay together in waves as no engine keeps them (docs/decisions.md): lengths that do not
        differ are spread as benchmarks spread them.
        """
        base, s = self.draw(seed), self.deployment.setting
        sizes: Sizes = Observed(base.prompt, base.output)
        if np.ptp(base.prompt) == 0 and np.ptp(base.output) == 0:
            sizes = Independent(
                around(int(base.prompt[0]), s.length_spread), around(int(base.output[0]), s.length_spread)
            )
        users, times = self._part(users)
        loop = ClosedLoop(users, ROUNDS, ramp=self._ramp(slowest))
        return self.run(loop.draw(sizes, np.random.default_rng(seed)), users, times)

    def _ramp(self, slowest: float) -> float:
        """Time over which users come, one after another: that of a request which is as slow as it may be, else of one alone. [s]"""
        a = self.alone
        took = (a.ttft + (slowest if np.isfinite(slowest) else a.tpot) * np.maximum(a.output - 1, 0))[
            np.isfinite(a.ttft)
        ]
        return float(np.mean(took)) if len(took) else 0.0


def options_of(window: Window) -> dict[str, str | None]:
    """Return a window as options of traffic."""
    return {"count": window.count, "duration": window.duration, "start": window.start}


def own_rate(requests: Requests) -> float:
    """Return the mean rate of all requests over the time in which those come that wait for nobody. [requests/s]

    Raises
    ------
    InputError
        When there are too few for a rate.
    """
    free = requests.arrival if not requests.closed else requests.arrival[requests.after < 0]
    span = float(free[-1] - free[0]) if len(free) else 0.0
    if span <= 0:
        raise InputError(f"traffic {requests.name!r}: fewer than two requests come by themselves, so it has no rate")
    return len(requests) / span * (1 - 1 / len(free))


def bench(request: Request, traffic: str, window: Window, words: Words, seed: int) -> Bench:
    """Set up a deployment for tests, and see what a request alone sees.

    Parameters
    ----------
    request : Request
    traffic : str
    window : Window
    words : Words
        How replicas are run.
    seed : int
        Of the first traffic. [1]

    Raises
    ------
    InputError
        Unknown names, or what the simulator does not run.
    PhysicsError
        When the weights do not fit.
    """
    if request.rounds is None:  # the mean field beside it is in its steady state, too
        request = dataclasses.replace(request, rounds=math.inf)
    asked, base = asked_for(request, traffic, seed=seed, **options_of(window))
    if len(base) < _FEW and not (is_spec(traffic) and Spec(traffic).kind == "closed"):
        raise InputError(
            f"{len(base):,} requests are too few to say what share of them meets limits; at least {_FEW} are needed"
        )
    place, first = placed(asked), one_by_one(base)
    found = place.run(
        first, operation(words, place.setting, place.layout, first, seed), prefill=words.prefill, seed=seed
    )
    made = Bench(request, traffic, window, found.deployment, found.replicas, words, everyone(found.log))
    made.drawn[seed, 0] = base
    return made
