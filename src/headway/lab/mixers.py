"""Attention layers that run: grouped queries with gates and sinks, latents absorbed or expanded, top-k with its index."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from headway.lab.attention import Sums, attend, attend_in_tiles, best, divided, over_chips, sees, taken
from headway.lab.cache import Cache, appended, as_bytes, from_bytes, packed, stored, unpacked
from headway.lab.running import INDEX, Matrices, Pass, centred, normed, rotated, row
from headway.lab.shapes import Heads, Latent, Shape
from headway.models import Attend, Reach

Array = Any


def attention(x: Array, m: Matrices, s: Shape, cache: Cache, p: Pass) -> tuple[Array, Cache]:
    """Return what attention adds to the residual stream (a partial sum where heads are sliced), and the cache after it.

    Parameters
    ----------
    x : array
        [batch, tokens, hidden] [1]
    m : Matrices
    s : Shape
    cache : dict
        Of the layer whose cache it reads.
    p : Pass
    """
    if isinstance(s.mixer, Latent):
        return _latent(x, m, s, s.mixer, cache, p)
    assert isinstance(s.mixer, Heads)
    return _grouped(x, m, s, s.mixer, cache, p)


def absorbs(read: Attend, new: int, context: int) -> bool:
    """Return whether latent attention multiplies less with its up-projections absorbed into queries and outputs.

    Parameters
    ----------
    read : Attend
    new, context : int
        New and cached tokens of a sequence. [tokens]
    """
    pairs = read.reach.pairs(float(new), float(context))
    return pairs * read.flops_per_pair <= pairs * read.expanded_per_pair + context * read.expand_per_token


def _grouped(x: Array, m: Matrices, s: Shape, mixer: Heads, cache: Cache, p: Pass) -> tuple[Array, Cache]:
    b, t, _ = x.shape
    q = m("attention.q_proj", x).reshape(b, t, -1, mixer.dim * (2 if mixer.gate else 1))
    q, gate = (q[..., : mixer.dim], q[..., mixer.dim :]) if mixer.gate else (q, None)
    k = v = None
    if "attention.k_proj" in m:
        k = m("attention.k_proj", x).reshape(b, t, -1, mixer.dim)
        v = m("attention.v_proj", x).reshape(b, t, -1, mixer.value)
    q, k = _normed_heads(q, k, m, s, p)
    q = rotated(q, p.positions)
    new = None
    if k is not None and v is not None:
        k = rotated(k, p.positions)
        new = jnp.concatenate([k.reshape(b, t, -1), v.reshape(b, t, -1)], axis=-1)
    entries, positions, cache = _entries(new, cache, "read", p, s)
    heads = entries.shape[-1] // (mixer.dim + mixer.value)
    keys, values = jnp.split(entries, [heads * mixer.dim], axis=-1)
    keys, values = keys.reshape(b, -1, heads, mixer.dim), values.reshape(b, -1, heads, mixer.value)
    q = q.reshape(b, t, heads, -1, mixer.dim)
    sums, cache = _read(x, q, keys, values, positions, m, s, cache, p, None, mixer.dim**-0.5)
    if p.shared:
        sums = over_chips(sums, p.place)
    sinks = m.weights.get("sinks")
    if sinks is not None:
        mine = q.shape[2] * q.shape[3]
        sinks = jax.lax.dynamic_slice_in_dim(sinks, p.place.index() * mine if p.place.tp > 1 else 0, mine)
        sinks = sinks.reshape(q.shape[2], q.shape[3])
    out = divided(sums, sinks).reshape(b, t, -1)
    if gate is not None:
        out = out * jax.nn.sigmoid(gate.reshape(b, t, -1))
    return m("attention.o_proj", out), cache


def _normed_heads(q: Array, k: Array | None, m: Matrices, s: Shape, p: Pass) -> tuple[Array, Array | None]:
    """Norms of queries and keys: head by head, or over all heads, whose mean squares chips then add up."""
    assert s.read is not None
    if s.read.norms == "head":
        return normed(q, m.weights["q_norm"]), None if k is None else normed(k, m.weights["k_norm"])
    if s.read.norms == "row" and k is not None:
        sums = jnp.stack([jnp.sum(a * a, axis=(2, 3)) for a in (q, k)], axis=-1)  # one number a token for each
        sums = p.place.add(sums, "norms' sums")
        copies = p.place.tp * k.shape[2] // s.read.ways  # of a KV head, where chips are more
        widths = (m.weights["q_norm"].size, m.weights["k_norm"].size * copies)
        out: list[Array] = []
        for i, a in enumerate((q, k)):
            scale = m.weights["q_norm" if i == 0 else "k_norm"].reshape(-1, a.shape[-1])
            at = p.place.index() * len(scale) // p.place.tp if p.place.tp > 1 else 0
            scale = jax.lax.dynamic_slice_in_dim(scale, at, a.shape[2])
            out.append(a * jax.lax.rsqrt(sums[..., i, None, None] / widths[i] + 1e-6) * scale)
        return out[0], out[1]
    return q, k


def _entries(new: Array | None, cache: Cache, name: str, p: Pass, s: Shape) -> tuple[Array, Array, Cache]:
    """Entries that the pass reads, cached ones first, and their positions; the new ones are written behind it."""
    place, positions = p.place, p.positions
    held = cache[name]
    if new is not None and place.cp > 1 and p.fresh:  # each chip sees all of the prompt
        indexed, width = "keys" in held, new.shape[-1]
        came = place.gather(as_bytes(new) if indexed else new, 1, "context ring")
        new = from_bytes(came, width) if indexed else came
        positions = p.lengths[:, None] + jnp.arange(came.shape[1])
    parts = [] if p.fresh or new is None else [stored(held, p.lengths, place)]
    if new is None:  # another layer's cache, where the pass's own entries are already
        parts.append(stored(held, p.lengths + p.positions.shape[1], place))
    else:
        if "keys" in held:
            new = unpacked(*packed(new))
        own = positions
        if p.shared:  # one of the chips that share a sequence counts its new token
            own = jnp.where(positions % place.cp == place.index(), positions, -1)
        parts.append((new, own))
        cache = cache | {name: appended(held, new, positions, place)}
    return jnp.concatenate([e for e, _ in parts], 1), jnp.concatenate([n for _, n in parts], 1), cache


def _read(
    x: Array, q: Array, k: Array, v: Array, positions: Array, m: Matrices, s: Shape, cache: Cache, p: Pass, latent: Array | None,
    scale: float,
) -> tuple[Sums, Cache]:  # fmt: skip
    """Attention of the new tokens over entries, as far as the read law reaches."""
    assert s.read is not None
    reach, name = s.read.reach, f"attention: {s.read.reach}"
    law = Reach() if p.ignores == "window" else reach
    seen = sees(law, p.positions, positions)
    if s.index is not None:
        seen, numbers, cache = _selected(x, latent, m, s, seen, cache, p, int(reach.width))
        if numbers is not None:
            k, v = taken(k, numbers), taken(v, numbers)
    elif reach.kind in ("sqrt", "fraction", "top-k"):
        seen = _by_score(q, k, seen, reach, p.positions)
    p.pairs(name, seen, 0 if p.fresh else _from_cache(seen, s, p))
    if p.tile and k.ndim == 4 and not k.shape[1] % p.tile and not q.shape[1] % p.tile and s.index is None:

        def tile(i: Array, j: Array) -> Array:
            return sees(law, p.positions[:, i], positions[:, j])

        with row(name):
            return attend_in_tiles(q, k, v, tile, scale, p.tile), cache
    with row(name):
        return attend(q, k, v, seen, scale), cache


def _from_cache(seen: Array, s: Shape, p: Pass) -> int:
    """Entries that a decoding pass reads from the cache: the selected ones, or all that were there before its own."""
    batch, new, keys = seen.shape
    return batch * (new * keys if s.index is not None and not p.shared else keys - new)


def _by_score(q: Array, k: Array, seen: Array, reach: Reach, positions: Array) -> Array:
    """Of what is seen, the entries that the heads together score best: as many as the law reads at each position."""
    scores = jnp.where(seen, jnp.einsum("btkgd,bskd->bts", q, k), -jnp.inf)
    law = np.ceil(np.array([float(reach.entries(n + 1.0)) for n in range(k.shape[1])]))
    most = jnp.asarray(law)[positions]
    rank = jnp.sum(scores[..., None, :] > scores[..., :, None], axis=-1)
    return seen & (rank < most[..., None])


def _selected(
    x: Array, latent: Array | None, m: Matrices, s: Shape, seen: Array, cache: Cache, p: Pass, count: int
) -> tuple[Array, Array | None, Cache]:
    """The best-scored entries by the light index: their numbers, or under context parallelism a mask over the chip's own."""
    b, t, _ = x.shape
    q = m("index.wq_b", x if latent is None else latent).reshape(b, t, -1, s.index_dim)
    key = centred(m("index.wk", x), m.weights["index_norm"], m.weights["index_shift"])
    heads = m("index.weights_proj", x)
    keys, positions, cache = _entries(key, cache, "index", p, s)
    with row(INDEX):
        each = jax.nn.relu(jnp.einsum("bthd,bsd->bths", q, keys))
        scores = jnp.einsum("bths,bth->bts", each, heads)
    p.pairs(INDEX, seen, 0 if p.fresh else b * (keys.shape[1] - t))
    if p.shared:
        mine = jnp.stack([jnp.where(seen, scores, -jnp.inf), jnp.broadcast_to(positions[:, None], scores.shape)], -1)
        every = p.place.gather(mine, 2, "selection")
        (a, i), (b, j) = jnp.moveaxis(mine[:, :, :, None], -1, 0), jnp.moveaxis(every[:, :, None], -1, 0)
        rank = jnp.sum((b > a) | ((b == a) & (j < i)), axis=-1)  # of equal ones the older is better
        return seen & (rank < count), None, cache
    numbers, any_there = best(scores, seen, count)
    return any_there, numbers, cache


