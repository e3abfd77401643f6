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
from headway.simulation.run import Log

Floats = NDArray[np.float64]
_PIECE = 1 << 16  # runs that are timed together


@dataclass(frozen=True, slots=True)
class Utilisation:
    """Of one replica's chips, an entry per run of passes.

    Attributes
    ----------
    compute, memory : array
        Time that an ideal machine's average chip would compute, and read and write memory, for the run. [s]
    """

    compute: Floats
    memory: Floats


@dataclass(frozen=True, slots=True)
class Prompts:
    """Prompts whose tokens the passes compute, summed up; those of two pieces of a run add.

    Attributes
    ----------
    tokens : float
        That are computed. [tokens]
    pairs, found : float
        Sums over prompts of the computed tokens times these, and times those found before them. [tokens^2]
    """

    tokens: float = 0.0
    pairs: float = 0.0
    found: float = 0.0

    @classmethod
    def of(cls, log: Log) -> Prompts:
        """Return the sums of those that have boarded."""
        begun = np.isfinite(log.start)
        found = log.cached[begun].astype(float)
        fresh = log.requests.prompt[begun] - found
        return cls(float(fresh.sum()), float(fresh @ fresh), float(fresh @ found))

    def __add__(self, other: Prompts) -> Prompts:
        return Prompts(self.tokens + other.tokens, self.pairs + other.pairs, self.found + other.found)

    def among(self, tokens: Floats) -> Group:
        """Return the prompts of passes: alike, each token with as much attention and cache as all have on average.

        Parameters
        ----------
        tokens : array
            Of prompts in each pass; pieces of a prompt count as that part of it. [tokens]
        """
        if not self.tokens > 0:  # nothing known of them yet: one
            return Group(np.minimum(tokens, 1.0), np.maximum(tokens, 1.0), 0.0, 1.0)
        length = self.pairs / self.tokens
        return Group(tokens / length, length, self.found / self.tokens, 1.0)


def utilisation(ideal: CompiledStep, p: Passes, drafts: int, prompts: Prompts) -> Utilisation:
    """Return what the chips did in every run of passes.

    Parameters
    ----------
    ideal : CompiledStep
        The pass on an ideal machine.
    p : Passes
    drafts : int
        Tokens drafted for each sequence and pass. [tokens]
    prompts : Prompts
        Whose tokens the passes compute beside those that decode.

    Notes
    -----
    MFU is `compute` over the time that has passed, MBU `memory` over it: useful FLOPs and bytes at peak rates, of data-parallel groups
    the mean. Those that decode count at the mean length of their caches in the middle of the run; of prompts, so many as the tokens of a
    pass make, pieces of one counting as that part of it.
    """
    found: list[tuple[Floats, Floats]] = []
    for at in range(0, len(p.start), _PIECE):
        piece = slice(at, at + _PIECE)
        count, riders = p.count[piece].astype(float), p.decoding[piece].astype(float)
        new = 1.0 + drafts
        context = p.caches[piece] / np.maximum(riders, 1.0) + (count - 1) / 2
        tokens = np.maximum(p.tokens[piece] / count - riders * new, 0.0)
        groups = (Group(riders, new, context, new), prompts.among(tokens))
        sums = ideal.sums(Load(groups))
        parts = ideal.parts(sums._replace(singles=[0.0] * len(sums.totals)))  # no group counts as the busiest
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
