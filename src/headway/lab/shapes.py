"""What the matrices of a layer say about its shape: heads and their widths, latents, an index, a recurrent state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headway.catalog import catalogue
from headway.errors import InputError
from headway.models import Architecture, Attend, Layer, Linear


@dataclass(frozen=True, slots=True)
class Heads:
    """Grouped-query attention: widths of a query and key head and of a value head; whether queries carry a gate. [1]"""

    dim: int
    value: int
    gate: bool


@dataclass(frozen=True, slots=True)
class Latent:
    """Latent attention (MLA): widths of the KV latent and of the parts of a head. [1]"""

    rank: int
    nope: int
    rope: int
    value: int


@dataclass(frozen=True, slots=True)
class Delta:
    """A gated delta net: widths of a key and a value head, taps of the short convolution. [1, 1, tokens]"""

    key: int
    value: int
    taps: int


@dataclass(frozen=True, slots=True)
class Shape:
    """One layer as the lab runs it.

    Attributes
    ----------
    layer : Layer
        As plans read it.
    mixer : Heads, Latent or Delta
    read : Attend or None
        The attention's read law; None for a recurrent state.
    index : Attend or None
        The read of the light indexer that selects for it.
    index_dim : int
        Width of the indexer's keys. [1]
    source : int
        Layer whose cache it reads: itself, or an earlier one. [1]
    keys : tuple of str
        Names of its matrices in the weights, in the order of ``layer.linears``.
    """

    layer: Layer
    mixer: Heads | Latent | Delta
    read: Attend | None
    index: Attend | None
    index_dim: int
    source: int
    keys: tuple[str, ...]

    @property
    def roles(self) -> set[str]:
        """Roles of its matrices."""
        return {m.role for m in self.layer.linears}

    def active(self) -> int:
        """Experts of a token. [experts]"""
        return self.layer.experts.active if self.layer.experts else 0


@dataclass(frozen=True, slots=True)
class Family:
    """What configs do not say, from the catalogue's `lab_families`.

    Attributes
    ----------
    norms : int
        Of a layer: two before its parts, or two more after them. [1]
    sinks, correction, shared_gate : bool
        One sink logit a head; a score correction an expert; a gate of the shared expert.
    scores : str
        Of the router: ``softmax`` over the chosen, or ``sigmoid``.
    activation : str
        ``silu`` or ``gelu``.
    """

    norms: int
    sinks: bool
    scores: str
    correction: bool
    shared_gate: bool
    activation: str


def family_of(model: Architecture) -> Family:
    """Return what the lab knows of a model's family.

    Raises
    ------
    InputError
        For a family that it does not run.
    """
    r = catalogue().row("lab_families", model.family, "family of the lab")[0]
    return Family(
        int(r["norms"]), bool(r["sinks"]), r["scores"], bool(r["correction"]), bool(r["shared_gate"]), r["activation"]
    )


def shapes(model: Architecture) -> tuple[Shape, ...]:
    """Return the shape of every layer, first to last.

    Raises
    ------
    InputError
        For a layer whose mixer the lab does not run.
    """
    found: list[Shape] = []
    for i, kind in enumerate(model.order):
        layer = model.layers[kind]
        read = next((a for a in layer.attends if not a.index), None)
        index = next((a for a in layer.attends if a.index), None)
        if len(layer.attends) > (read is not None) + (index is not None):
            raise InputError(f"{model.name}, layer {i} ({layer.kind}): the lab runs no layers with several caches")
        keys = _keys(layer)
        by = dict(zip(keys, layer.linears, strict=True))
        mixer = _mixer(model, layer, by, read)
        source = i if read is None or read.stores else _giver(found, read, i)
        found.append(Shape(layer, mixer, read, index, by["index.wk"].outputs if index else 0, source, keys))
    return tuple(found)


def _keys(layer: Layer) -> tuple[str, ...]:
    """Names of a layer's matrices: role and last word of the path, numbered where one path has several."""
    keys: list[str] = []
    for m in layer.linears:
        name = m.role if m.role == "router" else f"{m.role}.{m.path.rsplit('.', 1)[-1]}"
        keys.append(name if name not in keys else f"{name}#{keys.count(name) + 1}")
    return tuple(keys)


