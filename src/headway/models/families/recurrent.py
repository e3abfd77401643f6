"""Models with a recurrent state: Falcon-H1, Jamba, Granite 4, Mamba 1 and 2, RWKV-7, MiniMax-01, LFM2."""

from __future__ import annotations

import math

from headway.models.architecture import Experts, Layer, Linear, State
from headway.models.attention import grouped_query
from headway.models.experts import dense
from headway.models.families.common import Draft, layer, spine
from headway.models.families.ignored import IGNORED
from headway.models.families.kin import Ffn, experts_of
from headway.models.keys import Keys
from headway.models.precision import number_format
from headway.models.state import lightning, mamba1, mamba2, rwkv7


def read_falcon_h1(keys: Keys) -> Draft:
    """Read Falcon-H1: attention and Mamba-2 side by side in every layer."""
    s = spine(keys)
    inner, heads = keys.int("mamba_d_ssm", default=0, least=0), keys.int("mamba_n_heads")
    inner = inner or keys.int("mamba_expand", default=2) * s.hidden
    width = keys.int("mamba_d_head", default=inner // heads)
    linears, state, vectors = mamba2(
        s.hidden, heads, width, keys.int("mamba_n_groups"), keys.int("mamba_d_state"), keys.int("mamba_d_conv"),
        number_format("fp32"), conv_bias=keys.flag("mamba_conv_bias", default=True), module="mamba",
    )  # fmt: skip
    if not keys.flag("mamba_rms_norm", default=False):
        vectors -= inner  # no gated norm inside
    keys.expect("mamba_proj_bias", False)
    bias = keys.flag("attention_bias")
    keys.ignore(*IGNORED["falcon_h1"])
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim, bias=bias)
    ffn = dense(s.hidden, keys.int("intermediate_size"), bias=keys.flag("mlp_bias"), module="feed_forward")
    one = layer("attention and Mamba-2 + dense", part, (*linears, *ffn), state=state, vectors=2 * s.hidden + vectors)
    return Draft(s.hidden, s.vocabulary, [one] * s.layers, s.tied, s.max_context, s.hidden)


def read_jamba(keys: Keys) -> Draft:
    """Read Jamba: one layer in eight attends, the others are Mamba with norms on its inputs; every other layer has experts."""
    s = spine(keys)
    period, offset = keys.int("attn_layer_period", default=8), keys.int("attn_layer_offset", default=4, least=0)
    every, from_ = keys.int("expert_layer_period", default=2), keys.int("expert_layer_offset", default=1, least=0)
    inner = keys.int("mamba_expand", default=2) * s.hidden
    size, rank = keys.int("mamba_d_state", default=16), keys.raw("mamba_dt_rank")
    rank = rank if isinstance(rank, int) else math.ceil(s.hidden / 16)
    linears, state, vectors = mamba1(
        s.hidden, inner, size, keys.int("mamba_d_conv", default=4), rank, number_format("bf16"),
        bias=keys.flag("mamba_proj_bias"), conv_bias=keys.flag("mamba_conv_bias", default=True), module="mamba",
    )  # fmt: skip
    vectors += rank + 2 * size
    keys.ignore("mamba_inner_layernorms", "n_ctx", "num_logits_to_keep", "sliding_window")
    width, count = keys.int("intermediate_size"), keys.int("num_experts", default=16)
    plain: Ffn = (dense(s.hidden, width), None, "dense", 0)
    mixture = experts_of(s.hidden, width, count, keys.int("num_experts_per_tok", default=2)) if count > 1 else plain
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim)
    layers: list[Layer] = []
    for i in range(s.layers):
        ffn, experts, kind, extra = mixture if i % every == from_ else plain
        if i % period == offset:
            layers.append(layer(f"attention + {kind}", part, ffn, experts=experts, vectors=2 * s.hidden + extra))
        else:
            layers.append(_recurrent("Mamba", kind, linears, ffn, experts, state, 2 * s.hidden + vectors + extra))
    return Draft(s.hidden, s.vocabulary, layers, s.tied, s.max_context, s.hidden)


def _recurrent(
    name: str, kind: str, linears: tuple[Linear, ...], ffn: tuple[Linear, ...], experts: Experts | None, state: State,
    vectors: int,
) -> Layer:  # fmt: skip
    return layer(f"{name} + {kind}", None, (*linears, *ffn), experts=experts, state=state, vectors=vectors)


