"""Replicas opened and closed by load."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headway.errors import InputError
from headway.simulation.lanes import Lane, Pool

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Autoscale:
    """When replicas open and close: as many as hold `target` requests each, the load of the last moments being the measure.

    Attributes
    ----------
    least : int
        Replicas that are always open. [replicas]
    target : float
        Requests, waiting or running, that one replica shall have. [requests]
    every : float
        Between two looks. [s]
    boot : float
        From the decision until a replica takes requests: machine, weights, graphs. Its rent runs. [s]
    calm : float
        A replica closes when fewer were enough for so long (Kubernetes' stabilisation window). [s]
    """

    least: int = 1
    target: float = 64.0
    every: float = 15.0
    boot: float = 120.0
    calm: float = 300.0

    def __post_init__(self) -> None:
        if self.least < 1:
            raise InputError(f"autoscaler: at least {self.least} replicas; at least 1 must be open")
        for name in ("target", "every"):
            if not getattr(self, name) > 0:
                raise InputError(f"autoscaler: {name} is {getattr(self, name):g}; it must be above 0")
        if not (self.boot >= 0 and self.calm >= 0):
            raise InputError("autoscaler: boot and calm cannot be negative")


class Scaled:
    """The replicas of a pool under an autoscaler.

    Parameters
    ----------
    rules : Autoscale
    pool : Pool
        With the most replicas that there may be.
    """

    def __init__(self, rules: Autoscale, pool: Pool) -> None:
        if rules.least > len(pool.lanes):
            raise InputError(f"autoscaler: at least {rules.least} replicas, of {len(pool.lanes)} that the system holds")
        self.rules, self.pool = rules, pool
        self._open: list[Lane] = pool.lanes[: rules.least]
        self._shut = pool.lanes[rules.least :]
        self._booting: list[tuple[float, Lane]] = []
        self._closing: list[Lane] = []
        self._since: dict[int, float] = dict.fromkeys(range(rules.least), -math.inf)  # lane -> its rent runs from
        self._paid: dict[int, float] = {}
        self._wanted: list[tuple[float, int]] = []
        self._next = 0.0
        pool.open = self._open

    def look(self, when: float) -> None:
        """Do all that is due before an arrival.

        Parameters
        ----------
        when : float
            [s]
        """
        while self._next <= when:
            self._tick(self._next)
            self._next += self.rules.every
        self._boot(when)

    def _boot(self, now: float) -> None:
        for due, lane in [x for x in self._booting if x[0] <= now]:
            self._booting.remove((due, lane))
            self._open.append(lane)

    def _tick(self, now: float) -> None:
        self._boot(now)
        self.pool.advance(now)
        self._close(now)
        aboard = sum(lane.running + lane.queue for lane in self._open)
        wanted = min(max(math.ceil(aboard / self.rules.target), self.rules.least), len(self.pool.lanes))
        self._wanted = [x for x in self._wanted if x[0] > now - self.rules.calm] + [(now, wanted)]
        have = len(self._open) + len(self._booting)
        for _ in range(wanted - have):
            lane = self._closing.pop() if self._closing else self._shut.pop(0) if self._shut else None
            if lane is None:
                break
            if lane.number in self._since:  # it was about to close
                self._open.append(lane)
                continue
            self._since[lane.number] = now
            self._booting.append((now + self.rules.boot, lane))
        most = max(n for _, n in self._wanted)
        while len(self._open) > self.rules.least and len(self._open) + len(self._booting) > most:
            self._closing.append(self._open.pop())
        self._close(now)

    def _close(self, now: float) -> None:
        """Stop paying for those that have nothing left to do."""
        for lane in [x for x in self._closing if not (x.running or x.queue)]:
            self._closing.remove(lane)
            self._shut.insert(0, lane)
            begun = self._since.pop(lane.number)
            self._paid[lane.number] = self._paid.get(lane.number, 0.0) + now - begun

    def rented(self, begin: float, end: float) -> Floats:
        """Return what is paid of each replica. [s]

        Parameters
        ----------
        begin, end : float
            Of the simulation. [s]
        """
        lanes: Sequence[Lane] = self.pool.lanes
        paid = np.array([self._paid.get(lane.number, 0.0) for lane in lanes])
        for number, since in self._since.items():
            paid[number] += max(end - max(since, begin), 0.0)
        return paid
