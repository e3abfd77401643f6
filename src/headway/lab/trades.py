"""Memory against compute (SYS-G3, SYS-G4): a reversible transformer beside an ordinary one, and a cache beside none."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from headway.errors import InputError
from headway.lab.asked import asked_flops
from headway.lab.cache import cache_bytes
from headway.lab.findings import Check, Demonstration, Picture
from headway.lab.learning import Learning, text
from headway.lab.needs import QUICK
from headway.lab.networks import Network, looked_up, network
from headway.lab.place import ALONE
from headway.lab.reversible import WAYS, halves, loss_of, run, stacked
from headway.lab.running import ROWS
from headway.lab.systems import products
from headway.lab.widths import tiny
from headway.training import decode_recompute_factor, training_trade

Array = Any
DEPTHS = (2, 8, 16)  # layers
TRAINED, BATCH, LENGTH = 8, 8, 64  # layers; sequences and tokens of a step
STEPS = 60
TEXT = "alice"
_CLOSE = 1e-5  # of the largest gradient
_BACK = 1e-4  # of the largest input: 32-bit sums taken back
_SLOWER = 1.5  # times the ordinary step
_BOTH = ("ordinary", "reversible")
_FLAT, _LINEAR = 0.02, 0.1
_TOGETHER, _FALLS = 0.02, 2.0  # nats between two loss curves; from the first step to the last


def reversible(model: str, steps: int = STEPS, keep: str = "") -> Demonstration:
    """SYS-G3: a transformer that is trained without keeping activations, beside the same trained in the ordinary way.

    Parameters
    ----------
    model : str
    steps : int
        Of training on the characters of a story. [steps]
    keep : str
        File that the training run is written to, and gone on from; "" for none.

    Raises
    ------
    InputError
        For a model with layers of several kinds, no steps, or a file that holds another run.
    """
    if steps < 1:
        raise InputError(f"--steps: {steps} must be at least 1")
    depth = _Depth(model, TRAINED)
    losses = {way: loss_of(depth.net, way, BATCH, LENGTH) for way in _BOTH}
    work = Learning(losses, depth.weights, text(TEXT), BATCH, LENGTH, f"{depth.net.model.name}, {TRAINED} layers")
    work.run(steps, keep)
    rows = tuple(_Depth(model, n).row() for n in DEPTHS)
    checks = (*_same(rows, depth.back()), *_memory(rows), *_learned(work))
    points = [(way, float(i + 1), v) for way in losses for i, v in enumerate(work.losses[way])]
    picture = Picture("step", "loss, nats a character", tuple(points), "plain")
    notes = (f"trained for {work.done} steps of {BATCH} x {LENGTH} characters of the catalogue's text {TEXT!r}",)
    title = "a reversible transformer against ordinary backpropagation"
    return Demonstration("reversible", "SYS-G3", title, depth.net.model.name, checks, rows, picture, notes)


def _trade(back: bool) -> float:
    return training_trade(1, 1, back).flops_per_parameter


def _same(rows: tuple[dict[str, Any], ...], back: float) -> list[Check]:
    """Gradients, inputs computed back, and what that costs."""
    gradients, last = max(r["gradients_apart"] for r in rows), rows[-1]
    counted = all(r["ordinary_flops"] == _trade(False) and r["reversible_flops"] == _trade(True) for r in rows)
    return [
        Check("gradients against ordinary backpropagation", f"within {_CLOSE:g}", f"{gradients:.1e}", gradients <= _CLOSE),
        Check("inputs computed back from outputs", f"within {_BACK:g}", f"{back:.1e}", back <= _BACK),
        Check("FLOPs per parameter and token", "6 and 8: 4/3", f"{last['ordinary_flops']:g} and {last['reversible_flops']:g}", counted),
    ]  # fmt: skip


def _learned(work: Learning) -> list[Check]:
    """Both loss curves, and the time of a step, of those that ran now."""
    a, b = (np.array(work.losses[way]) for way in _BOTH)
    apart, fell, slower = (
        float(np.max(np.abs(a - b))),
        float(a[0] - a[-5:].mean()),
        work.slower("reversible", "ordinary"),
    )
    what = f"time of a step of {TRAINED} layers over the ordinary one's"
    timed = [] if slower is None else [Check(what, f"at most {_SLOWER:g}", f"{slower:.2f}", slower <= _SLOWER)]
    falls = work.done < STEPS or fell >= _FALLS
    return [
        *timed,
        Check("loss curves of both", f"within {_TOGETHER:g} nats", f"{apart:.1e}", apart <= _TOGETHER),
        Check(f"loss after {work.done} steps, below the first", f"{_FALLS:g} after {STEPS}", f"{fell:.2f} of {a[0]:.2f}", falls),
    ]  # fmt: skip


class _Depth:
    """A network of so many layers, and its step in all ways."""

    def __init__(self, model: str, layers: int) -> None:
        self.layers, self.net = layers, network(tiny(model, layers))
        self.weights = stacked(self.net, jax.tree.map(jnp.asarray, self.net.weights()))
        shape = BATCH, LENGTH + 1
        self.tokens = jnp.asarray(np.random.default_rng(layers).integers(0, self.net.model.vocabulary, shape))

    def step(self, way: str) -> Any:
        """Loss and gradients."""
        return jax.jit(jax.value_and_grad(loss_of(self.net, way, BATCH, LENGTH)))

    @functools.cache  # noqa: B019 (a handful of networks, for the life of one answer)
    def compiled(self, way: str) -> Any:
        """A way's step, compiled quickly."""
        return self.step(way).lower(self.weights, self.tokens).compile(QUICK)

    def bytes(self, way: str) -> int:
        """Temporaries of a step by XLA's memory analysis: activations, as weights and gradients are arguments and results."""
        return int(self.compiled(way).memory_analysis().temp_size_in_bytes)

    def flops(self, way: str) -> float:
        """FLOPs of a step on the layers' matrices, per parameter and token, from the trace."""
        asked = asked_flops(
            jax.make_jaxpr(jax.value_and_grad(loss_of(self.net, way, BATCH, LENGTH)))(self.weights, self.tokens)
        )
        named = {ROWS[m.role] for m in self.net.shapes[0].layer.linears}
        matrices = sum(m.parameters for s in self.net.shapes for m in s.layer.linears)
        return sum(products for name, (products, _) in asked.items() if name in named) / matrices / BATCH / LENGTH

    def apart(self) -> float:
        """How far reversible gradients lie from ordinary ones, in parts of the largest."""
        a, b = (jax.tree.leaves(self.compiled(way)(self.weights, self.tokens)[1]) for way in _BOTH)
        most = max(float(jnp.max(jnp.abs(x))) for x in a)
        return max(float(jnp.max(jnp.abs(x - y))) for x, y in zip(a, b, strict=True)) / most

    def row(self) -> dict[str, Any]:
        """What a depth takes, in both ways."""
        return {
            "layers": self.layers, "weight_bytes": sum(int(x.nbytes) for x in jax.tree.leaves(self.weights)),
            **{f"{way}_bytes": self.bytes(way) for way in _BOTH}, **{f"{way}_flops": self.flops(way) for way in _BOTH},
            "gradients_apart": self.apart(),
        }  # fmt: skip

    def back(self) -> float:
        """How far inputs lie from those computed back from outputs, in parts of the largest."""
        f, g = halves(self.net, BATCH, LENGTH)

        @functools.partial(jax.jit, compiler_options=QUICK)
        def both(weights: Any, tokens: Array) -> Array:
            x = looked_up(self.net, weights, tokens[:, :-1], ALONE)
            y1, y2 = run("ordinary", f, g, weights["layers"], x, x)

            def before(carry: tuple[Array, Array], w: Any) -> tuple[tuple[Array, Array], None]:
                y1, y2 = carry
                x2 = y2 - g(w, y1)
                return (y1 - f(w, x2), x2), None

            x1, x2 = jax.lax.scan(before, (y1, y2), weights["layers"], reverse=True)[0]
            return jnp.maximum(jnp.max(jnp.abs(x1 - x)), jnp.max(jnp.abs(x2 - x))) / jnp.max(jnp.abs(x))

        return float(both(self.weights, self.tokens))


