"""What training needs: a loss, an optimiser's step, batches of a text, and runs that a kill does not harm."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import statistics
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from headway.catalog import catalogue
from headway.errors import InputError
from headway.writing import replacing

Array = Any
Loss = Callable[[Any, Array], Array]  # weights, tokens -> nats a token
_RATE, _FIRST, _SECOND, _SMALL = 3e-3, 0.9, 0.99, 1e-8  # of Adam
_EVERY = 10  # steps between two writings
_PAIRS = 5  # steps, at the least, that tell how long one takes


def cross_entropy(logits: Array, wanted: Array) -> Array:
    """Return the mean negative log likelihood of the tokens that came. [nats]

    Parameters
    ----------
    logits : array
        [batch, tokens, vocabulary] [1]
    wanted : array
        [batch, tokens] [1]
    """
    said = jax.nn.log_softmax(logits, axis=-1)
    return -jnp.mean(jnp.take_along_axis(said, wanted[..., None], axis=-1))


@functools.lru_cache(maxsize=2)
def text(name: str) -> Any:
    """Return a text of the catalogue's table `texts` as bytes, which are the lab's tokens. [characters]

    Parameters
    ----------
    name : str

    Raises
    ------
    InputError
        For one that the catalogue does not have, or whose file is not there or not as long as stated.
    """
    facts = catalogue()
    row, place = facts.row("texts", name, "text")
    file = next(
        (f for f in (folder / "texts" / row["file"] for folder in reversed(facts.folders)) if f.is_file()), None
    )
    if file is None:
        raise InputError(f"{place}: no folder of the catalogue has texts/{row['file']}")
    raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    if row.get("characters") and int(row["characters"]) != len(raw):
        raise InputError(f"{place}: {row['file']} has {len(raw):,} characters, not {row['characters']}")
    return np.frombuffer(raw, np.uint8)


def batch_of(words: Any, step: int, batch: int, length: int) -> Any:
    """Return pieces of a text for a step: the same ones whenever it is asked. [batch, length + 1]

    Parameters
    ----------
    words : array
        Tokens. [1]
    step, batch, length : int
        [1, sequences, tokens]
    """
    at = np.random.default_rng([17, step]).integers(0, len(words) - length - 1, batch)
    return np.stack([words[i : i + length + 1] for i in at]).astype(np.int32)


def adam(loss: Loss) -> Callable[..., tuple[Any, Any, Any, Array]]:
    """Return a compiled step of Adam (Kingma and Ba 2014): (weights, mean, square, number, tokens) -> the first three anew, and the loss.

    Parameters
    ----------
    loss : callable
    """

    @jax.jit
    def step(weights: Any, mean: Any, square: Any, number: Array, tokens: Array) -> tuple[Any, Any, Any, Array]:
        value, slopes = jax.value_and_grad(loss)(weights, tokens)
        return *adam_moved(weights, mean, square, number, slopes), value

    return step


def adam_moved(weights: Any, mean: Any, square: Any, number: Array, slopes: Any) -> tuple[Any, Any, Any]:
    """Return weights and both moments after a step of Adam (Kingma and Ba 2014).

    Parameters
    ----------
    weights, mean, square : dict
    number : array
        Of the step, from 1. [1]
    slopes : dict
        Gradients.
    """

    def first(m: Array, g: Array) -> Array:
        return _FIRST * m + (1 - _FIRST) * g

    def second(s: Array, g: Array) -> Array:
        return _SECOND * s + (1 - _SECOND) * g * g

    def moved(w: Array, m: Array, s: Array) -> Array:
        return w - _RATE * (m / (1 - _FIRST**number)) / (jnp.sqrt(s / (1 - _SECOND**number)) + _SMALL)

    mean, square = jax.tree.map(first, mean, slopes), jax.tree.map(second, square, slopes)
    return jax.tree.map(moved, weights, mean, square), mean, square


class Learning:
    """The same network trained in several ways, from the same weights on the same batches.

    Parameters
    ----------
    losses : mapping of str to callable
        By the name of the way.
    weights : dict
    words : array
        Tokens of a text. [1]
    batch, length : int
        Of a step. [sequences, tokens]
    about : str
        What is trained: a file is gone on with where it holds the same.
    """

    def __init__(
        self, losses: Mapping[str, Loss], weights: Any, words: Any, batch: int, length: int, about: str
    ) -> None:
        self._steps = {way: adam(loss) for way, loss in losses.items()}
        zero = jax.tree.map(jnp.zeros_like, weights)
        self._states: dict[str, tuple[Any, Any, Any]] = dict.fromkeys(losses, (weights, zero, zero))
        self._words, self._shape = words, (batch, length)
        self._about = f"{about}, {batch} x {length} tokens a step, {hashlib.sha256(words.tobytes()).hexdigest()[:16]}"
        self.losses: dict[str, list[float]] = {way: [] for way in losses}
        self._took: dict[str, list[float]] = {way: [] for way in losses}

    @property
    def done(self) -> int:
        """Steps that were made."""
        return min(map(len, self.losses.values()))

    def slower(self, way: str, other: str) -> float | None:
        """Return how long a step of one way takes over another's: the median of pairs; None where too few ran now. [times]

        Parameters
        ----------
        way, other : str
        """
        pairs = list(zip(self._took[way], self._took[other], strict=True))[1:]  # the first compiles
        return statistics.median(a / b for a, b in pairs) if len(pairs) >= _PAIRS else None

    def weights(self, way: str) -> Any:
        """Return what a way has learned."""
        return self._states[way][0]

    def run(self, steps: int, keep: str = "") -> None:
        """Go on to so many steps in all.

        Parameters
        ----------
        steps : int
            [steps]
        keep : str
            File that the run is written to now and then, and gone on from where it is there; "" for none.

        Raises
        ------
        InputError
            When the file holds something else, or cannot be written.
        """
        file = Path(keep).expanduser() if keep else None
        if file is not None and not file.parent.is_dir():
            raise InputError(f"--keep {file}: there is no folder {file.parent}")
        if file is not None and file.exists():
            self._restore(file)
        while self.done < steps:
            number = self.done + 1
            tokens = jnp.asarray(batch_of(self._words, number, *self._shape))
            for way, step in self._steps.items():
                began = time.perf_counter()
                *state, value = jax.block_until_ready(step(*self._states[way], jnp.float32(number), tokens))
                self._took[way].append(time.perf_counter() - began)
                self._states[way] = state[0], state[1], state[2]
                self.losses[way].append(float(value))
            if file is not None and (number % _EVERY == 0 or number == steps):
                self._save(file)

    def _save(self, file: Path) -> None:
        arrays = {f"{w}/{i}": np.asarray(x) for w, s in self._states.items() for i, x in enumerate(jax.tree.leaves(s))}
        said = json.dumps({"about": self._about, "losses": self.losses})
        with replacing(file, f"--keep {file}") as half, half.open("wb") as opened:
            arrays["said"] = np.frombuffer(said.encode(), np.uint8)
            np.savez(opened, **cast(Any, arrays))

    def _restore(self, file: Path) -> None:
        """Go on from what a file holds."""
        try:
            with np.load(file, allow_pickle=False) as held:
                said = json.loads(held["said"].tobytes())
                if said["about"] != self._about:
                    raise InputError(
                        f"--keep {file}: holds another run ({said['about']}), not this one ({self._about}); name another file"
                    )
                for way, state in self._states.items():
                    leaves, form = jax.tree.flatten(state)
                    self._states[way] = jax.tree.unflatten(
                        form, [jnp.asarray(held[f"{way}/{i}"]) for i in range(len(leaves))]
                    )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(
                f"--keep {file}: is no training run of the lab ({type(error).__name__}); name another file"
            ) from None
        self.losses = said["losses"]
