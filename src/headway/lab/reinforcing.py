"""Reinforcement learning for real (SYS-E6): answers by decoding, training on a share of them, what both compute and how fast."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from headway.errors import InputError
from headway.lab.asked import asked_flops
from headway.lab.findings import Check, Demonstration, Picture
from headway.lab.learning import adam_moved
from headway.lab.needs import QUICK
from headway.lab.networks import Network, begun, forward, network
from headway.lab.running import ROWS
from headway.lab.widths import tiny

Array = Any
PROMPTS, GROUP, ANSWER = 8, 8, 8  # prompts of a step, answers to each, tokens of an answer
_ASKED = 4  # tokens that prompts are drawn from: each comes often enough to be learned
SHARES = (0.0, 0.25, 1.0)  # of the answers that are trained on
STEPS = 60
_REWARD = 0.9  # after so many steps, of 1; half without any
_CLOSE = 1e-5  # of the largest gradient
_STILL = 0.05  # of reward, either way, without training
_LAST = 5  # steps over which the last reward is a mean
_TIMES = 5
_BATCH = PROMPTS * GROUP


def rl(model: str, steps: int = STEPS) -> Demonstration:
    """SYS-E6: a network learns from the reward of its own answers; FLOPs of answers and of training, and the MFU of both.

    Parameters
    ----------
    model : str
    steps : int
        Of training, for each share. [steps]

    Raises
    ------
    InputError
        For a model whose layers are not dense blocks with plain attention, or no steps.
    """
    if steps < 1:
        raise InputError(f"--steps: {steps} must be at least 1")
    loop = _Loop(model)
    rewards = {share: loop.run(share, steps) for share in SHARES}
    speed = loop.relative_mfu()
    rows = tuple(_row(loop, share, rewards[share], speed) for share in SHARES)
    points = [
        (f"{share:.0%} trained on", float(i + 1), r) for share, each in rewards.items() for i, r in enumerate(each)
    ]
    picture = Picture("step", "reward: share of answers' tokens that are right", tuple(points), "plain")
    notes = (
        f"the task: answer with tokens that are even or odd as the prompt is; {PROMPTS} prompts x {GROUP} answers of {ANSWER} tokens, "
        "REINFORCE against the mean of a prompt's answers",
        f"decoding multiplies at {speed:.2g} of training's rate here, so that a rollout's 2 FLOP cost as much as {2 / speed:.3g} (E20)",
    )
    title = "reinforcement learning: rollouts by decoding, training on a share of them"
    return Demonstration(
        "rl", "SYS-E6", title, loop.net.model.name, _checks(rows, loop.apart(), speed, steps), rows, picture, notes
    )


def _row(loop: _Loop, share: float, rewards: list[float], speed: float) -> dict[str, Any]:
    return {
        "trained_share": share, "generated_tokens": len(rewards) * _BATCH * ANSWER, "first_reward": rewards[0],
        "last_reward": statistics.fmean(rewards[-_LAST:]), "kept_flops": loop.kept_flops(share), "again_flops": loop.again_flops(share),
        "flops_at_mfu": 2 / speed + 6 * share,
    }  # fmt: skip


def _checks(rows: tuple[dict[str, Any], ...], apart: float, speed: float, steps: int) -> tuple[Check, ...]:
    shares = ", ".join(f"{s:g}" for s in SHARES)
    found = {k: [r[k] for r in rows] for k in ("kept_flops", "again_flops")}
    wanted = {"kept_flops": [2 + 4 * s for s in SHARES], "again_flops": [2 + 6 * s for s in SHARES]}
    names = {"kept_flops": "the rollout's own forward kept", "again_flops": "training goes forward again"}
    still, learned = rows[0]["last_reward"], rows[-1]["last_reward"]
    return (
        *(Check(f"FLOPs per parameter and token at {shares} trained on, {names[k]}", ", ".join(f"{x:g}" for x in wanted[k]),
                ", ".join(f"{x:g}" for x in found[k]), all(abs(a - b) < 1e-9 for a, b in zip(found[k], wanted[k], strict=True)))
          for k in names),
        Check("gradients of both ways", f"within {_CLOSE:g}", f"{apart:.1e}", apart <= _CLOSE),
        Check(f"reward after {steps} steps on all answers", f"{_REWARD:g} after {STEPS}", f"{learned:.2f}",
              steps < STEPS or learned >= _REWARD),
        Check("reward without training", "a half", f"{still:.2f}", abs(still - 0.5) <= _STILL),
        Check("MFU of decoding over training's", "below 1", f"{speed:.2g}", speed < 1),
    )  # fmt: skip


def rolled(net: Network, weights: Any, prompts: Array, key: Array) -> tuple[Array, Array]:
    """Return answers drawn token by token from a cache, and the log-likelihood of each token.

    Parameters
    ----------
    net : Network
    weights : dict
    prompts : array
        One token each. [batch] [1]
    key : array
        Of what is drawn. [1]

    Returns
    -------
    likely, tokens : array
        [batch, ANSWER] [nats, 1]
    """

    def turn(carry: tuple[Any, Array], key: Array) -> tuple[tuple[Any, Array], tuple[Array, Array]]:
        cache, token = carry
        logits, cache = forward(net, weights, cache, token[:, None], begun(cache["length"], token[:, None], False))
        said = jax.nn.log_softmax(logits[:, -1], axis=-1)
        token = jax.random.categorical(key, said, axis=-1).astype(jnp.int32)
        return (cache, token), (_of(said, token), token)

    start = net.cache(len(prompts), ANSWER), prompts
    _, (likely, tokens) = jax.lax.scan(turn, start, jax.random.split(key, ANSWER))
    return likely.T, tokens.T


def read_again(net: Network, weights: Any, prompts: Array, tokens: Array) -> Array:
    """Return the log-likelihood of each token of given answers, in one pass. [batch, ANSWER] [nats]

    Parameters
    ----------
    net : Network
    weights : dict
    prompts, tokens : array
        [batch] and [batch, ANSWER] [1]
    """
    inputs = jnp.concatenate([prompts[:, None], tokens[:, :-1]], axis=1)
    p = begun(jnp.zeros(len(prompts), jnp.int32), inputs, True)
    logits, _ = forward(net, weights, net.cache(len(prompts), ANSWER), inputs, p, every=True)
    return _of(jax.nn.log_softmax(logits, axis=-1), tokens)


def _of(said: Array, tokens: Array) -> Array:
    return jnp.take_along_axis(said, tokens[..., None], axis=-1)[..., 0]


def reward(prompts: Array, tokens: Array) -> Array:
    """Return the share of an answer's tokens that are even or odd as its prompt is. [batch] [share]

    Parameters
    ----------
    prompts, tokens : array
        [batch] and [batch, ANSWER] [1]
    """
    return jnp.mean(tokens % 2 == prompts[:, None] % 2, axis=1, dtype=jnp.float32)


def better(rewards: Array) -> Array:
    """Return by how much each answer is better than the mean of its prompt's. [batch] [share]

    Parameters
    ----------
    rewards : array
        Answer i is one to prompt i modulo PROMPTS. [batch] [share]
    """
    by = rewards.reshape(-1, PROMPTS)
    return (by - by.mean(axis=0)).reshape(-1)


class _Loop:
    """A network, its answers, and training on a share of them."""

    def __init__(self, model: str) -> None:
        self.net = network(tiny(model))
        if any(s.layer.experts or s.layer.state or s.index is not None for s in self.net.shapes):
            raise InputError(f"rl: {self.net.model.name} has experts, recurrent layers or an index; try llama-3.1-8b")
        self.weights = jax.tree.map(jnp.asarray, self.net.weights())
        self.matrices = sum(m.parameters for s in self.net.shapes for m in s.layer.linears)
        self.named = {ROWS[m.role] for s in self.net.shapes for m in s.layer.linears}
        self.draw: Any = jax.jit(functools.partial(rolled, self.net))
        self.learn: Any = jax.jit(jax.grad(self.loss_again))

    def prompts(self, step: int) -> Array:
        """Prompts of a step, each as often as it is answered: the first answers to all, then the second, ..."""
        drawn = np.random.default_rng([23, step]).integers(0, _ASKED, PROMPTS)
        return jnp.asarray(np.tile(drawn, GROUP), jnp.int32)

    def turn(self, share: float) -> Callable[..., tuple[Any, Array]]:
        """(weights, prompts, key) -> gradients from the rollouts' own forward passes, and rewards; of no share the weights themselves."""
        trained = round(share * _BATCH)

        def both(weights: Any, prompts: Array, key: Array) -> tuple[Any, Array]:
            mine, other = jax.random.split(key)
            rest = rolled(self.net, weights, prompts[trained:], other)[1] if trained < _BATCH else prompts[:0, None]
            if not trained:
                return weights, reward(prompts, rest)

            def answered(weights: Any) -> tuple[Array, Array]:
                return rolled(self.net, weights, prompts[:trained], mine)

            likely, back, tokens = jax.vjp(answered, weights, has_aux=True)
            rest = rest if trained < _BATCH else tokens[:0]
            rewards = reward(prompts, jnp.concatenate([tokens, rest]))
            return back(-better(rewards)[:trained, None] * jnp.ones_like(likely) / likely.size)[0], rewards

        return both

    def run(self, share: float, steps: int) -> list[float]:
        """Mean reward of every step."""
        turn = self.compiled(share)
        moved = jax.jit(adam_moved, compiler_options=QUICK)
        zero = jax.tree.map(jnp.zeros_like, self.weights)
        state, found = (self.weights, zero, zero), list[float]()
        for step in range(steps):
            slopes, rewards = turn(state[0], self.prompts(step), jax.random.key(step))
            found.append(float(jnp.mean(rewards)))
            if share:
                state = moved(*state, jnp.float32(step + 1), slopes)
        return found

    @functools.cache  # noqa: B019 (one loop, for the life of one answer)
    def compiled(self, share: float) -> Any:
        """`turn`, compiled quickly."""
        return jax.jit(self.turn(share), compiler_options=QUICK)

    def loss_again(self, weights: Any, prompts: Array, tokens: Array) -> Array:
        """The same loss from a forward pass of training's own."""
        gains = better(reward(prompts, tokens))
        return -jnp.mean(gains[:, None] * read_again(self.net, weights, prompts, tokens))

    def apart(self) -> float:
        """How far gradients of both ways lie apart, in parts of the largest."""
        prompts, key = self.prompts(0), jax.random.key(0)
        kept, _ = self.compiled(1.0)(self.weights, prompts, key)
        tokens = self.draw(self.weights, prompts, jax.random.split(key)[0])[1]
        again = self.learn(self.weights, prompts, tokens)
        a, b = (jax.tree.leaves(x) for x in (kept, again))
        return max(float(jnp.max(jnp.abs(x - y))) for x, y in zip(a, b, strict=True)) / max(
            float(jnp.max(jnp.abs(x))) for x in a
        )

    def kept_flops(self, share: float) -> float:
        """Per parameter and generated token, where gradients go back through the rollouts themselves. [FLOP]"""
        return self._flops(self.turn(share), self.weights, self.prompts(0), jax.random.key(0))

    def again_flops(self, share: float) -> float:
        """Per parameter and generated token, where training goes forward again. [FLOP]"""
        prompts = self.prompts(0)
        drawn = self._flops(functools.partial(rolled, self.net), self.weights, prompts, jax.random.key(0))
        tokens = jnp.zeros((round(share * _BATCH), ANSWER), jnp.int32)
        if not len(tokens):
            return drawn

        def loss(weights: Any, prompts: Array, tokens: Array) -> Array:
            return jnp.mean(read_again(self.net, weights, prompts, tokens))

        return drawn + self._flops(jax.grad(loss), self.weights, prompts[: len(tokens)], tokens)

    def _flops(self, function: Callable[..., Any], *given: Any) -> float:
        """On the layers' matrices, per parameter of them and token of all answers."""
        asked = asked_flops(jax.make_jaxpr(function)(*given))
        return (
            sum(products for name, (products, _) in asked.items() if name in self.named)
            / self.matrices
            / _BATCH
            / ANSWER
        )

    def relative_mfu(self) -> float:
        """FLOP/s of decoding over FLOP/s of training on the same answers: medians of several. [times]"""
        prompts, key = self.prompts(0), jax.random.key(0)
        tokens = self.draw(self.weights, prompts, key)[1]
        drawing = _took(self.draw, self.weights, prompts, key)
        learning = _took(self.learn, self.weights, prompts, tokens)
        return (2 / drawing) / (6 / learning)


def _took(function: Callable[..., Any], *given: Any) -> float:
    """Median time, the first (which compiles) left out. [s]"""
    found: list[float] = []
    for _ in range(_TIMES + 1):
        began = time.perf_counter()
        jax.block_until_ready(function(*given))
        found.append(time.perf_counter() - began)
    return statistics.median(found[1:])
