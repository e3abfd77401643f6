"""From the parts of a pass to its time, and back: the one place where kernels, network and overheads are joined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from headway.numeric import plain, smaller

Real = Any  # a float or a NumPy array; everything broadcasts

_LEAST = 1e-300  # seconds: keeps a kernel that does nothing from dividing by nothing
CACHES = ("attention", "state")  # kinds of kernel whose memory traffic is caches and states, not weights


def corner(compute: float, memory: float, knee: float) -> float:
    """Return `together` of single numbers, without asking whether they are.

    Parameters
    ----------
    compute, memory, knee : float
        As of `together`. [s, s, 1]
    """
    longer, shorter = (compute, memory) if compute >= memory else (memory, compute)
    if shorter <= 0 or knee <= 0:
        return longer
    soft = knee if knee > 1e-3 else 1e-3
    return longer * (1.0 + (shorter / longer) ** (1.0 / soft)) ** soft


def together(compute: Real, memory: Real, knee: Real) -> Real:
    """Return the time of two overlapping machines: their maximum, softened at the corner (measured on GEMMs).

    Parameters
    ----------
    compute, memory : float or array
        Each as if it ran alone. [s]
    knee : float or array
        Softness of the corner: 0 is the maximum, 1 the sum. [1]

    Notes
    -----
    (a^p + b^p)^(1/p) with p = 1/knee: at a = b it is 2^knee times the maximum, far from the corner the maximum.
    """
    if plain(compute) and plain(memory) and plain(knee):
        return corner(compute, memory, knee)
    longer, shorter = np.maximum(compute, memory), np.minimum(compute, memory)
    if not np.any(knee):
        return longer
    soft = np.maximum(knee, 1e-3)
    with np.errstate(divide="ignore"):  # through logarithms: twice as fast as two powers
        grown = np.log(shorter / np.maximum(longer, _LEAST))
    grown = np.exp(soft * np.log1p(np.exp(grown / soft)))
    return longer * (grown if plain(knee) else np.where(np.asarray(knee) > 0, grown, 1.0))


def pass_seconds(busy: Real, network: Real, overhead: Real, overlap: Real) -> Real:
    """Return the time of a pass: its kernels, the network as far as it is not hidden behind them, and its overheads. [s]

    Parameters
    ----------
    busy, network, overhead : float or array
        Kernels one after another; collectives on the wire; launches, latencies, scheduling. [s]
    overlap : float or array
        Share of the communication that hides behind kernels; it can hide behind no more than there is. [share]
    """
    return busy + network - overlap * smaller(busy, network) + overhead


@runtime_checkable
class Timed(Protocol):
    """What is needed of a row's time; `RowTime` is one."""

    @property
    def kind(self) -> str:
        """Kind of kernel, or ``collective``."""
        ...

    @property
    def compute(self) -> Any:
        """Seconds of multiplying alone."""
        ...

    @property
    def memory(self) -> Any:
        """Seconds of moving alone."""
        ...

    @property
    def busy(self) -> Any:
        """Seconds of both together."""
        ...


class Resources(NamedTuple):
    """A pass's seconds by what they are spent on; they sum to the pass.

    Attributes
    ----------
    compute : float or array
        Kernels whose multiplying takes longer than their moving. [s]
    weights, cache : float or array
        Kernels that wait for weights (and activations); for caches and states. [s]
    network : float or array
        Communication that nothing hides. [s]
    overhead : float or array
        Launches, latencies, scheduling. [s]
    """

    compute: Real
    weights: Real
    cache: Real
    network: Real
    overhead: Real

    @property
    def total(self) -> Real:
        """The pass. [s]"""
        return sum(self)


def by_resource(rows: Iterable[Timed], seconds: Real, overhead: Real) -> Resources:
    """Return what a pass's seconds are spent on, from its kernels (collectives among the rows are passed over).

    Parameters
    ----------
    rows : iterable of RowTime
    seconds, overhead : float or array
        Of the whole pass. [s]
    """
    compute, weights, cache = 0.0, 0.0, 0.0
    for r in rows:
        if r.kind == "collective":
            continue
        in_compute, in_memory = split(r.compute, r.memory, r.busy)
        compute = compute + in_compute
        if r.kind in CACHES:
            cache = cache + in_memory
        else:
            weights = weights + in_memory
    return Resources(compute, weights, cache, seconds - overhead - compute - weights - cache, overhead)


def split(compute: Real, memory: Real, busy: Real) -> tuple[Real, Real]:
    """Return a kernel's time as (spent on compute, spent on memory): all of it goes to the longer of the two.

    Parameters
    ----------
    compute, memory : float or array
        Each as if it ran alone. [s]
    busy : float or array
        Both together. [s]
    """
    if plain(compute) and plain(memory):
        return (busy, 0.0) if compute >= memory else (0.0, busy)
    longer = np.asarray(compute) >= memory
    return np.where(longer, busy, 0.0), np.where(longer, 0.0, busy)


def largest(compute: Real, memory: Real, network: Real, overhead: Real) -> Any:
    """Return the name of the largest of four times; an array of names for arrays.

    Parameters
    ----------
    compute, memory, network, overhead : float or array
        Each as if it ran alone. [s]
    """
    names = np.array(["compute", "memory", "network", "overhead"])
    stacked = np.stack(np.broadcast_arrays(compute, memory, network, overhead))
    best = names[np.argmax(stacked, axis=0)]
    return str(best) if best.ndim == 0 else best
