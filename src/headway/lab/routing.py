"""Which experts a token goes to: laws of routers, choices drawn by popularity, and how uneven choices were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from headway.models import touched_experts
from headway.models.experts import hottest_expert
from headway.training import balance_costs

Array = Any
_LOW = -1e30
_STEEPEST = 4.0  # a Zipf exponent that no router has: almost all tokens to the same experts


@dataclass(frozen=True, slots=True)
class Router:
    """A router's law.

    Attributes
    ----------
    scores : str
        ``softmax``: over the chosen scores. ``sigmoid`` (DeepSeek-V3): of each score, divided by the sum of the chosen.
    active : int
        Experts of a token. [experts]
    groups, kept : int
        Groups of experts, and of how many of them a token may choose: those with the largest sum of their two best scores
        (DeepSeek-V3's group-limited routing, arXiv 2412.19437, section 2.1.2). [groups]
    """

    scores: str
    active: int
    groups: int = 1
    kept: int = 1

    def __call__(
        self, logits: Array, correction: Array | None = None, chosen: Array | None = None
    ) -> tuple[Array, Array]:
        """Return each token's experts and their weights, [tokens, experts of a token] both.

        Parameters
        ----------
        logits : array
            [tokens, experts] [1]
        correction : array or None
            Of each expert: helps to choose, not to weigh (``sigmoid``). [experts] [1]
        chosen : array or None
            Experts that are given instead of scored. [tokens, experts of a token] [1]
        """
        scores = jax.nn.sigmoid(logits) if self.scores == "sigmoid" else logits
        if chosen is None:
            ranked = scores if correction is None else scores + correction
            chosen = jax.lax.top_k(self._allowed(ranked), self.active)[1]
        held = jnp.take_along_axis(scores, chosen, axis=1)
        if self.scores == "sigmoid":
            return chosen, held / jnp.sum(held, axis=1, keepdims=True)
        return chosen, jax.nn.softmax(held, axis=1)

    def _allowed(self, ranked: Array) -> Array:
        """Scores with those of groups that a token may not choose put out of reach."""
        if self.groups == 1:
            return ranked
        each = ranked.reshape(len(ranked), self.groups, -1)
        standing = jnp.sum(jax.lax.top_k(each, min(2, each.shape[-1]))[0], axis=-1)
        best = jax.lax.top_k(standing, self.kept)[1]
        allowed = jnp.any(best[..., None] == jnp.arange(self.groups), axis=1)
        return jnp.where(allowed[..., None], each, _LOW).reshape(ranked.shape)


def drawn(chances: Any, tokens: int, rng: np.random.Generator) -> Any:
    """Return experts of tokens, drawn so that each expert has exactly its chance. [tokens, experts of a token]

    Parameters
    ----------
    chances : array
        Of each expert to be among a token's, none above 1; they add up to the experts of a token. [experts] [1]
    tokens : int
        [tokens]
    rng : numpy.random.Generator

    Notes
    -----
    Systematic sampling (Madow 1949) over the experts in an order of its own for each token.
    """
    count, active = len(chances), round(float(np.sum(chances)))
    order = rng.permuted(np.tile(np.arange(count), (tokens, 1)), axis=1)
    ends = np.cumsum(np.asarray(chances)[order], axis=1)
    ends[:, -1] = active
    marks = rng.random((tokens, 1)) + np.arange(active)
    at = np.sum(ends[:, None, :] <= marks[..., None], axis=-1)
    return np.take_along_axis(order, at, axis=1)


def touched_by(chosen: Any, tokens: int) -> float:
    """Return distinct experts among those of so many tokens, the mean over all runs of tokens that there are. [experts]

    Parameters
    ----------
    chosen : array
        Experts of each token. [tokens, experts of a token] [1]
    tokens : int
        Of a run. [tokens]
    """
    runs = np.asarray(chosen)[: len(chosen) // tokens * tokens].reshape(-1, tokens * chosen.shape[1])
    return float(np.mean([len(np.unique(r)) for r in runs]))


class Unevenness(NamedTuple):
    """How uneven a router's choices were.

    Attributes
    ----------
    skew : float
        Zipf exponent under which as many experts are touched: the ``--skew`` of plans. [1]
    hottest, formula : float
        Chance per token of the most popular expert, as counted and as that exponent says. [1]
    """

    skew: float
    hottest: float
    formula: float


def unevenness(chosen: Any, experts: int, runs: Sequence[int] = (4, 8, 16, 32, 64)) -> Unevenness:
    """Return the skew of a router's choices: popularity as rank to the power -skew that touches as many experts.

    Parameters
    ----------
    chosen : array
        Experts of each token. [tokens, experts of a token] [1]
    experts : int
        Of the layer. [experts]
    runs : sequence of int
        Numbers of tokens for which distinct experts are counted. [tokens]

    Notes
    -----
    Least squares of the relative difference to `headway.models.touched_experts`. Fitting the ranked popularity itself would
    take the noise of a few thousand tokens for skew: sorted counts are never even.
    """
    active = chosen.shape[1]
    found = [touched_by(chosen, n) for n in runs]

    def missed(skew: float) -> float:
        said = [float(touched_experts(experts, active, float(n), skew)) for n in runs]
        return sum((a / b - 1) ** 2 for a, b in zip(said, found, strict=True))

    skew = balance_costs(missed, lambda _: 0.0, 0.0, _STEEPEST).x
    counts = np.bincount(np.asarray(chosen).reshape(-1), minlength=experts)
    return Unevenness(skew, float(counts.max()) / len(chosen), hottest_expert(experts, active, skew))
