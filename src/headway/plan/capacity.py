"""How much traffic a deployment carries within limits: the largest rate, or number of users, by simulations and bisection."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from headway.plan.benches import Bench, Window, bench
from headway.plan.capacity_search import Search, Tell, seen_at
from headway.plan.operations import AS_IT_IS, Words
from headway.plan.slo import Most, Readers, Slo, read_slo
from headway.questions import Request
from headway.roofline import Spread
from headway.serving import Setting
from headway.shown import Shown
from headway.simulation.deployment import Deployment
from headway.simulation.repeats import Over, counted_seeds, over
from headway.simulation.steady import Steady

SPEEDS = (30.0, 100.0, 300.0)  # tokens per second at which users read
_SEEDS = 5
_SHARES = (0.2, 0.4, 0.6, 0.75, 0.85, 0.92, 0.96, 1.0, 1.04, 1.08, 1.15)  # of the capacity, for the curve


@dataclass(frozen=True, repr=False)
class Capacity(Shown):
    """What a deployment carries within limits.

    Attributes
    ----------
    bench : Bench
    slo : Slo
    most : Most
        Requests per second; of a closed loop, users.
    count : int
        Requests of a run; 0: what the traffic has. [requests]
    settled : bool
        Whether a run of twice the length says the same.
    at : tuple of Steady
        Of each seed, at the capacity; empty where it is 0.
    readers : tuple of Readers
    estimate : float
        Requests per second at which the mean field's mean times meet the limits; NaN where it knows none. [requests/s]
    carries : float
        Requests per second of the mean field with every seat taken; NaN where it knows none. [requests/s]
    seeds : tuple of int
        Of the runs. [1]
    """

    RECORD = "headway.records.capacities:capacity_record"
    TEXT = "headway.report.capacities:capacity_text"

    bench: Bench
    slo: Slo
    most: Most
    count: int
    settled: bool
    at: tuple[Steady, ...]
    readers: tuple[Readers, ...]
    estimate: float
    carries: float
    seeds: tuple[int, ...]

    @property
    def deployment(self) -> Deployment:
        """One replica."""
        return self.bench.deployment

    @property
    def setting(self) -> Setting:
        """Everything that the request resolves to."""
        return self.deployment.setting

    @property
    def rate(self) -> Over:
        """Requests that come per second at the capacity. [requests/s]"""
        return over([s.came_rate for s in self.at]) if self.bench.loops else self.most.value

    @property
    def output_rate(self) -> float:
        """Output tokens at the capacity. [tokens/s]"""
        made = [float(s.output.mean()) * s.came_rate for s in self.at if s.seconds > 0]
        return math.fsum(made) / len(made) if made else 0.0

    @property
    def dollars_per_mtok(self) -> float | None:
        """The whole rent over the output tokens at the capacity; None without a price, or where it is 0. [$/Mtok]"""
        system, made = self.setting.system, self.output_rate
        return None if system.price is None or not made > 0 else system.chips * system.price / made * 1e6

    @property
    def spread(self) -> Spread | None:
        """How far the times of such a loop lie from measured ones, as of `plan`; None for the ideal machine."""
        s, flying = self.setting, over([x.flying for x in self.at]).value
        return s.spread("tpot", s.outside(flying if self.at else None, float(self.deployment.layout.chips)))

    @functools.cached_property
    def curve(self) -> list[tuple[float, tuple[Steady, ...]]]:
        """Rates (users) below and above the capacity, with what each seed saw there. [requests/s or users]"""
        value = self.most.value.value
        around = value if value > 0 else self.estimate if self.estimate > 0 else 1.0
        wanted = sorted({max(round(s * around), 1.0) if self.bench.loops else s * around for s in _SHARES})
        return [(x, tuple(seen_at(self.bench, self.slo, x, seed, self.count) for seed in self.seeds)) for x in wanted]

    def brief(self) -> str:
        """Return the headline in one line."""
        d, v = self.deployment, self.most.value.value
        what = f"{v:,.0f} users" if self.bench.loops else f"{v:.3g} requests/s"
        return f"{d.setting.model.name} on {d.setting.system.name} as {d.layout}: {what} ({self.most.binds} binds)"


def find_capacity(
    request: Request,
    traffic: str = "poisson:1/s",
    *,
    ttft: float | str | None = None,
    tpot: float | str | None = None,
    within: float | None = None,
    seeds: int = _SEEDS,
    seed: int = 0,
    window: Window | None = None,
    words: Words = AS_IT_IS,
    speeds: Sequence[float] = SPEEDS,
    tell: Tell | None = None,
) -> Capacity:
    """Return the largest rate of some traffic, or number of users of a closed loop, of which enough requests meet limits.

    Parameters
    ----------
    request : Request
        As of `simulate`.
    traffic : str
        As of `headway.simulation.traffic.traffic`; its own rate says nothing.
    ttft, tpot : float, str or None
        Longest time to the first token, and per token after it. [s]
    within : float or None
        Share of requests that must meet both; default: the catalogue's (``slo_attainment``). [share]
    seeds, seed : int
        Repeats, and the seed of the first. [1]
    window : Window or None
        Of the traffic; default: as much as the answer needs, all of a trace.
    words : Words
        How replicas are run.
    speeds : sequence of float
        At which users read, whose number is looked for. [tokens/s]
    tell : callable or None
        Told how far it is: what is done, how much of it, of how much.

    Raises
    ------
    InputError
        Without a limit, for unknown names, or what the simulator does not run.
    """
    slo = read_slo(ttft, tpot, within)
    b = bench(request, traffic, window or Window(), words, seed)
    many = tuple(range(seed, seed + (counted_seeds(seeds) if b.repeats(seed) else 1)))
    return _found(Search(b, slo, many, tell or (lambda what, done, of: None)), speeds)


def _found(search: Search, speeds: Sequence[float]) -> Capacity:
    """The capacity that a search finds, with what is seen there and who can read how fast."""
    most, count, settled = search.answer()
    b, slo = search.bench, search.slo
    at = tuple(seen_at(b, slo, x, n, count) for x, n in zip(most.found, search.seeds, strict=True) if x > 0)
    readers = tuple(search.read(v) for v in speeds)
    means = search.estimate, search.carries
    if b.deployment.prompts is not None or b.deployment.operation.policy is not None:  # no loop of the mean field
        means, readers = (math.nan, math.nan), tuple(r._replace(estimate=math.nan) for r in readers)
    return Capacity(b, slo, most, count, settled, at, readers, *means, search.seeds)
