"""What a fleet costs for some demand, what a token of it costs and why, and how that falls with scale."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

from headway.economics.demand import DAY, MONTH, Demand
from headway.economics.staffing import Staffing
from headway.hardware import System

_POINTS = 40  # of a decade of scales, looked at for where a cost stays below a limit
_FINE = 1e-6


@dataclass(frozen=True, slots=True)
class Site:
    """A kind of system, filled with replicas of one layout.

    Attributes
    ----------
    system : System
    replica : int
        Chips of a replica. [chips]
    per_system : int
        Replicas that a system holds. [replicas]
    staffing : Staffing
    spare : int
        Systems beyond those that carry the load, for when one fails. [systems]
    """

    system: System
    replica: int
    per_system: int
    staffing: Staffing
    spare: int = 0

    @property
    def dollars(self) -> float:
        """Of a system. [$/s]"""
        return self.system.chips * (self.system.price or math.nan)

    def systems(self, replicas: int) -> int:
        """Return the whole systems that hold so many replicas, spare ones among them. [systems]

        Parameters
        ----------
        replicas : int
            [replicas]
        """
        return -(-replicas // self.per_system) + self.spare


@dataclass(frozen=True, slots=True)
class Factor:
    """One reason why a token costs more than at full load.

    Attributes
    ----------
    name : str
    times : float
        [times]
    """

    name: str
    times: float


@dataclass(frozen=True)
class Sized:
    """The fleet of some demand.

    Attributes
    ----------
    demand : Demand
    site : Site
    replicas, systems : tuple of int
        In each slot of the load curve; all alike where the fleet of the busiest is kept. [replicas], [systems]
    factors : tuple of Factor
        Their product with the price at full load is the cost.
    """

    demand: Demand
    site: Site
    replicas: tuple[int, ...]
    systems: tuple[int, ...]
    factors: tuple[Factor, ...]

    @property
    def most(self) -> int:
        """Systems in the busiest slot. [systems]"""
        return max(self.systems)

    @property
    def chips(self) -> int:
        """Paid in the busiest slot. [chips]"""
        return self.most * self.site.system.chips

    @property
    def mean_systems(self) -> float:
        """Paid over all hours. [systems]"""
        return math.fsum(self.systems) / len(self.systems)

    @property
    def dollars(self) -> float:
        """Rent. [$/s]"""
        return self.mean_systems * self.site.dollars

    @property
    def month(self) -> float:
        """Rent. [$/month]"""
        return self.dollars * DAY * MONTH

    @property
    def full(self) -> float:
        """What output costs where every chip of a replica among very many is busy at the limits. [$/Mtok]"""
        s = self.site
        return s.replica * (s.system.price or math.nan) / (s.staffing.limit * self.demand.output) * 1e6

    @property
    def cost(self) -> float:
        """The whole rent over the output tokens that flow. [$/Mtok]"""
        return self.dollars / self.demand.output_rate * 1e6

    @property
    def per_request(self) -> float:
        """[$ per request]"""
        return self.dollars / self.demand.rate

    @property
    def headroom(self) -> float:
        """Share of the replicas that is left to the queue in the busiest slot. [share]"""
        return self.site.staffing.headroom(max(self.replicas))

    @property
    def used(self) -> float:
        """Requests that come over those that the paid chips carry at full load. [share]"""
        carried = self.mean_systems * self.site.system.chips / self.site.replica * self.site.staffing.limit
        return self.demand.rate / carried

    def margin(self, revenue: float) -> float:
        """Return the share of the revenue that remains. [share]

        Parameters
        ----------
        revenue : float
            [$ per request]
        """
        return 1 - self.per_request / revenue


def sized(demand: Demand, site: Site, elastic: bool = False) -> Sized:
    """Return the fleet that carries a demand within the limits at every hour.

    Parameters
    ----------
    demand : Demand
    site : Site
    elastic : bool
        Pay for each slot's own fleet; else the busiest slot's is kept all the time.

    Notes
    -----
    Replicas of each slot by `Staffing.needed`, in whole systems. The cost is the price at full load times: idle chips of a system x
    hours that are not the busiest x room for the queue x whole replicas x whole systems x spare ones.
    """
    rates = demand.rates if elastic else (demand.peak_rate,) * len(demand.rates)
    law = site.staffing
    replicas = tuple(law.needed(r) for r in rates)
    systems = tuple(site.systems(n) for n in replicas)
    slots = len(rates)
    ideal = demand.rate / law.limit  # replicas, busy all the time
    busy = math.fsum(r / law.limit for r in rates) / slots
    queued = math.fsum(_exact(law, r) for r in rates) / slots
    whole = math.fsum(replicas) / slots
    held = math.fsum((x - site.spare) * site.per_system for x in systems) / slots
    paid = math.fsum(x * site.per_system for x in systems) / slots
    factors = (
        Factor("idle chips", site.system.chips / (site.per_system * site.replica)), Factor("load curve", busy / ideal),
        Factor("queue", queued / busy), Factor("whole replicas", whole / queued), Factor("whole systems", held / whole),
        Factor("spare", paid / held),
    )  # fmt: skip
    return Sized(demand, site, replicas, systems, factors)


def _exact(law: Staffing, rate: float) -> float:
    """Replicas before they are whole."""
    root = (law.room + math.sqrt(law.room**2 + 4 * rate / law.limit)) / 2
    return root * root


def over_scales(demand: Demand, site: Site, scales: tuple[float, ...], elastic: bool = False) -> list[Sized]:
    """Return the fleets of the same demand with more or fewer users.

    Parameters
    ----------
    demand : Demand
    site : Site
    scales : tuple of float
        Users over the demand's. [times]
    elastic : bool
        As of `sized`.
    """
    return [sized(demand.scaled(x), site, elastic) for x in scales]


def settles(demand: Demand, site: Site, limit: float, elastic: bool = False) -> float:
    """Return the number of users from which on output costs no more than a limit; infinite where it always costs more.

    Parameters
    ----------
    demand : Demand
        Its users say nothing.
    site : Site
    limit : float
        [$/Mtok]
    elastic : bool
        As of `sized`.

    Notes
    -----
    The cost is a saw: each further system lifts it. The last tooth that reaches over the limit counts.
    """
    one = dataclasses.replace(demand, users=1.0)
    unit = site.per_system * site.staffing.limit / one.peak_rate  # users that fill a system
    begin, end = unit * 1e-4, unit * 1e6
    steps = round(_POINTS * math.log10(end / begin))
    grid = [begin * (end / begin) ** (i / steps) for i in range(steps + 1)]

    def dear(users: float) -> bool:
        return sized(dataclasses.replace(one, users=users), site, elastic).cost > limit

    if dear(grid[-1]):
        return math.inf
    last = next((i for i in range(steps, -1, -1) if dear(grid[i])), -1)
    if last < 0:
        return grid[0]
    return _boundary(dear, grid[last], grid[last + 1])


def _boundary(dear: Callable[[float], bool], low: float, high: float) -> float:
    while high / low > 1 + _FINE:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if dear(middle) else (low, middle)
    return high
