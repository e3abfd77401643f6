"""The least cost of a model's whole life at equal quality: pre-training, reinforcement and serving against its size (SYS-I9)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from headway.errors import InputError
from headway.training.allocation import ScalingLaw

_WIDE = 1e4  # times the reference's parameters, either way, in which an optimum is looked for
_STEPS = 200
_GOLDEN = (math.sqrt(5) - 1) / 2
_SMALL = 1e-5  # of a logarithm, for slopes


@dataclass(frozen=True, slots=True)
class Prices:
    """What compute costs over a life, from plans of training and of serving.

    Attributes
    ----------
    flop : float
        Of training. [$/FLOP]
    token, per_parameter : float
        Of a token that is served: whatever the model's size (caches), and for each active parameter. [$/token, $/token/parameter]
    demand : float
        Tokens served in its life. [tokens]
    rollouts : float
        Tokens that reinforcement generates. [tokens]
    trained : float
        Share of them that is trained on. [share]
    idle : float
        Share of the chips' time of reinforcement in which they do nothing: a loop's, as `headway.plan.reinforcement` finds it. [share]
    """

    flop: float
    token: float
    per_parameter: float
    demand: float
    rollouts: float = 0.0
    trained: float = 0.0
    idle: float = 0.0

    def serving(self, n: float) -> float:
        """Return the cost of all tokens served. [$]

        Parameters
        ----------
        n : float
            N, active parameters. [parameters]
        """
        return self.demand * (self.token + self.per_parameter * n)

    def reinforcement(self, n: float) -> float:
        """Return the cost of reinforcement: rollouts as they are served, training on a share of them (lecture E20), idle chips. [$]

        Parameters
        ----------
        n : float
            N, active parameters. [parameters]
        """
        busy = self.rollouts * (self.token + self.per_parameter * n + 6 * self.trained * n * self.flop)
        return busy / (1 - self.idle)

    def pretraining(self, n: float, tokens: float) -> float:
        """Return the cost of 6 N D (lecture E19). [$]

        Parameters
        ----------
        n, tokens : float
            N, D. [parameters, tokens]
        """
        return 6 * n * tokens * self.flop


@dataclass(frozen=True, slots=True)
class Life:
    """One size of model over its life.

    Attributes
    ----------
    n, tokens : float
        N, active parameters; D, tokens it is trained on. [parameters, tokens]
    pretraining, reinforcement, serving : float
        [$]
    """

    n: float
    tokens: float
    pretraining: float
    reinforcement: float
    serving: float

    @property
    def total(self) -> float:
        """Of its life. [$]"""
        return self.pretraining + self.reinforcement + self.serving


@dataclass(frozen=True, slots=True)
class LifetimeOptimum:
    """The cheapest size at a loss, and how flat the valley is.

    Attributes
    ----------
    best, compute_optimal : Life
        Of the whole life; of pre-training alone (Chinchilla).
    low, high : float
        Sizes between which the whole life costs at most so much more than the best. [parameters]
    within : float
        That much. [share]
    """

    best: Life
    compute_optimal: Life
    low: float
    high: float
    within: float

    @property
    def over_training(self) -> float:
        """Tokens per parameter of the best over those of the compute-optimal size. [times]"""
        return (self.best.tokens / self.best.n) / (self.compute_optimal.tokens / self.compute_optimal.n)


def equal_loss_tokens(law: ScalingLaw, n: float, loss: float) -> float:
    """Return the tokens with which a model of N parameters reaches a loss; infinite where it never does. [tokens]

    Parameters
    ----------
    law : ScalingLaw
    n : float
        N. [parameters]
    loss : float
        [nats/token]
    """
    left = loss - law.e - law.a / n**law.alpha
    return math.inf if left <= 0 else (law.b / left) ** (1 / law.beta)


def life_at(law: ScalingLaw, n: float, loss: float, prices: Prices) -> Life:
    """Return what a size costs over its life at a loss.

    Parameters
    ----------
    law : ScalingLaw
    n : float
        N, active parameters. [parameters]
    loss : float
        [nats/token]
    prices : Prices
    """
    tokens = equal_loss_tokens(law, n, loss)
    return Life(n, tokens, prices.pretraining(n, tokens), prices.reinforcement(n), prices.serving(n))


def lifetime_optimum(law: ScalingLaw, n: float, tokens: float, prices: Prices, within: float = 0.05) -> LifetimeOptimum:
    """Return the cheapest model that is as good as one of N parameters trained on D tokens.

    Parameters
    ----------
    law : ScalingLaw
    n, tokens : float
        Of the reference. [parameters, tokens]
    prices : Prices
    within : float
        How much more than the least counts as flat. [share]

    Raises
    ------
    InputError
        For numbers that are not positive.

    Notes
    -----
    Sardana et al. 2023 (arXiv 2401.00448) minimise 6 N D + 2 N D_inf; here in dollars, a served token costing what the plan of its
    serving says: a part with its parameters, a part with its caches. By golden section over the logarithm of N, where the cost has
    one minimum.
    """
    if not (n > 0 and tokens > 0):
        raise InputError(f"a reference needs parameters and tokens above 0, not {n:g} and {tokens:g}")
    loss = float(law.loss(n, tokens))
    nothing = Prices(prices.flop, 0.0, 0.0, 0.0)
    best, chinchilla = (_least(law, n, loss, p) for p in (prices, nothing))
    low, high = (_edge(law, best, loss, prices, within, sign) for sign in (-1, 1))
    return LifetimeOptimum(life_at(law, best, loss, prices), life_at(law, chinchilla, loss, prices), low, high, within)


def _least(law: ScalingLaw, n: float, loss: float, prices: Prices) -> float:
    low, high = math.log(n / _WIDE), math.log(n * _WIDE)

    def cost(x: float) -> float:
        return life_at(law, math.exp(x), loss, prices).total

    for _ in range(_STEPS):
        a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        at = cost(a)
        low, high = (low, b) if at < cost(b) and math.isfinite(at) else (a, high)
    return math.exp((low + high) / 2)


def _edge(law: ScalingLaw, best: float, loss: float, prices: Prices, within: float, sign: int) -> float:
    limit = life_at(law, best, loss, prices).total * (1 + within)
    near, far = math.log(best), math.log(best) + sign * math.log(_WIDE)
    for _ in range(_STEPS):
        middle = (near + far) / 2
        inside = life_at(law, math.exp(middle), loss, prices).total <= limit
        near, far = (middle, far) if inside else (near, middle)
    return math.exp(near)


def justified_demand(law: ScalingLaw, n: float, tokens: float, prices: Prices) -> float:
    """Return the demand at which a model's size is the cheapest for its loss; 0 where compute alone asks for no larger one. [tokens]

    Parameters
    ----------
    law : ScalingLaw
    n, tokens : float
        N, D of the model. [parameters, tokens]
    prices : Prices
        Whose demand does not matter.

    Notes
    -----
    Where the whole cost is flat: d(pre-training + reinforcement)/dN = -demand x d(serving a token)/dN.
    """
    loss = float(law.loss(n, tokens))

    def trained(x: float) -> float:
        life = life_at(law, n * math.exp(x), loss, prices)
        return life.pretraining + life.reinforcement

    slope = (trained(_SMALL) - trained(-_SMALL)) / (2 * _SMALL) / n
    return max(-slope / prices.per_parameter, 0.0)
