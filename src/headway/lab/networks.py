"""A network of an Architecture, small enough to run: one pass through its layers, prompts in chunks, decoding with a cache."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from headway.errors import InputError
from headway.lab.cache import Cache, empty_cache
from headway.lab.experts import gated, mixture
from headway.lab.mixers import attention
from headway.lab.needs import QUICK
from headway.lab.place import ALONE, Place
from headway.lab.running import ROWS, Matrices, Pass, normed, row
from headway.lab.shapes import Delta, Family, Shape, family_of, shapes, vectors
from headway.lab.states import delta_net
from headway.lab.weights import Weights, random_weights
from headway.models import Architecture

Array = Any


@dataclass(frozen=True)
class Network:
    """An architecture that runs.

    Attributes
    ----------
    model : Architecture
    shapes : tuple of Shape
        Of its layers, first to last.
    family : Family
    """

    model: Architecture
    shapes: tuple[Shape, ...]
    family: Family

    def __hash__(self) -> int:
        return hash(self.model)

    def weights(self, seed: int = 0) -> Weights:
        """Return random weights.

        Parameters
        ----------
        seed : int
            [1]
        """
        return random_weights(self.model, self.shapes, self.family, seed)

    def cache(self, batch: int, capacity: int) -> Cache:
        """Return an empty cache for `batch` sequences of up to `capacity` tokens.

        Parameters
        ----------
        batch, capacity : int
            [sequences, tokens]
        """
        return empty_cache(self.shapes, batch, capacity)

    def prefill(
        self, weights: Weights, tokens: Array, capacity: int, chunks: Sequence[int] = ()
    ) -> tuple[Array, Cache]:
        """Return the logits of every position of prompts, and the cache behind them.

        Parameters
        ----------
        weights : dict
        tokens : array
            [batch, tokens] [1]
        capacity : int
            Tokens that each sequence may come to have. [tokens]
        chunks : sequence of int
            Lengths of the passes in which the prompts are computed; none: one pass. [tokens]
        """
        cuts = list(chunks) or [tokens.shape[1]]
        if sum(cuts) != tokens.shape[1] or min(cuts) < 1:
            raise InputError(f"chunks of {cuts} tokens do not make a prompt of {tokens.shape[1]}")
        cache, found, at = self.cache(tokens.shape[0], capacity), [], 0
        for size in cuts:
            logits, cache, _ = whole_pass(self, weights, cache, tokens[:, at : at + size], at == 0)
            found.append(logits)
            at += size
        return jnp.concatenate(found, axis=1), cache

    def decode(self, weights: Weights, cache: Cache, token: Array, count: int) -> tuple[Array, Array, Cache]:
        """Return the greedy tokens that follow, their logits, and the cache behind them.

        Parameters
        ----------
        weights : dict
        cache : dict
        token : array
            The last token of each sequence. [batch] [1]
        count : int
            Tokens to generate. [tokens]
        """
        told: list[Array] = []
        logits: list[Array] = []
        for _ in range(count):
            scores, cache, _ = whole_pass(self, weights, cache, token[:, None], False)
            token = jnp.argmax(scores[:, -1], axis=-1)
            told.append(token)
            logits.append(scores[:, -1])
        return jnp.stack(told, axis=1), jnp.stack(logits, axis=1), cache


def network(model: Architecture) -> Network:
    """Return the network of an architecture.

    Parameters
    ----------
    model : Architecture
        At tiny widths: see `headway.lab.tiny`.

    Raises
    ------
    InputError
        For a family, or a kind of layer, that the lab does not run.
    """
    family, found = family_of(model), shapes(model)
    if model.tables or model.side_by_side:
        raise InputError(f"{model.name}: the lab runs no per-layer embeddings and no layers side by side")
    for s in found:
        vectors(model, s, family)
    return Network(model, found, family)


def forward(
    net: Network, weights: Weights, cache: Cache, tokens: Array, p: Pass, *, every: bool = False
) -> tuple[Array, Cache]:
    """Return logits and the cache after a pass; what was counted on the way is in the pass.

    Parameters
    ----------
    net : Network
    weights, cache : dict
        Of one chip.
    tokens : array
        New tokens of this chip. [batch, tokens] [1]
    p : Pass
    every : bool
        Logits of all new positions instead of the last.
    """
    x = looked_up(net, weights, tokens, p.place)
    layers = list(cache["layers"])
    for i in range(len(net.shapes)):
        x = run_layer(net, i, weights["layers"][i], layers, x, p)
    logits = head(net, weights, x if every else x[:, -1:], p.place)
    return logits, {"length": after(cache["length"], tokens, p), "layers": layers}


def begun(length: Array, tokens: Array, fresh: bool, place: Place = ALONE, **more: Any) -> Pass:
    """Return the pass of new tokens: their positions follow those that are cached.

    Parameters
    ----------
    length : array
        Tokens of each sequence in its cache. [batch] [tokens]
    tokens : array
        New ones of this chip. [batch, tokens] [1]
    fresh : bool
        Nothing is cached; chips that share sequences then have a piece of each prompt.
    place : Place
    more
        Other attributes of `Pass`.
    """
    at = jnp.arange(tokens.shape[1])
    if place.cp > 1 and fresh:
        at = at + place.index() * tokens.shape[1]
    return Pass(length, length[:, None] + at, fresh, place, **more)


def after(length: Array, tokens: Array, p: Pass) -> Array:
    """Return how many tokens each sequence has in its cache after a pass. [tokens]

    Parameters
    ----------
    length : array
        Before it. [batch] [tokens]
    tokens : array
        New ones of this chip. [batch, tokens] [1]
    p : Pass
    """
    return length + tokens.shape[1] * (p.place.cp if p.fresh else 1)


def run_layer(net: Network, i: int, weights: Mapping[str, Array], layers: list[Cache], x: Array, p: Pass) -> Array:
    """Return the residual stream after a layer; its entry in the list of caches is replaced.

    Parameters
    ----------
    net : Network
    i : int
        Number of the layer. [1]
    weights : dict
        Of the layer.
    layers : list of dict
        Caches of all layers.
    x : array
        [batch, tokens, hidden] [1]
    p : Pass
    """
    x = x + mixed(net, i, weights, layers, x, p)
    return x + fed(net, i, weights, x, p)


def mixed(net: Network, i: int, weights: Mapping[str, Array], layers: list[Cache], x: Array, p: Pass) -> Array:
    """Return what a layer's first half adds: attention, or a recurrent state.

    Parameters
    ----------
    net : Network
    i : int
        Number of the layer. [1]
    weights : dict
        Of the layer.
    layers : list of dict
        Caches of all layers.
    x : array
        [batch, tokens, hidden] [1]
    p : Pass
    """
    s = net.shapes[i]
    m = Matrices(s, weights, p.place)
    h = normed(x, weights["norm"])
    if isinstance(s.mixer, Delta):
        out, layers[i] = delta_net(h, m, s.mixer, layers[i], p)
    else:
        out, layers[s.source] = attention(h, m, s, layers[s.source], p)
    out = p.place.add(out) + m.bias("attention.o_proj")
    return normed(p.place.kept(out), weights["norm_after"]) if "norm_after" in weights else out


def fed(net: Network, i: int, weights: Mapping[str, Array], x: Array, p: Pass) -> Array:
    """Return what a layer's second half adds: a dense block, or experts.

    Parameters
    ----------
    net : Network
    i : int
        Number of the layer. [1]
    weights : dict
        Of the layer.
    x : array
        [batch, tokens, hidden] [1]
    p : Pass
    """
    s, family, place = net.shapes[i], net.family, p.place
    m = Matrices(s, weights, place)
    curve = jax.nn.silu if family.activation == "silu" else functools.partial(jax.nn.gelu, approximate=True)
    h = m.kept(normed(x, weights["ffn_norm"]))
    parts: list[Array] = []
    if "dense" in s.roles:
        parts.append(gated(h, m, "dense", curve))
    if "shared" in s.roles and p.ignores != "shared":
        shared = gated(h, m, "shared", curve)
        if "shared_gate" in weights:
            shared = shared * jax.nn.sigmoid(jnp.sum(h * weights["shared_gate"], -1, keepdims=True))
        parts.append(shared)
    apart = mixture(h, m, s, family, curve, p) if s.layer.experts else jnp.float32(0)
    if s.layer.experts and not p.spread:
        parts.append(apart)
        apart = jnp.float32(0)
    out = place.add(sum(parts[1:], parts[0])) + apart if parts else apart
    out = out + m.bias("dense.down_proj")
    return normed(p.place.kept(out), weights["ffn_norm_after"]) if "ffn_norm_after" in weights else out


def looked_up(net: Network, weights: Weights, tokens: Array, place: Place) -> Array:
    """Return the tokens' embeddings: of a table that chips share each finds its own rows, and they add them up.

    Parameters
    ----------
    net : Network
    weights : dict
    tokens : array
        [batch, tokens] [1]
    place : Place
    """
    table = weights["embedding"]
    if place.tp == 1:
        return table[tokens]
    at = tokens - place.index() * len(table)
    mine = (at >= 0) & (at < len(table))
    return place.add(jnp.where(mine[..., None], table[jnp.clip(at, 0, len(table) - 1)], 0.0), "embedding rows")


def head(net: Network, weights: Weights, x: Array, place: Place) -> Array:
    """Return logits over the whole vocabulary.

    Parameters
    ----------
    net : Network
    weights : dict
    x : array
        [batch, positions, hidden] [1]
    place : Place
    """
    x = normed(x, weights["final"])
    with row(ROWS["head"]):
        logits = jnp.einsum("bth,vh->btv", x, weights["embedding"]) if net.model.tied else x @ weights["head"]
    return place.gather(logits, 2, "logits") if place.tp > 1 else logits


@functools.partial(jax.jit, static_argnums=(0, 4), compiler_options=QUICK)
def whole_pass(
    net: Network, weights: Weights, cache: Cache, tokens: Array, fresh: bool
) -> tuple[Array, Cache, dict[str, Array]]:
    """Return the logits of all new positions, the cache after a pass on one device, and what was counted; compiled once per shape.

    Parameters
    ----------
    net : Network
    weights, cache : dict
    tokens : array
        [batch, tokens] [1]
    fresh : bool
        The sequences have nothing cached.
    """
    p = begun(cache["length"], tokens, fresh)
    logits, cache = forward(net, weights, cache, tokens, p, every=True)
    return logits, cache, p.seen
