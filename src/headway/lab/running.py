"""One pass as its layers see it: where tokens stand, what chips share, and matrix products that say which row they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from headway.lab.place import ALONE, Place
from headway.lab.shapes import Shape
from headway.parallel.steps import NAMES

Array = Any

# Names of a step's rows (`headway.parallel.build_step`) by the role of the matrix.
ROWS = NAMES | {"expert": "routed experts", "head": "head"}
COPIED = "latent projections (replicated)"
INDEX, STATE = "index scores", "recurrent state"


@dataclass
class Pass:
    """What one forward pass carries.

    Attributes
    ----------
    lengths, positions : array
        Tokens of each sequence in its cache; positions of the new ones. [tokens]
    fresh : bool
        Nothing is cached yet: no cache is read.
    place : Place
    tile : int or None
        Attention in tiles of so many keys; None: in one piece. [1]
    capacity : float or None
        Slots of each expert over an even share of the pass's choices, beyond which they are dropped; None: room for all. [times]
    groups : (int, int)
        Groups of experts, and of how many of them a token may choose. [groups]
    routes : array or None
        Experts of each token, given instead of scored. [tokens, experts of a token] [1]
    ignores : str
        A part that a mutation leaves out (``window``, ``shared``), to see that the audit notices; "" for none.
    seen : dict
        Counted on the way: query-key pairs by row, copies of tokens sent, experts touched; of each layer with experts, and of
        each chip with which tokens were exchanged, a row of numbers.
    met, reads : dict
        By row: query-key pairs that are multiplied, masked ones too; entries that are read from caches. [1, entries]
    """

    lengths: Array
    positions: Array
    fresh: bool
    place: Place = ALONE
    tile: int | None = None
    capacity: float | None = None
    groups: tuple[int, int] = (1, 1)
    routes: Array | None = None
    ignores: str = ""
    seen: dict[str, Array] = field(default_factory=dict[str, Any])
    met: dict[str, int] = field(default_factory=dict[str, int])
    reads: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def spread(self) -> bool:
        """Whether chips have different tokens, which then travel to the chips that have their experts."""
        return self.place.way == "dp" or (self.place.way == "cp" and self.fresh)

    @property
    def shared(self) -> bool:
        """Whether chips have the same new tokens and each a share of the older entries."""
        return self.place.way == "cp" and not self.fresh

    def count(self, name: str, amount: Array) -> None:
        """Add to what is counted under a name.

        Parameters
        ----------
        name : str
        amount : array
            [1]
        """
        self.seen[name] = self.seen.get(name, 0) + amount

    def pairs(self, name: str, seen: Array, read: int) -> None:
        """Count the query-key pairs of a row that are seen, those that are multiplied, and entries read from the cache.

        Parameters
        ----------
        name : str
        seen : array
            [batch, queries, keys]
        read : int
            [entries]
        """
        self.count(name, jnp.sum(seen))
        self.met[name] = self.met.get(name, 0) + seen.size
        self.reads[name] = self.reads.get(name, 0) + read


def row(name: str) -> Any:
    """Name what is computed inside as part of a step's row; the compiled program keeps the name."""
    return jax.named_scope(f"row[{name}]")


class Matrices:
    """A layer's weights, multiplied under the name of the row that counts them."""

    def __init__(self, shape: Shape, weights: Mapping[str, Array], place: Place):
        self.shape, self.weights, self.place = shape, weights, place
        self._by = dict(zip(shape.keys, shape.layer.linears, strict=True))
        self._kept: dict[int, tuple[Array, Array]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._by

    def name(self, key: str) -> str:
        """Row of a matrix."""
        m = self._by[key]
        return COPIED if m.role == "attention" and m.ways == 1 and self.place.tp > 1 else ROWS[m.role]

    def __call__(self, key: str, x: Array) -> Array:
        """Return x W, with the bias of matrices whose outputs are sliced; see `bias` for the others."""
        x = x if key == "router" else self.kept(x)  # its input is that of all experts, already named
        with row(self.name(key)):
            y = x @ self.weights[key]
        bias = self.weights.get(f"{key}+bias")
        if key.endswith(("o_proj", "down_proj")):
            return y
        return self.place.kept(y if bias is None else y + bias)

    def kept(self, x: Array) -> Array:
        """Return the input of a product, named once however many products share it (see `Place.kept`).

        Parameters
        ----------
        x : array
            [1]
        """
        if not self.place.keeps:
            return x
        if id(x) not in self._kept:
            named = self.place.kept(x)
            self._kept |= {id(x): (x, named), id(named): (x, named)}  # both: an identity lives as long as what has it
        return self._kept[id(x)][1]

    def bias(self, key: str) -> Array:
        """Return the bias that is added once, after the partial sums of all chips; 0 without one."""
        return self.weights.get(f"{key}+bias", jnp.float32(0))


def normed(x: Array, scale: Array) -> Array:
    """Return x over its root mean square, scaled (RMSNorm, Zhang and Sennrich 2019).

    Parameters
    ----------
    x, scale : array
        [..., width] and [width] [1]
    """
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6) * scale


def centred(x: Array, scale: Array, shift: Array) -> Array:
    """Return x less its mean over its deviation, scaled and shifted (LayerNorm).

    Parameters
    ----------
    x, scale, shift : array
        [..., width], [width] and [width] [1]
    """
    x = x - jnp.mean(x, axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6) * scale + shift


def rotated(x: Array, positions: Array) -> Array:
    """Return heads turned by their positions (rotary embedding, Su et al. 2021).

    Parameters
    ----------
    x : array
        [batch, tokens, heads, width] [1]
    positions : array
        [batch, tokens] [tokens]
    """
    half = x.shape[-1] // 2
    angles = positions[..., None, None] * 10_000.0 ** (-jnp.arange(half) / half)
    a, b = x[..., :half], x[..., half:]
    sin, cos = jnp.sin(angles), jnp.cos(angles)
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
