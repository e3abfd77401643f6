"""Equations of chapter 7: the price step, prefill against decode, a context tariff, cache tiers, bills."""

from __future__ import annotations

from headway import batching, economics
from headway.equations.context import BYTES_IN_LECTURE, ELEMENT
from headway.equations.declared import (
    BANDWIDTH,
    BYTES,
    NUMBER,
    PER_HOUR,
    PER_MTOK,
    RATIO,
    SECONDS,
    TOKENS,
    Equation,
    Parameter,
    Result,
    Row,
    Value,
)
from headway.equations.inputs import ACTIVE, BATCH, CAPACITY, FRONTIER, KV, NEW, PEAK, STEP, H
from headway.hardware import drain_time

_SECTION = "7 prices and memory tiers"
_ACTIVE = ACTIVE.given(100e9, FRONTIER)
_READ_OUT = "read out in the lecture, 7.4"
_HELD = Parameter("held", "tau", SECONDS, "s", "between uses", 300.0, "a 5-minute cache, lecture 7.4 (DIS-13)")
_PEAK = PEAK.given(5e15, "dense FP8 of a B200, about")
_RENT = Parameter("price", "p", PER_HOUR, "$/h", "rent of one chip", 2.0, "lecture 1.2")
_OUT = Parameter("output_price", "", PER_MTOK, "$/Mtok", "of output", 25.0, "Claude Opus 4.5, list price")
_IN = Parameter("input_price", "", PER_MTOK, "$/Mtok", "of input outside the cache", 5.0, _READ_OUT)
_HIT = Parameter(
    "hit_price", "", PER_MTOK, "$/Mtok", "of input from the cache", 0.5, "a tenth of input, lecture 7.4 (DIS-14)"
)
_WRITE_5M = Parameter("write_5m_price", "", PER_MTOK, "$/Mtok", "of a 5-minute write", 6.25, _READ_OUT)
_WRITE_1H = Parameter("write_1h_price", "", PER_MTOK, "$/Mtok", "of a 1-hour write", 10.0, "list price; not read out")


def _step(
    active: Value, step_context: Value, ratio: Value, bytes_per_parameter: Value, **_: Value
) -> tuple[Value, ...]:
    k = economics.kv_bytes_from_step(active, step_context, ratio, bytes_per_parameter)
    return k, k * step_context


def _shapes(element_bytes: Value, **p: Value) -> list[Row]:
    """Shapes whose cache is within a quarter of it, nearest first."""
    found = economics.candidate_shapes(_step(**p)[0], element_bytes)
    return [
        {
            "layers": s.layers,
            "head_dim": s.head_dim,
            "kv_heads": s.kv_heads,
            "kv_bytes": s.kv_bytes,
            "off_by": s.relative,
        }
        for s in found[:8]
    ]


def _pass(batch: Value, new_tokens: Value, compute: Value, memory: Value) -> tuple[Value, ...]:
    cost = batching.pass_cost(new_tokens, batch, compute, memory)
    reading = economics.read_price_ratio(memory, batch * compute)  # decode's memory time over its compute time
    return cost, cost / compute, reading.crossover_tokens


def _ratio(output_price: Value, input_price: Value) -> tuple[Value, ...]:
    r = economics.read_price_ratio(output_price, input_price)
    return r.memory_over_compute, r.decode_mfu, r.crossover_tokens


def _tariff(
    context: Value, step_context: Value, multiple: Value, goldilocks: Value, margin: Value
) -> tuple[Value, ...]:
    check = economics.check_tariff(context, step_context, multiple, goldilocks, margin)
    mean = economics.mean_context_cost(step_context, 2 * step_context, goldilocks)
    covered = economics.covered_context(multiple * (1 - margin), goldilocks)
    return check.price, check.cost, "yes" if check.loses else "no", covered, mean


def _options(active: Value, flops: Value, price: Value) -> list[economics.Tier | economics.Recompute]:
    return [*economics.catalogue_tiers(), economics.Recompute(economics.recompute_cost(active, flops, price / 3600))]


def _hold(
    kv_bytes: Value, held: Value, active: Value, flops: Value, price: Value, capacity: Value
) -> tuple[Value, ...]:
    best = economics.cheapest(_options(active, flops, price), kv_bytes, held)
    cost = batching.per_million(float(economics.total_cost(best, kv_bytes, held)))
    again = batching.per_million(economics.recompute_cost(active, flops, price / 3600))
    return best.name, cost, again, economics.hbm_against_recompute(active, flops, capacity, kv_bytes)


