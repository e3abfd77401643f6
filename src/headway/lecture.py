"""The end-to-end reproducer (SYS-H6): from about a dozen inputs to every headline of the lecture.

It only calls the closed forms of the other rooms and prints each result beside the lecture's value: it is the proof,
not a second implementation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from headway import batching, economics, parallel, training
from headway.errors import unknown
from headway.hardware import drain_time, hardware_ratio, weights_read_time
from headway.models import bytes_per_token_closed_form
from headway.models.quality import effective_dense_parameters
from headway.units import COUNT, parse, seconds, si, some


def _input(default: float, about: str) -> Any:
    return field(default=default, metadata={"about": about})


@dataclass(frozen=True)
class Inputs:
    """What the lecture starts from; each can be overridden with ``--set name=value``. SI units unless the name says."""

    hardware_ratio: float = _input(300.0, "H, multiply-adds per parameter read (1.3)")
    experts: float = _input(256.0, "DeepSeek's routed experts (1.3)")
    active_experts: float = _input(32.0, "experts per token as the lecture says (1.3; the config says 8)")
    n_active: float = _input(100e9, "active parameters of a frontier model (6.3, 7.2)")
    n_total: float = _input(1e12, "stored parameters, 1 byte each (4.3, 5.2)")
    train_seconds: float = _input(0.020, "T, the interval between departures (1.4) [s]")
    hbm_capacity: float = _input(288e9, "Rubin's memory (1.4) [bytes]")
    hbm_bandwidth: float = _input(20e12, "Rubin's bandwidth as quoted (1.4) [bytes/s]")
    batch: float = _input(2000.0, "sequences per pass in the throughput example (1.5)")
    rack_chips: float = _input(72.0, "chips in a Blackwell rack (3.2)")
    bandwidth_ratio: float = _input(8.0, "scale-up over scale-out bandwidth (3.3)")
    price_per_hour: float = _input(2.0, "rental per GPU (1.2) [$/h]")
    world_rate: float = _input(128e6, "Gemini-size traffic, 'hundreds of millions' (1.5) [tok/s]")
    step_context: float = _input(200e3, "context where prices step up (7.1) [tokens]")
    company_rate: float = _input(500e6, "a company's traffic (6.3) [tok/s]")
    models_in_family: float = _input(10.0, "models sharing the traffic, 5 to 10 (6.3)")
    days: float = _input(60.0, "how long a model is current (6.3) [days]")
    rl_factor: float = _input(3.0, "RL FLOPs per parameter and token, 2 to 6 (6.2)")
    relative_mfu: float = _input(1 / 3, "decode MFU over training MFU (6.2)")
    price_ratio: float = _input(5.0, "output price over input price (7.3)")
    pipeline_stages: float = _input(4.0, "racks in the pipeline (4.3)")
    hop_seconds: float = _input(0.0025, "one rack-to-rack hop (5.3) [s]")


@dataclass(frozen=True, slots=True)
class Headline:
    """One headline: ours beside the lecture's.

    Attributes
    ----------
    id : str
        Equation or system of the lecture's specification.
    rounding : float
        Relative difference that the lecture's own rounding explains. [1]
    """

    id: str
    chapter: str
    what: str
    lecture: float | str
    computed: float | str
    unit: str = ""
    note: str = ""
    rounding: float = 1e-3

    @property
    def relative_difference(self) -> float | None:
        """(computed - lecture)/lecture; None for words."""
        if isinstance(self.lecture, str) or isinstance(self.computed, str):
            return None
        if self.lecture == 0:
            return 0.0 if self.computed == 0 else float("inf")
        return self.computed / self.lecture - 1

    @property
    def holds(self) -> bool:
        """True when ours equals the lecture's within its rounding."""
        difference = self.relative_difference
        return bool(self.computed == self.lecture if difference is None else abs(difference) <= self.rounding)

    def record(self) -> dict[str, Any]:
        """Return the row of ``headway lecture --json``."""
        shown = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("rounding", "note")}
        return {**shown, "relative_difference": self.relative_difference, "note": self.note}