def _latent(x: Array, m: Matrices, s: Shape, mixer: Latent, cache: Cache, p: Pass) -> tuple[Array, Cache]:
    b, t, _ = x.shape
    q_latent = None
    if "attention.q_a_proj" in m:
        q_latent = normed(m("attention.q_a_proj", x), m.weights["q_latent_norm"])
        q = m("attention.q_b_proj", q_latent)
    else:
        q = m("attention.q_proj", x)
    q = q.reshape(b, t, -1, mixer.nope + mixer.rope)
    q_nope, q_rope = q[..., : mixer.nope], rotated(q[..., mixer.nope :], p.positions)
    kv = m("attention.kv_a_proj_with_mqa", x)
    k_rope = rotated(kv[:, :, None, mixer.rank :], p.positions)[:, :, 0]
    new = jnp.concatenate([normed(kv[..., : mixer.rank], m.weights["kv_norm"]), k_rope], axis=-1)
    entries, positions, cache = _entries(new, cache, "read", p, s)
    up = m.weights["attention.kv_b_proj"].reshape(mixer.rank, -1, mixer.nope + mixer.value)
    scale = (mixer.nope + mixer.rope) ** -0.5
    assert s.read is not None
    cached = entries.shape[1] - (t if not p.fresh else entries.shape[1])
    if absorbs(s.read, t, cached * p.place.cp):
        with row(m.name("attention.kv_b_proj")):
            inner = jnp.einsum("bthn,rhn->bthr", q_nope, up[..., : mixer.nope])
        q = jnp.concatenate([inner, q_rope], axis=-1)[:, :, None]
        keys = entries[:, :, None]
        sums, cache = _read(x, q, keys, keys[..., : mixer.rank], positions, m, s, cache, p, q_latent, scale)
        with row(m.name("attention.kv_b_proj")):
            values = jnp.einsum("bkhtr,rhv->bhktv", sums.values, up[..., mixer.nope :])
        sums = Sums(values, jnp.swapaxes(sums.weights, 1, 2), jnp.swapaxes(sums.top, 1, 2))
    else:
        keys, values = _expanded(entries, up, cached, m, s, mixer)
        q = jnp.concatenate([q_nope, q_rope], axis=-1)[:, :, :, None]
        sums, cache = _read(x, q, keys, values, positions, m, s, cache, p, q_latent, scale)
    if p.shared:
        sums = over_chips(sums, p.place)
    return m("attention.o_proj", divided(sums).reshape(b, t, -1)), cache


def _expanded(entries: Array, up: Array, cached: int, m: Matrices, s: Shape, mixer: Latent) -> tuple[Array, Array]:
    """Keys and values of all heads: new tokens' expansion counts as a projection, that of cached ones as attention."""
    assert s.read is not None
    parts: list[Array] = []
    for name, part in (
        (f"attention: {s.read.reach}", entries[:, :cached]),
        (m.name("attention.kv_b_proj"), entries[:, cached:]),
    ):
        if part.shape[1]:
            with row(name):
                parts.append(m.place.kept(jnp.einsum("bsr,rhn->bshn", m.kept(part[..., : mixer.rank]), up)))
    full = jnp.concatenate(parts, axis=1)
    rope = jnp.broadcast_to(entries[:, :, None, mixer.rank :], (*full.shape[:3], mixer.rope))
    return jnp.concatenate([full[..., : mixer.nope], rope], axis=-1), full[..., mixer.nope :]
