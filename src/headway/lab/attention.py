"""Attention that runs: what a query sees, plain and in tiles, entries that a query selects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from headway.lab.place import Place, mapped
from headway.models import Reach

Array = Any
_LOW = -1e30  # a score that softmax makes nothing of


class Sums(NamedTuple):
    """Attention before its division: weighted values, weights' sum, and the score that weights are relative to."""

    values: Array
    weights: Array
    top: Array


def sees(reach: Reach, queries: Array, keys: Array) -> Array:
    """Return which keys each query sees by position, whatever it selects among them later.

    Parameters
    ----------
    reach : Reach
    queries, keys : array
        Positions; a key at -1 is none. [batch, queries] and [batch, keys] [tokens]
    """
    q, k = queries[:, :, None], keys[:, None, :]
    seen = (k >= 0) & (k <= q)
    if reach.kind == "window":
        seen &= q - k < int(reach.width)
    elif reach.kind == "chunk":
        seen &= q // int(reach.width) == k // int(reach.width)
    return seen


def attend(q: Array, k: Array, v: Array, seen: Array, scale: float) -> Sums:
    """Return attention with its score matrix in one piece.

    Parameters
    ----------
    q, k, v : array
        [batch, queries, kv heads, queries of each, width]; [batch, keys, kv heads, width], or [batch, queries, keys, ...] where
        each query has selected its own. [1]
    seen : array
        [batch, queries, keys]
    scale : float
        Of scores. [1]
    """
    own = "t" if k.ndim == 5 else ""
    scores = jnp.einsum(f"btkgd,b{own}skd->bkgts", q, k) * scale
    scores = jnp.where(seen[:, None, None], scores, _LOW)
    top = jnp.max(scores, axis=-1)
    weights = jnp.exp(scores - top[..., None]) * seen[:, None, None]
    values = jnp.einsum(f"bkgts,b{own}ske->bkgte", weights, v)
    return Sums(values, jnp.sum(weights, axis=-1), top)


def attend_in_tiles(
    q: Array, k: Array, v: Array, seen: Callable[[Array, Array], Array], scale: float, tile: int
) -> Sums:
    """Return the same without a score matrix in memory: a tile of queries meets one tile of keys after another.

    Parameters
    ----------
    q, k, v : array
        As of `attend`; queries and keys divide into tiles. [1]
    seen : callable
        (numbers of queries, numbers of keys) -> which are seen. [batch, queries, keys]
    scale : float
        Of scores. [1]
    tile : int
        Queries, and keys, of a tile. [1]

    Notes
    -----
    Online softmax (Milakov and Gimelshein 2018; FlashAttention, Dao et al. 2022): sums so far are scaled down whenever a tile
    has a higher score.
    """
    many_keys, many = k.shape[1] // tile, q.shape[1] // tile

    def queries(i: Array) -> Sums:
        mine = lax.dynamic_slice_in_dim(q, i * tile, tile, 1)
        b, _, heads, group, _ = mine.shape
        start = Sums(
            jnp.zeros((b, heads, group, tile, v.shape[-1])), jnp.zeros((b, heads, group, tile)),
            jnp.full((b, heads, group, tile), _LOW),
        )  # fmt: skip

        def keys(sums: Sums, j: Array) -> tuple[Sums, None]:
            part_k, part_v = (lax.dynamic_slice_in_dim(x, j * tile, tile, 1) for x in (k, v))
            mask = seen(i * tile + jnp.arange(tile), j * tile + jnp.arange(tile))
            return joined(sums, attend(mine, part_k, part_v, mask, scale)), None

        return lax.scan(keys, start, jnp.arange(many_keys))[0]

    found = lax.map(queries, jnp.arange(many))
    return mapped(lambda x: jnp.moveaxis(x, 0, 3).reshape(*x.shape[1:4], -1, *x.shape[5:]), found)


def joined(a: Sums, b: Sums) -> Sums:
    """Return the attention over the keys of both."""
    top = jnp.maximum(a.top, b.top)
    x, y = jnp.exp(a.top - top), jnp.exp(b.top - top)
    return Sums(
        a.values * x[..., None] + b.values * y[..., None],
        a.weights * x + b.weights * y,
        top,
    )


def over_chips(sums: Sums, place: Place) -> Sums:
    """Return the attention over the keys of all chips that share a sequence: a maximum and one sum of all that is left."""
    top = place.most(sums.top, "softmax")
    down = jnp.exp(sums.top - top)
    both = jnp.concatenate([sums.values * down[..., None], (sums.weights * down)[..., None]], axis=-1)
    both = place.add_shares(both)
    return Sums(both[..., :-1], both[..., -1], top)


def divided(sums: Sums, sinks: Array | None = None) -> Array:
    """Return attention's outputs [batch, queries, kv heads, queries of each, width].

    Parameters
    ----------
    sums : Sums
    sinks : array or None
        A logit for each query head that takes weight and gives nothing (gpt-oss). [kv heads, queries of each] [1]
    """
    weights = sums.weights
    if sinks is not None:
        weights = weights + jnp.exp(sinks[None, :, :, None] - sums.top)
    return jnp.moveaxis(sums.values / weights[..., None], 3, 1)


def best(scores: Array, seen: Array, count: int) -> tuple[Array, Array]:
    """Return the numbers of the best-scored keys of each query that it sees, and which of them are any.

    Parameters
    ----------
    scores, seen : array
        [batch, queries, keys] [1]
    count : int
        Keys to select. [1]
    """
    found, numbers = lax.top_k(jnp.where(seen, scores, _LOW), min(count, scores.shape[-1]))
    return numbers, found > _LOW / 2


def taken(x: Array, numbers: Array) -> Array:
    """Return each query's own selection of keys or values.

    Parameters
    ----------
    x : array
        [batch, keys, ...] [1]
    numbers : array
        [batch, queries, selected] [1]
    """

    def one(entries: Array, picks: Array) -> Array:
        return entries[picks]

    return jax.vmap(one)(x, numbers)
