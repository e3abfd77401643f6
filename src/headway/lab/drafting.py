"""Speculative decoding that runs (SYS-H4): a draft proposes, one pass of the network checks, caches go back to what was accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from headway.batching import expected_tokens
from headway.errors import InputError
from headway.lab.findings import Check, Demonstration, Picture
from headway.lab.networks import Network, network, whole_pass
from headway.lab.widths import tiny
from headway.models import Reach

Array = Any
LAYERS, SEQUENCES, PROMPT, TOKENS = 4, 16, 16, 48
LENGTHS = (1, 2, 4, 6)  # drafted tokens a pass
DRAWN = 4  # of the lecture's case
RIGHT = 0.8  # of a draft that is wrong one time in five
_NOISE = 0.02  # of each weight
_DRAWN_NEAR = 0.1  # where the share accepted is drawn, too
_NEAR = 0.03  # tokens per pass against the formula: a few hundred passes


@dataclass
class _Drafter:
    """A network that drafts, with a cache of its own, and how often what it says is replaced by something else."""

    net: Network
    weights: Any
    wrong: float = 0.0

    def started(self, prompts: Array, capacity: int) -> Any:
        """Its cache behind prompts."""
        return self.net.prefill(self.weights, prompts, capacity)[1]

    def ahead(self, cache: Any, token: Array, count: int, rng: np.random.Generator) -> tuple[Any, Any]:
        """So many tokens after one, and the cache with the last of them, too."""
        said: list[Array] = []
        for i in range(count + 1):
            logits, cache, _ = whole_pass(self.net, self.weights, cache, token[:, None], False)
            token = jnp.argmax(logits[:, -1], axis=-1)
            if self.wrong:
                other = (token + rng.integers(1, self.net.model.vocabulary, len(token))) % self.net.model.vocabulary
                token = jnp.where(jnp.asarray(rng.random(len(token)) < self.wrong), other, token)
            if i < count:
                said.append(token)
        return np.stack(said, axis=1), cache


@dataclass
class _Counts:
    """What came of it, over all sequences."""

    tokens: Any
    told: int
    passes: int
    accepted: int
    tested: int

    @property
    def chance(self) -> float:
        """Share of drafts that were accepted, of those that were looked at."""
        return self.accepted / self.tested


def speculate(model: str) -> Demonstration:
    """SYS-H4: greedy decoding with drafts, against plain decoding.

    Parameters
    ----------
    model : str

    Raises
    ------
    InputError
        For a model whose caches cannot go back: windows and recurrent states write over what they need again.
    """
    net = network(tiny(model, LAYERS))
    if any(s.read is None or s.read.reach.kind != Reach().kind for s in net.shapes):
        raise InputError(f"{model}: has windows or recurrent states, whose caches cannot go back; try llama-3.1-8b")
    weights = jax.tree.map(jnp.asarray, net.weights())
    rng, drafters = np.random.default_rng(11), _drafters(net, model, weights)
    prompts = jnp.asarray(rng.integers(0, net.model.vocabulary, (SEQUENCES, PROMPT)))
    logits, cache = net.prefill(weights, prompts, PROMPT + TOKENS)
    start = jnp.argmax(logits[:, -1], axis=-1)
    plain = np.asarray(net.decode(weights, cache, start, TOKENS)[0])
    asked = [(name, DRAWN) for name in drafters] + [
        ("itself, wrong one time in five", g) for g in LENGTHS if g != DRAWN
    ]
    rows: list[dict[str, Any]] = []
    for name, length in asked:
        found = _decoded(net, weights, drafters[name], prompts, start, length)
        rows.append(
            {
                "draft": name, "length": length, "accepted_share": found.chance, "passes": found.passes,
                "tokens_per_pass": found.told / found.passes, "formula": float(expected_tokens(found.chance, length)),
                "same_tokens": bool(np.array_equal(found.tokens, plain)),
            }
        )  # fmt: skip
    points = [
        (line, float(r["length"]), r[key])
        for line, key in (("counted", "tokens_per_pass"), ("(1 - a^(g+1)) / (1 - a)", "formula"))
        for r in sorted(rows, key=_length) if r["draft"].endswith("five")
    ]  # fmt: skip
    picture = Picture("drafted tokens a pass", "tokens per pass", tuple(points), "plain")
    title = "speculative decoding"
    return Demonstration("speculate", "SYS-H4", title, net.model.name, _checks(rows), tuple(rows), picture)


def _drafters(net: Network, model: str, weights: Any) -> dict[str, _Drafter]:
    """Who proposes: always right, right four times in five, nearly the same, and half as large."""
    rng = np.random.default_rng(10)

    def shaken(w: Array) -> Array:
        return w * (1 + _NOISE * jnp.asarray(rng.standard_normal(w.shape), w.dtype))

    half = {**weights, "layers": weights["layers"][: LAYERS // 2]}
    return {
        "the network itself": _Drafter(net, weights), "itself, wrong one time in five": _Drafter(net, weights, 1 - RIGHT),
        "itself with noise": _Drafter(net, jax.tree.map(shaken, weights)),
        "its first half": _Drafter(network(tiny(model, LAYERS // 2)), half),
    }  # fmt: skip


def _length(row: dict[str, Any]) -> int:
    return row["length"]


def _checks(rows: list[dict[str, Any]]) -> tuple[Check, ...]:
    drawn = [r for r in rows if r["draft"].endswith("five")]
    lecture = next(r for r in drawn if r["length"] == DRAWN)
    off = max(abs(r["tokens_per_pass"] / r["formula"] - 1) for r in drawn)
    wanted = float(expected_tokens(RIGHT, DRAWN))
    return (
        Check("greedy tokens with drafts against plain decoding", "the same", f"{sum(r['same_tokens'] for r in rows)} of {len(rows)}",
              all(r["same_tokens"] for r in rows)),
        Check(f"tokens per pass, a = {RIGHT:g}, g = {DRAWN}", f"{wanted:.4f}, within 10 %", f"{lecture['tokens_per_pass']:.4f}",
              abs(lecture["tokens_per_pass"] / wanted - 1) < _DRAWN_NEAR),
        Check("tokens per pass against the formula at the share accepted", f"within {_NEAR:.0%}", f"{off:.1%} at the most", off <= _NEAR),
        Check("a draft that is always right", f"{DRAWN + 1} a pass", f"{rows[0]['tokens_per_pass']:g}",
              rows[0]["tokens_per_pass"] == DRAWN + 1),
    )  # fmt: skip


def _decoded(net: Network, weights: Any, drafter: _Drafter, prompts: Array, start: Array, length: int) -> _Counts:
    """Decode all sequences, each as far as its own drafts are accepted."""
    capacity = PROMPT + TOKENS + length + 1
    cache, own = net.prefill(weights, prompts, capacity)[1], drafter.started(prompts, capacity)
    told: list[list[int]] = [[] for _ in range(SEQUENCES)]
    rng = np.random.default_rng(12)
    found, token = _Counts(None, 0, 0, 0, 0), start
    while any(len(t) < TOKENS for t in told):
        before, own_before = cache["length"], own["length"]
        drafts, own = drafter.ahead(own, token, length, rng)
        checked = jnp.concatenate([token[:, None], jnp.asarray(drafts)], axis=1)
        logits, cache, _ = whole_pass(net, weights, cache, checked, False)
        best = np.asarray(jnp.argmax(logits, axis=-1))
        right = np.cumprod(best[:, :-1] == drafts, axis=1).sum(axis=1)
        moved = np.zeros(SEQUENCES, int)
        for i, t in enumerate(told):
            if len(t) < TOKENS:
                t.extend(best[i, : right[i] + 1].tolist())
                moved[i] = right[i] + 1
                found.passes += 1
                found.accepted += int(right[i])
                found.tested += int(min(right[i] + 1, length))
        token = jnp.asarray([t[-1] for t in told])
        cache = {**cache, "length": before + moved}
        own = {**own, "length": own_before + moved}
    found.told = sum(map(len, told))  # what the last passes gave beyond what was asked for, too
    found.tokens = np.array([t[:TOKENS] for t in told])
    return found
