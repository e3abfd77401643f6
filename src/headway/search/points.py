"""Every layout at every batch, timed together: what a closed loop of requests would see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.catalog import default
from headway.parallel import Dimensions, LayoutColumns, build_step
from headway.search.columns import Columns
from headway.search.space import Space
from headway.serving import (
    LOOPS,
    Floors,
    Served,
    Setting,
    Workload,
    beat,
    decode_tokens,
    floors,
    ideal_times,
    pass_times,
    passes_of,
    workload,
)

Real = Any  # a float or a NumPy array; everything broadcasts
Array = NDArray[np.float64]
BATCHES = 32  # batches looked at for each layout, evenly on a log scale from 1 to what memory holds
_MOST = 1e6  # sequences, where a model keeps nothing per sequence


@dataclass(frozen=True)
class Points(Columns):
    """Operating points, one per row; arrays of one length.

    Attributes
    ----------
    layout, prompt_layout : array of int
        Number of the layout that decodes, and of the one that computes prompts (-1: the same).
    replicas, prompt_replicas : array
        Of each. [1]
    batch : array
        Requests in flight on one decoding replica. [requests]
    chips : array
        Chips paid. [chips]
    ttft, tpot, request : array
        Means. [s]
    rate : array
        Output tokens per second of the whole system. [tokens/s]
    tpot_floor, ttft_floor : array
        Of the ideal machine. [s]
    dollars : array
        Rent of the paid chips; NaN without a price. [$/s]
    within : array of bool
        Whether batch and ranks lie inside the engine's evidence.
    """

    layout: NDArray[np.intp]
    prompt_layout: NDArray[np.intp]
    replicas: Array
    prompt_replicas: Array
    batch: Array
    chips: Array
    ttft: Array
    tpot: Array
    request: Array
    rate: Array
    tpot_floor: Array
    ttft_floor: Array
    dollars: Array
    within: NDArray[np.bool_]

    @property
    def per_user(self) -> Array:
        """Tokens per second of one user, once its answer has begun."""
        return 1 / self.tpot

    @property
    def per_chip(self) -> Array:
        """Output tokens per second and paid chip."""
        return self.rate / self.chips

    @property
    def per_mtok(self) -> Array:
        """Dollars per million output tokens, their prompts included."""
        return self.dollars / self.rate * 1e6


@dataclass(frozen=True)
class Timed:
    """Layouts of the same dimensions, timed: rows are layouts, columns batches.

    Attributes
    ----------
    numbers : array of int
        Of the layouts in the space.
    batch : array
        Sequences of one micro-batch. [sequences] [layouts, batches]
    workload : Workload
    seconds : dict
        Times of the passes of `loads`. [s]
    served : Served
        What requests of a micro-batch see.
    floors : Floors
        What no machine beats. [s]
    stages, chips : array
        Micro-batches in flight, and chips, of a replica. [1, chips] [layouts, 1]
    """

    numbers: NDArray[np.intp]
    batch: Array
    workload: Workload
    seconds: dict[str, Array]
    served: Served
    floors: Floors
    stages: Array
    chips: Array


def timed(where: Setting, space: Space, batches: Array | None = None) -> list[Timed]:
    """Time every layout of a space at every batch, or at those given. [layouts, batches]

    Parameters
    ----------
    where : Setting
    space : Space
    batches : array or None
        Of one micro-batch, a row per layout; None looks at `BATCHES` of each. [sequences]

    Notes
    -----
    Layouts of the same dimensions go through `step_time` as one Step with columns for coefficients.
    """
    alike: dict[Dimensions, list[int]] = defaultdict(list)
    for i, layout in enumerate(space.layouts):
        if batches is None or batches[i].max() > (1 if batches.shape[1] > 1 else 0):
            alike[layout.dimensions].append(i)
    return [_timed(where, space, np.array(numbers, dtype=np.intp), batches) for numbers in alike.values()]


def at_limits(where: Setting, space: Space, parts: Sequence[Timed], ttft: float | None, tpot: float | None) -> Array:
    """Return for every layout the batches at which it just meets the limits, between those looked at. [layouts, 3]

    Parameters
    ----------
    parts : sequence of Timed
        Of `timed`.
    ttft, tpot : float or None
        [s]

    Notes
    -----
    By interpolation on logarithms, one in a thousand to the safe side: TPOT with prompts in the way, TPOT of a pool for
    answers, TTFT. Layouts that take more than `search_near` times the chip-seconds per token of the best one at its limit keep 1: finer
    batches cannot make them win.
    """
    found = np.ones((len(space.layouts), 3))
    spent = np.full((len(space.layouts), 3), np.inf)
    for t in parts:
        alone = np.broadcast_to(t.seconds["decode"] / decode_tokens(where), t.batch.shape)
        for column, (values, limit) in enumerate(((t.served.tpot, tpot), (alone, tpot), (t.served.ttft, ttft))):
            if limit is not None:
                batch = _crossing(t.batch, np.broadcast_to(values, t.batch.shape), limit)
                found[t.numbers, column] = batch
                each = (t.chips / t.stages)[:, 0] / batch  # a step takes about as long at the same limit
                spent[t.numbers, column] = np.where(batch > 1, each, np.inf)
    near = (spent <= default("search_near") * spent.min(axis=0)).any(axis=1)
    return np.sort(np.where(near[:, None], found, 1.0), axis=1)


def _crossing(batch: Array, values: Array, limit: float) -> Array:
    """Return the largest batch of each row whose value is at most the limit; 1 where none or all are."""
    good = values <= limit
    rows = np.arange(len(batch))
    last = np.where(good.any(axis=1), good.shape[1] - 1 - np.argmax(good[:, ::-1], axis=1), 0)
    inside = good[rows, last] & (last < good.shape[1] - 1)
    after = np.minimum(last + 1, good.shape[1] - 1)
    low, high, a, b = batch[rows, last], batch[rows, after], values[rows, last], values[rows, after]
    share = np.log(limit / a) / np.log(np.maximum(b / a, 1 + 1e-9))
    between = low * (high / low) ** np.clip(share, 0.0, 1.0)
    return np.where(inside, np.maximum(np.floor(between * 0.999), 1.0), 1.0)


def _timed(where: Setting, space: Space, numbers: NDArray[np.intp], batches: Array | None) -> Timed:
    layouts = [space.layouts[i] for i in numbers]
    columns = LayoutColumns.of(layouts)
    step = build_step(where.model, columns, where.system.adds_in_network)
    stages = space.stages[numbers][:, None]
    most = np.array([min(space.accounts[i].holds, _MOST) for i in numbers])[:, None] / stages
    batch = np.floor(np.maximum(most, 1.0) ** np.linspace(0.0, 1.0, BATCHES) + 1e-9)
    if batches is not None:
        batch = batches[numbers]
    load = workload(where, columns, batch)
    waits = np.array([[beat(where, x, n)] for x, n in zip(layouts, stages[:, 0].tolist(), strict=True)])
    loads = passes_of(where, load)
    seconds = pass_times(where, where.passes(step), loads, waits)
    served = LOOPS[load.kind].served(load, seconds, where.numbers, 0.0)
    ideal = ideal_times(where.passes(step, ideal=True), loads)
    return Timed(
        numbers, batch, load, seconds, served, floors(load, ideal, where.chunk, served.decoding), stages, columns.chips
    )


def together(where: Setting, space: Space, parts: Sequence[Timed]) -> Points:
    """Return the points of replicas that compute prompts and answers on the same chips.

    Notes
    -----
    Every micro-batch of a pipeline is a closed loop of its own, as long as one pass through all stages.
    """
    return Points.joined([_together(where, space, t) for t in parts])


def _together(where: Setting, space: Space, t: Timed) -> Points:
    found = t.served
    layouts = [space.layouts[i] for i in t.numbers]
    replicas = np.array([float(where.replicas(x.chips)) for x in layouts])[:, None]
    paid = where.paid(t.chips * replicas)
    shape = t.batch.shape
    rows = {
        "layout": t.numbers[:, None], "prompt_layout": np.full((1, 1), -1), "replicas": replicas,
        "prompt_replicas": np.zeros((1, 1)), "batch": t.batch * t.stages, "chips": paid, "ttft": found.ttft,
        "tpot": found.tpot, "request": found.request, "rate": found.output_rate * t.stages * replicas,
        "tpot_floor": t.floors.tpot, "ttft_floor": t.floors.ttft, "dollars": paid * (where.system.price or np.nan),
        "within": where.covers(t.batch * t.stages * replicas, t.chips),
    }  # fmt: skip
    fresh = np.diff(t.batch, axis=1, prepend=0.0).reshape(-1) > 0  # small memories repeat small batches
    return Points.spread(shape, rows).take(fresh)
