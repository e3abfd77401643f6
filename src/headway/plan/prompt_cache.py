"""A prompt cache against its size: what traffic finds, and on a model and a machine what its memories hold and what a hit saves."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headway import units
from headway.economics import devices
from headway.errors import InputError
from headway.models import kv_bytes_stored
from headway.parallel import kv_per_chip
from headway.plan.answer import Plan
from headway.plan.cache_value import Worth
from headway.plan.make import make_plan
from headway.plan.operations import prefix
from headway.plan.places import places
from headway.questions import Request
from headway.shown import Shown
from headway.simulation import Requests
from headway.simulation.hit_rates import HitRates, hit_rates

TTLS = (300.0, 3600.0)  # the times to live that providers sell: five minutes and an hour
PART = 0.9  # of the most that is found, which makes the working set
_DECADES, _LITTLE = 5, 0.01  # of sizes shown, at the most; of what is found, from which sizes matter


@dataclass(frozen=True)
class Level:
    """What a replica's memories hold, each with those before it.

    Attributes
    ----------
    name : str
        ``free``: the chips' memory beside the plan's batch; ``pool``: all of the KV pool, nothing running; then the stores by name.
    tokens : float
        Of cache, those of the memories before it included (``pool`` stands alone). [tokens]
    size : float
        Of this memory alone. [bytes]
    rate : float
        At which it brings caches back onto the chips of a replica; infinite where they lie there. [bytes/s]
    """

    name: str
    tokens: float
    size: float
    rate: float = math.inf


@dataclass(frozen=True)
class Served:
    """The model and the machine that the prompts are for.

    Attributes
    ----------
    plan : Plan
        Layout, batch, KV pool, price of a prompt token computed and found.
    own : HitRates
        Of the replicas, each with a cache of its own.
    token_bytes : float
        Of cache of one token, on all chips that hold it. [bytes/token]
    levels : tuple of Level
    worth : Worth or None
        What keeping is worth; None for a system without a price, and for requests that all come at once.
    """

    plan: Plan
    own: HitRates
    token_bytes: float
    levels: tuple[Level, ...]
    worth: Worth | None = None

    @property
    def token_seconds(self) -> float:
        """Of a replica, to compute the cache of one prompt token in full passes: what `plan` prices. [s/token]"""
        return self.plan.prefill_seconds / (self.plan.prefill_tokens * self.plan.scene.stages)

    @property
    def break_even(self) -> float:
        """Rate at which bringing a cache back onto a replica takes as long as computing it. [bytes/s]"""
        return self.token_bytes / self.token_seconds

    def back(self, level: Level) -> float:
        """Return the time to bring the cache of one token back onto a replica. [s/token]

        Parameters
        ----------
        level : Level
        """
        return self.token_bytes / level.rate

    def saved(self, hit_rate: float) -> float:
        """Return the time of a replica that hits save for each request. [s]

        Parameters
        ----------
        hit_rate : float
            [share]
        """
        return hit_rate * self.own.prompt_tokens / self.own.requests * self.token_seconds

    def dollars_per_mtok(self, hit_rate: float) -> float | None:
        """Return the price of input: `plan`'s for what is computed, and its cached input for what is found. [$/Mtok]

        Parameters
        ----------
        hit_rate : float
            [share]
        """
        p = self.plan
        if p.prefill_dollars_per_mtok is None or p.cached is None:
            return None
        return (1 - hit_rate) * p.prefill_dollars_per_mtok + hit_rate * p.cached[1]


@dataclass(frozen=True, repr=False)
class PromptCache(Shown):
    """What a prompt cache finds against its size.

    Attributes
    ----------
    traffic : Requests
    rates : HitRates
        Of one cache for all requests.
    ttls : tuple of float
        Times to live that are looked at beside none. [s]
    served : Served or None
        None without a model.
    """

    RECORD = "headway.records.prompt_cache:cache_record"
    TEXT = "headway.report.prompt_cache:cache_text"

    traffic: Requests
    rates: HitRates
    ttls: tuple[float, ...]
    served: Served | None = None

    @property
    def own(self) -> HitRates:
        """Of each replica's own cache; without a model, of one for all."""
        return self.rates if self.served is None else self.served.own

    @property
    def working_set(self) -> float:
        """Smallest size of each cache that finds `PART` of the most. [tokens]"""
        return self.own.size_for(PART)

    def sizes(self, a_decade: int) -> list[float]:
        """Return sizes over the range in which they matter, evenly on a logarithmic scale. [tokens]

        Parameters
        ----------
        a_decade : int
            So many of each; of two, 1 and 3 stand for the root of ten. [1]
        """
        both = (self.own, self.rates)
        most, least = max(r.size_for(1.0) for r in both), min(r.size_for(_LITTLE) for r in both)
        if not most:
            return []
        high = math.ceil(math.log10(most) * 2 - 1e-9) / 2
        low = max(math.floor(math.log10(least)), math.floor(high) - _DECADES)
        found = 10 ** np.linspace(low, high, round((high - low) * a_decade) + 1)
        return [float(f"{x:.1g}") if a_decade <= 2 else float(x) for x in found]

    def brief(self) -> str:
        """Return the headline in one line."""
        name = self.traffic.name or "traffic"
        most, size = units.per_cent(self.own.share()), units.si(self.working_set)
        return (
            f"{name}: at most {most} of prompt tokens found; {units.per_cent(PART)} of that with {size} tokens of cache"
        )


