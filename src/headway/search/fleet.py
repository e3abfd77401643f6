"""Fleets: how many replicas carry a request rate with room for its queue, and which of all points does it cheapest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.batching import mean_queue_wait, waiting_chance
from headway.catalog import default
from headway.search.points import Points
from headway.search.query import Place
from headway.search.split import Answerers, Prompters, handover, link_between

Real = Any  # a float or a NumPy array; everything broadcasts
Array = NDArray[np.float64]
_AT_ONCE = 512  # points looked at together, cheapest bound first
_LARGEST = 1e7  # replicas; beyond it the request rate is a slip of the keyboard


@dataclass(frozen=True)
class Fleet:
    """Replicas that carry a request rate.

    Attributes
    ----------
    replicas, prompt_replicas : float
        Of the layout that decodes, and of the one that computes prompts (0: the same).
    chips : float
        Paid, the idle ones of partly filled domains among them.
    dollars : float
        Rent; NaN without a price. [$/s]
    utilisation : float
        Share of the seats taken on average.
    waiting : float
        Chance that a request finds no seat.
    wait : float
        Mean wait for one, all requests together. [s]
    ttft, tpot, request : float
        Means with every seat taken, the wait included. [s]
    most : float
        Requests per second at which the fleet saturates.
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


def fewest(
    seats: Array, load: Array, service: Array, patience: Array, waiting: float = 1.0, alike: bool = False
) -> Array:
    """Return the fewest replicas with which few enough requests wait, and those not too long.

    Parameters
    ----------
    seats : array
        Of one replica.
    load : array
        Requests in service on average.
    service : array
        Mean time in service. [s]
    patience : array
        Longest mean wait. [s]
    waiting : float
        Largest share of requests that may wait.
    alike : bool
        Services take the same time.

    Notes
    -----
    Bisection on Erlang's chance of waiting, which falls with every replica.
    """

    def enough(n: Array) -> NDArray[np.bool_]:
        chance = waiting_chance(n * seats, load)
        return (chance <= waiting) & (mean_queue_wait(chance, n * seats, load, service, alike) <= patience)

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


def fleet_of(where: Place, points: Points, rate: float, ttft: float | None, ranking: str) -> tuple[int, Fleet] | None:
    """Return the best point to build a fleet of, and the fleet; None when there is no point.

    Parameters
    ----------
    points : Points
        Of replicas that do both, within the limits.
    rate : float
        Requests per second.
    ttft : float or None
        Limit, the wait for a seat included. [s]
    ranking : str
        ``cost``, ``chips`` or ``latency``.

    Notes
    -----
    A fleet cannot be smaller than its seats taken; points are looked at in the order of that bound until none can win.
    """
    if not len(points):
        return None
    load = rate * points.request
    each = _chips_each(where, points)
    bound = points.request if ranking == "latency" else np.ceil(load / points.batch) * each
    order = np.argsort(bound, kind="stable")
    best: tuple[float, int, float] | None = None
    for start in range(0, len(order), _AT_ONCE):
        chosen = order[start : start + _AT_ONCE]
        if best is not None and bound[chosen[0]] >= best[0]:
            break
        patience = np.full(len(chosen), np.inf) if ttft is None else np.maximum(ttft - points.ttft[chosen], 0.0)
        count = fewest(points.batch[chosen], load[chosen], points.request[chosen], patience, default("fleet_waiting"))
        score = points.request[chosen] if ranking == "latency" else count * each[chosen]
        i = int(np.argmin(np.where(count < _LARGEST, score, np.inf)))
        if count[i] < _LARGEST and (best is None or score[i] < best[0]):
            best = (float(score[i]), int(chosen[i]), float(count[i]))
    if best is None:
        return None
    i, count = best[1], best[2]
    seats, service = count * points.batch[i], points.request[i]
    chance = float(waiting_chance(seats, load[i]))
    wait = float(mean_queue_wait(chance, seats, load[i], service))
    chips = count * each[i]
    return i, Fleet(
        count, 0.0, float(chips), chips * (where.system.price or np.nan), float(load[i] / seats), chance, wait,
        float(points.ttft[i] + wait), float(points.tpot[i]), float(service + wait), float(seats / service),
    )  # fmt: skip


