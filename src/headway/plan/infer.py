"""Prices backwards: what a price list says about the model behind it, price by price and all together, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from headway.economics.joint import Belief, belief, draw, effective, weights
from headway.economics.leave_out import Learned, baseline, learn, nearest, tempered
from headway.economics.physics_of_prices import Guess, Machine, guesses, machine
from headway.economics.price_fit import truth
from headway.economics.price_lists import PriceList, opened, price_list
from headway.economics.readings import Reading, readings
from headway.errors import InputError
from headway.shown import Shown

SHOWN = ("active", "total", "kv", "batch", "context", "markup", "dollars", "utilisation", "mfu_decode", "link")
MOVED = ("active", "total", "kv", "markup")
_FEWEST, _MOST = 1_000, 2_000_000  # samples
_THIN = 300  # effective samples below which the ends of an interval are noise


@dataclass(frozen=True, slots=True)
class Moved:
    """What one price did.

    Attributes
    ----------
    price : str
        ``input``, ``output``, ``cached``, ``steps`` or ``fast``.
    power : float
        To which its likelihood counts. [1]
    alone, without : dict
        Beliefs by quantity from this price alone, and from all others.
    """

    price: str
    power: float
    alone: dict[str, Belief]
    without: dict[str, Belief]


@dataclass(frozen=True, repr=False)
class Inference(Shown):
    """What a price list says.

    Attributes
    ----------
    prices : PriceList
    on : Machine
        That it is read in.
    dollars : float
        Rent of one of its chips, for readings. [$/h]
    n_active : float
        That the lecture's estimator takes. [parameters]
    readings : list of Reading
        Each price by itself.
    learned : Learned
        From open models; of one of them, from those of another shape.
    priors, beliefs : dict
        80 % intervals by quantity, before and after the prices; parameters, bytes/token, sequences, tokens, dollars per
        chip-hour, shares, and of the link bytes/s.
    moved : list of Moved
    samples : int
        Drawn from the priors. [samples]
    effective : float
        Effective sample size after weighting. [samples]
    truth, baseline : dict
        By quantity: of a model whose shape is public (else empty), and of the nearest open model scaled by price.
    near : str
        That model.
    guesses : dict
        What was stated, with sources.
    warnings : list of str
    """

    RECORD: ClassVar[str] = "headway.records.inferences:inference_record"
    TEXT: ClassVar[str] = "headway.report.inferences:inference_text"

    prices: PriceList
    on: Machine
    dollars: float
    n_active: float
    readings: list[Reading]
    learned: Learned
    priors: dict[str, Belief]
    beliefs: dict[str, Belief]
    moved: list[Moved]
    samples: int
    effective: float
    truth: dict[str, float]
    baseline: dict[str, float]
    near: str
    guesses: dict[str, Guess]
    warnings: list[str]

    def brief(self) -> str:
        """Return active parameters in one line."""
        b = self.beliefs["active"]
        return f"{self.prices.name}: {b.low / 1e9:.0f} to {b.high / 1e9:.0f} B active parameters (80 %)"


def infer(
    prices: str | PriceList,
    *,
    n_active: float = 100e9,
    chip: str = "h100",
    dollars: float = 2.0,
    samples: int = 200_000,
    seed: int = 0,
) -> Inference:
    """Infer the model and the business behind a price list (lecture 1.1, 7.1 to 7.4; SYS-F1, F3, F5, F8, A9).

    Parameters
    ----------
    prices : str or PriceList
        ``MODEL`` or ``PROVIDER/MODEL`` of the catalogue, or your own list.
    n_active : float
        Active parameters in the lecture's estimator of KV bytes; joint inference does not use it. [parameters]
    chip : str
        That prices are read in.
    dollars : float
        Its rent, for the readings price by price. [$/h]
    samples : int
        From the priors. [samples]
    seed : int
        Of the random numbers. [1]

    Raises
    ------
    InputError
        Unknown names, or a number of samples that is none.
    """
    if not _FEWEST <= samples <= _MOST:
        raise InputError(f"samples: {samples:,} is not between {_FEWEST:,} and {_MOST:,}")
    p = price_list(prices) if isinstance(prices, str) else prices
    on = machine(chip)
    learned = learn(on, p.shape)
    draws = draw(on, learned.fit, samples, seed)
    values = dict(draws.values)
    if p.cached:
        values["link"] = values["kv"] / 2 * on.cache_bytes * values["rate"] / (p.cached * 1e-6)
    logs = tempered(p, learned, draws)
    w = weights(logs, samples)
    believed = _Believing(values, {q: np.argsort(values[q]) for q in SHOWN if q in values})
    moved = [_moved(k, logs, learned.powers.get(k, 1.0), believed, samples) for k in logs]
    known = {q: float(getattr(truth(p.model), q)) for q in ("active", "total", "kv")} if p.model else {}
    n, before = effective(w), believed(np.full(samples, 1 / samples), SHOWN)
    return Inference(
        p, on, dollars, n_active, readings(p, on, dollars, n_active), learned, before, believed(w, SHOWN), moved, samples, n,
        known, baseline(p), nearest(p).name, guesses(), _warnings(p, n),
    )  # fmt: skip


@dataclass(frozen=True)
class _Believing:
    """Beliefs from samples, each sorted once."""

    values: Mapping[str, np.ndarray]
    order: Mapping[str, np.ndarray]

    def __call__(self, w: np.ndarray, names: tuple[str, ...]) -> dict[str, Belief]:
        return {q: belief(self.values[q], w, self.order[q]) for q in names if q in self.values}


def _moved(price: str, logs: Mapping[str, np.ndarray], power: float, believed: _Believing, samples: int) -> Moved:
    """What one price says alone, and what the others say without it."""
    others = [x for k, x in logs.items() if k != price]
    return Moved(
        price, power, believed(weights([logs[price]], samples), MOVED), believed(weights(others, samples), MOVED)
    )


def _warnings(p: PriceList, effective_samples: float) -> list[str]:
    found: list[str] = []
    most = max(opened(), key=lambda x: x.input)
    least = min(opened(), key=lambda x: x.input)
    beyond = ("dearer", most) if p.input > most.input else ("cheaper", least) if p.input < least.input else None
    if beyond:
        word, x = beyond
        found.append(
            f"{word} than every open model ({x.name}, ${x.input:g} for input): how prices lie about physics is extrapolated"
        )
    if effective_samples < _THIN:
        found.append(
            f"only {effective_samples:.0f} effective samples: ends of intervals are rough; more --samples would help"
        )
    if len(p.edges) == 1:
        found.append("the slope estimator needs the end of the upper context tier: --window 1M")
    return found
