"""Two estimators of KV bytes per token from the steps of context prices, on hosted models whose shape is public (lecture 7.1, 7.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headway.catalog import catalogue, default
from headway.economics.from_prices import kv_bytes_from_slope, kv_bytes_from_step, prefill_attention_context
from headway.economics.price_lists import PriceList, stepped
from headway.hardware import chip
from headway.models import Architecture, kv_bytes_per_further_token, model

REFERENCE_CHIP = "h100"
REFERENCE_DOLLARS = 2.0  # $/h, the lecture's (1.2)


@dataclass(frozen=True, slots=True)
class HostedStep:
    """One priced model with context steps, and what both estimators say.

    Attributes
    ----------
    prices : PriceList
    n_active : float or None
        That the lecture's estimator takes: published, or the lecture's 100e9 where it is not. [parameters]
    lecture : float or None
        k = N/(300 L) at the first step. [bytes/token]
    slopes : tuple of float
        k from the rise of the output price between each pair of tiers. [bytes/token]
    truth : float or None
        Cache that each further token adds, in 16 bits, of the model that is sold. [bytes/token]
    attention : float or None
        Prompt whose attention takes as many FLOPs as its weights. [tokens]
    note : str
    """

    prices: PriceList
    n_active: float | None
    lecture: float | None
    slopes: tuple[float, ...]
    truth: float | None
    attention: float | None
    note: str

    @property
    def slope(self) -> float:
        """Geometric mean of the slopes. [bytes/token]"""
        return float(np.exp(np.mean(np.log(self.slopes))))


def slopes(prices: PriceList, bandwidth: float | None = None, dollars: float = REFERENCE_DOLLARS) -> tuple[float, ...]:
    """Return k from each step of the output price whose upper tier has an end; only steps that rise count.

    Parameters
    ----------
    prices : PriceList
    bandwidth : float or None
        Of a chip's memory; that of an H100 by default. [bytes/s]
    dollars : float
        Rent of the chip. [$/h]
    """
    speed = chip(REFERENCE_CHIP).bandwidth if bandwidth is None else bandwidth
    pairs = zip(prices.outputs, prices.outputs[1:], prices.edges, prices.edges[1:], strict=False)
    found = [
        float(kv_bytes_from_slope((b - a) * 1e-6, far - near, speed, dollars / 3600))
        for a, b, near, far in pairs
        if b > a
    ]
    return tuple(found)


def full_attention_context(found: Architecture, n_active: float | None = None) -> float | None:
    """Return the prompt whose full attention takes as many FLOPs as the weights; None unless all attention is full.

    Parameters
    ----------
    found : Architecture
    n_active : float or None
        Instead of the architecture's own count. [parameters]
    """
    kinds = {a.reach.kind for _, a in found.attends()}
    pairs = sum(n * (a.expanded_per_pair or a.flops_per_pair) for n, a in found.attends()) if kinds == {"full"} else 0.0
    active = found.active_parameters if n_active is None else n_active
    return float(prefill_attention_context(active, pairs)) if pairs else None


def hosted_steps(dollars: float = REFERENCE_DOLLARS) -> list[HostedStep]:
    """Return both estimators for every row of `price_steps`.

    Parameters
    ----------
    dollars : float
        Rent of an H100. [$/h]
    """
    found: list[HostedStep] = []
    for row in catalogue().table("price_steps").rows:
        prices = stepped(row)
        active = float(row["active_B"]) * 1e9 if row["active_B"] else None
        ratio = default("lecture_hardware_ratio")
        read = None if active is None else float(kv_bytes_from_step(active, prices.edges[0], ratio))
        shape = model(row["model"]) if row["model"] else None
        truth = None if shape is None else float(kv_bytes_per_further_token(shape))
        attention = None if shape is None else full_attention_context(shape, active)
        found.append(HostedStep(prices, active, read, slopes(prices, dollars=dollars), truth, attention, row["note"]))
    return found
