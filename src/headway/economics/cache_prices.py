"""What a prompt cache should cost: a write, a hit, the reuse that pays for them, and what providers ask (lecture 7.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from headway.catalog import Row, catalogue
from headway.economics.cache_tiers import Option, total_cost
from headway.economics.from_prices import cache_premium, hits_to_pay

Real = Any  # a float or a NumPy array; everything broadcasts


def write_cost(option: Option, computing: Real, kv_bytes: Real, ttl: Real) -> Real:
    """Return what a cache write costs: computing the prompt, moving its cache there, and holding it until it is forgotten. [$/token]

    Parameters
    ----------
    option : Tier or Recompute
        Where it is kept; recompute: nothing is.
    computing : float or array
        Of one prompt token. [$/token]
    kv_bytes : float or array
        k. [bytes/token]
    ttl : float or array
        Time to live that is promised. [s]
    """
    return computing + option.store(kv_bytes) + ttl * option.hold(kv_bytes)


def hit_cost(option: Option, kv_bytes: Real, ttl: Real) -> Real:
    """Return what a hit costs at the most: bringing the cache back, and holding it for the time to live that it renews. [$/token]

    Parameters
    ----------
    option : Tier or Recompute
    kv_bytes : float or array
        k. [bytes/token]
    ttl : float or array
        Time to live. [s]

    Notes
    -----
    Lecture E25 with tau the time to live. A hit that comes sooner renews less: what it adds to the holding is the time since the last use.
    """
    return total_cost(option, kv_bytes, ttl)


def hits_that_pay(option: Option, computing: Real, kv_bytes: Real, ttl: Real, every: Real) -> float:
    """Return the fewest hits from which keeping a prompt's cache costs less than computing it each time; infinite: it never does. [hits]

    Parameters
    ----------
    option : Tier or Recompute
    computing : float or array
        Of one prompt token. [$/token]
    kv_bytes : float or array
        k. [bytes/token]
    ttl : float or array
        For which it is kept after the last use. [s]
    every : float or array
        Time between uses, within the time to live. [s]

    Notes
    -----
    n hits cost (move + ttl hold) once, and retrieve + every x hold each, instead of n times the computing.
    """
    kept = write_cost(option, 0.0, kv_bytes, ttl)
    saved = computing - total_cost(option, kv_bytes, every)
    return hits_to_pay(kept, saved)


def hits_to_buy(price: float, write: float, hit: float) -> float:
    """Return the fewest hits that pay for a write at such prices (SYS-F7); infinite: none do. [hits]

    Parameters
    ----------
    price, write, hit : float
        Of plain input, of a write and of a hit, in any one unit. [$/Mtok]
    """
    return hits_to_pay(write - price, price - hit)


@dataclass(frozen=True, slots=True)
class SoldCache:
    """How a provider sells its prompt cache.

    Attributes
    ----------
    provider, ttl : str
        As it says them.
    seconds : float
        Time to live; NaN: none is said, or any. [s]
    input : float
        Price of plain input; NaN where it is not known. [$/Mtok]
    write_times, hit_times : float
        Price of a write and of a hit over plain input; NaN where they are not known. [times]
    rent : float
        Of holding; 0 where none is asked. [$/Mtok/s]
    note, source, date : str
    """

    provider: str
    ttl: str
    seconds: float
    input: float
    write_times: float
    hit_times: float
    rent: float
    note: str
    source: str
    date: str

    @property
    def premium(self) -> float:
        """What a second of holding costs: the rent, or the write's premium over its time to live (SYS-F8). [$/Mtok/s]"""
        if self.rent:
            return self.rent
        return float(
            cache_premium(
                self.input, self.input * self.write_times, self.input * self.hit_times, self.seconds
            ).per_second
        )

    @property
    def hits(self) -> float:
        """Hits that pay for a write (SYS-F7); NaN where a price is not known. [hits]"""
        if math.isnan(self.write_times) or math.isnan(self.hit_times):
            return math.nan
        return hits_to_buy(1.0, self.write_times, self.hit_times)

    @property
    def longest_gap(self) -> float:
        """Time between hits beyond which a rent costs more than they save, or nothing is there; infinite where none is said. [s]"""
        if self.rent:
            return self.input * (1 - self.hit_times) / self.rent
        return math.inf if math.isnan(self.seconds) else self.seconds


def sold_caches() -> list[SoldCache]:
    """Return how providers sell their prompt caches: the catalogue's ``cache_tiers``."""
    return [_sold(row) for row in catalogue().table("cache_tiers").rows]


def _sold(row: Row) -> SoldCache:
    ttl, price, write, hit, rent = (
        float(row.get(k) or "nan")
        for k in ("ttl_s", "input_usd_per_Mtok", "write_times", "hit_times", "storage_usd_per_Mtok_hour")
    )
    return SoldCache(
        row["provider"], row["ttl"], ttl, price, write, hit, 0.0 if math.isnan(rent) else rent / 3600,
        row.get("note", ""), row["source"], row["date"],
    )  # fmt: skip
