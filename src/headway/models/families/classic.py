"""The models of 2019 to 2023 that people still measure: GPT-2 and GPT-3 shapes, GPT-J, OPT, Falcon, MPT, BLOOM, PaLM."""

from __future__ import annotations

from headway.errors import InputError
from headway.models.architecture import Layer
from headway.models.attention import grouped_query
from headway.models.experts import dense
from headway.models.families.common import Draft, layer
from headway.models.families.ignored import IGNORED
from headway.models.keys import Keys


def _stack(
    keys: Keys,
    hidden: int,
    layers: int,
    heads: int,
    *,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    inner: int | None = None,
    gated: bool = False,
    bias: bool = True,
    ffn_bias: bool | None = None,
    norms: int = 2,
    norm_bias: bool = True,
    positions: int = 0,
    tied: bool = True,
    head_bias: bool = False,
    embedding_norm: bool = False,
    side_by_side: bool = False,
) -> Draft:
    """Build equal layers of attention and a feed-forward block; `norms` LayerNorms each, one at the end."""
    norm = hidden * (2 if norm_bias else 1)
    part = grouped_query(hidden, heads, kv_heads or heads, head_dim or hidden // heads, bias=bias)
    ffn = dense(hidden, inner or 4 * hidden, gated=gated, bias=bias if ffn_bias is None else ffn_bias)
    one: Layer = layer("attention + dense", part, ffn, vectors=norms * norm)
    final = norm + positions * hidden + (norm if embedding_norm else 0)
    vocabulary = keys.int("vocab_size")
    context = keys.int("n_positions", "max_position_embeddings", "max_seq_len", "seq_length", "n_ctx", default=1 << 20)
    return Draft(
        hidden, vocabulary, [one] * layers, tied, context, final, head_bias=head_bias, side_by_side=side_by_side
    )


def read_gpt2(keys: Keys) -> Draft:
    """Read GPT-2 (and GPT-3, Megatron and FasterTransformer GPTs in its keys): learned positions, tied head."""
    hidden, layers, heads = keys.int("n_embd"), keys.count("n_layer"), keys.int("n_head")
    positions = keys.int("n_positions", "n_ctx", default=1024)
    inner = keys.int("n_inner", default=4 * hidden)
    tied = keys.flag("tie_word_embeddings", default=True)
    return _stack(keys, hidden, layers, heads, inner=inner, positions=positions, tied=tied)


def read_gptj(keys: Keys) -> Draft:
    """Read GPT-J: one norm, attention and feed-forward side by side, rotary, an untied head with a bias."""
    hidden, layers, heads = keys.int("n_embd"), keys.count("n_layer"), keys.int("n_head")
    inner = keys.int("n_inner", default=4 * hidden)
    keys.ignore("tie_word_embeddings")
    return _stack(
        keys,
        hidden,
        layers,
        heads,
        inner=inner,
        bias=False,
        ffn_bias=True,
        norms=1,
        tied=False,
        head_bias=True,
        side_by_side=True,
    )


def read_opt(keys: Keys) -> Draft:
    """Read OPT: learned positions with an offset of 2, biases, tied head."""
    hidden, layers, heads = keys.int("hidden_size"), keys.count("num_hidden_layers"), keys.int("num_attention_heads")
    inner = keys.int("ffn_dim", default=4 * hidden)
    positions = keys.int("max_position_embeddings", default=2048) + 2
    keys.expect("word_embed_proj_dim", hidden)
    for name in ("do_layer_norm_before", "enable_bias", "layer_norm_elementwise_affine"):
        keys.expect(name, True)
    keys.ignore("_remove_final_layer_norm")
    tied = keys.flag("tie_word_embeddings", default=True)
    return _stack(keys, hidden, layers, heads, inner=inner, positions=positions, tied=tied)


def read_falcon(keys: Keys) -> Draft:
    """Read Falcon: multi-query (7B) or grouped KV heads (40B, 180B), parallel blocks, tied head."""
    hidden, layers = keys.int("hidden_size"), keys.count("num_hidden_layers", "n_layer")
    heads = keys.int("num_attention_heads", "n_head")
    grouped = keys.flag("new_decoder_architecture")
    multi = keys.flag("multi_query", default=True)
    kv_heads = keys.int("num_kv_heads", "n_head_kv", default=heads) if grouped else 1 if multi else heads
    keys.ignore("num_kv_heads", "n_head_kv", "alibi", "num_ln_in_parallel_attn", "activation")
    inner = keys.int("ffn_hidden_size", default=keys.int("ff_factor", default=4) * hidden)
    parallel = keys.flag("parallel_attn", default=True)
    return _stack(
        keys, hidden, layers, heads, kv_heads=kv_heads, inner=inner, bias=keys.flag("bias"),
        norms=2 if grouped or not parallel else 1, tied=keys.flag("tie_word_embeddings", default=True),
        side_by_side=parallel,
    )  # fmt: skip


def read_mpt(keys: Keys) -> Draft:
    """Read MPT: no biases when `no_bias`, ALiBi or learned positions, tied head."""
    hidden, layers, heads = keys.int("d_model"), keys.count("n_layers"), keys.int("n_heads")
    bias = not keys.flag("no_bias", default=True)
    attention, block = keys.section("attn_config") or Keys({}, keys.where), keys.section("ffn_config")
    learned = keys.flag("learned_pos_emb", default=True) and not attention.flag("alibi")
    positions = keys.int("max_seq_len", default=2048) if learned else 0
    multi = attention.text("attn_type", default="multihead_attention") == "multiquery_attention"
    kv_heads = attention.int("kv_n_heads", default=1 if multi else heads)
    attention.ignore(*IGNORED["mpt attention"])
    attention.finish()
    keys.ignore("init_config", "init_device", "logit_scale", "norm_type", "emb_pdrop", "verbose")
    keys.ignore("use_pad_tok_in_ffn", "fc_type", "custom_bias")
    if block is not None:
        if block.text("ffn_type", default="mptmlp") != "mptmlp":
            raise InputError(f"{keys.where}: ffn_config {block.values!r} is not known to headway (known: mptmlp)")
        block.ignore("fc_type", "ffn_act_fn", "ffn_hidden_size")
        block.finish()
    tied = keys.flag("tie_word_embeddings", default=True)
    inner = int(keys.number("expansion_ratio", default=4) * hidden)
    return _stack(
        keys,
        hidden,
        layers,
        heads,
        kv_heads=kv_heads,
        inner=inner,
        bias=bias,
        norm_bias=bias,
        positions=positions,
        tied=tied,
    )


def read_bloom(keys: Keys) -> Draft:
    """Read BLOOM: ALiBi, biases, a norm after the embedding, tied head."""
    hidden = keys.int("hidden_size", "n_embed")
    layers, heads = keys.count("n_layer", "num_hidden_layers"), keys.int("n_head", "num_attention_heads")
    keys.ignore("slow_but_exact", "apply_residual_connection_post_layernorm", "skip_bias_add", "skip_bias_add_qkv")
    keys.ignore("unk_token_id", "masked_softmax_fusion", "offset_alibi", "attention_softmax_in_fp32", "use_cache")
    tied = keys.flag("tie_word_embeddings", default=True)
    return _stack(keys, hidden, layers, heads, embedding_norm=True, tied=tied)


def read_palm(keys: Keys) -> Draft:
    """Read PaLM: multi-query, SwiGLU with three matrices, attention and feed-forward side by side, tied, no biases."""
    hidden, layers, heads = keys.int("hidden_size"), keys.count("num_hidden_layers"), keys.int("num_attention_heads")
    side_by_side = keys.flag("parallel_attn_mlp", default=True)
    return _stack(
        keys, hidden, layers, heads, kv_heads=keys.int("num_key_value_heads", default=1),
        head_dim=keys.int("head_dim", default=hidden // heads), inner=keys.int("intermediate_size"), gated=True,
        bias=False, norms=1, norm_bias=False, tied=keys.flag("tie_word_embeddings", default=True),
        side_by_side=side_by_side,
    )  # fmt: skip
