"""Seconds of one kernel: amounts over rates, with every departure from ideal in the calibration.

All amounts may be arrays, and so may the calibration's numbers: one pass, or a hundred thousand kernels of many
passes at once (a fit), go through the same few lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from headway.numeric import larger, where
from headway.roofline.join import together

Real = Any  # a float or a NumPy array; everything broadcasts
Numbers = Any  # a Calibration, or a view of many with the same names and arrays for values

_SHARES = {"bf16": "compute_efficiency", "fp8": "fp8_efficiency", "int8": "int8_efficiency", "fp4": "fp4_efficiency"}


class Kind(NamedTuple):
    """What decides which efficiencies and overheads a kernel or collective meets.

    Attributes
    ----------
    family : str
        ``linear``, ``head``, ``experts``, ``attention``, ``state``; or a collective's kind.
    rate : str
        Compute kind used: ``bf16``, ``fp8``, ``int8`` or ``fp4``.
    weight_only : bool
        Weights of fewer bits than the multiplication: they are unpacked first.
    block_scales : bool
        Activations get a scale per group of elements at run time; one fixed scale costs nothing beside the norm before.
    width : float
        Of one weight that the chip unpacks first, as stored; 0 otherwise. [bytes]
    """

    family: str
    rate: str = "bf16"
    weight_only: bool = False
    block_scales: bool = False
    width: float = 0.0


@dataclass(frozen=True, slots=True)
class Amounts:
    """What one kind of kernel does in one pass on one chip, and the rates it meets.

    Attributes
    ----------
    flops, bytes : float or array
        [FLOP, bytes]
    temporaries : float or array
        Activations in and out, if they go through memory. [bytes]
    peak, bandwidth : float or array
        [FLOP/s, bytes/s]
    kernels, products, layers : float or array
        Kernels launched; matrix products (or attention reads) among them; layers. [1, 1, layers]
    uneven_bytes, uneven_flops : float or array
        How far the busiest chip lies above these amounts by the luck of routing, as shares of them. [share]
    """

    flops: Real
    bytes: Real
    temporaries: Real
    peak: Real
    bandwidth: Real
    kernels: Real
    products: Real
    layers: Real
    uneven_bytes: Real = 0.0
    uneven_flops: Real = 0.0


class Parts(NamedTuple):
    """Seconds by resource, each as if it ran alone; `busy` joins compute and memory."""

    compute: Real
    memory: Real
    busy: Real
    overhead: Real


class Rates(NamedTuple):
    """Seconds of a FLOP, of a byte of weights, state or cache, and of one of activations in a kind of kernel. [s/FLOP, s/byte]"""

    flop: Real
    byte: Real
    activation: Real


def kernel_rates(kind: Kind, peak: Real, bandwidth: Real, c: Numbers) -> Rates:
    """Return what a FLOP and a byte take in a kind of kernel: one over the datasheet's rate times its efficiency.

    Parameters
    ----------
    kind : Kind
    peak, bandwidth : float or array
        The datasheet's. [FLOP/s, bytes/s]
    c : Calibration

    Notes
    -----
    Experts whose weights are unpacked come no faster than the general units unpack them: their rate goes with the peak
    of the 16-bit units (cores x clock), not with the memory.
    """
    share = getattr(c, _SHARES[kind.rate])
    memory_share = c.memory_efficiency
    if kind.family == "attention":
        share, memory_share = c.attention_compute_efficiency, c.attention_memory_efficiency
    elif kind.family == "experts":
        share, memory_share = share * c.expert_compute_efficiency, c.expert_memory_efficiency
    byte = 1.0 / (bandwidth * memory_share)
    if kind.family == "experts" and kind.width:
        return Rates(1.0 / (peak * share), larger(byte, c.expert_unpack_flops / (kind.width * peak)), byte)
    return Rates(1.0 / (peak * share), byte, byte)


def kernel_overhead(kind: Kind, kernels: Real, products: Real, layers: Real, c: Numbers) -> Real:
    """Return what launching takes, whatever the amounts. [s]

    Parameters
    ----------
    kind : Kind
    kernels, products, layers : float or array
        As of `Amounts`. [1, 1, layers]
    c : Calibration

    Notes
    -----
    kernels x kernel_seconds + what quantising, unpacking and attention add per product. A constant time per kernel makes
    efficiency a saturating curve of operation size, b/(b + b0): what small GEMMs measure.
    """
    overhead = kernels * c.kernel_seconds
    match kind.family:
        case "attention":
            return overhead + products * c.attention_seconds
        case "experts" if kind.weight_only:
            return overhead + layers * c.expert_dequantise_seconds
        case "linear" | "head" if kind.weight_only:
            return overhead + products * c.dequantise_seconds
        case "linear" | "head" if kind.rate != "bf16" and kind.block_scales:
            # FP4 engines scale activations in one more launch; FP8 ones, per token and block of 128, in a dearer pass
            return overhead + products * (c.quantise_seconds if kind.rate == "fp8" else c.kernel_seconds)
        case _:
            return overhead


def kernel_time(kind: Kind, a: Amounts, c: Numbers) -> Parts:
    """Return the seconds of a kernel: E1 to E3 with efficiencies, plus what each launch costs.

    Notes
    -----
    compute = FLOPs/(peak x efficiency); memory = (bytes + activation traffic)/(bandwidth x efficiency); both joined by
    `together`.
    """
    rates, flops, moved = kernel_rates(kind, a.peak, a.bandwidth, c), a.flops, a.bytes
    if kind.family == "experts":
        flops = flops * (1 + c.expert_imbalance * a.uneven_flops)
        moved = moved * (1 + c.expert_imbalance * a.uneven_bytes)
    compute = flops * rates.flop
    memory = moved * rates.byte + c.activation_traffic * a.temporaries * rates.activation
    overhead = kernel_overhead(kind, a.kernels, a.products, a.layers, c)
    return Parts(compute, memory, together(compute, memory, c.knee), overhead)


def with_launches(seconds: Real, launches: Real, prompted: Real, c: Numbers) -> Real:
    """Return the time of a pass beside the host that launches its kernels: the longer counts, softened as a kernel's corner. [s]

    Parameters
    ----------
    seconds : float or array
        Of the pass on its chips. [s]
    launches : float or array
        Kernels and collectives of the pass. [1]
    prompted : float or array
        Tokens of prompts in the pass. Without any it is a decode step, which engines replay from a graph. [tokens]
    c : Calibration
    """
    host = launches * c.launch_seconds
    return together(seconds, where(prompted > 0, host, 0.0 * host), c.knee)


def pass_overhead(sequences: Real, c: Numbers) -> Real:
    """Return what a forward pass costs beside its kernels: scheduler and sampling. [s]

    Parameters
    ----------
    sequences : float or array
        Of the busiest data-parallel group: each has its own scheduler. [sequences]
    c : Calibration
    """
    return c.step_seconds + sequences * c.sequence_seconds
