"""What small differences become (SYS-G2): in a cipher everything changes, in a network little does, and a search finds what does."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from headway.lab.ciphers import ROUNDS, WORD, functions, ones, round_keys, some_words
from headway.lab.findings import Check, Demonstration, Picture
from headway.lab.learning import adam
from headway.lab.needs import QUICK
from headway.lab.networks import begun, looked_up, network, run_layer
from headway.lab.place import ALONE
from headway.lab.running import normed
from headway.lab.widths import tiny
from headway.training import feistel_bits

Array = Any
LAYERS = 12
BLOCKS, SAMPLES = 256, 65_536  # blocks for each of the 64 bits; of one input difference
_NUDGE = 1e-3  # of an embedding's length
_SHALLOW = 2  # rounds, clearly less than half
_HALF, _LESS, _SMALL, _GAIN = 0.01, 0.2, 0.05, 3.0


def avalanche(model: str) -> Demonstration:
    """SYS-G2: flips and differences by round of a cipher and by layer of a network; adversarial inputs looked for in both.

    Parameters
    ----------
    model : str
    """
    flips, common = _flips(), _commonest()
    signs, grown, bent = _layers(model)
    chaotic = _without_residuals()
    rows = tuple(
        {
            "round_or_layer": n, "cipher_flips": flips[n], "commonest_difference": common[n],
            **({"network_flips": signs[n], "network_grown": grown[n], "network_bent": bent[n], "without_residuals_flips": chaotic[n]}
               if n <= LAYERS else dict.fromkeys(_NETWORKS, "")),
        }
        for n in (*range(LAYERS + 1), 16, 20, 32, ROUNDS)
    )  # fmt: skip
    found = _adversarial()
    checks = (*_of_cipher(flips, common), *_of_network(grown, bent), *_of_classifier(found), *_of_searches())
    points = [("cipher, by round", float(n), v) for n, v in enumerate(flips[:25])]
    points += [("network, by layer (signs)", float(n), v) for n, v in enumerate(signs)]
    points += [("without residuals and norms, by layer", float(n), v) for n, v in enumerate(chaotic)]
    picture = Picture("round, or layer", "share of bits that flip", tuple(points), "plain")
    notes = (
        f"nudges of {found['nudge']:g} to each of {2 * WORD} inputs of +1 or -1; searches of {_QUERIES:,} questions each",
    )
    title = "avalanche and adversarial inputs"
    return Demonstration("avalanche", "SYS-G2", title, f"SIMON 64/128 and tiny {model}", checks, rows, picture, notes)


def _of_cipher(flips: list[float], common: list[float]) -> list[Check]:
    last, two, half = flips[ROUNDS], _bent(), f"half, within {_HALF:g}"
    told = f"{common[1]:.3f}, {common[4]:.4f}, {common[ROUNDS]:.1e}"
    falls = common[1] > common[4] > common[ROUNDS] <= 4 / SAMPLES
    return [
        Check(f"bits that flip after {ROUNDS} rounds, one of the input changed", half, f"{last:.4f}", abs(last - 0.5) <= _HALF),
        Check(f"and after {_SHALLOW} rounds", f"below {_LESS:g}", f"{flips[_SHALLOW]:.4f}", flips[_SHALLOW] < _LESS),
        Check(f"commonest output difference of {SAMPLES:,}, 1, 4 and {ROUNDS} rounds", "falls to chance", told, falls),
        Check("bits where two changes are not the sum of each: cipher", half, f"{two:.4f}", abs(two - 0.5) <= _HALF),
    ]  # fmt: skip


def _of_network(grown: list[float], bent: list[float]) -> list[Check]:
    last = grown[LAYERS] * _NUDGE
    what = f"difference of {_NUDGE:g} after {LAYERS} layers with residuals and norms"
    return [
        Check(what, f"below {_SMALL:g}", f"{last:.1e}", last < _SMALL),
        Check(
            "twice the difference in is twice the difference out: network",
            "within 1 %",
            f"{bent[LAYERS]:.1e}",
            bent[LAYERS] < 0.01,
        ),
    ]


def _of_classifier(found: dict[str, float]) -> list[Check]:
    along, chance = found["adversarial"], found["random"]
    what = "flipped by a nudge along the gradient, and by chance"
    return [
        Check("classifier on inputs it has not seen", "above 0.9", f"{found['right']:.3f}", found["right"] > 0.9),
        Check(what, "above 0.5, below 0.1", f"{along:.2f}, {chance:.2f}", along > 0.5 and chance < 0.1),
    ]


def _of_searches() -> list[Check]:
    """A climb against guessing, with as many questions: in a network, in two rounds of the cipher, in all of them."""
    found: list[Check] = []
    first = f"output bits of {WORD} set by a search, against guessing: "
    for name, run, gains in (
        ("network", _signs(), True), ("2 rounds of the cipher", _word(2), True), (f"its {ROUNDS} rounds", _word(ROUNDS), False),
    ):  # fmt: skip
        climb, guess = _climbed(run)
        passes = climb - guess >= _GAIN if gains else abs(climb - guess) < _GAIN / 2
        found.append(
            Check(first + name, f"{_GAIN:g} more" if gains else "no more", f"{climb:.1f} against {guess:.1f}", passes)
        )
        first = "and of "
    return found


_NETWORKS = ("network_flips", "network_grown", "network_bent", "without_residuals_flips")


def _flips() -> list[float]:
    """Share of the 64 bits that differ after each round when one bit of the input does, mean over all of them."""
    x, y = some_words(BLOCKS * 2 * WORD)
    bit = np.uint64(1) << (np.arange(x.size, dtype=np.uint64) % WORD)
    count, left = len(x), np.arange(len(x)) % (2 * WORD) < WORD
    u, v = np.where(left, x ^ bit, x), np.where(left, y, y ^ bit)
    found = [1 / (2 * WORD)]
    for f in functions(round_keys()):
        (x, y), (u, v) = feistel_bits(x, y, [f]), feistel_bits(u, v, [f])
        found.append((ones(x ^ u) + ones(y ^ v)) / count / (2 * WORD))
    return found


def _commonest() -> list[float]:
    """Share of the commonest output difference after each round, of blocks that differ in one given bit."""
    x, y = some_words(SAMPLES, 1)
    u, v = x ^ np.uint64(1), y
    found = [1.0]
    for f in functions(round_keys()):
        (x, y), (u, v) = feistel_bits(x, y, [f]), feistel_bits(u, v, [f])
        found.append(float(np.unique(((x ^ u) << np.uint64(WORD)) | (y ^ v), return_counts=True)[1].max()) / SAMPLES)
    return found


def _layers(model: str) -> tuple[list[float], list[float], list[float]]:
    """After each layer: signs that flip, the difference over its first size, and how far twice the nudge is from twice of it."""
    net = network(tiny(model, LAYERS))
    weights = jax.tree.map(jnp.asarray, net.weights())
    rng = np.random.default_rng(2)
    tokens = jnp.asarray(rng.integers(0, net.model.vocabulary, (32, 8)))
    direction = rng.standard_normal(net.model.hidden)
    nudge = jnp.asarray(direction / np.linalg.norm(direction) * np.sqrt(net.model.hidden) * _NUDGE, jnp.float32)

    @functools.partial(jax.jit, compiler_options=QUICK)
    def every(weights: Any, tokens: Array, nudge: Array) -> Array:
        x = looked_up(net, weights, tokens, ALONE).at[:, -1].add(nudge)
        caches = list(net.cache(*tokens.shape)["layers"])
        p, found = begun(jnp.zeros(len(tokens), jnp.int32), tokens, True), [x[:, -1]]
        for i in range(LAYERS):
            x = run_layer(net, i, weights["layers"][i], caches, x, p)
            found.append(x[:, -1])
        return jnp.stack(found)

    a, b, c = (np.asarray(every(weights, tokens, n * nudge), float) for n in (0, 1, 2))
    size = np.linalg.norm(b - a, axis=-1) / np.linalg.norm(a, axis=-1)
    bent = np.linalg.norm((c - a) - 2 * (b - a), axis=-1) / np.linalg.norm(2 * (b - a), axis=-1)
    flips = np.mean(np.sign(a) != np.sign(b), axis=(1, 2))
    return flips.tolist(), (size.mean(axis=1) / size[0].mean()).tolist(), bent.mean(axis=1).tolist()


def _bent() -> float:
    """Share of output bits in which two changed bits together do not give the exclusive-or of what each gives alone."""
    x, y = some_words(10_000, 8)
    one, other, rounds = np.uint64(1), np.uint64(1 << 9), functions(round_keys())
    plain, first, second, both = (feistel_bits(x ^ d, y, rounds) for d in (np.uint64(0), one, other, one ^ other))
    return sum(ones(a ^ b ^ c ^ d) for a, b, c, d in zip(plain, first, second, both, strict=True)) / len(x) / (2 * WORD)


def _without_residuals() -> list[float]:
    """Signs that flip in layers x -> tanh(4 W x) that keep nothing and scale nothing."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((256, 64))
    u = x + _NUDGE * rng.standard_normal(x.shape)
    found = [float(np.mean(np.sign(x) != np.sign(u)))]
    for _ in range(LAYERS):
        w = rng.standard_normal((64, 64)) / 8 * 4
        x, u = np.tanh(x @ w), np.tanh(u @ w)
        found.append(float(np.mean(np.sign(x) != np.sign(u))))
    return found


