"""A mixture of experts that runs (SYS-C1): routers, capacity, coverage, and the skew of a router measured from its run."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from headway.errors import InputError
from headway.lab.experts import gated, mixture
from headway.lab.findings import Check, Demonstration, Picture
from headway.lab.needs import QUICK
from headway.lab.networks import Network, begun, fed, looked_up, mixed, network, run_layer
from headway.lab.place import ALONE
from headway.lab.routing import Router, Unevenness, drawn, touched_by, unevenness
from headway.lab.running import Matrices, Pass, normed
from headway.lab.shapes import family_of
from headway.lab.widths import tiny
from headway.models import Architecture, Experts, Layer, touched_experts
from headway.models.experts import popularity

Array = Any
MANY, ACTIVE = 256, 8  # experts and experts of a token of the lecture's DeepSeek: 1 in 32
TOKENS, _FEW = 2048, 256  # of a run; of one whose 256 experts have a slot for each
STEEP = 0.8  # Zipf exponent of choices that are drawn, to see that it is read back
_CLOSE = 1e-5  # of the largest output
_READ_BACK = 0.05
_COUNTED = (1, 2, 4, 8, 16, 32, 64, 100, 128, 256)  # tokens
_NOISE = 0.03  # of the touched experts: 2,048 tokens are 8 runs of 256


def with_experts(model: Architecture, count: int, active: int) -> Architecture:
    """Return a model with another number of experts in every layer that has any.

    Parameters
    ----------
    model : Architecture
    count, active : int
        [experts]

    Raises
    ------
    InputError
        For a model without experts.
    """
    if model.experts is None:
        raise InputError(f"{model.name}: has no experts; try deepseek-v3, qwen3-30b-a3b or gpt-oss-20b")
    more = count - model.experts.count if family_of(model).correction else 0

    def changed(layer: Layer) -> Layer:
        if layer.experts is None:
            return layer
        linears = tuple(
            replace(m, copies=count) if m.role == "expert" else replace(m, outputs=count) if m.role == "router" else m
            for m in layer.linears
        )
        vectors = layer.vector_parameters + more
        return replace(layer, linears=linears, experts=Experts(count, active), vector_parameters=vectors)

    return replace(model, layers=tuple(map(changed, model.layers)))


@dataclass(frozen=True)
class _Block:
    """A layer with experts, its weights, and what came to it."""

    net: Network
    number: int
    weights: Any
    x: Array

    def run(self, **asked: Any) -> tuple[Array, dict[str, Array]]:
        """What the mixture gives, and what was counted."""

        def one(m: Matrices, x: Array) -> tuple[Array, dict[str, Array]]:
            p = _fresh(x, **asked)
            return mixture(x, m, m.shape, self.net.family, jax.nn.silu, p)[0], p.seen

        return self.compiled(one)

    def chosen(self, groups: tuple[int, int] = (1, 1)) -> tuple[Any, Any]:
        """Experts of every token and their weights."""

        def one(m: Matrices, x: Array) -> tuple[Array, Array]:
            router = Router(self.net.family.scores, m.shape.active(), *groups)
            return router(m("router", x[0]), m.weights.get("correction"))

        found = self.compiled(one)
        return np.asarray(found[0]), np.asarray(found[1])

    def compiled(self, f: Callable[[Matrices, Array], Any]) -> Any:
        """What a function of the layer's matrices and of what came gives."""
        s = self.net.shapes[self.number]
        run = jax.jit(lambda weights, x: f(Matrices(s, weights, ALONE), x), compiler_options=QUICK)  # type: ignore[reportUnknownLambdaType]
        return run(self.weights, self.x)


def _fresh(x: Array, **asked: Any) -> Pass:
    return Pass(jnp.zeros(1, jnp.int32), jnp.arange(x.shape[1])[None], True, **asked)


