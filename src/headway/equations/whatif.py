"""What if: a model by its counts alone on a machine by its rates alone, without a config (SYS-A2)."""

from __future__ import annotations

import math

from headway import batching, parallel
from headway.equations.context import ELEMENT, HEAD_DIM, KV_HEADS, LAW, LAYERS, SCALE, WIDTH, idle_of_law, reach_of
from headway.equations.declared import BYTES, RATIO, Equation, Parameter, Result, Value
from headway.equations.inputs import ACTIVE, BANDWIDTH_, BATCH, CAPACITY, CHIPS, CONTEXT, KV, PEAK, PRICE, TOTAL
from headway.hardware import hardware_ratio
from headway.models import bytes_per_token_closed_form
from headway.roofline import roofline


def _stored(active: Value, total: Value, sparsity: Value) -> Value:
    return total if sparsity is None else active * batching.checked_sparsity(sparsity)


def _cache(kv_bytes: Value, layers: Value, kv_heads: Value, head_dim: Value, element_bytes: Value) -> Value:
    if kv_bytes is not None:
        return kv_bytes
    return bytes_per_token_closed_form(layers, head_dim, kv_heads, element_bytes)


def _idle(values: dict[str, Value]) -> set[str]:
    found = idle_of_law(values)
    if values["sparsity"] is not None:
        found.add("total")
    return found | ({"layers", "kv_heads", "head_dim", "element_bytes"} if values["kv_bytes"] is not None else set())


def _what_if(
    active: Value, total: Value, sparsity: Value, bytes_per_parameter: Value, kv_bytes: Value, layers: Value,
    kv_heads: Value,
    head_dim: Value, element_bytes: Value, law: Value, width: Value, scale: Value, context: Value, batch: Value,
    flops: Value,
    bandwidth: Value, capacity: Value, chips: Value, price: Value,
) -> tuple[Value, ...]:  # fmt: skip
    total, k, w = (
        _stored(active, total, sparsity),
        _cache(kv_bytes, layers, kv_heads, head_dim, element_bytes),
        bytes_per_parameter,
    )
    reach = reach_of(law, width, scale)
    read, kept = reach.entries(context), reach.stored(context)
    t = roofline(batch, read, k, active, total, w, chips * flops, chips * bandwidth)
    one = roofline(1.0, read, k, active, total, w, chips * flops, chips * bandwidth)
    ratio = hardware_ratio(flops, bandwidth, w)
    star = batching.balance_batch(ratio, batching.sparsity(total, active))
    gold = batching.goldilocks_context(active, ratio, k, w) if k else math.inf
    held = parallel.capacity_per_chip(total, w, 1.0, kept, k, chips, 1.0)
    room = max(capacity - held.weights, 0.0)
    fits = room / held.kv if held.kv else math.inf if room else 0.0

    def dollars(seconds: Value, tokens: Value) -> Value:
        return batching.per_million(batching.cost_per_token(seconds, tokens, chips, price / 3600))

    return (
        k, read * k, star, batching.balance_batch_with_kv(star, read, gold), gold, t.weights, t.kv, t.compute, t.seconds, t.bound,
        t.mfu, 1 / t.seconds, batching.throughput(batch, t.seconds), dollars(t.seconds, batch),
        dollars(max(one.compute, one.kv), 1.0), t.weights, held.weights, math.floor(fits) if math.isfinite(fits) else fits,
    )  # fmt: skip


EQUATIONS = (
    Equation(
        "SYS-A2", ("what-if", "whatif"), "what if", "a model by its counts on a machine by its rates",
        "t = max(2 B N_active / (n FLOPS), (N_total w + B read(L) k) / (n BW)); cost = t n p / B",
        (ACTIVE, TOTAL, Parameter("sparsity", "s", RATIO, "", "total over active; given, it decides the total", None,
        "total / active"),
         Parameter("bytes_per_parameter", "w", BYTES, "bytes", "per stored parameter", 0.5, "FP4"),
         KV.given(None, "from the shape"), LAYERS.given(61.0, "an example"), KV_HEADS, HEAD_DIM, ELEMENT, LAW, WIDTH,
         SCALE, CONTEXT, BATCH,
         PEAK, BANDWIDTH_, CAPACITY, CHIPS, PRICE),
        (Result("kv_bytes", "bytes", "of KV cache per token"), Result("kv_read", "bytes", "by one new token"),
         Result("balance", "sequences", "without KV, E5"), Result("balance_with_kv", "sequences",
         "E7; none where KV binds at every batch"),
         Result("goldilocks", "tokens", "read, at which KV takes as long as compute"),
         Result("weights", "s", "reading them, E3"), Result("kv", "s", "reading it"), Result("compute", "s", "E2"),
         Result("step", "s", "no less than, E1"),
         Result("bound"), Result("mfu"), Result("user_rate", "tok/s", "of one user"), Result("rate", "tok/s",
         "of all"), Result("cost", "$/Mtok", "at this batch, E4"),
         Result("cost_floor", "$/Mtok", "at any batch"), Result("latency_limit", "s",
         "no price buys a shorter step here"),
         Result("weights_per_chip", "bytes"), Result("sequences_that_fit", "sequences")),
        _what_if,
        ("roofline.roofline", "batching.balance_batch", "batching.balance_batch_with_kv",
        "batching.goldilocks_context", "batching.cost_per_token",
         "parallel.capacity_per_chip", "models.bytes_per_token_closed_form", "models.Reach.entries",
         "hardware.hardware_ratio"), "D",
        "headway plan MODEL --on SYSTEM",
        "a lower bound: no network, no overheads, every weight read in every pass", idle=_idle,
    ),
)  # fmt: skip
