"""What the lecture starts from: each number can be overridden with ``--set name=value``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headway.errors import unknown
from headway.units import COUNT, parse, si


def _input(default: float, about: str) -> Any:
    return field(default=default, metadata={"about": about})


@dataclass(frozen=True)
class Inputs:
    """What the lecture starts from; each can be overridden with ``--set name=value``. SI units unless the name says."""

    hardware_ratio: float = _input(300.0, "H, multiply-adds per parameter read (1.3; LIM-2)")
    experts: float = _input(256.0, "DeepSeek's routed experts (1.3)")
    active_experts: float = _input(32.0, "experts per token as the lecture says (1.3; the config says 8, DIS-2)")
    n_active: float = _input(100e9, "active parameters of a frontier model (6.3, 7.2; LIM-3)")
    n_total: float = _input(1e12, "stored parameters, 1 byte each (4.3, 5.2)")
    train_seconds: float = _input(0.020, "T, the interval between departures (1.4; LIM-2) [s]")
    hbm_capacity: float = _input(288e9, "Rubin's memory (1.4; DIS-7) [bytes]")
    hbm_bandwidth: float = _input(20e12, "Rubin's bandwidth as quoted (1.4; DIS-7) [bytes/s]")
    batch: float = _input(2000.0, "sequences per pass in the throughput example (1.5)")
    rack_chips: float = _input(72.0, "chips in a Blackwell rack (3.2)")
    bandwidth_ratio: float = _input(8.0, "scale-up over scale-out bandwidth (3.3; LIM-5)")
    price_per_hour: float = _input(2.0, "rental per GPU (1.2) [$/h]")
    world_rate: float = _input(128e6, "Gemini-size traffic, 'hundreds of millions' (1.5; DIS-8) [tok/s]")
    step_context: float = _input(200e3, "context where prices step up (7.1; DIS-15) [tokens]")
    company_rate: float = _input(500e6, "a company's traffic (6.3; LIM-3) [tok/s]")
    models_in_family: float = _input(10.0, "models sharing the traffic, 5 to 10 (6.3)")
    days: float = _input(60.0, "how long a model is current (6.3; LIM-3) [days]")
    rl_factor: float = _input(3.0, "RL FLOPs per parameter and token, 2 to 6 (6.2; CAV-5)")
    relative_mfu: float = _input(1 / 3, "decode MFU over training MFU (6.2; CAV-5)")
    price_ratio: float = _input(5.0, "output price over input price (7.3; DIS-12)")
    pipeline_stages: float = _input(4.0, "racks in the pipeline (4.3)")
    hop_seconds: float = _input(0.0025, "one rack-to-rack hop (5.3; LIM-3) [s]")
    fast_price: float = _input(6.0, "price of a fast tier over the standard one (1.1; DIS-22)")
    fast_speed: float = _input(2.5, "its streaming speed over the standard one's (1.1)")
    run_low: float = _input(2.0, "times the balance batch that practitioners run, at least (1.3; DIS-6)")
    run_high: float = _input(3.0, "times the balance batch that practitioners run, at most (1.3; DIS-6)")
    a100_flops: float = _input(312e12, "A100, dense BF16 (data sheet) [FLOP/s]")
    a100_bandwidth: float = _input(2.039e12, "A100 80 GB (data sheet) [bytes/s]")
    h100_flops: float = _input(989.5e12, "H100 SXM, dense BF16 (data sheet) [FLOP/s]")
    h100_fp8_flops: float = _input(1979e12, "H100 SXM, dense FP8 (data sheet) [FLOP/s]")
    h100_bandwidth: float = _input(3.35e12, "H100 SXM (data sheet) [bytes/s]")
    h100_memory: float = _input(80e9, "H100 SXM (3.4) [bytes]")
    h100_box: float = _input(8.0, "chips in a Hopper box (3.4)")
    b200_flops: float = _input(10e15, "B200 in GB200, dense FP4 (data sheet) [FLOP/s]")
    b200_bandwidth: float = _input(8e12, "B200 (data sheet) [bytes/s]")
    b200_memory: float = _input(192e9, "B200 (3.4) [bytes]")
    second_seconds: float = _input(1 / 64, "T rounded to 64 departures a second (1.5) [s]")
    routed_active: float = _input(370e6, "active parameters read off the plot (1.7)")
    routed_experts: float = _input(64.0, "experts read off the plot (1.7)")
    goldilocks: float = _input(100e3, "an ideal context, 'if it were' (2.1) [tokens]")
    longer: float = _input(200e3, "the context beyond it (2.1) [tokens]")
    query_group: float = _input(8.0, "query heads per KV head (2.3)")
    latent_layers: float = _input(61.0, "layers of DeepSeek-V3 (its config)")
    latent_width: float = _input(576.0, "cached elements per layer of DeepSeek-V3 (its config)")
    work_context: float = _input(100e6, "context for a month of work (2.3) [tokens]")
    few_experts: float = _input(2.0, "activated experts where one layer per rack is too little (4.2)")
    training_batches: float = _input(16.0, "micro-batches of a training pipeline (4.3)")
    held_context: float = _input(100e3, "context in the capacity example (5.2) [tokens]")
    held_kv: float = _input(2000.0, "cache per token in the capacity example (5.2) [bytes]")
    falling: float = _input(9.0, "coefficient of the falling cost (6.1)")
    rising: float = _input(4.0, "coefficient of the rising cost (6.1)")
    model_tokens: float = _input(200e12, "tokens of one model, rounded (6.3; DIS-18)")
    cache_layers: float = _input(1.0, "layers with a cache of their own (7.2)")
    head_dim: float = _input(128.0, "width of a head (7.2)")
    kv_heads: float = _input(8.0, "KV heads (7.2)")
    tariff: float = _input(1.5, "price above the step over that below (7.1; DIS-15)")
    mean_over: float = _input(2.0, "contexts above the step are averaged to so many times it (7.1)")
    far_context: float = _input(1e6, "a context far above the step (7.1) [tokens]")
    input_price: float = _input(5.0, "base input (7.4) [$/Mtok]")
    hit_price: float = _input(0.5, "a cache hit, a tenth of it (7.4; DIS-14) [$/Mtok]")
    write_short: float = _input(6.25, "a 5-minute write (7.4) [$/Mtok]")
    write_long: float = _input(10.0, "a 1-hour write (list price) [$/Mtok]")
    short_hold: float = _input(300.0, "time to live of the short cache (7.4; DIS-13) [s]")
    long_hold: float = _input(3600.0, "time to live of the long cache (7.4; DIS-13) [s]")
    recompute_flops: float = _input(5e15, "rate of the chip that recomputes (7.4) [FLOP/s]")


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


def said(value: float) -> str:
    """Return a number as the lecture says it: 200k, 500M.

    Parameters
    ----------
    value : float
        Of any unit. [any]
    """
    return si(value).replace(" ", "")
