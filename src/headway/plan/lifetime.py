"""How large a model should be for what it will serve: training, reinforcement and serving in dollars, from their plans."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from headway import units
from headway.catalog import catalogue
from headway.errors import InputError
from headway.plan.answer import Plan
from headway.plan.make import make_plan
from headway.plan.train import TrainingPlan, TrainingQuestion, train
from headway.questions import Request
from headway.shown import Shown
from headway.training.allocation import ScalingLaw, scaling_law
from headway.training.optimum import Life, LifetimeOptimum, Prices, justified_demand, life_at, lifetime_optimum

_MTOK = 1e6


@dataclass(frozen=True, slots=True)
class Released:
    """A released model laid over the answer.

    Attributes
    ----------
    name : str
    year : int
        [year]
    n, tokens : float
        Active parameters; tokens it was trained on. [parameters, tokens]
    over : float
        Its tokens per parameter over those of the compute-optimal size of its loss. [times]
    demand : float
        Tokens to be served that would justify its size, at these prices and without reinforcement. [tokens]
    """

    name: str
    year: int
    n: float
    tokens: float
    over: float
    demand: float


@dataclass(frozen=True, slots=True)
class ByLaw:
    """The answer of one scaling law.

    Attributes
    ----------
    name, source : str
    law : ScalingLaw
    asked : Life
        The model itself.
    optimum : LifetimeOptimum
    released : tuple of Released
    """

    name: str
    source: str
    law: ScalingLaw
    asked: Life
    optimum: LifetimeOptimum
    released: tuple[Released, ...]


@dataclass(frozen=True, repr=False)
class Lifetime(Shown):
    """The cheapest size over a life.

    Attributes
    ----------
    training : TrainingPlan
    serving : Plan
    prices : Prices
    laws : tuple of ByLaw
    rl_factor : float
        Of the lecture's E20: what reinforcement costs over N x its tokens x a training FLOP, which the plans derive. [FLOP/parameter/token]
    """

    RECORD = "headway.records.lifetimes:lifetime_record"
    TEXT = "headway.report.lifetimes:lifetime_text"

    training: TrainingPlan
    serving: Plan
    prices: Prices
    laws: tuple[ByLaw, ...]
    rl_factor: float

    def brief(self) -> str:
        """Return the headline in one line."""
        best = self.laws[0].optimum.best
        size = f"{best.n / 1e9:,.3g} B parameters on {units.tokens(best.tokens)} tokens"
        return f"as good as {self.training.model.name}: {size}, {units.large_dollars(best.total)}"


def lifetime_plan(
    request: Request, question: TrainingQuestion, demand: float, *, rollouts: float = 0.0, trained: float = 0.25, idle: float = 0.0,
    law: str | None = None,
) -> Lifetime:  # fmt: skip
    """Return the cheapest size of model that is as good as one, over training, reinforcement and serving.

    Parameters
    ----------
    request : Request
        How it is served.
    question : TrainingQuestion
        How it is trained; its tokens are the reference's.
    demand : float
        Tokens to be served. [tokens]
    rollouts : float
        Tokens that reinforcement generates. [tokens]
    trained : float
        Share of them that is trained on. [share]
    idle : float
        Share of reinforcement's chip-seconds in which nothing is done, as `reinforcement` finds it. [share]
    law : str or None
        Of the catalogue's `scaling_laws`; None: all.

    Raises
    ------
    InputError
        For a system without a price, numbers that are not positive, an unknown law.

    Notes
    -----
    A served token's cost is the loaded plan's: its share of reading caches does not change with the model's size, the rest is in
    proportion to the active parameters. Other sizes are of the same shape and run as well as the model that is asked for.
    """
    if not demand >= 0 or not rollouts >= 0:
        raise InputError(f"--demand: {demand:g} and --rl-tokens: {rollouts:g} must not be negative")
    if not 0 <= trained <= 1:
        raise InputError(f"--trained: {trained:g}; a share is needed, from 0 to 1")
    if not 0 <= idle < 1:
        raise InputError(f"--rl-idle: {idle:g}; a share is needed, from 0 to below 1")
    learning, served = train(question), make_plan(request)
    if learning.run.dollars is None or served.loaded.dollars_per_mtok is None:
        raise InputError("a life in dollars needs the price of a chip: give --price and --train-price, like 2.5/h")
    n = learning.model.active_parameters
    token = served.loaded.dollars_per_mtok / _MTOK
    caches = token * _of_caches(served)
    flop = learning.run.dollars / (learning.run.steps * learning.step.model_flops)
    prices = Prices(flop, caches, (token - caches) / n, demand, rollouts, trained, idle)
    laws = tuple(_by_law(name, prices, n, question.tokens) for name in _laws(law))
    factor = prices.reinforcement(n) / (rollouts * n * flop) if rollouts else 0.0
    return Lifetime(learning, served, prices, laws, factor)


def _of_caches(p: Plan) -> float:
    """Share of a loaded decode pass that reads caches. [share]"""
    spent = p.scene.decode(np.array([float(p.loaded.case.workload.running)]), p.context).resources
    whole = sum(float(np.sum(x)) for x in spent)
    return float(np.sum(spent.cache)) / whole


def _laws(name: str | None) -> list[str]:
    return [r["name"] for r in catalogue().table("scaling_laws").rows] if name is None else [name]


def _by_law(name: str, prices: Prices, n: float, tokens: float) -> ByLaw:
    law, row = scaling_law(name), catalogue().row("scaling_laws", name, "scaling law")[0]
    loss = float(law.loss(n, tokens))
    found = lifetime_optimum(law, n, tokens, prices)
    return ByLaw(
        row["name"],
        row["source"],
        law,
        life_at(law, n, loss, prices),
        found,
        tuple(_released(law, replace(prices, rollouts=0.0))),
    )


def _released(law: ScalingLaw, prices: Prices) -> list[Released]:
    found: list[Released] = []
    for r in catalogue().table("tokens_per_param").rows:
        n, tokens = float(r["active_B"]) * 1e9, float(r["tokens_T"]) * 1e12
        best = lifetime_optimum(law, n, tokens, prices).compute_optimal
        over = (tokens / n) / (best.tokens / best.n)
        found.append(Released(r["model"], int(r["year"]), n, tokens, over, justified_demand(law, n, tokens, prices)))
    return found
