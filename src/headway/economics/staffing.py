"""How many replicas a rate needs: what one carries within limits, and how much room the queue takes of many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from headway.errors import InputError

_MOST = 1e10  # replicas; beyond it the demand is a slip of the keyboard


@dataclass(frozen=True, slots=True)
class Staffing:
    """The square-root law of a fleet: n replicas carry n x limit x (1 - room / sqrt n) within the limits.

    Attributes
    ----------
    limit : float
        Of a replica among very many: the luck of arrivals has evened out. [requests/s]
    room : float
        Share of it that one replica alone leaves to the queue. [share]
    measured : tuple of (int, float)
        Numbers of replicas, and what each of them carried in simulations. [requests/s]
    """

    limit: float
    room: float
    measured: tuple[tuple[int, float], ...] = ()

    def carries(self, replicas: float) -> float:
        """Return what so many replicas carry together within the limits. [requests/s]

        Parameters
        ----------
        replicas : float
            [replicas]
        """
        return self.limit * max(replicas - self.room * math.sqrt(replicas), 0.0)

    def headroom(self, replicas: float) -> float:
        """Return the share of many replicas' capacity that so many leave to the queue. [share]

        Parameters
        ----------
        replicas : float
            [replicas]
        """
        return min(self.room / math.sqrt(replicas), 1.0)

    def needed(self, rate: float) -> int:
        """Return the fewest replicas that carry a rate within the limits. [replicas]

        Parameters
        ----------
        rate : float
            Requests that come. [requests/s]

        Raises
        ------
        InputError
            When it takes more replicas than anybody has.

        Notes
        -----
        n - room sqrt(n) = rate / limit is a quadratic in sqrt(n): R + room sqrt(R) and a little, the square-root staffing of
        Halfin and Whitt (1981).
        """
        servers = rate / self.limit
        if servers > _MOST:
            raise InputError(
                f"{rate:,.3g} requests/s take {servers:,.3g} replicas; fewer users or requests per day are meant"
            )
        root = (self.room + math.sqrt(self.room**2 + 4 * servers)) / 2
        exact = root * root
        return max(math.ceil(exact * (1 - 1e-12)), 1)


def staffing(measured: Sequence[tuple[int, float]]) -> Staffing:
    """Fit the square-root law to what replicas carried in simulations.

    Parameters
    ----------
    measured : sequence of (int, float)
        Numbers of replicas, and what each of them carried. [replicas, requests/s]

    Notes
    -----
    Least squares of the rate per replica on 1/sqrt(n). Where the luck of runs makes many look worse than one, nothing is
    left to the queue: the mean.
    """
    xs = [1 / math.sqrt(n) for n, _ in measured]
    ys = [y for _, y in measured]
    x, y = math.fsum(xs) / len(xs), math.fsum(ys) / len(ys)
    spread = math.fsum((a - x) ** 2 for a in xs)
    slope = math.fsum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / spread if spread > 0 else 0.0
    if slope >= 0:
        return Staffing(y, 0.0, tuple(measured))
    limit = y - slope * x
    return Staffing(limit, -slope / limit, tuple(measured))


def alone(rate: float, room: float) -> Staffing:
    """Return the law of a fleet of which only one replica was simulated, the queue's room taken from elsewhere.

    Parameters
    ----------
    rate : float
        Of one replica alone. [requests/s]
    room : float
        Share of a replica among very many that one alone leaves to the queue. [share]
    """
    return Staffing(rate / (1 - room), room, ((1, rate),))
