"""What tokens cost in terms of what nobody publishes: the forward model that joint inference turns round (lecture E1 to E4, E24)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.catalog import catalogue
from headway.hardware import chip

Array = NDArray[np.float64]
Real = Any  # a float or a NumPy array; everything broadcasts


@dataclass(frozen=True, slots=True)
class Guess:
    """A log-normal guess of `infer_priors`.

    Attributes
    ----------
    name, unit, about, source : str
    median : float
        In `unit`. [`unit`]
    spread : float
        Factor of one standard deviation. [times]
    """

    name: str
    median: float
    spread: float
    unit: str
    about: str
    source: str

    @property
    def sd(self) -> float:
        """Standard deviation of the logarithm. [1]"""
        return float(np.log(self.spread))


def guesses() -> dict[str, Guess]:
    """Return the stated guesses by name, each with its source."""
    rows = catalogue().table("infer_priors").rows
    return {
        r["name"]: Guess(r["name"], float(r["median"]), float(r["spread"]), r["unit"], r["about"], f"{r['source']}, {r['date']}")
        for r in rows
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Machine:
    """The chip that prices are read in: only ratios to it matter, its level goes into what is asked per chip-second.

    Attributes
    ----------
    name : str
    flops : float
        Peak that prompts use. [FLOP/s]
    bandwidth : float
        Of its memory. [bytes/s]
    mfu, mbu : float
        Shares of the two that prompts and decode steps reach. [share]
    weights_bytes, cache_bytes : float
        Of a parameter, and of a cached number for one that is kept in 16 bits. [bytes]
    """

    name: str
    flops: float
    bandwidth: float
    mfu: float
    mbu: float
    weights_bytes: float
    cache_bytes: float


def machine(name: str = "h100") -> Machine:
    """Return a chip of the catalogue as the machine that prices are read in, with the stated shares of its peaks."""
    found, g = chip(name), guesses()
    peak = found.peak(("fp8", "int8", "bf16", "fp16"))
    return Machine(found.name, peak, found.bandwidth, g["prefill_mfu"].median, g["decode_mbu"].median,
                   g["weights_bytes"].median, g["cache_bytes"].median)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Times:
    """Chip-seconds per token, each a float or an array.

    Attributes
    ----------
    prefill : float or array
        Of a prompt's token. [s]
    weights, cache, compute : float or array
        Of a decoded token: its share of reading weights, its cache, its multiplications. [s]
    """

    prefill: Real
    weights: Real
    cache: Real
    compute: Real

    @property
    def decode(self) -> Real:
        """The longer of memory and compute (E1 to E3). [s]"""
        return np.maximum(self.compute, self.weights + self.cache)


def times(on: Machine, active: Real, total: Real, kv: Real, batch: Real, context: Real) -> Times:
    """Return chip-seconds per token (lecture E2 to E4, E24).

    Parameters
    ----------
    on : Machine
    active, total : float or array
        Parameters touched per token, and stored. [parameters]
    kv : float or array
        Cache per token, counted in 16 bits. [bytes/token]
    batch, context : float or array
        Sequences that share a read of the weights; cached tokens that a step reads of each. [sequences, tokens]
    """
    compute = 2 * active / (on.flops * on.mfu)
    speed = on.bandwidth * on.mbu
    cached = kv / 2 * on.cache_bytes  # 16 bits a number where kv is counted
    return Times(compute, total * on.weights_bytes / batch / speed, cached * context / speed, compute)


def floor_bounds(price: float, dollars: float, flops: float, multiples: tuple[float, float]) -> tuple[float, float]:
    """Return bounds on active parameters from an input price over the compute floor (lecture E2, E4).

    Parameters
    ----------
    price : float
        Of input. [$/Mtok]
    dollars : float
        Rent of a chip. [$/h]
    flops : float
        Its peak. [FLOP/s]
    multiples : (float, float)
        Least and most that open models' sellers ask above that floor. [times]

    Notes
    -----
    price = multiple x 2 N_active / FLOPS x rent.
    """
    paid = price * 1e-6 / (dollars / 3600) * flops / 2
    return paid / multiples[1], paid / multiples[0]
