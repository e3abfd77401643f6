"""A mixture of experts that runs: router, experts with so many slots each, dispatch and combine between chips."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from headway.lab.routing import Router
from headway.lab.running import Matrices, Pass, row
from headway.lab.shapes import Family, Shape

Array = Any
Curve = Callable[[Array], Array]


def gated(x: Array, m: Matrices, role: str, curve: Curve) -> Array:
    """Return a feed-forward block (a partial sum where it is sliced): two matrices, or three when gated.

    Parameters
    ----------
    x : array
        [batch, tokens, hidden] [1]
    m : Matrices
    role : str
        ``dense`` or ``shared``.
    curve : callable
        The activation.
    """
    up = m(f"{role}.up_proj", x)
    inner = curve(m(f"{role}.gate_proj", x)) * up if f"{role}.gate_proj" in m else curve(up)
    return m(f"{role}.down_proj", inner)


def routed(x: Array, m: Matrices, family: Family, active: int, p: Pass) -> tuple[Array, Array]:
    """Return each token's experts and their weights, [tokens, experts of a token] both.

    Parameters
    ----------
    x : array
        [tokens, hidden] [1]
    m : Matrices
    family : Family
    active : int
        Experts of a token. [experts]
    p : Pass
    """
    router = Router(family.scores, active, *p.groups)
    return router(m("router", x), m.weights["correction"] if family.correction else None, p.routes)


def mixture(x: Array, m: Matrices, s: Shape, family: Family, curve: Curve, p: Pass) -> Array:
    """Return the weighted sum of each token's experts (a partial sum where all chips have all tokens).

    Parameters
    ----------
    x : array
        [batch, tokens, hidden] [1]
    m : Matrices
    s : Shape
    family : Family
    curve : callable
        The activation.
    p : Pass
    """
    flat = x.reshape(-1, x.shape[-1])
    chosen, weights = routed(flat, m, family, s.active(), p)
    assert s.layer.experts is not None
    count = s.layer.experts.count
    touched = jnp.zeros(count).at[chosen].max(1.0)
    p.count("touched", jnp.sum(touched))
    p.count(f"layer {sum(k.startswith('layer') for k in p.seen)}", jnp.zeros(count).at[chosen].add(1.0))
    if p.spread:
        out = _sent(flat, chosen, weights, m, count, curve, p)
    else:
        out = p.place.add_shares(_here(flat, chosen, weights, m, count, curve, p), "expert sum")
    return out.reshape(x.shape)


def _here(x: Array, chosen: Array, weights: Array, m: Matrices, count: int, curve: Curve, p: Pass) -> Array:
    """Experts of this chip on the tokens that are here: each token to a slot of each of its experts, and back."""
    tokens, active = chosen.shape
    mine = count // p.place.ep if p.place.way != "pp" else count
    first = p.place.index() // p.place.slices * mine if mine < count else 0
    slots = tokens if p.capacity is None else math.ceil(p.capacity * tokens * active / count)
    expert = jnp.where(chosen < 0, mine, chosen - first).reshape(-1)
    one_hot = (expert[:, None] == jnp.arange(mine)).astype(jnp.int32)
    place = jnp.sum((jnp.cumsum(one_hot, axis=0) - 1) * one_hot, axis=1)
    fits = (jnp.sum(one_hot, axis=1) > 0) & (place < slots)
    slot = jnp.where(fits, expert * slots + place, mine * slots)  # beyond the end: dropped
    inputs = jnp.zeros((mine * slots, x.shape[1])).at[slot].set(jnp.repeat(x, active, axis=0), mode="drop")
    shares = None
    if p.place.keeps:  # weights inside, so that no outputs are kept for their gradients
        shares = jnp.zeros((mine * slots, 1)).at[slot].set(weights.reshape(-1, 1), mode="drop").reshape(mine, slots, 1)
        weights = jnp.ones_like(weights)
    outputs = _blocks(inputs.reshape(mine, slots, -1), m, curve, p, shares).reshape(mine * slots, -1)
    back = outputs.at[slot].get(mode="fill", fill_value=0.0).reshape(tokens, active, -1)
    p.count("expert tokens", jnp.sum(fits))
    return jnp.sum(back * weights[..., None], axis=1)


def _blocks(x: Array, m: Matrices, curve: Curve, p: Pass, shares: Array | None) -> Array:
    """Every expert's block on its slots [experts, slots, hidden], times the slots' weights where they are given."""

    def times(key: str, x: Array) -> Array:
        with row(m.name(key)):
            y = jnp.einsum("esi,eio->eso", x, m.weights[key])
        bias = m.weights.get(f"{key}+bias")
        if bias is None:
            return y
        share = p.place.slices if key.endswith("down_proj") and p.place.way in ("tp", "cp", "dp") else 1
        bias = bias[:, None] / share  # each of the chips that slice an expert adds its part
        return y + (bias if shares is None or not key.endswith("down_proj") else bias * shares)

    x = m.kept(x)
    up = p.place.kept(times("expert.up_proj", x))
    inner = curve(p.place.kept(times("expert.gate_proj", x))) * up if "expert.gate_proj" in m else curve(up)
    return times("expert.down_proj", p.place.kept(inner if shares is None else inner * shares))


def _sent(x: Array, chosen: Array, weights: Array, m: Matrices, count: int, curve: Curve, p: Pass) -> Array:
    """Dispatch, experts, combine: a token goes once to every chip that has a part of one of its experts.

    With it go the numbers and weights of its experts; a group returns the weighted sum of its own.
    """
    place = p.place
    tokens, hidden = x.shape
    group = chosen // (count // place.ep)
    wanted = jnp.any(group[None] == jnp.arange(place.ep)[:, None, None], axis=-1)  # [groups, tokens]
    home = place.index() // place.slices
    p.count("returns", jnp.sum(wanted & (jnp.arange(place.ep) != home)[:, None]))
    wanted = jnp.repeat(wanted, place.slices, axis=0)
    p.count("copies", jnp.sum(wanted & (jnp.arange(place.chips) != place.index())[:, None]))
    p.count("sent to", jnp.sum(wanted, axis=1))
    parcel = jnp.concatenate([x, chosen.astype(x.dtype), weights], axis=1)
    nothing = jnp.concatenate([jnp.zeros(hidden), -jnp.ones(chosen.shape[1]), jnp.zeros(chosen.shape[1])])
    parcels = jnp.where(wanted[..., None], parcel[None], nothing)
    came = place.dispatched(parcels)
    p.count("came from", jnp.sum(jnp.any(came[..., hidden : hidden + chosen.shape[1]] >= 0, axis=-1), axis=1))
    came = came.reshape(place.chips * tokens, -1)
    x, ids, weights = jnp.split(came, [hidden, hidden + chosen.shape[1]], axis=1)
    p.count("arrivals", jnp.sum(jnp.any(ids >= 0, axis=1)))
    out = _here(x, ids.astype(jnp.int32), weights, m, count, curve, p)
    out = place.add_slices(out).reshape(place.ep, place.slices, tokens, hidden)
    if place.ep == 1:
        return out[0, place.index()]
    return jnp.sum(place.combined(out[:, place.index() % place.slices]), axis=0)