def _memory(rows: tuple[dict[str, Any], ...]) -> tuple[Check, ...]:
    """Activations by depth: flat where the network is reversible, on a line where it is not."""
    n, back, plain = ([float(r[k]) for r in rows] for k in ("layers", "reversible_bytes", "ordinary_bytes"))
    slopes = [(plain[i + 1] - plain[i]) / (n[i + 1] - n[i]) for i in range(len(n) - 1)]
    flat = max(back) / min(back) - 1
    span = f"{rows[0]['layers']} to {rows[-1]['layers']} layers"
    return (
        Check(f"activations of {span}, reversible", "the same", f"{back[0]:,.0f} to {back[-1]:,.0f} B", flat <= _FLAT),
        Check(
            f"activations of {span}, ordinary", "on a line", f"{plain[0]:,.0f} to {plain[-1]:,.0f} B",
            slopes[0] > 0 and max(slopes) / min(slopes) - 1 <= _LINEAR,
        ),
    )  # fmt: skip


# --- both ways -----------------------------------------------------------------------------------------------------

_TOLD = (4, 8, 16)  # tokens


def trade(model: str) -> Demonstration:
    """SYS-G4: compute spent to save memory (a reversible network), memory spent to save compute (a cache).

    Parameters
    ----------
    model : str
    """
    deep = {n: _Depth(model, n) for n in DEPTHS}
    flops = {way: deep[DEPTHS[-1]].flops(way) for way in WAYS}
    rows = [
        _told(f"training of {n} layers", way, d.bytes(way), flops[way], flops["ordinary"])
        for n, d in deep.items() for way in WAYS
    ]  # fmt: skip
    net = network(tiny(model))
    more, factors = _generated(net)
    wanted = {n: float(decode_recompute_factor(n)) for n in _TOLD}
    pair = flops["ordinary"], flops["reversible"]
    what = f"passes through the matrices without a cache, {', '.join(map(str, _TOLD))} tokens"
    checks = (
        Check("FLOPs per parameter and token: ordinary, reversible", "6, 8", f"{pair[0]:g}, {pair[1]:g}",
              pair == (_trade(False), _trade(True))),
        *_memory(tuple({"layers": n, **{f"{way}_bytes": d.bytes(way) for way in _BOTH}} for n, d in deep.items())),
        Check(what, ", ".join(f"{f:g}" for f in wanted.values()), ", ".join(f"{f:g}" for f in factors.values()),
              all(abs(factors[n] / f - 1) < 1e-9 for n, f in wanted.items())),
    )  # fmt: skip
    most, least = (deep[DEPTHS[-1]].bytes(way) for way in _BOTH)
    last = _TOLD[-1]
    notes = (
        f"compute for memory: a third more FLOPs save {1 - least / most:.0%} of the activations of {DEPTHS[-1]} layers",
        f"memory for compute: {cache_bytes(net.cache(1, last)):,} B of cache save {1 - 1 / factors[last]:.0%} of the FLOPs of "
        f"{last} tokens, more the longer the answer",
    )
    points = tuple((way, float(n), float(d.bytes(way))) for way in WAYS for n, d in deep.items())
    picture = Picture("layers", "activations of a training step, bytes", points)
    title = "memory for compute, and compute for memory"
    return Demonstration("trade", "SYS-G4", title, net.model.name, checks, (*rows, *more), picture, notes)