def _chips_each(where: Place, points: Points) -> Array:
    """Chips paid for one replica: those of a full system over its replicas."""
    return points.chips / points.replicas


@dataclass(frozen=True)
class _Pools:
    """How many replicas each layout of a pool needs, what they cost and how long requests wait."""

    count: Array
    chips: Array
    chance: Array
    wait: Array
    load: Array


def split_fleet(
    prompts: Place, answers: Place, p: Prompters, d: Answerers, rate: float, limits: tuple[float, float], ranking: str
) -> tuple[int, int, Fleet] | None:
    """Return (prompt layout, point of the decoding pool, fleet): the best pair of pools; None when none meets the limits.

    Parameters
    ----------
    limits : (float, float)
        TTFT and TPOT, infinite where there is none. [s]

    Notes
    -----
    The pools grow independently: that for answers until few enough find no seat, that for prompts until they wait no
    longer than the TTFT limit leaves (without one, no longer than they take). The cache's hand-over adds its own time
    and queue.
    """
    link = link_between(prompts, answers)
    if link is None or not len(p.layout) or not len(d.layout):
        return None
    j = np.flatnonzero(d.tpot <= limits[1])
    i = np.flatnonzero(p.alone <= limits[0])
    if not j.size or not i.size:
        return None
    held = answers.output * d.tpot[j]
    a = _pool(answers, d.batch[j], rate * held, held, d.chips[j], np.full(len(j), np.inf), default("fleet_waiting"))
    slowest = np.max(p.sent[i]) / link.rate + np.max(d.step[j]) / 2  # what is still to come after a prompt
    spare = limits[0] - float(answers.numbers.request_seconds) - p.alone[i] - slowest
    patience = np.where(np.isfinite(spare), np.maximum(spare, 0.0), p.alone[i])
    b = _pool(prompts, np.ones(len(i)), rate * p.busy[i], p.busy[i], p.chips[i], patience, 1.0, alike=True)
    moved, used = handover(
        link, p.sent[i][:, None], (p.lanes[i] * b.count)[:, None], d.received[j][None, :],
        (d.lanes[j] * a.count)[None, :], np.array(rate),
    )  # fmt: skip
    own = float(answers.numbers.request_seconds) + (p.alone[i] + b.wait)[:, None] + (a.wait + d.step[j] / 2)[None, :]
    ttft = own + moved
    whole = ttft + (answers.output - 1) * d.tpot[j][None, :]
    dollars = b.chips[:, None] * (prompts.system.price or np.nan) + a.chips[None, :] * (answers.system.price or np.nan)
    chips = b.chips[:, None] + a.chips[None, :]
    score = (
        whole if ranking == "latency" else chips if ranking == "chips" or not np.isfinite(dollars).any() else dollars
    )
    score = np.where((ttft <= limits[0]) & (used < 1), score, np.inf)
    m, n = np.unravel_index(int(np.argmin(score)), score.shape)
    if not np.isfinite(score[m, n]):
        return None
    most = min(a.count[n] * d.rate[j[n]], b.count[m] / p.busy[i[m]])
    return int(i[m]), int(j[n]), Fleet(
        float(a.count[n]), float(b.count[m]), float(chips[m, n]), float(dollars[m, n]), float(rate / most),
        float(a.chance[n]), float(a.wait[n] + b.wait[m]), float(ttft[m, n]), float(d.tpot[j[n]]),
        float(whole[m, n]), float(most),
    )  # fmt: skip


def _pool(
    where: Place, seats: Array, load: Array, service: Array, size: Array, patience: Array, waiting: float,
    alike: bool = False,
) -> _Pools:  # fmt: skip
    """Size a pool with each layout: few enough wait, and none too long on average."""
    count = fewest(seats, load, service, patience, waiting, alike)
    chance = np.asarray(waiting_chance(count * seats, load))
    wait = np.asarray(mean_queue_wait(chance, count * seats, load, service, alike))
    held = np.array([float(where.replicas(int(s))) for s in size])
    each = where.system.chips / held if where.pays_all else size
    return _Pools(count, count * each, chance, wait, load)
