"""Equations of chapter 1: the roofline, the balance batch, trains, throughput, sparsity."""

from __future__ import annotations

from headway import batching, economics
from headway.equations.declared import (
    COUNT,
    NUMBER,
    PER_SECOND,
    RATIO,
    TOKENS,
    WHOLE,
    WORD,
    Equation,
    Parameter,
    Result,
    Row,
    Value,
)
from headway.equations.inputs import (
    ACTIVE,
    BANDWIDTH_,
    BATCH,
    CAPACITY,
    CHIPS,
    CONTEXT,
    EXPERTS,
    INTERVAL,
    KV,
    PEAK,
    PRICE,
    TOTAL,
    WIDTH,
    H,
)
from headway.hardware import Chip, chips, drain_time, hardware_ratio
from headway.models import fraction_touched, touched_experts
from headway.models.quality import effective_dense_parameters
from headway.roofline import Roofline, roofline, roofline_lecture_units

_SECTION = "1 batch size, latency and cost"
_TIMES = (
    Result("compute", "s"), Result("weights", "s", "reading them: the latency floor"), Result("kv", "s"),
    Result("step", "s", "no less than"), Result("bound"), Result("mfu"),
)  # fmt: skip


def _times(r: Roofline) -> tuple[Value, ...]:
    return r.compute, r.weights, r.kv, r.seconds, r.bound, r.mfu


def _roofline(**p: Value) -> tuple[Value, ...]:
    n = p["chips"]
    return _times(
        roofline(p["batch"], p["context"], p["kv_bytes"], p["active"], p["total"], p["bytes_per_parameter"],
                 n * p["flops"], n * p["bandwidth"])
    )  # fmt: skip


def _in_lecture_units(**p: Value) -> tuple[Value, ...]:
    return _times(
        roofline_lecture_units(p["batch"], p["context"], p["kv_bytes"], p["active"], p["total"], p["ratio"],
        p["bandwidth"])
    )  # fmt: skip


def _cost(interval: Value, batch: Value, chips: Value, price: Value) -> tuple[Value, ...]:
    return batching.per_million(batching.cost_per_token(interval, batch, chips, price / 3600)), 24 * chips * price


def _balance(ratio: Value, active: Value, total: Value, low: Value, high: Value) -> tuple[Value, ...]:
    s = batching.sparsity(total, active)
    star = batching.balance_batch(ratio, s)
    return (s, star, *batching.recommended_range(star, low, high))


def _hardware(flops: Value, bandwidth: Value, bytes_per_parameter: Value) -> tuple[Value, ...]:
    return (hardware_ratio(flops, bandwidth, bytes_per_parameter),)


def _chip(
    flops: Value, bandwidth: Value, bytes_per_parameter: Value, capacity: Value, chips: Value
) -> tuple[Value, ...]:
    ratio = hardware_ratio(flops, bandwidth, bytes_per_parameter)
    return ratio, drain_time(capacity, bandwidth), chips * capacity, chips * bandwidth


_WIDTHS = {"bf16": 2.0, "fp8": 1.0, "fp4": 0.5}


def _generations(**_: Value) -> list[Row]:
    """H and drain time of the catalogue's chips, oldest first."""

    def row(c: Chip) -> Row:
        rates = {k: getattr(c, k) for k in _WIDTHS}
        h = {f"H_{k}": hardware_ratio(v, c.bandwidth, _WIDTHS[k]) if v else None for k, v in rates.items()}
        return {"chip": c.name, "generation": c.generation, "year": c.year or None, **h, "drain_s": c.drain_time}

    return [row(c) for c in sorted(chips(), key=lambda c: (c.year or 9999, c.name))]


def _with_kv(balance: Value, context: Value, goldilocks: Value) -> tuple[Value, ...]:
    return (batching.balance_batch_with_kv(balance, context, goldilocks),)


def _waits(interval: Value, tokens: Value) -> tuple[Value, ...]:
    return (batching.worst_wait(interval), batching.mean_wait(interval), *batching.completion_window(interval, tokens))


def _drain(capacity: Value, bandwidth: Value) -> tuple[Value, ...]:
    return (drain_time(capacity, bandwidth),)


def _rate(batch: Value, interval: Value, traffic: Value, demand: Value) -> tuple[Value, ...]:
    rate = batching.throughput(batch, interval)
    return rate, batching.share_of_traffic(rate, traffic), batching.systems_needed(demand, rate)


def _penalty(balance: Value, batch: Value) -> tuple[Value, ...]:
    return (batching.batching_penalty(balance, batch),)


def _tier(price_ratio: Value, speed_ratio: Value, batch: Value, **p: Value) -> tuple[Value, ...]:
    n = p["chips"]
    one = roofline(1.0, p["context"], p["kv_bytes"], p["active"], p["total"], p["bytes_per_parameter"],
                   n * p["flops"], n * p["bandwidth"])  # fmt: skip
    tier = economics.tier_at(speed_ratio, batch, float(one.weights), float(one.kv), float(one.compute))
    cut = economics.implied_batch_cut(price_ratio, speed_ratio)
    return cut, tier.batch, tier.step_seconds, tier.price_multiple


