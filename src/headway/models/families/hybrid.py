"""Hybrids of attention and recurrent state: Qwen3-Next and Qwen3.5, Nemotron-H and Nemotron 3, Kimi Linear and K3."""

from __future__ import annotations

from dataclasses import replace

from headway.errors import InputError
from headway.models.architecture import Experts, Layer, Linear
from headway.models.attention import grouped_query, latent
from headway.models.experts import dense, routed, router
from headway.models.families.common import Draft, is_moe_layer, layer, mtp_count, spine
from headway.models.keys import MOST_LAYERS, Keys
from headway.models.precision import number_format
from headway.models.state import gated_delta_net, kimi_delta, mamba2


def read_qwen(keys: Keys) -> Draft:
    """Read Qwen3-Next and Qwen3.5: gated delta net in three of four layers, gated full attention in the fourth."""
    s = spine(keys)
    every = keys.int("full_attention_interval", default=4)
    types = keys.kinds("layer_types", length=s.layers, known=("linear_attention", "full_attention"))
    kinds = types or ["full_attention" if (i + 1) % every == 0 else "linear_attention" for i in range(s.layers)]
    gate = keys.flag("attn_output_gate", default=True)
    linears, state, vectors = gated_delta_net(
        s.hidden, keys.int("linear_num_key_heads"), keys.int("linear_num_value_heads"),
        keys.int("linear_key_head_dim"), keys.int("linear_value_head_dim"), keys.int("linear_conv_kernel_dim"),
        number_format(keys.text("mamba_ssm_dtype", default="float32")),
    )  # fmt: skip
    state = replace(state, stated="mamba_ssm_dtype" in keys.values)
    bias = keys.flag("attention_bias")
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim, bias=bias, gate=gate, query_key_norm=True)
    keys.ignore("decoder_sparse_step", "mlp_only_layers")
    ffn, experts, extra = _qwen_ffn(keys, s.hidden)
    kind = "experts" if experts else "dense"
    full = layer(f"attention + {kind}", part, ffn, experts=experts, vectors=2 * s.hidden + extra)
    linear = layer(
        f"gated delta net + {kind}", None, (*linears, *ffn), experts=experts, state=state,
        vectors=2 * s.hidden + vectors + extra,
    )  # fmt: skip
    layers = [full if k == "full_attention" else linear for k in kinds]
    joint = Linear("fc", "dense", 2 * s.hidden, s.hidden)
    mtp = [Layer(full.kind, (*full.linears, joint), full.attends, None, full.experts, full.vector_parameters)]
    count = mtp_count(keys, "mtp_num_hidden_layers")
    return Draft(s.hidden, s.vocabulary, layers, s.tied, s.max_context, s.hidden, mtp * count)


def _qwen_ffn(keys: Keys, hidden: int) -> tuple[tuple[Linear, ...], Experts | None, int]:
    count = keys.int("num_experts", default=0, least=0)
    if not count:
        return dense(hidden, keys.int("intermediate_size")), None, 0
    keys.ignore("intermediate_size")
    width, shared = keys.int("moe_intermediate_size"), keys.int("shared_expert_intermediate_size")
    ffn = (
        router(hidden, count),
        *routed(hidden, width, count),
        *dense(hidden, shared, role="shared", module="mlp.shared_expert"),
    )
    return ffn, Experts(count, keys.int("num_experts_per_tok")), hidden  # the shared expert's gate is one row


_NEMOTRON = {"M": "mamba", "E": "moe", "*": "attention", "-": "mlp"}


def read_nemotron_h(keys: Keys) -> Draft:
    """Read Nemotron-H and Nemotron 3: one mixer per layer (Mamba-2, attention, MLP or latent MoE), ReLU^2, no gate."""
    kinds = keys.list("layers_block_type")
    if kinds is not None and set(kinds) - set(_NEMOTRON.values()):
        raise InputError(f"{keys.where}: layers_block_type may hold only {', '.join(_NEMOTRON.values())}")
    if kinds is None:
        pattern = keys.text("hybrid_override_pattern")
        if set(pattern) - set(_NEMOTRON) or len(pattern) > MOST_LAYERS:
            raise keys.wrong("hybrid_override_pattern", pattern, "one of M, E, * and - for each layer")
        kinds = [_NEMOTRON[c] for c in pattern]
    keys.ignore("hybrid_override_pattern")
    s = spine(keys, layers=len(kinds))
    if keys.count("num_hidden_layers", default=s.layers) != s.layers:
        raise InputError(f"{keys.where}: num_hidden_layers differs from the {s.layers} layers that the pattern names")
    groups, size = keys.int("n_groups"), keys.int("ssm_state_size")
    heads, dim = keys.int("mamba_num_heads"), keys.int("mamba_head_dim")
    cache = number_format(keys.text("mamba_ssm_cache_dtype", default="float32"))
    linears, state, vectors = mamba2(
        s.hidden, heads, dim, groups, size, keys.int("conv_kernel"), cache, conv_bias=keys.flag("use_conv_bias")
    )
    state = replace(state, stated=True)  # engines take 32 bits where its config does not say
    keys.ignore("expand", "chunk_size")
    for name in ("mamba_proj_bias", "use_bias", "mlp_bias"):
        keys.expect(name, False)
    keys.expect("sliding_window")
    keys.ignore("mtp_hybrid_override_pattern", "mtp_layers_block_type")
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim, bias=keys.flag("attention_bias"), module="mixer")
    built: dict[str, Layer] = {
        "mamba": layer("Mamba-2", None, linears, state=state, vectors=s.hidden + vectors),
        "attention": layer("attention", part, vectors=s.hidden),
    }
    if "mlp" in kinds:
        inner = keys.int("intermediate_size")
        built["mlp"] = layer("dense", None, dense(s.hidden, inner, gated=False, module="mixer"), vectors=s.hidden)
    keys.ignore("intermediate_size")
    if "moe" in kinds:
        built["moe"] = _latent_mixture(keys, s.hidden)
    layers = [built[k] for k in kinds]
    count = mtp_count(keys, "num_nextn_predict_layers")
    joint = Linear("eh_proj", "dense", 2 * s.hidden, s.hidden)
    extra = [built["attention"], built.get("moe", layers[-1]), Layer("joint", (joint,), vector_parameters=2 * s.hidden)]
    mtp = extra * count
    return Draft(s.hidden, s.vocabulary, layers, s.tied, s.max_context, s.hidden, mtp)


