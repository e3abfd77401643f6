"""Arrivals at a rate that changes: bursts that come and go, and the hours of a day."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from headway.errors import InputError
from headway.simulation.requests import Floats
from headway.simulation.traffic.arrivals import Poisson, Process, above_zero, counted

_CHUNK = 1_000_000  # candidates drawn at once


@dataclass(frozen=True, slots=True)
class OnOff(Process):
    """Bursts: a Poisson process that switches between two rates after exponential times (Markov-modulated).

    It starts in either state with the share of time that it spends there.

    Attributes
    ----------
    on_rate, off_rate : float
        Rates in a burst (above 0) and between bursts (0 or more). [1/s]
    on, off : float
        Mean durations of a burst and of the time between two, above 0. [s]
    """

    on_rate: float
    on: float
    off: float
    off_rate: float = 0.0

    def __post_init__(self) -> None:
        above_zero("on-off", rate_in_bursts=self.on_rate, on=self.on, off=self.off)
        if not 0 <= self.off_rate < math.inf:
            raise InputError(f"on-off: rate between bursts is {self.off_rate:g}; it must be 0 or more and finite")

    @classmethod
    def of_mean(cls, rate: float, on: float, off: float, off_rate: float = 0.0) -> OnOff:
        """Return bursts with a given mean rate; the rate inside them follows.

        Parameters
        ----------
        rate : float
            Mean over all time, above the share of it that arrives at `off_rate`. [1/s]
        on, off : float
            Mean durations of a burst and of the time between two. [s]
        off_rate : float
            Rate between bursts. [1/s]
        """
        above_zero("on-off", rate=rate, on=on, off=off)
        if not 0 <= off_rate <= rate:
            raise InputError(f"on-off: rate between bursts is {off_rate:g}/s; it lies in 0 to the mean, {rate:g}/s")
        return cls((rate * (on + off) - off_rate * off) / on, on, off, off_rate)

    @property
    def _per_cycle(self) -> float:
        return self.on_rate * self.on + self.off_rate * self.off

    @property
    def mean_rate(self) -> float:
        """Arrivals per second over bursts and pauses. [1/s]"""
        return self._per_cycle / (self.on + self.off)

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Return the times of the first `count` arrivals.

        Parameters
        ----------
        count : int
            How many. [1]
        rng : Generator
        """
        expected = np.cumsum(rng.exponential(1.0, counted(count)))  # arrivals where a mean of 1, 2, 3, ... have come
        ends, means = self._periods(float(expected[-1]) if count else 0.0, math.inf, rng)
        return np.interp(expected, means, ends)

    def until(self, seconds: float, rng: np.random.Generator) -> Floats:
        """Return the times of all arrivals before `seconds`.

        Parameters
        ----------
        seconds : float
            End. [s]
        rng : Generator
        """
        counted(self.mean_rate * seconds)
        ends, means = self._periods(math.inf, seconds, rng)
        return np.interp(Poisson(1.0).until(float(np.interp(seconds, ends, means)), rng), means, ends)

    def _periods(self, most: float, seconds: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """When periods end, and how many arrivals are expected by then, until `most` are or `seconds` have passed."""
        first = int(rng.random() * (self.on + self.off) >= self.on)  # 0: in a burst
        means = np.array([self.on, self.off])[[first, 1 - first]]
        rates = np.array([self.on_rate, self.off_rate])[[first, 1 - first]]
        ends, expected = [np.zeros(1)], [np.zeros(1)]
        cycles = 0
        while expected[-1][-1] < most and ends[-1][-1] < seconds:
            left = min((most - expected[-1][-1]) / self._per_cycle, (seconds - ends[-1][-1]) / (self.on + self.off))
            more = math.ceil(left * 1.02) + 16
            cycles = counted(cycles + more, "bursts")
            lasting = rng.exponential(np.tile(means, more))
            ends.append(ends[-1][-1] + np.cumsum(lasting))
            expected.append(expected[-1][-1] + np.cumsum(lasting * np.tile(rates, more)))
        return np.concatenate(ends), np.concatenate(expected)


@dataclass(frozen=True, slots=True)
class Diurnal(Process):
    """A Poisson process whose rate follows the hours of a day: a cosine, or weights of equal parts of the day (24: hourly).

    Attributes
    ----------
    rate : float
        Mean over a day, above 0. [1/s]
    swing : float
        Of the cosine: (highest - lowest) / (highest + lowest), 0 to 1; without a meaning where there are weights. [1]
    weights : tuple of float
        Relative rates in equal parts of the day, 0 or more, one of them above 0; empty: the cosine. [1]
    day : float
        Length of the day. [s]
    peak : float
        When the cosine is highest, from the day's begin. [s]
    start : float
        Time of day at which arrivals begin to count. [s]
    """

    rate: float
    swing: float = 0.5
    weights: tuple[float, ...] = ()
    day: float = 86_400.0
    peak: float = 50_400.0
    start: float = 0.0

    def __post_init__(self) -> None:
        above_zero("diurnal", rate=self.rate, day=self.day)
        if not 0 <= self.swing <= 1:
            raise InputError(
                f"diurnal: swing is {self.swing:g}; it lies in 0 to 1 (0.5: the peak is 3 times the lowest rate)"
            )
        if not (math.isfinite(self.peak) and math.isfinite(self.start)):
            raise InputError("diurnal: peak and start must be finite times of the day")
        if self.weights and not (0 < sum(self.weights) < math.inf and min(self.weights) >= 0):
            raise InputError("diurnal: weights must be 0 or more and finite, one of them above 0")

    @property
    def mean_rate(self) -> float:
        """Arrivals per second over a day. [1/s]"""
        return self.rate

    def rate_at(self, seconds: Floats) -> Floats:
        """Return the rate at given times.

        Parameters
        ----------
        seconds : array
            Since the start. [s]
        """
        time = (np.asarray(seconds) + self.start) / self.day
        if not self.weights:
            return self.rate * (1 + self.swing * np.cos(2 * np.pi * (time - self.peak / self.day)))
        parts = np.array(self.weights)
        part = np.minimum((time % 1 * len(parts)).astype(np.int64), len(parts) - 1)
        return self.rate * (parts / parts.mean())[part]

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Return the times of the first `count` arrivals.

        Parameters
        ----------
        count : int
            How many. [1]
        rng : Generator
        """
        return self._thinned(counted(count), math.inf, rng)[:count]

    def until(self, seconds: float, rng: np.random.Generator) -> Floats:
        """Return the times of all arrivals before `seconds`.

        Parameters
        ----------
        seconds : float
            End. [s]
        rng : Generator
        """
        counted(self.rate * seconds)
        times = self._thinned(math.inf, seconds, rng)
        return times[: np.searchsorted(times, seconds)]

    def _thinned(self, count: float, seconds: float, rng: np.random.Generator) -> Floats:
        """Candidates at the highest rate, each kept with the rate's share of it (Lewis and Shedler 1979)."""
        highest = self.rate * (
            max(self.weights) * len(self.weights) / sum(self.weights) if self.weights else 1 + self.swing
        )
        parts = [np.zeros(0)]
        start, number = 0.0, 0
        while number < count and start < seconds:
            left = min((count - number) * highest / self.rate, (seconds - start) * highest)
            size = min(math.ceil(left * 1.02) + 32, _CHUNK)
            candidates = start + np.cumsum(rng.exponential(1 / highest, size))
            kept = candidates[rng.random(size) * highest < self.rate_at(candidates)]
            parts.append(kept)
            number = counted(number + len(kept))
            start = float(candidates[-1])
        return np.concatenate(parts)
