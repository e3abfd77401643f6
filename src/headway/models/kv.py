"""KV-cache and state bytes of a model: stored, read and appended, each a function of context per kind of layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from headway.errors import InputError
from headway.models.architecture import Architecture

Real = Any  # a float or a NumPy array; everything broadcasts


def kv_bytes_stored(model: Architecture, context: Real) -> Real:
    """Return bytes of cache and recurrent state that one sequence keeps at `context` tokens.

    Parameters
    ----------
    model : Architecture
    context : float or array
        Tokens in the cache. [tokens]
    """
    context = _counted(context)
    cache = sum(n * a.stored_bytes(context) for n, a in model.attends())
    return cache + state_bytes(model)


def _counted(context: Real) -> Real:
    """Refuse a context that is no number of tokens."""
    if not np.all(np.asarray(context) >= 0):
        raise InputError(f"a context of {context} tokens; it must be at least 0")
    return context


def kv_bytes_read(model: Architecture, context: Real) -> Real:
    """Return bytes of cache that one new token of one sequence reads at `context` tokens (state not included).

    Parameters
    ----------
    model : Architecture
    context : float or array
        Tokens in the cache. [tokens]
    """
    context = _counted(context)
    return sum(n * a.read_bytes(context) for n, a in model.attends()) + 0.0 * context


def kv_bytes_per_token(model: Architecture, context: Real) -> Real:
    """Return bytes by which the stored cache grows with one more token at `context`: the lecture's k, per layer kind.

    Parameters
    ----------
    model : Architecture
    context : float or array
        Tokens in the cache. [tokens]
    """
    return kv_bytes_stored(model, context + 1.0) - kv_bytes_stored(model, context)


def kv_bytes_per_further_token(model: Architecture) -> float:
    """Return bytes that every further token of a long context adds, each part in its own format.

    Windows are full by then and add none, save those that are as wide as the model's longest context: they never are.
    """
    growing = ("full", "top-k", "sqrt", "fraction")
    return sum(
        n * a.entry_bytes / a.reach.ratio
        for n, a in model.attends()
        if a.stores and (a.reach.kind in growing or a.reach.width >= model.max_context)
    )


def state_bytes(model: Architecture) -> float:
    """Return bytes of recurrent state per sequence (linear attention, Mamba); 0 for pure attention."""
    return sum(x.count * x.state.bytes for x in model.layers if x.state)


def bytes_per_token_closed_form(
    unique_layers: Real, head_dim: Real, kv_heads: Real, bytes_per_element: Real = 1.0, sparse_divisor: Real = 1.0
) -> Real:
    """Return k, KV-cache bytes per token of context, from shapes (lecture E23, SYS-B3).

    Parameters
    ----------
    unique_layers : float or array
        Layers that keep a cache of their own (cross-layer sharing lowers it). [layers]
    head_dim, kv_heads : float or array
        Width of a head; number of KV heads. [1]
    bytes_per_element : float or array
        [bytes]; the lecture uses 1.
    sparse_divisor : float or array
        Divisor for sparse reading; 1 for dense attention. [1]

    Notes
    -----
    k = layers x 2 x d_head x n_kv_heads x bytes / divisor; 2 for K and V.
    """
    return unique_layers * 2 * head_dim * kv_heads * bytes_per_element / sparse_divisor
