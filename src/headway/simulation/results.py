"""What a simulation says: percentiles with how sure they are, rates, what the chips did, what a token cost."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headway.shown import Shown
from headway.simulation.admission import ENDLESS
from headway.simulation.attribution import Attribution, attributed
from headway.simulation.deployment import Deployment
from headway.simulation.requests import Requests
from headway.simulation.run import Log
from headway.simulation.tiers import Tier
from headway.simulation.utilisation import Prompts, Utilisation, joules, token_gaps, utilisation, weighted_quantile

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


@dataclass(frozen=True)
class TierResult:
    """What a tier of the traffic got.

    Attributes
    ----------
    tier : Tier
    requests, ended, turned_away : int
        [requests]
    good : float
        Of its requests that ended within what it is promised. [share]
    ttft, tpot, queued : list of Quantile
        At `SHARES`. [s]
    output_rate : float
        [tokens/s]
    paid : float
        Chip-seconds that fall to it: of each replica in proportion to the time that its requests had seats. All tiers' pay the rent. [s]
    """

    tier: Tier
    requests: int
    ended: int
    turned_away: int
    good: float
    ttft: list[Quantile]
    tpot: list[Quantile]
    queued: list[Quantile]
    output_rate: float
    paid: float


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
    def chips(self) -> int:
        """Chips of all replicas, those that compute prompts included. [chips]"""
        d = self.deployment
        fronts = 0 if d.prompt_layout is None else d.prompt_replicas * d.prompt_layout.chips
        return self.replicas * d.layout.chips + fronts

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
        fits = np.flatnonzero(~self.log.rejected & ~self.log.turned_away)
        if not len(fits):
            return 0.0
        who = fits[np.argmax((r.prompt + r.output)[fits])]
        one = Requests(np.zeros(1), r.prompt[who : who + 1], r.output[who : who + 1])
        d = self.deployment  # on one replica, whoever chooses among them
        alone = dataclasses.replace(d.operation, router=None, autoscale=None)
        return float(dataclasses.replace(d, operation=alone).run(one).end[0])

    @property
    def output_rate(self) -> float:
        """Output tokens of requests that ended. [tokens/s]"""
        return float(self.log.requests.output[self.ended].sum()) / self.span if self.span > 0 else math.nan

    @property
    def dollars_per_mtok(self) -> float | None:
        """The rent over the output tokens that flowed; None without a price. [$/Mtok]

        Of the whole system; under an autoscaler of the replicas that were open or booting.
        """
        price, made = self.deployment.setting.system.price, float(self.log.requests.output[self.ended].sum())
        return None if price is None or not made > 0 else price * self.paid / made * 1e6

    @property
    def paid(self) -> float:
        """Chip-seconds that are paid. [s]"""
        return self.deployment.paid(self.span, float(self.log.rented.sum()))

    @functools.cached_property
    def _under_way(self) -> float:
        """Time of all passes of all replicas. [s]"""
        return sum(float(p.seconds.sum()) for p in self.log.passes)

    @property
    def busy(self) -> float:
        """Share of the time in which a replica had a pass under way. [share]"""
        return self._under_way / (self.span * len(self.log.passes)) if self.span > 0 else 0.0

    @property
    def batch(self) -> float:
        """Sequences that decode in a pass of a replica, over the time of passes. [sequences]"""
        aboard = sum(float((p.seconds * p.decoding).sum()) for p in self.log.passes)
        return aboard / self._under_way if self._under_way else 0.0

    def good(self, ttft: float = math.inf, tpot: float = math.inf) -> NDArray[np.bool_]:
        """Return which requests ended within both limits.

        Parameters
        ----------
        ttft, tpot : float
            Most time to the first token, and per token after it. [s]
        """
        slow = np.nan_to_num(self.log.tpot, nan=0.0) > tpot
        return self.ended & (self.log.ttft <= ttft) & ~slow

    def goodput(self, ttft: float = math.inf, tpot: float = math.inf) -> float:
        """Return the rate of requests that ended within both limits. [requests/s]

        Parameters
        ----------
        ttft, tpot : float
            Most time to the first token, and per token after it. [s]
        """
        return float(self.good(ttft, tpot).sum()) / self.span if self.span > 0 else math.nan

    @functools.cached_property
    def by_tier(self) -> tuple[TierResult, ...]:
        """What each tier got; empty where all are alike."""
        if not self.deployment.operation.tiers:
            return ()
        r, found, paid = self.log.requests, list[TierResult](), self._paid_by_tier
        for i, tier in enumerate(self.deployment.operation.tiers):
            theirs = r.tier == i
            good = self.good(tier.ttft, tier.tpot)
            ttft, tpot, queued = (quantiles(t[theirs]) for t in (self.log.ttft, self.log.tpot, self.log.queued))
            count, ended, away = (int((theirs & x).sum()) for x in (theirs, self.ended, self.log.turned_away))
            share, made = float((theirs & good).sum()) / max(count, 1), float(r.output[theirs & self.ended].sum())
            rate = made / self.span if self.span > 0 else math.nan
            found.append(TierResult(tier, count, ended, away, share, ttft, tpot, queued, rate, float(paid[i])))
        return tuple(found)

    @property
    def _paid_by_tier(self) -> Floats:
        """Chip-seconds of each tier: of every replica by the seat time of its requests."""
        r, log, tiers = self.log.requests, self.log, len(self.deployment.operation.tiers)
        seated = np.nan_to_num(np.where(np.isfinite(log.end), log.end, log.now) - log.start, nan=0.0)
        fronts = self.deployment.fronts  # they fall to all alike
        found, left = np.zeros(tiers), self.paid
        for i in range(fronts, len(log.passes)):
            mine = log.replica == i
            times = np.bincount(r.tier[mine], seated[mine], tiers)
            if times.sum() > 0:
                rent = self.paid * log.rented[i] / log.rented[fronts:].sum()
                found += rent * times / times.sum()
                left -= rent
        whole = found.sum()
        return found + (left * found / whole if whole else left / max(tiers, 1))

    @property
    def padding(self) -> float:
        """Share of the tokens of all passes that nobody asked for: padded prompts, and seats kept after their answers. [share]"""
        if not self.deployment.policy.padded:
            return 0.0
        computed = sum(float(p.tokens.sum()) for p in self.log.passes)
        r = self.log.requests
        asked = float((r.prompt + r.output - 1)[self.ended].sum())
        return 1 - asked / computed if computed and self.ended.all() else math.nan

    @property
    def cached(self) -> float:
        """Share of the prompts' tokens that were found in the prompt cache; NaN of none. [share]"""
        came = ~self.log.rejected & np.isfinite(self.log.start)
        asked = float(self.log.requests.prompt[came].sum())
        return float(self.log.cached[came].sum()) / asked if asked else math.nan

    @functools.cached_property
    def itl(self) -> list[Quantile]:
        """Times between two tokens of a sequence at `SHARES`, over all tokens. [s]

        Tokens of one run of passes wait alike: intervals are of as many independent ones as their weights amount to (Kish 1965).
        """
        gaps, weights = list[Floats](), list[Floats]()
        for i, p in enumerate(self.log.passes):
            mine = self.log.replica == i
            values, times = token_gaps(p, self.log.first[mine], self.log.end[mine])
            gaps.append(values)
            weights.append(times)
        every, times = np.concatenate(gaps), np.concatenate(weights)
        tokens, alike = float(times.sum()), float((times**2).sum())
        if not tokens:
            return [Quantile(q, math.nan, math.nan, math.nan, False) for q in SHARES]
        found: list[Quantile] = []
        for q in SHARES:
            wide = _SURE * math.sqrt(q * (1 - q) * alike) / tokens
            value, low, high = (weighted_quantile(every, times, min(max(x, 0.0), 1.0)) for x in (q, q - wide, q + wide))
            found.append(Quantile(q, value, min(low, value), max(high, value), tokens * (1 - q) >= 1))
        return found

    @functools.cached_property
    def attribution(self) -> Attribution:
        """Whose the time of the passes was; of split pools, whose the chips were."""
        d, log = self.deployment, self.log
        started, cached = np.isfinite(log.start), log.cached.astype(float)
        if d.prompts is None or d.prompt_layout is None:
            step = d.setting.passes_of(d.layout)
            return attributed(log.passes, step, d.clock.times, d.setting.drafts, log.requests, started, cached)
        fronts = d.fronts
        step = d.setting.passes_of(d.prompt_layout)
        found = attributed(log.passes[:fronts], step, d.prompts.clock.times, 0, log.requests, started, cached)
        here, prompts = self.replicas * d.layout.chips, found.fresh + found.cached
        there = self.chips - here
        each = there / prompts if prompts > 0 else 0.0
        fresh, hits, _ = found.tokens
        return Attribution(
            each * found.fresh,
            each * found.cached,
            float(here),
            (fresh, hits, float(log.requests.output[self.ended].sum())),
        )

    @property
    def prices(self) -> tuple[float, float, float] | None:
        """Average costs of fresh input, cached input and output; times their volumes they are the rent. None without a price. [$/Mtok]"""
        price, found = self.deployment.setting.system.price, self.attribution
        if price is None:
            return None
        rent = price * self.paid
        fresh, cached, output = (
            1e6 * rent * share / tokens if tokens else math.nan
            for share, tokens in zip(found.shares, found.tokens, strict=True)
        )
        return fresh, cached, output

    @functools.cached_property
    def work(self) -> tuple[Utilisation, ...]:
        """What the chips of each replica did in every run of its passes."""
        return self.worked(Prompts.of(self.log))

    def worked(self, prompts: Prompts) -> tuple[Utilisation, ...]:
        """Return the same, if the passes computed these prompts."""
        d, found = self.deployment, list[Utilisation]()
        for i, p in enumerate(self.log.passes):
            drafts = 0 if i < d.fronts else d.setting.drafts
            found.append(utilisation(d.setting.passes_of(d.layout_of(i), ideal=True), p, drafts, prompts))
        return tuple(found)

    @functools.cached_property
    def used(self) -> tuple[float, float]:
        """MFU and MBU over the whole time: ideal compute and memory time of all passes over the replicas' time. [share]"""
        total = np.sum([(u.compute.sum(), u.memory.sum()) for u in self.work], axis=0)
        time = self.span * len(self.log.passes)
        return (float(total[0]) / time, float(total[1]) / time) if time else (math.nan, math.nan)

    @property
    def occupied(self) -> float:
        """Share of the KV blocks that somebody uses, over the time of passes. [share]"""
        blocks = self.deployment.limits.blocks
        held = sum(float((p.seconds * p.blocks).sum()) for p in self.log.passes)
        return held / self._under_way / blocks if self._under_way and blocks < ENDLESS else math.nan

    @property
    def joules_per_token(self) -> float | None:
        """Energy of the chips alone over the output tokens; None where their power is not known. [J/token]"""
        d, made = self.deployment, float(self.log.requests.output[self.ended].sum())
        chips = [layout.chips / layout.pp for layout in map(d.layout_of, range(len(self.work)))]
        found = joules(d.setting.system.chip, self.paid, self.work, self.log.passes, chips)
        return None if found is None or not made else found / made

    def brief(self) -> str:
        """Return the headline in one line."""
        d = self.deployment
        return (
            f"{d.setting.model.name} on {d.setting.system.name} as {d.layout}, {len(self.log.requests):,} requests: TTFT "
            f"{1e3 * float(np.nanmedian(self.log.ttft)):,.4g} ms, TPOT {1e3 * float(np.nanmedian(self.log.tpot)):,.4g} ms (medians)"
        )
