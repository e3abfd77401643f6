"""Headlines of chapters 1 to 5: batches, trains, context, racks, pipelines."""

from __future__ import annotations

from collections.abc import Iterator

from headway import batching, economics, parallel
from headway.hardware import drain_time, hardware_ratio, weights_read_time
from headway.lecture.headline import Headline
from headway.lecture.inputs import Inputs, said
from headway.models import bytes_per_token_closed_form
from headway.models.quality import effective_dense_parameters
from headway.units import seconds, si, some


def batch(i: Inputs) -> Iterator[Headline]:
    """Chapter 1: the balance batch, hardware ratios, what a token costs."""
    c = "1 batch"
    cut = economics.implied_batch_cut(i.fast_price, i.fast_speed)
    what = f"fast tier at {i.fast_price:g}x the price and {i.fast_speed:g}x the speed: batch cut"
    yield Headline("SYS-A9", c, what, 15, cut, "D", "x")
    s = batching.sparsity(i.experts, i.active_experts)
    note = "the config routes 8 of 256 plus 1 shared: about 32 (DIS-2)"
    yield Headline("E5", c, f"sparsity of {i.experts:g} experts, {i.active_experts:g} active", 8, s, "T", "", note)
    star = batching.balance_batch(i.hardware_ratio, s)
    note = "real DeepSeek-V3 parameters (671/37) give 5,441 at H = 300 (DIS-2); a minimum, not a target (1.6)"
    yield Headline("E5", c, "balance batch", 2400, star, "T", "sequences", note)
    low, high = batching.recommended_range(star, i.run_low, i.run_high)
    yield Headline("E5", c, f"batch that is run, {i.run_low:g}x", 4800, low, "T", "sequences", "2 to 3 times (DIS-6)")
    yield Headline("E5", c, f"batch that is run, {i.run_high:g}x", 7200, high, "T", "sequences")
    for name, peak, width, bandwidth, value in (
        ("H100 BF16", i.h100_flops, 2, i.h100_bandwidth, 295.4),
        ("H100 FP8", i.h100_fp8_flops, 1, i.h100_bandwidth, 295.4),
        ("A100-80", i.a100_flops, 2, i.a100_bandwidth, 153.0),
        ("B200 FP4", i.b200_flops, 0.5, i.b200_bandwidth, 312.5),
    ):
        ratio = hardware_ratio(peak, bandwidth, width)
        note = "about 300 is said for all; from data sheets"
        yield Headline("E6", c, f"hardware ratio of {name}", value, ratio, "X", "", note)
    one = batching.batching_penalty(star, 1.0)
    yield Headline(
        "SYS-A6", c, "cost at batch 1 over the floor", 2400, float(one), "D", "x", "said: 'a thousand times'"
    )
    rent = i.price_per_hour / 3600
    for size, value in ((i.batch, 0.40), (1.0, 800)):
        cost = batching.per_million(batching.cost_per_token(i.train_seconds, size, i.rack_chips, rent))
        yield Headline("E4", c, f"decode on a rack at batch {size:,g}", value, cost, "D", "$/Mtok")
    with_kv = batching.balance_batch_with_kv(star, i.goldilocks, i.longer)
    what = f"balance batch with KV at {said(i.goldilocks)} of a goldilocks context of {said(i.longer)}"
    yield Headline("E7", c, what, 4800, with_kv, "D", "sequences")
    law = effective_dense_parameters(i.routed_active, i.routed_experts)
    what = f"dense equal of {said(i.routed_active)} x {i.routed_experts:g} experts"
    yield Headline("SYS-A11", c, what, 1.3e9, law, "T", "params", "read off a plot; ours is the paper's law", 0.06)


