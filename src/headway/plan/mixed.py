"""A tier's fleet with batch work in the seats that its traffic leaves free: how much, what it costs, what promises survive."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from headway.errors import InputError, PhysicsError
from headway.plan.simulated import asked_for
from headway.plan.tiers import Designed, TierSheet
from headway.questions import Request
from headway.simulation.deployment import Operation, deployment
from headway.simulation.prefixes import Prefix
from headway.simulation.requests import Floats, Requests
from headway.simulation.results import Simulated
from headway.simulation.routers import LeastLoaded
from headway.simulation.tiers import Tier
from headway.simulation.traffic import trace_names
from headway.simulation.traffic.lengths import around
from headway.simulation.traffic.specs import is_spec

SURE = 0.95
STEPS = 7  # of the search for the seats that batch work may take
_LOST = 0.1  # of the output offered, that the end of a run cuts off
_PATIENCE = 2.0  # by which first tokens may come later than on a fleet without batch work, where nobody says


@dataclass(frozen=True, slots=True)
class Played:
    """A run of the traffic with some seats for batch work.

    Attributes
    ----------
    seats : float
        Of a replica's seats that batch work may take. [share]
    tpot, ttft : float
        p95 of the traffic. [s]
    traffic_rate, batch_rate : float
        Output of each. [tokens/s]
    """

    seats: float
    tpot: float
    ttft: float
    traffic_rate: float
    batch_rate: float


@dataclass(frozen=True)
class Mixed:
    """A fleet that serves a tier's traffic and fills the seats that are left with batch work.

    Attributes
    ----------
    tier : Designed
        Whose layout and batch the fleet has.
    traffic : str
    rate : float
        Of the traffic. [requests/s]
    promised_tpot, promised_ttft : float
        What p95 of the traffic must keep. [s]
    alone, filled : Played
        Without batch work, and with as much as keeps the promises.
    rent : float
        [$/s]
    """

    tier: Designed
    traffic: str
    rate: float
    promised_tpot: float
    promised_ttft: float
    alone: Played
    filled: Played
    rent: float

    @property
    def kept(self) -> bool:
        """Whether the traffic alone keeps the promises: without that there is nothing to fill."""
        return self.alone.tpot <= self.promised_tpot and self.alone.ttft <= self.promised_ttft

    @property
    def alone_cost(self) -> float:
        """Rent over the traffic's output without batch work. [$/Mtok]"""
        return 1e6 * self.rent / self.alone.traffic_rate

    @property
    def mixed_cost(self) -> float:
        """Rent over all output. [$/Mtok]"""
        return 1e6 * self.rent / (self.filled.traffic_rate + self.filled.batch_rate)

    @property
    def part(self) -> float:
        """Price of batch work over the traffic's at which both pay the same rent per token as the fleet without it would: the share
        of the seats' output that the traffic uses. [times]"""
        return self.mixed_cost / self.alone_cost

    def gains(self, price: float) -> float:
        """Return what a fleet earns more by batch work at some price. [$/s]

        Parameters
        ----------
        price : float
            Of batch output. [$/Mtok]
        """
        return price * self.filled.batch_rate / 1e6


