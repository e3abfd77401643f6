"""A service's fleet: from users and their day to chips, dollars a month, margins, the scale that pays, and the years ahead."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headway.batching import share_of_traffic, systems_needed
from headway.catalog import catalogue, default
from headway.economics.demand import Demand, LoadCurve, load_curve
from headway.economics.generations import Horizon
from headway.economics.owned import OwnedPrice, owned_price
from headway.economics.sales import Sale, read_sale
from headway.economics.staffing import Staffing
from headway.economics.unit_costs import Site, Sized, over_scales, settles, sized
from headway.errors import InputError
from headway.parallel import Layout
from headway.plan.capacity_search import Tell
from headway.plan.replicas import Carried, carried
from headway.plan.slo import Slo, read_slo
from headway.plan.tiers import design_tiers
from headway.questions import Request
from headway.serving import Setting, setting
from headway.shown import Shown

_SCALES = (-3, 4)  # decades around the users that fill one system, for the curve of cost against scale
_LARGE = 1e6  # of those users: a very large service
TIERS = "tiers"


@dataclass(frozen=True)
class World:
    """A provider's traffic, to measure a system by.

    Attributes
    ----------
    name : str
    tokens : float
        [tokens/s]
    share : float
        That one system at its limits makes of it (lecture E10). [share]
    systems : float
        Such systems that carry it. [systems]
    about, source, date : str
    """

    name: str
    tokens: float
    share: float
    systems: float
    about: str
    source: str
    date: str


@dataclass(frozen=True, repr=False)
class FleetPlan(Shown):
    """A service's fleet and its money.

    Attributes
    ----------
    setting : Setting
    slo : Slo
    found : Carried
        What a replica carries, and of which layout.
    fleet : Sized
    elastic : bool
        Whether each hour pays for its own fleet.
    other : Sized
        The same demand, paid the other way.
    chips : (float, float)
        Ends of the 80 % interval of the chips, from that of the times; NaN of the ideal machine, infinite
        where slower passes break a limit. [chips]
    owned : OwnedPrice or None
        What the price is made of where the chips are owned.
    sale : Sale
    scales : tuple of Sized
        The same service with fewer and more users.
    slack : float
        Share by which the cost of a service that is large enough may lie above that of a very large one. [share]
    enough, pays : float
        Users from which on the cost is within the slack; from which on the sale pays the rent. [users]
    world : tuple of World
    horizon : Horizon or None
        The years ahead.
    ways : tuple of (str, float)
        What other fleets would cost over all years; infinite where they cannot. [$]
    """

    RECORD = "headway.records.fleets:fleet_record"
    TEXT = "headway.report.fleets:fleet_text"

    setting: Setting
    slo: Slo
    found: Carried
    fleet: Sized
    elastic: bool
    other: Sized
    chips: tuple[float, float]
    owned: OwnedPrice | None
    sale: Sale
    scales: tuple[Sized, ...]
    slack: float
    enough: float
    pays: float
    world: tuple[World, ...]
    horizon: Horizon | None = None
    ways: tuple[tuple[str, float], ...] = ()

    @property
    def revenue(self) -> float:
        """What a request brings. [$]"""
        d = self.fleet.demand
        return self.sale.revenue(d.prompt, d.output)

    @property
    def margin(self) -> float:
        """Share of the revenue that remains after the rent. [share]"""
        return self.fleet.margin(self.revenue)

    @property
    def months(self) -> tuple[float, float]:
        """Ends of the rent's 80 % interval: that of the chips, and that of the owned price, as ratios in quadrature. [$/month]"""
        month, ends = self.fleet.month, list[float]()
        for i, sign in ((0, -1), (1, 1)):
            chips = self.chips[i] / self.fleet.chips
            price = 1.0 if self.owned is None else (self.owned.low, self.owned.high)[i] / self.owned.per_hour
            ends.append(month * math.exp(sign * math.hypot(math.log(chips), math.log(price))))
        return ends[0], ends[1]

    @property
    def system_rate(self) -> float:
        """Output of one system at its limits. [tokens/s]"""
        site = self.fleet.site
        return site.staffing.carries(site.per_system) * self.fleet.demand.output

    def brief(self) -> str:
        """Return the headline in one line."""
        f = self.fleet
        what = f"{self.setting.model.name} for {f.demand.users:,.0f} users"
        return f"{what}: {f.chips:,} chips of {self.setting.system.name}, ${f.month:,.0f} a month"