def trains(i: Inputs) -> Iterator[Headline]:
    """Chapter 1: departures, throughput and scale."""
    c = "1 trains"
    drain = drain_time(i.hbm_capacity, i.hbm_bandwidth)
    what = f"drain time of {si(i.hbm_capacity, 'B')} at {si(i.hbm_bandwidth, 'B/s')}"
    yield Headline("E9", c, what, 0.0144, drain, "T", "s", "Rubin; said as 'about 15 ms'; 13.1 at 22 TB/s (DIS-7)")
    yield Headline("E8", c, "worst wait for a token", 0.040, batching.worst_wait(i.train_seconds), "T", "s")
    yield Headline("E8", c, "mean wait for a token", 0.030, batching.mean_wait(i.train_seconds), "D", "s")
    rate = batching.throughput(i.batch, i.second_seconds)
    note = "the 2,000, the 20 ms and the full rack are not tight together (1.6): a floor, not a peak"
    what = f"tokens per second of one rack (T = {_interval(i.second_seconds)})"
    yield Headline("E10", c, what, 128e3, rate, "T", "tok/s", note)
    at = batching.throughput(i.batch, i.train_seconds)
    yield Headline("E10", c, f"tokens per second of one rack (T = {seconds(i.train_seconds)})", 100e3, at, "D", "tok/s")
    share = batching.share_of_traffic(rate, i.world_rate)
    yield Headline("E10", c, f"share of {said(i.world_rate)} tok/s, Gemini-size traffic", 1 / 1000, share, "T")
    racks = float(batching.systems_needed(i.company_rate, rate))
    yield Headline("SYS-A8", c, f"racks for {said(i.company_rate)} tok/s", 3907, racks, "D", "racks")


def _interval(value: float) -> str:
    """A departure interval: as a fraction of a second where it is one."""
    whole = round(1 / value)
    return f"1/{whole} s" if whole > 50 and abs(whole * value - 1) < 1e-9 else seconds(value)


def context(i: Inputs) -> Iterator[Headline]:
    """Chapter 2: goldilocks context, attention's own FLOPs, caches."""
    c = "2 context"
    shape = bytes_per_token_closed_form(i.cache_layers, i.head_dim, i.kv_heads)
    star = batching.goldilocks_context(i.n_active, i.hardware_ratio, shape)
    yield Headline("E11", c, f"goldilocks context of {shape:,g} bytes per token", 162_760, star, "D", "tokens")
    mfu = float(batching.mfu_at_context(i.longer, i.goldilocks))
    yield Headline("E11", c, f"MFU at {said(i.longer)} if {said(i.goldilocks)} is ideal", 0.5, mfu, "T")
    k = economics.kv_bytes_from_step(i.n_active, i.step_context, i.hardware_ratio)
    quad = batching.quadratic_context(i.n_active, k, 1.0, i.query_group)
    note = "'millions' is said"
    yield Headline("SYS-B5", c, "context where attention FLOPs equal the weights'", 7.5e6, quad, "D", "tokens", note)
    latent = bytes_per_token_closed_form(i.latent_layers, i.latent_width / 2, 1, 2)  # one latent for K and V, 2 bytes
    note = "real models keep far more than the 1,667 B that prices suggest"
    yield Headline("E23", c, "DeepSeek-V3 cache per token (BF16)", 70272, latent, "X", "bytes", note)
    dense = i.work_context * shape
    what = f"dense cache of {said(i.work_context)} tokens, a month of work"
    yield Headline("SYS-B4", c, what, 204.8e9, dense, "D", "bytes")


