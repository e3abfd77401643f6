"""Plain decoders (Llama, Mistral, Mixtral, Qwen 2 and 3, GLM-4.5, MiniMax-M2, gpt-oss) and Llama 4's interleaving."""

from __future__ import annotations

from collections.abc import Callable

from headway.errors import InputError
from headway.models.architecture import Experts, Layer, Linear
from headway.models.attention import grouped_query
from headway.models.experts import dense, routed, router
from headway.models.families.common import Draft, Spine, layer, mtp_count, spine
from headway.models.keys import Keys
from headway.models.reach import FULL, Reach

Pick = Callable[[int], tuple[tuple[Linear, ...], Experts | None, str, int]]


def read(keys: Keys) -> Draft:
    """Read Llama, Mistral, Mixtral, Qwen2, Qwen3 (dense and MoE), GLM-4.5, Phi-3, MiMo-7B and the Qwen3-VL text part."""
    family = keys.text("model_type")
    s = spine(keys)
    bias = keys.flag("attention_bias", default=family in ("qwen2", "qwen2_moe"))
    output_bias = bias and family not in ("qwen2", "qwen2_moe", "glm4_moe", "mimo")
    norm = keys.flag("use_qk_norm") or family.startswith("qwen3")
    wide_norm = family == "olmo2"
    reach = _windows(keys, s.layers)
    pick = _mixture(keys, s)
    layers: list[Layer] = []
    for i in range(s.layers):
        part = grouped_query(
            s.hidden, s.heads, s.kv_heads, s.head_dim, reach=reach[i], bias=bias, output_bias=output_bias,
            query_key_norm=norm,
        )  # fmt: skip
        ffn, experts, kind, extra = pick(i)
        vectors = 2 * s.hidden + extra + ((s.heads + s.kv_heads) * s.head_dim if wide_norm else 0)
        layers.append(layer(f"attention + {kind}", part, ffn, experts=experts, vectors=vectors))
    notes: list[str] = []
    mtp = mtp_count(keys, "num_nextn_predict_layers")
    extra_layers = [next_token_layer(layers[-1], s.hidden)] * mtp
    return Draft(s.hidden, s.vocabulary, layers, s.tied, s.max_context, s.hidden, extra_layers, notes=notes)


def next_token_layer(last: Layer, hidden: int) -> Layer:
    """A multi-token-prediction layer: one more layer like the last, and a projection of hidden + embedding.

    Parameters
    ----------
    last : Layer
        The layer that it is like.
    hidden : int
        Width of the layer. [1]
    """
    joint = Linear("eh_proj", "dense", 2 * hidden, hidden)
    return Layer(last.kind, (*last.linears, joint), last.attends, last.state, last.experts, last.vector_parameters)


def _windows(keys: Keys, layers: int) -> list[Reach]:
    """Full attention unless the config turns sliding windows on (Mistral by presence, Qwen by a flag)."""
    window = keys.int("sliding_window", default=0, least=0)
    types = keys.kinds("layer_types", length=layers, known=("sliding_attention", "full_attention"))
    most = keys.int("max_window_layers", default=0, least=0)
    on = keys.flag("use_sliding_window", default="use_sliding_window" not in keys.values)
    if not window or not on:
        if types and "sliding_attention" in types:
            raise InputError(f"{keys.where}: layer_types has sliding_attention, but there is no sliding_window in use")
        return [FULL] * layers
    near = Reach("window", window)
    if types:
        return [near if t == "sliding_attention" else FULL for t in types]
    return [near if i >= most else FULL for i in range(layers)]


def _mixture(keys: Keys, s: Spine) -> Pick:
    """Return a function from layer index to (matrices, routing, kind, vector parameters)."""
    count = keys.int("num_local_experts", "num_experts", "n_routed_experts", default=0, least=0)
    inner = keys.int("intermediate_size")
    bias = keys.flag("mlp_bias")
    if not count:
        keys.ignore("decoder_sparse_step", "mlp_only_layers")
        plain = dense(s.hidden, inner, bias=bias)
        return lambda i: (plain, None, "dense", 0)
    active = keys.int("num_experts_per_tok", "experts_per_token")
    width = keys.int("moe_intermediate_size", default=inner)
    step = keys.int("decoder_sparse_step", default=1)
    only_dense = set(keys.list("mlp_only_layers") or [])
    first = keys.int("first_k_dense_replace", default=0, least=0)
    shared_width = keys.int("shared_expert_intermediate_size", "shared_intermediate_size", default=0, least=0)
    shared_count = keys.int("n_shared_experts", default=0, least=0)
    shared_inner = shared_width or shared_count * width
    experts = Experts(count, active)
    # A sigmoid router (GLM) keeps one correction bias per expert; Qwen2-MoE gates its shared expert with one row.
    correction = count if keys.values.get("model_type") == "glm4_moe" else 0
    gate = s.hidden if shared_width and keys.values.get("model_type") == "qwen2_moe" else 0

    def pick(i: int) -> tuple[tuple[Linear, ...], Experts | None, str, int]:
        if i in only_dense or i < first or (i + 1) % step:
            return dense(s.hidden, inner, bias=bias), None, "dense", 0
        shared = dense(s.hidden, shared_inner, role="shared", module="mlp.shared_experts") if shared_inner else ()
        ffn = (router(s.hidden, count), *routed(s.hidden, width, count), *shared)
        return ffn, experts, "experts", correction + gate

    return pick


