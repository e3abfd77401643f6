"""What the readers share: a draft of the model, and the usual reading of hidden size, vocabulary, heads and norms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headway.errors import InputError
from headway.models.architecture import Attend, Experts, Layer, Linear, State
from headway.models.attention import Part
from headway.models.keys import Keys

_MOST_MTP = 100  # no published model has more than a few


@dataclass
class Draft:
    """A model as a reader sees it: one entry per layer, formats not yet assigned."""

    hidden: int
    vocabulary: int
    layers: list[Layer]
    tied: bool
    max_context: int
    final_vectors: int
    mtp: list[Layer] = field(default_factory=list[Layer])
    head_bias: bool = False
    side_by_side: bool = False
    notes: list[str] = field(default_factory=list[str])
    tables: tuple[Linear, ...] = ()


@dataclass(frozen=True, slots=True)
class Spine:
    """The keys that nearly every decoder config has."""

    hidden: int
    vocabulary: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    max_context: int
    tied: bool


def spine(keys: Keys, *, layers: int | None = None, defaults: Mapping[str, int] | None = None) -> Spine:
    """Read the usual keys; `num_key_value_heads` defaults to all heads, `head_dim` to hidden / heads (as in the hub).

    Parameters
    ----------
    keys : Keys
    layers : int or None
        Number of layers; None reads `num_hidden_layers`. [layers]
    defaults : mapping
        Of keys that the family's configs leave out, as the reference library has them.
    """
    if defaults:
        keys.state(**{k: v for k, v in defaults.items() if k not in keys.values})
    hidden = keys.int("hidden_size")
    heads = keys.int("num_attention_heads")
    kv_heads = keys.int("num_key_value_heads", default=heads)
    if heads % kv_heads:
        raise InputError(f"{keys.where}: num_key_value_heads {kv_heads} does not divide num_attention_heads {heads}")
    return Spine(
        hidden=hidden,
        vocabulary=keys.int("vocab_size"),
        layers=layers if layers is not None else keys.count("num_hidden_layers"),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=keys.int("head_dim", "attention_head_dim", default=hidden // heads),
        max_context=keys.int("max_position_embeddings", default=1 << 20),
        tied=keys.flag("tie_word_embeddings"),
    )


def mtp_count(keys: Keys, *names: str) -> int:
    """Return the number of multi-token-prediction layers; none when the key is absent."""
    return keys.count(*names, default=0, least=0, most=_MOST_MTP)


def layer(
    kind: str,
    mixer: Part | None,
    ffn: Sequence[Linear] = (),
    *,
    experts: Experts | None = None,
    state: State | None = None,
    vectors: int = 0,
    extra: Part | None = None,
) -> Layer:
    """Assemble a layer from an attention part, feed-forward matrices and whatever else it has.

    Parameters
    ----------
    kind : str
        Label of the layer.
    mixer, extra : Part or None
        Attention, and a second part (an indexer).
    ffn : sequence of Linear
        Feed-forward matrices.
    experts : Experts or None
    state : State or None
    vectors : int
        Parameters that are no matrix, beside those of the parts. [parameters]
    """
    parts = [p for p in (mixer, extra) if p]
    linears = tuple(x for p in parts for x in p.linears) + tuple(ffn)
    attends: tuple[Attend, ...] = tuple(a for p in parts for a in p.attends)
    return Layer(kind, linears, attends, state, experts, vectors + sum(p.vectors for p in parts))


def is_moe_layer(index: int, first_dense: int, frequency: int | list[int]) -> bool:
    """Say whether layer `index` routes to experts: after the first dense ones, every `frequency`-th or as listed.

    Parameters
    ----------
    index : int
        Number of the layer, from 0. [1]
    first_dense : int
        Dense layers at the start. [layers]
    frequency : int or list of int
        Every how many layers; or per layer 1 or 0. [layers, 1]
    """
    if isinstance(frequency, list):
        return bool(frequency[index])
    return index >= first_dense and index % frequency == 0
