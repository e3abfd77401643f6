"""Feed-forward layers: dense, and mixtures of experts with routing, and how many experts a batch touches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np

from headway.models.architecture import Linear
from headway.numeric import larger, plain, root, smaller

Real = Any  # a float or a NumPy array; everything broadcasts


def dense(
    hidden: int, inner: int, *, gated: bool = True, role: str = "dense", module: str = "mlp", bias: bool = False
) -> tuple[Linear, ...]:
    """Build a feed-forward block: two matrices, or three when gated (SwiGLU: the third is easily forgotten).

    Parameters
    ----------
    hidden, inner : int
        Widths of the layer and of the block. [1]
    gated : bool
        Three matrices instead of two.
    role, module : str
        Role and module path of the matrices.
    bias : bool
        Biases on all of them.

    Returns
    -------
    tuple of Linear
    """
    first = ("gate_proj", "up_proj") if gated else ("up_proj",)
    ups = tuple(Linear(f"{module}.{name}", role, hidden, inner, bias=bias) for name in first)
    return (*ups, Linear(f"{module}.down_proj", role, inner, hidden, bias=bias))


def routed(
    hidden: int, inner: int, count: int, *, gated: bool = True, module: str = "mlp.experts", bias: bool = False
) -> tuple[Linear, ...]:
    """Build `count` routed experts, each a feed-forward block of width `inner` (lecture 3.1).

    Parameters
    ----------
    hidden, inner : int
        Widths of the layer and of one expert. [1]
    count : int
        Experts. [experts]
    gated, bias : bool
        Three matrices instead of two; biases on all of them.
    module : str
        Module path of the experts.
    """
    first = ("gate_proj", "up_proj") if gated else ("up_proj",)
    ups = tuple(Linear(f"{module}.{name}", "expert", hidden, inner, copies=count, bias=bias) for name in first)
    return (*ups, Linear(f"{module}.down_proj", "expert", inner, hidden, copies=count, bias=bias))


def router(hidden: int, count: int, *, module: str = "mlp.gate", bias: bool = False) -> Linear:
    """Build the router: one score per expert; every chip keeps it whole.

    Parameters
    ----------
    hidden : int
        Width of the layer. [1]
    count : int
        Experts. [experts]
    module : str
        Module path.
    bias : bool
        One more parameter per expert.
    """
    return Linear(module, "router", hidden, count, bias=bias, ways=1)


def touched_experts(experts: Real, active: Real, tokens: Real, skew: float = 0.0) -> Real:
    """Return the expected number of distinct experts that a batch of tokens touches (lecture 1.3 [D], SYS-A10).

    Parameters
    ----------
    experts, active : int or array
        E experts, k of them per token. [experts]
    tokens : float or array
        Tokens T in the pass. [tokens]
    skew : float
        0 for balanced routing; otherwise expert popularity falls as rank to the power -skew (Zipf). [1]

    Notes
    -----
    E (1 - (1 - k/E)^T)

    k experts at T = 1, all of them at large T; 163 and 222 of 256 at T = 32 and 64 with k = 8. Balanced routing is an
    assumption; any skew touches fewer.
    """
    if not skew:
        return experts * (1 - (1 - active / experts) ** tokens)
    chance = popularity(int(experts), float(active), float(skew))
    return np.sum(1 - (1 - chance) ** np.asarray(tokens, dtype=float)[..., None], axis=-1)


def busiest_group(experts: int, active: int, groups: Real, tokens: Real) -> tuple[Real, Real]:
    """Return how far the busiest of `groups` equal groups of experts lies above an even share under uniform routing.

    Parameters
    ----------
    experts, active : int
        E experts, k of them per token. [experts]
    groups : int or array
        Groups on which they lie evenly. [groups]
    tokens : float or array
        Tokens T in the pass. [tokens]

    Returns
    -------
    (float or array, float or array)
        Excess of touched experts and of tokens, as shares of an even share (of at least one expert or token); 0 for one
        group.

    Notes
    -----
    Moments are exact: of two experts both stay untouched with chance ((E-k)(E-k-1)/(E(E-1)))^T; a token sends k draws
    without replacement. The largest of g nearly normal values lies z(g) deviations above their mean (Blom 1958: 0.59,
    1.05, 1.43 for 2, 4, 8). No group touches more than it has, or than there are choices.
    """
    if experts <= active or (groups <= 1 if plain(groups) else np.all(groups <= 1)):
        return 0.0, 0.0
    each, t = experts / groups, tokens
    z = _deviations(groups)
    missed = (1 - active / experts) ** t
    both = ((experts - active) * (experts - active - 1) / (experts * (experts - 1))) ** t
    touched = each * (1 - missed)
    spread = root(larger(each * missed * (1 - missed) + each * (each - 1) * (both - missed**2), 0.0))
    most = smaller(touched + z * spread, smaller(each, t * active))
    share = 1 / groups
    here = t * active * share
    drawn = root(here * (1 - share) * (experts - active) / (experts - 1))
    carried = smaller(here + z * drawn, t * smaller(active, each))
    least = smaller(1.0, t * active)  # somebody computes a whole expert for a whole token
    even = larger(touched, least), larger(here, least)
    return larger(most, even[0]) / even[0] - 1, larger(carried, even[1]) / even[1] - 1


def _deviations(groups: Real) -> Real:
    """Standard deviations by which the largest of so many normal values lies above their mean (Blom 1958)."""
    if isinstance(groups, np.ndarray):
        values, where = np.unique(groups, return_inverse=True)
        return np.array([_deviations_of(float(v)) for v in values])[where].reshape(groups.shape)
    return _deviations_of(float(groups))


@lru_cache(maxsize=1024)
def _deviations_of(groups: float) -> float:
    return NormalDist().inv_cdf((groups - 0.375) / (groups + 0.25))


def group_reached(experts: int, active: int, groups: Real) -> Real:
    """Return the chance that at least one of a token's k distinct experts lies in a given one of equal groups.

    Parameters
    ----------
    experts, active : int
        E experts, k of them per token. [experts]
    groups : int or array
        Groups on which they lie. [groups]

    Notes
    -----
    1 - C(E - m, k) / C(E, k) for m = E/g experts in a group, drawn without replacement; m need not be whole where second
    copies fill the groups. Below one expert in a group (more groups than experts) a token reaches k of g.
    """
    mine = experts / np.asarray(groups, dtype=float)
    missed = 1.0
    for i in range(active):
        missed = missed * np.maximum(experts - mine - i, 0) / (experts - i)
    return np.where(mine < 1, active * mine / experts, 1 - missed)


@dataclass(frozen=True, slots=True)
class CopiesElsewhere:
    """Copies of a token that leave for other groups: one for each that holds a chosen expert, however many it holds."""

    experts: int
    active: int

    def __call__(self, groups: Real) -> Real:
        """Return copies for so many equal groups (an array, too)."""
        return (groups - 1) * group_reached(self.experts, self.active, groups)


@dataclass(frozen=True, slots=True)
class Crowding:
    """How many times more copies of tokens the group with the most popular expert gets than the mean group."""

    experts: int
    active: int
    groups: Real

    def __call__(self, skew: float) -> Real:
        """Return the factor under popularity that falls as rank to the power -skew: at least 1."""
        mean = group_reached(self.experts, self.active, self.groups)
        return np.maximum(hottest_expert(self.experts, self.active, skew) / mean, 1.0)


def hottest_expert(experts: int, active: int, skew: float) -> float:
    """Return the chance per token of the most popular expert under `skew`: k/E when routing is balanced.

    Parameters
    ----------
    experts, active : int
        E experts, k of them per token. [experts]
    skew : float
        Zipf exponent of expert popularity. [1]
    """
    return float(popularity(int(experts), float(active), float(skew)).max())


def fraction_touched(sparsity: Real, tokens: Real) -> Real:
    """Return the expected share of expert weights that `tokens` touch: 1 - (1 - 1/x)^B with x = experts/active.

    Parameters
    ----------
    sparsity : float or array
        x, experts per active expert. [1]
    tokens : float or array
        B. [tokens]
    """
    return 1 - (1 - 1 / sparsity) ** tokens


@lru_cache(maxsize=64)
def popularity(experts: int, active: float, skew: float) -> np.ndarray:
    """Return each expert's chance per token: Zipf, summing to k, none above 1.

    Parameters
    ----------
    experts : int
        E. [experts]
    active : float
        k, of a token. [experts]
    skew : float
        Popularity falls as rank to the power -skew. [1]
    """
    weights = np.arange(1, experts + 1, dtype=float) ** -skew
    chance = np.zeros(experts)
    free = np.ones(experts, dtype=bool)
    while True:
        chance[free] = weights[free] * (active - np.count_nonzero(~free)) / weights[free].sum()
        over = chance > 1
        if not over.any():
            return chance
        chance[over] = 1.0
        free &= ~over