def racks(i: Inputs) -> Iterator[Headline]:
    """Chapter 3: experts on a rack, all-to-all, domains."""
    c = "3 racks"
    placed = parallel.place_experts(int(i.experts), int(i.rack_chips))
    yield Headline("SYS-C2", c, f"chips used for {some(i.experts, 'expert')}", 64, placed.used, "T", "chips")
    yield Headline("SYS-C2", c, f"idle chips of {i.rack_chips:g}", 8, placed.idle, "T", "chips")
    yield Headline("SYS-C2", c, "experts per chip", 4, placed.per_chip, "T")
    for number, value in ((2, 4.0), (4, 6.0), (8, 7.0)):
        slow = float(parallel.all_to_all_slowdown(number, i.bandwidth_ratio))
        yield Headline("SYS-C4", c, f"all-to-all over {number} racks", value, slow, "D", "x")
    hopper = parallel.Domain(i.h100_box, i.h100_memory, i.h100_bandwidth, 1)
    yield Headline(
        "SYS-C5", c, f"memory of a Hopper box, {some(i.h100_box, 'chip')}", 640e9, hopper.memory, "T", "bytes"
    )
    blackwell = parallel.Domain(i.rack_chips, i.b200_memory, i.b200_bandwidth, 1)
    what, note = f"memory of a Blackwell rack, {some(i.rack_chips, 'chip')}", "'10 to 20 TB' is said"
    yield Headline("SYS-C5", c, what, 13.8e12, blackwell.memory, "D", "bytes", note, 0.005)
    wider = blackwell.bandwidth / hopper.bandwidth
    yield Headline("SYS-C5", c, "bandwidth of the rack over the box's", 21.5, wider, "D", "x")


def pipeline(i: Inputs) -> Iterator[Headline]:
    """Chapters 4 and 5: rack boundaries, idle stages, memory per chip."""
    c = "4 pipeline"
    ratio = parallel.scale_up_over_scale_out(i.active_experts, 1, i.bandwidth_ratio)
    what = f"scale-up over scale-out time, {some(i.active_experts, 'expert')}, 1 layer"
    yield Headline("E12", c, what, 8.0, ratio, "D", "x", "at least 1 is wanted")
    few = float(parallel.fewest_layers_per_stage(i.few_experts, i.bandwidth_ratio))
    what = f"fewest layers per stage with {some(i.few_experts, 'activated expert')}"
    yield Headline("E12", c, what, 2, few, "D", "layers")
    racks = some(i.pipeline_stages, "rack")
    idle = float(parallel.decode_idle_fraction(i.pipeline_stages))
    yield Headline("E13", c, f"idle share of {racks} with one inference at a time", 0.75, idle, "T")
    bubble = float(parallel.training_bubble(i.pipeline_stages, i.training_batches))
    what = f"training bubble of {some(i.pipeline_stages, 'stage')}, {some(i.training_batches, 'micro-batch')}"
    yield Headline("SYS-D3", c, what, 0.1579, bubble, "D", "", "drawn, not written")
    micro = batching.balance_batch(i.hardware_ratio, batching.sparsity(i.experts, i.active_experts))
    chips = parallel.place_experts(int(i.experts), int(i.rack_chips)).used
    for stages, weights in ((1.0, 15.625e9), (i.pipeline_stages, 3.90625e9)):
        held = parallel.capacity_per_chip(i.n_total, 1, micro, i.held_context, i.held_kv, chips, stages)
        at = some(stages, "rack")
        yield Headline("E17", c, f"weights per chip, {at}", weights, held.weights, "D", "bytes")
        note = "P cancels: P times more sequences are in flight"
        yield Headline("E17", c, f"KV per chip, {at}", 7.5e9, held.kv, "D", "bytes", note)


def scale_up(i: Inputs) -> Iterator[Headline]:
    """Chapter 5: hops, and weights read with a domain's bandwidth."""
    c = "5 scale-up"
    hopped = parallel.latency_with_hops(i.train_seconds, i.pipeline_stages, i.hop_seconds)
    what, note = f"step with {some(i.pipeline_stages, 'rack hop')}", "hop latency could be off by 10x (lecture)"
    yield Headline("SYS-D5", c, what, 0.030, hopped, "T", "s", note)
    weights = si(i.n_total, "B")
    h100 = weights_read_time(i.n_total, 1, i.h100_box, i.h100_bandwidth)
    yield Headline("E18", c, f"reading {weights} of weights on {i.h100_box:g} H100", 0.0373, h100, "D", "s")
    rack = weights_read_time(i.n_total, 1, i.rack_chips, i.b200_bandwidth)
    what = f"reading {weights} of weights on {i.rack_chips:g} B200"
    yield Headline("E18", c, what, 0.00174, rack, "D", "s", "", 0.003)