def inputs(overrides: Mapping[str, str | float] | None = None) -> Inputs:
    """Return the lecture's inputs with overrides.

    Parameters
    ----------
    overrides : mapping
        Name of an input -> its value. [each input's unit, see `Inputs`]

    Raises
    ------
    InputError
        For an unknown name or a value that is not a positive number.
    """
    names = [f.name for f in dataclasses.fields(Inputs)]
    values: dict[str, float] = {}
    for name, text in (overrides or {}).items():
        if name not in names:
            raise unknown("lecture input", name, names, f"Inputs: {', '.join(names)}.")
        values[name] = parse(text, COUNT, f"--set {name}")
    return dataclasses.replace(Inputs(), **values)


def _said(value: float) -> str:
    """A number as the lecture says it: 200k, 500M."""
    return si(value).replace(" ", "")


def headlines(given: Inputs | None = None) -> list[Headline]:
    """Return every headline of the lecture, computed from `given` (the lecture's own inputs by default)."""
    chapters: tuple[Callable[[Inputs], Iterator[Headline]], ...] = (
        _batch, _trains, _context, _racks, _pipeline, _scale_up, _training, _prices, _tiers,
    )  # fmt: skip
    i = given or Inputs()
    return [row for chapter in chapters for row in chapter(i)]


def _batch(i: Inputs) -> Iterator[Headline]:
    c = "1 batch"
    cut = economics.implied_batch_cut(6.0, 2.5)
    yield Headline("1.1", c, "fast tier at 6x the price and 2.5x the speed: batch cut", 15, cut, "x")
    s = batching.sparsity(i.experts, i.active_experts)
    yield Headline(
        "E5", c, "sparsity of DeepSeek", 8, s, "", "the config routes 8 of 256 plus 1 shared: about 32 (DIS-2)"
    )
    star = batching.balance_batch(i.hardware_ratio, s)
    note = "real DeepSeek-V3 parameters (671/37) give 5,441 at H = 300 (DIS-2); a minimum, not a target (1.6)"
    yield Headline("E5", c, "balance batch", 2400, star, "sequences", note)
    low, high = batching.recommended_range(star, 2, 3)
    yield Headline("DIS-6", c, "recommended batch, low", 4800, low, "sequences")
    yield Headline("DIS-6", c, "recommended batch, high", 7200, high, "sequences")
    for name, peak, width, bandwidth, value in (
        ("H100 BF16", 989.5e12, 2, 3.35e12, 295.4),
        ("H100 FP8", 1979e12, 1, 3.35e12, 295.4),
        ("A100-80", 312e12, 2, 2.039e12, 153.0),
        ("B200 FP4", 10e15, 0.5, 8e12, 312.5),
    ):
        ratio = hardware_ratio(peak, bandwidth, width)
        yield Headline("E6", c, f"hardware ratio of {name}", value, ratio, "", "the lecture says about 300 for all")
    one = batching.batching_penalty(star, 1.0)
    yield Headline("A6", c, "cost at batch 1 over the floor", 2400, float(one), "x", "the lecture's 'a thousand times'")
    rent = i.price_per_hour / 3600
    shown = batching.per_million(batching.cost_per_token(i.train_seconds, i.batch, i.rack_chips, rent))
    yield Headline("E4", c, "decode on a rack at the example batch", 0.40, shown, "$/Mtok")
    lonely = batching.per_million(batching.cost_per_token(i.train_seconds, 1.0, i.rack_chips, rent))
    yield Headline("E4", c, "decode on a rack at batch 1", 800, lonely, "$/Mtok")
    with_kv = batching.balance_batch_with_kv(star, i.step_context / 2, i.step_context)
    yield Headline("E7", c, "balance batch with KV at half the goldilocks context", 4800, with_kv, "sequences")
    law = effective_dense_parameters(370e6, 64)
    yield Headline("A11", c, "dense equal of 370M x 64 experts", 1.3e9, law, "params", "read off a plot", 0.06)


