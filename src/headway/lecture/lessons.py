"""Headlines of chapters 6 and 7: training and over-training, what prices say, where caches lie."""

from __future__ import annotations

from collections.abc import Iterator

from headway import batching, economics, training
from headway.lecture.headline import Headline
from headway.lecture.inputs import Inputs, said
from headway.models import bytes_per_token_closed_form
from headway.units import seconds


def life(i: Inputs) -> Iterator[Headline]:
    """Chapter 6: equal costs, token balance, over-training."""
    c = "6 training"
    best = training.balance_power_laws(i.falling, 1, i.rising, 1)
    note = "both costs 6; equal only when exponents are"
    yield Headline("SYS-E1", c, f"minimum of {i.falling:g}/x + {i.rising:g}x", 1.5, best.x, "D", "", note)
    ratio = training.token_balance(i.rl_factor, i.relative_mfu)
    yield Headline("E20", c, "D_pre over D_RL", 1.5, ratio.over_reinforcement, "T")
    yield Headline("E21", c, "D_pre over D_inf", 1.0, ratio.over_inference, "T")
    span = "two months" if i.days == Inputs().days else f"{i.days:g} day{'s' * (i.days != 1)}"
    family = training.lifetime_tokens(i.company_rate, i.days)
    yield Headline("SYS-E4", c, f"tokens of a family in {span}", 2.6e15, family, "T", "tokens", "", 0.005)
    one = training.lifetime_tokens(i.company_rate, i.days, i.models_in_family)
    note = "rounded to 200e12 in the lecture (DIS-18)"
    yield Headline("SYS-E4", c, f"tokens of one model in {span}", 2.592e14, one, "D", "tokens", note)
    rounded = training.over_training(i.model_tokens, i.n_active)
    what = f"Chinchilla tokens of {said(i.n_active)} active parameters"
    yield Headline("SYS-E5", c, what, 2e12, rounded.chinchilla_tokens, "T", "tokens")
    yield Headline("SYS-E5", c, f"over-training at {said(i.model_tokens)} tokens", 100, rounded.ratio, "T", "x")
    unrounded = training.over_training(one, i.n_active).ratio
    yield Headline("SYS-E5", c, "over-training, unrounded", 129.6, unrounded, "D", "x")
    rollouts = i.model_tokens / ratio.over_reinforcement
    cost = training.lifetime(i.n_active, i.model_tokens, rollouts, i.model_tokens, i.rl_factor, i.relative_mfu)
    yield Headline("SYS-E2", c, "each of the three costs", 1.2e26, cost.reinforcement, "D", "FLOP")


def prices(i: Inputs) -> Iterator[Headline]:
    """Chapter 7: what prices say about caches and utilisation."""
    c = "7 prices"
    k = economics.kv_bytes_from_step(i.n_active, i.step_context, i.hardware_ratio)
    note = "'almost 2 kB'; exact units: FP8 1,667, FP4 833, BF16 3,333; real open models keep 4.9 to 516 kB"
    what = f"KV bytes per token from the {said(i.step_context)} step"
    yield Headline("E22", c, what, 1666.7, k, "T", "bytes", note)
    shape = bytes_per_token_closed_form(i.cache_layers, i.head_dim, i.kv_heads)
    what = f"{i.cache_layers:g} x 2 x {i.head_dim:g} x {i.kv_heads:g}: layers, head, KV heads"
    yield Headline("E23", c, what, 2048, shape, "T", "bytes")
    reading = economics.read_price_ratio(i.price_ratio, 1.0)
    what = f"decode MFU where output costs {i.price_ratio:g}x input"
    yield Headline("SYS-F3", c, what, 0.2, float(reading.decode_mfu), "T")
    covered = economics.covered_context(i.tariff, i.step_context)
    yield Headline("SYS-F2", c, f"context that a {i.tariff:g}x price covers", 300e3, covered, "D", "tokens")
    end = i.mean_over * i.step_context
    mean = economics.mean_context_cost(i.step_context, end, i.step_context)
    note = "the 50 % itself is not derived; list price: output 1.5x, input 2x (DIS-15)"
    what = f"mean cost from {said(i.step_context)} to {said(end)}"
    yield Headline("SYS-F2", c, what, 1.5, mean, "D", "x", note)
    far = float(economics.context_cost(i.far_context, i.step_context))
    yield Headline("SYS-F2", c, f"cost at {said(i.far_context)} tokens", 5.0, far, "D", "x", "a loss at 1.5x")


def tiers(i: Inputs) -> Iterator[Headline]:
    """Chapter 7: what cache writes cost, and where caches lie."""
    c = "7 tiers"
    short = economics.cache_premium(i.input_price, i.write_short, i.hit_price, i.short_hold)
    long = economics.cache_premium(i.input_price, i.write_long, i.hit_price, i.long_hold)
    near, far = seconds(i.short_hold).replace(" ", "-"), _hours(i.long_hold)
    yield Headline("SYS-F8", c, f"premium of a {near} write", 0.0041667, short.per_second, "D", "$/Mtok/s")
    yield Headline("SYS-F8", c, f"premium of a {far} write", 0.0013889, long.per_second, "D", "$/Mtok/s")
    yield Headline("SYS-F8", c, f"hits that pay for a {near} write", 1, float(short.break_even_hits), "D", "hits")
    yield Headline("SYS-F8", c, f"hits that pay for a {far} write", 2, float(long.break_even_hits), "D", "hits")
    places = ", ".join(economics.tier_of_ttl(t)[0] for t in (i.short_hold, i.long_hold))
    note = "first guessed HBM and DDR, settled on flash and disk (DIS-13)"
    yield Headline(
        "E26", c, f"tiers whose drain times are nearest {near} and {far}", "flash, disk", places, "T", "", note
    )
    kv = bytes_per_token_closed_form(i.cache_layers, i.head_dim, i.kv_heads)
    hold = economics.hbm_against_recompute(i.n_active, i.recompute_flops, i.b200_memory, kv)
    yield Headline("E25", c, "hold time where HBM costs as much as recomputing", 3750, hold, "D", "s")
    rent = batching.per_million(economics.recompute_cost(i.n_active, i.recompute_flops, i.price_per_hour / 3600))
    note = "list price $5: only ratios of prices are explained, not their height"
    yield Headline("E25", c, "recomputing 1 Mtok", 0.022, rent, "D", "$", note, 0.02)


def _hours(value: float) -> str:
    return f"{value / 3600:g}-h" if value >= 3600 else seconds(value).replace(" ", "-")
