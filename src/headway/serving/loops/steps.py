"""Decode steps of fewer sequences than run: those that wait for their prompt do not decode."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from headway.numeric import larger, smaller
from headway.serving.loops.workload import Real, Times, Workload

GRID = tuple(4.0**k for k in range(9))  # sequences at which a decode step of split pools is timed
_LESS = 4.0  # times fewer sequences in the second decode step of a closed loop that is timed


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
        return _on_grid(seconds, number)
    less = seconds.get("fewer" if name == "decode" else f"{name} fewer")
    if less is None:
        return whole
    slope = np.maximum(whole - less, 0.0) / np.maximum(w.running - few(w), 1e-9)
    return np.maximum(whole - slope * (w.running - number), np.minimum(less, whole) / _LESS)


def _on_grid(seconds: Times, sequences: Real) -> Real:
    found = np.asarray(seconds.get(f"decode {GRID[0]:g}", seconds.get("decode", 0.0)), dtype=float)
    for low, high in pairwise(GRID):
        ends = [np.asarray(seconds.get(f"decode {g:g}", 0.0), dtype=float) for g in (low, high)]
        timed = (ends[1] > 0) & (np.asarray(sequences) > low)
        slope = np.log(np.where(timed, ends[1], 1.0) / np.where(timed, ends[0], 1.0)) / math.log(high / low)
        found = np.where(timed, ends[0] * (np.maximum(sequences, low) / low) ** np.maximum(slope, 0.0), found)
    return found
