"""Equations of chapters 3 to 5: experts on a rack, all-to-all, domains, pipelines, memory, scale-up latency."""

from __future__ import annotations

from headway import parallel
from headway.equations.declared import BYTES, COUNT, NUMBER, SECONDS, WHOLE, Equation, Parameter, Result, Value
from headway.equations.inputs import (
    BANDWIDTH_,
    CAPACITY,
    CHIPS,
    CONTEXT,
    EXPERTS,
    INTERVAL,
    KV,
    RACK_RATIO,
    STAGES,
    TOTAL,
)
from headway.hardware import weights_read_time

_MOE, _PIPE, _SCALE = "3 experts on a rack", "4 pipelines across racks", "5 memory and latency of scale-up"
_RACK = CHIPS.given(72.0, "a Blackwell rack, lecture 3.2 (DIS-17)")
_WHOLE = Parameter(
    "chips", "n", WHOLE, "chips", "of the rack", 72.0, "a Blackwell rack, lecture 3.2 (DIS-17)", whole=True
)
_RACKS = Parameter("racks", "R", COUNT, "racks", "that share the experts", 2.0, "lecture 3.3")
_CHOSEN = Parameter(
    "active_experts", "n_act", COUNT, "experts", "activated per token", 32.0, "'maybe 32 or 16', lecture 4.2 (DIS-2)"
)
_DEPTH = Parameter("layers_per_stage", "", COUNT, "layers", "between rack changes", 1.0, "lecture 4.2")
_MICRO = Parameter("micro_batches", "M", COUNT, "", "in flight", 1.0, "'one inference at a time', lecture 4.3")
_SIZE = Parameter("bytes_per_parameter", "w", BYTES, "bytes", "per stored parameter", 1.0, "lecture 4.3")
_TRILLION = TOTAL.given(1e12, "a 1T model, lecture 4.3")


def _place(experts: Value, chips: Value) -> tuple[Value, ...]:
    p = parallel.place_experts(int(experts), int(chips))
    return p.used, p.idle, p.idle_share, p.per_chip


def _all_to_all(racks: Value, bandwidth_ratio: Value) -> tuple[Value, ...]:
    crossing = parallel.crossing_fraction(racks)
    slow = parallel.all_to_all_slowdown(racks, bandwidth_ratio)
    return crossing, slow, parallel.hops(False, True), parallel.hops(False, False)


def _domain(chips: Value, capacity: Value, bandwidth: Value, cables: Value) -> tuple[Value, ...]:
    d = parallel.Domain(chips, capacity, bandwidth, cables)
    return d.memory, d.bandwidth, d.cables


def _boundary(active_experts: Value, layers_per_stage: Value, bandwidth_ratio: Value) -> tuple[Value, ...]:
    ratio = parallel.scale_up_over_scale_out(active_experts, layers_per_stage, bandwidth_ratio)
    once = parallel.scale_up_over_scale_out(active_experts, layers_per_stage, bandwidth_ratio, both_ways=False)
    return ratio, "yes" if ratio >= 1 else "no", parallel.fewest_layers_per_stage(active_experts, bandwidth_ratio), once


def _idle(stages: Value, micro_batches: Value, stage_time: Value) -> tuple[Value, ...]:
    idle = parallel.decode_idle_fraction(stages, micro_batches)
    return idle, parallel.decode_token_latency(stages, micro_batches, stage_time)


def _bubble(stages: Value, micro_batches: Value) -> tuple[Value, ...]:
    held = [parallel.activations_held(stages, micro_batches, s) for s in ("gpipe", "1f1b")]
    return (parallel.training_bubble(stages, micro_batches), *held)


def _capacity(
    total: Value, bytes_per_parameter: Value, batch: Value, context: Value, kv_bytes: Value, chips: Value, stages: Value
) -> tuple[Value, ...]:
    c = parallel.capacity_per_chip(total, bytes_per_parameter, batch, context, kv_bytes, chips, stages)
    return c.weights, c.kv, c.total, c.global_batch, c.total * chips * stages


def _read(total: Value, bytes_per_parameter: Value, chips: Value, bandwidth: Value) -> tuple[Value, ...]:
    return (weights_read_time(total, bytes_per_parameter, chips, bandwidth),)


def _hops(interval: Value, hops: Value, hop: Value) -> tuple[Value, ...]:
    step = parallel.latency_with_hops(interval, hops, hop)
    return step, step / interval - 1


