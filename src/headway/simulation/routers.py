"""Routers: which replica a request goes to. Who waits for another's end follows it to its replica."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Loaded(Protocol):
    """What a router may see of a replica; `Replica` is one."""

    @property
    def running(self) -> int:
        """Requests that run. [requests]"""
        ...

    @property
    def queue(self) -> int:
        """Requests that wait. [requests]"""
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
        return min(range(len(replicas)), key=lambda i: replicas[i].running + replicas[i].queue)
