"""Hyper-parameters of joint inference, fitted to open models: how shapes are spread, and how prices lie about their physics."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.catalog import Catalogue, catalogue
from headway.economics.hosted_steps import HostedStep, hosted_steps
from headway.economics.physics_of_prices import Machine, guesses, times
from headway.economics.price_lists import PriceList
from headway.models import kv_bytes_per_further_token, model

Array = NDArray[np.float64]
_DRAWS = 512  # of batch and context, over which a model's decode cost is averaged while fitting
_SEED = 7
_CONTEXTS = (1.0, 0.5, 0.25, 0.125, 0.0625, 2.0, 4.0)  # times the stated median that are tried
_BATCHES = (4.0, 16384.0)  # between which the median batch is looked for
_LEAST = 0.1  # standard deviation of a logarithm below which a fit to some fifteen shapes does not go
_LOOSE = 0.25  # least part of an output price's spread that is left to error, not to batch and context


@dataclass(frozen=True, slots=True)
class Truth:
    """What is public about an open model.

    Attributes
    ----------
    active, total : float
        Parameters touched per token, and stored. [parameters]
    kv : float
        Cache that a further token adds, counted in 16 bits. [bytes/token]
    """

    active: float
    total: float
    kv: float


def truth(name: str) -> Truth:
    """Return the truth about a model of the catalogue."""
    return _truth(catalogue(), name)


@functools.lru_cache(maxsize=256)
def _truth(_: Catalogue, name: str) -> Truth:
    found = model(name)
    return Truth(found.active_parameters, float(found.total_parameters), float(kv_bytes_per_further_token(found)))


@dataclass(frozen=True, slots=True)
class Law:
    """A normal law of a logarithm from few values: Student's t with the freedom that they leave.

    Attributes
    ----------
    mean, sd : float
        Of the logarithm; the second already widened for the mean being estimated. [1]
    freedom : float
        Degrees of freedom. [1]
    """

    mean: float
    sd: float
    freedom: float


def law(values: Sequence[float] | Array) -> Law:
    """Return the predictive law of one more value: mean, sd x sqrt(1 + 1/n), n - 1 degrees of freedom.

    Parameters
    ----------
    values : sequence of float
        Logarithms. [1]
    """
    x = np.asarray(values, dtype=float)
    n = len(x)
    return Law(float(x.mean()), max(float(x.std(ddof=1)), _LEAST) * float(np.sqrt(1 + 1 / n)), float(n - 1))


@dataclass(frozen=True, slots=True)
class Fit:
    """What the open models say, with one shape left out or none.

    Attributes
    ----------
    shapes : int
        Shapes behind it. [1]
    active, sparsity, kv : Law
        Of the logarithms of active parameters, of total over active (mixtures only), of KV bytes per token.
    dense : float
        Share of shapes in which every parameter is active. [share]
    rate : Law
        Of dollars asked per chip-second of work, in logarithm: what is common to a seller's prices.
    input_error, output_error : float
        Standard deviations of what is left, in logarithm. [1]
    batch, context : float
        Medians that make output prices of open models come out. [sequences, tokens]
    batch_sd, context_sd : float
        How their logarithms are spread. [1]
    follows : float
        Elasticity of cached prices to KV bytes, 0 to 1: 1 if a hit were priced at what moving it costs. [1]
    cached : Law
        Of the logarithm of a cached price over the rate and KV bytes to that power.
    step : Law or None
        Of true KV bytes over the slope estimator's, on hosted models of public shape.
    """

    shapes: int
    active: Law
    sparsity: Law
    kv: Law
    dense: float
    rate: Law
    input_error: float
    output_error: float
    batch: float
    context: float
    batch_sd: float
    context_sd: float
    follows: float
    cached: Law
    step: Law | None


def fit(on: Machine, lists: Sequence[PriceList], without: str = "", steps: Sequence[HostedStep] | None = None) -> Fit:
    """Fit the hyper-parameters to price lists of open models, those of the shape `without` left out.

    Parameters
    ----------
    on : Machine
    lists : sequence of PriceList
        Each with the name of its model and shape.
    without : str
        Shape to leave out: nothing about it is used.
    steps : sequence of HostedStep or None
        Those of the catalogue by default.

    Notes
    -----
    Every shape counts as one, however many models and sellers have it. By moments: the mean input residual is the rate,
    its covariance with the output residual the rate's spread, the rest error; the median batch makes the mean output
    residual the same rate; the context is the one of some multiples of the stated guess under which output prices scatter
    least, the guess counting as one observation; spreads of batch and context that the prices do not show are narrowed.
    """
    used = [x for x in lists if x.model and x.shape != without]
    names = list(dict.fromkeys(x.shape for x in used))
    rows = np.array([names.index(x.shape) for x in used])
    known = [truth(x.model) for x in used]
    first = [known[int(np.flatnonzero(rows == i)[0])] for i in range(len(names))]
    shape = np.log([[t.active, t.total, t.kv] for t in first])
    sparse = shape[:, 1] - shape[:, 0]
    mixed = sparse > np.log(1.05)
    each = 1 / np.bincount(rows)[rows]
    weights = each / each.sum()
    asked = np.log([[x.input, x.output, x.cached or np.nan] for x in used]) - np.log(1e6)
    parts = _prices(on, known, asked, weights, len(names))
    return Fit(
        len(names), law(shape[:, 0]), law(sparse[mixed]), law(shape[:, 2]), float((~mixed).sum() + 1) / (len(names) + 2), **parts,
        step=_step(steps if steps is not None else hosted_steps(), without),
    )  # fmt: skip


def _moments(x: Array, weights: Array, n: int) -> tuple[float, float]:
    """Weighted mean, and variance as of n independent values."""
    mean = float(weights @ x)
    return mean, float(weights @ (x - mean) ** 2) * n / (n - 1)


def _prices(on: Machine, known: Sequence[Truth], asked: Array, weights: Array, n: int) -> dict[str, Any]:
    """Rate, errors, batch, context, spreads and how cached prices follow KV bytes, from residuals of log prices."""
    g = guesses()
    active, kv = (np.array([getattr(t, k) for t in known]) for k in ("active", "kv"))
    once = list(dict.fromkeys(known))  # a model that many sell is timed once
    every = np.array([once.index(t) for t in known])
    stored = np.array([[t.active, t.total, t.kv] for t in once]).T[:, :, None]
    first = asked[:, 0] - np.log(2 * active / (on.flops * on.mfu))
    level, above = _moments(first, weights, n)
    draws = np.random.default_rng(_SEED).standard_normal((2, _DRAWS))

    def decoded(batch: float, context: float, narrow: float) -> Array:
        b = batch * np.exp(narrow * g["batch"].sd * draws[0])
        c = context * np.exp(narrow * g["context"].sd * draws[1])
        return np.log(times(on, stored[0], stored[1], stored[2], b, c).decode)

    def residual(batch: float, context: float) -> Array:
        return asked[:, 1] - decoded(batch, context, 1.0).mean(axis=1)[every]

    def judged(context: float) -> tuple[float, float]:
        """Batch that makes the mean come out at a context, and how well that fits: spread, and the guess of the context."""
        batch = _batch(lambda b: float(weights @ residual(b, context)) - level)
        spread = _moments(residual(batch, context), weights, n)[1]
        return n * np.log(spread) + (np.log(context / g["context"].median) / g["context"].sd) ** 2, batch

    context = min((g["context"].median * f for f in _CONTEXTS), key=lambda c: judged(c)[0])
    batch = judged(context)[1]
    varied = decoded(batch, context, 1.0).var(axis=1)[every]
    second = residual(batch, context)
    spread = _moments(second, weights, n)[1]
    together = float(weights @ ((first - level) * (second - weights @ second))) * n / (n - 1)
    common = float(np.clip(together, _LEAST**2, max(above - _LEAST**2, _LEAST**2)))
    left = max(spread - common, _LEAST**2)
    narrow = min(1.0, float(np.sqrt((1 - _LOOSE) * left / (weights @ varied))))
    rest = max(left - float(weights @ decoded(batch, context, narrow).var(axis=1)[every]), _LEAST**2)
    widened = float(np.sqrt(1 + 1 / n))
    errors = (float(np.sqrt(max(above - common, _LEAST**2))) * widened, float(np.sqrt(rest)) * widened)
    rate = Law(level, float(np.sqrt(common)) * widened, float(n - 1))
    follows, cached = _cached(kv, asked[:, 2] - level, common, weights)
    return {"rate": rate, "input_error": errors[0], "output_error": errors[1], "batch": batch, "context": context,
            "batch_sd": narrow * g["batch"].sd, "context_sd": narrow * g["context"].sd, "follows": follows, "cached": cached}  # fmt: skip


def _batch(off: Callable[[float], float]) -> float:
    """The batch at which the mean output residual is that of input: it rises with the batch."""
    low, high = np.log(_BATCHES)
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if off(float(np.exp(middle))) > 0 else (middle, high)
    return float(np.exp((low + high) / 2))


def _cached(kv: Array, asked: Array, common: float, weights: Array) -> tuple[float, Law]:
    """How cached prices follow KV bytes, and the law of what is left."""
    there = ~np.isnan(asked)
    w = weights[there] / weights[there].sum()
    many = min(
        max(1 / float((w**2).sum()), 3.0), float(len(set(np.round(kv[there]))))
    )  # independent values that the weights leave, at the most
    y, x = asked[there], np.log(kv[there])
    away = x - w @ x
    follows = float(np.clip(w @ (away * y) / (w @ away**2), 0.0, 1.0))
    mean, spread = _moments(y - follows * x, w, int(many))
    return follows, Law(mean, float(np.sqrt(max(spread - common, _LEAST**2) * (1 + 1 / many))), many - 1)


def _step(found: Sequence[HostedStep], without: str) -> Law | None:
    """True KV bytes over the slope estimator's; None of fewer than three models."""
    known = [s for s in found if s.truth is not None and s.prices.shape != without]
    return law([float(np.log((s.truth or 1.0) / s.slope)) for s in known]) if len(known) > 2 else None
