"""Lengths of prompts and answers (and numbers of turns): fixed, spread, log-normal, or as something had them."""

from __future__ import annotations

import abc
import math
import re
from dataclasses import dataclass

import numpy as np

from headway import units
from headway.errors import InputError, quoted
from headway.simulation.requests import Ints

LONGEST = 1_000_000_000  # tokens of a prompt or answer: far above any, and products stay whole numbers
_P95 = 1.6448536269514722  # standard deviations of a normal distribution up to its 95th percentile
ACCEPTED = "1024, 800-1024, spread:1024 (0.8 to 1.0 of it), 1k~0.8 (log-normal: mean~cv), lognormal:median=500/p95=4k"


class Lengths(abc.ABC):
    """A distribution of whole numbers of at least 1."""

    __slots__ = ()

    @property
    @abc.abstractmethod
    def mean(self) -> float:
        """Mean, before rounding. [tokens]"""

    @abc.abstractmethod
    def draw(self, count: int, rng: np.random.Generator) -> Ints:
        """Return lengths, independent of each other.

        Parameters
        ----------
        count : int
            How many. [1]
        rng : Generator
        """


def _valid(what: str, *values: float) -> None:
    for value in values:
        if not 1 <= value <= LONGEST:
            raise InputError(f"{what}: {value:g} tokens; a length lies in 1 to {LONGEST:,}")


