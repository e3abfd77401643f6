"""Routers: which replica a request goes to. Who waits for another's end follows it to its replica."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from headway.errors import InputError


class Loaded(Protocol):
    """What a router may see of a replica."""

    @property
    def running(self) -> int:
        """Requests that run. [requests]"""
        ...

    @property
    def queue(self) -> int:
        """Requests that wait. [requests]"""
        ...

    def cached(self, who: int) -> int:
        """Return the tokens of a prompt that are found there.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        ...


class Router(Protocol):
    """A router."""

    @property
    def looks(self) -> bool:
        """Whether it looks at the replicas as they are when a request comes."""
        ...

    def pick(self, replicas: Sequence[Loaded], who: int) -> int:
        """Return the index of the replica that a request goes to.

        Parameters
        ----------
        replicas : sequence of Loaded
        who : int
            The request. [1]
        """
        ...


def _load(replica: Loaded) -> int:
    return replica.running + replica.queue


def _least(replicas: Sequence[Loaded], among: range) -> int:
    """The one with the fewest requests, of several the first."""
    return min(among, key=lambda i: _load(replicas[i]))


@dataclass(slots=True)
class RoundRobin:
    """One after another, whatever they do."""

    looks: bool = False
    _next: int = field(default=0, repr=False)

    def pick(self, replicas: Sequence[Loaded], who: int) -> int:
        """Return the next one.

        Parameters
        ----------
        replicas : sequence of Loaded
        who : int
            The request. [1]
        """
        found = self._next % len(replicas)
        self._next += 1
        return found


@dataclass(frozen=True, slots=True)
class LeastLoaded:
    """The one with the fewest requests, waiting or running; of several the first."""

    looks: bool = True

    def pick(self, replicas: Sequence[Loaded], who: int) -> int:
        """Return the least loaded one.

        Parameters
        ----------
        replicas : sequence of Loaded
        who : int
            The request. [1]
        """
        return _least(replicas, range(len(replicas)))


@dataclass(frozen=True, slots=True)
class PrefixAware:
    """The one that has most of the prompt; where loads differ too much the least loaded one (SGLang's router).

    Attributes
    ----------
    ahead : int
        Requests more than on the least loaded replica from which a prefix no longer counts. [requests]
    times : float
        And so many times as many. [times]
    looks : bool
        True.
    """

    ahead: int = 32
    times: float = 1.1
    looks: bool = True

    def pick(self, replicas: Sequence[Loaded], who: int) -> int:
        """Return the one with the longest prefix, of several the least loaded.

        Parameters
        ----------
        replicas : sequence of Loaded
        who : int
            The request. [1]
        """
        loads = [_load(r) for r in replicas]
        least = min(loads)
        if max(loads) > least + self.ahead and max(loads) > least * self.times:
            return loads.index(least)
        return min(range(len(replicas)), key=lambda i: (-replicas[i].cached(who), loads[i]))


@dataclass(frozen=True, slots=True)
class Tiered:
    """Every tier has replicas of its own, on which the least loaded one is taken.

    Attributes
    ----------
    tier : sequence of int
        Of each request; empty: all of the first. [1]
    replicas : tuple of int
        Of each tier. [replicas]
    looks : bool
        True.
    """

    tier: Sequence[int]
    replicas: tuple[int, ...]
    looks: bool = True

    def __post_init__(self) -> None:
        if any(n < 1 for n in self.replicas):
            raise InputError(f"tiers' replicas are {', '.join(map(str, self.replicas))}; each tier needs at least 1")

    def check(self, replicas: int) -> None:
        """Refuse tiers that do not share out a deployment's replicas.

        Parameters
        ----------
        replicas : int
            That there are. [replicas]
        """
        if sum(self.replicas) != replicas:
            raise InputError(f"tiers have {sum(self.replicas)} replicas, the deployment {replicas}")

    def pick(self, replicas: Sequence[Loaded], who: int) -> int:
        """Return the least loaded replica of the request's tier.

        Parameters
        ----------
        replicas : sequence of Loaded
        who : int
            The request. [1]
        """
        tier = self.tier[who] if len(self.tier) else 0
        first = sum(self.replicas[:tier])
        return _least(replicas, range(first, first + self.replicas[tier]))
