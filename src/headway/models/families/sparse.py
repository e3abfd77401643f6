"""Decoders that mix near and far attention layer by layer: MiMo-V2, Step-3.7, MiniMax-M3."""

from __future__ import annotations

from headway.models.architecture import Attend, Experts, Layer, Linear
from headway.models.attention import Part, grouped_query
from headway.models.experts import dense, routed, router
from headway.models.families.common import Draft, is_moe_layer, layer, mtp_count, spine
from headway.models.families.decoder import next_token_layer
from headway.models.keys import Keys
from headway.models.reach import FULL, Reach


def read_mimo_v2_flash(keys: Keys) -> Draft:
    """Read MiMo-V2-Flash: windows of 128 with sinks in five of six layers, keys wider than values, MoE after layer 0."""
    s = spine(keys)
    value = keys.int("v_head_dim", default=s.head_dim)
    pattern = keys.list("hybrid_layer_pattern", length=s.layers) or [0] * s.layers
    frequency = keys.list("moe_layer_freq", length=s.layers) or [1] * s.layers
    count, active, width = (
        keys.int("n_routed_experts"),
        keys.int("num_experts_per_tok"),
        keys.int("moe_intermediate_size"),
    )
    inner = keys.int("intermediate_size")
    keys.ignore("sliding_window_size", "attention_chunk_size")
    keys.expect("n_shared_experts", 0)
    keys.expect("attention_bias", False)
    near = grouped_query(
        s.hidden, keys.int("swa_num_attention_heads", default=s.heads),
        keys.int("swa_num_key_value_heads", default=s.kv_heads), keys.int("swa_head_dim", default=s.head_dim),
        value_dim=keys.int("swa_v_head_dim", default=value), reach=Reach("window", keys.int("sliding_window")),
        sinks=keys.flag("add_swa_attention_sink_bias"),
    )  # fmt: skip
    far = grouped_query(
        s.hidden, s.heads, s.kv_heads, s.head_dim, value_dim=value, sinks=keys.flag("add_full_attention_sink_bias")
    )
    ffn = (router(s.hidden, count), *routed(s.hidden, width, count))
    layers: list[Layer] = []
    for i in range(s.layers):
        sparse = bool(frequency[i])
        layers.append(
            layer(
                f"{'sliding' if pattern[i] else 'full'} attention + {'experts' if sparse else 'dense'}",
                near if pattern[i] else far,
                ffn if sparse else dense(s.hidden, inner),
                experts=Experts(count, active) if sparse else None,
                vectors=2 * s.hidden + (count if sparse else 0),
            )
        )
    return Draft(s.hidden, s.vocabulary, layers, s.tied, s.max_context, s.hidden)


def read_step3p7(keys: Keys) -> Draft:
    """Read Step-3.7-Flash: three windowed layers for each full one, first layers dense, a shared expert."""
    s = spine(keys)
    inner, width = keys.int("intermediate_size"), keys.int("moe_intermediate_size")
    count, active = keys.int("num_experts"), keys.int("num_experts_per_tok")
    first = keys.int("first_k_dense_replace", default=0, least=0)
    shared = keys.int("share_expert_dim", default=width * keys.int("n_shared_experts", default=0, least=0))
    keys.ignore("n_shared_experts")
    window = Reach("window", keys.int("sliding_window"))
    known = ("sliding_attention", "full_attention")
    kinds = keys.kinds("layer_types", length=s.layers, known=known) or ["full_attention"] * s.layers
    ffn = (
        router(s.hidden, count, module="moe.gate"),
        *routed(s.hidden, width, count, module="moe.experts"),
        *dense(s.hidden, shared, role="shared", module="share_expert"),
    )
    layers: list[Layer] = []
    for i, kind in enumerate(kinds):
        sparse = is_moe_layer(i, first, 1)
        part = grouped_query(
            s.hidden, s.heads, s.kv_heads, s.head_dim, reach=FULL if kind == "full_attention" else window,
            query_key_norm=True,
        )  # fmt: skip
        layers.append(
            layer(
                f"{kind.split('_')[0]} attention + {'experts' if sparse else 'dense'}",
                part,
                ffn if sparse else dense(s.hidden, inner),
                experts=Experts(count, active) if sparse else None,
                vectors=2 * s.hidden + (count if sparse else 0),
            )
        )
    mtp = [next_token_layer(layers[-1], s.hidden)] * mtp_count(keys, "num_nextn_predict_layers")
    return Draft(s.hidden, s.vocabulary, layers, s.tied, s.max_context, s.hidden, mtp)


def read_minimax_m3(keys: Keys) -> Draft:
    """Read MiniMax-M3: after three dense layers, attention reads the best 16 blocks of 128 tokens by a small index."""
    s = spine(keys)
    frequency = keys.list("moe_layer_freq", length=s.layers) or [1] * s.layers
    inner = keys.int("dense_intermediate_size", "intermediate_size")
    width = keys.int("moe_intermediate_size", "intermediate_size")
    count, active = keys.int("num_local_experts"), keys.int("num_experts_per_tok")
    shared = keys.int("shared_intermediate_size", default=width) * keys.int("n_shared_experts", default=0, least=0)
    keys.ignore("first_k_dense_replace", "intermediate_size", "use_qk_norm", "qk_norm_type", "use_gemma_norm")
    keys.ignore("num_mtp_modules")
    keys.expect("attention_output_gate", False)
    sparse_on, index, reach = _block_sparse(keys, s.hidden, s.layers)
    ffn = (
        router(s.hidden, count, module="block_sparse_moe.gate"),
        *routed(s.hidden, width, count, module="block_sparse_moe.experts"),
        *(dense(s.hidden, shared, role="shared", module="block_sparse_moe.shared_experts") if shared else ()),
    )
    layers: list[Layer] = []
    for i in range(s.layers):
        sparse = bool(frequency[i])
        part = grouped_query(
            s.hidden, s.heads, s.kv_heads, s.head_dim, query_key_norm=True, reach=reach if sparse_on[i] else FULL
        )
        layers.append(
            layer(
                f"{'block-sparse' if sparse_on[i] else 'full'} attention + {'experts' if sparse else 'dense'}",
                part,
                ffn if sparse else dense(s.hidden, inner),
                experts=Experts(count, active) if sparse else None,
                extra=index if sparse_on[i] else None,
                vectors=2 * s.hidden + (count if sparse else 0),
            )
        )
    mtp = [next_token_layer(layers[-1], s.hidden)] * mtp_count(keys, "num_nextn_predict_layers")
    return Draft(s.hidden, s.vocabulary, layers, s.tied, s.max_context, s.hidden, mtp)


def _block_sparse(keys: Keys, hidden: int, layers: int) -> tuple[list[int], Part, Reach]:
    section = keys.section("sparse_attention_config")
    if section is None:
        return [0] * layers, Part(()), FULL
    on = section.list("sparse_attention_freq", length=layers) or [1] * layers
    heads, dim = section.int("sparse_num_index_heads"), section.int("sparse_index_dim")
    width = section.int("sparse_topk_blocks") * section.int("sparse_block_size")
    section.ignore("sparse_disable_index_value", "sparse_init_block", "sparse_local_block", "sparse_score_type")
    section.expect("use_sparse_attention", True)
    section.finish()
    linears = (
        Linear("self_attn.index_q_proj", "index", hidden, heads * dim, ways=1),
        Linear("self_attn.index_k_proj", "index", hidden, dim, ways=1),
    )
    attend = Attend(Reach(), dim, 1, 2.0 * heads * dim, index=True)
    return on, Part(linears, (attend,), 2 * dim), Reach("top-k", width)
