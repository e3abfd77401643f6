"""What a prompt cache is worth on traffic: in its memories, by time to live, and if one knew what comes again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from headway.economics import Device, Option, Tier
from headway.plan.answer import Plan
from headway.simulation.hit_rates import HitRates


@dataclass(frozen=True)
class Rule:
    """A rule of what is kept for how long, and what it did on the traffic.

    Attributes
    ----------
    ttl : float or None
        Time to live; None: exactly what comes again is kept, where and as long as that pays. [s]
    place : str
        Where; of several by comma, with the most of what is found first.
    found : float
        Prompt tokens that are not computed. [tokens]
    computing : float
        What they would have cost. [$]
    storing, holding, retrieving : float
        What keeping costs. [$]
    """

    ttl: float | None
    place: str
    found: float
    computing: float
    storing: float
    holding: float
    retrieving: float

    @property
    def saves(self) -> float:
        """What is left of what is not computed; negative where keeping costs more. [$]"""
        return self.computing - self.storing - self.holding - self.retrieving


@dataclass(frozen=True)
class Room:
    """What a gigabyte of a memory does.

    Attributes
    ----------
    name : str
        Of the level.
    saves, costs : float
        Computing that its hits save, less bringing back; its rent. NaN where no device of that name has a price. [$/GB/h]
    """

    name: str
    saves: float
    costs: float


@dataclass(frozen=True)
class Worth:
    """What a prompt cache is worth on traffic, for all replicas.

    Attributes
    ----------
    plan : Plan
        With a price.
    own : HitRates
        Of its replicas' caches.
    kv_bytes : float
        k, one copy. [bytes/token]
    devices : tuple of Device
        Where caches may lie.
    """

    plan: Plan
    own: HitRates
    kv_bytes: float
    devices: tuple[Device, ...]

    @property
    def computing(self) -> float:
        """Of one prompt token. [$/token]"""
        return next(d for d in self.devices if d.kind == "recompute").option().retrieve(1.0)

    @property
    def everything(self) -> float:
        """Of all prompts, nothing found. [$]"""
        return self.own.prompt_tokens * self.computing

    @property
    def _tiers(self) -> list[Tier]:
        return [o for d in self.devices if isinstance(o := d.option(), Tier)]

    def rule(self, ttl: float) -> Rule:
        """Return what a time to live does in the place where it saves the most.

        Parameters
        ----------
        ttl : float
            [s]
        """
        return max((self.kept(ttl, t) for t in self._tiers), key=lambda r: r.saves)

    def kept(self, ttl: float, place: Option) -> Rule:
        """Return what a time to live does in a place: every block is stored when it is computed, held until it is forgotten.

        Parameters
        ----------
        ttl : float
            [s]
        place : Tier
        """
        own, k = self.own, self.kv_bytes
        found = own.found(ttl=ttl)
        return Rule(
            ttl, place.name, found, found * self.computing, own.stored(ttl) * float(place.store(k)),
            own.held(ttl) * float(place.hold(k)), found * float(place.retrieve(k)),
        )  # fmt: skip

    def oracle(self) -> Rule:
        """Return what no rule can beat: each block is held from a use to its next where that costs least, and only if it saves.

        Notes
        -----
        The least of retrieve + gap x hold over the places (E25) against computing, block by block, with the gap known; storing is free.
        """
        gaps, k, unit = self.own.gaps, self.kv_bytes, self.own.unit_tokens
        each = [(t.name, float(t.retrieve(k)), float(t.hold(k))) for t in self._tiers]
        costs = np.array([r + gaps * h for _, r, h in each])
        best, least = costs.argmin(axis=0), costs.min(axis=0)
        pays = least < self.computing
        retrieving = float(np.array([r for _, r, _ in each])[best[pays]].sum()) * unit
        found = float(pays.sum()) * unit
        counts = np.bincount(best[pays], minlength=len(each))
        names = [each[i][0] for i in np.argsort(-counts, kind="stable") if counts[i]]
        holding = float(least[pays].sum()) * unit - retrieving
        return Rule(None, ", ".join(names), found, found * self.computing, 0.0, holding, retrieving)

    def rooms(self, levels: Sequence[tuple[str, float, float]]) -> Iterator[Room]:
        """Yield what a gigabyte of each memory saves beyond those before it, and what it costs.

        Parameters
        ----------
        levels : sequence of (str, float, float)
            Name, reach with those before it, size of this one alone, of a replica; ``pool`` stands alone. [tokens, bytes]
        """
        before = 0.0
        for name, reach, size in levels:
            base = 0.0 if name == "pool" else before
            before = before if name == "pool" else reach
            device = self._device(name)
            option = None if device is None else device.option()
            back = 0.0 if option is None else float(option.retrieve(self.kv_bytes))
            costs = (
                float("nan")
                if device is None or not device.capacity
                else device.dollars * 3600 / (device.capacity / 1e9)
            )
            yield Room(name, self.saved(base, reach, back) / (size / 1e9) if size else float("nan"), costs)

    def saved(self, low: float, high: float, back: float = 0.0, ttl: float = math.inf) -> float:
        """Return what caches of one size save beyond those of another, each replica's. [$/h]

        Parameters
        ----------
        low, high : float
            Sizes of each. [tokens]
        back : float
            Of a token that is found, to bring it back. [$/token]
        ttl : float
            Time to live. [s]
        """
        found = self.own.found(high, ttl) - self.own.found(low, ttl)
        return found * (self.computing - back) / self.own.caches / (self.own.seconds / 3600)

    def _device(self, level: str) -> Device | None:
        kind = {"free": "hbm", "pool": "hbm", "host": "ddr"}.get(level.lower(), level.lower())
        return next((d for d in self.devices if kind in (d.kind, d.name.lower())), None)
