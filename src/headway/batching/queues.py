"""Queues before seats and servers, in closed form: how much room a request rate needs so that few wait."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Real = Any  # a float or a NumPy array; everything broadcasts


def erlang_c(servers: int, load: float) -> float:
    """Return the chance that an arrival waits: Poisson arrivals, so many servers, exponential service (Erlang 1917).

    Parameters
    ----------
    servers : int
        c, seats of a batch or replicas that compute prompts. [1]
    load : float
        a, arrival rate x mean time in service. [servers busy on average]

    Returns
    -------
    float
        1 where the load is at least the servers: the queue grows.

    Notes
    -----
    B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1)); C = B / (1 - (a/c)(1 - B)).
    """
    if load >= servers:
        return 1.0
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


_EXACT = 64  # servers up to which arrays go through Erlang's recursion; beyond, the limit law is within 0.02


def waiting_chance(servers: Real, load: Real) -> Real:
    """Return Erlang's chance of waiting on arrays: his recursion, and for many servers its limit (Halfin and Whitt 1981).

    Parameters
    ----------
    servers : float or array
        c. [1]
    load : float or array
        a, arrival rate x mean time in service. [servers busy on average]

    Notes
    -----
    The limit, with b = (c - a)/sqrt(a): 1 / (1 + b Phi(b)/phi(b)).
    """
    c, a = np.broadcast_arrays(np.asarray(servers, dtype=float), np.maximum(np.asarray(load, dtype=float), 1e-12))
    b = np.clip((c - a) / np.sqrt(a), 0.0, 35.0)
    density = np.exp(-(b**2) / 2) / math.sqrt(2 * math.pi)
    found = 1 / (1 + b * _normal(b) / np.maximum(density, 1e-300))
    few = (c <= _EXACT) & (a < c)
    if few.any():
        blocked, most = np.ones(int(few.sum())), c[few]
        for k in range(1, int(most.max()) + 1):
            blocked = np.where(k <= most, a[few] * blocked / (k + a[few] * blocked), blocked)
        found = np.array(found)
        found[few] = blocked / (1 - a[few] / most * (1 - blocked))
    return np.where(a < c, found, 1.0)


def _normal(x: Real) -> Real:
    """Distribution function of the normal law for x >= 0 (Abramowitz and Stegun 26.2.17, error below 1e-7)."""
    t = 1 / (1 + 0.2316419 * x)
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    return 1 - np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) * series


def mean_queue_wait(chance: Real, servers: Real, load: Real, service: Real, alike: bool = False) -> Real:
    """Return the mean wait before service. [s]

    Parameters
    ----------
    chance : float or array
        That an arrival waits. [share]
    servers, load : float or array
        c and a; infinite wait where a >= c. [1]
    service : float or array
        Mean time in service. [s]
    alike : bool
        All services take the same time (prompts of one length): half the wait (Allen and Cunneen's factor).
    """
    free = np.asarray(servers - load, dtype=float)
    wait = chance * service / np.where(free > 0, free, np.nan) * (0.5 if alike else 1.0)
    return np.where(free > 0, wait, np.inf)