def read_granite_hybrid(keys: Keys) -> Draft:
    """Read Granite 4: Mamba-2 in nine of ten layers, a shared block in all, experts in the larger ones."""
    s = spine(keys)
    kinds = keys.kinds(
        "layer_types", "layers_block_type", length=s.layers, known=("mamba", "attention", "multihead_latent_attention")
    )
    heads = keys.int("mamba_n_heads", default=128)
    width = keys.raw("mamba_d_head")
    width = width if isinstance(width, int) else keys.int("mamba_expand", default=2) * s.hidden // heads
    linears, state, vectors = mamba2(
        s.hidden, heads, width, keys.int("mamba_n_groups", default=1), keys.int("mamba_d_state", default=256),
        keys.int("mamba_d_conv", default=4), number_format("fp32"), conv_bias=keys.flag("mamba_conv_bias", default=True), module="mamba",
    )  # fmt: skip
    keys.expect("mamba_proj_bias", False)
    keys.ignore(*IGNORED["granite_hybrid"])
    shared = keys.int("shared_intermediate_size", default=0, least=0)
    count = keys.int("num_local_experts", default=0, least=0)
    if count:
        active = keys.int("num_experts_per_tok")
        mixture = experts_of(s.hidden, keys.int("intermediate_size"), count, active, shared=shared)
    else:
        keys.ignore("num_experts_per_tok")
        mixture: Ffn = (dense(s.hidden, shared or keys.int("intermediate_size")), None, "dense", 0)
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim, bias=keys.flag("attention_bias"))
    ffn, experts, kind, extra = mixture
    near = _recurrent("Mamba-2", kind, linears, ffn, experts, state, 2 * s.hidden + vectors + extra)
    far = layer(f"attention + {kind}", part, ffn, experts=experts, vectors=2 * s.hidden + extra)
    layers = [near if k == "mamba" else far for k in kinds or ["mamba"] * s.layers]
    tied = keys.flag("tie_word_embeddings", default=True)
    return Draft(s.hidden, s.vocabulary, layers, tied, s.max_context, s.hidden)


def read_mamba(keys: Keys) -> Draft:
    """Read Mamba and Falcon-Mamba."""
    hidden, layers = keys.int("hidden_size", "d_model"), keys.count("num_hidden_layers", "n_layer")
    inner = keys.int("intermediate_size", "d_inner", default=keys.int("expand", default=2) * hidden)
    rank = keys.raw("time_step_rank")
    rank = rank if isinstance(rank, int) else math.ceil(hidden / 16)
    linears, state, vectors = mamba1(
        hidden, inner, keys.int("state_size", default=16), keys.int("conv_kernel", default=4), rank, number_format("fp32"),
        bias=keys.flag("use_bias"), conv_bias=keys.flag("use_conv_bias", default=True),
    )  # fmt: skip
    keys.ignore(*IGNORED["mamba"])
    one = layer("Mamba", None, linears, state=state, vectors=hidden + vectors)
    tied = keys.flag("tie_word_embeddings", default=True)
    return Draft(hidden, keys.int("vocab_size"), [one] * layers, tied, 1 << 20, hidden)


def read_mamba2(keys: Keys) -> Draft:
    """Read Mamba-2 and Codestral Mamba."""
    hidden, layers = keys.int("hidden_size", "d_model"), keys.count("num_hidden_layers", "n_layer")
    heads, width = keys.int("num_heads", default=128), keys.int("head_dim", default=64)
    linears, state, vectors = mamba2(
        hidden, heads, width, keys.int("n_groups", default=8), keys.int("state_size", default=128), keys.int("conv_kernel", default=4),
        number_format("fp32"), conv_bias=keys.flag("use_conv_bias", default=True),
    )  # fmt: skip
    keys.expect("use_bias", False)
    keys.ignore(*IGNORED["mamba2"])
    one = layer("Mamba-2", None, linears, state=state, vectors=hidden + vectors)
    tied = keys.flag("tie_word_embeddings")
    return Draft(hidden, keys.int("vocab_size"), [one] * layers, tied, 1 << 20, hidden)


def read_rwkv7(keys: Keys) -> Draft:
    """Read RWKV-7 (flash-linear-attention's config): time mixing by a delta rule, channel mixing without a gate."""
    hidden, layers, width = keys.int("hidden_size"), keys.count("num_hidden_layers"), keys.int("head_dim", default=64)
    inner = keys.int("intermediate_size", default=4 * hidden)
    ranks = (
        keys.int("decay_low_rank_dim"), keys.int("a_low_rank_dim"), keys.int("v_low_rank_dim"), keys.int("gate_low_rank_dim"),
    )  # fmt: skip
    keys.ignore(*IGNORED["rwkv7"])
    ffn = (Linear("ffn.key", "dense", hidden, inner), Linear("ffn.value", "dense", inner, hidden))
    built: list[Layer] = []
    for i in range(layers):
        linears, state, vectors = rwkv7(hidden, width, ranks, number_format("fp32"), first=i == 0)
        extra = (
            hidden + 4 * hidden + (2 * hidden if i == 0 else 0)
        )  # token shift of the channel mix; norms, one more at the start
        built.append(layer("RWKV-7 + dense", None, (*linears, *ffn), state=state, vectors=vectors + extra))
    tied = keys.flag("tie_word_embeddings")
    return Draft(hidden, keys.int("vocab_size"), built, tied, 1 << 20, 2 * hidden)


