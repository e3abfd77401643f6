"""From counters to a mean pass, and from that to the roofline at this very load: floor, estimate, MFU, MBU, what caches save."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from headway.measure.scrapes import Scrape
from headway.numeric import finite
from headway.parallel import Layout
from headway.roofline import Load
from headway.roofline.load import Group
from headway.serving import Setting, interval

_QUANTITIES = {
    "prompt_tokens": "tokens in", "found_tokens": "what the prefix cache saves", "output_tokens": "tokens out and their price",
    "gap_seconds": "the time of a pass", "ttft": "percentiles of TTFT", "tpot": "percentiles of TPOT",
}  # fmt: skip
_FEW = 20  # gaps between tokens: fewer time nothing


@dataclass(frozen=True)
class Met:
    """What a server's metrics say of the time between two scrapes.

    Attributes
    ----------
    seconds : float
        That passed. [s]
    batch : float
        Sequences that were being decoded, on average over the time. [sequences]
    running, waiting : float
        As the server says at its end; NaN where it does not. [requests]
    output_rate, prompt_rate, found_rate : float
        Made; prompts that were begun, found tokens among them; found in the prefix cache. [tokens/s]
    requests : float
        First tokens that came. [1/s]
    gaps : float
        Times between two tokens that were observed. [1]
    pass_seconds : float
        Of a pass, as the sequences in it see it: mean time between two tokens; NaN while nothing is decoded. [s]
    passes : float
        Per second, on all replicas. [1/s]
    busy : float
        Of the time passes ran. [share]
    context : float
        Tokens in the cache of each decoding sequence. [tokens]
    context_from : str
        Where that is from: ``cache`` (the KV pool in use), ``lengths`` (mean prompt and half the answer) or ``given``.
    kv_usage : float
        Of the KV pool; NaN where it is not said. [share]
    ttft : float
        Mean; NaN without. [s]
    preempted : float
        [1/s]
    lacks : tuple of str
        What the server's metrics do not say.
    """

    seconds: float
    batch: float
    running: float
    waiting: float
    output_rate: float
    prompt_rate: float
    found_rate: float
    requests: float
    gaps: float
    pass_seconds: float
    passes: float
    busy: float
    context: float
    context_from: str
    kv_usage: float
    ttft: float
    preempted: float
    lacks: tuple[str, ...] = ()

    @property
    def decodes(self) -> bool:
        """Whether enough was decoded to time a pass."""
        return self.gaps >= _FEW and self.pass_seconds > 0

    @classmethod
    def between(cls, before: Scrape, after: Scrape, copies: int = 1) -> Met:
        """Return what two scrapes of a server say of the time between them.

        Parameters
        ----------
        before, after : Scrape
        copies : int
            Replicas behind it, which share the load evenly. [1]

        Notes
        -----
        The sequences being decoded are, on average over the time, the sum of the gaps between tokens over the time (Little's law): no gauge
        that happens to be read at its ends. Passes are counted where the engine counts them; else a pass makes a token of each.
        """
        passed = after.at - before.at

        def rose(quantity: str) -> float:
            return after.values.get(quantity, math.nan) - before.values.get(quantity, math.nan)

        firsts = _count(before, after, "ttft")
        output, prompt, found = rose("output_tokens"), rose("prompt_tokens"), rose("found_tokens")
        gaps, seconds = rose("gap_count"), rose("gap_seconds")
        if math.isnan(seconds):  # an engine that times whole passes
            seconds, gaps = _from_passes(rose("decode_seconds"), rose("decode_passes"), output)
        gaps = 0.0 if math.isnan(gaps) else gaps
        each = seconds / gaps if gaps > 0 and seconds > 0 else math.nan
        running = _mean(before.values.get("running"), after.values.get("running"))
        batch = seconds / passed if not math.isnan(seconds) else running
        own = rose("passes")
        passes = own if own > 0 else copies * gaps / max(batch, float(copies))
        busy = _busy(rose("busy_seconds"), passes, each, passed * copies)
        context, source = _context(before, after, firsts, prompt, output)
        lacks = [f"its metrics have no {q}: so not {what}" for q, what in _QUANTITIES.items() if not _has(after, q)]
        return cls(
            passed, batch, after.values.get("running", math.nan), after.values.get("waiting", math.nan), output / passed, prompt / passed,
            (0.0 if math.isnan(found) else found) / passed, firsts / passed, gaps, each, passes / passed, busy, context, source,
            after.values.get("kv_usage", math.nan), _ttft(before, after), rose("preempted") / passed, tuple(lacks),
        )  # fmt: skip


def _has(scrape: Scrape, quantity: str) -> bool:
    timed = quantity == "gap_seconds" and "decode_seconds" in scrape.values
    return quantity in scrape.values or quantity in scrape.histograms or timed


def _from_passes(seconds: float, passes: float, output: float) -> tuple[float, float]:
    """(sequences' seconds, gaps) where decode passes are timed: each makes a token of every sequence in it."""
    if not passes > 0 or not output > 0:
        return math.nan, math.nan
    return output * seconds / passes, output


def _mean(*given: float | None) -> float:
    known = [x for x in given if x is not None]
    return sum(known) / len(known) if known else math.nan


def _count(before: Scrape, after: Scrape, quantity: str) -> float:
    """Observations of a histogram in between; NaN without one. [1]"""
    if quantity not in after.histograms or quantity not in before.histograms:
        return math.nan
    return after.histograms[quantity].count - before.histograms[quantity].count


def _ttft(before: Scrape, after: Scrape) -> float:
    if "ttft" not in after.histograms or "ttft" not in before.histograms:
        return math.nan
    since = after.histograms["ttft"].less(before.histograms["ttft"])
    return math.nan if since is None else since.mean


def _busy(said: float, passes: float, each: float, passed: float) -> float:
    """Share of the time in which passes ran, all replicas together."""
    if not math.isnan(said):
        return min(max(said / passed, 0.0), 1.0)
    return 0.0 if math.isnan(each) else min(passes * each / passed, 1.0)


def _context(before: Scrape, after: Scrape, firsts: float, prompt: float, output: float) -> tuple[float, str]:
    """Tokens in a decoding sequence's cache: the pool in use over who runs, at both ends; else mean lengths."""
    found = [c for s in (before, after) if not math.isnan(c := _pool(s))]
    if found:
        return sum(found) / len(found), "cache"
    if firsts > 0 and not math.isnan(prompt + output):
        return prompt / firsts + output / firsts / 2, "lengths"
    return math.nan, ""


def _pool(s: Scrape) -> float:
    held = s.values.get("kv_tokens", s.values.get("kv_usage", math.nan) * s.values.get("kv_pool", math.nan))
    running = s.values.get("running", 0.0)
    return held / running if running >= 1 and held > 0 else math.nan


@dataclass(frozen=True)
class At:
    """The roofline at the load that was met.

    Attributes
    ----------
    riders, prompts : float
        Of a mean pass of a replica: sequences that decode, prompt tokens computed. [sequences, tokens]
    floor : float
        Of such a pass on an ideal machine. [s]
    estimate : float
        By the engine's profile. [s]
    low, high : float
        80 % interval of the estimate; NaN of the ideal machine. [s]
    bound : str
        What holds most of the estimate.
    mfu, mbu : float
        Of the peak rates, over all the time that passed: times of an ideal machine, as of a simulation. [share]
    saved : float
        Chip time that the prefix cache saves, over the time that passed. [share]
    prompt_share : float
        Of the time of passes, what prompts add to them. [share]
    room : float
        Sequences that decode on all replicas when TPOT reaches its limit, the server as far from the estimate as now; NaN without a
        limit. [sequences]
    outside : tuple of str
        What of the load the profile's evidence does not cover.
    """

    riders: float
    prompts: float
    floor: float
    estimate: float
    low: float
    high: float
    bound: str
    mfu: float
    mbu: float
    saved: float
    prompt_share: float
    room: float
    outside: tuple[str, ...]


def at_load(s: Setting, layout: Layout, copies: int, met: Met, limit: float) -> At | None:
    """Return the roofline at a load (SYS-H1's telemetry of a real server); None where too little was decoded to tell it.

    Parameters
    ----------
    s : Setting
    layout : Layout
        Of a replica.
    copies : int
        Replicas that share the load evenly. [1]
    met : Met
    limit : float
        Of the time between two tokens; infinite without. [s]

    Notes
    -----
    The mean pass stands for all: its floor is not above the mean of their floors, since a floor is the largest of lines.
    """
    if not met.decodes or not met.passes > 0 or math.isnan(met.context):
        return None
    each = met.passes / copies
    riders = max((met.output_rate - (met.requests if met.requests > 0 else 0.0)) / met.passes, 1e-6)
    riders = riders if riders >= 1e-3 else max(met.batch / copies, 1e-3)
    fresh = max(finite_or(met.prompt_rate - met.found_rate), 0.0) / met.passes
    found = met.found_rate / met.passes
    here = _measured(s, met)
    real, ideal = here.passes_of(layout), here.passes_of(layout, ideal=True)
    load = _load(here, riders, met.context, fresh, found)
    floor, estimate = float(ideal.seconds(load)), float(real.seconds(load))
    parts = ideal.parts(ideal.sums(load))
    outside = here.outside(met.batch, float(layout.chips))
    low, high = interval(estimate, here.spread("tpot", outside), floor)
    alone = float(real.seconds(_load(here, riders, met.context, 0.0, 0.0)))
    without = float(real.seconds(_load(here, riders, met.context, fresh + found, 0.0))) if found else estimate
    told = real.parts(real.sums(load))
    shares = {
        "compute": float(told.on_compute), "memory": max(float(told.busy - told.on_compute), 0.0), "network": float(told.network),
        "overhead": float(told.overhead),
    }  # fmt: skip
    return At(
        riders, fresh, floor, estimate, low, high, max(shares, key=lambda k: shares[k]), float(parts.compute) * each,
        float(parts.memory) * each, max(without - estimate, 0.0) * each, 1 - min(alone / estimate, 1.0),
        _room(here, layout, copies, met, riders, fresh, limit), outside,
    )  # fmt: skip


def finite_or(value: float, other: float = 0.0) -> float:
    """Return a number, or another where it is none.

    Parameters
    ----------
    value, other : float
        [any]
    """
    known = finite(value)
    return other if known is None else known


def _measured(s: Setting, met: Met) -> Setting:
    """The setting with the lengths that were met: what its evidence covers depends on them."""
    if not met.requests > 0 or math.isnan(met.prompt_rate):
        return s
    prompt, output = met.prompt_rate / met.requests, met.output_rate / met.requests
    return dataclasses.replace(s, prompt=max(prompt, 1.0), output=max(output, 2.0))


def _load(s: Setting, riders: float, context: float, fresh: float, found: float) -> Load:
    groups = [Group(riders, s.new_tokens, context, s.new_tokens)]
    if fresh > 0:
        one = min(fresh, 1.0)
        groups.append(Group(one, fresh / one, found / one, 1.0))
    return Load(tuple(groups), s.skew)


def _room(s: Setting, layout: Layout, copies: int, met: Met, riders: float, fresh: float, limit: float) -> float:
    """Sequences at which a pass takes as long as the limit, prompts growing with them, this server's distance from the estimate kept."""
    if not math.isfinite(limit):
        return math.nan
    real = s.passes_of(layout)
    off = met.pass_seconds / float(real.seconds(_load(s, riders, met.context, fresh, 0.0)))

    def takes(count: float) -> float:
        return off * float(real.seconds(_load(s, count, met.context, fresh * count / riders, 0.0)))

    low, high = 0.0, max(s.account(layout).holds, riders)
    high = high if math.isfinite(high) else 1e6
    if takes(high) <= limit:
        return high * copies
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if takes(max(middle, 1e-3)) <= limit else (low, middle)
    return low * copies
