"""What single kernels measure: the priors of a serving fit, from the kernel evidence, through the same `kernel_time`.

A family of kernels is fitted over all its chips at once, with the few numbers that it determines.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.catalog import SHIPPED, Row
from headway.hardware import chip
from headway.roofline import Amounts, Calibration, Kind, Transfer, kernel_time, wire

Array = NDArray[np.float64]
_BYTES = {"bfloat16": 2.0, "fp8": 1.0, "fp8_block": 1.0, "nvfp4": 0.5625, "sq": 1.0, "w4a16_mxfp4": 0.53125}
_RATES = {"bfloat16": "bf16", "fp8": "fp8", "fp8_block": "fp8", "nvfp4": "fp4", "sq": "int8", "w4a16_mxfp4": "bf16"}


@dataclass(frozen=True)
class KernelFit:
    """Numbers that one family of kernels determines.

    Attributes
    ----------
    family : str
    numbers : mapping
    rows : int
        Measurements behind them. [rows]
    error : float
        Median |predicted/measured - 1|. [1]
    """

    family: str
    numbers: Mapping[str, float]
    rows: int
    error: float


def kernel_rows() -> list[Row]:
    """Return the kernel evidence: a row per measured kernel or collective."""
    text = gzip.decompress((SHIPPED / "evidence" / "kernels.csv.gz").read_bytes()).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def kernel_fits() -> list[KernelFit]:
    """Fit every family of the kernel evidence.

    Notes
    -----
    GEMMs by number format; decode attention by cache traffic; prefill attention by FLOPs (causal: half the square);
    balanced MoE by E (1 - (1 - k/E)^T) touched experts; NVLink all-reduces by size and ranks.
    """
    rows = kernel_rows()
    found = [_gemm(rows, dtype) for dtype in ("bfloat16", "fp8", "nvfp4", "sq")]
    return [*found, _decode(rows), _prefill(rows), _experts(rows, found), _all_reduce(rows)]


def kernel_differences(fits: Sequence[KernelFit]) -> dict[str, tuple[float, int]]:
    """Return what special kernels take beyond plain ones, as (median seconds, rows): the other priors.

    Parameters
    ----------
    fits : sequence of KernelFit
        Of `kernel_fits`.

    Notes
    -----
    Quantising: an FP8 product's launch over a 16-bit one's. Attention: decodes of at most 2,048 cached tokens, over one
    launch. Unpacking: INT8 and INT4 weights at up to 64 tokens over 16-bit ones of the same shape; MXFP4 experts at up
    to 64 tokens on Hopper over what the law of the balanced ones gives, as a time per layer and a rate (in FLOPs of the
    16-bit peak, not seconds): H100 and H200 take equal time at 1.43 times the bandwidth. Exchange: the smallest
    all-to-alls.
    """
    rows, by_family = kernel_rows(), {f.family: f for f in fits}
    launch = by_family["GEMM bfloat16"].numbers["kernel_seconds"]
    fp8 = by_family["GEMM fp8"]
    small = [r for r in rows if r["op"] == "attn_decode" and float(r["batch"]) * float(r["step"]) <= 2048]
    exchange = [r for r in rows if r["op"] == "nccl_alltoall" and float(r["message_elems"]) <= 256]
    weights = [r for r in rows if r["op"] == "gemm" and float(r["m"]) <= 64]
    unpacked = [d for dtype in ("int8_wo", "int4_wo") for d in _over(weights, dtype, ("system", "m", "n", "k"))]
    experts = _unpacked_experts(rows, fits)
    return {
        "quantise_seconds": (fp8.numbers["kernel_seconds"] - launch, fp8.rows),
        "attention_seconds": (_median(small) - launch, len(small)),
        "dequantise_seconds": (float(np.median(unpacked)), len(unpacked)),
        **{n: (v, experts.rows) for n, v in experts.numbers.items()},
        "exchange_seconds": (_median(exchange), len(exchange)),
    }


def _median(rows: Sequence[Row]) -> float:
    return float(np.median(_columns(rows, "latency_ms")[0])) / 1e3


def _over(rows: Sequence[Row], dtype: str, shape: Sequence[str]) -> list[float]:
    """Seconds that kernels of one format take beyond 16-bit ones of the same shape."""
    plain = {tuple(r[k] for k in shape): float(r["latency_ms"]) for r in rows if r["dtype"] == "bfloat16"}
    mine = [(tuple(r[k] for k in shape), float(r["latency_ms"])) for r in rows if r["dtype"] == dtype]
    return [(ms - plain[key]) / 1e3 for key, ms in mine if key in plain]


def _columns(rows: Sequence[Row], *names: str) -> list[Array]:
    return [np.array([float(r[n] or 0) for r in rows]) for n in names]


def _machine(rows: Sequence[Row], rate: str) -> tuple[Array, Array]:
    """Peak and bandwidth of each row's chip."""
    chips = {s: chip(s) for s in {r["system"] for r in rows}}
    return (
        np.array([chips[r["system"]].peak((rate, "bf16")) for r in rows]),
        np.array([chips[r["system"]].bandwidth for r in rows]),
    )


