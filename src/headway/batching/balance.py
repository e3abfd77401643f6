"""The balance batch: where reading the weights takes as long as multiplying by them (lecture 1.3, 2.1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from headway.errors import InputError

Real = Any  # a float or a NumPy array; everything broadcasts


def sparsity(n_total: Real, n_active: Real) -> Real:
    """Return s = N_total / N_active, at least 1 (the transcript's meaning, lecture DIS-1).

    Parameters
    ----------
    n_total, n_active : float or array
        Stored, and touched per token. [parameters]

    Raises
    ------
    InputError
        When it is below 1: the ratio is inverted.
    """
    return checked_sparsity(n_total / n_active)


def checked_sparsity(value: Real) -> Real:
    """Return `value` if it can be a sparsity (total over active, at least 1).

    Parameters
    ----------
    value : float or array
        Sparsity. [1]

    Raises
    ------
    InputError
        When it is below 1, with the hint about the 37.5 that this slip produces.
    """
    if float(np.min(value)) < 1:
        raise InputError(
            f"sparsity {float(np.min(value)):g} is below 1: it is total over active parameters (DeepSeek 256/32 = 8), "
            "not active over total; the inverted ratio 0.125 gives a batch of 300 x 0.125 = 37.5 instead of 2,400"
        )
    return value


def balance_batch(ratio: Real, s: Real) -> Real:
    """Return B* = H x s, the batch where weight reads and weight multiplies take equally long (lecture E5, SYS-A3).

    Parameters
    ----------
    ratio : float or array
        H, multiply-adds per parameter read: 300 in the lecture's mode, `hardware_ratio` in exact mode (E6). [1]
    s : float or array
        Sparsity N_total / N_active, at least 1. [1]

    Raises
    ------
    InputError
        When the sparsity is below 1.
    """
    return ratio * checked_sparsity(s)


def balance_batch_with_kv(weights_only: Real, context: Real, goldilocks: Real) -> Real:
    """Return the balance batch when KV reads share the bandwidth: B* / (1 - L/L*) (lecture E7).

    Parameters
    ----------
    weights_only : float or array
        B* without KV. [sequences]
    context : float or array
        L. [tokens]
    goldilocks : float or array
        L*, the context at which KV alone takes as long as compute. [tokens]

    Returns
    -------
    float or array
        Infinite where L >= L*: memory bound at every batch, no solution.
    """
    left = 1 - np.asarray(context, dtype=float) / goldilocks
    with np.errstate(divide="ignore"):
        found = np.where(left > 0, weights_only / np.where(left > 0, left, 1.0), np.inf)
    return float(found) if found.ndim == 0 else found


def recommended_range(balance: Real, low: float, high: float) -> tuple[Real, Real]:
    """Return the batch range that practitioners run: 2 to 3 times the balance batch (lecture 1.3, DIS-6).

    Parameters
    ----------
    balance : float or array
        B*. [sequences]
    low, high : float
        Ends of the range over B*. [times]
    """
    return low * balance, high * balance


def batching_penalty(balance: Real, batch: Real) -> Real:
    """Return cost per token over its floor, KV ignored: max(1, B*/B) (lecture 1.2 [D], SYS-A6).

    Parameters
    ----------
    balance, batch : float or array
        B* and B. [sequences]
    """
    return np.maximum(1.0, balance / np.asarray(batch, dtype=float))


def goldilocks_context(n_active: Real, ratio: Real, kv_bytes_per_token: Real, bytes_per_parameter: Real = 1.0) -> Real:
    """Return L*, the context where KV reads take as long as compute (lecture E11, SYS-B1).

    Parameters
    ----------
    n_active : float or array
        Parameters touched per token. [parameters]
    ratio : float or array
        H, multiply-adds per parameter read (300, or exact from E6). [1]
    kv_bytes_per_token : float or array
        k. [bytes/token]
    bytes_per_parameter : float or array
        w; 1 in the lecture's units. [bytes]

    Notes
    -----
    L* = N_active w / (H k).
    """
    return n_active * bytes_per_parameter / (ratio * kv_bytes_per_token)


def mfu_at_context(context: Real, goldilocks: Real) -> Real:
    """Return MFU(L) = min(1, L*/L) at large batch (lecture E11).

    Parameters
    ----------
    context, goldilocks : float or array
        L and L*. [tokens]
    """
    return np.minimum(1.0, goldilocks / np.asarray(context, dtype=float))


def quadratic_context(n_active: Real, kv_bytes_per_token: Real, bytes_per_element: Real, queries_per_kv: Real) -> Real:
    """Return the context where attention's own FLOPs equal the weights' (lecture 2.3 [D], SYS-B5).

    Parameters
    ----------
    n_active : float or array
        Parameters touched per token. [parameters]
    kv_bytes_per_token, bytes_per_element : float or array
        k and the size of one cached element. [bytes/token, bytes]
    queries_per_kv : float or array
        g, query heads per KV head. [1]

    Notes
    -----
    Each cached element is multiplied once per query head of its group: L = N_active w_kv / (g k).
    """
    return n_active * bytes_per_element / (queries_per_kv * kv_bytes_per_token)


def attention_flops_per_token(
    context: Real, kv_bytes_per_token: Real, bytes_per_element: Real, queries_per_kv: Real
) -> Real:
    """Return FLOPs of attention for one new token: 2 g L k / w_kv (lecture 2.3 [D], SYS-B5).

    Parameters
    ----------
    context : float or array
        L. [tokens]
    kv_bytes_per_token, bytes_per_element : float or array
        k and the size of one cached element. [bytes/token, bytes]
    queries_per_kv : float or array
        g, query heads per KV head. [1]
    """
    return 2 * queries_per_kv * context * kv_bytes_per_token / bytes_per_element
