"""The steady part of a run: what is neither its beginning, with empty machines, nor its end, when nobody comes any more."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headway.simulation.requests import Requests
from headway.simulation.run import Log, Passes

Floats = NDArray[np.float64]
_WARM = 0.25  # of a run, which is its beginning
_LUCK = 3.0  # standard deviations of the number of those who came, by which a calm queue may grow


@dataclass(frozen=True)
class Steady:
    """What the requests of a run's steady part saw.

    Attributes
    ----------
    ttft, tpot : array
        Of each request that came in it: infinite of one that can never fit; a single token has no TPOT, 0. [s]
    output : array of int
        Its answer. [tokens]
    seconds : float
        How long that part was. [s]
    came, ended : int
        Requests that did in it. [requests]
    flying : float
        Requests in the system, on average (Little's law). [requests]
    busy : float
        Share of its time in which a replica had a pass under way. [share]
    batch : float
        Sequences that decode in a pass of a replica, over the time of passes. [sequences]
    times : float
        By which all requests are more than those played: of many replicas alike, some were played with their part of the
        requests. `flying` and rates are of all. [times]
    """

    ttft: Floats
    tpot: Floats
    output: NDArray[np.int64]
    seconds: float
    came: int
    ended: int
    flying: float
    busy: float
    batch: float
    times: float = 1.0

    def for_all(self, times: float) -> Steady:
        """Return what is seen by all, of whom these are a part.

        Parameters
        ----------
        times : float
            By which they are more. [times]
        """
        return dataclasses.replace(self, times=times, flying=times * self.flying) if times > 1 else self

    @property
    def came_rate(self) -> float:
        """Requests that came per second. [requests/s]"""
        return self.times * self.came / self.seconds if self.seconds > 0 else math.nan

    @property
    def ended_rate(self) -> float:
        """Requests that ended per second. [requests/s]"""
        return self.times * self.ended / self.seconds if self.seconds > 0 else math.nan

    @property
    def growing(self) -> bool:
        """Whether more came than ended, beyond what luck does: the queue grows without bound."""
        return self.came - self.ended > _LUCK * math.sqrt(self.came)

    def within(self, ttft: float = math.inf, tpot: float = math.inf) -> float:
        """Return the share of requests that met both limits. [share]

        Parameters
        ----------
        ttft, tpot : float
            Most time to the first token, and per token after it. [s]
        """
        good = np.isfinite(self.ttft) & (self.ttft <= ttft) & (self.tpot <= tpot)
        return float(good.mean()) if len(good) else math.nan

    def quantile(self, what: str, share: float) -> float:
        """Return a quantile of ``ttft`` or ``tpot``, of a TPOT over the requests that have one; NaN where there are none. [s]

        Parameters
        ----------
        what : str
        share : float
            [share]
        """
        values = self.ttft if what == "ttft" else self.tpot[self.output > 1]
        return float(np.quantile(values, share, method="inverted_cdf")) if len(values) else math.nan


def steady(log: Log, loop: int = 0) -> Steady:
    """Return what requests saw after the first quarter of a run, and before its last begins to come.

    Parameters
    ----------
    log : Log
    loop : int
        Users of a closed loop: it ends when the first of them has asked everything; 0 for traffic that comes by itself. [users]
    """
    r = log.requests
    free = r.arrival if not r.closed else r.arrival[r.after < 0]
    begin = float(free[0])
    end = float(np.nanmin(log.end[-loop:], initial=log.now)) if loop else float(free[-1])
    start = begin + _WARM * (end - begin)
    return _between(log, start, end)


def everyone(log: Log) -> Steady:
    """Return what all requests of a run saw."""
    return _between(log, -math.inf, math.inf)


def one_by_one(requests: Requests, most: int = 500) -> Requests:
    """Return the first requests of some traffic, each of which comes when the one before has ended.

    Parameters
    ----------
    requests : Requests
    most : int
        How many, at most. [requests]
    """
    n = min(len(requests), most)
    before = np.arange(n, dtype=np.int64) - 1
    return Requests(np.zeros(n), requests.prompt[:n], requests.output[:n], after=before, name=requests.name)


def _between(log: Log, start: float, end: float) -> Steady:
    seen = (log.arrival >= start) & (log.arrival <= end)
    ended = (log.end >= start) & (log.end <= end)
    begin, last = max(start, float(np.nanmin(log.arrival, initial=math.inf))), min(end, log.now)
    span = max(last - begin, 0.0)
    stay = np.clip(np.where(np.isnan(log.end), np.inf, log.end), begin, last) - np.clip(log.arrival, begin, last)
    inside = np.nansum(stay[~log.rejected])
    busy, aboard = 0.0, 0.0
    for p in log.passes:
        took = _overlap(p, begin, last)
        busy += float(took.sum())
        aboard += float((took * p.decoding).sum())
    lost = ~np.isfinite(log.ttft)
    ttft = np.where(lost, np.inf, log.ttft)[seen]
    tpot = np.where(lost, np.inf, np.nan_to_num(log.tpot, nan=0.0))[seen]
    return Steady(
        ttft, tpot, log.requests.output[seen], span, int(seen.sum()), int(ended.sum() + (seen & log.rejected).sum()),
        float(inside) / span if span else math.nan, busy / (span * len(log.passes)) if span else math.nan,
        aboard / busy if busy else 0.0,
    )  # fmt: skip


def _overlap(p: Passes, start: float, end: float) -> Floats:
    """Time of each run of passes that lies in a window. [s]"""
    return np.maximum(np.minimum(p.start + p.seconds, end) - np.maximum(p.start, start), 0.0)
