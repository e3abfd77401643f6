"""DeepSeek V2, V3, V3.2 and V4, Kimi K2, GLM-5: latent attention, fine-grained experts, sparse and compressed reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from headway.errors import InputError
from headway.models.architecture import Attend, Experts, Layer, Linear
from headway.models.attention import Part, indexer, latent
from headway.models.experts import dense, routed, router
from headway.models.families.common import Draft, is_moe_layer, layer, mtp_count, spine
from headway.models.families.decoder import next_token_layer
from headway.models.families.decoder import read as read_decoder
from headway.models.keys import Keys
from headway.models.reach import FULL, Reach


def read(keys: Keys) -> Draft:
    """Read DeepSeek-V2/V3/V3.2, Kimi-K2 and GLM-5: MLA, first layers dense, shared experts, optional top-k indexer."""
    s = spine(keys)
    keys.ignore("qk_head_dim")
    q_rank = keys.int("q_lora_rank", default=0, least=0)
    bias = keys.flag("attention_bias")
    top_k = keys.int("index_topk", default=0, least=0)
    shape = (
        s.hidden, s.heads, q_rank or None, keys.int("kv_lora_rank"), keys.int("qk_nope_head_dim"),
        keys.int("qk_rope_head_dim"), keys.int("v_head_dim"),
    )  # fmt: skip
    part = latent(*shape, reach=Reach("top-k", top_k) if top_k else FULL, bias=bias)
    index = None
    if top_k:
        index = indexer(s.hidden, q_rank or s.hidden, keys.int("index_n_heads"), keys.int("index_head_dim"))
    kinds = keys.kinds("indexer_types", length=s.layers, known=("full", "shared"))
    if kinds is None:
        keys.expect("index_topk_freq", 1)  # selections shared between layers must be listed
        kinds = ["full"] * s.layers
    experts, moe, shared, inner = _experts(keys, s.hidden)
    first = keys.int("first_k_dense_replace", default=0, least=0)
    frequency = keys.int("moe_layer_freq", default=1)
    types = keys.kinds("mlp_layer_types", length=s.layers, known=("dense", "sparse"))
    keys.ignore("layer_types", "num_experts")
    layers: list[Layer] = []
    for i in range(s.layers):
        sparse = types[i] == "sparse" if types else is_moe_layer(i, first, frequency)
        if not sparse and not inner:
            raise InputError(f"{keys.where}: layer {i} is dense, but key 'intermediate_size' is missing")
        ffn = (*moe, *shared) if sparse else dense(s.hidden, inner)
        layers.append(
            layer(
                f"latent attention + {'experts' if sparse else 'dense'}",
                part,
                ffn,
                experts=experts if sparse else None,
                extra=index if kinds[i] == "full" else None,  # "shared": the layer reuses an earlier selection
                vectors=2 * s.hidden
                + (experts.count if sparse and keys.values.get("topk_method") == "noaux_tc" else 0),
            )
        )
    mtp = [next_token_layer(layers[-1], s.hidden)] * mtp_count(keys, "num_nextn_predict_layers")
    return Draft(s.hidden, s.vocabulary, layers, s.tied, s.max_context, s.hidden, mtp)


def read_mistral4(keys: Keys) -> Draft:
    """Read Mistral 4: latent attention and experts where the config has its keys, else Mistral's dense decoder."""
    keys.ignore("llama_4_scaling_beta", "sliding_window", "head_dim", "max_seq_len")
    return read(keys) if "kv_lora_rank" in keys.values else read_decoder(keys)


def read_dense(keys: Keys) -> Draft:
    """Read MiniCPM3: latent attention with plain feed-forward blocks, tied head."""
    s = spine(keys)
    part = latent(
        s.hidden, s.heads, keys.int("q_lora_rank", default=0, least=0) or None, keys.int("kv_lora_rank"), keys.int("qk_nope_head_dim"),
        keys.int("qk_rope_head_dim"), keys.int("v_head_dim"), bias=keys.flag("attention_bias"),
    )  # fmt: skip
    keys.ignore("scale_emb", "dim_model_base", "scale_depth")
    one = layer("latent attention + dense", part, dense(s.hidden, keys.int("intermediate_size")), vectors=2 * s.hidden)
    tied = keys.flag("tie_word_embeddings", default=True)
    return Draft(s.hidden, s.vocabulary, [one] * s.layers, tied, s.max_context, s.hidden)


def _experts(keys: Keys, hidden: int) -> tuple[Experts, tuple[Linear, ...], tuple[Linear, ...], int]:
    count, active = keys.int("n_routed_experts"), keys.int("num_experts_per_tok")
    width = keys.int("moe_intermediate_size")
    shared = keys.int("n_shared_experts", default=0, least=0) * width
    inner = keys.int("intermediate_size", default=0, least=0)
    moe = (router(hidden, count), *routed(hidden, width, count))
    own = dense(hidden, shared, role="shared", module="mlp.shared_experts") if shared else ()
    return Experts(count, active), moe, own, inner


