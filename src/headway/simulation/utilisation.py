"""What the chips did in a simulation: compute and bandwidth used of their peaks, batch, memory, energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headway.hardware import Chip
from headway.roofline import CompiledStep, Load, energy_rates
from headway.roofline.load import Group
from headway.simulation.lanes import Passes

Floats = NDArray[np.float64]
_PIECE = 1 << 16  # runs that are timed together


@dataclass(frozen=True, slots=True)
class Utilisation:
    """Of one replica's chips, an entry per run of passes.

    Attributes
    ----------
    compute, memory : array
        Time that an ideal machine would compute, and read and write memory, for the run. [s]
    """

    compute: Floats
    memory: Floats


def utilisation(ideal: CompiledStep, p: Passes, drafts: int = 0) -> Utilisation:
    """Return what the chips did in every run of passes.

    Parameters
    ----------
    ideal : CompiledStep
        The pass on an ideal machine.
    p : Passes
    drafts : int
        Tokens drafted for each sequence and pass. [tokens]

    Notes
    -----
    MFU is `compute` over the time that has passed, MBU `memory` over it: the busiest chip's useful FLOPs and bytes at peak rates. Those
    that decode count at the mean length of their caches in the middle of the run, prompts of a pass as one sequence from its start.
    """
    found: list[tuple[Floats, Floats]] = []
    for at in range(0, len(p.start), _PIECE):
        piece = slice(at, at + _PIECE)
        count, riders = p.count[piece].astype(float), p.decoding[piece].astype(float)
        new = 1.0 + drafts
        context = p.caches[piece] / np.maximum(riders, 1.0) + (count - 1) / 2
        prompts = p.tokens[piece] / count - riders * new
        one = np.minimum(prompts, 1.0)
        groups = (Group(riders, new, context, new), Group(one, np.maximum(prompts, 1.0), 0.0 * one, 1.0))
        parts = ideal.parts(ideal.sums(Load(groups)))
        shape = count.shape
        found.append((np.broadcast_to(parts.compute, shape) * count, np.broadcast_to(parts.memory, shape) * count))
    if not found:
        return Utilisation(np.zeros(0), np.zeros(0))
    return Utilisation(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def joules(
    chip: Chip, paid: float, work: Sequence[Utilisation], passes: Sequence[Passes], chips: Sequence[float]
) -> float | None:
    """Return the energy of all chips: awake while they are paid, and what memory and arithmetic take; None of unknown power. [J]

    Parameters
    ----------
    chip : Chip
    paid : float
        Chip-seconds. [s]
    work, passes : sequence
        Of each replica.
    chips : sequence of float
        Of each that are at work in a pass. [chips]

    Notes
    -----
    As `roofline.pass_energy`, links left out: a run's ideal seconds of memory and of multiplying, each at its rate, no run above the
    rated power.
    """
    if chip.power is None:
        return None
    rates = energy_rates()
    active, found = (1 - rates.static) * chip.power, rates.static * chip.power * paid
    for u, p, each in zip(work, passes, chips, strict=True):
        moved = rates.memory * chip.bandwidth * u.memory + active * u.compute
        found += each * float(np.minimum(moved, active * p.seconds).sum())
    return found


def token_gaps(p: Passes, first: Floats, end: Floats) -> tuple[Floats, Floats]:
    """Return the times between tokens of one sequence (ITL) on a replica, and how many tokens each stands for.

    Parameters
    ----------
    p : Passes
    first, end : array
        First and last tokens of its requests, NaN of those that have not come. [s]

    Notes
    -----
    A run's passes count at their mean. Before the first pass of a run there may be a pause, in which prompts run in passes of their own or
    a train has not left yet: whoever had a token before it waits for it.
    """
    at = np.flatnonzero(p.decoding > 0)
    begin, stop = p.start[at], (p.start + p.seconds)[at]
    each = (p.seconds / np.maximum(p.count, 1))[at]
    begun, ended = np.sort(first[np.isfinite(first)]), np.sort(end[np.isfinite(end)])
    aboard = np.searchsorted(begun, begin, "right") - np.searchsorted(
        ended, begin, "right"
    )  # without who only keeps its seat
    weights = (aboard * p.count[at]).astype(float)
    later = np.sort(first[np.isfinite(first) & ~(end <= first)])
    run = np.searchsorted(begin, later)  # the run in which a new one has its second token
    later, run = later[run < len(at)], run[run < len(at)]
    gap = begin[run] + each[run] - later
    stayed = aboard - np.bincount(run, minlength=len(at))
    pause = np.concatenate([[0.0], begin[1:] - stop[:-1]]) if len(at) else np.zeros(0)
    waited, paused = gap > each[run] * (1 + 1e-9), (pause > each * 1e-9) & (stayed > 0)
    weights -= np.bincount(run[waited], minlength=len(at)) + stayed * paused
    return (
        np.concatenate([each, gap[waited], (pause + each)[paused]]),
        np.concatenate([weights, np.ones(int(waited.sum())), stayed[paused].astype(float)]),
    )


def weighted_quantile(values: Floats, weights: Floats, share: float) -> float:
    """Return the value below which a share of the weight lies; NaN without any.

    Parameters
    ----------
    values, weights : array
        [any, 1]
    share : float
        [share]
    """
    if not weights.sum() > 0:
        return float("nan")
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][min(np.searchsorted(below, share * below[-1]), len(order) - 1)])
