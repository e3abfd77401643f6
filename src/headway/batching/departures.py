"""Trains: a pass departs every T whatever its fill (lecture 1.4, 1.5), in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Real = Any  # a float or a NumPy array; everything broadcasts


def worst_wait(headway: Real) -> Real:
    """Return the worst time to a token: just missed one departure, then the ride: 2T (lecture E8).

    Parameters
    ----------
    headway : float or array
        T. [s]
    """
    return 2 * headway


def mean_wait(headway: Real) -> Real:
    """Return the mean time to a token for arrivals at random moments without overflow: 1.5 T (lecture 1.4 [D]).

    Parameters
    ----------
    headway : float or array
        T. [s]
    """
    return 1.5 * headway


def completion_window(headway: Real, tokens: Real) -> tuple[Real, Real]:
    """Return the shortest and longest time to `tokens` tokens: n T to (n+1) T (lecture 1.4 [D]).

    Parameters
    ----------
    headway : float or array
        T. [s]
    tokens : float or array
        n. [tokens]
    """
    return tokens * headway, (tokens + 1) * headway


def throughput(batch: Real, headway: Real) -> Real:
    """Return tokens per second: B / T (lecture E10, SYS-A8).

    Parameters
    ----------
    batch : float or array
        B. [sequences]
    headway : float or array
        T. [s]
    """
    return batch / headway


def share_of_traffic(tokens_per_second: Real, world: Real) -> Real:
    """Return one system's share of a provider's traffic (lecture 1.5).

    Parameters
    ----------
    tokens_per_second, world : float or array
        Of the system; of the provider. [tokens/s]
    """
    return tokens_per_second / world


def systems_needed(world: Real, tokens_per_second: Real) -> Real:
    """Return how many such systems carry the traffic, rounded up.

    Parameters
    ----------
    world, tokens_per_second : float or array
        Of the provider; of one system. [tokens/s]
    """
    return np.ceil(np.asarray(world) / tokens_per_second)


@dataclass(frozen=True, slots=True)
class Departures:
    """A timetable at one arrival rate.

    Attributes
    ----------
    headway : float
        T. [s]
    mean, worst : float
        Time from arrival to the first token; infinite when more arrive than seats free up. [s]
    fill : float
        Share of the seats taken; 1 when saturated. [share]
    saturated : bool
    """

    headway: float
    mean: float
    worst: float
    fill: float
    saturated: bool


def departures(
    headway: float, seats: float, arrivals: float, tokens_per_request: float = 1.0, stops: float = 1.0
) -> Departures:
    """Return waits and fill when requests arrive at `arrivals` per second and each rides `tokens_per_request` passes.

    Parameters
    ----------
    headway : float
        Time between departures. [s]
    seats : float
        Batch capacity. [sequences]
    arrivals : float
        Rate of new requests. [requests/s]
    tokens_per_request : float
        Passes that each request rides, one per token. [tokens]
    stops : float
        Pipeline stages: a ride lasts so many headways. [stages]

    Notes
    -----
    Fill by Little's law: arrivals x tokens x T / seats. Below saturation there is no overflow on average; queues from
    bursts are the simulator's subject.
    """
    fill = arrivals * tokens_per_request * headway / seats
    if fill >= 1:
        return Departures(headway, np.inf, np.inf, 1.0, True)
    riding = (stops - 1) * headway
    return Departures(headway, float(mean_wait(headway)) + riding, float(worst_wait(headway)) + riding, fill, False)
