"""A training step's memory: XLA's own account of the program that ran, beside `headway.training.memory`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from headway.lab.asked import asked_flops
from headway.lab.findings import Check, Demonstration, Picture
from headway.lab.learning import adam
from headway.lab.needs import QUICK
from headway.lab.networks import Network, begun, fed, head, looked_up, mixed, network
from headway.lab.place import KEPT, Place
from headway.lab.running import ROWS
from headway.lab.widths import tiny
from headway.parallel import Layout
from headway.training.memory import TrainingMemory, training_memory
from headway.training.passes import FUSED
from headway.training.recipes import Recipe, States

Array = Any
WAYS = ("none", "full")
LAYERS, BATCH, LENGTH = 96, 128, 4  # layers; sequences and tokens of a step: short ones, as attention here is not fused
WIDE = 4.0  # bytes of every number
_CLOSE = 0.05
_BARE = States("lab", WIDE, WIDE, 2 * WIDE, 0.0, WIDE)  # Adam in 32 bits without a master copy
_PLACE = Place(keeps=True)


@jax.custom_vjp
def loss(logits: Array, wanted: Array) -> Array:
    """Return the mean cross-entropy, whose backward pass makes the gradient of the logits from them in one piece. [nats]

    Parameters
    ----------
    logits : array
        [batch, tokens, vocabulary] [1]
    wanted : array
        [batch, tokens] [1]
    """
    return _loss_forward(logits, wanted)[0]


def _loss_forward(logits: Array, wanted: Array) -> tuple[Array, Any]:
    top = jax.nn.logsumexp(logits, axis=-1, keepdims=True)
    picked = jnp.sum(jnp.where(jnp.arange(logits.shape[-1]) == wanted[..., None], logits, 0.0), axis=-1)
    return jnp.mean(top[..., 0] - picked), (logits, wanted, top)


def _loss_back(kept: Any, slope: Array) -> tuple[Array, None]:
    logits, wanted, top = kept
    hot = jnp.arange(logits.shape[-1]) == wanted[..., None]
    return (jnp.exp(logits - top) - hot) * (slope / wanted.size), None


loss.defvjp(_loss_forward, _loss_back)


def by_kind(kinds: Sequence[Any]) -> list[list[int]]:
    """Return the numbers of the layers of each kind: their order makes no difference to memory.

    Parameters
    ----------
    kinds : sequence
        Of layers, first to last; equal ones are alike.
    """
    return [[i for i, k in enumerate(kinds) if k == kind] for kind in dict.fromkeys(kinds)]


class Step:
    """A training step of a network, in loops over layers of a kind.

    Parameters
    ----------
    model : str
    layers : int
        [layers]
    """

    def __init__(self, model: str, layers: int) -> None:
        self.net: Network = network(tiny(model, layers))
        self.kinds = by_kind([(s.layer, s.mixer) for s in self.net.shapes])
        whole = jax.tree.map(jnp.asarray, self.net.weights())
        each = [[whole["layers"][i] for i in mine] for mine in self.kinds]
        self.weights = {**whole, "layers": [jax.tree.map(lambda *x: jnp.stack(x), *layers) for layers in each]}
        self.tokens = jnp.zeros((BATCH, LENGTH + 1), jnp.int32)

    def _layer(self, i: int, weights: Any, x: Array) -> Array:
        """A layer on whole sequences, each expert with its even share of the tokens."""
        shape, nothing = self.net.shapes[i], self.net.cache(BATCH, LENGTH)["layers"]
        routes = None
        if shape.layer.experts:
            dealt = np.arange(BATCH * LENGTH * shape.active()) % shape.layer.experts.count
            routes = jnp.asarray(dealt.reshape(BATCH * LENGTH, -1))
        p = begun(
            jnp.zeros(BATCH, jnp.int32), self.tokens[:, :-1], True, _PLACE, routes=routes, capacity=1.0 if shape.layer.experts else None
        )  # fmt: skip
        x = _PLACE.kept(x + mixed(self.net, i, weights, list(nothing), x, p))
        return x + fed(self.net, i, weights, x, p)

    def loss(self, way: str) -> Any:
        """Return (weights, tokens) -> loss.

        Parameters
        ----------
        way : str
            ``none`` keeps what is named, ``full`` each layer's input alone; the rest is computed again.
        """
        names = jax.checkpoint_policies.save_only_these_names(KEPT)
        keep = functools.partial(jax.checkpoint, policy=names)

        def value(weights: Any, tokens: Array) -> Array:
            x = looked_up(self.net, weights, tokens[:, :-1], _PLACE)
            for mine, stacked in zip(self.kinds, weights["layers"], strict=True):
                layer = keep(functools.partial(self._layer, mine[0]))
                layer = layer if way == "none" else jax.checkpoint(layer)

                def turn(x: Array, w: Any, layer: Any = layer) -> tuple[Array, None]:
                    return layer(w, x), None

                x = jax.lax.scan(turn, x, stacked)[0]
            return loss(head(self.net, weights, x, _PLACE), tokens[:, 1:])

        return value

    def compiled(self, way: str) -> Any:
        """Return what XLA's memory analysis says of a step.

        Parameters
        ----------
        way : str
        """
        step = jax.jit(adam(self.loss(way)), donate_argnums=(0, 1, 2))
        state = [self.weights] * 3
        return step.lower(*state, jnp.float32(1), self.tokens).compile(QUICK).memory_analysis()

    def products(self, way: str) -> float:
        """Return FLOPs of a step on the layers' matrices, in those of a forward pass.

        Parameters
        ----------
        way : str
        """
        named = {ROWS[m.role] for s in self.net.shapes for m in s.layer.linears}
        asked = asked_flops(jax.make_jaxpr(jax.value_and_grad(self.loss(way)))(self.weights, self.tokens))
        forward = 0.0
        for m, layer in ((m, s.layer) for s in self.net.shapes for m in s.layer.linears):
            forward += 2 * BATCH * LENGTH * m.copies * m.inputs * m.outputs * layer.used_share(m.role)
        return sum(amount for name, (amount, _) in asked.items() if name in named) / forward

    def account(self, way: str) -> TrainingMemory:
        """Return the account of the same step.

        Parameters
        ----------
        way : str
        """
        r = Recipe(Layout(), 1, LENGTH, BATCH, BATCH, recompute=way)  # pyright: ignore[reportArgumentType]
        return training_memory(self.net.model, r, _BARE, FUSED, wide=WIDE)


def memory(models: str) -> Demonstration:
    """Training steps of several families: what XLA takes for them, beside the account of `headway train`.

    Parameters
    ----------
    models : str
        By comma.
    """
    rows: list[dict[str, Any]] = []
    for model in (m.strip() for m in models.split(",")):
        both = [Step(model, n) for n in (LAYERS // 2, LAYERS)]
        rows += [_row(both, way) for way in WAYS]
    points = [
        (f"{r['model']}, {r['recompute']}, {who}", float(layers), r[f"{who}_bytes"] - r[f"{who}_bytes_a_layer"] * (LAYERS - layers))
        for r in rows for who in ("program", "account") for layers in (LAYERS // 2, LAYERS)
    ]  # fmt: skip
    picture = Picture("layers", "memory of a training step, bytes", tuple(points))
    notes = (
        f"{LAYERS} layers, {BATCH} sequences of {LENGTH} tokens, 32-bit numbers, Adam; the program is compiled, not run",
        "kept is what has a name in the network; at three forward passes' worth of products nothing that is needed lacks one",
    )
    title = "memory of a training step, by the compiler and by the account"
    return Demonstration("memory", "", title, f"tiny {models}", _checks(rows), tuple(rows), picture, notes)


def _row(both: Sequence[Step], way: str) -> dict[str, Any]:
    """What a step takes in all, and what a layer adds to it."""
    found = [s.compiled(way) for s in both]
    half, whole = (
        m.argument_size_in_bytes + m.output_size_in_bytes - m.alias_size_in_bytes + m.temp_size_in_bytes for m in found
    )
    few, every = (s.account(way) for s in both)
    last, states = both[-1], every.weights + every.optimizer
    layers = LAYERS - LAYERS // 2
    return {
        "model": last.net.model.name.removeprefix("tiny "), "recompute": way, "states_bytes": states,
        "arguments_bytes": found[-1].argument_size_in_bytes - last.tokens.nbytes - WIDE,
        "program_bytes": whole, "account_bytes": every.total, "program_bytes_a_layer": (whole - half) / layers,
        "account_bytes_a_layer": (every.total - few.total) / layers, "products": last.products(way),
    }  # fmt: skip


def _checks(rows: Sequence[dict[str, Any]]) -> tuple[Check, ...]:
    whole = max(abs(r["program_bytes"] / r["account_bytes"] - 1) for r in rows)
    layer = max(abs(r["program_bytes_a_layer"] / r["account_bytes_a_layer"] - 1) for r in rows)
    plain, again = ([r["products"] for r in rows if r["recompute"] == way] for way in WAYS)
    off = max(abs(r["arguments_bytes"] - r["states_bytes"]) for r in rows)
    what = "forward passes' worth of products, nothing computed again"
    return (
        Check("weights and optimizer states", "exactly", f"{off:g} B apart", off == 0),
        Check("memory of a step, against the account", f"within {_CLOSE:.0%}", f"{whole:.1%} at the most", whole <= _CLOSE),
        Check("what a layer adds", f"within {_CLOSE:.0%}", f"{layer:.1%} at the most", layer <= _CLOSE),
        Check(what, "3", f"{max(plain):.4g}", max(abs(x - 3) for x in plain) < 1e-6),
        Check("all of it computed again", "3 to 4", f"{min(again):.3g} to {max(again):.3g}", min(again) > 3 and max(again) <= 4),
    )  # fmt: skip