def _gemm(rows: Sequence[Row], dtype: str) -> KernelFit:
    mine = [r for r in rows if r["op"] == "gemm" and r["dtype"] == dtype]
    m, n, k, ms = _columns(mine, "m", "n", "k", "latency_ms")
    rate = _RATES[dtype]
    peak, bandwidth = _machine(mine, rate)
    moved = (n * k + m * k) * _BYTES[dtype] + 2 * m * n
    a = Amounts(2 * m * n * k, moved, 0.0, peak, bandwidth, 1.0, 1.0, 1.0)
    share = {"bf16": "compute_efficiency", "fp8": "fp8_efficiency", "fp4": "fp4_efficiency", "int8": "int8_efficiency"}[
        rate
    ]
    start = {"memory_efficiency": 0.8, share: 0.6, "knee": 0.5, "kernel_seconds": 4e-6}
    return _fit(f"GEMM {dtype}", start, ms / 1e3, _kernel(Kind("linear", rate), a))


def _decode(rows: Sequence[Row]) -> KernelFit:
    """Reads above 20 MB: smaller ones are all start-up and split-cache heuristics."""
    mine = [r for r in rows if r["op"] == "attn_decode" and r["kv_dtype"] == "bfloat16"]
    batch, step, heads, kv, dim, ms = _columns(mine, "batch", "step", "heads", "kv_heads", "head_dim", "latency_ms")
    kv = np.where(kv == 0, heads, kv)
    moved = batch * (step + 1) * 2 * kv * dim * 2
    peak, bandwidth = _machine(mine, "bf16")
    big = moved > 2e7
    a = Amounts(0.0 * moved[big], moved[big], 0.0, peak[big], bandwidth[big], 1.0, 1.0, 1.0)
    start = {"attention_memory_efficiency": 0.8, "attention_seconds": 8e-6}
    return _fit("decode attention over 20 MB", start, ms[big] / 1e3, _kernel(Kind("attention"), a))


def _prefill(rows: Sequence[Row]) -> KernelFit:
    mine = [r for r in rows if r["op"] == "attn_prefill" and (r["dtype"], r["kv_dtype"]) == ("bfloat16", "bfloat16")]
    batch, isl, heads, kv, dim, ms = _columns(mine, "batch", "isl", "heads", "kv_heads", "head_dim", "latency_ms")
    kv = np.where(kv == 0, heads, kv)
    peak, bandwidth = _machine(mine, "bf16")
    flops = 4 * batch * isl * (isl + 1) / 2 * heads * dim
    moved = batch * isl * 2 * (heads + kv) * dim * 2
    a = Amounts(flops, moved, 0.0, peak, bandwidth, 1.0, 1.0, 1.0)
    start = {"attention_compute_efficiency": 0.5, "attention_memory_efficiency": 0.4, "attention_seconds": 1e-5}
    return _fit("prefill attention", start, ms / 1e3, _kernel(Kind("attention"), a))


