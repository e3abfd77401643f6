"""What a model is, reduced to matrices, caches and states: Architecture and its parts, and the parameter counts.

Nothing here knows a chip, a batch or a price.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from headway.models.precision import UNSTATED, Format, Precision
from headway.models.reach import FULL, Reach
from headway.numeric import smaller

Real = Any  # a float or a NumPy array; everything broadcasts


@dataclass(frozen=True, slots=True)
class Linear:
    """One weight matrix of a layer (or `copies` alike, as in the experts of a layer).

    Attributes
    ----------
    path : str
        Module path inside the layer, as in the checkpoint (``self_attn.q_proj``).
    role : str
        ``attention``, ``index``, ``state``, ``dense``, ``expert``, ``shared``, ``router``, ``conv``, ``embed``, ``head``.
    inputs, outputs : int
        Shape: elements of a token's vector before and after. [1]
    copies : int
        How many matrices of this shape the layer has. [1]
    bias : bool
        One more parameter per output.
    ways : int
        Into how many shards tensor parallelism can cut it: 0 without limit, 1 not at all (replicated), KV heads for
        the K and V projections. [1]
    blocks : int
        Above 1 the matrix is block-diagonal with that many blocks: parameters and FLOPs shrink by it. [1]
    format : Format
        Number format; filled in by the reader.
    """

    path: str
    role: str
    inputs: int
    outputs: int
    copies: int = 1
    bias: bool = False
    ways: int = 0
    blocks: int = 1
    format: Format = UNSTATED

    @property
    def parameters(self) -> int:
        """Stored parameters, biases included."""
        return self.copies * (self.inputs * self.outputs // self.blocks + (self.outputs if self.bias else 0))

    @property
    def bytes(self) -> float:
        """Stored bytes, scales included."""
        return self.parameters * self.format.bytes

    @property
    def flops(self) -> float:
        """FLOPs per token through all copies (2 per multiply-add)."""
        return 2.0 * self.copies * self.inputs * self.outputs / self.blocks


@dataclass(frozen=True, slots=True)
class Attend:
    """One attention read of a layer: what is cached per entry, how far it reaches, what a query-key pair costs.

    Attributes
    ----------
    reach : Reach
        Which entries are kept and read.
    elements : float
        Elements per cache entry (K and V together; the latent for MLA). [1]
    ways : int
        KV heads: into how many shards the cache can be cut; 1 means every tensor-parallel rank keeps and reads all. [1]
    flops_per_pair : float
        FLOPs per query-key pair over all query heads, score and value. [FLOP/pair]
    expanded_per_pair, expand_per_token : float
        MLA without absorption, else 0: with full heads; to expand one cached latent. [FLOP/pair, FLOP/token]
    stores : bool
        False when the layer reads another layer's cache (cross-layer sharing).
    index : bool
        True for the light indexer of a top-k attention.
    format : Format
        Number format of the cache.
    """

    reach: Reach
    elements: float
    ways: int
    flops_per_pair: float
    expanded_per_pair: float = 0.0
    expand_per_token: float = 0.0
    stores: bool = True
    index: bool = False
    format: Format = UNSTATED

    def stored_bytes(self, context: Real) -> Real:
        """Bytes kept per sequence at `context` tokens.

        Parameters
        ----------
        context : float or array
            Tokens of the sequence. [tokens]
        """
        return self.reach.stored(context) * (self.elements * self.format.bytes if self.stores else 0.0)

    def read_bytes(self, context: Real) -> Real:
        """Bytes read per sequence by one new token at `context` tokens.

        Parameters
        ----------
        context : float or array
            Tokens of the sequence. [tokens]
        """
        return self.reach.entries(context) * self.elements * self.format.bytes

    def read_entries(self, new: Real, context: Real) -> Real:
        """Cache entries that a pass of `new` tokens reads per sequence after `context` cached ones.

        Parameters
        ----------
        new, context : float or array
            Per sequence: new tokens; tokens in the cache before them. [tokens]
        """
        return self.reach.read(new, context)

    def pair_flops(self, new: Real, context: Real) -> Real:
        """FLOPs of `new` tokens per sequence after `context` cached ones; MLA takes the form that multiplies less.

        Parameters
        ----------
        new, context : float or array
            Per sequence: new tokens; tokens in the cache before them. [tokens]
        """
        pairs = self.reach.pairs(new, context)
        absorbed = pairs * self.flops_per_pair
        if not self.expanded_per_pair:
            return absorbed
        return smaller(absorbed, pairs * self.expanded_per_pair + context * self.expand_per_token)


@dataclass(frozen=True, slots=True)
class State:
    """The fixed-size recurrent state of one linear-attention or Mamba layer, per sequence.

    Attributes
    ----------
    elements : float
        Elements of the state matrix, read and written once per pass. [1]
    conv_elements : float
        Elements of the short convolution's state. [1]
    flops_per_token : float
        FLOPs to decay, update and query the state for one token. [FLOP/token]
    ways : int
        Heads: into how many shards it can be cut. [1]
    """

    elements: float
    conv_elements: float
    flops_per_token: float
    ways: int
    format: Format
    conv_format: Format = UNSTATED

    @property
    def bytes(self) -> float:
        """Bytes per sequence."""
        return self.elements * self.format.bytes + self.conv_elements * self.conv_format.bytes


@dataclass(frozen=True, slots=True)
class Experts:
    """Routing of a mixture of experts: how many there are and how many each token uses."""

    count: int
    active: int

    @property
    def sparsity(self) -> float:
        """Experts per active expert, at least 1."""
        return self.count / self.active


@dataclass(frozen=True, slots=True)
class Layer:
    """One kind of layer: its matrices, attention reads, state and routing. `count` layers of the model are alike."""

    kind: str
    linears: tuple[Linear, ...]
    attends: tuple[Attend, ...] = ()
    state: State | None = None
    experts: Experts | None = None
    vector_parameters: int = 0
    count: int = 1

    @property
    def parameters(self) -> int:
        """Stored parameters of one such layer."""
        return self.vector_parameters + sum(x.parameters for x in self.linears)

    def used_share(self, role: str) -> float:
        """Share of the matrices of a role that one token goes through: k/E for routed experts, else 1."""
        return self.experts.active / self.experts.count if self.experts and role == "expert" else 1.0

    @property
    def active_parameters(self) -> float:
        """Parameters that one token touches in one such layer."""
        return self.vector_parameters + sum(x.parameters * self.used_share(x.role) for x in self.linears)


@dataclass(frozen=True)
class Architecture:
    """A model: embedding, layers, head, and the facts that the config states about it.

    Attributes
    ----------
    layers : tuple of Layer
        Distinct kinds with their counts, in order of first appearance.
    mtp : tuple of Layer
        Multi-token-prediction layers, apart: not in totals, not in the step.
    final_parameters : int
        Parameters outside the layers that are no matrix (final norm, position table). [parameters]
    side_by_side : bool
        Attention and feed-forward read the same input and their outputs are added together (GPT-J, Falcon, PaLM).
    notes : tuple of str
        What was left out or assumed, in words.
    kernel_counts : tuple of (str, int)
        Kernels that engines run for a part of a layer beside its matrix products (catalogue `kernel_counts`).
    """

    name: str
    family: str
    hidden: int
    vocabulary: int
    layers: tuple[Layer, ...]
    embedding: Linear
    head: Linear
    tied: bool
    max_context: int
    kv_format: Format
    precision: Precision
    mtp: tuple[Layer, ...] = ()
    final_parameters: int = 0
    vision: bool = False
    side_by_side: bool = False
    notes: tuple[str, ...] = ()
    source: str = ""
    kernel_counts: tuple[tuple[str, int], ...] = ()

    def __hash__(self) -> int:
        """Hash once: an architecture is a key of every cache of steps, and a deep one."""
        found: int | None = self.__dict__.get("_hash")
        if found is None:
            found = hash((self.name, self.layers, self.embedding, self.head, self.kv_format, self.kernel_counts))
            object.__setattr__(self, "_hash", found)
        return found

    def kernels_of(self, part: str) -> int:
        """Kernels beside the matrix products of a part of a layer; what one costs is the calibration's `kernel_seconds`."""
        return next((n for name, n in self.kernel_counts if name == part), 0)

    @property
    def layer_count(self) -> int:
        """Number of layers."""
        return sum(x.count for x in self.layers)

    @property
    def attention_heads(self) -> int:
        """Into how many slices tensor parallelism can cut the attention matrices (query heads); 0 without attention."""
        return max((m.ways for x in self.layers for m in x.linears if m.role == "attention"), default=0)

    @property
    def experts(self) -> Experts | None:
        """Routing of the MoE layers, or None for a dense model."""
        return next((x.experts for x in self.layers if x.experts), None)

    @property
    def total_parameters(self) -> int:
        """Stored parameters (N_total), MTP layers and vision tower not counted, a tied head counted once."""
        body = sum(x.count * x.parameters for x in self.layers)
        head = self.head.outputs if self.tied and self.head.bias else 0 if self.tied else self.head.parameters
        return body + self.embedding.parameters + head + self.final_parameters

    @property
    def active_parameters(self) -> float:
        """Parameters touched per token (N_active): all but the experts that are not chosen. Embeddings count."""
        idle = sum(x.count * (x.parameters - x.active_parameters) for x in self.layers)
        return self.total_parameters - idle

    @property
    def active_without_embedding(self) -> float:
        """Active parameters less the input embedding table (a look-up), which some publishers do not count."""
        return self.active_parameters - (0 if self.tied else self.embedding.parameters)

    @property
    def multiplied_parameters(self) -> float:
        """Parameters that are multiplied per token: active, the embedding look-up left out, a tied head included."""
        return sum(x.count * x.active_parameters for x in self.layers) + self.head.parameters

    @property
    def mtp_parameters(self) -> int:
        """Parameters of the multi-token-prediction layers."""
        return sum(x.count * x.parameters for x in self.mtp)

    @property
    def sparsity(self) -> float:
        """N_total / N_active, at least 1 (the transcript's meaning, lecture DIS-1)."""
        return self.total_parameters / self.active_parameters

    @property
    def weight_bytes(self) -> float:
        """Bytes of all stored weights in their own formats."""
        body = sum(x.count * sum(m.bytes for m in x.linears) for x in self.layers)
        vectors = sum(x.count * x.vector_parameters for x in self.layers) + self.final_parameters
        ends = self.embedding.bytes + (0 if self.tied else self.head.bytes)
        return body + ends + vectors * self.precision.base.bytes

    def attends(self) -> Iterator[tuple[int, Attend]]:
        """Yield (number of layers, attention read) over all kinds of layer."""
        for layer in self.layers:
            for attend in layer.attends:
                yield layer.count, attend


def group(layers: list[Layer]) -> tuple[Layer, ...]:
    """Merge equal layers into kinds with counts, in order of first appearance."""
    counts: dict[Layer, int] = {}
    for layer in layers:
        counts[layer] = counts.get(layer, 0) + layer.count
    return tuple(replace(layer, count=n) for layer, n in counts.items())


__all__ = ["FULL", "Architecture", "Attend", "Experts", "Format", "Layer", "Linear", "Precision", "State", "group"]