def _held(kv_bytes: Value, held: Value, active: Value, flops: Value, price: Value, **_: Value) -> list[Row]:
    """Every place: what it costs, and from which hold time on the next is cheaper."""
    options = _options(active, flops, price)
    rows: list[Row] = []
    for n, o in enumerate(options):
        after = economics.crossover(o, options[n + 1], kv_bytes) if n + 1 < len(options) else None
        rows.append(
            {"place": o.name, "retrieve_dollars_per_mtok": batching.per_million(float(o.retrieve(kv_bytes))),
             "hold_dollars_per_mtok_h": batching.per_million(float(o.hold(kv_bytes))) * 3600,
             "total_dollars_per_mtok": batching.per_million(float(economics.total_cost(o, kv_bytes, held))),
             "next_from_s": after}
        )  # fmt: skip
    return rows


def _tier(ttl: Value, capacity: Value, bandwidth: Value) -> tuple[Value, ...]:
    name, off = economics.tier_of_ttl(ttl)
    return name, off, drain_time(capacity, bandwidth)


def _drains(**_: Value) -> list[Row]:
    """Drain times said in the lecture, and those of the catalogue's devices."""
    own = {t.name: t.drain for t in economics.catalogue_tiers() if not t.own_memory}
    return [{"tier": n, "lecture_s": s, "catalogue_s": own.get(n)} for n, s in economics.LECTURE_DRAINS.items()]


def _bill(**p: Value) -> tuple[Value, ...]:
    sheet = economics.PriceSheet(
        p["input_price"], p["output_price"], p["hit_price"], p["write_5m_price"], p["write_1h_price"], p["threshold"],
        p["input_above"], p["output_above"], None, {"asked": p["speed"]},
    )  # fmt: skip
    usage = economics.Usage(p["input"], p["output"], p["hit"], p["write_5m"], p["write_1h"])
    found = economics.bill(usage, sheet, "asked")
    return (
        found.total,
        *(found.lines[k] for k in ("input", "output", "cache_hit", "cache_write_5m", "cache_write_1h")),
    )


def _premium(
    input_price: Value,
    hit_price: Value,
    write_5m_price: Value,
    write_1h_price: Value,
    ttl_short: Value,
    ttl_long: Value,
) -> tuple[Value, ...]:
    five = economics.cache_premium(input_price, write_5m_price, hit_price, ttl_short)
    hour = economics.cache_premium(input_price, write_1h_price, hit_price, ttl_long)
    return (
        five.per_second,
        hour.per_second,
        five.per_second / hour.per_second,
        five.break_even_hits,
        hour.break_even_hits,
    )


def _used(name: str, about: str, tokens: float = 0.0) -> Parameter:
    return Parameter(name, "", TOKENS, "tokens", about, tokens, "an example" if tokens else "none")


