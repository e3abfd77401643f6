"""Where to keep a KV cache between uses: HBM, DDR, flash, disk, or recompute it (lecture 7.4; E25, E26)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.catalog import catalogue
from headway.hardware import drain_time

Real = Any  # a float or a NumPy array; everything broadcasts


@dataclass(frozen=True, slots=True)
class Tier:
    """A place for cached KV.

    Attributes
    ----------
    name : str
    capacity : float
        [bytes]
    bandwidth : float
        Into the chip's memory; infinite for the chip's own. [bytes/s]
    dollars : float
        Rent of the whole device. [$/s]
    own_memory : bool
        The chip's: nothing has to be moved.
    wear : float
        Of the device's life that a written byte takes: its price over the bytes that may be written. [$/byte]
    """

    name: str
    capacity: float
    bandwidth: float
    dollars: float
    own_memory: bool = False
    wear: float = 0.0

    def retrieve(self, kv_bytes: Real) -> Real:
        """Dollars per token to move it into the chip's memory (0 for the chip's own).

        Parameters
        ----------
        kv_bytes : float or array
            k, cache per token. [bytes/token]
        """
        return 0.0 * kv_bytes if self.own_memory else kv_bytes / self.bandwidth * self.dollars

    def hold(self, kv_bytes: Real) -> Real:
        """Dollars per token and second to keep it.

        Parameters
        ----------
        kv_bytes : float or array
            k, cache per token. [bytes/token]
        """
        return kv_bytes / self.capacity * self.dollars

    def store(self, kv_bytes: Real) -> Real:
        """Dollars per token to move it out there: the device as long as bringing it back takes, and its wear.

        Parameters
        ----------
        kv_bytes : float or array
            k, cache per token. [bytes/token]
        """
        return self.retrieve(kv_bytes) + kv_bytes * self.wear

    @property
    def drain(self) -> float:
        """Seconds to read the device once (E26)."""
        return drain_time(self.capacity, self.bandwidth)


@dataclass(frozen=True, slots=True)
class Recompute:
    """Rematerialisation: nothing is kept, the prefill is run again."""

    dollars_per_token: float
    name: str = "recompute"

    def retrieve(self, kv_bytes: Real) -> Real:
        """Dollars per token of running its prefill again.

        Parameters
        ----------
        kv_bytes : float or array
            k, cache per token. [bytes/token]
        """
        return self.dollars_per_token + 0.0 * kv_bytes

    def store(self, kv_bytes: Real) -> Real:
        """Nothing is written.

        Parameters
        ----------
        kv_bytes : float or array
            k, cache per token. [bytes/token]
        """
        return 0.0 * kv_bytes

    def hold(self, kv_bytes: Real) -> Real:
        """Nothing is held.

        Parameters
        ----------
        kv_bytes : float or array
            k, cache per token. [bytes/token]
        """
        return 0.0 * kv_bytes


Option = Tier | Recompute


def catalogue_tiers() -> list[Tier]:
    """Return the catalogue's memory tiers, nearest to the chip first (prices are illustrative: see their status)."""
    table = catalogue().table("memory_tiers")
    return [
        Tier(
            r["name"],
            float(r["capacity_GB"]) * 1e9,
            float(r["bandwidth_GBps"]) * 1e9,
            float(r["usd_per_h"]) / 3600,
            own_memory=r["kind"] == "hbm",
        )
        for r in table.rows
    ]


def recompute_cost(n_active: Real, peak_flops: Real, dollars_per_second: Real) -> Real:
    """Return dollars to recompute one token's KV: 2 N_active / FLOPS x rent (lecture 7.4).

    Parameters
    ----------
    n_active : float or array
        Parameters touched per token. [parameters]
    peak_flops : float or array
        Rate of the chip. [FLOP/s]
    dollars_per_second : float or array
        Rent of the chip. [$/s]
    """
    return 2 * n_active / peak_flops * dollars_per_second


