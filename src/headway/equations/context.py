"""Equations of chapter 2 and of 7.2: goldilocks context, read laws of attention, cache bytes from shapes."""

from __future__ import annotations

import math

from headway import batching
from headway.equations.declared import BYTES, COUNT, NUMBER, RATIO, WORD, Equation, Parameter, Result, Value
from headway.equations.inputs import ACTIVE, CONTEXT, FRONTIER, KV, H
from headway.models import Reach, bytes_per_token_closed_form

_SECTION = "2 context length"
_ACTIVE = ACTIVE.given(100e9, FRONTIER)
_KV = KV.given(5000 / 3, "E22")
BYTES_IN_LECTURE = Parameter(
    "bytes_per_parameter", "w", BYTES, "bytes", "per stored parameter", 1.0, "the lecture's units, and FP8"
)
ELEMENT = Parameter("element_bytes", "w_kv", BYTES, "bytes", "of a cached number", 1.0, "lecture 7.2")
GROUP = Parameter("queries_per_kv", "g", RATIO, "", "query heads per KV head", 8.0, "lecture 2.3")
LAWS = ("dense", "sqrt", "top-k", "fraction", "window")
LAW = Parameter(
    "law", "", WORD, "", "which cached tokens a new one reads", "dense", "lecture 1.2 (CAV-3)", choices=LAWS
)
WIDTH = Parameter("width", "K", COUNT, "tokens", "of top-k and of a window", 2048.0, "DeepSeek-V3.2, lecture 2.2")
SCALE = Parameter(
    "scale", "c", NUMBER, "", "constant of sqrt; of fraction the share that is read", None, "sqrt 1; fraction 1/8"
)
_SCALES = {"sqrt": 1.0, "fraction": 0.125}
LAYERS = Parameter("layers", "", COUNT, "layers", "with a cache of their own", 1.0, "shared by all, lecture 7.2")
HEAD_DIM = Parameter("head_dim", "d", COUNT, "", "width of a head", 128.0, "'typical', lecture 7.2")
KV_HEADS = Parameter("kv_heads", "", COUNT, "heads", "of K and V", 8.0, "'1 to 8', lecture 7.2")
DIVISOR = Parameter("sparse_divisor", "s", RATIO, "", "sparse reading divides by it", 1.0, "dense")


def reach_of(law: str, width: float, scale: float | None) -> Reach:
    """Return the read law of that name.

    Parameters
    ----------
    law : str
        ``dense``, ``sqrt``, ``top-k``, ``fraction`` or ``window``.
    width : float
        Of ``top-k`` and ``window``. [tokens]
    scale : float or None
        Constant of ``sqrt``, or share of ``fraction``; None for 1 and 1/8. [1]
    """
    factor = _SCALES.get(law, 1.0) if scale is None else scale
    match law:
        case "sqrt":
            return Reach("sqrt", scale=factor)
        case "fraction":
            return Reach("fraction", scale=factor)
        case "top-k":
            return Reach("top-k", width)
        case "window":
            return Reach("window", width)
        case _:
            return Reach()


def idle_of_law(values: dict[str, Value]) -> set[str]:
    """Return which of width and scale the read law does not look at."""
    law = values["law"]
    return {n for n, laws in (("width", ("top-k", "window")), ("scale", ("sqrt", "fraction"))) if law not in laws}


def _goldilocks(
    active: Value, ratio: Value, kv_bytes: Value, bytes_per_parameter: Value, context: Value
) -> tuple[Value, ...]:
    star = batching.goldilocks_context(active, ratio, kv_bytes, bytes_per_parameter) if kv_bytes else math.inf
    return star, batching.mfu_at_context(context, star)


def _reads(context: Value, kv_bytes: Value, law: Value, width: Value, scale: Value) -> tuple[Value, ...]:
    reach = reach_of(law, width, scale)
    read, kept = reach.entries(context), reach.stored(context)
    return read, read * kv_bytes, context / read if read else math.nan, kept * kv_bytes


def _quadratic(
    active: Value, kv_bytes: Value, element_bytes: Value, queries_per_kv: Value, context: Value
) -> tuple[Value, ...]:
    each = batching.attention_flops_per_token(context, kv_bytes, element_bytes, queries_per_kv)
    return batching.quadratic_context(active, kv_bytes, element_bytes, queries_per_kv), each


def _shape(
    layers: Value, head_dim: Value, kv_heads: Value, element_bytes: Value, sparse_divisor: Value, context: Value
) -> tuple[Value, ...]:
    k = bytes_per_token_closed_form(layers, head_dim, kv_heads, element_bytes, sparse_divisor)
    return k, k * context


EQUATIONS = (
    Equation(
        "E11", ("SYS-B1",), _SECTION, "goldilocks context, and MFU beyond it",
        "L* = N_active w / (H k); MFU = min(1, L* / L)",
        (_ACTIVE, H, _KV, BYTES_IN_LECTURE, CONTEXT.given(400e3, "twice L*")), (Result("goldilocks", "tokens"),
        Result("mfu")),
        _goldilocks, ("batching.goldilocks_context", "batching.mfu_at_context"), "T",
        "headway curve MODEL --on SYSTEM --against context",
    ),
    Equation(
        "SYS-B4", (), _SECTION, "read laws of attention",
        "dense L; sqrt c sqrt(L); top-k min(L, K); fraction c L; window min(L, K); x k bytes",
        (CONTEXT.given(100e6, "a month of work, lecture 2.3"), KV, LAW.given("sqrt", "lecture 2.2 (CAV-3)"), WIDTH, SCALE),
        (Result("entries", "tokens", "that a new token reads"), Result("read", "bytes"), Result("dense_over_read", "x"),
         Result("kept", "bytes", "sparse reading frees no memory, a window does")), _reads,
        ("models.Reach.entries", "models.Reach.stored"), "T", "headway plan MODEL --on SYSTEM",
        "the square root is said, its constant is not; top-k is DeepSeek-V3.2's published form", idle=idle_of_law,
    ),
    Equation(
        "SYS-B5", (), _SECTION, "attention's own FLOPs", "L_quad = N_active w_kv / (g k); FLOPs = 2 g L k / w_kv",
        (_ACTIVE, _KV, ELEMENT, GROUP, CONTEXT.given(200e3, "lecture 7.1")),
        (Result("crossover", "tokens", "where they equal the weights'"), Result("flops_per_token", "FLOP",
        "of attention, at this context")),
        _quadratic, ("batching.quadratic_context", "batching.attention_flops_per_token"), "D",
        "headway plan MODEL --on SYSTEM",
    ),
    Equation(
        "E23", ("SYS-B3",), _SECTION, "KV bytes per token from shapes", "k = layers 2 d kv_heads w_kv / s",
        (LAYERS, HEAD_DIM, KV_HEADS, ELEMENT, DIVISOR, CONTEXT.given(200e3, "lecture 7.1")),
        (Result("kv_bytes", "bytes", "per token"), Result("sequence", "bytes", "at this context")), _shape,
        ("models.bytes_per_token_closed_form",), "T", "headway plan MODEL --on SYSTEM",
    ),
)  # fmt: skip
