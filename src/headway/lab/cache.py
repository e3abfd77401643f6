"""The paged KV cache: pages of entries, tables that say which page a sequence's entries lie in, windows as rings.

An entry is one row of numbers, as many as `Attend.elements` says: keys and values of all KV heads, or a latent. Position p lies
in slot (p // cp) mod slots of chip p mod cp: of a window old entries are overwritten. Keys of an index are stored in 8 bits
with a 32-bit scale for every 128, as every engine does (`Attend.entry_bytes`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from headway.lab.place import ALONE, Place
from headway.lab.shapes import Delta, Shape
from headway.models import Attend
from headway.parallel.sharding import share_of

Array = Any
Cache = dict[str, Any]
PAGE = 4  # entries at the most: a page divides what a sequence keeps
_GROUP = 128  # index keys that share a scale
_MOST = 448.0  # largest number of 8-bit floating point (E4M3)


def empty_cache(all_shapes: Sequence[Shape], batch: int, capacity: int, place: Place = ALONE, seed: int = 0) -> Cache:
    """Return a cache for `batch` sequences of up to `capacity` tokens on one chip.

    Parameters
    ----------
    all_shapes : sequence of Shape
    batch, capacity : int
        Sequences on this chip; tokens that each may have. [sequences, tokens]
    place : Place
        Heads and positions that other chips keep are not here.
    seed : int
        Of the order in which pages are handed out. [1]
    """
    rng = np.random.default_rng(seed)
    layers: list[Any] = []
    for s in all_shapes:
        one: dict[str, Any] = {}
        if isinstance(s.mixer, Delta):
            one = _empty_state(s, batch, place)
        for name, read in (("read", s.read), ("index", s.index)):
            if read is not None and read.stores:
                one[name] = _empty_pages(read, batch, capacity, place, rng)
        layers.append(one)
    return {"length": jnp.zeros(batch, jnp.int32), "layers": layers}


def _empty_state(s: Shape, batch: int, place: Place) -> dict[str, Array]:
    state = s.layer.state
    assert state is not None
    assert isinstance(s.mixer, Delta)
    part = share_of(state.ways, place.tp)
    heads = round(state.ways * part)
    channels = round(state.conv_elements / (s.mixer.taps - 1) * part)
    return {
        "state": jnp.zeros((batch, heads, s.mixer.key, s.mixer.value)),
        "tail": jnp.zeros((batch, s.mixer.taps - 1, channels)),
    }


def _empty_pages(read: Attend, batch: int, capacity: int, place: Place, rng: np.random.Generator) -> dict[str, Array]:
    slots = math.ceil(read.reach.stored(capacity) / place.cp)
    page = math.gcd(slots, PAGE)
    pages = slots // page
    width = round(read.elements * share_of(read.ways, place.tp))
    table = rng.permutation(batch * pages).reshape(batch, pages)
    found: dict[str, Array] = {"table": jnp.asarray(table, jnp.int32)}
    rows = batch * slots
    if read.index:
        found["keys"] = jnp.zeros((rows, width), jnp.float8_e4m3fn)
        found["scales"] = jnp.zeros((rows, math.ceil(width / _GROUP)), jnp.float32)
    else:
        found["entries"] = jnp.zeros((rows, width))
    return found


def _page(pages: Cache) -> int:
    """Entries of a page: all pages are in the tables, unless a larger pool says the offsets of a page's entries."""
    if "offsets" in pages:
        return len(pages["offsets"])
    return len(pages["keys" if "keys" in pages else "entries"]) // max(pages["table"].size, 1)


