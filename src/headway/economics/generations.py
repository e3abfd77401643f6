"""A fleet over years and generations of chips: which to add when, bought or rented, for a demand that grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from headway.errors import PhysicsError


@dataclass(frozen=True, slots=True)
class Generation:
    """A kind of system that may be added.

    Attributes
    ----------
    name : str
    since : int
        Year from which it can be had. [year]
    chips : int
        Of a system. [chips]
    carries : float
        A system within the limits, the queue's room taken off. [requests/s]
    rent : float
        Of a system in the first year; infinite where it has no rental price. [$/year]
    capital, running : float
        Of an owned system: what pays off its purchase, and power and repairs; infinite where no purchase price is known. [$/year]
    capex : float
        Of a system when it is bought in the first year. [$]
    """

    name: str
    since: int
    chips: int
    carries: float
    rent: float
    capital: float = math.inf
    running: float = math.inf
    capex: float = math.inf


@dataclass(frozen=True, slots=True)
class Contract:
    """Systems of one generation, rented for a year or bought for their life.

    Attributes
    ----------
    generation : Generation
    year, years : int
        First year, and how many of the horizon they are paid in, counted from the horizon's first, 0. [year], [years]
    bought : bool
    runs : tuple of bool
        Whether they serve in each of those years: what is bought stands still where renting costs less than running it.
    """

    generation: Generation
    year: int
    years: int
    bought: bool
    runs: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Cohort:
    """So many systems under one contract.

    Attributes
    ----------
    contract : Contract
    rate : float
        That they carry. [requests/s]
    systems : int
        [systems]
    """

    contract: Contract
    rate: float
    systems: int


@dataclass(frozen=True)
class Horizon:
    """The years of a fleet.

    Attributes
    ----------
    start : int
        First year. [year]
    rates : tuple of float
        Requests per second to carry in each year: the busiest hour's. [requests/s]
    cohorts : tuple of Cohort
    costs : tuple of float
        Of each year. [$/year]
    """

    start: int
    rates: tuple[float, ...]
    cohorts: tuple[Cohort, ...]
    costs: tuple[float, ...]

    @property
    def total(self) -> float:
        """Of all years. [$]"""
        return math.fsum(self.costs)

    def serving(self, year: int) -> list[Cohort]:
        """Return what serves in a year.

        Parameters
        ----------
        year : int
            From the first, 0. [year]
        """
        return [c for c in self.cohorts if 0 <= (k := year - c.contract.year) < c.contract.years and c.contract.runs[k]]


@dataclass(frozen=True)
class Market:
    """What can be had, and for how long it lasts.

    Attributes
    ----------
    generations : tuple of Generation
    start : int
        First year. [year]
    life : int
        Years over which what is bought is paid off. [years]
    fall : float
        Share by which the rent and the price of a given system fall per year. [share]
    """

    generations: tuple[Generation, ...]
    start: int
    life: int
    fall: float = 0.0

    def rent(self, g: Generation, year: int) -> float:
        """Return the rent of a unit of load; infinite before it can be had. [$/year per request/s]

        Parameters
        ----------
        g : Generation
        year : int
            From the first, 0. [year]
        """
        return g.rent * (1 - self.fall) ** year / g.carries if g.since <= self.start + year else math.inf

    def cheapest_rent(self, year: int) -> float:
        """Return the lowest rent of a unit of load. [$/year per request/s]

        Parameters
        ----------
        year : int
            From the first, 0. [year]
        """
        return min((self.rent(g, year) for g in self.generations), default=math.inf)

    def bought(self, g: Generation, year: int, end: int) -> tuple[float, tuple[bool, ...]]:
        """Return what a unit of load on a system bought in a year costs until `end`, and in which years it serves. [$ per request/s]

        Parameters
        ----------
        g : Generation
        year, end : int
            From the first, 0. [year]

        Notes
        -----
        Its capital is paid in every year of its life; in each it runs, or stands still while the cheapest is rented. What the
        horizon cuts off is worth what is still to be paid: its book value.
        """
        years = range(year, min(year + self.life, end))
        if g.since > self.start + year:
            return math.inf, ()
        capital, running = g.capital * (1 - self.fall) ** year / g.carries, g.running / g.carries
        runs = tuple(running <= self.cheapest_rent(u) for u in years)
        paid = math.fsum(capital + min(running, self.cheapest_rent(u)) for u in years)
        return paid, runs


def _schedule(market: Market, begin: int, end: int) -> list[Contract]:
    """The cheapest sequence of contracts for a unit of load that is there from one year to another, the year itself left out."""
    best: list[tuple[float, list[Contract]]] = [(0.0, [])]  # from the last year backwards
    for year in range(end - 1, begin - 1, -1):
        found: list[tuple[float, list[Contract]]] = []
        for g in market.generations:
            later = best[end - year - 1]
            found.append((market.rent(g, year) + later[0], [Contract(g, year, 1, False, (True,)), *later[1]]))
            paid, runs = market.bought(g, year, end)
            if math.isfinite(paid):
                later = best[end - year - len(runs)]
                extra = [_instead(market, u) for k, u in enumerate(range(year, year + len(runs))) if not runs[k]]
                found.append((paid + later[0], [Contract(g, year, len(runs), True, runs), *extra, *later[1]]))
        best.append(min(found, key=lambda x: x[0]))
    if not math.isfinite(best[-1][0]):
        raise PhysicsError(
            f"nothing can be rented or bought from {market.start + begin} on: every generation is later or has no price"
        )
    return best[-1][1]


def _instead(market: Market, year: int) -> Contract:
    """What is rented while something bought stands still."""
    g = min(market.generations, key=lambda x: market.rent(x, year))
    return Contract(g, year, 1, False, (True,))


def over_years(market: Market, rates: Sequence[float]) -> Horizon:
    """Return the cheapest fleet for rates that grow, or fall, year by year.

    Parameters
    ----------
    market : Market
    rates : sequence of float
        Requests per second to carry in each year. [requests/s]

    Raises
    ------
    PhysicsError
        When no generation can be had in some year.

    Notes
    -----
    Costs are linear in load, so each layer of load, there from the year in which it comes to the one in which it goes, has
    a cheapest sequence of contracts of its own: dynamic programming over its years. Systems are whole afterwards.
    """
    loads: dict[Contract, float] = {}
    for amount, begin, end in _layers(rates):
        for c in _schedule(market, begin, end):
            loads[c] = loads.get(c, 0.0) + amount
    cohorts = tuple(Cohort(c, x, math.ceil(x / c.generation.carries * (1 - 1e-12))) for c, x in loads.items())
    costs = tuple(math.fsum(_cost(market, c, y) for c in cohorts) for y in range(len(rates)))
    return Horizon(market.start, tuple(rates), cohorts, costs)


def _layers(rates: Sequence[float]) -> list[tuple[float, int, int]]:
    """Load by layers: how much of it, from which year to which; of several runs of years each on its own."""
    found: list[tuple[float, int, int]] = []
    before = 0.0
    for level in sorted({r for r in rates if r > 0}):
        begin: int | None = None
        for year, r in enumerate([*rates, 0.0]):
            if r >= level and begin is None:
                begin = year
            elif r < level and begin is not None:
                found.append((level - before, begin, year))
                begin = None
        before = level
    return found


def _cost(market: Market, cohort: Cohort, year: int) -> float:
    """What a cohort costs in a year. [$]"""
    c, g = cohort.contract, cohort.contract.generation
    k = year - c.year
    if not 0 <= k < c.years:
        return 0.0
    if not c.bought:
        return cohort.systems * g.rent * (1 - market.fall) ** year
    return cohort.systems * (g.capital * (1 - market.fall) ** c.year + (g.running if c.runs[k] else 0.0))
