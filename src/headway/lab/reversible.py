"""A reversible transformer (RevNet, Gomez et al. 2017, arXiv 1707.04585), with a backward pass that keeps no activations.

Two streams: y1 = x1 + F(x2), y2 = x2 + G(y1), F the attention of a layer and G its feed-forward. Going back x2 = y2 - G(y1) and
x1 = y1 - F(x2), so the backward pass computes what it needs from the outputs, layer by layer (lecture 8). The same network is
also trained in the ordinary way, and with each layer's inputs kept and the layer computed again (checkpoints).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from headway.errors import InputError
from headway.lab.learning import cross_entropy
from headway.lab.networks import Network, begun, fed, head, looked_up, mixed
from headway.lab.place import ALONE
from headway.lab.weights import Weights

Array = Any
WAYS = ("ordinary", "checkpoints", "reversible")
Half = Callable[[Any, Array], Array]  # weights of a layer, a stream -> what is added to the other


def stacked(net: Network, weights: Weights) -> Weights:
    """Return weights with those of all layers one behind the other in each array.

    Parameters
    ----------
    net : Network
    weights : dict

    Raises
    ------
    InputError
        When layers differ in kind.
    """
    first = net.shapes[0]
    if any((s.layer, s.mixer) != (first.layer, first.mixer) for s in net.shapes):
        raise InputError(
            f"{net.model.name}: has layers of several kinds; the reversible network takes one, as of llama-3.1-8b"
        )
    return {**weights, "layers": jax.tree.map(lambda *x: jnp.stack(x), *weights["layers"])}


def halves(net: Network, batch: int, length: int) -> tuple[Half, Half]:
    """Return what a layer's attention and its feed-forward add, of sequences without a cache.

    Parameters
    ----------
    net : Network
    batch, length : int
        [sequences, tokens]
    """

    def attends(weights: Any, x: Array) -> Array:
        p = begun(jnp.zeros(batch, jnp.int32), jnp.zeros((batch, length), jnp.int32), True)
        return mixed(net, 0, weights, [net.cache(batch, length)["layers"][0]], x, p)

    def feeds(weights: Any, x: Array) -> Array:
        p = begun(jnp.zeros(batch, jnp.int32), jnp.zeros((batch, length), jnp.int32), True)
        return fed(net, 0, weights, x, p)

    return attends, feeds


def run(way: str, f: Half, g: Half, weights: Any, x1: Array, x2: Array) -> tuple[Array, Array]:
    """Return both streams after all layers.

    Parameters
    ----------
    way : str
        ``ordinary``, ``checkpoints`` or ``reversible``: how gradients will be computed; outputs are the same.
    f, g : callable
        A layer's halves.
    weights : dict
        Of all layers, stacked.
    x1, x2 : array
        [batch, tokens, hidden] [1]
    """
    if way == "reversible":
        return _reversible(f, g)(weights, x1, x2)

    def layer(both: tuple[Array, Array], w: Any) -> tuple[tuple[Array, Array], None]:
        return ahead(f, g, w, *both), None

    body = jax.checkpoint(layer) if way == "checkpoints" else layer
    return jax.lax.scan(body, (x1, x2), weights)[0]


def ahead(f: Half, g: Half, weights: Any, x1: Array, x2: Array) -> tuple[Array, Array]:
    """Return both streams after one layer.

    Parameters
    ----------
    f, g : callable
    weights : dict
        Of the layer.
    x1, x2 : array
        [batch, tokens, hidden] [1]
    """
    x1 = x1 + f(weights, x2)
    return x1, x2 + g(weights, x1)


def _reversible(f: Half, g: Half) -> Callable[..., tuple[Array, Array]]:
    """All layers with a backward pass of their own."""

    @jax.custom_vjp
    def through(weights: Any, x1: Array, x2: Array) -> tuple[Array, Array]:
        return run("ordinary", f, g, weights, x1, x2)

    def forward(weights: Any, x1: Array, x2: Array) -> tuple[tuple[Array, Array], Any]:
        out = run("ordinary", f, g, weights, x1, x2)
        return out, (weights, out)

    def backward(kept: Any, slopes: tuple[Array, Array]) -> tuple[Any, Array, Array]:
        weights, out = kept

        def layer(carry: tuple[Array, ...], w: Any) -> tuple[tuple[Array, ...], Any]:
            y1, y2, d1, d2 = carry
            added, back = jax.vjp(g, w, y1)
            onto_g, into = back(d2)
            x2, d1 = y2 - added, d1 + into
            added, back = jax.vjp(f, w, x2)
            onto_f, into = back(d1)
            return (y1 - added, x2, d1, d2 + into), jax.tree.map(jnp.add, onto_f, onto_g)

        (_, _, *into), onto = jax.lax.scan(layer, (*out, *slopes), weights, reverse=True)
        return onto, into[0], into[1]

    through.defvjp(forward, backward)
    return through


def loss_of(net: Network, way: str, batch: int, length: int) -> Callable[[Weights, Array], Array]:
    """Return the loss of a way of computing gradients: (weights, tokens [batch, length + 1]) -> nats a token.

    Parameters
    ----------
    net : Network
    way : str
    batch, length : int
        [sequences, tokens]
    """
    f, g = halves(net, batch, length)

    def loss(weights: Weights, tokens: Array) -> Array:
        x = looked_up(net, weights, tokens[:, :-1], ALONE)
        y1, y2 = run(way, f, g, weights["layers"], x, x)
        return cross_entropy(head(net, weights, y1 + y2, ALONE), tokens[:, 1:])

    return loss