def _mixer(model: Architecture, layer: Layer, by: Mapping[str, Linear], read: Attend | None) -> Heads | Latent | Delta:
    if read is not None and "attention.kv_b_proj" in by:
        queries = by.get("attention.q_b_proj") or by["attention.q_proj"]
        rank, out = by["attention.kv_b_proj"].inputs, by["attention.o_proj"]
        rope = by["attention.kv_a_proj_with_mqa"].outputs - rank
        if "attention.g_proj" not in by:
            return Latent(rank, queries.outputs // queries.ways - rope, rope, out.inputs // out.ways)
    elif read is not None and "attention.q_proj" in by and "attention.o_proj" in by:
        queries, out = by["attention.q_proj"], by["attention.o_proj"]
        value = out.inputs // out.ways
        dim = int(read.elements) // read.ways - value
        if not read.stores or "attention.v_proj" in by:
            return Heads(dim, value, queries.outputs == 2 * queries.ways * dim)
    elif layer.state is not None and "state.in_proj_qkv#2" in by:
        keys, values = by["state.in_proj_qkv"], by["state.in_proj_qkv#2"]
        return Delta(keys.outputs // 2 // keys.ways, values.outputs // values.ways, by["conv.conv1d"].inputs)
    raise InputError(
        f"{model.name}: the lab does not run layers of the kind {layer.kind!r}; it runs grouped-query and latent attention and "
        "gated delta nets"
    )


def _giver(earlier: list[Shape], read: Attend, layer: int) -> int:
    """The last earlier layer that keeps a cache of the same reach and width."""
    for i in range(layer - 1, -1, -1):
        one = earlier[i].read
        if one is not None and one.stores and (one.reach, one.elements) == (read.reach, read.elements):
            return i
    raise InputError(f"layer {layer} reads another layer's cache, but none before it keeps one of its kind")


def vectors(model: Architecture, shape: Shape, family: Family) -> dict[str, int]:
    """Return the parameters of a layer that are no matrix: their names and sizes. [parameters]

    Raises
    ------
    InputError
        When they are not as many as the architecture counts: a part that the lab does not know.
    """
    h, layer, mixer = model.hidden, shape.layer, shape.mixer
    found: dict[str, Any] = {"norm": h, "ffn_norm": h}
    if family.norms == 4:
        found |= {"norm_after": h, "ffn_norm_after": h}
    by = dict(zip(shape.keys, layer.linears, strict=True))
    if isinstance(mixer, Heads):
        if shape.read is not None and shape.read.norms == "head":
            found |= {"q_norm": mixer.dim, "k_norm": mixer.dim}
        elif shape.read is not None and shape.read.norms == "row":
            heads = by["attention.o_proj"].ways
            found |= {"q_norm": heads * mixer.dim, "k_norm": shape.read.ways * mixer.dim}
        if family.sinks:
            found["sinks"] = by["attention.o_proj"].ways
    elif isinstance(mixer, Latent):
        found["kv_norm"] = mixer.rank
        if "attention.q_a_proj" in by:
            found["q_latent_norm"] = by["attention.q_a_proj"].outputs
    else:
        heads = by["state.in_proj_b"].outputs
        found |= {"decay": heads, "time_step": heads, "out_norm": mixer.value}
    if shape.index:
        found |= {"index_norm": shape.index_dim, "index_shift": shape.index_dim}
    if layer.experts and family.correction:
        found["correction"] = layer.experts.count
    if family.shared_gate and "shared" in shape.roles:
        found["shared_gate"] = h
    if sum(found.values()) != layer.vector_parameters:
        raise InputError(
            f"{model.name}, {layer.kind}: the lab counts {sum(found.values())} parameters beside the matrices, the architecture "
            f"{layer.vector_parameters}; there is a part that the lab does not run"
        )
    return found