def fill_seats(
    request: Request, sheet: TierSheet, traffic: str, *, tier: str = "standard", ttft: float | None = None, count: int = 3000,
    rate: str | None = None, seed: int = 1,
) -> Mixed:  # fmt: skip
    """Return how much batch work fits beside a tier's traffic, by simulation.

    Parameters
    ----------
    request : Request
        That the sheet was made of.
    sheet : TierSheet
    traffic : str
        Of the tier, as `headway simulate --traffic` takes it, with its own rate.
    tier : str
        Whose layout, batch and speed the fleet has.
    ttft : float or None
        p95 that first tokens must keep; None: twice that without batch work. [s]
    count : int
        Requests of the traffic. [requests]
    rate : str or None
        Instead of the traffic's own, like ``3/s``.
    seed : int
        [1]

    Raises
    ------
    InputError
        For a tier that is not on the sheet, or a closed loop, which has no rate of its own.
    PhysicsError
        When the traffic alone does not keep the tier's speed.

    Notes
    -----
    Batch work waits from the beginning, as much as the fleet could ever do. It boards when no request of the traffic waits, and may
    take a share of each replica's seats: the largest at which p95 of the traffic's TPOT is the tier's and p95 of its TTFT the
    promised one (bisection). The tier's batch is the most that runs on a replica.
    """
    chosen = next((t for t in sheet.tiers if t.name == tier), None)
    if chosen is None:
        raise InputError(f"tier {tier!r} is not on the sheet; it has {', '.join(t.name for t in sheet.tiers)}")
    flow = _flow(request, sheet, chosen, traffic, count, rate, seed)
    play = _Play(sheet, chosen, flow, seed)
    alone = play.run(0.0)
    limit = _PATIENCE * alone.ttft if ttft is None else ttft
    rent = sheet.setting.system.chips * (sheet.setting.system.price or 0.0)
    found = Mixed(chosen, flow.name or traffic, len(flow) / play.span, chosen.at.tpot, limit, alone, alone, rent)
    _keeps(found, traffic, float(flow.output.sum()) / play.span)
    return dataclasses.replace(found, filled=_most(play, chosen.at.tpot, limit) or alone)


def _flow(
    request: Request, sheet: TierSheet, tier: Designed, traffic: str, count: int, rate: str | None, seed: int
) -> Requests:
    """The traffic of a tier, of the sheet's lengths where it has none of its own."""
    drawn = is_spec(traffic) and traffic not in trace_names()
    own = (sheet.setting.prompt, sheet.setting.output) if drawn else (None, None)
    asked = dataclasses.replace(
        request,
        layout=str(tier.at.layout),
        tp=None,
        dp=None,
        ep=None,
        pp=None,
        context=None,
        prompt=own[0],
        output=own[1],
    )
    flow = asked_for(asked, traffic, seed=seed, count=str(count), rate=rate)[1]
    if flow.closed:
        raise InputError(
            f"--fill {traffic}: a closed loop takes every seat by itself; traffic with a rate of its own is needed"
        )
    return flow


def _keeps(m: Mixed, traffic: str, offered: float) -> None:
    """Refuse traffic that a fleet alone does not carry at its promises. `offered` in tokens/s."""
    if m.alone.traffic_rate < (1 - _LOST) * offered:
        raise PhysicsError(
            f"--fill {traffic}: {m.rate:.3g} requests/s are {offered:,.0f} tokens/s, of which {m.alone.traffic_rate:,.0f} are made: the "
            f"queue grows; a fleet of {m.tier.name} carries less traffic, at most {m.tier.at.output_rate:,.0f} tokens/s"
        )
    if not m.kept:
        raise PhysicsError(
            f"--fill {traffic}: {m.rate:.3g} requests/s alone see p95 of {1e3 * m.alone.tpot:.3g} ms per token and {m.alone.ttft:.3g} s "
            f"to the first, where {1e3 * m.promised_tpot:.3g} ms and {m.promised_ttft:.3g} s are promised: less traffic, or a slower tier"
        )


def _most(play: _Play, tpot: float, ttft: float) -> Played | None:
    """The run with the most seats for batch work that keeps the promises; None where not a single seat does."""
    best: Played | None = None
    low, high = 0.0, 1.0
    for step in range(STEPS):
        share = 1.0 if step == 0 else (low + high) / 2
        found = play.run(share)
        if found.tpot <= tpot and found.ttft <= ttft:
            best, low = found, share
            if share == 1.0:
                break
        else:
            high = share
    return best