def _latent_mixture(keys: Keys, hidden: int) -> Layer:
    """Experts that work in a narrower latent (projected down before and up after), a shared expert at full width."""
    count, active = keys.int("n_routed_experts"), keys.int("num_experts_per_tok")
    width, shared = keys.int("moe_intermediate_size"), keys.int("moe_shared_expert_intermediate_size")
    keys.expect("n_shared_experts", 1)
    narrow = keys.int("moe_latent_size", default=0, least=0)
    latents = (
        (
            Linear("mixer.fc1_latent_proj", "dense", hidden, narrow, ways=1),
            Linear("mixer.fc2_latent_proj", "dense", narrow, hidden, ways=1),
        )
        if narrow
        else ()
    )
    ffn = (
        router(hidden, count, module="mixer.gate"),
        *latents,
        *routed(narrow or hidden, width, count, gated=False, module="mixer.experts"),
        *dense(hidden, shared, gated=False, role="shared", module="mixer.shared_experts"),
    )
    return layer("experts", None, ffn, experts=Experts(count, active), vectors=hidden + count)


def read_kimi_linear(keys: Keys) -> Draft:
    """Read Kimi Linear and Kimi K3: Kimi Delta Attention with a latent-attention layer now and then, fine MoE."""
    s = spine(keys)
    linear = keys.section("linear_attn_config")
    if linear is None:
        raise InputError(f"{keys.where}: key 'linear_attn_config' is missing")
    full = set(linear.list("full_attn_layers") or [])  # counted from 1
    linear.ignore("kda_layers")
    matrices, state, vectors = kimi_delta(
        s.hidden, linear.int("num_heads"), linear.int("head_dim"), linear.int("short_conv_kernel_size"),
        number_format("fp32"), full_rank_gate=linear.flag("use_full_rank_gate"),
    )  # fmt: skip
    linear.finish()
    part = latent(
        s.hidden, s.heads, keys.int("q_lora_rank", default=0, least=0) or None, keys.int("kv_lora_rank"),
        keys.int("qk_nope_head_dim"), keys.int("qk_rope_head_dim"), keys.int("v_head_dim"),
        output_gate=keys.flag("mla_use_output_gate"),
    )  # fmt: skip
    inner, first = keys.int("intermediate_size"), keys.int("first_k_dense_replace", default=0, least=0)
    frequency = keys.int("moe_layer_freq", default=1)
    moe, experts = _kimi_mixture(keys, s.hidden)
    residual = 2 * s.hidden if keys.int("attn_res_block_size", default=0, least=0) else 0
    layers: list[Layer] = []
    for i in range(s.layers):
        sparse = is_moe_layer(i, first, frequency)
        ffn = moe if sparse else dense(s.hidden, inner)
        fine = 2 * s.hidden + residual + (experts.count if sparse else 0)
        kind = "experts" if sparse else "dense"
        if i + 1 in full:
            one = layer(f"latent attention + {kind}", part, ffn, experts=experts if sparse else None, vectors=fine)
        else:
            one = layer(
                f"Kimi delta attention + {kind}", None, (*matrices, *ffn), experts=experts if sparse else None,
                state=state, vectors=fine + vectors,
            )  # fmt: skip
        layers.append(one)
    return Draft(s.hidden, s.vocabulary, layers, s.tied, s.max_context, s.hidden)


def _kimi_mixture(keys: Keys, hidden: int) -> tuple[tuple[Linear, ...], Experts]:
    count, active = keys.int("num_experts"), keys.int("num_experts_per_token", "num_experts_per_tok")
    width = keys.int("moe_intermediate_size")
    narrow = keys.int("routed_expert_hidden_size", default=0, least=0)
    shared = keys.int("num_shared_experts", default=0, least=0) * width
    latents = (
        (
            Linear("mlp.down_latent", "dense", hidden, narrow, ways=1),
            Linear("mlp.up_latent", "dense", narrow, hidden, ways=1),
        )
        if narrow
        else ()
    )
    own = dense(hidden, shared, role="shared", module="mlp.shared_experts") if shared else ()
    return (
        (router(hidden, count), *latents, *routed(narrow or hidden, width, count), *own),
        Experts(count, active),
    )
