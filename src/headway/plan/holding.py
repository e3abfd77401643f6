"""Where to keep a prompt's cache between uses, for how long it pays, and what a provider should ask for it (lecture 7.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headway import units
from headway.economics import (
    KINDS,
    LECTURE_DRAINS,
    Device,
    Option,
    Recompute,
    SoldCache,
    Tier,
    cheapest,
    crossover,
    devices,
    envelope,
    hit_cost,
    hits_that_pay,
    hits_to_buy,
    sold_caches,
    tier_of_ttl,
    total_cost,
    write_cost,
)
from headway.errors import InputError
from headway.models import kv_bytes_stored
from headway.plan.answer import Plan
from headway.plan.make import make_plan
from headway.plan.places import places
from headway.questions import Request
from headway.shown import Shown

HOLDS = (300.0, 3600.0)  # the times to live that providers sell: five minutes and an hour


@dataclass(frozen=True, slots=True)
class Offer:
    """A time to live, where it is kept and what it costs.

    Attributes
    ----------
    ttl : float
        [s]
    place : Tier or Recompute
        The cheapest for that time and one use (E25).
    by_drain, in_lecture : str, str
        The place whose drain time is nearest to it: of these devices (empty where none is known), of those that the lecture names (E26).
    once : float
        Holding it so long and using it once: retrieve + ttl x hold. [$/token]
    hold : float
        Cost of holding it there, which an explicit cache rents by time. [$/token/s]
    write, hit : float
        Cost of a write, and of a hit at the most; infinite where nothing says what computing costs. [$/token]
    price, write_price, hit_price : float
        Of plain input, a write and a hit with the margin. [$/token]
    at_once, at_last : float
        Hits that pay for the provider when they come one after another, and when each comes at the end of the time to live. [hits]
    buyer : float
        Hits that pay for who buys at those prices. [hits]
    """

    ttl: float
    place: Option
    by_drain: str
    in_lecture: str
    once: float
    hold: float
    write: float
    hit: float
    price: float
    write_price: float
    hit_price: float
    at_once: float
    at_last: float
    buyer: float


@dataclass(frozen=True, repr=False)
class Holding(Shown):
    """Where a cache is kept at the least cost.

    Attributes
    ----------
    plan : Plan or None
        Whose prompts; None where only bytes per token were said.
    kv_bytes : float
        k, one copy. [bytes/token]
    devices : tuple of Device
        Where it may lie, and what computing it costs.
    ttls : tuple of float
        [s]
    margin : float
        Of the prices. [share]
    """

    RECORD = "headway.records.holding:holding_record"
    TEXT = "headway.report.holding:holding_text"

    plan: Plan | None
    kv_bytes: float
    devices: tuple[Device, ...]
    ttls: tuple[float, ...]
    margin: float = 0.0

    @property
    def options(self) -> tuple[Option, ...]:
        """The devices as places, and recomputation."""
        return tuple(d.option() for d in self.devices)

    @property
    def recompute(self) -> Recompute | None:
        """What computing the cache anew costs; None where nothing says so."""
        return next((o for o in self.options if isinstance(o, Recompute)), None)

    @property
    def ranges(self) -> list[tuple[float, Option]]:
        """The cheapest place by hold time, each with the time from which on it is."""
        return envelope(self.options, self.kv_bytes)

    def next_from(self, number: int) -> float | None:
        """Return the hold time from which the next device is cheaper; None of the last. [s]

        Parameters
        ----------
        number : int
            Of a device. [1]
        """
        options = self.options
        return crossover(options[number], options[number + 1], self.kv_bytes) if number + 1 < len(options) else None

    def pays_until(self, option: Option) -> float | None:
        """Return the longest time between uses for which keeping it there beats computing it anew; None where nothing says so. [s]

        Parameters
        ----------
        option : Tier or Recompute
        """
        again = self.recompute
        if again is None or isinstance(option, Recompute):
            return None
        return max(crossover(option, again, self.kv_bytes), 0.0)

    @property
    def drains(self) -> dict[str, float]:
        """Drain times of the places. [s]"""
        return {o.name: o.drain for o in self.options if isinstance(o, Tier)}

    def lecture_drain(self, device: Device) -> float | None:
        """Return the drain time that the lecture names for such a device; None for other kinds. [s]

        Parameters
        ----------
        device : Device
        """
        return LECTURE_DRAINS.get(KINDS.get(device.kind, ""))

    def lecture_name(self, option: Option) -> str:
        """Return what the lecture calls a place; its own name where it has none for the kind.

        Parameters
        ----------
        option : Tier or Recompute
        """
        kind = next((d.kind for d in self.devices if d.name == option.name), "")
        return KINDS.get(kind, option.name)

    @property
    def offers(self) -> list[Offer]:
        """Every time to live with its place, costs and prices."""
        return [self._offer(ttl) for ttl in self.ttls]

    def _offer(self, ttl: float) -> Offer:
        k, again = self.kv_bytes, self.recompute
        place = cheapest(self.options, k, ttl)
        by_drain = tier_of_ttl(ttl, self.drains)[0] if self.drains else ""
        once, hold = float(total_cost(place, k, ttl)), float(place.hold(k))
        computing = math.inf if again is None else again.dollars_per_token
        write, hit = (float(x) for x in (write_cost(place, computing, k, ttl), hit_cost(place, k, ttl)))
        if isinstance(place, Recompute):  # nothing is kept: a write is input, and so is a hit
            write = hit = computing
        price, write_price, hit_price = (x / (1 - self.margin) for x in (computing, write, hit))
        at_once, at_last = (
            math.inf if again is None else hits_that_pay(place, computing, k, ttl, t) for t in (0.0, ttl)
        )
        buyer = math.nan if again is None else hits_to_buy(price, write_price, hit_price)
        return Offer(
            ttl, place, by_drain, tier_of_ttl(ttl)[0], once, hold, write, hit, price, write_price, hit_price, at_once, at_last, buyer
        )  # fmt: skip

    @property
    def market(self) -> list[SoldCache]:
        """What providers ask."""
        return sold_caches()

    def for_ttl(self, seconds: float) -> Offer:
        """Return what a time to live costs here.

        Parameters
        ----------
        seconds : float
            [s]
        """
        return self._offer(seconds)

    def brief(self) -> str:
        """Return the headline in one line."""
        whose = f"{units.si(self.kv_bytes, 'B')} of cache per token"
        if self.plan is not None:
            whose = f"{self.plan.model.name} on {self.plan.system.name}"
        return f"{whose}: " + ", ".join(f"{units.seconds(o.ttl)} in {o.place.name}" for o in self.offers)


def hold_cache(
    request: Request | None = None,
    *,
    holds: Sequence[float] = HOLDS,
    tiers: str | Path | None = None,
    kv_bytes: float | None = None,
    margin: float = 0.0,
) -> Holding:
    """Return where to keep a prompt's cache between uses, and what to ask for it (lecture E25, E26; SYS-F4, F5, F8).

    Parameters
    ----------
    request : Request or None
        Whose prompts, on which system: its chips' memory, its host and what a prompt costs there stand for the catalogue's.
    holds : sequence of float
        Times to live to look at. [s]
    tiers : path or None
        CSV of devices, with the columns of the catalogue's ``memory_devices``; None: the catalogue's.
    kv_bytes : float or None
        k, where there is no request. [bytes/token]
    margin : float
        Of the prices. [share]

    Raises
    ------
    InputError
        Without a model and bytes, with both, for a system without a price, devices that cannot be read.
    PhysicsError
        When the model does not fit.
    """
    if any(not (t > 0 and math.isfinite(t)) for t in holds) or not holds:
        raise InputError(f"--hold: {', '.join(f'{t:g}' for t in holds)} s; times above 0 are needed, like 5min,1h")
    if not 0 <= margin < 1:
        raise InputError(f"--margin: {margin:g}; a share of the price is needed, from 0 to below 1")
    found = devices(tiers)
    if request is None and kv_bytes is not None:
        return Holding(None, kv_bytes, tuple(found), tuple(holds), margin)
    if request is None or kv_bytes is not None:
        raise InputError(
            "--hold: needs a MODEL and --on SYSTEM, or the cache of a token as --kv-bytes 70kB; one of the two"
        )
    plan = _priced(request)
    k = float(kv_bytes_stored(plan.model, plan.context)) / plan.context  # as `plan` counts it
    own = places(plan.system, plan.prefill_dollars_per_mtok, found, own=tiers is not None)
    return Holding(plan, k, own, tuple(holds), margin)


def _priced(request: Request) -> Plan:
    plan = make_plan(request)
    if plan.system.price is None:
        raise InputError(f"{plan.system.name} has no price: give --price, like --price 2.5/h")
    if not any(plan.model.attends()):
        raise InputError(f"{plan.model.name}: keeps no cache that grows with a prompt, so there is nothing to hold")
    return plan
