"""How to split training and inference: equal costs, token balance, lifetime tokens, over-training (lecture 6)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.errors import InputError

Real = Any  # a float or a NumPy array; everything broadcasts


@dataclass(frozen=True, slots=True)
class Optimum:
    """Where the sum of two costs is least, and whether they are equal there."""

    x: Real
    first: Real
    second: Real

    @property
    def equal_costs(self) -> Any:
        """True when the equal-cost rule holds (within a part in a thousand)."""
        equal = np.isclose(self.first, self.second, rtol=1e-3, atol=0)
        return bool(equal) if np.ndim(equal) == 0 else equal


def balance_power_laws(a: Real, p: Real, b: Real, q: Real) -> Optimum:
    """Return the minimum of a x^-p + b x^q in closed form (lecture 6.1, SYS-E1).

    Parameters
    ----------
    a, b : float or array
        Coefficients of the falling and the rising cost, above 0. [1]
    p, q : float or array
        Their exponents, above 0. [1]

    Notes
    -----
    p A = q B at the optimum, so A/B = q/p: equal costs only when p = q, as for 9/x + 4x.

    Raises
    ------
    InputError
        When a coefficient or exponent is not positive.
    """
    if min(float(np.min(v)) for v in (a, p, b, q)) <= 0:
        raise InputError(f"coefficients and exponents must be positive, not a={a} p={p} b={b} q={q}")
    x = (p * a / (q * b)) ** (1 / (p + q))
    return Optimum(x, a * x**-p, b * x**q)


def balance_costs(
    falling: Callable[[float], float], rising: Callable[[float], float], low: float, high: float
) -> Optimum:
    """Return the minimum of falling(x) + rising(x) in [low, high] by golden section (lecture 6.1, SYS-E1).

    Parameters
    ----------
    falling, rising : callable
        Cost curves whose sum has one minimum.
    low, high : float
        Ends of the range of x that is searched. [1]
    """
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(200):
        a, b = high - golden * (high - low), low + golden * (high - low)
        if falling(a) + rising(a) < falling(b) + rising(b):
            high = b
        else:
            low = a
    x = (low + high) / 2
    return Optimum(x, falling(x), rising(x))


@dataclass(frozen=True, slots=True)
class TokenBalance:
    """D_pre = over_reinforcement x D_RL = over_inference x D_inf."""

    over_reinforcement: Real
    over_inference: Real


def token_balance(
    factor: Real = 3.0, relative_mfu: Real = 1 / 3, split: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> TokenBalance:
    """Return token ratios when the three costs stand as `split` (lecture 6.2, SYS-E3).

    Parameters
    ----------
    factor : float or array
        RL FLOPs per parameter and token, 2 to 6. [FLOP per parameter and token]
    relative_mfu : float or array
        Decode's MFU over training's. [times]
    split : three floats
        Pre-training, RL, inference: (1, 1, 1) is equal thirds, (1, 1, 2) is 25/25/50. [1]

    Notes
    -----
    6 D_pre / s_pre = factor D_RL / (mfu s_rl) = 2 D_inf / (mfu s_inf): alpha = factor/(6 mfu), beta = 2/(6 mfu). The
    lecture's first try multiplied by the MFU; inefficiency raises cost.
    """
    pre, rl, inference = split
    alpha = factor / (6 * relative_mfu) * (pre / rl)
    beta = 2 / (6 * relative_mfu) * (pre / inference)
    return TokenBalance(alpha, beta)


def lifetime_tokens(tokens_per_second: Real, days: Real, models: Real = 1.0, used: Real = 1.0) -> Real:
    """Return tokens that one model serves in its life (lecture 6.3, SYS-E4).

    Parameters
    ----------
    tokens_per_second : float or array
        Traffic of the family. [tokens/s]
    days : float or array
        How long the model is current. [days]
    models : float or array
        Models that share the traffic (the lecture divides by 5 to 10). [1]
    used : float or array
        Chance that the model is used at all. [share]
    """
    return tokens_per_second * days * 86400 / models * used


@dataclass(frozen=True, slots=True)
class OverTraining:
    """Training tokens against the compute-optimal number."""

    chinchilla_tokens: Real
    ratio: Real


def over_training(tokens: Real, n_active: Real, tokens_per_parameter: Real = 20.0) -> OverTraining:
    """Return how far past Chinchilla a model is trained: D / (20 N) (lecture 6.3, SYS-E5).

    Parameters
    ----------
    tokens : float or array
        D, tokens that the model is trained on. [tokens]
    n_active : float or array
        N, parameters touched per token. [parameters]
    tokens_per_parameter : float or array
        Compute-optimal D/N; Chinchilla's by default. [tokens/parameter]
    """
    best = tokens_per_parameter * n_active
    return OverTraining(best, tokens / best)


@dataclass(frozen=True, slots=True)
class RatioRange:
    """An over-training ratio whose inputs are guesses."""

    low: float
    high: float
    drivers: dict[str, float]


def over_training_range(
    tokens_per_second: tuple[float, float],
    n_active: tuple[float, float],
    days: tuple[float, float],
    tokens_per_parameter: float = 20.0,
) -> RatioRange:
    """Return the range of the over-training ratio from ranges of its inputs, and each input's part (SYS-E7).

    Parameters
    ----------
    tokens_per_second, n_active, days : (low, high)
        Traffic of the model, parameters touched per token, how long it is current. [tokens/s, parameters, days]
    tokens_per_parameter : float
        Compute-optimal D/N. [tokens/parameter]

    Returns
    -------
    RatioRange
        `drivers` gives the share of the log range that each input causes.
    """

    def ratio(rate: float, n: float, time: float) -> float:
        return float(over_training(lifetime_tokens(rate, time), n, tokens_per_parameter).ratio)

    low = ratio(tokens_per_second[0], n_active[1], days[0])
    high = ratio(tokens_per_second[1], n_active[0], days[1])
    spans = {"tokens_per_second": tokens_per_second, "n_active": n_active, "days": days}
    whole = math.log(high / low)
    return RatioRange(low, high, {k: math.log(b / a) / whole for k, (a, b) in spans.items()})


@dataclass(frozen=True, slots=True)
class ScalingLaw:
    """Loss = E + A/N^alpha + B/D^beta (Hoffmann et al. 2022; refit by Besiroglu et al. 2024)."""

    e: float
    a: float
    b: float
    alpha: float
    beta: float

    def optimal_tokens_per_parameter(self, flops: float) -> float:
        """Return D/N at the compute-optimal point of 6 N D = `flops`.

        Parameters
        ----------
        flops : float
            C, compute of the training. [FLOP]

        Notes
        -----
        N = G (C/6)^(beta/(alpha+beta)), D = (C/6)/N with G = (alpha A / (beta B))^(1/(alpha+beta)).
        """
        g = (self.alpha * self.a / (self.beta * self.b)) ** (1 / (self.alpha + self.beta))
        n = g * (flops / 6) ** (self.beta / (self.alpha + self.beta))
        return flops / 6 / n**2

    def loss(self, n: Real, tokens: Real) -> Real:
        """Return the loss at N parameters and D tokens.

        Parameters
        ----------
        n : float or array
            N. [parameters]
        tokens : float or array
            D. [tokens]
        """
        return self.e + self.a / np.asarray(n) ** self.alpha + self.b / np.asarray(tokens) ** self.beta


def scaling_law(name: str = "besiroglu2024") -> ScalingLaw:
    """Return the catalogue's scaling law called `name`: ``besiroglu2024`` or ``hoffmann2022``."""
    from headway.catalog import catalogue

    row, _ = catalogue().row("scaling_laws", name, "scaling law")
    return ScalingLaw(*(float(row[k]) for k in ("E", "A", "B", "alpha", "beta")))
