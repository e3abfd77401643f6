"""Racks in closed form: experts on a domain (lecture 3.2), all-to-all across racks (3.3), domain sizes and cables (3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.errors import InputError

Real = Any  # a float or a NumPy array; everything broadcasts


@dataclass(frozen=True, slots=True)
class ExpertPlacement:
    """Experts laid on the chips of one scale-up domain."""

    used: int
    idle: int
    per_chip: int

    @property
    def idle_share(self) -> float:
        """Share of the chips left out."""
        return self.idle / (self.used + self.idle)


def largest_divisor(number: int, most: int) -> int:
    """Return the largest divisor of `number` that is at most `most`.

    Parameters
    ----------
    number, most : int
        [1]
    """
    return max(d for d in range(1, min(number, most) + 1) if number % d == 0)


def nearest_divisor(number: int, wanted: int) -> int:
    """Return the divisor of `number` that is nearest to `wanted`, the larger of two.

    Parameters
    ----------
    number, wanted : int
        [1]
    """
    return min((d for d in range(1, number + 1) if number % d == 0), key=lambda d: (abs(d - wanted), -d))


def place_experts(experts: int, chips: int) -> ExpertPlacement:
    """Return how `experts` lie on `chips`: the largest divisor that fits is used, the rest idle (lecture 3.2, SYS-C2).

    Parameters
    ----------
    experts : int
        [experts]
    chips : int
        [chips]

    Raises
    ------
    InputError
        When either number is below 1.
    """
    if experts < 1 or chips < 1:
        raise InputError(f"experts {experts} and chips {chips} must both be at least 1")
    used = largest_divisor(experts, chips)
    return ExpertPlacement(used, chips - used, experts // used)


def crossing_fraction(racks: Real) -> Real:
    """Return the share of uniformly routed tokens that leave their rack: (R-1)/R (lecture 3.3).

    Parameters
    ----------
    racks : int or array
        R. [1]
    """
    return (racks - 1) / racks


def all_to_all_slowdown(racks: Real, bandwidth_ratio: Real = 8.0) -> Real:
    """Return the time of an all-to-all over R racks relative to one rack (lecture 3.3, SYS-C4).

    Parameters
    ----------
    racks : int or array
        R. [1]
    bandwidth_ratio : float or array
        Scale-up over scale-out bandwidth; the lecture's 8. [times]

    Notes
    -----
    max(1/R, ratio (R-1)/R): the share that leaves runs at 1/ratio speed and is the bottleneck.
    """
    return np.maximum(1 / racks, bandwidth_ratio * crossing_fraction(racks))


def hops(same_chip: bool, same_rack: bool) -> int:
    """Return switch hops between two chips: 0 on itself, 2 inside a rack (chip, switch, chip), 4 across racks."""
    return 0 if same_chip else 2 if same_rack else 4


@dataclass(frozen=True, slots=True)
class Domain:
    """A scale-up domain (lecture 3.4, SYS-C5)."""

    chips: Real
    memory_per_chip: Real
    bandwidth_per_chip: Real
    cables_per_chip: Real

    @property
    def memory(self) -> Real:
        """Bytes of memory of the domain."""
        return self.chips * self.memory_per_chip

    @property
    def bandwidth(self) -> Real:
        """Bytes per second of memory bandwidth of the domain."""
        return self.chips * self.bandwidth_per_chip

    @property
    def cables(self) -> Real:
        """Cables in the rack: every chip reaches every switch, so doubling chips doubles cables (the tightest limit)."""
        return self.chips * self.cables_per_chip


def scale_up_over_scale_out(
    active_experts: Real, layers_per_stage: Real, bandwidth_ratio: Real = 8.0, both_ways: bool = True
) -> Real:
    """Return time in the rack's network over time between racks for a pipeline of racks (lecture E12, SYS-D1).

    Parameters
    ----------
    active_experts : int or array
        Activated experts per token (copies sent). [experts]
    layers_per_stage : int or array
        Layers between rack changes. [layers]
    bandwidth_ratio : float or array
        Scale-up over scale-out bandwidth. [times]
    both_ways : bool
        Count dispatch and combine (the factor 2); False gives the lecture's first attempt.

    Notes
    -----
    (1/ratio) x 2 x n_activated x layers >= 1 means that the precious scale-up network is the slower one, as wanted.
    """
    return (2 if both_ways else 1) * active_experts * layers_per_stage / bandwidth_ratio


def dispatch_bytes(tokens: Real, hidden: Real, active: Real, bytes_per_element: Real = 1.0) -> Real:
    """Return what a chip sends to have its tokens reach their experts, each copy by itself (lecture E12): T k h bytes.

    Parameters
    ----------
    tokens, hidden, active : float or array
        New tokens of the chip; width; activated experts per token. [tokens, 1, experts]
    bytes_per_element : float or array
        1 for FP8 dispatch, 2 for 16-bit; combine is 16-bit. [bytes]
    """
    return tokens * active * hidden * bytes_per_element


def fewest_layers_per_stage(active_experts: Real, bandwidth_ratio: Real = 8.0) -> Real:
    """Return the fewest layers per stage that keep the rack boundary from being the bottleneck (lecture E12).

    Parameters
    ----------
    active_experts : int or array
        Activated experts per token. [experts]
    bandwidth_ratio : float or array
        As in `scale_up_over_scale_out`. [times]
    """
    return np.ceil(bandwidth_ratio / (2 * active_experts))