def _trains(i: Inputs) -> Iterator[Headline]:
    c = "1 trains"
    drain = drain_time(i.hbm_capacity, i.hbm_bandwidth)
    yield Headline("E9", c, "drain time of Rubin", 0.0144, drain, "s", "said as 'about 15 ms'; 13.1 at 22 TB/s (DIS-7)")
    yield Headline("E8", c, "worst wait for a token", 0.040, batching.worst_wait(i.train_seconds), "s")
    yield Headline("1.4", c, "mean wait for a token", 0.030, batching.mean_wait(i.train_seconds), "s")
    rate = batching.throughput(i.batch, 1 / 64)
    note = "the 2,000, the 20 ms and the full rack are not tight together (1.6): a floor, not a peak"
    yield Headline("E10", c, "tokens per second of one rack (T = 1/64 s)", 128e3, rate, "tok/s", note)
    at = batching.throughput(i.batch, i.train_seconds)
    yield Headline("E10", c, f"tokens per second of one rack (T = {seconds(i.train_seconds)})", 100e3, at, "tok/s")
    yield Headline("1.5", c, "share of Gemini-size traffic", 1 / 1000, batching.share_of_traffic(rate, i.world_rate))
    racks = float(batching.systems_needed(i.company_rate, rate))
    yield Headline("A8", c, f"racks for {_said(i.company_rate)} tok/s", 3907, racks, "racks")


def _context(i: Inputs) -> Iterator[Headline]:
    c = "2 context"
    k = economics.kv_bytes_from_step(i.n_active, i.step_context, i.hardware_ratio)
    star = batching.goldilocks_context(i.n_active, i.hardware_ratio, k)
    yield Headline("E11", c, "goldilocks context of the inferred cache", 200e3, star, "tokens")
    mfu = float(batching.mfu_at_context(2 * star, star))
    yield Headline("E11", c, "MFU at twice the goldilocks context", 0.5, mfu)
    quad = batching.quadratic_context(i.n_active, k, 1.0, 8)
    yield Headline("B5", c, "context where attention FLOPs equal the weights'", 7.5e6, quad, "tokens", "'millions'")
    mla = bytes_per_token_closed_form(61, 288, 1, 2)  # 576 latent elements a layer, 2 bytes
    note = "real models keep far more than the 1,667 B that prices suggest"
    yield Headline("2", c, "DeepSeek-V3 cache per token (BF16)", 70272, mla, "bytes", note)
    yield Headline("2.3", c, "context for a month of work, dense cache", 204.8e9, 100e6 * 2048.0, "bytes")


def _racks(i: Inputs) -> Iterator[Headline]:
    c = "3 racks"
    placed = parallel.place_experts(int(i.experts), int(i.rack_chips))
    yield Headline("C2", c, "chips used for the experts", 64, placed.used, "chips")
    yield Headline("C2", c, "idle chips", 8, placed.idle, "chips")
    yield Headline("C2", c, "experts per chip", 4, placed.per_chip)
    for racks, value in ((2, 4.0), (4, 6.0), (8, 7.0)):
        slow = float(parallel.all_to_all_slowdown(racks, i.bandwidth_ratio))
        yield Headline("C4", c, f"all-to-all over {racks} racks", value, slow, "x")
    hopper = parallel.Domain(8, 80e9, 3.35e12, 1)
    yield Headline("C5", c, "memory of a Hopper box", 640e9, hopper.memory, "bytes")
    blackwell = parallel.Domain(i.rack_chips, 192e9, 8e12, 1)
    yield Headline("C5", c, "memory of a Blackwell rack", 13.8e12, blackwell.memory, "bytes", "10 to 20 TB", 0.005)