def read_minimax_01(keys: Keys) -> Draft:
    """Read MiniMax-Text-01 and M1: lightning attention in seven of eight layers, experts in all."""
    s = spine(keys)
    listed = keys.list("attn_type_list", length=s.layers)
    types = keys.kinds("layer_types", length=s.layers, known=("linear_attention", "full_attention"))
    far = (
        [k == "full_attention" for k in types]
        if types
        else [k == 1 for k in listed or [(i + 1) % 8 == 0 for i in range(s.layers)]]
    )
    linears, state, vectors = lightning(s.hidden, s.heads, s.head_dim, number_format("fp32"))
    shared = keys.raw("shared_intermediate_size", 0)
    keys.expect("shared_intermediate_size", 0, [0])
    mixture = experts_of(s.hidden, keys.int("intermediate_size"), keys.int("num_local_experts"), keys.int("num_experts_per_tok"),
                         shared=shared if isinstance(shared, int) else 0)  # fmt: skip
    keys.ignore(*IGNORED["minimax_01"])
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim)
    ffn, experts, kind, extra = mixture
    near = _recurrent("lightning attention", kind, linears, ffn, experts, state, 2 * s.hidden + vectors + extra)
    full = layer(f"attention + {kind}", part, ffn, experts=experts, vectors=2 * s.hidden + extra)
    return Draft(s.hidden, s.vocabulary, [full if x else near for x in far], s.tied, s.max_context, s.hidden)


def read_lfm2(keys: Keys) -> Draft:
    """Read LFM2: gated short convolutions and attention in turn; widths of feed-forward blocks rounded up; experts in the larger."""
    s = spine(keys)
    kinds = keys.kinds("layer_types", length=s.layers, known=("conv", "full_attention"))
    if kinds is None:
        full = set(keys.list("full_attn_idxs") or [])
        kinds = ["full_attention" if i in full else "conv" for i in range(s.layers)]
    kernel = keys.int("conv_L_cache", default=3)
    bias = keys.flag("conv_bias")
    keys.ignore(*IGNORED["lfm2"])
    inner = keys.int("intermediate_size", "block_ff_dim")
    if keys.flag("block_auto_adjust_ff_dim", default=True) and "moe_intermediate_size" not in keys.values:
        unit = keys.int("block_multiple_of", default=256)
        inner = math.ceil(int(keys.number("block_ffn_dim_multiplier", default=1.0) * int(2 * inner / 3)) / unit) * unit
    keys.ignore("block_multiple_of", "block_ffn_dim_multiplier")
    plain: Ffn = (dense(s.hidden, inner, module="feed_forward"), None, "dense", 0)
    mixture, first = plain, s.layers
    if "num_experts" in keys.values:
        first = keys.int("num_dense_layers", default=0, least=0)
        mixture = experts_of(
            s.hidden,
            keys.int("moe_intermediate_size"),
            keys.int("num_experts"),
            keys.int("num_experts_per_tok"),
            correction=True,
        )
    conv = (
        Linear("conv.in_proj", "state", s.hidden, 3 * s.hidden, bias=bias), Linear("conv.conv", "conv", kernel, s.hidden, bias=bias),
        Linear("conv.out_proj", "state", s.hidden, s.hidden, bias=bias),
    )  # fmt: skip
    state = State(0.0, float(kernel * s.hidden), 0.0, 0, number_format("bf16"))
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim, query_key_norm=True)
    layers: list[Layer] = []
    for i, kind in enumerate(kinds):
        ffn, experts, label, extra = plain if i < first else mixture
        if kind == "conv":
            layers.append(_recurrent("short convolution", label, conv, ffn, experts, state, 2 * s.hidden + extra))
        else:
            layers.append(layer(f"attention + {label}", part, ffn, experts=experts, vectors=2 * s.hidden + extra))
    tied = keys.flag("tie_embedding", default=keys.flag("tie_word_embeddings", default=True))
    return Draft(s.hidden, s.vocabulary, layers, tied, s.max_context, s.hidden)
