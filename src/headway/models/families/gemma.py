"""Gemma 2, 3 and 4: local and global layers in alternation, tied embeddings, four norms a layer."""

from __future__ import annotations

from headway.errors import InputError, quoted
from headway.models.architecture import Experts, Layer, Linear
from headway.models.attention import grouped_query
from headway.models.experts import dense, routed
from headway.models.families.common import Draft, Spine, layer, spine
from headway.models.keys import Keys
from headway.models.reach import FULL, Reach

# Gemma3TextConfig's defaults: the published configs of Gemma 3 state only what differs.
_GEMMA3 = {
    "vocab_size": 262_208, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26, "num_attention_heads": 8,
    "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 131_072, "sliding_window": 4096,
}  # fmt: skip


def _tied(keys: Keys) -> bool:
    """Gemma ties its head unless the config says otherwise."""
    return keys.flag("tie_word_embeddings", default=True)


def read(keys: Keys) -> Draft:
    """Read Gemma 2 (every other layer local) and Gemma 3 (five of six local; norms on Q and K)."""
    family = keys.text("model_type")
    s = spine(keys, defaults=_GEMMA3 if family == "gemma3_text" else None)
    inner = keys.int("intermediate_size")
    window = Reach("window", keys.int("sliding_window", default=4096))
    every = keys.int("sliding_window_pattern", "_sliding_window_pattern", default=2 if family == "gemma2" else 6)
    types = keys.kinds("layer_types", length=s.layers, known=("sliding_attention", "full_attention"))
    kinds = types or ["full_attention" if (i + 1) % every == 0 else "sliding_attention" for i in range(s.layers)]
    layers = [
        layer(
            f"{kind.split('_')[0]} attention + dense",
            grouped_query(
                s.hidden, s.heads, s.kv_heads, s.head_dim, query_key_norm=family != "gemma2",
                reach=FULL if kind == "full_attention" else window,
            ),
            dense(s.hidden, inner),
            vectors=4 * s.hidden,
        )
        for kind in kinds
    ]  # fmt: skip
    keys.ignore("attention_bias", "cache_implementation", "sliding_window_size")
    return Draft(s.hidden, s.vocabulary, layers, _tied(keys), s.max_context, s.hidden)


def read_gemma4(keys: Keys) -> Draft:
    """Read Gemma 4: wide heads and fewer KV heads in global layers, K used as V there, MLP and experts side by side."""
    s = spine(keys)
    inner = keys.int("intermediate_size")
    window = Reach("window", keys.int("sliding_window"))
    kinds = keys.kinds("layer_types", length=s.layers, known=("sliding_attention", "full_attention")) or []
    wide = keys.int("global_head_dim", default=s.head_dim)
    global_kv = keys.int("num_global_key_value_heads", default=s.kv_heads)
    same = keys.flag("attention_k_eq_v")
    count = keys.int("num_experts", default=0, least=0)
    mixture = keys.flag("enable_moe_block") and count > 0
    for name in ("hidden_size_per_layer_input", "use_double_wide_mlp", "attention_bias"):
        if keys.raw(name):
            raise InputError(f"{keys.where}: {name} = {quoted(keys.raw(name))} is not known to headway for Gemma 4")
    keys.ignore("vocab_size_per_layer_input")  # the table exists only with hidden_size_per_layer_input
    own = s.layers - keys.int("num_kv_shared_layers", default=0, least=0)  # the last layers read earlier layers' caches
    moe, experts, extra = _mixture(keys, s) if mixture else ((), None, 0)
    layers: list[Layer] = []
    for i, kind in enumerate(kinds):
        far = kind == "full_attention"
        part = grouped_query(
            s.hidden, s.heads, global_kv if far else s.kv_heads, wide if far else s.head_dim, query_key_norm=True,
            reach=FULL if far else window, shared_kv_weight=same and far, stores=i < own,
        )  # fmt: skip
        layers.append(
            layer(
                f"{'full' if far else 'sliding'} attention + {'dense and experts' if mixture else 'dense'}",
                part,
                (*dense(s.hidden, inner), *moe),
                experts=experts,
                vectors=4 * s.hidden + extra,
            )
        )
    return Draft(s.hidden, s.vocabulary, layers, _tied(keys), s.max_context, s.hidden)


def read_gemma3n(keys: Keys) -> Draft:
    """Read Gemma 3n: per-layer embeddings, low-rank residuals (LAuReL), four alternating streams (AltUp), shared caches."""
    s = spine(keys)
    widths = keys.raw("intermediate_size")
    inner = widths if isinstance(widths, list) else [widths] * s.layers
    types = keys.kinds("layer_types", length=s.layers, known=("sliding_attention", "full_attention"))
    kinds = types or ["full_attention" if (i + 1) % 5 == 0 else "sliding_attention" for i in range(s.layers)]
    window = Reach("window", keys.int("sliding_window", default=512))
    own = s.layers - keys.int("num_kv_shared_layers", default=15, least=0)
    narrow, table = (
        keys.int("hidden_size_per_layer_input", default=256),
        keys.int("vocab_size_per_layer_input", default=262_144),
    )
    rank, streams = keys.int("laurel_rank", default=64), keys.int("altup_num_inputs", default=4)
    keys.ignore(
        "altup_active_idx", "altup_coef_clip", "altup_correct_scale", "activation_sparsity_pattern", "attention_bias"
    )
    small = (
        Linear("laurel.linear_left", "dense", s.hidden, rank, ways=1),
        Linear("laurel.linear_right", "dense", rank, s.hidden, ways=1),
        Linear("per_layer_input_gate", "dense", s.hidden, narrow, ways=1),
        Linear("per_layer_projection", "dense", narrow, s.hidden, ways=1),
    )
    mixing = (
        streams * s.hidden + s.hidden + streams * streams + streams**3 + s.hidden
    )  # router, its norm, coefficients, scale
    layers: list[Layer] = []
    for i, kind in enumerate(kinds):
        far = kind == "full_attention"
        part = grouped_query(
            s.hidden, s.heads, s.kv_heads, s.head_dim, query_key_norm=True, reach=FULL if far else window, stores=i < own,
        )  # fmt: skip
        ffn = (*dense(s.hidden, keys.whole("intermediate_size", inner[i])), *small)
        # shared layers keep projections of their own in the checkpoint, which nothing multiplies
        unused = 0 if i < own else 2 * s.hidden * s.kv_heads * s.head_dim
        layers.append(
            layer(
                f"{'full' if far else 'sliding'} attention + dense", part, ffn, vectors=6 * s.hidden + mixing + unused
            )
        )
    # looked up, not multiplied: a row per layer; and what joins and splits the streams once a pass
    beside = (
        Linear("embed_tokens_per_layer", "embed", table, s.layers * narrow),
        Linear("per_layer_model_projection", "dense", s.hidden, s.layers * narrow),
        Linear("altup_projections", "dense", s.hidden, s.hidden, copies=2 * (streams - 1)),
    )
    return Draft(s.hidden, s.vocabulary, layers, _tied(keys), s.max_context, s.hidden + narrow, tables=beside)


def _mixture(keys: Keys, s: Spine) -> tuple[tuple[Linear, ...], Experts, int]:
    count = keys.int("num_experts")
    active, width = keys.int("top_k_experts", "num_experts_per_tok"), keys.int("moe_intermediate_size")
    gate = Linear("router.proj", "router", s.hidden, count, ways=1)
    matrices = (gate, *routed(s.hidden, width, count, module="experts"))
    return matrices, Experts(count, active), 3 * s.hidden + s.hidden + count
