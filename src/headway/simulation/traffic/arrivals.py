"""Arrivals: the times at which requests (or sessions) come, by processes whose gaps are independent of each other."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass

import numpy as np

from headway.errors import InputError
from headway.simulation.requests import Floats

MOST = 20_000_000  # arrivals drawn at once: 160 MB of times


def above_zero(what: str, **given: float) -> None:
    """Refuse values that are not above 0 and finite.

    Parameters
    ----------
    what : str
        Whose they are, for the message.
    given : float
        By name. [any unit]
    """
    for name, value in given.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{what}: {name.replace('_', ' ')} is {value:g}; it must be above 0 and finite")


def counted(count: float, what: str = "arrivals") -> int:
    """Return a number of arrivals that can be drawn at once.

    Parameters
    ----------
    count : float
        How many; the mean where that is random. [1]
    what : str
        Of what, for the message.

    Raises
    ------
    InputError
        For too many.
    """
    if not 0 <= count <= MOST:
        raise InputError(f"{count:,.0f} {what}; 0 to {MOST:,} can be drawn at once")
    return int(count)


class Process(abc.ABC):
    """A process of arrivals. Times count from 0, are in order, and depend on nothing but the random generator handed in."""

    __slots__ = ()

    @property
    @abc.abstractmethod
    def mean_rate(self) -> float:
        """Arrivals per second in the long run. [1/s]"""

    @abc.abstractmethod
    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Return the times of the first `count` arrivals.

        Parameters
        ----------
        count : int
            How many. [1]
        rng : Generator
        """

    @abc.abstractmethod
    def until(self, seconds: float, rng: np.random.Generator) -> Floats:
        """Return the times of all arrivals before `seconds`.

        Parameters
        ----------
        seconds : float
            End. [s]
        rng : Generator
        """


@dataclass(frozen=True, slots=True)
class Renewal(Process):
    """A process whose gaps are drawn one like the other; the first arrival comes after a gap.

    Attributes
    ----------
    rate : float
        Mean, above 0. [1/s]
    """

    rate: float

    def __post_init__(self) -> None:
        above_zero(type(self).__name__.lower(), rate=self.rate)

    @property
    def mean_rate(self) -> float:
        """Arrivals per second. [1/s]"""
        return self.rate

    @abc.abstractmethod
    def gaps(self, count: int, rng: np.random.Generator) -> Floats:
        """Return gaps between arrivals.

        Parameters
        ----------
        count : int
            How many. [1]
        rng : Generator
        """

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Return the times of the first `count` arrivals.

        Parameters
        ----------
        count : int
            How many. [1]
        rng : Generator
        """
        return np.cumsum(self.gaps(counted(count), rng))

    def until(self, seconds: float, rng: np.random.Generator) -> Floats:
        """Return the times of all arrivals before `seconds`.

        Parameters
        ----------
        seconds : float
            End. [s]
        rng : Generator
        """
        counted(self.mean_rate * seconds)
        parts = [np.zeros(0)]
        reached, number = 0.0, 0
        while reached < seconds:
            size = math.ceil(self.mean_rate * (seconds - reached) * 1.02) + 32
            number = counted(number + size)
            parts.append(reached + np.cumsum(self.gaps(size, rng)))
            reached = float(parts[-1][-1])
        times = np.concatenate(parts)
        return times[: np.searchsorted(times, seconds)]


@dataclass(frozen=True, slots=True)
class Constant(Renewal):
    """One arrival every 1/rate seconds.

    Attributes
    ----------
    rate : float
        Above 0. [1/s]
    """

    def gaps(self, count: int, rng: np.random.Generator) -> Floats:
        """Return gaps, all the same.

        Parameters
        ----------
        count : int
            How many. [1]
        rng : Generator
            Not used.
        """
        del rng
        return np.full(count, 1 / self.rate)


@dataclass(frozen=True, slots=True)
class Poisson(Renewal):
    """Arrivals independent of each other: exponential gaps, their coefficient of variation 1.

    Attributes
    ----------
    rate : float
        Mean, above 0. [1/s]
    """

    def gaps(self, count: int, rng: np.random.Generator) -> Floats:
        """Return exponential gaps.

        Parameters
        ----------
        count : int
            How many. [1]
        rng : Generator
        """
        return rng.exponential(1 / self.rate, count)


@dataclass(frozen=True, slots=True)
class Gamma(Renewal):
    """Gamma gaps: a cv above 1 makes bunches, below 1 an even flow; 1 is Poisson.

    Attributes
    ----------
    rate : float
        Mean, above 0. [1/s]
    cv : float
        Coefficient of variation of the gaps (standard deviation over mean), 0.01 to 50. The "burstiness" of vLLM's load generator
        is the gamma's shape, 1/cv^2. [1]
    """

    cv: float

    def __post_init__(self) -> None:
        Renewal.__post_init__(self)
        _variation("gamma", self.cv)

    def gaps(self, count: int, rng: np.random.Generator) -> Floats:
        """Return gamma gaps.

        Parameters
        ----------
        count : int
            How many. [1]
        rng : Generator
        """
        shape = self.cv**-2
        return rng.gamma(shape, 1 / (shape * self.rate), count)


@dataclass(frozen=True, slots=True)
class Weibull(Renewal):
    """Weibull gaps: with a cv above 1 their tail is heavier than the gamma's; 1 is Poisson.

    Attributes
    ----------
    rate : float
        Mean, above 0. [1/s]
    cv : float
        Coefficient of variation of the gaps, 0.01 to 50; `weibull_cv` gives it for a shape. [1]
    """

    cv: float

    def __post_init__(self) -> None:
        Renewal.__post_init__(self)
        _variation("weibull", self.cv)

    def gaps(self, count: int, rng: np.random.Generator) -> Floats:
        """Return Weibull gaps.

        Parameters
        ----------
        count : int
            How many. [1]
        rng : Generator
        """
        shape = weibull_shape(self.cv)
        return rng.weibull(shape, count) * (math.exp(-math.lgamma(1 + 1 / shape)) / self.rate)


def _variation(what: str, cv: float) -> None:
    if not 0.01 <= cv <= 50:
        raise InputError(
            f"{what}: cv is {cv:g}; the coefficient of variation lies in 0.01 to 50 (1: Poisson, 3: bursty)"
        )


def weibull_cv(shape: float) -> float:
    """Return the coefficient of variation of a Weibull distribution.

    Parameters
    ----------
    shape : float
        0.05 to 500; 1 is the exponential distribution. [1]
    """
    if not 0.05 <= shape <= 500:
        raise InputError(f"weibull: shape is {shape:g}; it lies in 0.05 to 500 (1: Poisson, 0.5: bursty)")
    return math.sqrt(math.expm1(math.lgamma(1 + 2 / shape) - 2 * math.lgamma(1 + 1 / shape)))


def weibull_shape(cv: float) -> float:
    """Return the shape of the Weibull distribution that has this coefficient of variation.

    Parameters
    ----------
    cv : float
        In 0.01 to 50. [1]
    """
    low, high = math.log(0.05), math.log(500)  # weibull_cv falls from 4e5 to 0.0026 between them
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if weibull_cv(math.exp(middle)) > cv else (low, middle)
    return math.exp((low + high) / 2)