def _pipeline(i: Inputs) -> Iterator[Headline]:
    c = "4 pipeline"
    ratio = parallel.scale_up_over_scale_out(i.active_experts, 1, i.bandwidth_ratio)
    yield Headline(
        "E12",
        c,
        f"scale-up over scale-out time, {some(i.active_experts, 'expert')}, 1 layer",
        8.0,
        ratio,
        "x",
        "at least 1 is wanted",
    )
    few = float(parallel.fewest_layers_per_stage(2, i.bandwidth_ratio))
    yield Headline("E12", c, "fewest layers per stage with 2 activated experts", 2, few, "layers")
    idle = float(parallel.decode_idle_fraction(i.pipeline_stages))
    yield Headline(
        "E13", c, f"idle share of {some(i.pipeline_stages, 'rack')} with one inference at a time", 0.75, idle
    )
    full = float(parallel.decode_idle_fraction(i.pipeline_stages, i.pipeline_stages))
    yield Headline("E13", c, f"idle share with {i.pipeline_stages:g} in flight", 0, full)
    bubble = float(parallel.training_bubble(i.pipeline_stages, 16))
    yield Headline("4.3", c, f"training bubble of {some(i.pipeline_stages, 'stage')}, 16 micro-batches", 0.1579, bubble)
    for stages, weights in ((1, 15.625e9), (4, 3.90625e9)):
        held = parallel.capacity_per_chip(i.n_total, 1, 2400, 100e3, 2000, 64, stages)
        yield Headline("E17", c, f"weights per chip, {some(stages, 'rack')}", weights, held.weights, "bytes")
        note = "P cancels: P times more sequences are in flight"
        yield Headline("E17", c, f"KV per chip, {some(stages, 'rack')}", 7.5e9, held.kv, "bytes", note)


def _scale_up(i: Inputs) -> Iterator[Headline]:
    c = "5 scale-up"
    hopped = parallel.latency_with_hops(i.train_seconds, i.pipeline_stages, i.hop_seconds)
    yield Headline(
        "5.3",
        c,
        f"step with {some(i.pipeline_stages, 'rack hop')}",
        0.030,
        hopped,
        "s",
        "hop latency could be off by 10x (lecture)",
    )
    h100 = weights_read_time(i.n_total, 1, 8, 3.35e12)
    yield Headline("E18", c, f"reading {si(i.n_total, 'B')} of weights on 8 H100", 0.0373, h100, "s")
    rack = weights_read_time(i.n_total, 1, i.rack_chips, 8e12)
    yield Headline(
        "E18", c, f"reading {si(i.n_total, 'B')} of weights on {i.rack_chips:g} B200", 0.00174, rack, "s", "", 0.003
    )


def _training(i: Inputs) -> Iterator[Headline]:
    c = "6 training"
    best = training.balance_power_laws(9, 1, 4, 1)
    yield Headline("E1 opt", c, "minimum of 9/x + 4x", 1.5, best.x, "", "both costs 6; equal only when exponents are")
    ratio = training.token_balance(i.rl_factor, i.relative_mfu)
    yield Headline("E20", c, "D_pre over D_RL", 1.5, ratio.over_reinforcement)
    yield Headline("E21", c, "D_pre over D_inf", 1.0, ratio.over_inference)
    span = "two months" if i.days == Inputs().days else f"{i.days:g} day{'s' * (i.days != 1)}"
    family = training.lifetime_tokens(i.company_rate, i.days)
    yield Headline("E4 life", c, f"tokens of a family in {span}", 2.6e15, family, "tokens", "", 0.005)
    one = training.lifetime_tokens(i.company_rate, i.days, i.models_in_family)
    note = "rounded to 200e12 in the lecture (DIS-18)"
    yield Headline("E4 life", c, f"tokens of one model in {span}", 2.592e14, one, "tokens", note)
    chinchilla = training.over_training(200e12, i.n_active)
    yield Headline("E5 over", c, "Chinchilla tokens of the model", 2e12, chinchilla.chinchilla_tokens, "tokens")
    yield Headline("E5 over", c, "over-training at 200T tokens", 100, chinchilla.ratio, "x")
    unrounded = training.over_training(one, i.n_active).ratio
    yield Headline("E5 over", c, "over-training, unrounded", 129.6, unrounded, "x")
    cost = training.lifetime(1e11, 2e14, 2e14 / 1.5, 2e14, i.rl_factor, i.relative_mfu)
    yield Headline("E2 flop", c, "each of the three costs", 1.2e26, cost.reinforcement, "FLOP")


