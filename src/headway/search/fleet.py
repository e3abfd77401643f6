"""Fleets: how many replicas carry a request rate with room for its queue, and which of all points does it cheapest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.batching import mean_queue_wait, waiting_chance
from headway.catalog import default
from headway.search.points import Points
from headway.search.split import AnswerPool, PromptPool
from headway.serving import Link, Setting, handover, joining, servers

Real = Any  # a float or a NumPy array; everything broadcasts
Array = NDArray[np.float64]
_AT_ONCE = 512  # points looked at together, cheapest bound first
_TIE = 1e-6
_LARGEST = 1e7  # replicas; beyond it the request rate is a slip of the keyboard


@dataclass(frozen=True)
class Fleet:
    """Replicas that carry a request rate.

    Attributes
    ----------
    replicas, prompt_replicas : float
        Of the layout that decodes, and of the one that computes prompts (0: the same). [1]
    chips : float
        Paid: of whole systems where they are rented whole, spare ones among them. [chips]
    dollars : float
        Rent; NaN without a price. [$/s]
    utilisation : float
        Share of the seats taken on average. [share]
    waiting : float
        Chance that a request finds no seat. [share]
    wait : float
        Mean wait for one, all requests together. [s]
    ttft, tpot, request : float
        Means with every seat taken, the wait included. [s]
    most : float
        Requests per second at which the fleet saturates. [requests/s]
    spare : int
        Systems (of each kind), or replicas where chips are asked for at most, beyond those that carry the rate, for when one
        fails. [systems]
    """

    replicas: float
    prompt_replicas: float
    chips: float
    dollars: float
    utilisation: float
    waiting: float
    wait: float
    ttft: float
    tpot: float
    request: float
    most: float
    spare: int = 0


def rented(where: Setting, chips: Real, spare: int, replica: Real) -> Real:
    """Return the chips to pay for so many in use, and spare ones (N+1): whole systems; where chips are asked for at most, replicas.

    Parameters
    ----------
    where : Setting
    chips : float or array
        In use. [chips]
    spare : int
        Systems (replicas) beyond. [systems]
    replica : float or array
        Of one replica: a bound on chips is no box that could stand by. [chips]
    """
    size = float(where.system.chips)
    if where.pays_all:
        return (np.ceil(chips / size - 1e-9) + spare) * size
    return chips + spare * replica


def fewest(
    seats: Array, load: Array, service: Array, patience: Array, waiting: float = 1.0, alike: bool = False
) -> Array:
    """Return the fewest replicas with which few enough requests wait, and those not too long.

    Parameters
    ----------
    seats : array
        Of one replica. [requests]
    load : array
        Requests in service on average. [requests]
    service : array
        Mean time in service. [s]
    patience : array
        Longest mean wait. [s]
    waiting : float
        Largest share of requests that may wait. [share]
    alike : bool
        Services take the same time.

    Notes
    -----
    Bisection on Erlang's chance of waiting, which falls with every replica. At most the catalogue's `fleet_taken` of the
    seats are taken on average.
    """
    taken = default("fleet_taken")

    def enough(n: Array) -> NDArray[np.bool_]:
        chance = waiting_chance(n * seats, load)
        return (
            (load <= taken * n * seats)
            & (chance <= waiting)
            & (mean_queue_wait(chance, n * seats, load, service, alike) <= patience)
        )

    low = np.floor(load / seats)  # saturated
    high = low + 1
    while not (good := enough(high) | (high >= _LARGEST)).all():
        low = np.where(good, low, high)
        high = np.where(good, high, np.minimum(2 * high + 1, _LARGEST))
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        good = enough(middle)
        low, high = np.where(good, low, middle), np.where(good, middle, high)
    return high


def fleet_of(
    where: Setting, points: Points, rate: float, ttft: float | None, ranking: str, spare: int = 0
) -> tuple[int, Fleet] | None:
    """Return the best point to build a fleet of, and the fleet; None when there is no point.

    Parameters
    ----------
    points : Points
        Of replicas that do both, within the limits.
    rate : float
        Requests per second. [requests/s]
    ttft : float or None
        Limit, the wait for a seat included. [s]
    ranking : str
        ``cost``, ``chips`` or ``latency``.
    spare : int
        Systems beyond those that carry the rate. [systems]

    Notes
    -----
    A fleet cannot be smaller than its seats taken; points are looked at in the order of that bound until none can win.
    """
    if not len(points):
        return None
    load = rate * points.request
    each = points.chips / points.replicas  # paid for one
    best = _best_point(where, points, load, each, ttft, ranking)
    if best is None:
        return None
    i, count = best
    seats, service = count * points.batch[i], points.request[i]
    chance = float(waiting_chance(seats, load[i]))
    wait = float(mean_queue_wait(chance, seats, load[i], service))
    chips = float(rented(where, count * each[i], spare, each[i]))
    return i, Fleet(
        count, 0.0, chips, chips * (where.system.price or np.nan), float(load[i] / seats), chance, wait,
        float(points.ttft[i] + wait), float(points.tpot[i]), float(service + wait), float(seats / service), spare,
    )  # fmt: skip


def _best_point(
    where: Setting, points: Points, load: Array, each: Array, ttft: float | None, ranking: str
) -> tuple[int, float] | None:
    """Return (point, replicas) of the best fleet, points looked at in the order of a bound until none can win."""
    bound = points.request if ranking == "latency" else np.ceil(load / points.batch) * each
    order = np.argsort(bound, kind="stable")
    best: tuple[float, int, float] | None = None
    for start in range(0, len(order), _AT_ONCE):
        chosen = order[start : start + _AT_ONCE]
        if best is not None and bound[chosen[0]] >= best[0]:
            break
        patience = np.full(len(chosen), np.inf) if ttft is None else np.maximum(ttft - points.ttft[chosen], 0.0)
        count = fewest(points.batch[chosen], load[chosen], points.request[chosen], patience, default("fleet_waiting"))
        used = count * each[chosen]
        # of two that fill as many systems the one with more room inside
        score = points.request[chosen] if ranking == "latency" else rented(where, used, 0, each[chosen]) + _TIE * used
        i = int(np.argmin(np.where(count < _LARGEST, score, np.inf)))
        if count[i] < _LARGEST and (best is None or score[i] < best[0]):
            best = (float(score[i]), int(chosen[i]), float(count[i]))
    return None if best is None else best[1:]


@dataclass(frozen=True)
class _Sized:
    """How many replicas each layout of a pool needs, what they cost and how long requests wait."""

    count: Array
    chips: Array
    chance: Array
    wait: Array


@dataclass(frozen=True)
class _Pair:
    """Two pools, and what they are sized for."""

    prompts: Setting
    answers: Setting
    prompting: PromptPool
    answering: AnswerPool
    rate: float
    limits: tuple[float, float]
    ranking: str
    spare: int


_PATIENCE = (0.9, 0.5, 0.2, 0.05)  # shares of the time to spare that prompts may wait; the cheapest wins


def split_fleet(
    prompts: Setting, answers: Setting, prompting: PromptPool, answering: AnswerPool, rate: float,
    limits: tuple[float, float], ranking: str, spare: int = 0,
) -> tuple[int, int, Fleet] | None:  # fmt: skip
    """Return (row of the prompts' pool, row of the answers' pool, fleet): the best pair; None when none meets the limits.

    Parameters
    ----------
    prompts, answers, prompting, answering : Setting, Setting, PromptPool, AnswerPool
    rate : float
        To carry. [requests/s]
    limits : (float, float)
        TTFT and TPOT, infinite where there is none. [s]
    ranking : str
    spare : int
        Systems of each kind beyond those needed. [systems]

    Notes
    -----
    The pools grow independently: that for answers until few enough find no seat, that for prompts until they wait no
    longer than the TTFT limit leaves, and no longer than they take. The cache's hand-over adds its own time and queue.
    """
    soon, quick = np.flatnonzero(prompting.alone <= limits[0]), np.flatnonzero(answering.tpot <= limits[1])
    if not soon.size or not quick.size:
        return None
    p, a = prompting.take(soon), answering.take(quick)
    pair = _Pair(prompts, answers, p, a, rate, limits, ranking, spare)
    held = answers.output * a.tpot
    seats = _pool(answers, a.batch, rate * held, held, a.chips, np.full(len(a), np.inf), default("fleet_waiting"))
    room = np.maximum(limits[0] - servers(prompts, answers) - p.alone, 0.0)
    turns = [
        _pool(prompts, np.ones(len(p)), rate * p.busy, p.busy, p.chips, np.minimum(room * share, p.alone), 1.0, alike=True)
        for share in _PATIENCE
    ]  # fmt: skip
    # inside one domain if the fleet fits there, else over the network
    inside, outside = joining(prompts, answers), joining(prompts, answers, np.inf)
    best: list[tuple[float, int, int, Fleet]] = []
    for link in dict.fromkeys(x for x in (inside, outside) if x is not None):
        for turn in turns:
            one = _sized(pair, link, turn, seats)
            if one is not None and (link == outside or one[3].chips <= answers.system.joined):
                best.append(one)
    if not best:
        return None
    _, prompt, point, fleet = min(best, key=lambda x: x[0])
    return int(soon[prompt]), int(quick[point]), fleet


def _sized(pair: _Pair, link: Link, turns: _Sized, seats: _Sized) -> tuple[float, int, int, Fleet] | None:
    """Return (score, row for prompts, row for answers, fleet) of the best pair of sized pools: prompts down, answers across."""
    p, a, output = pair.prompting, pair.answering, pair.answers.output
    moved, taken = handover(
        link, p.sent[:, None], (p.lanes * turns.count)[:, None], a.received[None, :], (a.lanes * seats.count)[None, :],
        np.array(pair.rate),
    )  # fmt: skip
    ttft = (
        servers(pair.prompts, pair.answers)
        + (p.alone + turns.wait)[:, None]
        + (seats.wait + a.step / 2)[None, :]
        + moved
    )
    whole = ttft + (output - 1) * a.tpot[None, :]
    rent = pair.prompts.system.price or np.nan, pair.answers.system.price or np.nan
    used = turns.chips[:, None], seats.chips[None, :]
    each = (turns.chips / turns.count)[:, None], (seats.chips / seats.count)[None, :]
    if pair.prompts is pair.answers:  # one kind of system: its pools share the last one
        chips = rented(pair.answers, used[0] + used[1], pair.spare, np.maximum(*each))
        dollars = chips * rent[1]
    else:
        own_chips = (
            rented(pair.prompts, used[0], pair.spare, each[0]),
            rented(pair.answers, used[1], pair.spare, each[1]),
        )
        chips, dollars = own_chips[0] + own_chips[1], own_chips[0] * rent[0] + own_chips[1] * rent[1]
    finely = used[0] * rent[0] + used[1] * rent[1]
    money = pair.ranking == "cost" and np.isfinite(dollars).any()
    score = (
        whole if pair.ranking == "latency" else dollars + _TIE * finely if money else chips + _TIE * (used[0] + used[1])
    )
    good = (ttft <= pair.limits[0]) & (taken < 1)
    good &= (turns.count < _LARGEST)[:, None] & (seats.count < _LARGEST)[None, :]
    score = np.where(good, score, np.inf)
    best = np.unravel_index(int(np.argmin(score)), score.shape)
    if not np.isfinite(score[best]):
        return None
    prompt, point = (int(x) for x in best)
    most = min(seats.count[point] * a.rate[point], turns.count[prompt] / p.busy[prompt])
    return float(score[best]), prompt, point, Fleet(
        float(seats.count[point]), float(turns.count[prompt]), float(chips[best]), float(dollars[best]), float(pair.rate / most),
        float(seats.chance[point]), float(seats.wait[point] + turns.wait[prompt]), float(ttft[best]), float(a.tpot[point]),
        float(whole[best]), float(most), pair.spare,
    )  # fmt: skip


def _pool(
    where: Setting, seats: Array, load: Array, service: Array, size: Array, patience: Array, waiting: float,
    alike: bool = False,
) -> _Sized:  # fmt: skip
    """Size a pool with each layout: few enough wait, and none too long on average."""
    count = fewest(seats, load, service, patience, waiting, alike)
    chance = np.asarray(waiting_chance(count * seats, load))
    wait = np.asarray(mean_queue_wait(chance, count * seats, load, service, alike))
    held = np.array([float(where.replicas(int(s))) for s in size])
    return _Sized(count, count * where.paid(size * held) / held, chance, wait)