class _Play:
    """Traffic on a tier's fleet, with a backlog of batch work."""

    def __init__(self, sheet: TierSheet, tier: Designed, flow: Requests, seed: int) -> None:
        self.setting, self.tier, self.flow = sheet.setting, tier, flow
        self.replicas = self.setting.replicas(tier.at.layout.chips)
        heads = flow.arrival[flow.after < 0] if len(flow.after) else flow.arrival
        self.span = max(float(heads.max(initial=0.0)), 1e-9)
        most = math.ceil(1.2 * tier.at.output_rate / self.setting.output * self.span) + self.replicas * math.ceil(
            tier.at.batch
        )
        rng = np.random.default_rng([seed, 7])
        lengths = [
            around(round(x), self.setting.length_spread).draw(most, rng)
            for x in (self.setting.prompt, self.setting.output)
        ]
        self.backlog = Requests(np.zeros(most), lengths[0], lengths[1])

    def run(self, seats: float) -> Played:
        """The traffic with so many of a replica's seats for batch work; 0 leaves it out."""
        batch = max(math.floor(self.tier.at.batch), 1)
        tiers = (Tier(self.tier.name, 0.5), Tier("batch work", 0.5, seats=max(seats, 1e-9)))
        operation = Operation(prefix=Prefix(), sequences=batch, router=LeastLoaded(), tiers=tiers)
        every = beside(self.flow, self.backlog, (tiers[0].name, tiers[1].name)) if seats else self.flow
        d = deployment(
            self.setting, self.tier.at.layout, operation if seats else dataclasses.replace(operation, tiers=())
        )
        log = d.run(every, self.span, replicas=self.replicas)
        done = Simulated(d, self.replicas, log)
        theirs = every.tier == 0 if seats else np.ones(len(every), dtype=bool)
        made = np.where(np.isfinite(log.end), every.output, 0)
        return Played(
            seats, _p95(log.tpot[theirs]), _p95(log.ttft[theirs]), float(made[theirs].sum()) / done.span,
            float(made[~theirs].sum()) / done.span,
        )  # fmt: skip


def _p95(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, SURE)) if len(known) else math.nan


def beside(first: Requests, second: Requests, names: tuple[str, str]) -> Requests:
    """Return two streams of traffic as tiers of one.

    Parameters
    ----------
    first : Requests
    second : Requests
        That wait for nobody and share nothing.
    names : (str, str)
        Of the tiers, the more urgent first.

    Raises
    ------
    InputError
        When the second waits for others or shares prompts.
    """
    if len(second.after) or len(second.hashes):
        raise InputError("beside: the second stream must wait for nobody and share nothing")
    n, m = len(first), len(second)
    heads = n if not len(first.after) else int((first.after < 0).sum())
    order = np.argsort(np.concatenate([first.arrival[:heads], second.arrival]), kind="stable")
    from_first = np.concatenate([np.arange(heads), np.full(m, -1)])[order]
    index = np.concatenate([from_first, np.arange(heads, n)])  # of the first stream, -1 of the second
    of_second = np.concatenate([np.full(heads, -1), np.arange(m)])[order]
    second_index = np.concatenate([of_second, np.full(n - heads, -1)])
    mine = index >= 0

    def column(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        found = np.empty(n + m, dtype=np.result_type(one, other))
        found[mine], found[~mine] = one[index[mine]], other[second_index[~mine]]
        return found

    place = np.empty(n, dtype=np.int64)
    place[index[mine]] = np.flatnonzero(mine)
    after = think = np.zeros(0)
    if len(first.after):
        before = np.where(first.after >= 0, place[np.maximum(first.after, 0)], -1)
        after = column(before, np.full(m, -1, dtype=np.int64))
        think = column(first.think if len(first.think) else np.zeros(n), np.zeros(m))
    return dataclasses.replace(
        first, arrival=column(first.arrival, second.arrival), prompt=column(first.prompt, second.prompt),
        output=column(first.output, second.output), after=after.astype(np.int64), think=think,
        tier=(~mine).astype(np.int64), tiers=names, line=np.zeros(0, dtype=np.int64), **_hashes(first, index, mine),
    )  # fmt: skip


def _hashes(first: Requests, index: np.ndarray, mine: np.ndarray) -> dict[str, np.ndarray]:
    """Identities of blocks in the order of both streams; the second has none."""
    if not len(first.hashes):
        return {}
    blocks = np.zeros(len(index), dtype=np.int64)
    own = np.diff(first.first_hash)
    blocks[mine] = own[index[mine]]
    begin = np.concatenate([[0], np.cumsum(blocks)])
    pieces = [first.hashes[first.first_hash[i] : first.first_hash[i + 1]] for i in index[mine].tolist()]
    return {"hashes": np.concatenate(pieces), "first_hash": begin}