def read_v4(keys: Keys) -> Draft:
    """Read DeepSeek-V4: one 512-wide KV head with a window of 128, plus compressed entries (CSA by 4, HCA by 128)."""
    s = spine(keys)
    q_rank = keys.int("q_lora_rank")
    rope = keys.int("qk_rope_head_dim")  # part of head_dim: no size of its own
    o_rank, o_groups = keys.int("o_lora_rank"), keys.int("o_groups")
    window, top_k = keys.int("sliding_window"), keys.int("index_topk")
    index_heads, index_dim = keys.int("index_n_heads"), keys.int("index_head_dim")
    streams = keys.int("hc_mult", default=1)
    ratios = keys.list("compress_ratios", length=s.layers, more=1)  # the one beyond is the MTP layer's
    if ratios is None or set(ratios) - {0, 4, 128}:
        raise InputError(f"{keys.where}: compress_ratios must list 0, 4 or 128 for each layer")
    hashed = keys.int("num_hash_layers", default=0, least=0)
    experts, moe, shared, _ = _experts(keys, s.hidden)
    width = s.heads * s.head_dim
    attention = (
        Linear("attn.wq_a", "attention", s.hidden, q_rank, ways=1),
        Linear("attn.wq_b", "attention", q_rank, width, ways=s.heads),
        Linear("attn.wkv", "attention", s.hidden, s.head_dim, ways=1),
        Linear("attn.wo_a", "attention", width, o_groups * o_rank, ways=o_groups, blocks=o_groups),
        Linear("attn.wo_b", "attention", o_groups * o_rank, s.hidden, ways=o_groups),
    )
    moe = tuple(_renamed(x, "mlp.", "ffn.") for x in moe)
    shared = tuple(_renamed(x, "mlp.", "ffn.") for x in shared)
    layers: list[Layer] = []
    for i in range(s.layers):
        reads = _compressed_reads(
            int(ratios[i]), s.hidden, q_rank, s.heads, s.head_dim, rope, window, top_k, index_heads, index_dim
        )
        # Hyper-connections: per sub-layer a (2 + n) n-wide map of the n concatenated streams, biases and scales.
        mixing = 2 * ((2 + streams) * streams * (streams * s.hidden + 1) + 3) if streams > 1 else 0
        routing = 0 if i < hashed else experts.count  # hash layers route by token id: a table, no score bias
        vectors = 2 * s.hidden + q_rank + s.head_dim + s.heads + mixing + routing
        ffn = (*moe, *shared)
        layers.append(
            layer(f"compressed attention /{ratios[i]} + experts", Part(attention), ffn, experts=experts,
                  vectors=vectors, extra=reads)
        )  # fmt: skip
    last = layers[-1]
    mtp = [next_token_layer(last, s.hidden)] * mtp_count(keys, "num_nextn_predict_layers")
    head_mix = streams * (streams * s.hidden + 1) + 1 if streams > 1 else 0
    return Draft(s.hidden, s.vocabulary, layers, s.tied, s.max_context, s.hidden + head_mix, mtp)


def _renamed(matrix: Linear, old: str, new: str) -> Linear:
    return replace(matrix, path=matrix.path.replace(old, new, 1))


def _compressed_reads(
    ratio: int,
    hidden: int,
    q_rank: int,
    heads: int,
    dim: int,
    rope: int,
    window: int,
    top_k: int,
    i_heads: int,
    i_dim: int,
) -> Part:
    """Reads of one V4 layer: the window always; ratio 4 adds top-k of the compressed cache with its indexer, 128 all."""
    pair = 2.0 * heads * 2 * dim  # the one cached vector serves as key and as value
    overlap = 2 if ratio == 4 else 1  # CSA compresses from two overlapping windows: two streams of projections

    def entry(reach: Reach, width: int = dim, **more: Any) -> Attend:
        # FlashMLA's V4 layout in 8 bits: 448 + 64 x 2 + a byte of scale per 64 and one of padding = 584 bytes
        if width == dim:
            more = {"wide": float(rope), "entry_scales": float((dim - rope) // 64 + 1), "flops_per_pair": pair, **more}
        if reach.ratio > 1:  # the compressor keeps inputs and scores in 32 bits until a block is full
            more = {**more, "lookback": float(overlap * ratio), "lookback_bytes": 2.0 * overlap * width * 4}
        return Attend(reach, width, 1, **more)

    near = entry(Reach("window", window))
    if not ratio:
        return Part((), (near,))
    compressor = tuple(
        Linear(f"attn.compressor.{n}", "attention", hidden, overlap * dim, ways=1) for n in ("wkv", "wgate")
    )
    vectors = ratio * overlap * dim + dim
    if ratio != 4:
        return Part(compressor, (near, entry(Reach(ratio=ratio))), vectors)
    index = (
        Linear("attn.indexer.wq_b", "index", q_rank, i_heads * i_dim, ways=1),
        Linear("attn.indexer.weights_proj", "index", hidden, i_heads, ways=1),
        *(Linear(f"attn.indexer.compressor.{n}", "index", hidden, overlap * i_dim, ways=1) for n in ("wkv", "wgate")),
    )
    far = entry(Reach("top-k", top_k, ratio=ratio))
    score = entry(Reach(ratio=ratio), i_dim, flops_per_pair=2.0 * i_heads * (i_dim + 1), index=True)
    return Part((*compressor, *index), (near, far, score), vectors + ratio * overlap * i_dim + i_dim)
