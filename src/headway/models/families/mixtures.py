"""Mixtures of experts of many families: DBRX, Grok, Arctic, PhiMoE, Granite, OLMoE, dots, Ling, Ernie, Hunyuan, DeepSeek 1."""

from __future__ import annotations

from headway.models.attention import grouped_query
from headway.models.experts import dense
from headway.models.families.common import Draft, layer, mtp_count, spine
from headway.models.families.decoder import next_token_layer
from headway.models.families.ignored import IGNORED
from headway.models.families.kin import Ffn, experts_of, mixed
from headway.models.keys import Keys


def read_dbrx(keys: Keys) -> Draft:
    """Read DBRX: nested attn_config and ffn_config in MPT's names, norms without biases."""
    hidden, heads, layers = keys.int("d_model"), keys.int("n_heads"), keys.count("n_layers")
    attention, ffn = keys.section("attn_config"), keys.section("ffn_config")
    if attention is None or ffn is None:
        raise keys.wrong("attn_config", keys.raw("attn_config"), "an object, and ffn_config beside it")
    part = grouped_query(hidden, heads, attention.int("kv_n_heads", default=1), hidden // heads)
    attention.ignore("clip_qkv", "attn_pdrop", "rope_theta")
    mixture = experts_of(hidden, ffn.int("ffn_hidden_size"), ffn.int("moe_num_experts"), ffn.int("moe_top_k"))
    ffn.ignore(
        "ffn_act_fn", "moe_jitter_eps", "moe_loss_weight", "moe_normalize_expert_weights", "uniform_expert_assignment"
    )
    for section in (attention, ffn):
        section.finish()
    one = layer("attention + experts", part, mixture[0], experts=mixture[1], vectors=2 * hidden)
    tied = keys.flag("tie_word_embeddings")
    context = keys.int("max_seq_len", default=1 << 20)
    return Draft(hidden, keys.int("vocab_size"), [one] * layers, tied, context, hidden)


def read_grok1(keys: Keys) -> Draft:
    """Read Grok-1: eight wide experts, four norms a layer, tied head."""
    s = spine(keys)
    mixture = experts_of(
        s.hidden,
        keys.int("intermediate_size"),
        keys.int("num_experts"),
        keys.int("num_experts_per_tok", "num_selected_experts"),
    )
    _scalings(keys)
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim)
    draft = mixed(keys, s, part, lambda _: mixture, 4 * s.hidden)
    draft.tied = keys.flag("tie_word_embeddings", default=True)
    return draft


def read_grok2(keys: Keys) -> Draft:
    """Read Grok-2 (model_type ``git``): a dense block beside eight experts in every layer, four norms."""
    s = spine(keys)
    mixture = experts_of(
        s.hidden, keys.int("moe_intermediate_size"), keys.int("num_local_experts"), keys.int("num_experts_per_tok")
    )
    inner = keys.int("intermediate_size")
    beside = dense(s.hidden, inner) if keys.flag("residual_moe", default=True) else ()
    _scalings(keys)
    keys.ignore("scale_factor", "original_max_position_embeddings", "sliding_window_size", "global_attn_every_n")
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim)
    ffn: Ffn = ((*beside, *mixture[0]), mixture[1], "dense and experts", 0)
    return mixed(keys, s, part, lambda _: ffn, 4 * s.hidden)


def _scalings(keys: Keys) -> None:
    keys.ignore(*IGNORED["scalings"])


def read_arctic(keys: Keys) -> Draft:
    """Read Snowflake Arctic: a dense residual block as wide as the model beside 128 experts."""
    s = spine(keys)
    every = keys.int("moe_layer_frequency", default=2)
    inner = keys.int("intermediate_size")
    mixture = experts_of(s.hidden, inner, keys.int("num_local_experts"), keys.int("num_experts_per_tok", default=1))
    beside = keys.flag("use_residual", default=True) and keys.flag("parallel_attn_mlp_res", default=True)
    keys.ignore(*IGNORED["arctic"])
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim)
    residual = dense(s.hidden, s.hidden, module="residual_mlp") if beside else ()
    sparse: Ffn = ((*residual, *mixture[0]), mixture[1], "dense and experts", s.hidden if beside else 0)
    plain: Ffn = (dense(s.hidden, inner), None, "dense", 0)
    return mixed(keys, s, part, lambda i: sparse if (i + 1) % every == 0 else plain, 2 * s.hidden)


def read_phimoe(keys: Keys) -> Draft:
    """Read Phi-3.5-MoE: 16 experts, biases on attention and head, norms with biases."""
    s = spine(keys)
    bias = keys.flag("attention_bias", default=True)
    mixture = experts_of(
        s.hidden, keys.int("intermediate_size"), keys.int("num_local_experts"), keys.int("num_experts_per_tok")
    )
    keys.ignore("input_jitter_noise", "sliding_window")
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim, bias=bias)
    draft = mixed(keys, s, part, lambda _: mixture, 4 * s.hidden, final=2 * s.hidden)
    draft.head_bias = keys.flag("lm_head_bias", default=True)
    return draft