def _grouped(mine: Sequence[Row], products: Sequence[KernelFit]) -> tuple[Amounts, Array]:
    """Amounts and measured seconds of MoE kernels; rates are what single products of the format reach."""
    tokens, hidden, inner, k, count, tp, ep, ms = _columns(
        mine, "tokens", "hidden", "inter", "topk", "experts", "moe_tp", "moe_ep", "latency_ms"
    )
    plain = {"bf16": "compute_efficiency", "fp8": "fp8_efficiency"}
    single = {r: next(f.numbers[plain[r]] for f in products if plain[r] in f.numbers) for r in plain}
    chips = {s: chip(s) for s in {r["system"] for r in mine}}
    peaks = [chips[r["system"]].peak((_RATES[r["dtype"]], "bf16")) * single[_RATES[r["dtype"]]] for r in mine]
    width = np.array([_BYTES[r["dtype"]] for r in mine])
    weights, here = 3 * hidden * inner / tp, tokens * k / ep
    touched = count * (1 - (1 - k / count) ** tokens) / ep
    moved = touched * weights * width + here * (2 * hidden + 3 * inner / tp) * 2
    bandwidth = _machine(mine, "bf16")[1]
    return Amounts(2 * here * weights, moved, 0.0, np.array(peaks), bandwidth, 7.0, 2.0, 1.0), ms / 1e3


def _experts(rows: Sequence[Row], products: Sequence[KernelFit]) -> KernelFit:
    mine = [
        r for r in rows if r["op"] == "moe" and r["distribution"] == "balanced" and r["dtype"] in ("bfloat16", "fp8")
    ]
    amounts, measured = _grouped(mine, products)
    start = {"expert_memory_efficiency": 0.8, "expert_compute_efficiency": 0.5, "kernel_seconds": 4e-6}
    return _fit("balanced MoE", start, measured, _kernel(Kind("experts"), amounts))


def _unpacked_experts(rows: Sequence[Row], fits: Sequence[KernelFit]) -> KernelFit:
    """What unpacking adds to the law of balanced experts: a time per layer and a rate."""
    few = [r for r in rows if r["op"] == "moe" and r["dtype"] == "w4a16_mxfp4" and float(r["tokens"]) <= 64]
    amounts, measured = _grouped(few, fits)
    amounts = dataclasses.replace(amounts, peak=_machine(few, "bf16")[0])  # the rate is of the peak, not of a product's
    families = {f.family: f.numbers for f in fits}
    law = {**families["balanced MoE"], "compute_efficiency": families["GEMM bfloat16"]["compute_efficiency"]}
    start = {
        "expert_dequantise_seconds": 5e-5,
        "expert_unpack_flops": 180.0,
    }  # below 110 memory binds and nothing says how much
    kind = Kind("experts", weight_only=True, width=_BYTES["w4a16_mxfp4"])
    return _fit("unpacked MoE", start, measured, _kernel(kind, amounts), law)


def _all_reduce(rows: Sequence[Row]) -> KernelFit:
    mine = [r for r in rows if r["op"] == "custom_allreduce" and r["system"] != "l40s"]
    elements, ranks, ms = _columns(mine, "message_elems", "num_gpus", "latency_ms")
    link = np.array([chip(r["system"]).link for r in mine])
    t = Transfer(elements * 2, 1.0, ranks, link)

    def seconds(c: Calibration) -> Array:
        law = wire("all-reduce", t, c)
        return law.seconds() + law.latency

    start = {"network_efficiency": 0.6, "message_seconds": 4e-6, "message_bytes": 4e5}
    return _fit("NVLink all-reduce", start, ms / 1e3, seconds)


def _kernel(kind: Kind, amounts: Amounts) -> Callable[[Calibration], Array]:
    def seconds(c: Calibration) -> Array:
        found = kernel_time(kind, amounts, c)
        return found.busy + found.overhead

    return seconds


def _fit(
    family: str,
    start: Mapping[str, float],
    measured: Array,
    seconds: Callable[[Calibration], Array],
    known: Mapping[str, float] | None = None,
) -> KernelFit:
    """Fit logarithms of the numbers, robustly, beside those that are known; shares stay below 1."""
    from scipy.optimize import least_squares  # pyright: ignore[reportMissingTypeStubs]

    names = list(start)
    ideal = dataclasses.replace(Calibration(knee=0.5), **dict(known or {}))

    def numbers(x: Array) -> dict[str, Any]:
        values = np.exp(x)
        shares = [n.endswith("efficiency") or n == "knee" for n in names]
        return {n: float(min(v, 1.0) if s else v) for n, v, s in zip(names, values, shares, strict=True)}

    def residuals(x: Array) -> Array:
        return np.log(seconds(dataclasses.replace(ideal, **numbers(x))) / measured)

    x = least_squares(residuals, np.log(list(start.values())), loss="soft_l1", f_scale=0.1).x
    return KernelFit(family, numbers(x), len(measured), float(np.median(np.abs(np.expm1(residuals(x))))))