def _prices(i: Inputs) -> Iterator[Headline]:
    c = "7 prices"
    k = economics.kv_bytes_from_step(i.n_active, i.step_context, i.hardware_ratio)
    note = "'almost 2 kB'; exact units: FP8 1,667, FP4 833, BF16 3,333; real open models keep 4.9 to 516 kB"
    yield Headline("E22", c, f"KV bytes per token from the {_said(i.step_context)} step", 1666.7, k, "bytes", note)
    shape = bytes_per_token_closed_form(1, 128, 8)
    yield Headline("E23", c, "1 layer x 2 x 128 x 8 heads", 2048, shape, "bytes")
    reading = economics.read_price_ratio(i.price_ratio, 1.0)
    yield Headline("E24", c, "memory over compute time in decode", 5, reading.memory_over_compute, "x")
    yield Headline("E24", c, "decode MFU from the price ratio", 0.2, float(reading.decode_mfu))
    yield Headline("F2", c, "context that a 1.5x price covers", 300e3, economics.covered_context(1.5, i.step_context))
    mean = economics.mean_context_cost(i.step_context, 2 * i.step_context, i.step_context)
    note = "the 50 % itself is not derived; list price: output 1.5x, input 2x (DIS-15)"
    yield Headline(
        "7.1", c, f"mean cost from {_said(i.step_context)} to {_said(2 * i.step_context)}", 1.5, mean, "x", note
    )
    far = float(economics.context_cost(1e6, i.step_context))
    yield Headline("7.1", c, "cost at 1M tokens", 5.0, far, "x", "a loss at 1.5x")


def _tiers(i: Inputs) -> Iterator[Headline]:
    c = "7 tiers"
    five = economics.cache_premium(5, 6.25, 0.5, 300)
    hour = economics.cache_premium(5, 10, 0.5, 3600)
    yield Headline("F8", c, "premium of a 5-minute write", 0.0041667, five.per_second, "$/Mtok/s")
    yield Headline("F8", c, "premium of a 1-hour write", 0.0013889, hour.per_second, "$/Mtok/s")
    yield Headline("F7", c, "hits that pay for a 5-minute write", 1, float(five.break_even_hits), "hits")
    yield Headline("F7", c, "hits that pay for a 1-hour write", 2, float(hour.break_even_hits), "hits")
    for ttl, words, name in ((0.02, "20 ms", "HBM"), (5, "5 s", "DDR"), (300, "5 min", "flash"), (3600, "1 h", "disk")):
        note = "first guessed HBM and DDR, settled on flash and disk (DIS-13)" if ttl >= 300 else ""
        yield Headline(
            "E26", c, f"tier whose drain time is nearest {words}", name, economics.tier_of_ttl(ttl)[0], "", note
        )
    hold = economics.hbm_against_recompute(100e9, 5e15, 192e9, 2048)
    yield Headline("F4", c, "hold time where HBM costs as much as recomputing", 3750, hold, "s")
    rent = 1e6 * economics.recompute_cost(100e9, 5e15, i.price_per_hour / 3600)
    note = "list price $5: only ratios of prices are explained, not their height"
    yield Headline("7.4", c, "recomputing 1 Mtok", 0.022, rent, "$", note, 0.02)
