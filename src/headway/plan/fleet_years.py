"""The years of a fleet: generations of chips measured by what they carry within the same limits, bought or rented."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headway import units
from headway.catalog import catalogue
from headway.economics.generations import Generation, Horizon, Market, over_years
from headway.economics.owned import HOURS, OwnedPrice, assumptions, owned_price, purchase
from headway.economics.staffing import alone
from headway.economics.unit_costs import Site
from headway.errors import InputError, PhysicsError, quoted
from headway.plan.capacity_search import Tell
from headway.plan.fleets import FleetPlan, site_of
from headway.plan.replicas import carried
from headway.questions import Request
from headway.serving import setting

_RUNNING = ("power", "replaced")  # terms of the owned price that stop when a chip stands still
_MOST = 30  # years


@dataclass(frozen=True)
class Years:
    """How a service grows, and what may be added to its fleet.

    Attributes
    ----------
    years : int
        [years]
    growth : float
        Demand of a year over that of the year before. [times]
    generations : tuple of str
        Systems, each with a price where it has another than the catalogue's: ``b200x8@4/h``; () for the plan's own.
    fall : float
        Share by which the rent and the price of a given system fall per year. [share]
    start : int or None
        First year; None: that of the catalogue's newest rental price. [year]
    owned : mapping or None
        Inputs of the owned price instead of the catalogue's. [unit of each]
    """

    years: int
    growth: float = 1.0
    generations: tuple[str, ...] = ()
    fall: float = 0.0
    start: int | None = None
    owned: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.years <= _MOST:
            raise InputError(f"--years: {self.years} must lie between 1 and {_MOST}")
        if not 0 <= self.fall < 1:
            raise InputError(f"--price-fall: {self.fall:g}; a share per year is needed, from 0 to below 1")
        if not 0 < self.growth < math.inf:
            raise InputError(f"--growth: {self.growth:g} times a year must be above 0 and finite")


def read_growth(text: str) -> float:
    """Read how much demand grows per year: ``50%`` (more), ``-10%``, ``2x``. [times]

    Parameters
    ----------
    text : str

    Raises
    ------
    InputError
        When it is none of them.
    """
    said = text.strip().removeprefix("+")
    try:
        found = 1 + float(said[:-1]) / 100 if said.endswith("%") else float(said.removesuffix("x"))
    except ValueError:
        found = math.nan
    if not (said.endswith(("%", "x")) and 0 < found <= 1000):
        raise InputError(f"--growth: {quoted(text)} is no growth per year; it reads like 50%, -10% or 2x")
    return found


def with_years(plan: FleetPlan, request: Request, ahead: Years, seed: int = 0, tell: Tell | None = None) -> FleetPlan:
    """Return a fleet's plan with the years ahead: which generation to add when, bought or rented, and what other ways cost.

    Parameters
    ----------
    plan : FleetPlan
    request : Request
        That it was made of.
    ahead : Years
    seed : int
        Of the simulations of further systems. [1]
    tell : callable or None
        Told how far it is.

    Raises
    ------
    InputError
        For impossible years, unknown systems, or a system that can neither be rented nor bought.
    PhysicsError
        When the model does not fit one of them, or none meets the limits there.
    """
    names = ahead.generations or (request.system,)
    generations = tuple(_generation(plan, request, n, ahead, seed, tell) for n in names)
    start = ahead.start if ahead.start is not None else _newest()
    life = next((ahead.owned or {}).get(a.name, a.value) for a in assumptions() if a.name == "life")
    market = Market(generations, start, max(round(life), 1), ahead.fall)
    rates = [plan.fleet.demand.peak_rate * ahead.growth**y for y in range(ahead.years)]
    return dataclasses.replace(plan, horizon=over_years(market, rates), ways=_ways(market, rates))


def _newest() -> int:
    """Year of the newest rental price."""
    return max(int(r["date"][:4]) for r in catalogue().table("rental_medians").rows if r["date"][:4].isdigit())


def _ways(market: Market, rates: Sequence[float]) -> tuple[tuple[str, float], ...]:
    """What other fleets cost: everything rented, everything bought, one generation alone."""
    rented = tuple(dataclasses.replace(g, capital=math.inf) for g in market.generations)
    bought = tuple(dataclasses.replace(g, rent=math.inf) for g in market.generations)
    ways = {"all rented": rented, "all bought": bought}
    if len(market.generations) > 1:
        ways |= {f"{g.name} alone": (g,) for g in market.generations}
    return tuple((name, _total(dataclasses.replace(market, generations=g), rates)) for name, g in ways.items())


def _total(market: Market, rates: Sequence[float]) -> float:
    try:
        return over_years(market, rates).total
    except PhysicsError:
        return math.inf


def _generation(plan: FleetPlan, request: Request, text: str, ahead: Years, seed: int, tell: Tell | None) -> Generation:
    """A system as something to add: what it carries within the plan's limits, its rent, and what it costs to own."""
    name, sign, said = text.partition("@")
    price = units.parse(said, units.DOLLARS_PER_SECOND, f"--generations {name}") if sign else None
    asked = dataclasses.replace(request, system=name.strip(), price=price)
    s = setting(asked)
    mine = name.strip() == request.system
    found = plan.found if mine else carried(asked, plan.slo, 2, seed, tell, many=())
    law = found.staffing if mine else alone(found.staffing.limit, plan.found.staffing.room)
    site = site_of(s, found.layout, law, 0)
    rent = math.inf if s.system.price is None else s.system.price * s.system.chips * HOURS * 3600
    own = _own(s.system.chip.name, ahead, asked)
    if own is None and math.isinf(rent):
        raise InputError(f"{name} has neither a rental nor a purchase price: write one, like {name}@3/h")
    capital, running, capex = (math.inf,) * 3 if own is None else _yearly(own, s.system.chips)
    return Generation(
        s.system.name, s.system.chip.year, s.system.chips, _carries(site, plan), rent, capital, running, capex
    )


def _own(chip: str, ahead: Years, asked: Request) -> OwnedPrice | None:
    one = setting(asked).system.chip
    given = dict(ahead.owned or {})
    if purchase(one) is None and "capex" not in given:
        return None
    return owned_price(one, **given)


def _carries(site: Site, plan: FleetPlan) -> float:
    """What a system carries in a fleet as large as the first year's. [requests/s]"""
    rate = plan.fleet.demand.peak_rate
    return site.per_system * rate / site.staffing.needed(rate)


def _yearly(own: OwnedPrice, chips: int) -> tuple[float, float, float]:
    """Capital and running costs of a system per year, and its purchase; chips in repair weigh on both."""
    running = math.fsum(t.dollars for t in own.terms if t.name in _RUNNING)
    idle = next(t.dollars for t in own.terms if t.name == "in repair")
    lifted = own.per_hour / (own.per_hour - idle)
    capital = own.per_hour - running * lifted
    return capital * HOURS * chips, running * lifted * HOURS * chips, own.capex * chips


def is_bought(horizon: Horizon) -> bool:
    """Say whether anything of a fleet over years is bought."""
    return any(c.contract.bought for c in horizon.cohorts)