@dataclass(frozen=True)
class Money:
    """How a fleet is paid for, and what it earns.

    Attributes
    ----------
    owned : mapping or None
        Inputs of the owned price instead of the catalogue's; None: the chips are rented. [unit of each]
    sell : str
        ``tiers``, prices, or a price list, as of `headway.economics.sales.read_sale`.
    margin : float
        Of the sheet that ``tiers`` designs, at full load. [share]
    elastic : bool
        Pay for each hour's own fleet.
    spare : int
        Systems beyond. [systems]
    """

    owned: Mapping[str, float] | None = None
    sell: str = TIERS
    margin: float = 0.5
    elastic: bool = False
    spare: int = 0


RENTED = Money()


def plan_fleet(
    request: Request,
    users: float,
    per_day: float,
    *,
    curve: LoadCurve | str = "flat",
    ttft: float | str | None = None,
    tpot: float | str | None = None,
    within: float | None = None,
    money: Money = RENTED,
    seeds: int = 2,
    seed: int = 0,
    tell: Tell | None = None,
) -> FleetPlan:
    """Return the fleet that serves some users within limits at every hour, what it costs and what it earns.

    Parameters
    ----------
    request : Request
        Its layout, if any, is the only one looked at.
    users, per_day : float
        Of the service; requests of each per day. [users], [requests]
    curve : LoadCurve or str
        When they come: ``flat``, ``conversation``, ``office``, or a CSV file.
    ttft, tpot : float, str or None
        Longest time to the first token, and per token after it. [s]
    within : float or None
        Share of requests that must meet both; default: the catalogue's. [share]
    money : Money
    seeds, seed : int
        Repeats of one replica's simulation, and the seed of the first. [1]
    tell : callable or None
        Told how far it is.

    Raises
    ------
    InputError
        Without a limit or a price, and for unknown names.
    PhysicsError
        When no layout meets the limits.
    """
    slo = read_slo(ttft, tpot, within)
    when = curve if isinstance(curve, LoadCurve) else load_curve(curve)
    own, request = _owned(request, money)
    s = setting(request)
    demand = Demand(users, per_day, s.prompt, s.output, when)
    said = _checked(demand, s, money)
    found = carried(request, slo, seeds, seed, tell)
    sale = said or _designed(request, slo, money.margin, found.layout)
    return _answer(s, slo, found, demand, money, own, sale)


def _checked(demand: Demand, s: Setting, money: Money) -> Sale | None:
    """Refuse what cannot be before anything is simulated; the sale, where it is not to be designed."""
    if not (0 < demand.users < math.inf and 0 < demand.per_day < math.inf):
        raise InputError(f"--users {demand.users:g}, --requests-per-day {demand.per_day:g}: both must be above 0")
    if s.system.price is None:
        raise InputError(f"{s.system.name} has no price: give --price, like --price 2.5/h, or --owned")
    if money.spare < 0:
        raise InputError(f"--spare: {money.spare} must be zero or more")
    return None if money.sell == TIERS else read_sale(money.sell, s.prompt)


def _answer(
    s: Setting, slo: Slo, found: Carried, demand: Demand, money: Money, own: OwnedPrice | None, sale: Sale
) -> FleetPlan:
    site, elastic, slack = site_of(s, found.layout, found.staffing, money.spare), money.elastic, default("scale_slack")
    unit = site.per_system * site.staffing.limit / demand.peak_rate  # of the demand, that fills one system
    dear = sized(demand.scaled(unit * _LARGE), site, elastic).cost * (1 + slack)
    brings = sale.revenue(demand.prompt, demand.output) / demand.output * 1e6
    return FleetPlan(
        s, slo, found, sized(demand, site, elastic), elastic, sized(demand, site, not elastic), _interval(found, demand, site), own,
        sale, tuple(over_scales(demand, site, _round_users(unit, demand.users), elastic)), slack, settles(demand, site, dear, elastic),
        settles(demand, site, brings, elastic), worlds(site.staffing.carries(site.per_system) * demand.output),
    )  # fmt: skip