def _generated(net: Network) -> tuple[list[dict[str, Any]], dict[int, float]]:
    """What answers take with and without a cache, and how many times more FLOPs without, by their tokens."""
    weights = jax.tree.map(jnp.asarray, net.weights())
    passes = [[_matrices(net, weights, *way(i)) for i in range(max(_TOLD))] for way in (_with, _without)]
    rows: list[dict[str, Any]] = []
    factors: dict[int, float] = {}
    for n in _TOLD:
        cached, again = (sum(each[:n]) for each in passes)
        factors[n] = again / cached
        rows += [
            _told(f"generating {n} tokens", "with a cache", cache_bytes(net.cache(1, n)), cached, cached),
            _told(f"generating {n} tokens", "without", 0, again, cached),
        ]
    return rows, factors


def _told(what: str, way: str, held: float, flops: float, least: float) -> dict[str, Any]:
    return {"what": what, "way": way, "held_bytes": held, "flops": flops, "over_the_least": flops / least}


def _with(i: int) -> tuple[int, int]:
    """New and cached tokens of the pass that gives token i, from a cache."""
    return 1, i


def _without(i: int) -> tuple[int, int]:
    return i + 1, 0


def _matrices(net: Network, weights: Any, new: int, context: int) -> float:
    """FLOPs of a pass on the layers' matrices, those of the head and attention's own left out."""
    named = {ROWS[m.role] for s in net.shapes for m in s.layer.linears}
    return sum(amount for name, amount in products(net, weights, new, context).items() if name in named)
