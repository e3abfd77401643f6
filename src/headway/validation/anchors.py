"""Public anchors: published production and paper figures as named cases, our number beside theirs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from headway.hardware import System, system
from headway.models import Architecture, model
from headway.parallel import Layout, build_step
from headway.roofline import IDEAL, Load, Spread, compiled, profile
from headway.serving import memory_account


@dataclass(frozen=True)
class Anchor:
    """One published figure and ours.

    Attributes
    ----------
    name, what, unit : str
    theirs, ours, floor : float
        Published; the pooled engine's; the ideal machine's (a bound from the other side for a throughput). [`unit`]
    interval : (float, float)
        80 % interval of ours. [`unit`]
    note, source : str
        How ours was computed, and whose theirs is.
    """

    name: str
    what: str
    unit: str
    theirs: float
    ours: float
    floor: float
    interval: tuple[float, float]
    note: str
    source: str

    def record(self) -> dict[str, Any]:
        """Return the anchor for JSON."""
        return {
            "name": self.name, "what": self.what, "unit": self.unit, "theirs": self.theirs, "ours": self.ours,
            "ideal": self.floor, "low": self.interval[0], "high": self.interval[1], "note": self.note,
            "source": self.source,
        }  # fmt: skip


_DEEPSEEK = "DeepSeek, DeepSeek-V3/R1 inference system overview, 2025-03-01"
_PALM = "Pope et al. 2022, arXiv:2211.05102"
_LMSYS = "LMSYS, GB200 NVL72 part 1, 2025-06-16"


def anchors() -> list[Anchor]:
    """Return the anchors: DeepSeek's production, PaLM-540B on TPU v4, GB200 per GPU.

    Notes
    -----
    The pooled `modern` profile predicts all of them. None of these machines runs the engines that it was fitted on.
    """
    return [*_production(), *_palm(), _rack()]


class _Bench:
    """One model on one machine, timed ideal and with the pooled profile."""

    def __init__(self, arch: Architecture, on: System, layout: Layout, hidden: bool = False) -> None:
        self.step = build_step(arch, layout, on.adds_in_network)
        self.chip = on.chip
        found = profile("modern")
        self.real = replace(found.on(on.chip), network_overlap=1.0) if hidden else found.on(on.chip)
        outside = found.uncovered(on.chip, True, ranks=layout.chips)
        self.tpot: Spread = found.spread("closed_loop", "tpot", outside) or Spread(0, 0)
        self.ttft: Spread = found.spread("closed_loop", "ttft", outside) or Spread(0, 0)

    def seconds(self, load: Load) -> tuple[float, float]:
        """Return (ideal, real) time of a pass."""
        ideal, real = (float(compiled(self.step, self.chip, c).seconds(load)) for c in (IDEAL, self.real))
        return ideal, real

    def batch_at(self, seconds: float, context: float, most: float, ideal: bool) -> float:
        """Return the largest batch whose decode step takes at most `seconds`."""
        low, high = 1.0, most
        for _ in range(60):
            middle = math.sqrt(low * high)
            took = self.seconds(Load.decode(middle, context))[0 if ideal else 1]
            low, high = (middle, high) if took <= seconds else (low, middle)
        return low


def _rate(value: float, spread: Spread) -> tuple[float, float]:
    return value * math.exp(-spread.high), value * math.exp(-spread.low)


def _production() -> list[Anchor]:
    """DeepSeek's nodes of 8 H800: decode at 21 tok/s per user, prefill of what the cache does not have."""
    arch = model("deepseek-v3")
    decode = Layout(dp=144, ep=144, redundant=32)
    on = replace(system("h800x8"), chips=144)
    bench = _Bench(arch, on, decode, hidden=True)
    context, pace = 4989.0, 1 / 21
    most = memory_account(arch, decode, on, context).fits
    batch = [bench.batch_at(pace, context, most, ideal) for ideal in (True, False)]
    rate = [b / bench.seconds(Load.decode(b, context))[i] / 18 for i, b in enumerate(batch)]
    out = Anchor(
        "DeepSeek-V3 production, decode", "output tokens per node of 8 H800", "tok/s", 14_800, rate[1], rate[0],
        _rate(rate[1], bench.tpot),
        f"18 nodes as {decode} over 400 Gbit/s per chip, context 4,989, {batch[1]:,.0f} sequences at 21 tok/s each, communication "
        "hidden. The gap: theirs hides it behind a second half of the batch, which with the engines that ours was fitted on would cost "
        "twice the launches and weight reads; theirs launches fewer and shorter kernels",
        _DEEPSEEK,
    )  # fmt: skip
    layout = Layout(dp=32, ep=32)
    prefill = _Bench(arch, replace(on, chips=32), layout, hidden=True)
    tokens = 32 * 4 * 4096.0
    times = prefill.seconds(Load.prefill(32 * 4, 4096.0))
    hits = 0.563
    each = [tokens / t / 4 for t in times]
    read = Anchor(
        "DeepSeek-V3 production, prefill", "new input tokens per node of 8 H800", "tok/s", 73_700 * (1 - hits), each[1],
        each[0], _rate(each[1], prefill.ttft),
        f"4 nodes as {layout}, four prompts of 4,096 tokens per chip, communication hidden; theirs is 73,700 tok/s of which "
        "56.3 % cached. The gap: theirs is a day's mean, its load low at night and uneven between experts; ours is a full machine",
        _DEEPSEEK,
    )  # fmt: skip
    return [out, read]


