"""Attention with a KV cache: MHA, GQA, MQA and MLA; full, windowed, chunked, top-k with indexer, and compressed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from headway.models.architecture import Attend, Linear
from headway.models.reach import FULL, Reach


@dataclass(frozen=True, slots=True)
class Part:
    """What an attention or FFN builder contributes to a layer."""

    linears: tuple[Linear, ...]
    attends: tuple[Attend, ...] = ()
    vectors: int = 0


def grouped_query(
    hidden: int, heads: int, kv_heads: int, head_dim: int, *, value_dim: int | None = None, reach: Reach = FULL, bias: bool = False,
    output_bias: bool | None = None, gate: bool = False, query_key_norm: bool = False, wide_norm: bool = False, sinks: bool = False,
    shared_kv_weight: bool = False, stores: bool = True, module: str = "self_attn",
) -> Part:  # fmt: skip
    """Build multi-head (kv_heads = heads), grouped-query or multi-query (kv_heads = 1) attention.

    Parameters
    ----------
    hidden, heads, kv_heads, head_dim : int
        Widths and numbers of heads; K and V have `kv_heads` heads. [1]
    value_dim : int
        Width of a value head when it differs from `head_dim`. [1]
    reach : Reach
        Which cache entries are read.
    bias, output_bias : bool
        Biases on Q, K, V and on the output projection (default: like the others).
    gate : bool
        The query projection also yields an output gate (twice as wide).
    query_key_norm, wide_norm, sinks : bool
        Norm vectors of head_dim on Q and K; of all heads together instead; one sink logit per head.
    shared_kv_weight : bool
        V is the K projection's output: one matrix instead of two; both are still cached.
    stores : bool
        False when another layer's cache is read.
    """
    value = value_dim or head_dim
    queries = heads * head_dim * (2 if gate else 1)
    linears = [Linear(f"{module}.q_proj", "attention", hidden, queries, bias=bias, ways=heads)]
    if stores:
        linears.append(Linear(f"{module}.k_proj", "attention", hidden, kv_heads * head_dim, bias=bias, ways=kv_heads))
        if not shared_kv_weight:
            linears.append(Linear(f"{module}.v_proj", "attention", hidden, kv_heads * value, bias=bias, ways=kv_heads))
    out_bias = bias if output_bias is None else output_bias
    linears.append(Linear(f"{module}.o_proj", "attention", heads * value, hidden, bias=out_bias, ways=heads))
    attend = Attend(
        reach, kv_heads * (head_dim + value), kv_heads, 2.0 * heads * (head_dim + value), stores=stores,
        norms="row" if wide_norm else "head" if query_key_norm else "",
    )  # fmt: skip
    norms = (heads + kv_heads) * head_dim if wide_norm else 2 * head_dim if query_key_norm else 0
    return Part(tuple(linears), (attend,), norms + (heads if sinks else 0))


def latent(
    hidden: int,
    heads: int,
    q_rank: int | None,
    kv_rank: int,
    nope_dim: int,
    rope_dim: int,
    value_dim: int,
    *,
    reach: Reach = FULL,
    output_gate: bool = False,
    bias: bool = False,
) -> Part:
    """Build multi-head latent attention (MLA; DeepSeek-V2 report, section 2.1).

    The cache holds one latent of kv_rank + rope_dim per token and layer, the same for all heads, so every
    tensor-parallel rank keeps it whole. In decode the K and V up-projections are absorbed into queries and outputs:
    a pair costs heads x (2 kv_rank + rope_dim) multiply-adds. In prefill they are expanded: heads x (nope + rope +
    value) a pair, plus the up-projection of every cached latent that the pass sees. The one that multiplies less counts.

    Parameters
    ----------
    hidden, heads, q_rank, kv_rank, nope_dim, rope_dim, value_dim : int
        Width of the layer; heads; widths of the Q (None: no) and KV latents; widths of a head by part. [1]
    reach : Reach
    output_gate, bias : bool
        One more matrix that gates the heads' outputs; biases on Q's and KV's down-projections and the output.
    """
    query_in = q_rank or hidden
    linears: list[Linear] = []
    vectors = kv_rank
    if q_rank:
        linears.append(Linear("self_attn.q_a_proj", "attention", hidden, q_rank, bias=bias, ways=1))
        vectors += q_rank
    name = "self_attn.q_b_proj" if q_rank else "self_attn.q_proj"
    linears.append(Linear(name, "attention", query_in, heads * (nope_dim + rope_dim), ways=heads))
    linears.append(Linear("self_attn.kv_a_proj_with_mqa", "attention", hidden, kv_rank + rope_dim, bias=bias, ways=1))
    linears.append(Linear("self_attn.kv_b_proj", "attention", kv_rank, heads * (nope_dim + value_dim), ways=heads))
    linears.append(Linear("self_attn.o_proj", "attention", heads * value_dim, hidden, bias=bias, ways=heads))
    if output_gate:
        linears.append(Linear("self_attn.g_proj", "attention", hidden, heads * value_dim, ways=heads))
    attend = latent_cache(heads, kv_rank, nope_dim, rope_dim, value_dim, reach)
    return Part(tuple(linears), (attend,), vectors)


def latent_cache(heads: int, kv_rank: int, nope_dim: int, rope_dim: int, value_dim: int, reach: Reach = FULL) -> Attend:
    """Return the cache of MLA and what a pair costs; `latent` says why.

    Selected tokens lie in FlashMLA's layout: in 8 bits a scale for every 128 values of the latent, and 16 bits of rotary part.

    Parameters
    ----------
    heads, kv_rank, nope_dim, rope_dim, value_dim : int
        As of `latent`. [1]
    reach : Reach
    """
    sparse = reach.kind == "top-k"
    return Attend(
        reach,
        kv_rank + rope_dim,
        ways=1,
        flops_per_pair=2.0 * heads * (2 * kv_rank + rope_dim),
        expanded_per_pair=2.0 * heads * (nope_dim + rope_dim + value_dim),
        expand_per_token=2.0 * kv_rank * heads * (nope_dim + value_dim),
        wide=rope_dim if sparse else 0.0,
        entry_scales=4.0 * math.ceil(kv_rank / 128) if sparse else 0.0,
    )


def indexer(hidden: int, query_in: int, heads: int, head_dim: int, *, ratio: float = 1.0) -> Part:
    """Build the light indexer of DeepSeek sparse attention: it scores every cached token with small keys.

    Parameters
    ----------
    hidden, query_in : int
        Width of the layer; of the index query's input (the query latent). [1]
    heads, head_dim : int
        Index heads share one key of `head_dim` per cache entry. [1]
    ratio : float
        Tokens per entry when the index cache is compressed. [tokens/entry]
    """
    linears = (
        Linear("self_attn.indexer.wq_b", "index", query_in, heads * head_dim, ways=1),
        Linear("self_attn.indexer.wk", "index", hidden, head_dim, ways=1),
        Linear("self_attn.indexer.weights_proj", "index", hidden, heads, ways=1),
    )
    attend = Attend(Reach(ratio=ratio), head_dim, ways=1, flops_per_pair=2.0 * heads * (head_dim + 1), index=True)
    return Part(linears, (attend,), 2 * head_dim)