def total_cost(option: Option, kv_bytes: Real, held: Real) -> Real:
    """Return dollars per token to hold `held` seconds and use once: retrieve + tau x hold (lecture E25, SYS-F4).

    Parameters
    ----------
    option : Tier or Recompute
    kv_bytes : float or array
        k. [bytes/token]
    held : float or array
        tau. [s]
    """
    return option.retrieve(kv_bytes) + held * option.hold(kv_bytes)


def cheapest(options: Sequence[Option], kv_bytes: float, held: float) -> Option:
    """Return the option with the least retrieve + hold cost for `held` seconds (lecture E25).

    Parameters
    ----------
    options : sequence of Tier or Recompute
    kv_bytes : float
        k. [bytes/token]
    held : float
        tau. [s]
    """
    return min(options, key=lambda o: float(total_cost(o, kv_bytes, held)))


def crossover(near: Option, far: Option, kv_bytes: float) -> float:
    """Return the hold time beyond which `far` is cheaper than `near`: extra retrieve cost over saved hold cost. [s]

    Parameters
    ----------
    near, far : Tier or Recompute
    kv_bytes : float
        k. [bytes/token]
    """
    saved = float(near.hold(kv_bytes)) - float(far.hold(kv_bytes))
    extra = float(far.retrieve(kv_bytes)) - float(near.retrieve(kv_bytes))
    return extra / saved if saved > 0 else math.inf


def envelope(options: Sequence[Option], kv_bytes: float) -> list[tuple[float, Option]]:
    """Return the cheapest option by hold time: each with the hold time from which on it is (lecture E25, SYS-F4). [s]

    Parameters
    ----------
    options : sequence of Tier or Recompute
    kv_bytes : float
        k. [bytes/token]

    Notes
    -----
    The lower envelope of the straight lines retrieve + tau x hold. An option that is cheapest nowhere is not in it.
    """
    now = min(options, key=lambda o: (float(o.retrieve(kv_bytes)), float(o.hold(kv_bytes))))
    found: list[tuple[float, Option]] = [(0.0, now)]
    while True:
        further = [o for o in options if float(o.hold(kv_bytes)) < float(now.hold(kv_bytes))]
        if not further:
            return found
        after = min(further, key=lambda o: (crossover(now, o, kv_bytes), float(o.hold(kv_bytes))))
        found.append((crossover(now, after, kv_bytes), after))
        now = after


def hbm_against_recompute(n_active: Real, peak_flops: Real, capacity: Real, kv_bytes: Real) -> Real:
    """Return the hold time at which keeping KV in HBM costs as much as recomputing it (lecture 7.4 [D]).

    Parameters
    ----------
    n_active : float or array
        Parameters touched per token. [parameters]
    peak_flops : float or array
        Rate of the chip. [FLOP/s]
    capacity : float or array
        C, the chip's memory. [bytes]
    kv_bytes : float or array
        k, cache per token. [bytes/token]

    Notes
    -----
    (2 N_active / FLOPS) (C / k). It equals L* x drain time: the chip's rent cancels.
    """
    return 2 * n_active / peak_flops * (capacity / kv_bytes)


LECTURE_DRAINS = {"HBM": 0.02, "DDR": 5.0, "flash": 60.0, "disk": 3600.0}  # lecture 7.4: 20 ms, 1-10 s, ~1 min, ~1 h


def tier_of_ttl(ttl_seconds: float, drains: dict[str, float] | None = None) -> tuple[str, float]:
    """Return the tier whose drain time is nearest to a time to live, in log time, and the factor between (E26, SYS-F5).

    Parameters
    ----------
    ttl_seconds : float
        [s]
    drains : dict
        Drain time per tier; the lecture's by default. [s]
    """
    known = drains or LECTURE_DRAINS
    name = min(known, key=lambda n: abs(math.log(known[n] / ttl_seconds)))
    return name, float(np.exp(abs(math.log(known[name] / ttl_seconds))))
