"""What a simulation says: percentiles with how sure they are, rates, what the chips did, what a token cost."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headway.shown import Shown
from headway.simulation.deployment import Deployment
from headway.simulation.requests import Requests
from headway.simulation.run import Log

Floats = NDArray[np.float64]
SHARES = (0.5, 0.9, 0.95, 0.99, 0.999)
_SURE = 1.2816  # standard deviations of an 80 % interval, as everywhere in headway
_LEFT, _LONGER = 0.05, 4.0  # of the time of arrivals, and of a request alone: calm traffic is done by then
_FEW = 20  # requests, of which nobody can say whether a queue grows


class Quantile(NamedTuple):
    """A quantile of a sample.

    Attributes
    ----------
    share : float
        [share]
    value, low, high : float
        The quantile, and its 80 % interval. [unit of the sample]
    known : bool
        False where the sample is too small to say more than its largest.
    """

    share: float
    value: float
    low: float
    high: float
    known: bool


def quantiles(values: Floats, shares: Sequence[float] = SHARES) -> list[Quantile]:
    """Return quantiles with intervals from order statistics: whatever the law, of samples that are independent.

    Parameters
    ----------
    values : array
        NaN is left out. [any]
    shares : sequence of float
        [share]

    Notes
    -----
    The number of values below the quantile is binomial: ranks n q -+ z sqrt(n q (1 - q)) (Conover 1999, 3.2). Requests that meet in a
    queue are alike, so repeats with other seeds differ more than one run says.
    """
    sample = np.sort(values[np.isfinite(values)])
    found: list[Quantile] = []
    for q in shares:
        n = len(sample)
        if not n:
            found.append(Quantile(q, math.nan, math.nan, math.nan, False))
            continue
        wide = _SURE * math.sqrt(n * q * (1 - q))
        low, high = (min(max(math.floor(n * q + s * wide), 0), n - 1) for s in (-1, 1))
        value = float(np.quantile(sample, q))
        ends = min(float(sample[low]), value), max(float(sample[high]), value)
        found.append(Quantile(q, value, *ends, n * (1 - q) >= 1))
    return found


@dataclass(frozen=True, repr=False)
class Simulated(Shown):
    """Traffic on replicas of a deployment.

    Attributes
    ----------
    deployment : Deployment
        Of one replica.
    replicas : int
        How many there are. [replicas]
    log : Log
    """

    RECORD = "headway.records.simulations:simulation_record"
    TEXT = "headway.report.simulations:simulation_text"

    deployment: Deployment
    replicas: int
    log: Log

    @property
    def span(self) -> float:
        """From the first arrival to the last token. [s]"""
        came = self.log.arrival[np.isfinite(self.log.arrival)]
        return self.log.now - float(came.min()) if len(came) else 0.0

    @functools.cached_property
    def ended(self) -> NDArray[np.bool_]:
        """Which requests have ended."""
        return np.isfinite(self.log.end)

    @property
    def request(self) -> Floats:
        """Time from arrival to the last token. [s]"""
        return self.log.end - self.log.arrival

    @functools.cached_property
    def quantiles(self) -> dict[str, list[Quantile]]:
        """Of ``ttft``, ``tpot``, ``request`` and ``queued``: at `SHARES`. [s]"""
        times = {"ttft": self.log.ttft, "tpot": self.log.tpot, "request": self.request, "queued": self.log.queued}
        return {name: quantiles(values) for name, values in times.items()}

    @property
    def offered(self) -> float:
        """Rate at which requests came; NaN where some waited for others. [requests/s]"""
        return self.log.requests.rate

    @property
    def carried(self) -> float:
        """Requests that ended over the time from the first arrival to the last token. [requests/s]"""
        return float(self.ended.sum()) / self.span if self.span > 0 else math.nan

    @property
    def saturated(self) -> bool:
        """Whether more came than the replicas carry: what is left at the last arrival takes far longer than a request alone."""
        came = self.log.arrival[np.isfinite(self.log.arrival)]
        if math.isnan(self.offered) or len(came) < _FEW:
            return False
        coming = float(came.max() - came.min())
        return self.span - coming > _LEFT * coming + _LONGER * self.alone

    @functools.cached_property
    def alone(self) -> float:
        """Time of the longest request with the replica to itself. [s]"""
        r = self.log.requests
        fits = np.flatnonzero(~self.log.rejected)
        if not len(fits):
            return 0.0
        who = fits[np.argmax((r.prompt + r.output)[fits])]
        one = Requests(np.zeros(1), r.prompt[who : who + 1], r.output[who : who + 1])
        return float(self.deployment.run(one).end[0])

    @property
    def output_rate(self) -> float:
        """Output tokens of requests that ended. [tokens/s]"""
        return float(self.log.requests.output[self.ended].sum()) / self.span if self.span > 0 else math.nan

    @property
    def dollars_per_mtok(self) -> float | None:
        """The rent of the whole system over the output tokens that flowed; None without a price. [$/Mtok]"""
        system, made = self.deployment.setting.system, self.output_rate
        return None if system.price is None or not made > 0 else system.chips * system.price / made * 1e6

    @functools.cached_property
    def _under_way(self) -> float:
        """Time of all passes of all replicas. [s]"""
        return sum(float(p.seconds.sum()) for p in self.log.passes)

    @property
    def busy(self) -> float:
        """Share of the time in which a replica had a pass under way. [share]"""
        return self._under_way / (self.span * self.replicas)

    @property
    def batch(self) -> float:
        """Sequences that decode in a pass of a replica, over the time of passes. [sequences]"""
        aboard = sum(float((p.seconds * p.decoding).sum()) for p in self.log.passes)
        return aboard / self._under_way if self._under_way else 0.0

    def goodput(self, ttft: float = math.inf, tpot: float = math.inf) -> float:
        """Return the rate of requests that ended within both limits. [requests/s]

        Parameters
        ----------
        ttft, tpot : float
            Most time to the first token, and per token after it. [s]
        """
        slow = np.nan_to_num(self.log.tpot, nan=0.0) > tpot
        good = self.ended & (self.log.ttft <= ttft) & ~slow
        return float(good.sum()) / self.span if self.span > 0 else math.nan

    def brief(self) -> str:
        """Return the headline in one line."""
        d = self.deployment
        return (
            f"{d.setting.model.name} on {d.setting.system.name} as {d.layout}, {len(self.log.requests):,} requests: TTFT "
            f"{1e3 * float(np.nanmedian(self.log.ttft)):,.4g} ms, TPOT {1e3 * float(np.nanmedian(self.log.tpot)):,.4g} ms (medians)"
        )