def prompt_cache(
    traffic: Requests,
    request: Request | None = None,
    *,
    ttls: Sequence[float] = TTLS,
    below: str | None = None,
    tiers: str | Path | None = None,
) -> PromptCache:
    """Return what a prompt cache finds of traffic against its size (SYS-F6).

    Parameters
    ----------
    traffic : Requests
        Whose prompts name their blocks.
    request : Request or None
        Model and system that the prompts are for; without lengths it takes the traffic's means.
    ttls : sequence of float
        Times to live to look at. [s]
    below : str or None
        Stores below the chips' memory, as of ``--cache-below``; None: the catalogue's host, where the system has one.
    tiers : path or None
        CSV of devices and their prices, as of `hold_cache`; None: the catalogue's.

    Raises
    ------
    InputError
        When the traffic does not say what prompts share, or a name is not known.
    PhysicsError
        When the model does not fit.
    """
    rates = hit_rates(traffic)
    if any(not (t > 0 and math.isfinite(t)) for t in ttls):
        raise InputError(f"--ttl: {', '.join(f'{t:g}' for t in ttls)} s; times above 0 are needed, like 5min,1h")
    if request is None:
        return PromptCache(traffic, rates, tuple(ttls))
    if request.context is None and request.prompt is None and request.output is None:
        means = {"prompt": float(traffic.prompt.mean()), "output": max(float(traffic.output.mean()), 2.0)}
        request = dataclasses.replace(request, **means)
    plan = make_plan(request)
    own = rates if plan.replicas == 1 else hit_rates(traffic, plan.replicas)
    size = max(plan.prompt, 1.0)
    held = float(kv_per_chip(plan.model, plan.layout, size)) / size * plan.layout.chips / plan.layout.dp
    if not any(plan.model.attends()):
        raise InputError(
            f"{plan.model.name}: keeps no cache that grows with a prompt, so no blocks of it can be found again"
        )
    worth = _worth(plan, own, tiers)
    return PromptCache(traffic, rates, tuple(ttls), Served(plan, own, held, _levels(plan, held, below), worth))


def _worth(plan: Plan, own: HitRates, tiers: str | Path | None) -> Worth | None:
    if plan.system.price is None or not own.seconds:
        return None
    found = places(plan.system, plan.prefill_dollars_per_mtok, devices(tiers), own=tiers is not None)
    return Worth(plan, own, float(kv_bytes_stored(plan.model, plan.context)) / plan.context, found)


def _levels(plan: Plan, held: float, below: str | None) -> tuple[Level, ...]:
    """Chips first, then what lies below them."""
    pool, room = plan.pool.tokens, plan.pool.bytes * plan.layout.chips
    free = max(pool - plan.point.batch * plan.context, 0.0)
    levels = [Level("free", free, room * free / pool), Level("pool", pool, room)]
    s, layout = plan.setting, plan.layout
    try:
        stores = prefix(s, layout, None, "host" if below is None else below).stores
    except InputError:
        if below is not None:
            raise
        return tuple(levels)  # its memory is the host's own
    one = prefix(s, layout, None, "one:1TB@1TB/s").stores[0]  # stores are said in tokens: what a terabyte is there
    reach = free
    for store in stores:
        size, rate = 1e12 * store.tokens / one.tokens, 1e12 * one.token_seconds / store.token_seconds
        reach += size / held
        levels.append(Level(store.name, reach, size, rate))
    return tuple(levels)
