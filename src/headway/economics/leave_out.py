"""Joint inference against models whose shape is public, each shape left out in turn, beside a plain baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headway.economics.joint import Belief, Draws, belief, draw, effective, likelihoods, weights
from headway.economics.physics_of_prices import Machine, machine
from headway.economics.price_fit import Fit, fit, truth
from headway.economics.price_lists import PriceList, opened, stepped_known
from headway.economics.trust import JUDGED, trust


@dataclass(frozen=True, slots=True)
class Learned:
    """What open models teach, one shape left out or none."""

    fit: Fit
    powers: dict[str, float]


def learn(on: Machine, without: str = "") -> Learned:
    """Fit to every seller's own price list of open models, the shape `without` left out."""
    lists = opened(single=True)
    found = fit(on, lists, without)
    return Learned(found, trust(on, found, lists, without))


def tempered(prices: PriceList, learned: Learned, draws: Draws) -> dict[str, np.ndarray]:
    """Return log likelihoods, each to the power that is learned for it; those that count for nothing are left out."""
    found = likelihoods(prices, learned.fit, draws)
    return {k: v * learned.powers.get(k, 1.0) for k, v in found.items() if learned.powers.get(k, 1.0) > 0}


def nearest(prices: PriceList) -> PriceList:
    """Return the open model of another shape whose input and output prices are nearest, in logarithms."""
    others = [x for x in opened() if x.shape != prices.shape]
    return min(others, key=lambda x: abs(np.log(x.input / prices.input)) + abs(np.log(x.output / prices.output)))


def baseline(prices: PriceList) -> dict[str, float]:
    """Return the plain guess: the nearest open model's parameters times the ratio of input prices, and its KV bytes."""
    near = nearest(prices)
    known, times = truth(near.model), prices.input / near.input
    return {"active": known.active * times, "total": known.total * times, "kv": known.kv}


@dataclass(frozen=True, slots=True)
class Checked:
    """One price list whose model is public.

    Attributes
    ----------
    prices : PriceList
    truth, baseline : dict
        By quantity: parameters, and bytes per token in 16 bits.
    beliefs : dict
        Of the same.
    effective : float
        Effective sample size. [samples]
    """

    prices: PriceList
    truth: dict[str, float]
    beliefs: dict[str, Belief]
    baseline: dict[str, float]
    effective: float

    def misses(self) -> list[str]:
        """Quantities whose truth lies outside its interval."""
        return [q for q, b in self.beliefs.items() if not b.holds(self.truth[q])]


@dataclass(frozen=True, slots=True)
class Score:
    """How one quantity did over many price lists.

    Attributes
    ----------
    quantity : str
    lists, shapes : int
        Price lists, and different shapes among them. [1]
    coverage, by_shape : float
        Share of truths inside the 80 % interval: of lists, and with every shape counting once. [share]
    factor, baseline : float
        Median factor between the middle and the truth, of inference and of the baseline. [times]
    width : float
        Median width of the interval. [times]
    """

    quantity: str
    lists: int
    shapes: int
    coverage: float
    by_shape: float
    factor: float
    baseline: float
    width: float


@dataclass(frozen=True)
class Calibration:
    """Everything that was checked.

    Attributes
    ----------
    models, hosted : tuple of Checked
        Open models at the median of their sellers' prices; hosted ones with context steps, whose shape is public.
    scores : dict
        By what was checked (``models``, ``sellers``: every seller's own list, ``hosted``), a `Score` per quantity.
    samples : int
        Per shape. [samples]
    """

    models: tuple[Checked, ...]
    hosted: tuple[Checked, ...]
    scores: dict[str, list[Score]]
    samples: int


def check(samples: int = 20_000, seed: int = 0, chip: str = "h100") -> Calibration:
    """Infer every open model from its prices with everything about its shape left out, and count.

    Parameters
    ----------
    samples : int
        Per shape. [samples]
    seed : int
        Of the random numbers. [1]
    chip : str
        That prices are read in.
    """
    on = machine(chip)
    every = {"models": list(opened()), "sellers": list(opened(single=True)), "hosted": stepped_known()}
    shapes = dict.fromkeys(x.shape for lists in every.values() for x in lists)
    found: dict[str, list[Checked]] = {k: [] for k in every}
    for shape in shapes:
        learned = learn(on, shape)
        draws = draw(on, learned.fit, samples, seed)
        order = {q: np.argsort(draws.values[q]) for q in JUDGED}
        for what, lists in every.items():
            for x in (x for x in lists if x.shape == shape):
                w = weights(tempered(x, learned, draws), len(draws))
                told = {q: belief(draws.values[q], w, order[q]) for q in JUDGED}
                known = {q: float(getattr(truth(x.model), q)) for q in JUDGED}
                found[what].append(Checked(x, known, told, baseline(x), effective(w)))
    scores = {what: [_score(q, rows) for q in JUDGED] for what, rows in found.items()}
    return Calibration(tuple(found["models"]), tuple(found["hosted"]), scores, samples)


def _score(quantity: str, rows: Sequence[Checked]) -> Score:
    inside: dict[str, list[bool]] = {}
    for r in rows:
        inside.setdefault(r.prices.shape, []).append(r.beliefs[quantity].holds(r.truth[quantity]))
    off = [abs(np.log(r.beliefs[quantity].median / r.truth[quantity])) for r in rows]
    plain = [abs(np.log(r.baseline[quantity] / r.truth[quantity])) for r in rows]
    return Score(
        quantity, len(rows), len(inside), float(np.mean([x for v in inside.values() for x in v])),
        float(np.mean([np.mean(v) for v in inside.values()])), float(np.exp(np.median(off))), float(np.exp(np.median(plain))),
        float(np.median([r.beliefs[quantity].width for r in rows])),
    )  # fmt: skip