def experts(model: str) -> Demonstration:
    """SYS-C1: a layer of experts under several routers, against every expert computed for every token.

    Parameters
    ----------
    model : str
    """
    arch = tiny(model)
    wide, small = _block(with_experts(arch, MANY, ACTIVE)), _block(arch)
    every = _block(with_experts(arch, 8, 8))
    few = replace(wide, x=wide.x[:, :_FEW])
    rows = [
        _row("top-k", small), _row("all experts (k = E)", every), _row("slots for an even share", small, capacity=1.0),
        _row("a quarter more slots", small, capacity=1.25), _row("2 of 4 groups", small, groups=(4, 2)),
        _row(f"{ACTIVE} of {MANY}", few), _row("4 of 8 groups of those", few, groups=(8, 4)),
    ]  # fmt: skip
    even = drawn(np.full(MANY, ACTIVE / MANY), TOKENS, np.random.default_rng(5))
    steep = drawn(popularity(MANY, ACTIVE, STEEP), TOKENS, np.random.default_rng(6))
    own = wide.chosen()[0]
    read_back, met = unevenness(steep, MANY), unevenness(own, MANY)
    wanted = _dense(every)
    dense = float(np.max(np.abs(every.run()[0] - wanted)) / np.max(np.abs(wanted)))
    checks = (
        Check("k = E against a dense mixture", f"within {_CLOSE:g}", f"{dense:.1e}", dense <= _CLOSE),
        Check(
            "every router against all experts on all tokens", f"within {_CLOSE:g}", f"{max(r['apart'] for r in rows):.1e}",
            all(r["apart"] <= _CLOSE for r in rows),
        ),
        Check("experts that a token computes, of all", "1/32", f"1/{1 / rows[5]['computed_share']:.6g}",
              rows[5]["computed_share"] == ACTIVE / MANY),
        _shared(small),
        Check(
            "choices dropped for want of slots", "as counted", ", ".join(f"{r['dropped']:,}" for r in rows[2:4]),
            all(r["dropped"] == r["over_slots"] for r in rows) and rows[0]["dropped"] == 0 < rows[3]["dropped"] < rows[2]["dropped"],
        ),
        _grouped(wide),
        *_coverage(even, steep),
        Check(f"skew {STEEP:g} drawn, read back from the choices", f"within {_READ_BACK:g}", f"{read_back.skew:.3f}",
              abs(read_back.skew - STEEP) <= _READ_BACK),
    )  # fmt: skip
    title = f"a mixture of experts ({small.net.family.scores} router)"
    return Demonstration(
        "experts", "SYS-C1", title, arch.name, checks, tuple(rows), _picture(even, own, met), _notes(met, model)
    )


