"""What each price says by itself: closed forms, each with what it assumes and where that breaks (lecture 1.1, 7.1 to 7.4)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from headway.catalog import default
from headway.economics.cache_tiers import tier_of_ttl
from headway.economics.from_prices import (
    attention_context_from_step,
    cache_premium,
    candidate_shapes,
    kv_bytes_from_step,
    read_price_ratio,
)
from headway.economics.hosted_steps import hosted_steps, slopes
from headway.economics.physics_of_prices import Machine, floor_bounds
from headway.economics.price_fit import truth
from headway.economics.price_lists import PriceList, opened
from headway.economics.tiers import implied_batch_cut, weights_share

_LAYERS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 62, 80, 94)  # numbers of layers with a cache of their own that models have
_TOLD = 3  # candidate shapes
_LEAST, _MOST = 0.05, 0.95  # shares of open models' sellers between which the multiple of the floor is taken
_TIMES = {"write_5m": ("5-minute write", 300.0), "write_1h": ("1-hour write", 3600.0)}
_LINKS = (("flash", 7e9), ("DDR", 512e9))  # of memory_tiers, the lecture's (7.4)


@dataclass(frozen=True, slots=True)
class Reading:
    """One price read by itself.

    Attributes
    ----------
    name : str
        What is read, and by which estimator.
    value : float
        In `unit`. [`unit`]
    low, high : float
        Range, where the reading is one; equal to `value` where it is a point. [`unit`]
    unit : str
    says : str
        In words.
    assumes, breaks : str
        What it takes for granted, and where that does not hold.
    """

    name: str
    value: float
    unit: str
    says: str
    assumes: str
    breaks: str
    low: float
    high: float


def _point(name: str, value: float, unit: str, says: str, assumes: str, breaks: str,
           low: float | None = None, high: float | None = None) -> Reading:  # fmt: skip
    return Reading(
        name, value, unit, says, assumes, breaks, value if low is None else low, value if high is None else high
    )


def readings(prices: PriceList, on: Machine, dollars: float, n_active: float) -> list[Reading]:
    """Return what every price of a list says by itself.

    Parameters
    ----------
    prices : PriceList
    on : Machine
    dollars : float
        Rent of one of its chips. [$/h]
    n_active : float
        Active parameters that the lecture's estimator takes, 100e9 in the lecture. [parameters]
    """
    parts = (_floor(prices, on, dollars), _ratio(prices), _steps(prices, on, dollars, n_active), _cached(prices, on, n_active),
             _written(prices), _fast(prices))  # fmt: skip
    return [r for part in parts for r in part]


def multiples(on: Machine, dollars: float, without: str = "") -> tuple[float, float]:
    """Return the least and the most that sellers of open models ask for input above the compute floor (5 % to 95 %).

    Parameters
    ----------
    on : Machine
    dollars : float
        Rent of a chip. [$/h]
    without : str
        Shape to leave out.
    """
    found = [
        x.input * 1e-6 / (2 * truth(x.model).active / on.flops * dollars / 3600)
        for x in opened(single=True)
        if x.shape != without
    ]
    low, high = np.quantile(found, [_LEAST, _MOST])
    return float(low), float(high)


def _floor(p: PriceList, on: Machine, dollars: float) -> Iterator[Reading]:
    asked = multiples(on, dollars, p.shape)
    low, high = floor_bounds(p.input, dollars, on.flops, asked)
    yield _point(
        "active parameters from the compute floor", math.sqrt(low * high), "parameters",
        f"{asked[0]:.1f}x to {asked[1]:.0f}x the floor is what sellers of open models ask: a range {high / low:.0f}x wide",
        "this seller asks as sellers of open models do", "its margin, chips and formats are its own", low, high,
    )  # fmt: skip


def _ratio(p: PriceList) -> Iterator[Reading]:
    said = read_price_ratio(p.output, p.input)
    yield _point(
        "memory over compute in decode, from output/input", float(said.memory_over_compute), "times",
        f"decode runs at {float(said.decode_mfu):.0%} of prefill's MFU; passes of "
        f"{float(said.crossover_tokens):.1f} or more tokens are compute-bound",
        "prices follow cost in both (E24)", "prefill below its peak, answers sold at another margin than prompts, drafts",
    )  # fmt: skip


def _steps(p: PriceList, on: Machine, dollars: float, n_active: float) -> Iterator[Reading]:
    if not p.edges:
        return
    ratio = default("lecture_hardware_ratio")
    k = float(kv_bytes_from_step(n_active, p.edges[0], ratio))
    yield _point(
        "KV bytes, lecture's (E22)", k, "bytes/token",
        f"k = N/(300 L) at {p.edges[0]:,.0f} tokens with N = {n_active / 1e9:g}e9, one byte a number;{_shapes(k, 1.0)}",
        "the step is where KV reads equal compute, at full MFU; N is right",
        f"{_hosted('lecture')}: sellers step where it suits them",
    )  # fmt: skip
    found = slopes(p, on.bandwidth, dollars)
    if found:
        middle = float(np.exp(np.mean(np.log(found))))
        yield _point(
            "KV bytes, by the slope", middle, "bytes/token",
            f"k = dP/dL x bandwidth / rent, per step {', '.join(f'{x:,.0f}' for x in found)};{_shapes(middle, 2.0)}",
            "each tier's output price pays the reads of its longest context, at cost and full bandwidth",
            f"{_hosted('slopes')}, most where attention is hybrid or sparse; margins push it up",
            min(found), max(found),
        )  # fmt: skip
    for a, b, near, far in zip(p.inputs, p.inputs[1:], p.edges, p.edges[1:], strict=False):
        if b > a:
            alone = float(attention_context_from_step(b / a, near, far))
            told = (
                f"prefill attention alone explains it if it equals the weights' work at {alone:,.0f} tokens"
                if alone > 0
                else "more than prefill attention can explain"
            )
            yield _point(
                f"input step of {b / a:.2g}x at {near:,.0f} tokens", alone, "tokens", told,
                "prefill at full MFU, cost plus a constant margin",
                f"{_hosted('attention')}: such a step need say nothing about KV bytes",
            )  # fmt: skip


def _hosted(what: str) -> str:
    """How a reading did on hosted models whose shape is public."""
    known = [h for h in hosted_steps() if h.truth is not None]
    if what == "attention":
        at = [h.attention for h in known if h.attention is not None]
        return f"hosted models of known shape have that at {min(at):,.0f} to {max(at):,.0f} tokens"
    off = [(h.truth or 0.0) / k for h in known for k in (h.slopes if what == "slopes" else (h.lecture,)) if k]
    least, most = (f"{x:.1f}" if x < 10 else f"{x:.0f}" for x in (min(off), max(off)))
    return f"hosted models of known shape have {least} to {most}x that (in 16 bits)"


def _shapes(k: float, width: float) -> str:
    found = candidate_shapes(k, width, layers=_LAYERS)[:_TOLD]
    told = ", ".join(f"{s.layers} x {s.kv_heads} x {s.head_dim}" for s in found)
    return f" like {told} (layers x KV heads x width, {width:g} B each)" if told else " no plain shape has that"


def _cached(p: PriceList, on: Machine, n_active: float) -> Iterator[Reading]:
    if not p.cached:
        return
    share = p.cached / p.input
    per_token = 2 * n_active / (on.flops * on.mfu)
    each = [(name, share * per_token * link) for name, link in _LINKS]
    yield _point(
        "KV bytes from the cached price", math.sqrt(each[0][1] * each[1][1]), "bytes/token",
        f"a hit costs {share:.3g} of input: {', '.join(f'{k:,.0f} if kept in {name}' for name, k in each)}",
        "a hit is priced at the chip-time of moving its cache, input at that of computing it",
        "cached prices of open models do not follow their KV bytes: an upper bound at best", each[0][1], each[1][1],
    )  # fmt: skip


def _written(p: PriceList) -> Iterator[Reading]:
    for field, (name, held) in _TIMES.items():
        price = getattr(p, field)
        if price is None or price <= p.input:
            continue
        tier, factor = tier_of_ttl(held)
        hits = ""
        if p.cached is not None and p.cached < p.input:
            hits = f", paid back by hit {float(cache_premium(p.input, price, p.cached, held).break_even_hits):.0f}"
        yield _point(
            f"{name}: premium per second", (price - p.input) / held, "$/Mtok/s",
            f"{price / p.input:.3g}x input{hits}; kept in {tier}, whose drain time is {factor:.1f}x off",
            "a cache lives where draining the device takes as long as it is held (E26)",
            "the times to live that are sold are round numbers",
        )  # fmt: skip


def _fast(p: PriceList) -> Iterator[Reading]:
    if not p.fast:
        return
    price, speed = p.fast
    cut = float(implied_batch_cut(price, speed))
    share = float(weights_share(price, speed))
    told = f"the batch is cut {cut:.3g}x if the margin stays (weights then take {share:.0%} of the standard step); "
    yield _point(
        f"fast tier: {price:.3g}x the price, {speed:.3g}x the speed", cut, "times",
        told + f"if weights took nothing, speed alone would cut it {speed:.3g}x at no cost, and all of {price:.3g}x would be margin",
        "the same chips, no drafts", "speed is 'up to'; drafting and other chips make speed, too",
    )  # fmt: skip
