"""Fast, standard and slow tiers (lecture 1.1, SYS-A9), and a two-price context tariff (lecture 7.1, SYS-F2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.errors import InputError, PhysicsError

Real = Any  # a float or a NumPy array; everything broadcasts


def implied_batch_cut(price_ratio: Real, speed_ratio: Real) -> Real:
    """Return how much smaller a fast tier's batch is: price ratio x speed ratio (lecture 1.1 [D], SYS-A9).

    Parameters
    ----------
    price_ratio, speed_ratio : float or array
        Fast over standard: price per token, tokens per second and user. [times]

    Notes
    -----
    Same fleet: cost per token T/B rises by the price ratio while T falls by the speed ratio, so B falls by their
    product: 6 x 2.5 = 15.
    """
    return price_ratio * speed_ratio


def fast_price(speed_up: Real, weights: Real, kv_time: Real, compute_time: Real) -> Real:
    """Return the price multiple of a tier that streams `speed_up` times faster, at equal margin; infinite below the floor.

    Parameters
    ----------
    speed_up : float or array
        Tokens per second and user over the standard tier's, above 1. [times]
    weights, kv_time, compute_time : float or array
        Of the standard step: reading weights, reading caches, compute. [s]

    Notes
    -----
    As `tier_at`, over arrays: the faster step is filled with the sequences that memory and compute allow (E1 to E4).
    """
    step = np.maximum(compute_time, weights + kv_time)
    wanted = step / speed_up
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.minimum(np.maximum(wanted - weights, 0.0) / kv_time, wanted / compute_time)  # of the standard batch
        return np.where(share > 0, 1 / (speed_up * share), np.inf)


def weights_share(price_ratio: Real, speed_ratio: Real) -> Real:
    """Return the share of the standard step that reads weights, if a fast tier's price has the same margin (SYS-A9 read back).

    Parameters
    ----------
    price_ratio, speed_ratio : float or array
        Fast over standard: price per token, tokens per second and user. [times]

    Notes
    -----
    Memory-bound on both sides: (step/s - W)/(step - W) = 1/(p s), so W/step = (p - 1)/(p s - 1).
    """
    return (price_ratio - 1) / (price_ratio * speed_ratio - 1)


@dataclass(frozen=True, slots=True)
class SpeedTier:
    """A tier at another batch: its step time, price multiple and speed-up against the standard batch."""

    batch: float
    step_seconds: float
    price_multiple: float
    speed_up: float


def tier_at(speed_up: float, standard_batch: float, weights: float, kv_slope: float, compute_slope: float) -> SpeedTier:
    """Return the batch and price multiple of a tier that streams `speed_up` times faster than the standard batch.

    Parameters
    ----------
    speed_up : float
        Tokens per second and user over the standard tier's; below 1 is a slow tier. [times]
    standard_batch : float
        Sequences per pass of the standard tier. [sequences]
    weights : float
        Time to read the weights: the latency floor. [s]
    kv_slope, compute_slope : float
        Time of KV reads and of compute, per sequence. [s/sequence]

    Raises
    ------
    PhysicsError
        When the wanted step is below the latency floor: no price buys it on this hardware.

    Notes
    -----
    t(B) = max(compute_slope B, weights + kv_slope B) (E1 to E3); price is t/B (E4). Past the balance batch a slower
    tier sits on the cost floor and saves nothing.
    """
    standard = _step(standard_batch, weights, kv_slope, compute_slope)
    wanted = standard / speed_up
    if wanted < weights:
        raise PhysicsError(
            f"a speed-up of {speed_up:g} needs a step of {wanted * 1e3:.3g} ms, below the floor of {weights * 1e3:.3g} ms "
            f"(reading the weights once); at most {standard / weights:.3g}x on this hardware"
        )
    by_memory = (wanted - weights) / kv_slope if kv_slope else np.inf
    batch = float(min(by_memory, wanted / compute_slope))
    if batch <= 0:
        raise PhysicsError(f"a speed-up of {speed_up:g} leaves no time for any sequence above the weight read")
    price = (wanted / batch) / (standard / standard_batch)
    return SpeedTier(batch, wanted, price, speed_up)


def _step(batch: Real, weights: float, kv_slope: float, compute_slope: float) -> Real:
    return np.maximum(compute_slope * batch, weights + kv_slope * batch)


def context_cost(context: Real, goldilocks: Real) -> Real:
    """Return cost per token against context, in units of the compute floor: max(1, L/L*) (lecture 7.1 [D]).

    Parameters
    ----------
    context : float or array
        L. [tokens]
    goldilocks : float or array
        L*, where KV reads take as long as compute. [tokens]
    """
    return np.maximum(1.0, np.asarray(context, dtype=float) / goldilocks)


def covered_context(price: Real, goldilocks: Real) -> Real:
    """Return the context up to which a price multiple covers its cost: price x L* (SYS-F2).

    Parameters
    ----------
    price : float or array
        Price over that of the compute floor. [times]
    goldilocks : float or array
        L*. [tokens]
    """
    return price * goldilocks


def mean_context_cost(low: Real, high: Real, goldilocks: Real) -> Real:
    """Return the mean of max(1, L/L*) over contexts spread evenly from `low` to `high`.

    Parameters
    ----------
    low, high : float or array
        Ends of the range of contexts; of one context its own cost. [tokens]
    goldilocks : float or array
        L*. [tokens]
    """
    knee = np.minimum(np.maximum(goldilocks, low), high)
    wide = np.asarray(high - low) > 0
    span = np.where(wide, high - low, 1.0)
    mean = np.where(wide, ((knee - low) + (high**2 - knee**2) / (2 * goldilocks)) / span, context_cost(low, goldilocks))
    return float(mean) if mean.ndim == 0 else mean


@dataclass(frozen=True, slots=True)
class TariffCheck:
    """Whether a two-price tariff covers its cost at a context."""

    price: Real
    cost: Real

    @property
    def loses(self) -> Any:
        """True where a token costs more than it brings."""
        return self.cost > self.price


def check_tariff(
    context: Real, threshold: float, multiple: float, goldilocks: float, margin: float = 0.0
) -> TariffCheck:
    """Return price and cost at `context` of a tariff that charges 1 up to `threshold` and `multiple` above (SYS-F2).

    Parameters
    ----------
    context : float or array
        L. [tokens]
    threshold : float
        Longest context at the lower price. [tokens]
    multiple : float
        Higher price over the lower one. [times]
    goldilocks : float
        L*. [tokens]
    margin : float
        Share of the price that must remain above cost. [share]

    Raises
    ------
    InputError
        When the margin is no share below 1.
    """
    if not 0 <= margin < 1:
        raise InputError(f"margin: {margin:g}; a share of the price is needed, from 0 to below 1")
    price = np.where(np.asarray(context) <= threshold, 1.0, multiple) * (1 - margin)
    return TariffCheck(price, context_cost(context, goldilocks))
