"""A simulation over time: what came, ended, decoded and waited in each of some equal bins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headway.simulation.lanes import Passes
from headway.simulation.results import Simulated
from headway.simulation.run import Log

Floats = NDArray[np.float64]
BINS = 60

# What every run of passes knows of its replica while it lasts. A further column is a line here; JSON and pictures follow.
LEVELS: Mapping[str, Callable[[Passes], NDArray[np.int64]]] = {
    "decoding": lambda p: p.decoding,
    "blocks": lambda p: p.blocks,
}


@dataclass(frozen=True)
class Timeline:
    """A simulation in bins of equal length, all replicas together; no bins where no time passed.

    Attributes
    ----------
    edges : array
        Where the bins begin, and the last one's end. [s]
    arrivals, ends : array of int
        Requests that came, and that had their last token, in each bin. [requests]
    tokens : array
        Output tokens made in each bin; those of a run of passes lie evenly over it. What computes a lost cache again makes
        one, too, of which no record is kept. [tokens]
    busy : array
        Share of the replicas' time with a pass under way. [share]
    waiting, prompting : array
        Requests that have not boarded yet (the way through the server included), and that have no token yet since they did; means
        over the bin. [requests]
    levels : dict
        What passes know (`LEVELS`), by name; means over the bin, 0 while no pass runs. [sequences, blocks]
    """

    edges: Floats
    arrivals: NDArray[np.int64]
    ends: NDArray[np.int64]
    tokens: Floats
    busy: Floats
    waiting: Floats
    prompting: Floats
    levels: dict[str, Floats]

    @property
    def bin(self) -> float:
        """Length of a bin; 0 where there is none. [s]"""
        return float(self.edges[1] - self.edges[0]) if len(self.edges) > 1 else 0.0


def timeline(log: Log, bins: int = BINS) -> Timeline:
    """Return a simulation over time, from the first arrival to its end.

    Parameters
    ----------
    log : Log
    bins : int
        How many. [1]
    """
    edges = moments(log, bins)
    long = np.diff(edges)
    firsts = np.histogram(log.first, edges)[0] if len(long) else 0
    waiting, prompting = under_way(log.arrival, log.start, log), under_way(log.start, log.first, log)
    levels = {name: spread(log, edges, lambda p, of=of: p.seconds * of(p)) / long for name, of in LEVELS.items()}
    return Timeline(
        edges, _counted(log.arrival, edges), _counted(log.end, edges),
        spread(log, edges, lambda p: p.made) + firsts,
        spread(log, edges, lambda p: p.seconds) / (long * max(len(log.passes), 1)),
        waiting.means(edges), prompting.means(edges), levels,
    )  # fmt: skip


def moments(log: Log, bins: int) -> Floats:
    """Return the edges of equal bins from the first arrival to the end; one edge alone where no time passed. [s]

    Parameters
    ----------
    log : Log
    bins : int
        How many. [1]
    """
    came = log.arrival[np.isfinite(log.arrival)]
    first = float(came.min()) if len(came) else log.now
    return np.linspace(first, log.now, bins + 1) if log.now > first else np.array([log.now])


def _counted(when: Floats, edges: Floats) -> NDArray[np.int64]:
    if len(edges) < 2:
        return np.zeros(0, dtype=np.int64)
    return np.histogram(when[np.isfinite(when)], edges)[0].astype(np.int64)


def spread(log: Log, edges: Floats, amounts: Callable[[Passes], NDArray[np.float64] | NDArray[np.int64]]) -> Floats:
    """Return what the passes of all replicas amount to in each bin, the amount of a run evenly over its time. [any]

    Parameters
    ----------
    log : Log
    edges : array
        Of the bins. [s]
    amounts : function
        What each run of a replica's passes amounts to.
    """
    total = np.zeros(max(len(edges) - 1, 0))
    for p in log.passes:
        if not len(p.start):
            continue
        knots, sums = np.empty(2 * len(p.start)), np.zeros(2 * len(p.start))
        knots[::2], knots[1::2] = p.start, p.start + p.seconds
        sums[1::2] = np.cumsum(amounts(p))
        sums[2::2] = sums[1:-1:2]
        total += np.diff(np.interp(edges, np.maximum.accumulate(knots), sums))
    return total


def used_over_time(s: Simulated, edges: Floats) -> dict[str, Floats]:
    """Return MFU and MBU of all replicas in each bin, as `Simulated.used` has them of the whole. [share]

    Parameters
    ----------
    s : Simulated
    edges : array
        Of the bins. [s]
    """
    long = np.diff(edges) * max(len(s.log.passes), 1)
    work = {id(p): u for p, u in zip(s.log.passes, s.work, strict=True)}
    return {
        "mfu": spread(s.log, edges, lambda p: work[id(p)].compute) / long,
        "mbu": spread(s.log, edges, lambda p: work[id(p)].memory) / long,
    }


@dataclass(frozen=True)
class Level:
    """How many there are at every moment: a number that changes in steps.

    Attributes
    ----------
    times : array
        When it changes, in order. [s]
    values : array of int
        What it is from then on. [requests]
    """

    times: Floats
    values: NDArray[np.int64]

    def means(self, edges: Floats) -> Floats:
        """Return its mean in each bin. [requests]

        Parameters
        ----------
        edges : array
            Of the bins. [s]
        """
        if not len(self.times):
            return np.zeros(max(len(edges) - 1, 0))
        area = np.concatenate([[0.0], np.cumsum(self.values[:-1] * np.diff(self.times))])
        return np.diff(np.interp(edges, self.times, area)) / np.diff(edges)


def under_way(since: Floats, until: Floats, log: Log) -> Level:
    """Return how many requests are between two moments of theirs; what has not come to the second lasts to the end.

    Parameters
    ----------
    since, until : array
        Of each request, NaN where it has not come. [s]
    log : Log
        Requests that can never fit are left out.
    """
    there = np.isfinite(since) & ~log.rejected
    begin, end = since[there], until[there]
    end = np.where(np.isfinite(end), end, log.now)
    times = np.concatenate([begin, end])
    steps = np.repeat(np.array([1, -1], dtype=np.int64), len(begin))
    order = np.argsort(times, kind="stable")
    return Level(times[order], np.cumsum(steps[order]))
