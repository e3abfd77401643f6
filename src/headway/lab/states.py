"""The gated delta net (Yang et al. 2024, arXiv 2412.06464): a recurrent state of fixed size instead of a cache."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from headway.lab.cache import Cache
from headway.lab.running import STATE, Matrices, Pass, normed, row
from headway.lab.shapes import Delta

Array = Any


def delta_net(x: Array, m: Matrices, mixer: Delta, cache: Cache, p: Pass) -> tuple[Array, Cache]:
    """Return what the layer adds to the residual stream (a partial sum where heads are sliced), and its state after the pass.

    Parameters
    ----------
    x : array
        [batch, tokens, hidden] [1]
    m : Matrices
    mixer : Delta
    cache : dict
        ``state`` [batch, heads, key, value] and ``tail`` [batch, taps - 1, channels] [1]
    p : Pass

    Notes
    -----
    Per token and head S <- g S, u = b (v - S^T k), S <- S + k u^T, o = S^T q: decay 1, read-out 2, update 2, query 2 FLOPs per
    element of S, the seven of `state_laws`.
    """
    b, t, _ = x.shape
    both = m("state.in_proj_qkv", x)
    heads = both.shape[-1] // (2 * mixer.key)
    mixed = jnp.concatenate(
        [both.reshape(b, t, heads, -1), m("state.in_proj_qkv#2", x).reshape(b, t, heads, -1)], axis=-1
    ).reshape(b, t, -1)
    gates = [m(f"state.in_proj_{n}", x) for n in "ab"]
    at = p.place.index() * gates[0].shape[-1] if p.place.tp > 1 else 0
    decay, step = (jax.lax.dynamic_slice_in_dim(m.weights[n], at, gates[0].shape[-1]) for n in ("decay", "time_step"))
    keep = jnp.exp(-jnp.exp(decay) * jax.nn.softplus(gates[0] + step))
    learn = jax.nn.sigmoid(gates[1])

    before, tail = _tails(cache["tail"], mixed, p)
    long = jnp.concatenate([before, mixed], axis=1)
    windows = jnp.stack([long[:, i : i + t] for i in range(mixer.taps)], axis=2)
    with row(m.name("conv.conv1d")):
        short = jnp.einsum("btkc,kc->btc", windows, m.weights["conv.conv1d"])
    q, k, v = _parts(jax.nn.silu(short), heads, mixer)
    out, state = _along(functools.partial(_scanned, q, k, v, keep, learn), cache["state"], p)
    z = m("state.in_proj_z", x).reshape(out.shape)
    out = normed(out, m.weights["out_norm"]) * jax.nn.silu(z)
    return m("state.out_proj", out.reshape(b, t, -1)), cache | {"state": state, "tail": tail}


def _tails(tail: Array, mixed: Array, p: Pass) -> tuple[Array, Array]:
    """Inputs of the convolution before this chip's tokens, and the last ones of the sequences after the pass."""
    taps = tail.shape[1]
    if p.place.cp == 1 or p.shared:
        return tail, jnp.concatenate([tail, mixed], axis=1)[:, mixed.shape[1] :]
    last = mixed[:, -taps:]
    every = jnp.concatenate([tail, p.place.gather(last, 1, "state hand-over")], axis=1)
    at = p.place.index() * last.shape[1]
    return jax.lax.dynamic_slice_in_dim(every, at, taps, axis=1), every[:, -taps:]


def _parts(x: Array, heads: int, mixer: Delta) -> tuple[Array, Array, Array]:
    """Queries, keys (of unit length, one for the value heads of a key head) and values [batch, tokens, heads, width]."""
    b, t, _ = x.shape
    q, k, v = jnp.split(x.reshape(b, t, heads, -1), [mixer.key, 2 * mixer.key], axis=-1)
    each = v.shape[-1] // mixer.value
    q, k = (jnp.repeat(a * jax.lax.rsqrt(jnp.sum(a * a, -1, keepdims=True) + 1e-6), each, axis=2) for a in (q, k))
    return q, k, v.reshape(b, t, heads * each, mixer.value)


def _scanned(q: Array, k: Array, v: Array, keep: Array, learn: Array, state: Array, told: bool) -> tuple[Array, Array]:
    """Token after token through the state: outputs (none where only the state is wanted) and the state behind the last."""

    def one(s: Array, now: tuple[Array, ...]) -> tuple[Array, Array]:
        q, k, v, g, b = now
        with row(STATE):
            s = s * g[..., None, None]
            known = jnp.einsum("bhkv,bhk->bhv", s, k)
        new = b[..., None] * (v - known)
        with row(STATE):
            s = s + k[..., None] * new[..., None, :]
            return s, jnp.einsum("bhkv,bhk->bhv", s, q) if told else new

    turned = tuple(jnp.moveaxis(a, 1, 0) for a in (q, k, v, keep, learn))
    state, out = jax.lax.scan(one, state, turned)
    return jnp.moveaxis(out, 0, 1), state


def _along(run: Callable[..., tuple[Array, Array]], start: Array, p: Pass) -> tuple[Array, Array]:
    """Run the tokens of this chip through the state; where chips share a prompt, after that of the chip before has arrived."""
    place = p.place
    if place.cp == 1 or p.shared:
        return run(start, True)
    first, state = place.index() == 0, start
    for _ in range(place.cp - 1):  # chips run in step: what chip i computes is right from the i-th time on
        state = jnp.where(first, start, place.hand_on(run(state, False)[1], "state hand-over"))
    out, state = run(state, True)
    last = place.index() == place.cp - 1
    return out, place.add_shares(jnp.where(last, state, 0.0), "state hand-over")  # everyone keeps the last one's