# --- searches ------------------------------------------------------------------------------------------------------

_QUERIES, _TARGETS = 2048, 16
_STEPS, _TAUGHT = 300, 128


def _weights(outputs: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    wide = 2 * WORD

    def matrix(rows: int, columns: int) -> Array:
        return jnp.asarray(rng.standard_normal((rows, columns)) / np.sqrt(rows), jnp.float32)

    return {
        "blocks": [(matrix(wide, 4 * wide), matrix(4 * wide, wide)) for _ in range(3)],
        "out": matrix(wide, outputs),
    }


def _outputs(weights: Any, x: Array) -> Array:
    """A network of three residual blocks with norms."""
    one = jnp.ones(x.shape[-1])
    for up, down in weights["blocks"]:
        x = x + jax.nn.silu(normed(x, one) @ up) @ down
    return normed(x, one) @ weights["out"]


def _adversarial(nudge: float = 0.25) -> dict[str, float]:
    """A classifier of 64 inputs of +1 or -1 (do most of 21 of them say +1?), and what nudges do to it."""
    rng = np.random.default_rng(4)
    mask = np.zeros(2 * WORD)
    mask[rng.permutation(2 * WORD)[:21]] = 1

    def some(count: int) -> tuple[Array, Array]:
        x = rng.choice([-1.0, 1.0], (count, 2 * WORD))
        return jnp.asarray(x, jnp.float32), jnp.asarray(np.sign(x @ mask), jnp.float32)

    def margin(weights: Any, x: Array, y: Array) -> Array:
        return _outputs(weights, x)[:, 0] * y

    def loss(weights: Any, both: tuple[Array, Array]) -> Array:
        return jnp.mean(jax.nn.softplus(-margin(weights, *both)))

    weights = _weights(1, 5)
    mean = square = jax.tree.map(jnp.zeros_like, weights)
    step = adam(loss)
    for i in range(_STEPS):
        weights, mean, square, _ = step(weights, mean, square, jnp.float32(i + 1), some(_TAUGHT))
    x, y = some(2048)
    right = np.asarray(margin(weights, x, y)) > 0

    def total(x: Array) -> Array:
        return jnp.sum(margin(weights, x, y))

    slope = np.sign(np.asarray(jax.jit(jax.grad(total))(x)))
    chance = rng.choice([-1.0, 1.0], slope.shape)
    flipped = {
        name: float(np.mean((np.asarray(margin(weights, x - nudge * jnp.asarray(way, jnp.float32), y)) < 0)[right]))
        for name, way in (("adversarial", slope), ("random", chance))
    }  # fmt: skip
    return {"right": float(right.mean()), "nudge": nudge, **flipped}


def _signs() -> Callable[[Any], Any]:
    """32 outputs of a network with random weights, of 64 bits; their signs are the bits that it gives."""
    weights = _weights(WORD, 6)
    run = jax.jit(functools.partial(_outputs, weights))
    return lambda bits: np.tanh(np.asarray(run(jnp.asarray(bits * 2.0 - 1, jnp.float32))))


def _word(rounds: int) -> Callable[[Any], Any]:
    """The left word of the cipher after so many rounds, of 64 bits: +1 or -1 for each bit, and nothing in between."""
    several = functions(round_keys())[:rounds]
    weight = np.uint64(1) << np.arange(WORD, dtype=np.uint64)

    def run(bits: Any) -> Any:
        x, y = (np.sum(bits[:, i : i + WORD] * weight, axis=1, dtype=np.uint64) for i in (0, WORD))
        left: Any = feistel_bits(cast(Any, x), cast(Any, y), several)[0]
        return np.where((left[:, None] & weight) > 0, 1.0, -1.0)

    return run


def _climbed(run: Callable[[Any], Any]) -> tuple[float, float]:
    """Output bits as wanted by the best input that a climb finds, and the best of as many guesses: the mean over targets.

    A climb asks for all inputs that differ in one bit, takes the one whose outputs lie nearest to what is wanted, and starts
    elsewhere when none is nearer.
    """
    rng = np.random.default_rng(7)
    climbs: list[int] = []
    guesses: list[int] = []
    wide = 2 * WORD
    for _ in range(_TARGETS):
        target = rng.choice([-1.0, 1.0], WORD)
        guesses.append(int(np.sum(run(rng.random((_QUERIES, wide)) < 0.5) * target > 0, axis=1).max()))
        best, score = 0, -np.inf
        here = rng.random(wide) < 0.5
        for _ in range(_QUERIES // wide):
            near = here ^ np.eye(wide, dtype=bool)
            outputs = run(near) * target
            best = max(best, int(np.sum(outputs > 0, axis=1).max()))
            at = int(outputs.sum(axis=1).argmax())
            if outputs[at].sum() > score:
                here, score = near[at], outputs[at].sum()
            else:
                here, score = rng.random(wide) < 0.5, -np.inf
        climbs.append(best)
    return float(np.mean(climbs)), float(np.mean(guesses))
