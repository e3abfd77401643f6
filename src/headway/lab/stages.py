"""A pipeline in one program: every chip runs it, and at turn i stage i computes what the others wait for.

Stages hold different layers, so what a chip holds is one row of numbers for each number format, as long as the longest stage's.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from headway.lab.cache import Cache
from headway.lab.networks import Network, after, begun, head, looked_up, run_layer
from headway.lab.place import Place
from headway.lab.running import Pass
from headway.lab.weights import Weights

Array = Any
Rows = dict[str, Array]


@dataclass(frozen=True)
class Packing:
    """How the trees of all stages lie in rows: their forms, and the shape and format of each leaf in order."""

    forms: tuple[Any, ...]
    leaves: tuple[tuple[tuple[tuple[int, ...], str], ...], ...]

    def unpacked(self, stage: int, rows: Rows) -> Any:
        """Return the tree of a stage.

        Parameters
        ----------
        stage : int
            [1]
        rows : dict
            One row per number format.
        """
        at = dict.fromkeys(rows, 0)
        found: list[Array] = []
        for shape, kind in self.leaves[stage]:
            size = math.prod(shape)
            found.append(rows[kind][at[kind] : at[kind] + size].reshape(shape))
            at[kind] += size
        return jax.tree.unflatten(self.forms[stage], found)

    def repacked(self, tree: Any, rows: Rows) -> Rows:
        """Return rows with a stage's tree written in them.

        Parameters
        ----------
        tree : dict
        rows : dict
            Of the same stage.
        """
        flat: dict[str, list[Array]] = {}
        for leaf in jax.tree.leaves(tree):
            flat.setdefault(str(leaf.dtype), []).append(leaf.reshape(-1))
        return {
            k: jnp.concatenate([*flat[k], row[sum(x.size for x in flat[k]) :]]) if k in flat else row
            for k, row in rows.items()
        }


def pack(trees: Sequence[Any]) -> tuple[Packing, Rows]:
    """Return how trees lie in rows, and the rows of all of them. [stages, numbers]

    Parameters
    ----------
    trees : sequence
        One per stage.
    """
    flat = [jax.tree.flatten(t) for t in trees]
    leaves = tuple(tuple((tuple(x.shape), str(x.dtype)) for x in xs) for xs, _ in flat)
    rows: dict[str, list[Any]] = {}
    for kind in sorted({k for one in leaves for _, k in one}):
        parts = [
            np.concatenate([np.asarray(x).reshape(-1) for x in xs if str(x.dtype) == kind] or [np.zeros(0, kind)])
            for xs, _ in flat
        ]
        most = max(p.size for p in parts)
        rows[kind] = [np.concatenate([p, np.zeros(most - p.size, p.dtype)]) for p in parts]
    return Packing(tuple(f for _, f in flat), leaves), {k: np.stack(v) for k, v in rows.items()}


def layers_of(stage: int, count: int, stages: int) -> range:
    """Return the layers of a stage: as many as any other, the first ones first.

    Parameters
    ----------
    stage, count, stages : int
        Number of the stage; layers; stages. [1, layers, stages]
    """
    return range(stage * count // stages, (stage + 1) * count // stages)


def stage_weights(weights: Weights, stages: int) -> list[Weights]:
    """Return what each stage holds: its layers, the first the embedding, the last the head (a tied one both).

    Parameters
    ----------
    weights : dict
    stages : int
        [stages]
    """
    found: list[Weights] = []
    for i in range(stages):
        mine = layers_of(i, len(weights["layers"]), stages)
        one: Weights = {"layers": [weights["layers"][j] for j in mine]}
        if i == 0 or (i == stages - 1 and "head" not in weights):
            one["embedding"] = weights["embedding"]
        if i == stages - 1:
            one |= {k: weights[k] for k in ("head", "final") if k in weights}
        found.append(one)
    return found


def staged(
    net: Network, packings: tuple[Packing, Packing], rows: tuple[Rows, Rows], lengths: Array, tokens: Array, place: Place,
    fresh: bool, more: dict[str, Any],
) -> tuple[Array, Rows, Array, Pass]:  # fmt: skip
    """Return logits (on the last stage), caches, lengths after a pass through all stages, and the pass with its counts.

    Parameters
    ----------
    net : Network
    packings, rows : tuple
        Of weights and caches of this chip.
    lengths, tokens : array
        [batch] and [batch, tokens] [tokens, 1]
    place : Place
    fresh : bool
        Nothing is cached.
    more : dict
        Other attributes of the pass.
    """
    whole = begun(lengths, tokens, fresh, place, **more)
    x = jnp.zeros((*tokens.shape, net.model.hidden))
    logits = jnp.zeros((tokens.shape[0], 1, net.model.vocabulary))
    held = rows[1]
    for stage in range(place.chips):
        run = functools.partial(_turn, net, packings, rows[0], tokens, whole, stage)
        before = dict(whole.met), dict(whole.reads)
        counts = jax.eval_shape(run, x, held, logits)[3]
        whole.met, whole.reads = before  # traced twice, counted once
        x, held, logits, seen = jax.lax.cond(
            place.index() == stage, run, functools.partial(_waited, counts), x, held, logits
        )
        for name, amount in seen.items():
            whole.count(name, amount)
        if stage < place.chips - 1 and place.forgets != "stage hand-over":
            x = place.hand_over(x, stage)
    return logits, held, after(lengths, tokens, whole), whole


def _turn(
    net: Network, packings: tuple[Packing, Packing], weights: Rows, tokens: Array, whole: Pass, stage: int, x: Array, held: Rows,
    logits: Array,
) -> tuple[Array, Rows, Array, dict[str, Array]]:  # fmt: skip
    """A stage's turn: its layers, before them the embedding, behind them the head."""
    p = replace(whole, seen={})
    mine = layers_of(stage, len(net.shapes), p.place.chips)
    own = packings[0].unpacked(stage, weights)
    caches: list[Cache] = [{}] * len(net.shapes)
    caches[mine.start : mine.stop] = packings[1].unpacked(stage, held)
    if stage == 0:
        x = looked_up(net, own, tokens, p.place)
    for i in mine:
        x = run_layer(net, i, own["layers"][i - mine.start], caches, x, p)
    if stage == p.place.chips - 1:
        logits = head(net, own, x[:, -1:], p.place)
    return x, packings[1].repacked(caches[mine.start : mine.stop], held), logits, p.seen


def _waited(counts: dict[str, Any], x: Array, held: Rows, logits: Array) -> tuple[Array, Rows, Array, dict[str, Array]]:
    """A turn of another stage: nothing changes, nothing is counted."""
    return x, held, logits, {k: jnp.zeros(v.shape, v.dtype) for k, v in counts.items()}