def _block(arch: Architecture) -> _Block:
    """The last layer with experts, and what comes to it of a prompt of random tokens."""
    net = network(arch)
    weights = jax.tree.map(jnp.asarray, net.weights())
    number = max(i for i, s in enumerate(net.shapes) if s.layer.experts)
    tokens = jnp.asarray(np.random.default_rng(4).integers(0, arch.vocabulary, (TOKENS // 16, 16)))

    @functools.partial(jax.jit, compiler_options=QUICK)
    def before(weights: Any, tokens: Array) -> Array:
        p = begun(jnp.zeros(len(tokens), jnp.int32), tokens, True)
        x, caches = looked_up(net, weights, tokens, ALONE), list(net.cache(*tokens.shape)["layers"])
        for i in range(number):
            x = run_layer(net, i, weights["layers"][i], caches, x, p)
        x = x + mixed(net, number, weights["layers"][number], caches, x, p)
        return normed(x, weights["layers"][number]["ffn_norm"])

    x = before(weights, tokens)
    return _Block(net, number, weights["layers"][number], x.reshape(1, -1, x.shape[-1]))


def _row(name: str, block: _Block, **asked: Any) -> dict[str, Any]:
    """What a layer did: experts touched and tokens dropped, and how far it lies from every expert on every token."""
    out, seen = block.run(**asked)
    chosen, weights = block.chosen(asked.get("groups", (1, 1)))
    experts = block.net.shapes[block.number].layer.experts
    assert experts is not None
    counts = np.asarray(seen["layer 0"])
    slots = math.ceil(asked["capacity"] * chosen.size / experts.count) if "capacity" in asked else len(chosen)
    kept = _fitting(chosen, slots)
    plain = _plain(block, chosen, weights * kept)
    computed = int(seen["expert tokens"])
    return {
        "router": name, "experts": experts.count, "active": experts.active, "tokens": len(chosen),
        "touched": int(seen["touched"]), "computed_share": computed / len(chosen) / experts.count,
        "busiest_over_mean": float(counts.max() / counts.mean()), "dropped": chosen.size - computed,
        "over_slots": int(np.maximum(counts - slots, 0).sum()),
        "apart": float(np.max(np.abs(np.asarray(out) - plain)) / np.max(np.abs(plain))),
    }  # fmt: skip


def _fitting(chosen: Any, slots: int) -> Any:
    """Which choices find a slot: of each expert the first ones, token by token."""
    kept = np.zeros(chosen.shape, bool)
    filled = np.zeros(chosen.max() + 1, int)
    for at in np.ndindex(*chosen.shape):
        kept[at] = filled[chosen[at]] < slots
        filled[chosen[at]] += 1
    return kept


def _plain(block: _Block, chosen: Any, weights: Any) -> Any:
    """The layer in 64-bit NumPy: every expert computes every token, one after the other, and most are given no weight."""
    x = np.asarray(block.x[0], float)
    held = {k: np.asarray(v, float) for k, v in block.weights.items() if k.startswith("expert.")}
    out = np.zeros_like(x)

    def bias(key: str) -> Any:
        return held.get(f"{key}+bias", np.zeros(len(held[key])))

    for e in range(len(held["expert.up_proj"])):
        share = np.sum(np.where(chosen == e, weights, 0.0), axis=1)
        inner = x @ held["expert.up_proj"][e] + bias("expert.up_proj")[e]
        if "expert.gate_proj" in held:
            gate = x @ held["expert.gate_proj"][e] + bias("expert.gate_proj")[e]
            inner = gate / (1 + np.exp(-gate)) * inner
        y = inner @ held["expert.down_proj"][e] + bias("expert.down_proj")[e]
        out += share[:, None] * y
    return out


def _dense(block: _Block) -> Any:
    """The dense mixture: weights of all experts over all tokens, nobody chosen."""
    logits = np.asarray(block.compiled(lambda m, x: m("router", x[0])), float)
    scores = (
        1 / (1 + np.exp(-logits))
        if block.net.family.scores == "sigmoid"
        else np.exp(logits - logits.max(1, keepdims=True))
    )
    everyone = np.tile(np.arange(logits.shape[1]), (len(logits), 1))
    return _plain(block, everyone, scores / scores.sum(axis=1, keepdims=True))


def _shared(block: _Block) -> Check:
    """The part of shared experts: on every token, beside what is routed."""
    s = block.net.shapes[block.number]
    if "shared" not in s.roles:
        return Check("shared experts", "none in this family", "none", True)

    def parts(m: Matrices, x: Array) -> list[Array]:
        both = [fed(block.net, block.number, m.weights, x, _fresh(x, ignores=part)) for part in ("", "shared")]
        h = normed(x, m.weights["ffn_norm"])
        alone = gated(h, m, "shared", jax.nn.silu)
        if "shared_gate" in m.weights:
            alone = alone * jax.nn.sigmoid(jnp.sum(h * m.weights["shared_gate"], -1, keepdims=True))
        return [*both, alone]

    both, routed, alone = map(np.asarray, block.compiled(parts))
    apart = float(np.max(np.abs(both - routed - alone)) / np.max(np.abs(both)))
    least = float(np.min(np.max(np.abs(alone), axis=-1)))
    return Check("shared experts on every token", f"within {_CLOSE:g}", f"{apart:.1e}", apart <= _CLOSE and least > 0)


def _grouped(block: _Block) -> Check:
    """Groups that a token's experts lie in, where it may choose of 4 groups out of 8."""
    chosen, _ = block.chosen((8, 4))
    free, _ = block.chosen()
    most, before = (max(len(np.unique(c)) for c in x // (MANY // 8)) for x in (chosen, free))
    return Check(
        "groups that a token's experts lie in, 4 of 8 allowed",
        "at most 4",
        f"{most} ({before} without)",
        most <= 4 < before,
    )


def _coverage(even: Any, steep: Any) -> list[Check]:
    """Distinct experts that drawn choices touch, against the formula with and without its skew."""
    found: list[Check] = []
    for name, chosen, skew in (("even", even, 0.0), (f"skew {STEEP:g}", steep, STEEP)):
        off = [touched_by(chosen, n) / float(touched_experts(MANY, ACTIVE, float(n), skew)) - 1 for n in _COUNTED]
        worst = max(off, key=abs)
        what = f"experts touched by 1 to {_COUNTED[-1]} tokens, {name} (touched_experts)"
        found.append(Check(what, f"within {_NOISE:.0%}", f"{worst:+.1%}", abs(worst) <= _NOISE))
    return found


def _picture(even: Any, own: Any, met: Unevenness) -> Picture:
    lines: dict[str, Callable[[int], float]] = {
        "balanced choices, counted": lambda n: touched_by(even, n),
        "E (1 - (1 - k/E)^T)": lambda n: float(touched_experts(MANY, ACTIVE, float(n))),
        "this network's router, counted": lambda n: touched_by(own, n),
        f"formula at skew {met.skew:.2f}": lambda n: float(touched_experts(MANY, ACTIVE, float(n), met.skew)),
    }
    points = [(line, float(n), f(n)) for line, f in lines.items() for n in _COUNTED]
    return Picture("tokens", f"distinct experts touched, of {MANY}", tuple(points))


def _notes(met: Unevenness, model: str) -> tuple[str, ...]:
    return (
        f"this network's router over {MANY} experts: its choices touch as many as popularity of skew {met.skew:.2f}; its busiest expert "
        f"has {met.hottest:.1%} of the tokens (formula {met.formula:.1%}, balanced {ACTIVE / MANY:.1%})",
        f"the same in a plan: headway plan {model} --on gb200-nvl72 --skew {met.skew:.2f}",
    )
