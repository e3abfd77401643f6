"""What a search finds: options with their intervals, the best, the frontier, and why the others lost."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway import units
from headway.parallel import Deployment, Layout, Pool
from headway.questions import Query
from headway.roofline import Spread
from headway.search.fleet import Fleet
from headway.search.points import Points
from headway.search.space import Space
from headway.search.split import AnswerPool, PromptPool
from headway.serving import Account, Setting
from headway.shown import Shown

Array = NDArray[np.float64]

Four = tuple[Spread, Spread, Spread, Spread]


@dataclass(frozen=True)
class Spreads:
    """80 % intervals of a place: inside the range of the evidence, and beyond it; the same of split pools.

    Attributes
    ----------
    tpot, ttft : (Spread, Spread, Spread, Spread)
    outside : tuple of str
        What of the workload or the chip the engine's evidence does not cover.
    """

    tpot: Four
    ttft: Four
    outside: tuple[str, ...]

    @classmethod
    def of(cls, where: Setting) -> Spreads:
        """Return the spreads of an engine on a chip for a workload; zero for the ideal machine."""
        outside, none = where.outside(), Spread(0.0, 0.0)

        def four(what: str) -> Four:
            kinds = ((), ("batch",), ("disaggregated",), ("disaggregated", "batch"))
            a, b, c, d = (where.spread(what, (*outside, *more)) or none for more in kinds)
            return a, b, c, d

        return cls(four("tpot"), four("ttft"), outside)

    def limits(self, query: Query, wide: bool) -> tuple[float | None, float | None]:
        """Return what estimates of (TTFT, TPOT) must stay below for a query's limits to be met, surely if it asks so. [s]

        Parameters
        ----------
        query : Query
        wide : bool
            Take the widest of the intervals, beyond the evidence and of split pools, too; else the one inside.
        """
        found: list[float | None] = []
        for limit, pair in ((query.ttft, self.ttft), (query.tpot, self.tpot)):
            high = max(s.high for s in pair) if wide else pair[0].high
            found.append(limit / math.exp(high) if limit is not None and query.sure else limit)
        return found[0], found[1]


@dataclass(frozen=True)
class Interval:
    """Low, middle and high of an estimate; 80 % of measurements lie between low and high."""

    low: Array
    value: Array
    high: Array


def intervals(points: Points, spreads: Spreads, output: float) -> dict[str, Interval]:
    """Return the intervals of TTFT, TPOT, whole request, and dollars per million output tokens.

    Parameters
    ----------
    points : Points
    spreads : Spreads
    output : float
        Of each request. [tokens]

    Notes
    -----
    Low ends are held at the ideal machine's. A request's ends add up those of its parts; cost follows the request.
    """

    which = np.where(points.within, 0, 1) + np.where(points.prompt_layout >= 0, 2, 0)

    def ends(value: Array, four: Four, floor: Array) -> Interval:
        low, high = np.array([s.low for s in four])[which], np.array([s.high for s in four])[which]
        return Interval(np.maximum(value * np.exp(low), np.minimum(floor, value)), value, value * np.exp(high))

    tpot, ttft = ends(points.tpot, spreads.tpot, points.tpot_floor), ends(points.ttft, spreads.ttft, points.ttft_floor)
    whole = Interval(ttft.low + (output - 1) * tpot.low, points.request, ttft.high + (output - 1) * tpot.high)
    cost = points.per_mtok
    dollars = Interval(cost * whole.low / whole.value, cost, cost * whole.high / whole.value)
    return {"tpot": tpot, "ttft": ttft, "request": whole, "per_mtok": dollars}


@dataclass(frozen=True)
class Searched:
    """Everything looked at on one system (or a pair of systems).

    Attributes
    ----------
    where, prompts : Setting
        Of the pool that decodes and of the one that computes prompts.
    space, prompt_space : Space
    points : Points
    ends : dict of Interval
    ok : array of bool
        Points that meet the limits.
    pools : (PromptPool, AnswerPool) or None
    spreads : Spreads
    """

    where: Setting
    prompts: Setting
    space: Space
    prompt_space: Space
    points: Points
    ends: dict[str, Interval]
    ok: NDArray[np.bool_]
    pools: tuple[PromptPool, AnswerPool] | None
    spreads: Spreads

    @property
    def priced(self) -> bool:
        """Whether every chip of the points has a price."""
        return self.where.system.price is not None and self.prompts.system.price is not None

    @property
    def system(self) -> str:
        """Name of the system, or of both."""
        if self.prompts.system.name == self.where.system.name:
            return self.where.system.name
        return f"{self.prompts.system.name} + {self.where.system.name}"

    def layout(self, i: int) -> Layout:
        """Return the layout that decodes at a point.

        Parameters
        ----------
        i : int
            Row of the points. [1]
        """
        return self.space.layouts[int(self.points.layout[i])]

    def deployment(self, i: int, fleet: Fleet | None = None) -> Deployment:
        """Return the pools of a point, or of the fleet built of it.

        Parameters
        ----------
        i : int
            Row of the points. [1]
        fleet : Fleet or None
            Built of that point.
        """
        p = self.points
        count = fleet.replicas if fleet else p.replicas[i]
        decode = Pool(self.layout(i), int(count))
        if p.prompt_layout[i] < 0:
            return Deployment(decode)
        more = fleet.prompt_replicas if fleet else p.prompt_replicas[i]
        return Deployment(decode, Pool(self.prompt_space.layouts[int(p.prompt_layout[i])], int(more)))


@dataclass(frozen=True)
class Option:
    """One point with everything that a reader asks of it: low, middle and high of estimates. Times in seconds.

    Attributes
    ----------
    reason : str
        Why it lost, of a runner-up.
    built : Fleet or None
        The fleet built of it for a request rate; the deployment is then the fleet's.
    """

    system: str
    deployment: Deployment
    batch: float
    chips: float
    idle: float
    ttft: tuple[float, float, float]
    tpot: tuple[float, float, float]
    request: tuple[float, float, float]
    per_user: float
    per_chip: float
    per_mtok: tuple[float, float, float] | None
    rate: float
    tpot_floor: float
    account: Account
    within: bool
    found: Searched = field(repr=False, compare=False)
    index: int = field(repr=False, compare=False)
    reason: str = ""
    built: Fleet | None = None

    @property
    def layout(self) -> Layout:
        """The layout that decodes."""
        return self.deployment.decode.layout

    @property
    def fleet(self) -> Fleet:
        """The fleet built of it.

        Raises
        ------
        AttributeError
            When no request rate was asked for.
        """
        if self.built is None:
            raise AttributeError("no fleet was built of this option: ask for a rate")
        return self.built

    def record(self) -> dict[str, Any]:
        """Return the option as plain data."""

        def ends(name: str, value: tuple[float, float, float]) -> dict[str, float]:
            return {f"{name}_s": value[1], f"{name}_low_s": value[0], f"{name}_high_s": value[2]}

        d = self.deployment
        cost = self.per_mtok or (None, None, None)
        return {
            "system": self.system, "layout": str(d), "decode_layout": str(d.decode.layout),
            "prefill_layout": str(d.prefill.layout) if d.prefill else None, "replicas": d.decode.replicas,
            "prefill_replicas": d.prefill.replicas if d.prefill else None, "batch_per_replica": self.batch,
            "chips": self.chips, "idle_chips": self.idle, "tok_s_per_user": self.per_user, "tok_s_per_chip": self.per_chip,
            "output_tok_s": self.rate, "dollars_per_mtok": cost[1], "dollars_per_mtok_low": cost[0],
            "dollars_per_mtok_high": cost[2], **ends("ttft", self.ttft), **ends("tpot", self.tpot),
            **ends("request", self.request), "tpot_floor_s": self.tpot_floor, "inside_evidence": self.within,
            "memory_bytes_per_chip": self.memory, "memory_share": self.memory / self.account.capacity,
        }  # fmt: skip

    @property
    def memory(self) -> float:
        """Bytes in use on a chip of the decoding pool, the engine's reserve left out."""
        return self.account.used(self.batch)