@dataclass(frozen=True, slots=True)
class Fixed(Lengths):
    """All the same.

    Attributes
    ----------
    tokens : int
        At least 1. [tokens]
    """

    tokens: int

    def __post_init__(self) -> None:
        _valid("fixed length", self.tokens)

    @property
    def mean(self) -> float:
        """Mean. [tokens]"""
        return float(self.tokens)

    def draw(self, count: int, rng: np.random.Generator) -> Ints:
        """Return lengths, all the same.

        Parameters
        ----------
        count : int
            How many. [1]
        rng : Generator
            Not used.
        """
        del rng
        return np.full(count, self.tokens, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Uniform(Lengths):
    """Each whole number from `low` to `high` as often as another.

    Attributes
    ----------
    low, high : int
        Both inclusive. [tokens]
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        _valid("uniform length", self.low, self.high)
        if self.low > self.high:
            raise InputError(f"uniform length: {self.low} to {self.high}; the lower end comes first")

    @property
    def mean(self) -> float:
        """Mean. [tokens]"""
        return (self.low + self.high) / 2

    def draw(self, count: int, rng: np.random.Generator) -> Ints:
        """Return lengths, independent of each other.

        Parameters
        ----------
        count : int
            How many. [1]
        rng : Generator
        """
        return rng.integers(self.low, self.high, count, endpoint=True)


def spread(nominal: int, share: float = 0.8) -> Uniform:
    """Return lengths as benchmarks draw them: uniform from a share of the nominal length to that.

    Parameters
    ----------
    nominal : int
        The longest. [tokens]
    share : float
        Shortest over longest, above 0 and at most 1; 0.8 is InferenceX's. [1]
    """
    if not 0 < share <= 1:
        raise InputError(f"spread lengths: the share is {share:g}; it lies above 0 and at most at 1")
    return Uniform(max(round(nominal * share), 1), nominal)


def around(length: int, share: float) -> Lengths:
    """Return lengths spread evenly around a mean, at least 1.

    Parameters
    ----------
    length : int
        The mean. [tokens]
    share : float
        Half-width over the mean; 0: all of one length. [share]
    """
    wide = int(length * share)
    return Uniform(max(length - wide, 1), length + wide) if wide else Fixed(length)


@dataclass(frozen=True, slots=True)
class LogNormal(Lengths):
    """Lengths whose logarithm is normal, rounded, at least 1 and at most `most`: a cut lowers the mean.

    Attributes
    ----------
    average : float
        Mean before rounding and cut. [tokens]
    cv : float
        Coefficient of variation (standard deviation over mean), above 0 and at most 20. [1]
    most : int
        Longer ones are cut to it. [tokens]
    """

    average: float
    cv: float
    most: int = LONGEST

    def __post_init__(self) -> None:
        _valid("log-normal length", self.average, self.most)
        if not 0 < self.cv <= 20:
            raise InputError(f"log-normal length: cv is {self.cv:g}; it lies above 0 and at most at 20")

    @classmethod
    def of_quantiles(cls, median: float, p95: float, most: int = LONGEST) -> LogNormal:
        """Return the log-normal distribution with this median and 95th percentile.

        Parameters
        ----------
        median, p95 : float
            Before the cut; the median is the smaller one. [tokens]
        most : int
            Longer ones are cut to it. [tokens]
        """
        _valid("log-normal length", median, p95)
        if p95 <= median:
            raise InputError(f"log-normal length: a 95th percentile of {p95:g} is not above the median, {median:g}")
        sigma = math.log(p95 / median) / _P95
        return cls(median * math.exp(sigma**2 / 2), math.sqrt(math.expm1(sigma**2)), most)

    @property
    def mean(self) -> float:
        """Mean before rounding and cut. [tokens]"""
        return self.average

    def draw(self, count: int, rng: np.random.Generator) -> Ints:
        """Return lengths, independent of each other.

        Parameters
        ----------
        count : int
            How many. [1]
        rng : Generator
        """
        variance = math.log1p(self.cv**2)
        drawn = rng.lognormal(math.log(self.average) - variance / 2, math.sqrt(variance), count)
        return np.clip(np.rint(drawn), 1, self.most).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Empirical(Lengths):
    """Lengths that were observed, each drawn as often as another.

    Attributes
    ----------
    values : array of int
        At least one, each at least 1. [tokens]
    """

    values: Ints

    def __post_init__(self) -> None:
        if not len(self.values):
            raise InputError("empirical lengths: none was observed; at least 1 is needed")
        _valid("empirical lengths", float(np.min(self.values)), float(np.max(self.values)))

    @property
    def mean(self) -> float:
        """Mean. [tokens]"""
        return float(np.mean(self.values))

    def draw(self, count: int, rng: np.random.Generator) -> Ints:
        """Return lengths, independent of each other.

        Parameters
        ----------
        count : int
            How many. [1]
        rng : Generator
        """
        return np.asarray(self.values, dtype=np.int64)[rng.integers(0, len(self.values), count)]


_RANGE = re.compile(r"([\d.,_]+\s*[A-Za-z]{0,2})\s*-\s*([\d.,_]+\s*[A-Za-z]{0,2})")


def lengths(text: str | float | Lengths, where: str = "length") -> Lengths:
    """Read a distribution of lengths as people write it: ``"1k"``, ``"800-1024"``, ``"spread:1k"``, ``"1k~0.8"``, ...

    Parameters
    ----------
    text : str, int or Lengths
        A number is a fixed length [tokens]; `ACCEPTED` lists what else is read.
    where : str
        Name of the option, for the message.

    Raises
    ------
    InputError
        When it reads like none.
    """
    if isinstance(text, Lengths):
        return text
    if not isinstance(text, str):
        return Fixed(_tokens(text, where))
    kind, colon, rest = text.strip().partition(":")
    if colon and kind.strip().lower() == "spread":
        return spread(_tokens(rest, where))
    if colon and kind.strip().lower() in ("lognormal", "log-normal"):
        return _log_normal(rest, where)
    mean, tilde, cv = text.partition("~")
    if tilde:
        return LogNormal(_tokens(mean, where), units.parse(cv, units.COUNT, f"{where}: cv"))
    if match := _RANGE.fullmatch(text.strip()):
        return Uniform(_tokens(match[1], where), _tokens(match[2], where))
    return Fixed(_tokens(text, where))


def _tokens(text: str | float, where: str) -> int:
    try:
        value = units.parse(text, units.TOKENS, where)
    except InputError:
        raise InputError(f"{where}: {quoted(text)} is no length; it reads like {ACCEPTED}") from None
    if value != int(value) or not 1 <= value <= LONGEST:
        raise InputError(f"{where}: {quoted(text)}: a length is a whole number of 1 to {LONGEST:,} tokens")
    return int(value)


def _log_normal(text: str, where: str) -> LogNormal:
    """Of ``1k/cv=0.8`` or ``median=500/p95=4k``, with ``most=32k`` after either; between commas, too, where no traffic is around it."""
    given: dict[str, str] = {}
    for part in text.replace("/", ",").split(","):
        name, sign, value = part.partition("=")
        given[name.strip().lower() if sign else "mean"] = value if sign else name
    most = _tokens(given.pop("most", LONGEST), where)
    if set(given) == {"mean", "cv"}:
        return LogNormal(_tokens(given["mean"], where), units.parse(given["cv"], units.COUNT, f"{where}: cv"), most)
    if set(given) == {"median", "p95"}:
        return LogNormal.of_quantiles(_tokens(given["median"], where), _tokens(given["p95"], where), most)
    raise InputError(
        f"{where}: lognormal:{quoted(text)} needs a mean and cv=, or median= and p95=, like lognormal:1k/cv=0.8"
    )