def read_granitemoe(keys: Keys) -> Draft:
    """Read Granite MoE, with or without a shared block."""
    s = spine(keys)
    bias = keys.flag("attention_bias")
    shared = keys.int("shared_intermediate_size", default=0, least=0)
    mixture = experts_of(
        s.hidden,
        keys.int("intermediate_size"),
        keys.int("num_local_experts"),
        keys.int("num_experts_per_tok"),
        shared=shared,
    )
    keys.ignore("embedding_multiplier", "logits_scaling", "residual_multiplier", "attention_multiplier")
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim, bias=bias)
    draft = mixed(keys, s, part, lambda _: mixture, 2 * s.hidden)
    draft.tied = keys.flag("tie_word_embeddings", default=True)
    return draft


def read_olmoe(keys: Keys) -> Draft:
    """Read OLMoE: 64 experts, Q and K normed over all heads."""
    s = spine(keys)
    bias = keys.flag("attention_bias")
    keys.ignore("clip_qkv")
    mixture = experts_of(
        s.hidden, keys.int("intermediate_size"), keys.int("num_experts"), keys.int("num_experts_per_tok")
    )
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim, bias=bias)
    return mixed(keys, s, part, lambda _: mixture, 2 * s.hidden + (s.heads + s.kv_heads) * s.head_dim)


def read_fine(keys: Keys) -> Draft:
    """Read dots.llm1, Ling (1 and 2) and DeepSeek-MoE: first layers dense, fine experts and shared ones, grouped queries."""
    family = keys.text("model_type")
    s = spine(keys)
    first = keys.int("first_k_dense_replace", default=0, least=0)
    width, count = keys.int("moe_intermediate_size"), keys.int("n_routed_experts", "num_experts")
    several = keys.int("n_shared_experts", "num_shared_experts", default=0, least=0)
    shared = keys.int("moe_shared_expert_intermediate_size", default=several * width)
    corrected = family in ("dots1", "bailing_moe_v2")
    mixture = experts_of(s.hidden, width, count, keys.int("num_experts_per_tok"), shared=shared, correction=corrected)
    inner = keys.int("intermediate_size")
    plain: Ffn = (dense(s.hidden, inner), None, "dense", 0)
    norm = keys.flag("use_qk_norm", default=corrected)
    bias = keys.flag("attention_bias", "use_qkv_bias", default=False)
    keys.expect("moe_layer_freq", 1)
    keys.ignore(*IGNORED["fine"])
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim, query_key_norm=norm, bias=bias, output_bias=False)
    draft = mixed(keys, s, part, lambda i: plain if i < first else mixture, 2 * s.hidden)
    draft.mtp = [next_token_layer(draft.layers[-1], s.hidden)] * mtp_count(keys, "num_nextn_predict_layers")
    return draft


def read_ernie(keys: Keys) -> Draft:
    """Read Ernie 4.5 MoE: experts from a first layer on, shared ones of the same width, a correction per expert."""
    s = spine(keys)
    bias = keys.flag("use_bias")
    start, every = keys.int("moe_layer_start_index", default=1, least=0), keys.int("moe_layer_interval", default=1)
    end = keys.int("moe_layer_end_index", default=s.layers - 1, least=-1)
    end = s.layers - 1 if end < 0 else end
    width = keys.int("moe_intermediate_size")
    several = keys.int("moe_num_shared_experts", default=0, least=0)
    mixture = experts_of(
        s.hidden, width, keys.int("moe_num_experts"), keys.int("moe_k"), shared=several * width, correction=True
    )
    plain: Ffn = (dense(s.hidden, keys.int("intermediate_size")), None, "dense", 0)
    keys.ignore(*IGNORED["ernie"])
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim, bias=bias)
    draft = mixed(
        keys, s, part, lambda i: mixture if start <= i <= end and (i - start) % every == 0 else plain, 2 * s.hidden
    )
    draft.tied = keys.flag("tie_word_embeddings", default=True)
    return draft


def read_hunyuan(keys: Keys) -> Draft:
    """Read Hunyuan-A13B: top-k and shared experts are lists per layer, Q and K normed per head, tied head."""
    s = spine(keys)
    count, active = keys.int("num_experts"), _same(keys, "moe_topk", s.layers)
    width = _same(keys, "moe_intermediate_size", s.layers, default=keys.int("intermediate_size"))
    shared = width * _same(keys, "num_shared_expert", s.layers, default=0)
    mixture = experts_of(s.hidden, width, count, active, shared=shared)
    keys.flag("use_mixed_mlp_moe", default=True)
    norm = keys.flag("use_qk_norm", default=True)
    keys.ignore(*IGNORED["hunyuan"])
    part = grouped_query(
        s.hidden, s.heads, s.kv_heads, s.head_dim, query_key_norm=norm, bias=keys.flag("attention_bias")
    )
    draft = mixed(keys, s, part, lambda _: mixture, 2 * s.hidden)
    draft.tied = keys.flag("tie_word_embeddings", default=True)
    return draft


def _same(keys: Keys, name: str, layers: int, **otherwise: int) -> int:
    """Return a number that is alone or a list of equal ones; `default=` where the key may be absent."""
    value = keys.raw(name)
    if not isinstance(value, list):
        return keys.int(name, least=0, **otherwise)
    if len(set(map(str, value))) != 1:
        raise keys.wrong(name, value, f"one number, or {layers} equal ones")
    return keys.whole(name, value[0], least=0)