def _round_users(unit: float, users: float) -> tuple[float, ...]:
    """Round numbers of users from next to none to very many systems, over the demand's. [times]"""
    first = math.floor(math.log10(unit * users))
    return tuple(m * 10.0**k / users for k in range(first + _SCALES[0], first + _SCALES[1] + 1) for m in (1, 3))


def site_of(s: Setting, layout: Layout, law: Staffing, spare: int) -> Site:
    """Return a system filled with replicas of a layout.

    Parameters
    ----------
    s : Setting
    layout : Layout
    law : Staffing
    spare : int
        Systems beyond. [systems]
    """
    return Site(s.system, layout.chips, s.replicas(layout.chips), law, spare)


def _owned(request: Request, money: Money) -> tuple[OwnedPrice | None, Request]:
    """The owned price, and the request at it."""
    if money.owned is None:
        return None, request
    if money.elastic:
        raise InputError("--elastic gives chips back by the hour; owned ones are paid all day: leave out one of them")
    if request.price is not None:
        raise InputError("--owned says what a chip-hour costs: leave out --price")
    found = owned_price(setting(request).system.chip, **money.owned)
    return found, dataclasses.replace(request, price=found.price)


def _designed(request: Request, slo: Slo, margin: float, layout: Layout) -> Sale:
    """The standard tier of `headway tiers` at the speed that the limits promise."""
    asked = (
        request
        if request.layout
        else dataclasses.replace(request, layout=str(layout), tp=None, dp=None, ep=None, pp=None)
    )
    speed = 1 / slo.tpot if math.isfinite(slo.tpot) else None
    sheet = design_tiers(asked, "standard:1x", standard=speed, margin=margin)
    made = f"designed for a margin of {margin:.0%} at full load; prompts are in the price of output"
    return Sale("the standard tier", 0.0, sheet.standard.price, made)


def _interval(found: Carried, demand: Demand, site: Site) -> tuple[float, float]:
    """Ends of the chips' 80 % interval."""
    if math.isnan(found.ratios[0]):
        return math.nan, math.nan
    ends = [
        math.inf if not r > 0 else site.systems(site.staffing.needed(demand.peak_rate / r)) * site.system.chips
        for r in found.ratios
    ]
    return min(ends), max(ends)


def worlds(made: float) -> tuple[World, ...]:
    """Return what a system is of some providers' traffic, and how many such systems carry it (lecture E10, SYS-A8).

    Parameters
    ----------
    made : float
        Output of the system at its limits. [tokens/s]
    """
    found: list[World] = []
    for row in catalogue().table("world_traffic").rows:
        tokens = float(row["tokens_per_s"])
        share, systems = float(share_of_traffic(made, tokens)), float(systems_needed(tokens, made))
        found.append(World(row["name"], tokens, share, systems, row["about"], row["source"], row["date"]))
    return tuple(found)


def by_hour(plan: FleetPlan) -> list[dict[str, float]]:
    """Return the fleet of each slot of the load curve: requests per second, replicas, systems that carry them, systems paid.

    Parameters
    ----------
    plan : FleetPlan
    """
    f, slots = plan.fleet, len(plan.fleet.demand.rates)
    own: Sequence[Sized] = (f, plan.other) if plan.elastic else (plan.other, f)
    return [
        {
            "hour": 24 * i / slots if slots <= 24 else float(i), "requests_per_s": rate, "replicas_needed": own[0].replicas[i],
            "systems_needed": own[0].systems[i], "systems_paid": f.systems[i],
        }
        for i, rate in enumerate(f.demand.rates)
    ]  # fmt: skip
