"""Speculative decoding and multi-token prediction: tokens per pass, cost and benefit by batch, and run for real (SYS-H4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.batching.curves import Scene
from headway.errors import InputError

Real = Any  # a float or a NumPy array; everything broadcasts


def expected_tokens(acceptance: Real, draft: Real) -> Real:
    """Return tokens per verification pass: (1 - a^(g+1)) / (1 - a) (Leviathan et al. 2023, arXiv 2211.17192, eq. 1).

    Parameters
    ----------
    acceptance : float or array
        a, chance that one drafted token is accepted, independent of the others. [share]
    draft : int or array
        g, drafted tokens per pass. [tokens]
    """
    a = np.asarray(acceptance, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(a < 1, (1 - a ** (np.asarray(draft) + 1)) / (1 - a), np.asarray(draft) + 1.0)
    return float(found) if found.ndim == 0 else found


@dataclass(frozen=True, slots=True)
class Speculation:
    """What drafting does to a decode pass; fields may be arrays over batches.

    Attributes
    ----------
    plain : float or array
        A pass that makes one token of each sequence. [s]
    verify : float or array
        A pass that checks the drafts: 1 + g tokens of each sequence. [s]
    draft : float or array
        Making the g drafts. [s]
    tokens : float or array
        Tokens that a verification yields of each sequence. [tokens]
    """

    plain: Real
    verify: Real
    draft: Real
    tokens: Real

    @property
    def seconds(self) -> Real:
        """Time per token of one sequence. [s]"""
        return (self.verify + self.draft) / self.tokens

    @property
    def gain(self) -> Real:
        """How many times faster than without: above 1 drafting helps, below it hurts."""
        return self.plain / self.seconds


def speculation(
    scene: Scene, batch: Real, context: Real, acceptance: Real, length: int, drafter: Scene | None = None
) -> Speculation:
    """Return what drafts of `length` tokens do at a batch, verification and drafting on the same roofline.

    Parameters
    ----------
    scene : Scene
        The model's pass on its chips.
    batch, context : float or array
        Sequences of the replica; tokens in each cache. [sequences, tokens]
    acceptance : float or array
        Chance that a drafted token is accepted, given those before it. [share]
    length : int
        g. [tokens]
    drafter : Scene or None
        The pass that makes one draft (a small model, or an MTP module); None: drafts cost nothing (looked up).

    Raises
    ------
    InputError
        When the acceptance is no chance or the length negative.

    Notes
    -----
    A memory-bound pass checks 1 + g tokens in nearly the time of one; a compute-bound one takes 1 + g times as long, for at
    most (1 - a^(g+1))/(1 - a) tokens. MoE passes touch more experts, too.
    """
    if length < 0 or not (np.min(acceptance) >= 0 and np.max(acceptance) <= 1):
        raise InputError(f"acceptance {acceptance} must be in 0..1 and the draft length {length} not negative")
    plain, verify = scene.seconds(batch, context), scene.seconds(batch, context, new=1.0 + length)
    draft = length * drafter.seconds(batch, context) if drafter is not None else 0.0 * plain
    return Speculation(plain, verify, draft, expected_tokens(acceptance, length))


def hurts_from(
    scene: Scene, context: float, acceptance: float, length: int, most: float, drafter: Scene | None = None
) -> float:
    """Return the smallest batch from which drafting no longer helps up to `most`; infinite when it still helps there.

    Parameters
    ----------
    scene : Scene
    context : float
        Tokens in each cache. [tokens]
    acceptance : float
        Chance that a drafted token is accepted, given those before it. [share]
    length : int
        g. [tokens]
    most : float
        Largest batch looked at. [sequences]
    drafter : Scene or None
        As in `speculation`.
    """
    batches = np.unique(np.round(np.geomspace(1.0, max(most, 1.0), 400)))
    gain = np.asarray(speculation(scene, batches, context, acceptance, length, drafter).gain)
    helps = np.flatnonzero(gain > 1)
    if not helps.size:
        return 1.0
    return float("inf") if helps[-1] == len(batches) - 1 else float(batches[helps[-1] + 1])


Tokens = NDArray[np.intp]
Scores = Callable[[Tokens], NDArray[np.float64]]  # tokens [n] -> scores of the next token after each [n, vocabulary]


def run_greedy(model: Scores, prompt: Tokens, count: int) -> Tokens:
    """Return the next `count` tokens of a model, each the best-scored one, one pass per token.

    Parameters
    ----------
    model : callable
        Tokens [n] -> scores of the next token after each of them [n, vocabulary].
    prompt : array of int
    count : int
        Tokens to make. [tokens]
    """
    text = list(prompt)
    for _ in range(count):
        text.append(int(np.argmax(model(np.array(text, dtype=np.intp))[-1])))
    return np.array(text[len(prompt) :], dtype=np.intp)


def run_speculative(model: Scores, draft: Scores, prompt: Tokens, count: int, length: int) -> tuple[Tokens, int]:
    """Return (the same `count` tokens as `run_greedy`, verification passes): a draft proposes, the model checks all at once.

    Parameters
    ----------
    model, draft : callable
        Tokens [n] -> scores of the next token after each of them [n, vocabulary].
    prompt : array of int
    count, length : int
        Tokens to make; g, tokens drafted before each check. [tokens]

    Notes
    -----
    A pass over the text and g drafts scores g + 1 positions. Drafts are kept as long as each is what the model itself would
    have said; the model's own token follows the last kept one (Leviathan et al. 2023, greedy case).
    """
    text, passes = list(prompt), 0
    while len(text) < len(prompt) + count:
        proposed = list(run_greedy(draft, np.array(text, dtype=np.intp), length))
        says = np.argmax(model(np.array([*text, *proposed], dtype=np.intp))[len(text) - 1 :], axis=1)
        kept = next((i for i, token in enumerate(proposed) if token != says[i]), len(proposed))
        text += [int(t) for t in [*proposed[:kept], says[kept]]]
        passes += 1
    return np.array(text[len(prompt) : len(prompt) + count], dtype=np.intp), passes