def read_gpt_oss(keys: Keys) -> Draft:
    """Read gpt-oss: biases everywhere, a sink per head, every other layer a window, all layers MoE."""
    s = spine(keys)
    count = keys.int("num_local_experts")
    active = keys.int("num_experts_per_tok", "experts_per_token")
    inner = keys.int("intermediate_size")
    window = Reach("window", keys.int("sliding_window"))
    known = ("sliding_attention", "full_attention")
    types = keys.kinds("layer_types", length=s.layers, known=known) or [known[i % 2] for i in range(s.layers)]
    bias = keys.flag("attention_bias", default=True)
    ffn = (
        router(s.hidden, count, module="mlp.router", bias=True),
        *routed(s.hidden, inner, count, bias=True),
    )
    layers = [
        layer(
            f"{t.split('_')[0]} attention + experts",
            grouped_query(
                s.hidden, s.heads, s.kv_heads, s.head_dim, bias=bias, sinks=True,
                reach=window if t == "sliding_attention" else FULL,
            ),
            ffn,
            experts=Experts(count, active),
            vectors=2 * s.hidden,
        )
        for t in types
    ]  # fmt: skip
    return Draft(s.hidden, s.vocabulary, layers, s.tied, s.max_context, s.hidden)


def read_minimax_m2(keys: Keys) -> Draft:
    """Read MiniMax-M2: all layers MoE with a routing bias, Q and K normed over their whole width."""
    s = spine(keys)
    count, active = keys.int("num_local_experts"), keys.int("num_experts_per_tok")
    inner = keys.int("intermediate_size")
    wide = keys.flag("use_qk_norm") and keys.text("qk_norm_type", default="per_layer") == "per_layer"
    keys.ignore("use_mtp", "attn_type_list")
    if keys.int("shared_intermediate_size", default=0, least=0):
        raise InputError(f"{keys.where}: shared_intermediate_size above 0 is not known for MiniMax-M2")
    part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim, wide_norm=wide)
    experts = routed(s.hidden, inner, count, module="block_sparse_moe.experts")
    ffn = (router(s.hidden, count, module="block_sparse_moe.gate"), *experts)
    one = layer("attention + experts", part, ffn, experts=Experts(count, active), vectors=2 * s.hidden + count)
    extra = mtp_count(keys, "num_mtp_modules") * keys.int("mtp_transformer_layers", default=1, most=10)
    mtp = [next_token_layer(one, s.hidden)] * extra
    return Draft(s.hidden, s.vocabulary, [one] * s.layers, s.tied, s.max_context, s.hidden, mtp)


def read_llama4(keys: Keys) -> Draft:
    """Read Llama 4: MoE every `interleave_moe_layer_step` layers with one shared expert, chunks in 3 of 4 layers."""
    s = spine(keys)
    count, active = keys.int("num_local_experts"), keys.int("num_experts_per_tok")
    inner, wide = keys.int("intermediate_size"), keys.int("intermediate_size_mlp")
    step = keys.int("interleave_moe_layer_step", default=1)
    which = keys.list("moe_layers") or list(range(step - 1, s.layers, step))
    chunk = Reach("chunk", keys.int("attention_chunk_size", default=8192))
    # iRoPE: every fourth layer has no position encoding and attends to everything; the others to their own chunk.
    roped = keys.list("no_rope_layers", length=s.layers) or [(i + 1) % 4 != 0 for i in range(s.layers)]
    keys.ignore("use_qk_norm", "no_rope_layer_interval", "for_llm_compressor", "attn_temperature_tuning")
    keys.ignore("floor_scale", "attn_scale", "layer_types")
    layers: list[Layer] = []
    for i in range(s.layers):
        part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim, reach=chunk if roped[i] else FULL)
        if i in which:
            ffn = (
                router(s.hidden, count, module="feed_forward.router"),
                *routed(s.hidden, inner, count, module="feed_forward.experts"),
                *dense(s.hidden, inner, role="shared", module="feed_forward.shared_expert"),
            )
            experts, kind = Experts(count, active), "experts"
        else:
            ffn, experts, kind = dense(s.hidden, wide, module="feed_forward"), None, "dense"
        layers.append(layer(f"{part.attends[0].reach.kind} attention + {kind}", part, ffn, experts=experts,
                            vectors=2 * s.hidden))  # fmt: skip
    return Draft(s.hidden, s.vocabulary, layers, s.tied, s.max_context, s.hidden)
