"""The parts of a layer: matrices, attention reads with their caches, recurrent states, routing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from headway.catalog import default
from headway.models.formats import UNSTATED, Format
from headway.models.reach import Reach
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
        True for the light indexer of a top-k attention, whose keys are FP8 with a 32-bit scale per 128 in every engine.
    wide : float
        Elements of an entry that stay in 16 bits in an 8-bit cache: MLA's rotary part in sparse layouts. [1]
    entry_scales : float
        Scales of an entry in an 8-bit cache, where they lie beside it. [bytes]
    lookback, lookback_bytes : float
        Last tokens whose uncompressed inputs a compressor keeps, and the bytes of each: a fixed cost per sequence.
        [tokens, bytes/token]
    format : Format
        Number format of the cache.
    norms : str
        Of queries and keys: ``head`` by head, ``row`` over all heads, which tensor parallelism slices; "" for none.
    """

    reach: Reach
    elements: float
    ways: int
    flops_per_pair: float
    expanded_per_pair: float = 0.0
    expand_per_token: float = 0.0
    stores: bool = True
    index: bool = False
    wide: float = 0.0
    entry_scales: float = 0.0
    lookback: float = 0.0
    lookback_bytes: float = 0.0
    format: Format = UNSTATED
    norms: Literal["", "head", "row"] = ""

    @property
    def entry_bytes(self) -> float:
        """Bytes of one cache entry, its scales included: 656 of sparse MLA in FP8 (512 + 16 + 64 x 2), 132 of an index key."""
        if self.index:
            return self.elements + 4.0 * math.ceil(self.elements / 128)
        if self.format.payload > 1.0 or not self.wide:
            return self.elements * self.format.bytes
        return (self.elements - self.wide) * self.format.bytes + 2.0 * self.wide + self.entry_scales

    def stored_bytes(self, context: Real) -> Real:
        """Bytes kept per sequence at `context` tokens.

        Parameters
        ----------
        context : float or array
            Tokens of the sequence. [tokens]
        """
        kept = self.reach.stored(context) * (self.entry_bytes if self.stores else 0.0)
        return kept + self.lookback_bytes * smaller(context, self.lookback) if self.lookback else kept

    def reserved_bytes(self, context: Real, ahead: Real) -> Real:
        """Bytes that an engine sets aside per sequence which keeps what left the window until a pass is over.

        Parameters
        ----------
        context, ahead : float or array
            Tokens of the sequence; of the largest pass, or more where whole windows are not freed. [tokens]
        """
        if not self.stores:
            return 0.0 * context
        entries = (
            smaller(context, self.reach.width + ahead) / self.reach.ratio
            if self.reach.slides
            else self.reach.stored(context)
        )
        states = smaller(context, self.lookback + ahead) * self._paged_lookback if self.lookback else 0.0
        return entries * self.entry_bytes + states

    def pooled_bytes(self, context: float, share: float, window: float) -> float:
        """Bytes of pools whose sizes are fixed at start, for a sequence that fills its share of the full layers' pool.

        Parameters
        ----------
        context : float
            Tokens of the sequence. [tokens]
        share : float
            Tokens in the sliding layers' pool, of those in the full layers'. [share]
        window : float
            The model's narrowest: a page of the sliding layers' pool. [tokens]

        Notes
        -----
        A compressor that looks back less than a page keeps its inputs once for each page of the sliding pool, others once for each
        request (SGLang: DSV4PoolConfigurator).
        """
        if not self.stores:
            return 0.0
        entries = share * context / self.reach.ratio if self.reach.slides else float(self.reach.stored(context))
        pages = share * context / window if self.lookback < window else 1.0
        return entries * self.entry_bytes + self.lookback * self.lookback_bytes * (pages if self.lookback else 0.0)

    @property
    def _paged_lookback(self) -> float:
        """Bytes of a compressor's input in pages as large as those of its cache: as many whole rows as a power of two."""
        page = default("cache_page_entries") * self.entry_bytes
        if self.format.payload <= 1.0:
            unit = default("cache_page_alignment")
            page = math.ceil(page / unit) * unit
        rows = 2 ** math.floor(math.log2(max(page / self.lookback_bytes, 1.0)))
        return max(page / rows, self.lookback_bytes)

    def read_bytes(self, context: Real) -> Real:
        """Bytes read per sequence by one new token at `context` tokens.

        Parameters
        ----------
        context : float or array
            Tokens of the sequence. [tokens]
        """
        return self.reach.entries(context) * self.entry_bytes

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
    stated : bool
        The config (or the layer's kernels) say its format; else some engines keep it in the model's 16 bits.
    """

    elements: float
    conv_elements: float
    flops_per_token: float
    ways: int
    format: Format
    conv_format: Format = UNSTATED
    stated: bool = False

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

    def stored_bytes(self, vectors: Format) -> float:
        """Return stored bytes of one such layer.

        Parameters
        ----------
        vectors : Format
            Of what is no matrix.
        """
        return self.vector_parameters * vectors.bytes + sum(x.bytes for x in self.linears)

    def used_share(self, role: str) -> float:
        """Share of the matrices of a role that one token goes through: k/E for routed experts, else 1."""
        return self.experts.active / self.experts.count if self.experts and role == "expert" else 1.0

    @property
    def active_parameters(self) -> float:
        """Parameters that one token touches in one such layer."""
        return self.vector_parameters + sum(x.parameters * self.used_share(x.role) for x in self.linears)