EQUATIONS = (
    Equation(
        "E22", ("SYS-F1",), _SECTION, "KV bytes per token from the price step", "k = N_active w / (H L*)",
        (_ACTIVE, STEP, H, BYTES_IN_LECTURE, ELEMENT), (Result("kv_bytes", "bytes", "per token"), Result("sequence",
        "bytes", "at the step")),
        _step, ("economics.kv_bytes_from_step", "economics.candidate_shapes"), "T", "headway plan MODEL --on SYSTEM",
        "the table: shapes within a quarter of it (E23), nearest first", _shapes,
    ),
    Equation(
        "E24", (), _SECTION, "cost of a token by the length of the pass", "t / token = max(B p t_c, t_mem) / (B p)",
        (BATCH.given(100.0, "an example"), NEW, Parameter("compute", "t_c", SECONDS, "s", "per token", 1e-6,
        "an example"),
         Parameter("memory", "t_mem", SECONDS, "s", "of a pass, whatever its length", 5e-4,
         "5 times decode's compute, lecture 7.3 (DIS-12)")),
        (Result("seconds_per_token", "s"), Result("over_compute", "x"), Result("crossover", "tokens",
        "per sequence: longer passes are compute bound")),
        _pass, ("batching.pass_cost", "economics.read_price_ratio"), "T",
        "headway curve MODEL --on SYSTEM --against tokens",
    ),
    Equation(
        "SYS-F3", (), _SECTION, "what the price of output over input says",
        "t_mem / t_comp = r; decode MFU = 1 / r; crossover p = r",
        (_OUT, _IN), (Result("memory_over_compute", "x"), Result("decode_mfu"), Result("crossover", "tokens")), _ratio,
        ("economics.read_price_ratio",), "T", "headway plan MODEL --on SYSTEM",
        "passes of as many tokens per sequence are compute bound (E24)",
    ),
    Equation(
        "SYS-F2", (), _SECTION, "a two-price context tariff",
        "cost = max(1, L / L*); covered = price x (1 - margin) x L*",
        (Parameter("context", "L", TOKENS, "tokens", "of a request", 1e6, "lecture 7.1"), STEP,
         Parameter("multiple", "", RATIO, "", "price above the step over that below", 1.5,
         "Gemini 3.1's output, lecture 7.1 (DIS-15)"),
         Parameter("goldilocks", "G", TOKENS, "tokens", "where KV reads take as long as compute", 200e3, "E11"),
         Parameter("margin", "", NUMBER, "", "share of the price kept", 0.0, "none")),
        (Result("price", "x", "at this context, margin off"), Result("cost", "x"), Result("loses"), Result("covered",
        "tokens"),
         Result("mean_cost", "x", "from the step to twice as far")), _tariff,
        ("economics.check_tariff", "economics.covered_context", "economics.mean_context_cost"), "D",
        "headway curve MODEL --on SYSTEM --against context",
    ),
    Equation(
        "E25", ("SYS-F4",), _SECTION, "where to keep a cache between uses",
        "total(tau) = retrieve + tau hold; the least of all places",
        (KV, _HELD, _ACTIVE, _PEAK, _RENT, CAPACITY), (Result("place"), Result("cost", "$/Mtok"), Result("recompute",
        "$/Mtok"),
        Result("hbm_until", "s", "then recomputing is cheaper than HBM")), _hold,
        ("economics.cheapest", "economics.total_cost", "economics.crossover", "economics.recompute_cost",
        "economics.hbm_against_recompute"), "T",
        "headway plan MODEL --on SYSTEM", "devices are the catalogue's memory_tiers, their prices illustrative", _held,
    ),
    Equation(
        "E26", ("SYS-F5",), _SECTION, "the tier behind a time to live",
        "capacity / bandwidth nearest to the hold time, in log time",
        (Parameter("ttl", "", SECONDS, "s", "time to live", 300.0, "lecture 7.4"), Parameter("capacity", "C", BYTES,
        "bytes", "of a device", 4e12, "an NVMe"),
         Parameter("bandwidth", "BW", BANDWIDTH, "bytes/s", "of a device", 7e9, "an NVMe")),
        (Result("tier"), Result("off_by", "x"), Result("drain", "s", "of this device")), _tier,
        ("economics.tier_of_ttl", "hardware.drain_time"), "T",
        "headway catalog memory_tiers", "", _drains,
    ),
    Equation(
        "SYS-F7", (), _SECTION, "the bill of a request",
        "sum of tokens x price x speed / 1M; above the threshold every token takes the higher price",
        (_used("input", "of the prompt outside the cache", 1e6), _used("output", "made", 1e6), _used("hit",
        "read from the cache"),
         _used("write_5m", "written for 5 minutes"), _used("write_1h", "written for an hour"), _IN, _OUT, _HIT,
         _WRITE_5M, _WRITE_1H,
         Parameter("threshold", "", TOKENS, "tokens", "of the prompt, from which prices rise", None, "none"),
         Parameter("input_above", "", PER_MTOK, "$/Mtok", "of input above it", None, "none"),
         Parameter("output_above", "", PER_MTOK, "$/Mtok", "of output above it", None, "none"),
         Parameter("speed", "", RATIO, "", "price multiple of the speed tier", 1.0,
         "standard; fast is 6, lecture 1.1")),
        (Result("total", "$"), *(Result(f"for_{n}", "$") for n in ("input", "output", "hits", "write_5m",
        "write_1h"))), _bill, ("economics.bill",), "T",
    ),
    Equation(
        "SYS-F8", (), _SECTION, "premium of a cache write",
        "(write - input) / ttl; hits to break even: ceil((write - input) / (input - hit))",
        (_IN, _HIT, _WRITE_5M, _WRITE_1H, Parameter("ttl_short", "", SECONDS, "s", "of the short cache", 300.0,
        "lecture 7.4"),
         Parameter("ttl_long", "", SECONDS, "s", "of the long cache", 3600.0, "lecture 7.4")),
        (Result("short", "$/Mtok/s"), Result("long", "$/Mtok/s"), Result("short_over_long", "x"),
        Result("hits_short", "hits"), Result("hits_long", "hits")),
        _premium, ("economics.cache_premium",), "D",
    ),
)  # fmt: skip