def _palm() -> list[Anchor]:
    arch = model("PaLM-540B-64h", precision="int8", kv_precision="bf16")
    on = system("tpu v4x64")
    bench = _Bench(arch, on, Layout(tp=64))
    ideal, real = bench.seconds(Load.decode(64, 2048.0))
    low, high = math.exp(bench.tpot.low), math.exp(bench.tpot.high)
    token = Anchor(
        "PaLM-540B on 64 TPU v4, decode", "time per token, int8, batch 64, context 2,048", "ms", 29, real * 1e3,
        ideal * 1e3, (max(real * low, ideal) * 1e3, real * high * 1e3),
        "as tp64 with one all-reduce per layer over all chips. The gap: theirs cuts weights in two dimensions of the torus, "
        "which sends half as much over shorter rings", _PALM,
    )  # fmt: skip
    wide = model("PaLM-540B-64h", precision="bf16", kv_precision="bf16")
    prompt = _Bench(wide, on, Layout(tp=64))
    times = prompt.seconds(Load.prefill(512, 2048.0))
    useful = 2 * wide.active_parameters * 512 * 2048 / 64 / (on.chip.bf16 or 1.0)
    share = [100 * useful / t for t in times]
    return [
        token,
        Anchor(
            "PaLM-540B on 64 TPU v4, prefill", "MFU, bf16, batch 512, 2,048 tokens", "%", 76, share[1], share[0],
            _rate(share[1], prompt.ttft),
            "as tp64. The gap: theirs gathers weights instead of activations at this batch, which sends less", _PALM,
        ),
    ]  # fmt: skip


def _rack() -> Anchor:
    arch = model("deepseek-v3")
    layout = Layout(dp=64, ep=64)
    on = system("gb200-nvl72")
    bench = _Bench(arch, on, layout)
    context = 2050.0
    batch = min(memory_account(arch, layout, on, 2100.0).fits, 64 * 768.0)
    times = bench.seconds(Load.decode(batch, context))
    rate = [batch / t / 64 for t in times]
    return Anchor(
        "DeepSeek-V3 on GB200 NVL72, decode", "output tokens per GPU, 2,000-token prompts", "tok/s", 7_583, rate[1],
        rate[0], _rate(rate[1], bench.tpot),
        f"as {layout} (theirs: 48 GPUs), FP8, {batch / 64:,.0f} sequences per GPU. The gap: their pool only decodes, with overlap "
        "of its own", _LMSYS,
    )  # fmt: skip
