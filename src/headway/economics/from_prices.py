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
    return CachePremium(extra / ttl_seconds, np.ceil(extra / (input_price - hit_price)))
