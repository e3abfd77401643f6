"""Separate pools for prompts and answers: which layouts, how many replicas of each, and the hand-over of the cache between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.batching import mean_queue_wait, waiting_chance
from headway.catalog import default
from headway.parallel import kv_per_chip
from headway.search.columns import Columns
from headway.search.points import Points, Timed
from headway.search.space import Space
from headway.serving import Link, Setting, decode_tokens, first_token, handover, joining, prompt_seconds, servers

Real = Any  # a float or a NumPy array; everything broadcasts
Array = NDArray[np.float64]


@dataclass(frozen=True)
class PromptPool(Columns):
    """Replicas that compute prompts only; a row per layout.

    Attributes
    ----------
    layout : array of int
    chips : array
        Of one replica. [chips]
    alone : array
        Time of one prompt with nothing in the way. [s]
    busy : array
        Time of one prompt on a full replica: its rate is 1/busy. [s]
    floor : array
        Of `alone`, on an ideal machine. [s]
    sent : array
        Cache of one prompt that each chip sends. [bytes]
    lanes : array
        Groups of chips that send different prompts' caches at a time. [groups]
    """

    layout: NDArray[np.intp]
    chips: Array
    alone: Array
    busy: Array
    floor: Array
    sent: Array
    lanes: Array


@dataclass(frozen=True)
class AnswerPool(Columns):
    """Replicas that decode only; a row per layout and batch.

    Attributes
    ----------
    layout : array of int
    batch, chips : array
        Requests in flight on one replica, and its chips. [requests, chips]
    tpot, step, floor : array
        [s]
    rate : array
        Requests per second of one replica. [requests/s]
    received : array
        Cache of one prompt that each chip receives. [bytes]
    lanes : array
        Groups of chips that receive different prompts' caches at a time. [groups]
    """

    layout: NDArray[np.intp]
    batch: Array
    chips: Array
    tpot: Array
    step: Array
    floor: Array
    rate: Array
    received: Array
    lanes: Array


def prompt_pool(where: Setting, space: Space, parts: Sequence[Timed]) -> PromptPool:
    """Return what each layout does as a pool for prompts; of layouts of one size only those that no other beats."""
    every: list[PromptPool] = []
    for t in parts:
        first = np.asarray(first_token(t.workload, t.seconds["prefill"], where.chunk))
        full = np.broadcast_to(prompt_seconds(t.workload, t.seconds, where.chunk, first), t.batch.shape)[:, -1]
        ways = [space.layouts[i] for i in t.numbers]
        rows = {
            "layout": t.numbers, "chips": np.array([float(x.chips) for x in ways]), "alone": first[:, 0],
            "busy": full / t.stages[:, 0],  # stages work on different prompts at a time
            "floor": np.broadcast_to(t.floors.ttft, t.batch.shape)[:, 0],
            "sent": np.array([float(kv_per_chip(where.model, x, where.prompt)) for x in ways]),
            "lanes": np.array([float(x.dp) for x in ways]),
        }  # fmt: skip
        every.append(PromptPool.spread((len(ways),), rows))
    pool = PromptPool.joined(every)
    return pool.take(_best_of_size(pool.chips, pool.alone, pool.busy))


def answer_pool(where: Setting, space: Space, parts: Sequence[Timed]) -> AnswerPool:
    """Return what each layout does at each batch as a pool for answers; of one size only those that no other beats."""
    every: list[AnswerPool] = []
    for t in parts:
        step, batch = t.seconds["decode"], t.batch * t.stages
        tpot = step / decode_tokens(where)
        ways = [space.layouts[i] for i in t.numbers]
        rows = {
            "layout": t.numbers[:, None], "batch": batch, "chips": t.chips, "tpot": tpot, "step": step, "floor": t.floors.tpot,
            "rate": batch / (where.output * tpot),
            "received": np.array([[float(kv_per_chip(where.model, x, where.prompt))] for x in ways]),
            "lanes": np.array([[float(x.dp)] for x in ways]),
        }  # fmt: skip
        every.append(AnswerPool.spread(t.batch.shape, rows))
    pool = AnswerPool.joined(every)
    return pool.take(_best_of_size(pool.chips, pool.tpot, 1 / pool.rate))


def _best_of_size(size: Array, first: Array, second: Array) -> NDArray[np.intp]:
    """Return rows that, among those of their size, no other beats in both costs."""
    order = np.lexsort((second, first, size))
    kept: list[int] = []
    last, best = -1.0, np.inf
    for i, s, value in zip(order.tolist(), size[order].tolist(), second[order].tolist(), strict=True):
        if s != last:
            last, best = s, np.inf
        if value < best:
            kept.append(i)
            best = value
    return np.array(kept, dtype=np.intp)


def apart(prompts: Setting, answers: Setting, prompting: PromptPool, answering: AnswerPool) -> Points:
    """Return the points of every pair of layouts and every split of the chips between them.

    Notes
    -----
    Rate matching: the decoding pool is full and sets the rate. It has as many replicas as there is room for, or as the
    prompts' pool keeps up with at most `fleet_taken` busy; prompts that would wait longer than they take are left out.
    Prompts queue for a replica, caches for a lane of the link, answers for the next departure. On one system the chips are
    shared; on two, each pool has its own.
    """
    link = joining(prompts, answers)
    if link is None or not len(answering):
        return Points.joined([])
    ways = (prompting.take(slice(row, row + 1)) for row in range(len(prompting)))
    return Points.joined([p for way in ways if len(p := _splits(prompts, answers, way, answering, link))])


def _splits(prompts: Setting, answers: Setting, way: PromptPool, answering: AnswerPool, link: Link) -> Points:
    """One layout for prompts against every point of the decoding pool, at every number of replicas."""
    same, each = prompts is answers, float(way.chips[0])
    count = np.arange(1, prompts.replicas(int(each)) + 1, dtype=float)[:, None]
    room = _room(answers, count * each if same else 0.0 * count, each if same else 1.0, answering.chips[None, :])
    # as many replicas as there is room for, or as the prompts can keep up with
    keeps_up = np.floor(default("fleet_taken") * count / (answering.rate[None, :] * way.busy))
    decoding = np.minimum(room, keeps_up)
    counted, point = np.nonzero(decoding >= 1)
    count, decoding, chosen = count[counted, 0], decoding[counted, point], answering.take(point)
    requests = decoding * chosen.rate
    load = requests * way.busy
    sent, used = handover(link, way.sent, way.lanes * count, chosen.received, chosen.lanes * decoding, requests)
    wait = np.asarray(mean_queue_wait(waiting_chance(count, load), count, load, way.busy, alike=True))
    fine = np.flatnonzero((used < 1) & (wait <= way.alone) & np.isfinite(sent))
    ttft = servers(prompts, answers) + way.alone + wait + sent + chosen.step / 2
    here, away = each * count, chosen.chips * decoding
    # one system that is paid whole is paid once
    paid_here = np.zeros_like(here) if same and answers.pays_all else prompts.paid(here)
    paid_away = answers.paid(away)
    dollars = paid_here * (prompts.system.price or np.nan) + paid_away * (answers.system.price or np.nan)
    rows = {
        "layout": chosen.layout, "prompt_layout": way.layout, "replicas": decoding, "prompt_replicas": count,
        "batch": chosen.batch, "chips": paid_here + paid_away, "ttft": ttft, "tpot": chosen.tpot,
        "request": ttft + (answers.output - 1) * chosen.tpot, "rate": requests * answers.output,
        "tpot_floor": chosen.floor, "ttft_floor": way.floor, "dollars": dollars,
        "within": answers.covers(chosen.batch * decoding, chosen.chips),
    }  # fmt: skip
    return Points.spread((len(chosen),), rows).take(fine)


def _room(where: Setting, taken: Array, each: Array | float, size: Array) -> Array:
    """Return how many replicas of each size fit beside replicas of `each` chips that take `taken` in all.

    None straddles two scale-up domains; those that are larger fill whole domains.
    """
    domain, total = where.system.joined, where.system.chips
    domains, last = np.divmod(float(total), domain)
    if np.all(np.asarray(each) > domain):
        left = total - taken
        whole, rest = np.divmod(np.maximum(left, 0.0), domain)
        return np.where(size <= domain, whole * np.floor(domain / size) + np.floor(rest / size), np.floor(left / size))
    per = np.floor(domain / np.asarray(each))
    count = taken / each
    full = np.minimum(np.floor(count / per), domains)
    over = (count - full * per) * each  # chips in the domain that is begun
    begun = np.where(over > 0, 1.0, 0.0)
    untouched = np.maximum(domains - full - np.where(full < domains, begun, 0.0), 0.0)
    rest = np.where(full < domains, np.where(begun > 0, domain - over, 0.0), 0.0)
    tail = np.where(full < domains, last, np.maximum(last - over, 0.0))
    holes = full * np.floor((domain - per * each) / size)
    inside = holes + np.floor(rest / size) + untouched * np.floor(domain / size) + np.floor(tail / size)
    found = np.where(size <= domain, inside, np.floor(untouched * domain / size))
    return np.where(taken > total, 0.0, found)