def _touched(experts: Value, per_token: Value, batch: Value, skew: Value) -> tuple[Value, ...]:
    touched = touched_experts(experts, per_token, batch, float(skew))
    return (touched / experts if skew else fraction_touched(experts / per_token, batch)), touched


def _quality(active: Value, experts: Value, router: Value) -> tuple[Value, ...]:
    dense = effective_dense_parameters(active, experts, router)
    return dense, dense / active


_BALANCE = Parameter("balance", "B*", COUNT, "sequences", "balance batch, without KV", 2400.0, "E5, lecture 1.3")
_CONTEXT_IN_KV = CONTEXT.given(100e3, "half of L*")
_GOLDILOCKS = Parameter("goldilocks", "L*", TOKENS, "tokens", "where KV reads take as long as compute", 200e3, "E11")

EQUATIONS = (
    Equation(
        "E1", ("E2", "E3", "SYS-A1"), _SECTION, "step time of a decode pass",
        "t >= max(2 B N_active / (n FLOPS), (N_total w + B L k) / (n BW))",
        (BATCH, CONTEXT, KV, ACTIVE, TOTAL, WIDTH, PEAK, BANDWIDTH_, CHIPS), _TIMES, _roofline,
        ("roofline.roofline",), "T",
        "headway plan MODEL --on SYSTEM",
        "E2 is its compute term, E3 its memory term; the factor 2 is the vendors' (DIS-5)",
    ),
    Equation(
        "E1-lecture", (), _SECTION, "step time in the lecture's units",
        "t >= max(B N_active / (H BW), (N_total + B L k) / BW)",
        (BATCH, CONTEXT, KV, ACTIVE, TOTAL, H, BANDWIDTH_.given(64 * 8e12, "64 GB200: here of all chips together")),
        _TIMES,
        _in_lecture_units, ("roofline.roofline_lecture_units",), "T", "",
        "a parameter is a byte, a multiply-add one operation",
    ),
    Equation(
        "E4", ("SYS-A5",), _SECTION, "dollars per token", "cost = (t / B) n p", (INTERVAL, BATCH.given(2000.0,
        "lecture 1.3"),
        CHIPS.given(72.0, "a GB200 rack, lecture 3.2"), PRICE), (Result("cost", "$/Mtok"), Result("a_day", "$",
        "of all chips, busy or not")), _cost,
        ("batching.cost_per_token", "batching.per_million"), "T", "headway plan MODEL --on SYSTEM",
    ),
    Equation(
        "E5", ("SYS-A3",), _SECTION, "balance batch", "B* = H N_total / N_active; run 2 to 3 times that",
        (H, ACTIVE.given(32.0, "of DeepSeek's experts, lecture 1.3 (DIS-2)"), TOTAL.given(256.0,
        "of DeepSeek's experts, lecture 1.3 (DIS-2)"),
         Parameter("low", "", RATIO, "", "times the balance batch, at least", 2.0, "lecture 1.3 (DIS-6)"),
         Parameter("high", "", RATIO, "", "times the balance batch, at most", 3.0, "lecture 1.3 (DIS-6)")),
        (Result("sparsity"), Result("balance", "sequences"), Result("run_from", "sequences"), Result("run_to",
        "sequences")),
        _balance, ("batching.sparsity", "batching.balance_batch", "batching.recommended_range"), "T",
        "headway plan MODEL --on SYSTEM",
        "active and total in parameters, or both in experts; sparsity is total over active (DIS-1)",
    ),
    Equation(
        "E6", (), _SECTION, "hardware ratio", "H = (FLOPS / 2) w / BW", (PEAK, BANDWIDTH_, WIDTH),
        (Result("ratio", "", "H, multiply-adds per parameter read"),), _hardware, ("hardware.hardware_ratio",), "D",
        "headway ask SYS-A4", "'about 300' is said; the exact form with vendors' FLOPs is derived",
    ),
    Equation(
        "SYS-A4", (), _SECTION, "hardware table: H and drain time by chip generation",
        "H = (FLOPS / 2) w / BW; drain = C / BW; a rack: n C, n BW", (PEAK, BANDWIDTH_, WIDTH, CAPACITY,
        CHIPS.given(72.0, "lecture 3.2")),
        (Result("ratio"), Result("drain", "s"), Result("rack_memory", "bytes"), Result("rack_bandwidth", "bytes/s")),
        _chip,
        ("hardware.hardware_ratio", "hardware.drain_time"), "D", "headway catalog chips", "", _generations,
    ),
    Equation(
        "E7", (), _SECTION, "balance batch with KV reads", "B = B* / (1 - L / L*); none from L* on", (_BALANCE,
        _CONTEXT_IN_KV, _GOLDILOCKS),
        (Result("balance_with_kv", "sequences", "none where KV binds at every batch"),), _with_kv,
        ("batching.balance_batch_with_kv",), "D",
        "headway plan MODEL --on SYSTEM",
    ),
    Equation(
        "E8", ("SYS-A7",), _SECTION, "waits under departures every T",
        "worst = 2 T; mean = 1.5 T; n tokens take n T to (n + 1) T",
        (INTERVAL, Parameter("tokens", "n", COUNT, "tokens", "of one answer", 1.0, "one token")),
        (Result("worst", "s"), Result("mean", "s"), Result("answer_from", "s"), Result("answer_to", "s")), _waits,
        ("batching.worst_wait", "batching.mean_wait", "batching.completion_window"), "T",
        "headway trains MODEL --on SYSTEM --rate RATE",
        "2 T is said; the mean and the answer's time are derived",
    ),
    Equation(
        "E9", (), _SECTION, "drain time of a memory", "T = C / BW", (CAPACITY.given(288e9, "Rubin, lecture 1.4 (DIS-7)"),
        BANDWIDTH_.given(20e12, "Rubin as quoted, lecture 1.4 (DIS-7)")), (Result("drain", "s"),), _drain,
        ("hardware.drain_time",), "T",
        "headway ask SYS-A4",
    ),
    Equation(
        "E10", ("SYS-A8",), _SECTION, "throughput and scale",
        "rate = B / T; share = rate / traffic; racks = ceil(demand / rate)",
        (BATCH.given(2000.0, "lecture 1.3"), INTERVAL.given(1 / 64, "'about 64 a second', lecture 1.5"),
         Parameter("traffic", "", PER_SECOND, "tok/s", "of a provider, for the share", 128e6,
         "'hundreds of millions', lecture 1.5 (DIS-8)"),
         Parameter("demand", "", PER_SECOND, "tok/s", "that racks are counted for", 500e6, "lecture 6.3 (LIM-3)")),
        (Result("rate", "tok/s"), Result("share"), Result("racks", "racks")), _rate,
        ("batching.throughput", "batching.share_of_traffic", "batching.systems_needed"), "T",
        "headway plan MODEL --on SYSTEM",
        "a floor, not a peak: the batch, the 20 ms and a full rack are not tight together (lecture 1.6)",
    ),
    Equation(
        "SYS-A6", (), _SECTION, "batching penalty", "cost / floor = max(1, B* / B)", (_BALANCE, BATCH.given(1.0,
        "lecture 1.2")),
        (Result("cost_over_floor", "x"),), _penalty, ("batching.batching_penalty",), "D", "",
        "KV reads left out; 'a thousand times worse' is said",
    ),
    Equation(
        "SYS-A9", (), _SECTION, "fast, standard and slow tier",
        "batch cut = price ratio x speed ratio; tier: largest B with max(B t_c, t_w + B t_kv) <= t_standard / speed",
        (Parameter("price_ratio", "", RATIO, "", "fast price over standard", 6.0, "lecture 1.1"),
         Parameter("speed_ratio", "", RATIO, "", "tokens per second of a user, fast over standard; below 1: slow",
         2.5, "lecture 1.1"),
         BATCH.given(20000.0, "compute bound, so that 2.5x is there to be had"), CONTEXT, KV, ACTIVE, TOTAL, WIDTH,
         PEAK, BANDWIDTH_, CHIPS),
        (Result("batch_cut", "x", "if prices follow cost"), Result("batch", "sequences", "of the tier"),
        Result("step", "s"),
         Result("cost_multiple", "x", "over the standard tier")), _tier,
        ("economics.implied_batch_cut", "economics.tier_at", "roofline.roofline"), "D", "headway tiers MODEL --on SYSTEM",
    ),
    Equation(
        "SYS-A10", (), _SECTION, "share of experts touched", "1 - (1 - a / E)^B",
        (EXPERTS, Parameter("per_token", "a", WHOLE, "experts", "chosen per token", 8.0, "DeepSeek's config (DIS-2)",
        whole=True),
         BATCH.given(100.0, "an example"), Parameter("skew", "", NUMBER, "",
         "Zipf exponent of popularity; 0 is even", 0.0, "even")),
        (Result("share"), Result("touched", "experts")), _touched, ("models.fraction_touched",
        "models.touched_experts"), "D",
        "headway plan MODEL --on SYSTEM",
    ),
    Equation(
        "SYS-A11", (), _SECTION, "sparsity against quality",
        "log L = a log N + b log E^ + c log N log E^ + d, logarithms of base 10; dense N of equal loss",
        (ACTIVE.given(370e6, "lecture 1.7"), EXPERTS.given(64.0, "lecture 1.7"),
         Parameter("router", "", WORD, "", "whose coefficients", "S-BASE", "Clark et al. 2022", choices=("S-BASE",
         "RL-R", "HASH"))),
        (Result("dense_parameters", "parameters"), Result("multiple", "x")), _quality,
        ("models.quality.effective_dense_parameters",), "X",
        "", "1.3B is read off a plot in the lecture; the law is the paper's",
    ),
)  # fmt: skip
