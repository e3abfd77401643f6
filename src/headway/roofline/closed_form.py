"""The lecture's closed-form roofline (E1 to E3): two rates, three times, one maximum. `step_time` on one row equals it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Real = Any  # a float or a NumPy array; everything broadcasts


@dataclass(frozen=True, slots=True)
class Roofline:
    """Times of one decode pass by the lecture's formulas. [s]"""

    compute: Real
    weights: Real
    kv: Real

    @property
    def memory(self) -> Real:
        """Weights plus KV: the sum, not the larger (lecture DIS-3)."""
        return self.weights + self.kv

    @property
    def seconds(self) -> Real:
        """The larger of compute and memory (E1)."""
        return np.maximum(self.compute, self.memory)

    @property
    def bound(self) -> Any:
        """``compute`` or ``memory``."""
        found = np.where(self.compute >= self.memory, "compute", "memory")
        return str(found) if found.ndim == 0 else found

    @property
    def mfu(self) -> Real:
        """Model FLOPs utilisation: compute time over step time."""
        return self.compute / self.seconds


def roofline(
    batch: Real,
    context: Real,
    kv_bytes_per_token: Real,
    n_active: Real,
    n_total: Real,
    bytes_per_parameter: Real,
    peak_flops: Real,
    bandwidth: Real,
) -> Roofline:
    """Return the decode step's times with vendor FLOPs, 2 per multiply-add (lecture E1 to E3, E6; SYS-A1).

    Parameters
    ----------
    batch : float or array
        B, sequences in the pass, one new token each. [sequences]
    context : float or array
        L, tokens in each sequence's cache. [tokens]
    kv_bytes_per_token : float or array
        k. [bytes]
    n_active, n_total : float or array
        Parameters touched per token; stored. [parameters]
    bytes_per_parameter : float or array
        w. [bytes]
    peak_flops, bandwidth : float or array
        Of all chips used in parallel. [FLOP/s, bytes/s]

    Notes
    -----
    t_compute = 2 B N_active / FLOPS; t_memory = (N_total w + B L k) / BW; t >= max of the two.
    """
    compute = 2 * batch * n_active / peak_flops
    return Roofline(
        compute, n_total * bytes_per_parameter / bandwidth, batch * context * kv_bytes_per_token / bandwidth
    )


def roofline_lecture_units(
    batch: Real, context: Real, kv_bytes_per_token: Real, n_active: Real, n_total: Real, ratio: Real, bandwidth: Real
) -> Roofline:
    """Return the same in the lecture's units: parameters are bytes, compute runs at `ratio` x bandwidth, no factor 2.

    Parameters
    ----------
    batch : float or array
        B, sequences in the pass, one new token each. [sequences]
    context : float or array
        L, tokens in each sequence's cache. [tokens]
    kv_bytes_per_token : float or array
        k. [bytes]
    n_active, n_total : float or array
        Parameters touched per token; stored. [parameters]
    ratio : float or array
        H, multiply-adds per second over parameters read per second; the lecture takes 300. [1]
    bandwidth : float or array
        Of memory; a parameter is one byte. [bytes/s]
    """
    compute = batch * n_active / (ratio * bandwidth)
    return Roofline(compute, n_total / bandwidth, batch * context * kv_bytes_per_token / bandwidth)


def movement_energy(batch: Real, move: Real = 1000.0, multiply: Real = 1.0) -> Real:
    """Return energy per use of a weight that is moved once and used by the whole batch (lecture 9, SYS-H5).

    Parameters
    ----------
    batch : float or array
        Uses per move. [1]
    move, multiply : float or array
        Energy to move and to multiply one value, in any one unit (default: the toy model's). [pJ]
    """
    return multiply + move / batch
