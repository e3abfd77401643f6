"""Models shaped by architecture search (Nemotron-NAS / DeciLM): every block has its own heads and width, or nothing."""

from __future__ import annotations

from headway.errors import InputError
from headway.models.architecture import Layer, Linear
from headway.models.attention import grouped_query
from headway.models.experts import dense
from headway.models.families.common import Draft, layer
from headway.models.keys import Keys
from headway.models.reach import FULL, Reach


def read(keys: Keys) -> Draft:
    """Read a `block_configs` model: per block an attention (or none, or one matrix) and an FFN of its own width."""
    hidden, heads = keys.int("hidden_size"), keys.int("num_attention_heads")
    blocks = keys.list("block_configs", length=keys.count("num_hidden_layers"))
    if blocks is None:
        raise InputError(f"{keys.where}: key 'block_configs' is missing")
    keys.ignore("intermediate_size", "num_key_value_heads", "attention_bias", "mlp_bias")
    layers: list[Layer] = []
    for i, block in enumerate(blocks):
        attention, ffn = block.get("attention"), block.get("ffn")
        if attention is None or ffn is None:
            raise InputError(f"{keys.where}: block_configs[{i}] needs 'attention' and 'ffn'")
        for section in (Keys(attention, keys.where, "attention."), Keys(ffn, keys.where, "ffn.")):
            section.ignore("no_op", "replace_with_linear", "n_heads_in_group", "window_length", "ffn_mult")
            section.finish()
        part, linears, vectors = None, (), 0
        if attention.get("replace_with_linear"):
            linears, vectors = (Linear("self_attn.linear_attn", "attention", hidden, hidden),), hidden
        elif not attention.get("no_op"):
            reach = Reach("window", attention["window_length"]) if attention.get("window_length") else FULL
            part = grouped_query(hidden, heads, heads // attention["n_heads_in_group"], hidden // heads, reach=reach)
            vectors = hidden
        if ffn.get("replace_with_linear"):
            linears, vectors = (*linears, Linear("mlp.linear_mlp", "dense", hidden, hidden)), vectors + hidden
        elif not ffn.get("no_op"):
            linears, vectors = (*linears, *dense(hidden, _width(ffn["ffn_mult"], hidden))), vectors + hidden
        layers.append(layer("attention + dense" if part else "dense", part, linears, vectors=vectors))
    context = keys.int("max_position_embeddings")
    return Draft(hidden, keys.int("vocab_size"), layers, keys.flag("tie_word_embeddings"), context, hidden)


def _width(multiplier: float, hidden: int) -> int:
    """FFN width from its multiplier: two thirds of 2 x multiplier x hidden, rounded up to a multiple of 256."""
    width = int(2 * multiplier * hidden / 3)
    return width if width % 256 == 0 else width + 256 - width % 256