def stored(pages: Cache, length: Array, place: Place = ALONE) -> tuple[Array, Array]:
    """Return the entries that a cache holds, and the positions they belong to (-1: an empty slot).

    Parameters
    ----------
    pages : dict
    length : array
        Tokens of each sequence so far. [batch] [tokens]
    place : Place

    Returns
    -------
    entries, positions : array
        [batch, slots, width] and [batch, slots] [1, tokens]
    """
    table = pages["table"]
    page = _page(pages)
    slots = table.shape[1] * page
    slot = jnp.arange(slots)
    rows = table[:, slot // page] * page + slot % page
    mine = (length - place.index() + place.cp - 1) // place.cp if place.way == "cp" else length
    last = mine[:, None] - 1
    local = last - (last - slot) % slots if slots else jnp.zeros((len(table), 0), jnp.int32)
    positions = local * place.cp + (place.index() if place.way == "cp" else 0)
    positions = jnp.where(local >= 0, positions, -1)
    if "keys" in pages:
        return unpacked(pages["keys"][rows], pages["scales"][rows]), positions
    return pages["entries"][rows], positions


def appended(pages: Cache, new: Array, positions: Array, place: Place = ALONE) -> Cache:
    """Return the cache with new entries written in their slots, those of other chips left out.

    Parameters
    ----------
    pages : dict
    new : array
        [batch, tokens, width] [1]
    positions : array
        Of the new entries, one after another. [batch, tokens] [tokens]
    place : Place
    """
    table = pages["table"]
    page = _page(pages)
    slots = table.shape[1] * page
    if not slots:
        return pages
    keep = slots * place.cp
    new, positions = new[:, -keep:], positions[:, -keep:]
    slot = positions // place.cp % slots
    rows = jnp.take_along_axis(table, slot // page, axis=1) * page + slot % page
    if place.way == "cp":
        rows = jnp.where(positions % place.cp == place.index(), rows, table.size * page)  # beyond the end: dropped
    if "keys" not in pages:
        return pages | {"entries": pages["entries"].at[rows].set(new, mode="drop")}
    keys, scales = packed(new)
    return pages | {
        "keys": pages["keys"].at[rows].set(keys, mode="drop"),
        "scales": pages["scales"].at[rows].set(scales, mode="drop"),
    }


def packed(x: Array) -> tuple[Array, Array]:
    """Return 8-bit numbers and the 32-bit scale of every 128 of them.

    Parameters
    ----------
    x : array
        [..., width] [1]
    """
    width = x.shape[-1]
    groups = math.ceil(width / _GROUP)
    wide = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, groups * _GROUP - width)])
    wide = wide.reshape(*x.shape[:-1], groups, _GROUP)
    scales = jnp.maximum(jnp.max(jnp.abs(wide), axis=-1) / _MOST, 1e-12)
    small = (wide / scales[..., None]).reshape(*x.shape[:-1], -1)[..., :width]
    return small.astype(jnp.float8_e4m3fn), scales


def unpacked(keys: Array, scales: Array) -> Array:
    """Return what `packed` packed, to the precision of 8 bits.

    Parameters
    ----------
    keys, scales : array
        [..., width] and [..., groups] [1]
    """
    return keys.astype(jnp.float32) * jnp.repeat(scales, _GROUP, axis=-1)[..., : keys.shape[-1]]


def as_bytes(x: Array) -> Array:
    """Return index keys as they are stored and sent: their bytes, then those of their scales. [..., bytes]

    Parameters
    ----------
    x : array
        [..., width] [1]
    """
    keys, scales = packed(x)
    raw = jax.lax.bitcast_convert_type(scales, jnp.uint8).reshape(*scales.shape[:-1], -1)
    return jnp.concatenate([jax.lax.bitcast_convert_type(keys, jnp.uint8), raw], axis=-1)


def from_bytes(raw: Array, width: int) -> Array:
    """Return what `as_bytes` packed.

    Parameters
    ----------
    raw : array
        [..., bytes] [1]
    width : int
        Of a key. [1]
    """
    keys, scales = raw[..., :width], raw[..., width:]
    wide = jax.lax.bitcast_convert_type(scales.reshape(*scales.shape[:-1], -1, 4), jnp.float32)
    return unpacked(jax.lax.bitcast_convert_type(keys, jnp.float8_e4m3fn), wide)


def cache_bytes(cache: Cache) -> int:
    """Return the bytes that the cache's arrays take, tables and lengths left out. [bytes]"""
    names = ("entries", "keys", "scales", "state", "tail")
    parts = [p for one in cache["layers"] for p in (one, one.get("read", {}), one.get("index", {}))]
    return sum(int(p[n].nbytes) for p in parts for n in names if n in p)
