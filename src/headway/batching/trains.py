"""Trains with riders who come at random (lecture 1.4, SYS-A7, SYS-I2): a timetable, hold until full, continuous batching."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Real = Any  # a float or a NumPy array; everything broadcasts
Array = NDArray[np.float64]
_LONGEST = 2**22  # entries of a distribution: enough for loads up to 0.99999 of what the seats carry
_TAIL = 40.0  # of a distribution that falls by e, so many times, is kept
_LIGHT = 0.5  # exponent of a load's decline from step to step beyond which a sum over steps is short


def left_behind(arrivals: float, seats: int) -> Array:
    """Return the distribution of how many a departure leaves behind: Poisson arrivals, so many seats (Bailey 1954).

    Parameters
    ----------
    arrivals : float
        Mean arrivals between two departures. [requests]
    seats : int
        c. [requests]

    Returns
    -------
    array
        P(0 left), P(1 left), ...; empty where the queue grows.

    Notes
    -----
    L = max(L + A - c, 0) is the maximum of a random walk S with steps A - c. Spitzer (1956): log E z^L is the sum over m > 0 of
    l(m) (z^m - 1), with l(m) the sum over j of P(S_j = m) / j. Light loads sum that. Heavy ones, where it takes many j,
    read the same l(m) off the unit circle: Fourier coefficients of -log[(1 - E z^(A-c)) / (1 - 1/z)], the Wiener-Hopf
    factor. Neither takes differences of large numbers, and one seat costs what thousands do.
    """
    if arrivals <= 0:
        return np.ones(1)
    if arrivals >= seats:
        return np.zeros(0)
    free = seats - arrivals
    tail = _TAIL * max(1.0, arrivals / (2 * free))  # of the distribution: it falls by e at least each a / 2(c - a)
    falls = seats * math.log(seats / arrivals) - free  # P(S_j > 0) < exp(-j falls), Chernoff
    light = falls > _LIGHT
    size = 2 ** math.ceil(math.log2(2 * (tail + (0.0 if light else seats + _TAIL * math.sqrt(arrivals)))))
    if size > _LONGEST:
        return np.zeros(0)
    logs = _spitzer(arrivals, seats, size, math.ceil(_TAIL / falls)) if light else _circle(arrivals, seats, size)
    found = np.fft.fft(np.exp(np.fft.ifft(logs) * size - logs.sum())).real / size
    return np.maximum(found, 0.0) / np.maximum(found, 0.0).sum()


def _spitzer(arrivals: float, seats: int, size: int, steps: int) -> Array:
    """l(m) by its sum over steps."""
    logs = np.zeros(size)
    m = np.arange(1, size // 2)
    for j in range(1, steps + 1):
        n = j * seats + m
        factorial = math.lgamma(n[0]) + np.cumsum(np.log(n))
        logs[1 : size // 2] += np.exp(n * math.log(j * arrivals) - j * arrivals - factorial) / j
    return logs


def _circle(arrivals: float, seats: int, size: int) -> Array:
    """l(m) as Fourier coefficients; at z = 1 the quotient is c - a."""
    angle = 2j * np.pi * np.arange(size) / size
    angle[size // 2 :] -= 2j * np.pi
    up, down = -np.expm1(arrivals * np.expm1(angle) - seats * angle), -np.expm1(-angle)
    up[0], down[0] = seats - arrivals, 1.0
    logs = -np.fft.fft(np.log(up) - np.log(down)).real / size
    logs[0] = logs[size // 2 :] = 0.0
    return logs


def mean_left_behind(arrivals: float, seats: int) -> float:
    """Return the mean of `left_behind`; infinite where the queue grows. [requests]

    Parameters
    ----------
    arrivals : float
        Mean arrivals between two departures. [requests]
    seats : int
        c. [requests]
    """
    chances = left_behind(arrivals, seats)
    return float(chances @ np.arange(len(chances))) if len(chances) else math.inf


@dataclass(frozen=True, slots=True)
class Timetable:
    """Departures every T with so many seats, under Poisson arrivals.

    Attributes
    ----------
    wait, token : float
        From arrival until a request boards, and until its first pass has arrived; infinite when saturated. [s]
    request : float
        Until its last pass has arrived. [s]
    left : float
        Requests that a departure leaves behind, on average. [requests]
    riders : float
        On a train, on average. [requests]
    saturated : bool
    """

    wait: float
    token: float
    request: float
    left: float
    riders: float
    saturated: bool


def timetable(headway: float, seats: int, rate: float, passes: int = 1) -> Timetable:
    """Return what riders of a timetable see: the bulk-service queue (Bailey 1954; Crommelin 1932 for several passes).

    Parameters
    ----------
    headway : float
        T. [s]
    seats : int
        c. [requests]
    rate : float
        Poisson arrivals. [requests/s]
    passes : int
        n, departures in a row that each request rides. [passes]

    Notes
    -----
    Who is present at a departure, N, has n departures later become N' = max(N - c, 0) + arrivals in nT: those aboard have
    left by then, those left behind have not. That is Bailey's chain with nT for T. By Little's law the wait is T/2 until
    the next departure and E[left]/rate. Light load: 1.5 T to a token (lecture 1.4 [D]); at rate nT = c: infinite.
    """
    left = mean_left_behind(rate * headway * passes, seats)
    wait = headway / 2 + (left / rate if rate > 0 else 0.0)
    full = math.isinf(left)
    riders = float(seats) if full else rate * headway * passes
    return Timetable(wait, wait + headway, wait + headway * passes, left, riders, full)


def _at_least(mean: Real, most: int) -> Array:
    """P(X >= i) of a Poisson number for i = 1..most, along a last axis."""
    mean = np.asarray(mean, dtype=float)[..., None]
    i = np.arange(most)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1.0, max(most, 1))))])[:most]
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.where(i == 0, 0.0, i * np.log(mean))
    return np.clip(1 - np.cumsum(np.exp(powers - logs - mean), axis=-1), 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Held:
    """Trains that wait until they are full, or until their first rider has waited so long.

    Attributes
    ----------
    fill : float or array
        Riders of a train, on average. [requests]
    wait : float or array
        From arrival until departure, on average; the longest is the timeout. [s]
    departures : float or array
        Trains per second. [1/s]
    """

    fill: Real
    wait: Real
    departures: Real


def held(rate: Real, timeout: Real, seats: int) -> Held:
    """Return fill and wait of trains held until full or timed out, a train always being there (SYS-I2).

    Parameters
    ----------
    rate : float or array
        Poisson arrivals. [requests/s]
    timeout : float or array
        tau, from the arrival of the first who waits. [s]
    seats : int
        c. [requests]

    Notes
    -----
    The first rider starts the clock; M = min(Poisson(rate tau), c - 1) join. Fill 1 + E M; wait E[M(M+1)] / (2 rate
    (1 + E M)), the integral of who waits over the cycle. Limits: rate -> 0: alone, the wait is the timeout; rate ->
    infinity: full, no wait. P(Poisson >= i) is the incomplete gamma function of i.
    """
    rate, timeout = np.broadcast_arrays(np.asarray(rate, dtype=float), np.asarray(timeout, dtype=float))
    more = _at_least(rate * timeout, seats - 1)
    joined, waits = more.sum(axis=-1), (more * np.arange(1, seats)).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        slow = rate * timeout < 1e-9  # nobody else comes: what the formula says without its 0/0
        wait = np.where(slow, timeout if seats > 1 else 0.0, waits / rate / (1 + joined))
    fill = 1 + joined
    return Held(fill[()], wait[()], (rate / fill)[()])


def fills(rate: float, timeout: float, seats: int) -> Array:
    """Return the chances that a held train carries 1, 2, .. c riders.

    Parameters
    ----------
    rate : float
        Poisson arrivals. [requests/s]
    timeout : float
        From the arrival of the first who waits. [s]
    seats : int
        c. [requests]
    """
    reached = np.concatenate([[1.0], _at_least(rate * timeout, seats - 1), [0.0]])
    return -np.diff(reached)


def held_share(seconds: Array, chances: Array) -> float:
    """Return the machine time of a pass per rider: E[t(K)] / E[K], a pass spread over those who ride it. [s]

    Parameters
    ----------
    seconds : array
        Of a pass with 1, 2, .. riders. [s]
    chances : array
        That a train carries 1, 2, .. riders, as of `fills`. [1]
    """
    k = np.arange(1, len(chances) + 1)
    return float(chances @ seconds[: len(chances)]) / float(chances @ k)


@dataclass(frozen=True, slots=True)
class Continuous:
    """Passes back to back, boarded by whoever is there: continuous batching.

    Attributes
    ----------
    wait, token, request : float
        From arrival until a request boards, its first pass has arrived, its last one has. [s]
    riders : float
        Aboard while passes run, on average. [requests]
    busy : float
        Share of the time in which passes run. [share]
    saturated : bool
    """

    wait: float
    token: float
    request: float
    riders: float
    busy: float
    saturated: bool


def continuous(seconds: Array, rate: float, passes: int) -> Continuous:
    """Return what riders of continuous batching see, for requests of many passes.

    Parameters
    ----------
    seconds : array
        Of a pass with 1, 2, .. c riders. [s]
    rate : float
        Poisson arrivals. [requests/s]
    passes : int
        n, of each request. [passes]

    Notes
    -----
    k riders advance together at 1/t(k) passes per second: generalised processor sharing, whose law depends on the length
    of a request by its mean only, P(k) ~ product over j <= k of rate n t(j)/j (Cohen 1979). A boarding waits for the pass
    under way, half of it on average. Who finds the seats taken waits half as long as if lengths were exponential (Allen and
    Cunneen's factor): an estimate that matters near saturation only. The rest is exact as n grows.
    """
    c = len(seconds)
    k = np.arange(1, c + 1)
    ratio = rate * passes * float(seconds[-1]) / c
    if ratio >= 1:
        return Continuous(math.inf, math.inf, math.inf, float(c), 1.0, True)
    logs = np.concatenate([[0.0], np.cumsum(np.log(rate * passes * seconds / k))])
    weights = np.exp(logs - logs.max())
    beyond = weights[-1] * ratio / (1 - ratio)
    total = weights.sum() + beyond
    chances = weights / total
    chances[-1] += beyond / total
    busy = float(chances[1:].sum())
    aboard = float(chances[1:] @ k)
    queue = float(beyond / total) / (1 - ratio) / 2
    wait = float(chances[1:] @ seconds) / 2 + queue / rate
    first = float(chances @ np.append(seconds, seconds[-1]))
    return Continuous(wait, wait + first, wait + aboard / rate, aboard / busy, busy, False)
