"""Prices read backwards: the step at a context threshold, the output/input ratio, the cache premium (lecture 7)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

Real = Any  # a float or a NumPy array; everything broadcasts


def kv_bytes_from_step(n_active: Real, step_context: Real, ratio: Real, bytes_per_parameter: Real = 1.0) -> Real:
    """Return k, cache bytes per token, from the context where a provider's price steps up (lecture E22, SYS-F1).

    Parameters
    ----------
    n_active : float or array
        Parameters touched per token. [parameters]
    step_context : float or array
        Context at which the price rises, taken as the point where KV reads equal compute. [tokens]
    ratio : float or array
        H: 300 in the lecture's mode, exact from E6. [1]
    bytes_per_parameter : float or array
        w; 1 in the lecture's mode and for FP8, 0.5 for FP4, 2 for BF16. [bytes/parameter]

    Notes
    -----
    k = N_active w / (H L). A lower bound on what is known: the price step need not sit exactly at the kink.
    """
    return n_active * bytes_per_parameter / (ratio * step_context)


def kv_bytes_from_slope(rise: Real, contexts: Real, bandwidth: Real, dollars_per_second: Real) -> Real:
    """Return k, cache bytes per token, from how the price of output rises over context (lecture E3, E4 by context).

    Parameters
    ----------
    rise : float or array
        Of the output price between two tiers. [$/token]
    contexts : float or array
        Between the upper edges of the two: the longest contexts that each must pay for. [tokens]
    bandwidth : float or array
        Of a chip's memory. [bytes/s]
    dollars_per_second : float or array
        Rent of the chip. [$/s]

    Notes
    -----
    Reading the cache costs k L / bandwidth x rent for a token, whatever the batch: k = (dP/dL) x bandwidth / rent. What is
    asked above cost (margin, idle chips, bandwidth not reached) makes k too high by that factor; attention that reads less
    than it stores, and tiers below their cost, make it too low.
    """
    return rise / contexts * bandwidth / dollars_per_second


def prefill_attention_context(n_active: Real, flops_per_pair: Real) -> Real:
    """Return the length of a prompt whose attention takes as many FLOPs as its weights (lecture 2.3 [D], with the causal half).

    Parameters
    ----------
    n_active : float or array
        Parameters touched per token. [parameters]
    flops_per_pair : float or array
        Of one token attending to another, all layers: 4 heads d_head layers for plain attention. [FLOP]

    Notes
    -----
    A token of a prompt of L tokens attends to L/2 on average: flops_per_pair L/2 = 2 N_active.
    """
    return 4 * n_active / flops_per_pair


def attention_context_from_step(ratio: Real, low: Real, high: Real) -> Real:
    """Return the prompt at which attention would equal the weights' work if it alone explained a step of the input price.

    Parameters
    ----------
    ratio : float or array
        Input price of the upper tier over that of the lower one. [times]
    low, high : float or array
        Upper edges of the two tiers. [tokens]

    Notes
    -----
    Work per token is 1 + L/Lq: (1 + high/Lq)/(1 + low/Lq) = ratio. Infinite where the price does not rise, 0 or less
    where it rises more than the context: attention cannot explain that.
    """
    rise = np.asarray(ratio, dtype=float) - 1
    with np.errstate(divide="ignore"):
        found = np.where(rise > 0, (high - (rise + 1) * low) / np.where(rise > 0, rise, 1.0), np.inf)
    return float(found) if found.ndim == 0 else found


@dataclass(frozen=True, slots=True)
class Shape:
    """A cache shape that would give about the inferred bytes per token."""

    layers: int
    head_dim: int
    kv_heads: int
    kv_bytes: float
    relative: float


def candidate_shapes(
    kv_bytes: float,
    bytes_per_element: float = 1.0,
    tolerance: float = 0.25,
    layers: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32),
    head_dims: tuple[int, ...] = (64, 128, 256),
    kv_heads: tuple[int, ...] = (1, 2, 4, 8),
) -> list[Shape]:
    """Return (unique layers, head dimension, KV heads) whose cache is within `tolerance` of `kv_bytes` (lecture E23).

    Parameters
    ----------
    kv_bytes : float
        The inferred cache. [bytes/token]
    bytes_per_element : float
        Of a cached number. [bytes]
    tolerance : float
        How far from `kv_bytes` a shape may be. [share]
    layers : tuple of int
        Numbers of layers with a cache of their own to try. [layers]
    head_dims, kv_heads : tuple of int
        Head dimensions and numbers of KV heads to try. [1]

    Returns
    -------
    list of Shape
        Nearest first.
    """
    from headway.models import bytes_per_token_closed_form

    found = [
        Shape(n, d, h, size, size / kv_bytes - 1)
        for n, d, h in product(layers, head_dims, kv_heads)
        if abs((size := bytes_per_token_closed_form(n, d, h, bytes_per_element)) / kv_bytes - 1) <= tolerance
    ]
    return sorted(found, key=lambda s: (abs(s.relative), s.layers))


@dataclass(frozen=True, slots=True)
class RatioReading:
    """What an output/input price ratio says when prices follow cost (lecture E24, SYS-F3)."""

    memory_over_compute: Real
    decode_mfu: Real
    crossover_tokens: Real


def read_price_ratio(output_price: Real, input_price: Real) -> RatioReading:
    """Return what output dearer than input implies: decode's memory time over compute time, its MFU, and the crossover.

    Parameters
    ----------
    output_price, input_price : float or array
        In any one currency. [$/token]

    Notes
    -----
    Prefill is compute bound, decode memory bound: ratio r means t_mem = r t_compute in decode, MFU 1/r of prefill's,
    and passes of r or more tokens per sequence are compute bound.
    """
    ratio = output_price / np.asarray(input_price, dtype=float)
    ratio = float(ratio) if ratio.ndim == 0 else ratio
    return RatioReading(ratio, np.minimum(1.0, 1 / ratio), ratio)


@dataclass(frozen=True, slots=True)
class CachePremium:
    """What a cache write costs above plain input, per second of holding (lecture 7.4 [D], SYS-F8)."""

    per_second: Real
    break_even_hits: Real


def cache_premium(input_price: Real, write_price: Real, hit_price: Real, ttl_seconds: Real) -> CachePremium:
    """Return the premium of a cache write: $ per Mtok and second held, and the hits that pay for it.

    Parameters
    ----------
    input_price, write_price, hit_price : float or array
        [$/Mtok]
    ttl_seconds : float or array
        Time to live. [s]

    Notes
    -----
    (write - input)/ttl; one hit saves input - hit, so (write - input)/(input - hit) hits break even, rounded up.
    """
    extra = write_price - input_price
    return CachePremium(extra / ttl_seconds, hits_to_pay(extra, input_price - hit_price))


def hits_to_pay(extra: Real, saved: Real) -> Real:
    """Return the fewest hits that bring back what a write costs more; infinite where a hit saves nothing. [hits]

    Parameters
    ----------
    extra, saved : float or array
        What a write costs above plain input, and what a hit costs below it. [$/Mtok]

    Notes
    -----
    One at least: without any hit nothing is saved.
    """
    gain = np.asarray(saved, dtype=float)
    least = np.maximum(np.ceil(extra / np.where(gain > 0, gain, 1.0) - 1e-9), 1.0)  # ratios are not exact
    found = np.where(gain > 0, least, np.inf)
    return float(found) if found.ndim == 0 else found
