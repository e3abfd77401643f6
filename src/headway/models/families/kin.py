"""Plain decoders that differ from Llama in biases, norms, blocks side by side or key names; each a few lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headway.errors import InputError
from headway.models.architecture import Experts, Layer, Linear
from headway.models.attention import Part, grouped_query
from headway.models.experts import dense, routed, router
from headway.models.families.common import Draft, Spine, layer, spine
from headway.models.families.ignored import IGNORED
from headway.models.keys import Keys
from headway.models.reach import FULL, Reach

Ffn = tuple[tuple[Linear, ...], Experts | None, str, int]


@dataclass(frozen=True)
class Kin:
    """How a family of plain decoders differs from Llama.

    Attributes
    ----------
    bias, output_bias, ffn_bias : bool or str
        On Q, K and V; on the attention's output; in the feed-forward block: always, or as a key of the config says.
    gated : bool
        Three feed-forward matrices instead of two.
    norms : float
        Norm vectors as wide as the model in a layer; biases of norms count as another. [vectors]
    final : float
        Such vectors after the last layer. [vectors]
    qk_norm : str
        ``""``, ``head`` (a vector as wide as a head), ``wide`` (over all heads), or a key that turns ``wide`` on.
    side_by_side : bool
        Attention and feed-forward read the same input.
    tied : bool
        Whether the head is the embedding where the config does not say.
    head_bias : bool
    period : int
        Above 1: every so many layers one reads everything, the others a window. [layers]
    ignored : tuple of str
        Keys that change neither size nor cost.
    """

    bias: bool | str = False
    output_bias: bool | str = False
    ffn_bias: bool | str = False
    gated: bool = True
    norms: float = 2.0
    final: float = 1.0
    qk_norm: str = ""
    side_by_side: bool = False
    tied: bool = False
    head_bias: bool = False
    period: int = 0
    ignored: tuple[str, ...] = ()


KIN: dict[str, Kin] = {
    "gemma": Kin(tied=True, bias="attention_bias", ignored=("hidden_activation",)),
    "glm": Kin(bias="attention_bias"),
    "glm4": Kin(bias="attention_bias", norms=4),
    "cohere": Kin(bias="attention_bias", norms=1, side_by_side=True, tied=True, qk_norm="use_qk_norm", ignored=("logit_scale",)),
    "cohere2": Kin(
        bias="attention_bias", norms=1, side_by_side=True, tied=True, period=4,
        ignored=tuple(IGNORED["cohere2"]),
    ),
    "granite": Kin(bias="attention_bias", output_bias="attention_bias", ffn_bias="mlp_bias", ignored=tuple(IGNORED["granite"])),
    "phi": Kin(bias=True, output_bias=True, ffn_bias=True, gated=False, norms=2, final=2, side_by_side=True, head_bias=True,
               ignored=("qk_layernorm",)),
    "starcoder2": Kin(bias="use_bias", output_bias="use_bias", ffn_bias="use_bias", gated=False, norms=4, final=2, tied=True,
                      ignored=("mlp_type", "norm_type")),
    "seed_oss": Kin(bias="attention_bias", output_bias="attention_out_bias", ffn_bias="mlp_bias", ignored=("residual_dropout",)),
    "apertus": Kin(bias="attention_bias", gated=False, qk_norm="head", ffn_bias="mlp_bias", ignored=("post_norm", "qk_norm")),
    "smollm3": Kin(bias="attention_bias", tied=True, ffn_bias="mlp_bias", ignored=tuple(IGNORED["smollm3"])),
    "exaone4": Kin(qk_norm="head", period=4, bias="attention_bias", ignored=("sliding_window_pattern",)),
    "olmo": Kin(norms=0, final=0, bias="attention_bias", output_bias="attention_bias", ignored=("clip_qkv",)),
    "olmo3": Kin(qk_norm="wide", period=4, bias="attention_bias"),
    "nemotron": Kin(gated=False, norms=4, final=2, bias="attention_bias", output_bias="attention_bias", ffn_bias="mlp_bias"),
    "gpt_neox": Kin(bias="attention_bias", output_bias="attention_bias", ffn_bias=True, gated=False, norms=4, final=2,
                    side_by_side=True, ignored=("use_parallel_residual", "classifier_dropout", "rotary_emb_base")),
    "stablelm": Kin(bias="use_qkv_bias", norms=4, final=2, ignored=("qk_layernorm", "rotary_scaling_factor")),
    "ernie4_5": Kin(bias="use_bias", output_bias="use_bias", ffn_bias="use_bias", tied=True, ignored=tuple(IGNORED["ernie4_5"])),
    "hunyuan_v1_dense": Kin(bias="attention_bias", qk_norm="use_qk_norm_head", tied=True, ignored=tuple(IGNORED["hunyuan_v1_dense"])),
    "internlm2": Kin(bias="bias", output_bias="bias", ignored=("attn_implementation",)),
    "internlm3": Kin(bias="qkv_bias", output_bias="bias", ffn_bias="bias"),
    "internlm": Kin(bias="bias", output_bias="bias", ignored=("rotary",)),
    "minicpm": Kin(tied=True, ignored=("scale_emb", "dim_model_base", "scale_depth")),
    "bitnet": Kin(tied=True, norms=3, ignored=("attention_bias",)),
    "baichuan": Kin(ignored=("z_loss_weight", "gradient_checkpointing")),
    "arcee": Kin(gated=False, bias="attention_bias", ffn_bias="mlp_bias"),
}  # fmt: skip
# The widest context under another name.
_CONTEXT = {"baichuan": "model_max_length", "internlm2": "max_position_embeddings"}


def read(keys: Keys) -> Draft:
    """Read a family of `KIN`."""
    family = keys.text("model_type")
    kin = KIN[family]
    s = spine(keys)
    keys.ignore(*kin.ignored, _CONTEXT.get(family, ""))
    tied = keys.flag("tie_word_embeddings", default=kin.tied)
    inner = keys.int("intermediate_size")
    ffn = dense(s.hidden, inner, gated=kin.gated, bias=_said(keys, kin.ffn_bias))
    vectors = round(kin.norms * s.hidden) + _query_key_norm(keys, kin, s) + (inner if family == "bitnet" else 0)
    bias, output = _said(keys, kin.bias, family), _said(keys, kin.output_bias, family)
    layers: list[Layer] = []
    for reach in reaches(keys, s.layers, kin.period):
        part = grouped_query(s.hidden, s.heads, s.kv_heads, s.head_dim, bias=bias, output_bias=output, reach=reach)
        layers.append(layer(f"{_near(reach)}attention + dense", part, ffn, vectors=vectors))
    draft = Draft(s.hidden, s.vocabulary, layers, tied, s.max_context, round(kin.final * s.hidden))
    draft.side_by_side, draft.head_bias = kin.side_by_side, kin.head_bias
    return draft


def _said(keys: Keys, how: bool | str, family: str = "") -> bool:
    """What a key says, or what always holds; NeoX, GLM and Seed have biases where the config does not say."""
    if isinstance(how, bool):
        return how
    biased = ("gpt_neox", "glm", "glm4", "starcoder2", "internlm")
    return keys.flag(how, default=family in biased or (how == "use_bias" and keys.values.get("model_type") in biased))


def _query_key_norm(keys: Keys, kin: Kin, s: Spine) -> int:
    if kin.qk_norm == "head":
        return 2 * s.head_dim
    if kin.qk_norm.endswith("_head"):
        return 2 * s.head_dim if keys.flag(kin.qk_norm, default=True) else 0
    wide = kin.qk_norm == "wide" or (kin.qk_norm and keys.flag(kin.qk_norm))
    return (s.heads + s.kv_heads) * s.head_dim if wide else 0


def reaches(keys: Keys, layers: int, period: int) -> Sequence[Reach]:
    """Return each layer's reach: windows where `layer_types` or the family's period say so.

    Parameters
    ----------
    keys : Keys
    layers : int
        Number of layers. [layers]
    period : int
        Every so many layers one reads everything; 0 for all of them. [layers]
    """
    width = keys.int("sliding_window", default=0, least=0)
    types = keys.kinds("layer_types", length=layers, known=("sliding_attention", "full_attention"))
    said = keys.raw("sliding_window_pattern")
    if isinstance(said, int) and said > 0:
        period = said
    if not width or not (types or period):
        return [FULL] * layers
    far = [t == "full_attention" for t in types] if types else [(i + 1) % period == 0 for i in range(layers)]
    return [FULL if x else Reach("window", width) for x in far]


def _near(reach: Reach) -> str:
    return "" if reach == FULL else "sliding "


def mixed(
    keys: Keys, s: Spine, part: Part, ffn_of: Callable[[int], Ffn], vectors: int, *, final: int | None = None
) -> Draft:
    """Build layers of one attention and a feed-forward block that may differ from layer to layer.

    Parameters
    ----------
    keys : Keys
    s : Spine
    part : Part
        The attention of every layer.
    ffn_of : callable
        From a layer's number to matrices, routing, label, and parameters beside them.
    vectors : int
        Parameters of a layer that are no matrix. [parameters]
    final : int or None
        Those after the last layer; None for one norm. [parameters]
    """
    layers: list[Layer] = []
    for i in range(s.layers):
        ffn, experts, kind, extra = ffn_of(i)
        layers.append(layer(f"attention + {kind}", part, ffn, experts=experts, vectors=vectors + extra))
    return Draft(s.hidden, s.vocabulary, layers, s.tied, s.max_context, s.hidden if final is None else final)


def experts_of(
    hidden: int, width: int, count: int, active: int, *, shared: int = 0, correction: bool = False, gated: bool = True
) -> Ffn:
    """Build a mixture: router, routed experts, and a shared block.

    Parameters
    ----------
    hidden, width : int
        Of the layer and of one expert. [1]
    count, active : int
        Experts, and how many a token uses. [experts]
    shared : int
        Width of the block that all tokens use; 0 for none. [1]
    correction : bool
        One more parameter per expert in the router's choice.
    gated : bool
        Three matrices instead of two.
    """
    own = dense(hidden, shared, role="shared", module="mlp.shared_experts", gated=gated) if shared else ()
    ffn = (router(hidden, count), *routed(hidden, width, count, gated=gated), *own)
    return ffn, Experts(count, active), "experts", count if correction else 0


def read_chatglm(keys: Keys) -> Draft:
    """Read ChatGLM 2 and 3 and GLM-4-9B in THUDM's own keys: groups of queries share a KV head, biases on Q, K and V."""
    hidden, heads = keys.int("hidden_size"), keys.int("num_attention_heads")
    layers, vocabulary = keys.count("num_layers"), keys.int("padded_vocab_size", "vocab_size")
    shared = keys.int("multi_query_group_num", default=heads) if keys.flag("multi_query_attention") else heads
    width = keys.int("kv_channels", default=hidden // heads)
    inner = keys.int("ffn_hidden_size")
    keys.ignore(*IGNORED["chatglm"])
    keys.expect("add_bias_linear", False)
    part = grouped_query(hidden, heads, shared, width, bias=keys.flag("add_qkv_bias"), output_bias=False)
    one = layer("attention + dense", part, dense(hidden, inner), vectors=2 * hidden)
    return Draft(hidden, vocabulary, [one] * layers, False, keys.int("seq_length", default=1 << 20), hidden)


def read_openelm(keys: Keys) -> Draft:
    """Read OpenELM: numbers of heads and widths of feed-forward blocks are lists, one entry per layer."""
    hidden, layers, width = keys.int("model_dim"), keys.count("num_transformer_layers"), keys.int("head_dim")
    queries, shared = (keys.list(n, length=layers) or [] for n in ("num_query_heads", "num_kv_heads"))
    times, unit = keys.list("ffn_multipliers", length=layers) or [], keys.int("ffn_dim_divisor", default=256)
    keys.ignore(*IGNORED["openelm"])
    gated, norm = keys.flag("ffn_with_glu", default=True), keys.flag("normalize_qk_projections", default=True)
    if not queries or not shared or not times:
        raise InputError(f"{keys.where}: num_query_heads, num_kv_heads and ffn_multipliers must list each layer's")
    built: list[Layer] = []
    for heads, kv_heads, multiplier in zip(queries, shared, times, strict=True):
        inner = max(unit, int(multiplier * hidden + unit / 2) // unit * unit)
        inner += unit if inner < 0.9 * multiplier * hidden else 0
        part = grouped_query(hidden, int(heads), int(kv_heads), width, query_key_norm=norm)
        built.append(layer("attention + dense", part, dense(hidden, inner, gated=gated), vectors=2 * hidden))
    tied = keys.flag("share_input_output_layers", default=True)
    return Draft(hidden, keys.int("vocab_size"), built, tied, keys.int("max_context_length", default=1 << 20), hidden)


def read_qwen1(keys: Keys) -> Draft:
    """Read the first Qwen: biases on Q, K and V, feed-forward blocks half as wide as `intermediate_size`."""
    hidden, heads, layers = keys.int("hidden_size"), keys.int("num_attention_heads"), keys.count("num_hidden_layers")
    keys.ignore(*IGNORED["qwen1"])
    part = grouped_query(
        hidden, heads, heads, keys.int("kv_channels", default=hidden // heads), bias=True, output_bias=False
    )
    one = layer("attention + dense", part, dense(hidden, keys.int("intermediate_size") // 2), vectors=2 * hidden)
    context = keys.int("max_position_embeddings", default=1 << 20)
    return Draft(hidden, keys.int("vocab_size"), [one] * layers, False, context, hidden)


def read_exaone(keys: Keys) -> Draft:
    """Read EXAONE 3 and 3.5: Llama in GPT-2's key names."""
    hidden, heads, layers = keys.int("hidden_size"), keys.int("num_attention_heads"), keys.count("num_layers")
    keys.ignore("layer_norm_epsilon", "embed_dropout", "num_hidden_layers")
    width = keys.int("head_dim", default=hidden // heads)
    part = grouped_query(hidden, heads, keys.int("num_key_value_heads", default=heads), width)
    one = layer("attention + dense", part, dense(hidden, keys.int("intermediate_size")), vectors=2 * hidden)
    tied = keys.flag("tie_word_embeddings")
    context = keys.int("max_position_embeddings", default=1 << 20)
    return Draft(hidden, keys.int("vocab_size"), [one] * layers, tied, context, hidden)


def read_gpt_bigcode(keys: Keys) -> Draft:
    """Read StarCoder and SantaCoder: one KV head, learned positions, biases, tied head."""
    hidden, heads, layers = keys.int("n_embd"), keys.int("n_head"), keys.count("n_layer")
    positions = keys.int("n_positions")
    keys.ignore(*IGNORED["gpt_bigcode"])
    shared = 1 if keys.flag("multi_query", default=True) else heads
    part = grouped_query(hidden, heads, shared, hidden // heads, bias=True)
    ffn = dense(hidden, keys.int("n_inner", default=4 * hidden), gated=False, bias=True)
    one = layer("attention + dense", part, ffn, vectors=4 * hidden)
    tied = keys.flag("tie_word_embeddings", default=True)
    return Draft(hidden, keys.int("vocab_size"), [one] * layers, tied, positions, (2 + positions) * hidden)
