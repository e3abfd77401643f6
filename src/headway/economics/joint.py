"""Joint inference: guesses of active, total, KV bytes, batch, context and margin, weighted by all prices (importance sampling)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headway.economics.hosted_steps import slopes
from headway.economics.physics_of_prices import Machine, Times, guesses, times
from headway.economics.price_fit import Fit, Law
from headway.economics.price_lists import PriceList
from headway.economics.tiers import fast_price
from headway.errors import seeded

Array = NDArray[np.float64]
SHARE = 0.8  # of the weight that an interval holds
_HIGHEST = 50.0  # price multiple that stands for a fast tier below the latency floor


@dataclass(frozen=True, slots=True)
class Draws:
    """Samples from the priors: one array per quantity, in SI; and the chip-seconds that follow from them."""

    values: Mapping[str, Array]
    times: Times

    def __len__(self) -> int:
        return len(self.values["active"])


def _student(rng: np.random.Generator, law: Law, many: int) -> Array:
    return law.mean + law.sd * rng.standard_t(law.freedom, many)


def draw(on: Machine, fit: Fit, many: int = 100_000, seed: int = 0) -> Draws:
    """Draw from the priors.

    Parameters
    ----------
    on : Machine
    fit : Fit
    many : int
        Samples. [samples]
    seed : int
        Of the random numbers. [1]

    Notes
    -----
    What is asked per chip-second of work is drawn (open models show it); rent, utilisation and MFU are drawn beside it, and the
    price over cost (markup) follows: rate x utilisation x (MFU over the stated one) / rent. Prices cannot tell these apart.
    """
    rng, g = np.random.default_rng(seeded(seed)), guesses()
    active = np.exp(_student(rng, fit.active, many))
    mixed = np.exp(np.abs(_student(rng, fit.sparsity, many)))  # total over active is at least 1
    sparsity = np.where(rng.random(many) < fit.dense, 1.0, mixed)
    v = {"active": active, "total": active * sparsity, "kv": np.exp(_student(rng, fit.kv, many))}
    v["batch"] = np.maximum(1.0, fit.batch * np.exp(fit.batch_sd * rng.standard_normal(many)))
    v["context"] = fit.context * np.exp(fit.context_sd * rng.standard_normal(many))
    v["rate"] = np.exp(_student(rng, fit.rate, many))
    for name in ("dollars", "utilisation", "prefill_mfu"):
        v[name] = g[name].median * np.exp(g[name].sd * rng.standard_normal(many))
    v["utilisation"] = np.minimum(v["utilisation"], 1.0)
    v["prefill_mfu"] = np.minimum(v["prefill_mfu"], 1.0)
    v["markup"] = v["rate"] * 3600 / v["dollars"] * v["utilisation"] * v["prefill_mfu"] / on.mfu
    cost = times(on, v["active"], v["total"], v["kv"], v["batch"], v["context"])
    v["mfu_decode"] = cost.compute / cost.decode
    return Draws(v, cost)


def _log_t(x: Array, sd: float, freedom: float) -> Array:
    """Logarithm of Student's t density, up to a constant."""
    return -(freedom + 1) / 2 * np.log1p((x / sd) ** 2 / freedom)


def likelihoods(prices: PriceList, fit: Fit, draws: Draws) -> dict[str, Array]:
    """Return the logarithm of each observed price's likelihood at every sample, by the price's name.

    Parameters
    ----------
    prices : PriceList
    fit : Fit
    draws : Draws
    """
    v, t, few = draws.values, draws.times, float(fit.shapes - 1)
    rate = np.log(v["rate"])
    found = {
        "input": _log_t(math.log(prices.input * 1e-6) - rate - np.log(t.prefill), fit.input_error, few),
        "output": _log_t(math.log(prices.output * 1e-6) - rate - np.log(t.decode), fit.output_error, few),
    }
    if prices.cached:
        off = math.log(prices.cached * 1e-6) - rate - fit.cached.mean - fit.follows * np.log(v["kv"])
        found["cached"] = _log_t(off, fit.cached.sd, fit.cached.freedom)
    read = slopes(prices)
    if read and fit.step is not None:
        off = np.log(v["kv"]) - float(np.mean(np.log(read))) - fit.step.mean
        found["steps"] = _log_t(off, fit.step.sd, fit.step.freedom)
    if prices.fast:
        price, speed = prices.fast
        told = np.minimum(fast_price(speed, t.weights, t.cache, t.compute), _HIGHEST)
        found["fast"] = _log_t(math.log(price) - np.log(told), guesses()["fast_error"].sd, few)
    return found


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of one quantity: the shortest 80 % interval (of its logarithm) and its median.

    Attributes
    ----------
    low, median, high : float
        In the quantity's unit. [unit]
    """

    low: float
    median: float
    high: float

    @property
    def width(self) -> float:
        """High over low. [times]"""
        return self.high / self.low

    def holds(self, value: float) -> bool:
        """Whether a value lies inside.

        Parameters
        ----------
        value : float
            In the quantity's unit. [unit]
        """
        return self.low <= value <= self.high


def weights(logs: Mapping[str, Array] | list[Array], many: int) -> Array:
    """Return normalised importance weights from log likelihoods; equal ones from none.

    Parameters
    ----------
    logs : mapping or list
        Of arrays.
    many : int
        Samples. [samples]
    """
    each = list(logs.values()) if isinstance(logs, Mapping) else logs
    total = np.sum(each, axis=0) if each else np.zeros(many)
    w = np.exp(total - total.max())
    return w / w.sum()


def effective(w: Array) -> float:
    """Return the effective sample size of normalised weights: 1 over the sum of their squares. [samples]

    Parameters
    ----------
    w : array
        [share]
    """
    return float(1 / (w @ w))


def belief(values: Array, w: Array, order: NDArray[np.intp] | None = None) -> Belief:
    """Return the median of weighted samples, and the shortest interval of their logarithms that holds 80 % of the weight.

    Parameters
    ----------
    values, w : array
        Samples and their normalised weights. [unit, share]
    order : array of int or None
        That sorts the samples, where it is known.
    """
    order = np.argsort(values) if order is None else order
    logs, above = np.log(values[order]), np.concatenate([[0.0], np.cumsum(w[order])])
    ends = np.minimum(
        np.searchsorted(above, above[:-1] + SHARE), len(logs)
    )  # of an interval that starts at each sample
    whole = above[:-1] + SHARE <= above[-1]
    at = int(np.argmin(np.where(whole, logs[ends - 1] - logs, np.inf)))
    middle = logs[min(int(np.searchsorted(above[1:], 0.5)), len(logs) - 1)]
    return Belief(*(float(np.exp(x)) for x in (logs[at], middle, logs[ends[at] - 1])))
