"""The search: look at everything, keep what meets the limits, rank it, and say why the rest lost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from headway.errors import HeadwayError, PhysicsError
from headway.parallel import candidates
from headway.questions import Query
from headway.search.answer import (
    Interval,
    Option,
    SearchAnswer,
    Searched,
    Spreads,
    intervals,
    option,
)
from headway.search.fleet import Fleet, fleet_of, split_fleet
from headway.search.frontier import frontier
from headway.search.points import Points, Timed, at_limits, timed, together
from headway.search.space import Space, space
from headway.search.split import AnswerPool, PromptPool, answer_pool, apart, prompt_pool
from headway.search.why import reason, unmet
from headway.serving import Setting, checked_layout, place, refused, too_many

Array = NDArray[np.float64]
Progress = Callable[[str], None]
_RUNNERS_UP = 8


def search_layouts(query: Query, progress: Progress | None = None) -> SearchAnswer:
    """Look at every layout, batch and split of pools on every system asked for.

    Parameters
    ----------
    query : Query
    progress : callable or None
        Told of each of the `STAGES` that a system has been through.

    Raises
    ------
    InputError
        Unknown names, layouts that do not divide.
    PhysicsError
        When nothing fits or nothing meets the limits; the message names the nearest that does.
    """
    found: list[Searched] = []
    refused: list[tuple[str, HeadwayError]] = []
    for name in query.systems:
        try:
            found.append(_look(query, place(query, name), name, progress or _quiet))
        except PhysicsError as error:
            refused.append((name, error))
    if not found:
        raise refused[0][1]
    answer = _answer(query, found)
    answer.warnings[:0] = [f"{name}: {error}" for name, error in refused]
    return answer


STAGES = ("layouts", "times", "limits", "pools")


def _quiet(_: str) -> None:
    """Tell nobody."""


def _look(query: Query, where: Setting, name: str, tell: Progress = _quiet) -> Searched:
    """Look at everything on one system."""
    here = _space(where)
    only = None
    if query.batch is not None:
        here = replace(here, stages=np.minimum(here.stages, query.batch))
        only = _one_batch(query.batch, here, where)
    tell(f"{name}: layouts")
    parts = timed(where, here, only)
    tell(f"{name}: times")
    spreads = Spreads.of(where)
    closer = parts if only is not None else [*parts, *_closer(query, where, here, parts, spreads)]
    tell(f"{name}: limits")
    own = query.prefill_on in (None, name)
    alone = where if own else place(replace(query, price=None, chips=None), str(query.prefill_on))
    if alone is where:
        there, more = here, parts
    else:
        there = _space(alone)
        more = timed(alone, there)
    points = [] if query.prefill_on else [together(where, here, closer)]
    pools = None
    if query.split or query.prefill_on:
        pools = prompt_pool(alone, there, more), answer_pool(where, here, closer)
        points.append(apart(alone, where, *pools))
    every = Points.joined(points)
    tell(f"{name}: pools")
    if not len(every):
        raise PhysicsError(
            f"{where.model.name}: no split of pools between {alone.system.name} and {where.system.name} works: nothing joins them, or "
            "the prompts' pool is too slow for one replica of the other; more chips for it, or one pool"
        )
    ends = intervals(every, spreads, where.output)
    return Searched(where, alone, here, there, every, ends, meets(query, ends), pools, spreads)


def _one_batch(batch: float, here: Space, where: Setting) -> Array:
    """Return the batch asked for as each layout's micro-batch; 0 where memory does not hold it. [layouts, 1]

    Raises
    ------
    PhysicsError
        When no layout holds it.
    """
    most = np.array([a.holds for a in here.accounts])
    if not (most >= batch).any():
        raise too_many(where.system, dict(zip(here.layouts, here.accounts, strict=True)), batch)
    return np.where(most >= batch, batch / here.stages, 0.0)[:, None]


def _closer(query: Query, where: Setting, here: Space, parts: Sequence[Timed], spreads: Spreads) -> list[Timed]:
    """Time every layout once more at the batches that just meet the limits: the best is not to depend on the grid."""
    if query.tpot is None and query.ttft is None:
        return []
    return timed(where, here, at_limits(where, here, parts, *spreads.limits(query, wide=False)))


def _space(where: Setting) -> Space:
    """Return the layouts that fit, or refuse with the shortfall and what would fit."""
    model, system = where.model, where.system
    if where.only is not None:
        checked_layout(where, where.only)
    found = space(where)
    if not found.layouts:
        nearest = where.only or max(found.too_big, key=lambda x: x[1].free)[0]
        if where.only is None and nearest not in candidates(model, system.joined):
            nearest = candidates(model, system.joined)[-1]
        held = where.account(nearest)
        if held.fits < 1:
            raise refused(where, nearest, held)
        raise PhysicsError(f"{model.name} as {nearest}: memory does not hold one sequence for each pipeline stage")
    return found


def meets(query: Query, ends: dict[str, Interval]) -> NDArray[np.bool_]:
    """Return which points meet the limits: estimates, or the upper ends of their intervals when asked to be sure."""
    good = np.ones(len(ends["tpot"].value), dtype=bool)
    for name, limit in (("tpot", query.tpot), ("ttft", query.ttft)):
        if limit is not None:
            good &= (ends[name].high if query.sure else ends[name].value) <= limit
    return good


def score(query: Query, found: Searched) -> Array:
    """Return what the goal minimises, for every point: comparable between systems with a price."""
    p = found.points
    if query.minimise == "latency":
        return p.request
    cost = p.per_mtok if found.priced else 1 / p.per_chip
    if query.minimise == "chips":
        return _used(found) + cost / (1 + cost)  # chips first, then cost
    return cost


def _used(found: Searched) -> Array:
    """Chips of one replica, or of both pools of a split point."""
    p = found.points
    sizes = np.array([float(x.chips) for x in found.space.layouts])[p.layout]
    prompts = np.array([float(x.chips) for x in found.prompt_space.layouts])[p.prompt_layout]
    return np.where(p.prompt_layout < 0, sizes, p.replicas * sizes + p.prompt_replicas * prompts)


def _answer(query: Query, found: Sequence[Searched]) -> SearchAnswer:
    scores = [np.where(f.ok, score(query, f), np.inf) for f in found]
    if not any(f.ok.any() for f in found):
        raise PhysicsError(_unreachable(query, found))
    picked = [_best_of_layouts(f, s) for f, s in zip(found, scores, strict=True)]
    tops = sorted(  # systems without a price come after those with one: dollars and chips do not compare
        (query.minimise == "cost" and not found[n].priced, float(s[i[0]]), n, i[0])
        for n, (s, i) in enumerate(zip(scores, picked, strict=True)) if len(i)
    )  # fmt: skip
    systems = tuple(option(found[n], i) for _, _, n, i in tops)
    best = systems[0]
    fleets = _fleets(query, found) if query.rate is not None else ()
    return SearchAnswer(
        query=query, best=best, frontier=_frontier(found, cost=False), by_cost=_frontier(found, cost=True),
        layouts=tuple(zip(found, picked, strict=True)), losers=_losers(query, best, systems, found, scores, picked), fleets=fleets,
        systems=systems, evaluated=_counts(found), warnings=_warnings(query, found, fleets),
    )  # fmt: skip


def _best_of_layouts(found: Searched, scores: Array) -> list[int]:
    """Return the best point of every layout, with and without a pool for prompts, that meets the limits; best first.

    Of equal ones the faster counts.
    """
    p = found.points
    order = np.lexsort((p.request, scores))
    order = order[np.isfinite(scores[order])]
    key = 2 * p.layout[order] + (p.prompt_layout[order] >= 0)
    first = np.sort(np.unique(key, return_index=True)[1])
    return order[first].tolist()


def _frontier(found: Sequence[Searched], cost: bool) -> tuple[Option, ...]:
    """Return the points of all systems that no other beats, fastest for the user first."""
    if cost and not all(f.priced for f in found):
        return ()
    user = np.concatenate([np.where(f.ok, f.points.per_user, np.nan) for f in found])
    other = np.concatenate([-f.points.per_mtok if cost else f.points.per_chip for f in found])
    starts = np.cumsum([0, *(len(f.points) for f in found)])
    chosen = frontier(user, other, np.concatenate([f.points.ttft for f in found]))
    which = np.searchsorted(starts, chosen, side="right") - 1
    return tuple(option(found[n], int(i - starts[n])) for n, i in zip(which.tolist(), chosen.tolist(), strict=True))


def _losers(
    query: Query, best: Option, systems: Sequence[Option], found: Sequence[Searched], scores: Sequence[Array],
    picked: Sequence[list[int]],
) -> tuple[Option, ...]:  # fmt: skip
    """Return the next best options with why each lost: other systems, other layouts, and the cheapest that miss a limit."""
    said = [replace(o, reason=reason(best, o, query)) for o in systems[1:]]
    mine = best.found
    n = next(i for i, f in enumerate(found) if f is mine)
    seen = {_alike(best)}
    for i in picked[n][1:]:
        if len(said) >= _RUNNERS_UP:
            break
        o = option(mine, i)
        if _alike(o) not in seen:
            seen.add(_alike(o))
            said.append(replace(o, reason=reason(best, o, query)))
    missed = np.where(mine.ok, np.inf, score(query, mine))
    if np.isfinite(missed).any():
        o = option(mine, int(np.argmin(missed)))
        if missed.min() < scores[n].min():
            said.append(replace(o, reason=f"would be {reason(best, o, query)}, but {unmet(o, query)}"))
    return tuple(said)


def _alike(o: Option) -> tuple[bool, str]:
    """Layouts that differ only in where shared experts lie count as one runner-up."""
    return o.deployment.prefill is None, str(o.layout).replace("+shared", "")


def _fleets(query: Query, found: Sequence[Searched]) -> tuple[Option, ...]:
    """Return the best fleet of every system for the request rate, best first."""
    rate = query.rate or 0.0
    rows: list[tuple[bool, float, Option]] = []
    for f in found:
        for one in (_joint_fleet(query, f, rate), _split_fleet(query, f, rate)):
            if one is not None:
                value = one.fleet.request if query.minimise == "latency" else one.fleet.chips
                money = query.minimise == "cost" and f.priced
                rows.append((query.minimise == "cost" and not money, one.fleet.dollars if money else value, one))
    if not rows:
        limit = f" with TTFT of at most {query.ttft:g} s" if query.ttft else ""
        raise PhysicsError(
            f"--rate {rate:g}/s{limit}: no fleet of these layouts has room for its queue; allow more TTFT"
        )
    best: dict[str, Option] = {}
    for _, _, one in sorted(rows, key=lambda r: r[:2]):
        best.setdefault(one.system, one)
    return tuple(best.values())


def _joint_fleet(query: Query, f: Searched, rate: float) -> Option | None:
    chosen = np.flatnonzero(f.ok & (f.points.prompt_layout < 0))
    made = fleet_of(
        f.where, f.points.take(chosen), rate, f.spreads.limits(query, wide=True)[0], query.minimise, query.spare
    )
    if made is None:
        return None
    i = int(chosen[made[0]])
    return replace(option(f, i), built=made[1], deployment=f.deployment(i, made[1]))


def _split_fleet(query: Query, f: Searched, rate: float) -> Option | None:
    if f.pools is None:
        return None
    ttft, tpot = (math.inf if x is None else x for x in f.spreads.limits(query, wide=True))
    made = split_fleet(f.prompts, f.where, *f.pools, rate, (ttft, tpot), query.minimise, query.spare)
    if made is None:
        return None
    prompt, point, fleet = made
    pools = f.pools[0].take([prompt]), f.pools[1].take([point])
    points = _as_point(f, pools, fleet, rate)
    one = replace(f, points=points, ends=intervals(points, f.spreads, f.where.output), ok=np.ones(1, dtype=bool))
    return replace(option(one, 0), built=fleet, deployment=one.deployment(0, fleet))


def _as_point(f: Searched, pools: tuple[PromptPool, AnswerPool], fleet: Fleet, rate: float) -> Points:
    """A fleet of two pools, of one row each, as a point: what its requests see at the rate asked for."""
    prompting, answering = pools
    numbers = {
        "layout": answering.layout, "prompt_layout": prompting.layout, "replicas": fleet.replicas,
        "prompt_replicas": fleet.prompt_replicas, "batch": answering.batch, "chips": fleet.chips, "ttft": fleet.ttft,
        "tpot": fleet.tpot, "request": fleet.request, "rate": rate * f.where.output, "tpot_floor": answering.floor,
        "ttft_floor": prompting.floor, "dollars": fleet.dollars,
        "within": f.where.covers(answering.batch * fleet.replicas, answering.chips),
    }  # fmt: skip
    return Points.spread((1,), numbers)


def _unreachable(query: Query, found: Sequence[Searched]) -> str:
    """Say which limit cannot be met, and the nearest that can."""
    end = "high" if query.sure else "value"
    sure = " (upper end of its interval)" if query.sure else ""
    tpot = np.concatenate([getattr(f.ends["tpot"], end) for f in found])
    ttft = np.concatenate([getattr(f.ends["ttft"], end) for f in found])
    for name, limit, values in (("tpot", query.tpot, tpot), ("ttft", query.ttft, ttft)):
        if limit is not None and values.min() > limit:
            return (
                f"--{name} {_written(limit)}: no layout of {query.model} on {', '.join(query.systems)} gets below "
                f"{_written(values.min(), up=True)}{sure}; the nearest feasible is --{name} {_written(values.min(), up=True)}"
            )
    least = ttft[tpot <= (query.tpot or math.inf)].min(), tpot[ttft <= (query.ttft or math.inf)].min()
    return (
        f"--ttft {_written(query.ttft or 0)} and --tpot {_written(query.tpot or 0)} together are out of reach of {query.model} "
        f"on {', '.join(query.systems)}{sure}: the nearest feasible are --ttft {_written(least[0], up=True)} at that TPOT, "
        f"or --tpot {_written(least[1], up=True)} at that TTFT"
    )


def _written(seconds: float, up: bool = False) -> str:
    """Write a limit as the command line takes it, rounded up where it is to be met."""
    value = seconds * 1e3 if seconds < 1 else seconds
    if up:  # in the fourth figure
        unit = 10.0 ** (math.floor(math.log10(value)) - 3)
        value = math.ceil(value / unit * (1 - 1e-9)) * unit
        value *= 1 + 1e-12
    return f"{value:.4g}{'ms' if seconds < 1 else 's'}"


def _closer_fit(one: Option) -> str:
    """What would carry the rate with fewer idle seats."""
    where, two = one.found.where, one.found.prompts is not one.found.where
    least = where.system.chips + (one.found.prompts.system.chips if two else 0)
    if where.pays_all and one.fleet.chips <= least * (1 + one.fleet.spare):
        return f"{one.system} is rented whole, and less is not to be had; --chips ..{where.system.chips} pays only what a layout uses"
    return "a smaller layout or batch would fit the rate closer"


def _counts(found: Sequence[Searched]) -> dict[str, int]:
    split = sum(int((f.points.prompt_layout >= 0).sum()) for f in found)
    return {
        "layouts": sum(len(f.space.layouts) for f in found), "layouts_too_big": sum(len(f.space.too_big) for f in found),
        "points": sum(len(f.points) for f in found) - split, "pairs_of_pools": split,
        "meet_the_limits": sum(int(f.ok.sum()) for f in found),
    }  # fmt: skip


def _warnings(query: Query, found: Sequence[Searched], fleets: Sequence[Option]) -> list[str]:
    says: list[str] = []
    for f in found:
        for name in dict.fromkeys(x.system.name for x in (f.where, f.prompts) if x.system.price is None):
            says.append(
                f"no price is known for {name}: ranked by tokens per second and chip, after those with one; --price 2.5/h gives one"
            )
        if f.spreads.outside:
            says.append(f"{f.system}: outside the evidence, so wider intervals: {', '.join(f.spreads.outside)}")
        if "pre-release" in f.where.system.chip.status:
            says.append(f"{f.where.system.chip.name}: pre-release figures")
    if query.tpot is None and query.ttft is None and query.minimise == "cost":
        says.append("no limit on TPOT or TTFT: the cheapest is slow; --tpot 30ms --ttft 2s ask for a service")
    if query.engine == "ideal":
        says.append("ideal machine: a lower bound on time and cost; --engine modern gives estimates with intervals")
    for one in fleets[:1]:
        if one.fleet.utilisation < 0.5:
            says.append(f"the fleet is {100 * one.fleet.utilisation:.0f} % busy: {_closer_fit(one)}")
    tokens = query.prompt + query.output
    if tokens > (limit := found[0].where.model.max_context):
        says.append(f"prompt and output, {tokens:,.0f} tokens, are beyond the model's limit of {limit:,}")
    return [*says, *dict.fromkeys(n for f in found for n in f.where.model.notes)]