EQUATIONS = (
    Equation(
        "SYS-C2", (), _MOE, "experts on the chips of a rack", "used = largest divisor of E that is at most n",
        (EXPERTS, _WHOLE),
        (Result("used", "chips"), Result("idle", "chips"), Result("idle_share"), Result("experts_per_chip",
        "experts")), _place,
        ("parallel.place_experts",), "T", "headway racks MODEL --on SYSTEM",
    ),
    Equation(
        "SYS-C4", (), _MOE, "all-to-all over racks", "crossing = (R - 1) / R; slowdown = max(1 / R, r (R - 1) / R)",
        (_RACKS, RACK_RATIO),
        (Result("crossing", "", "share of the copies"), Result("slowdown", "x", "against one rack"),
        Result("hops_in_a_rack"),
         Result("hops_across_racks")), _all_to_all, ("parallel.crossing_fraction", "parallel.all_to_all_slowdown",
         "parallel.hops"), "D",
        "headway racks MODEL --on SYSTEM", "two racks, half crossing at 1/8 speed, and 2 hops in a rack are said",
    ),
    Equation(
        "SYS-C5", (), _MOE, "a scale-up domain", "memory = n C; bandwidth = n BW; cables = n c",
        (_RACK, CAPACITY, BANDWIDTH_, Parameter("cables", "c", COUNT, "cables", "per chip", 72.0,
        "18 NVLinks of 4 pairs: catalogue, domains")),
        (Result("memory", "bytes"), Result("bandwidth", "bytes/s"), Result("cables", "cables")), _domain,
        ("parallel.Domain",), "T",
        "headway racks MODEL --on SYSTEM",
    ),
    Equation(
        "E12", ("SYS-D1",), _PIPE, "is the rack boundary a bottleneck?",
        "t_up / t_out = 2 n_act layers / r, wanted >= 1",
        (_CHOSEN, _DEPTH, RACK_RATIO), (Result("ratio", "x"), Result("feasible"), Result("fewest_layers", "layers"),
        Result("without_the_2", "x", "dispatch alone")), _boundary,
        ("parallel.scale_up_over_scale_out", "parallel.fewest_layers_per_stage"), "T",
        "headway racks MODEL --on SYSTEM",
    ),
    Equation(
        "E13", ("SYS-D2",), _PIPE, "idle share of a decode pipeline",
        "idle = max(0, 1 - M / P); token every max(P, M) stages",
        (STAGES, _MICRO, Parameter("stage_time", "", SECONDS, "s", "of one stage", 1.0, "one unit")),
        (Result("idle"), Result("token_time", "s")), _idle, ("parallel.decode_idle_fraction",
        "parallel.decode_token_latency"), "T",
        "headway racks MODEL --on SYSTEM",
    ),
    Equation(
        "SYS-D3", (), _PIPE, "bubble of a training pipeline", "bubble = (P - 1) / (M + P - 1), GPipe and 1F1B",
        (STAGES, _MICRO.given(16.0, "an example")),
        (Result("bubble"), Result("held_gpipe", "micro-batches"), Result("held_1f1b", "micro-batches")), _bubble,
        ("parallel.training_bubble", "parallel.activations_held"), "D", "headway racks MODEL --on SYSTEM --training",
        "drawn in the lecture, not written",
    ),
    Equation(
        "E17", ("E14", "E15", "E16", "SYS-D4"), _SCALE, "memory per chip, and why P cancels for KV",
        "c = N_total w / (E P) + b L k / E, with B = P b sequences in all",
        (_TRILLION, _SIZE, Parameter("batch", "b", COUNT, "sequences", "of one micro-batch", 2400.0, "E5"),
        CONTEXT.given(100e3, "an example"),
         KV.given(2000.0, "an example"), CHIPS.given(64.0, "E, chips of a rack that hold experts, lecture 5.2"),
         STAGES),
        (Result("weights", "bytes"), Result("kv", "bytes"), Result("total", "bytes", "per chip"),
        Result("global_batch", "sequences"),
         Result("all_chips", "bytes", "E14")), _capacity, ("parallel.capacity_per_chip",), "T",
         "headway racks MODEL --on SYSTEM",
    ),
    Equation(
        "E18", (), _SCALE, "time to read the weights by scale-up size", "t = N_total w / (S BW)",
        (_TRILLION, _SIZE, Parameter("chips", "S", COUNT, "chips", "of the scale-up domain", 72.0,
        "a Blackwell rack, lecture 3.2 (DIS-17)"), BANDWIDTH_),
        (Result("read", "s"),), _read, ("hardware.weights_read_time",), "T", "headway racks MODEL --on SYSTEM",
    ),
    Equation(
        "SYS-D5", (), _SCALE, "a step with hops between racks", "t = T + hops x t_hop",
        (INTERVAL, Parameter("hops", "", NUMBER, "", "rack changes per token", 4.0, "lecture 5.3 (DIS-19)"),
         Parameter("hop", "", SECONDS, "s", "of one hop; could be off by 10x", 0.0025,
         "'about 10 ms' over 4, lecture 5.3 (LIM-3)")),
        (Result("step", "s"), Result("longer_by")), _hops, ("parallel.latency_with_hops",), "T",
        "headway racks MODEL --on SYSTEM --hop 2.5ms",
        "t_weights is E18",
    ),
)  # fmt: skip
