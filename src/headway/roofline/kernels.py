"""Seconds of one kernel and of one collective: amounts over rates, with every departure from ideal in the calibration.

All amounts may be arrays, and so may the calibration's numbers: one pass, or a hundred thousand kernels of many
passes at once (a fit), go through the same few lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Real = Any  # a float or a NumPy array; everything broadcasts
Numbers = Any  # a Calibration, or a view of many with the same names and arrays for values

_SHARES = {"bf16": "compute_efficiency", "fp8": "fp8_efficiency", "int8": "int8_efficiency", "fp4": "fp4_efficiency"}


class Kind(NamedTuple):
    """What decides which efficiencies and overheads a kernel or collective meets.

    Attributes
    ----------
    family : str
        ``linear``, ``head``, ``experts``, ``attention``, ``state``; or ``all-reduce``, ``all-to-all``.
    rate : str
        Compute kind used: ``bf16``, ``fp8``, ``int8`` or ``fp4``.
    weight_only : bool
        Weights of fewer bits than the multiplication: they are unpacked first.
    block_scales : bool
        Activations get a scale per group of elements at run time; one fixed scale costs nothing beside the norm before.
    """

    family: str
    rate: str = "bf16"
    weight_only: bool = False
    block_scales: bool = False


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
        Kernels launched; matrix products (or attention reads) among them; layers.
    uneven_bytes, uneven_flops : float or array
        How far the busiest chip lies above these amounts by the luck of routing, as shares of them.
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


@dataclass(frozen=True, slots=True)
class Transfer:
    """What one kind of collective sends in one pass from one chip.

    Attributes
    ----------
    sent, outside : float or array
        Over the scale-up link; over the scale-out network, where the ranks are more than the link joins. [bytes]
    messages, ranks : float or array
        Collectives one after another; chips of one scale-up domain that take part in each.
    link, scale_out : float or array
        Bandwidths per direction. [bytes/s]
    leaving : float or array
        Messages among them that go outside.
    """

    sent: Real
    messages: Real
    ranks: Real
    link: Real
    outside: Real = 0.0
    scale_out: Real = 1.0
    leaving: Real = 0.0


class Parts(NamedTuple):
    """Seconds by resource, each as if it ran alone; `busy` joins compute and memory."""

    compute: Real
    memory: Real
    busy: Real
    overhead: Real


def together(compute: Real, memory: Real, knee: Real) -> Real:
    """Return the time of two overlapping machines: their maximum, softened at the corner (measured on GEMMs).

    Notes
    -----
    (a^p + b^p)^(1/p) with p = 1/knee: at a = b it is 2^knee times the maximum, far from the corner the maximum.
    """
    longer, shorter = np.maximum(compute, memory), np.minimum(compute, memory)
    if not np.any(knee):
        return longer
    soft = np.maximum(knee, 1e-3)
    ratio = shorter / np.where(longer > 0, longer, 1.0)
    return longer * (1.0 + ratio ** (1.0 / soft)) ** np.where(np.asarray(knee) > 0, soft, 0.0)


def kernel_time(kind: Kind, a: Amounts, c: Numbers) -> Parts:
    """Return the seconds of a kernel: E1 to E3 with efficiencies, plus what each launch costs.

    Notes
    -----
    compute = FLOPs/(peak x efficiency); memory = (bytes + activation traffic)/(bandwidth x efficiency);
    overhead = kernels x kernel_seconds + what quantising, unpacking and attention add per product. A constant time
    per kernel makes efficiency a saturating curve of operation size, b/(b + b0): what small GEMMs measure.
    """
    share = getattr(c, _SHARES[kind.rate])
    memory_share, flops, moved = c.memory_efficiency, a.flops, a.bytes
    overhead = a.kernels * c.kernel_seconds
    match kind.family:
        case "attention":
            share, memory_share = c.attention_compute_efficiency, c.attention_memory_efficiency
            overhead = overhead + a.products * c.attention_seconds
        case "experts":
            share, memory_share = share * c.expert_compute_efficiency, c.expert_memory_efficiency
            flops = flops * (1 + c.expert_imbalance * a.uneven_flops)
            moved = moved * (1 + c.expert_imbalance * a.uneven_bytes)
            if kind.weight_only:
                overhead = overhead + a.layers * c.expert_dequantise_seconds
        case "linear" | "head":
            if kind.weight_only:
                overhead = overhead + a.products * c.dequantise_seconds
            elif kind.rate != "bf16" and kind.block_scales:
                # FP4 engines scale activations in one more launch; FP8 ones, per token and block of 128, in a dearer pass
                overhead = overhead + a.products * (c.quantise_seconds if kind.rate == "fp8" else c.kernel_seconds)
        case _:
            pass
    compute = flops / (a.peak * share)
    memory = (moved + c.activation_traffic * a.temporaries) / (a.bandwidth * memory_share)
    return Parts(compute, memory, together(compute, memory, c.knee), overhead)


def pass_overhead(sequences: Real, prompt_layers: Real, c: Numbers) -> Real:
    """Return what a forward pass costs beside its kernels: scheduler, sampling, and prompts' uncaptured launches. [s]

    Parameters
    ----------
    sequences : float or array
        Of the busiest data-parallel group: each has its own scheduler.
    prompt_layers : float or array
        Layers, in a pass that carries part of a prompt; 0 in a pure decode.
    """
    return c.step_seconds + sequences * c.sequence_seconds + prompt_layers * c.prefill_layer_seconds


def transfer_time(kind: Kind, t: Transfer, c: Numbers) -> tuple[Real, Real]:
    """Return (seconds on the wire, latency) of a collective.

    Notes
    -----
    Per message of s bytes over n ranks: s/(B e) + (n - 1) sqrt(s s0)/(B e), plus a latency. The square-root term is
    what NVLink all-reduces of 0.1 to 100 MB measure between their latency and their full bandwidth; s0 is
    `message_bytes`. An all-reduce that leaves its domain runs inside, then outside; an all-to-all uses both networks at
    once. Leaving costs a latency of its own.
    """
    rate = t.link * c.network_efficiency
    each = t.sent / np.maximum(t.messages, 1.0)
    ramp = (np.minimum(t.ranks, c.ramp_ranks) - 1.0) * np.sqrt(each * c.message_bytes) * t.messages
    inside, outside = (t.sent + ramp) / rate, t.outside / (t.scale_out * c.network_efficiency)
    apart = kind.family == "all-to-all"
    latency = t.messages * (c.exchange_seconds if apart else c.message_seconds) + t.leaving * c.outside_seconds
    return np.maximum(inside, outside) if apart else inside + outside, latency
