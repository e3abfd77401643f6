"""Decode steps of fewer sequences than run: those that wait for their prompt do not decode."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from headway.numeric import larger, smaller
from headway.serving.loops.workload import Real, Times, Workload

_LESS = 4.0  # times fewer sequences in the second decode step of a closed loop that is timed; from one to the next of a grid
GRID = tuple(_LESS**k for k in range(9))  # sequences at which a decode step of split pools is timed


def few(w: Workload) -> Real:
    """Return the sequences of the second decode step that is timed. [sequences]"""
    return larger(w.running / _LESS, smaller(w.running, 1.0))


def step_of(w: Workload, seconds: Times, number: Real, name: str = "decode") -> Real:
    """Return the time of a decode step of `number` sequences, between those that are timed. [s]

    Parameters
    ----------
    w : Workload
    seconds : mapping
        Times of passes; where it has no other decode steps than that of all that run, theirs is all that is known. [s]
    number : float or array
        That decode. [sequences]
    name : str
        ``decode``, or ``mixed`` for steps that carry prompts, too.

    Notes
    -----
    The closed loops' lie on the line through two of them; those of split pools, where few of many decode, on power laws between the
    neighbours of a grid.
    """
    whole = seconds.get(name, seconds.get("decode", 0.0))
    if w.kind == "disaggregated":
        return on_grid(seconds)(number)
    less = seconds.get("fewer" if name == "decode" else f"{name} fewer")
    if less is None:
        return whole
    slope = np.maximum(whole - less, 0.0) / np.maximum(w.running - few(w), 1e-9)
    return np.maximum(whole - slope * (w.running - number), np.minimum(less, whole) / _LESS)


def on_grid(seconds: Times) -> Callable[[Real], Real]:
    """Return the law of a split pool's decode steps: sequences to seconds.

    Parameters
    ----------
    seconds : mapping
        Times of its passes, those of the grid among them. [s]
    """
    timed = [np.asarray(seconds.get(f"decode {g:g}", 0.0), dtype=float) for g in GRID]
    if not timed[0].any():
        timed[0] = np.asarray(seconds.get("decode", 0.0), dtype=float)
    times = np.stack(np.broadcast_arrays(*timed))
    pairs = times[1:] > 0
    ratios = np.where(pairs, times[1:], 1.0) / np.where(pairs, times[:-1], 1.0)
    slopes = np.concatenate([np.maximum(np.log(ratios), 0.0), np.zeros_like(times[:1])]) / math.log(_LESS)
    last = np.maximum(pairs.sum(axis=0) - 1, 0)

    def at(number: Real) -> Real:
        shape = np.broadcast_shapes(np.shape(number), times.shape[1:])
        below = np.ceil(np.log(np.maximum(number, 1.0)) / math.log(_LESS)) - 1  # points of the grid that are less
        k = np.broadcast_to(np.clip(below, 0, last).astype(int), shape)[None]
        least, slope = (
            np.take_along_axis(np.broadcast_to(x, (len(GRID), *shape)), k, axis=0)[0] for x in (times, slopes)
        )
        low = _LESS ** k[0]
        return least * (np.maximum(number, low) / low) ** slope

    return at