def option(found: Searched, i: int) -> Option:
    """Return a point as an option.

    Parameters
    ----------
    found : Searched
    i : int
        Row of the points. [1]
    """
    p, ends = found.points, found.ends

    def three(name: str) -> tuple[float, float, float]:
        e = ends[name]
        return float(e.low[i]), float(e.value[i]), float(e.high[i])

    deployment = found.deployment(i)
    cost = three("per_mtok")
    return Option(
        system=found.system, deployment=deployment, batch=float(p.batch[i]), chips=float(p.chips[i]),
        idle=float(p.chips[i]) - deployment.chips, ttft=three("ttft"), tpot=three("tpot"), request=three("request"),
        per_user=float(p.per_user[i]), per_chip=float(p.per_chip[i]), per_mtok=cost if math.isfinite(cost[1]) else None,
        rate=float(p.rate[i]), tpot_floor=float(p.tpot_floor[i]), account=found.space.accounts[int(p.layout[i])],
        within=bool(p.within[i]), found=found, index=i,
    )  # fmt: skip


@dataclass(frozen=True, repr=False)
class SearchAnswer(Shown):
    """What a search answers.

    Attributes
    ----------
    query : Query
    best : Option
    frontier : tuple of Option
        No other point has more tokens per second for a user and per chip.
    by_cost : tuple of Option
        The same against dollars per million tokens; empty without prices.
    layouts : tuple of (Searched, list of int)
        For each system the best point of every layout, with and without a pool for prompts, that meets the limits:
        row of the points. [1]
    losers : tuple of Option
        With the reason why each lost.
    fleets : tuple of Option
        For the request rate asked for, best first: one per system.
    systems : tuple of Option
        The best of each system, best first.
    evaluated : dict
        How many layouts, points and pairs were looked at.
    warnings : list of str
    """

    RECORD = "headway.records.searches:search_record"
    TEXT = "headway.report.searches:search_text"

    query: Query
    best: Option
    frontier: tuple[Option, ...]
    by_cost: tuple[Option, ...]
    layouts: tuple[tuple[Searched, list[int]], ...]
    losers: tuple[Option, ...]
    fleets: tuple[Option, ...]
    systems: tuple[Option, ...]
    evaluated: dict[str, int]
    warnings: list[str] = field(default_factory=list[str])

    def brief(self) -> str:
        """Return the headline in one line."""
        b = self.best
        cost = "" if b.per_mtok is None else f", ${b.per_mtok[1]:,.2f}/Mtok"
        return (
            f"{b.found.where.model.name} on {b.system} as {b.deployment}, batch {b.batch:,.0f}: TPOT {units.seconds(b.tpot[1])}, TTFT "
            f"{units.seconds(b.ttft[1])}{cost}; {units.some(sum(len(i) for _, i in self.layouts), 'layout')} within the limits"
        )
