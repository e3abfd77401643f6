"""Step: the forward pass of one model under one layout as rows of coefficients, per chip. No batch, no chip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

Real = Any  # a float or a NumPy array; everything broadcasts


@runtime_checkable
class Read(Protocol):
    """What a row needs to know of an attention read; `headway.models.Attend` is one."""

    def pair_flops(self, new: Real, context: Real) -> Real:
        """FLOPs of `new` tokens per sequence after `context` cached ones, over all heads.

        Parameters
        ----------
        new, context : float or array
            Per sequence: new tokens; tokens in the cache before them. [tokens]
        """
        ...

    def read_entries(self, new: Real, context: Real) -> Real:
        """Cache entries that a pass of `new` tokens reads per sequence.

        Parameters
        ----------
        new, context : float or array
            Per sequence: new tokens; tokens in the cache before them. [tokens]
        """
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of kernel, per chip, all its layers together. Coefficients may be columns over layouts.

    Attributes
    ----------
    name, kind : str
        What it is; ``linear``, ``experts``, ``attention``, ``state`` or ``head``.
    layers, kernels, products : float
        Layers it stands for; kernels launched; matrix products (or attention reads) among those. [layers, 1, 1]
    chain : tuple of str
        Compute kinds in order of preference (see `Chip.peak`).
    weight_bytes : float
        Weights on this chip, read once a pass. [bytes]
    bytes_per_weight : float
        Of one stored weight: below the multiplication's width, weights are unpacked first. [bytes]
    block_scales : bool
        Whether groups of elements have scales of their own: activations are then scaled group by group at run time.
    flops_per_token, bytes_per_token : float
        Of each new token on this chip: FLOPs; cache appended. [FLOP, bytes]
    temporaries_per_token : float
        Activations in and out, when they go through memory. [bytes]
    flops_per_logit : float
        Of each position whose logits are needed (the head). [FLOP]
    bytes_per_sequence : float
        Once per sequence: recurrent state in and out. [bytes]
    read : Read or None
        The attention read law; with `read_bytes` per entry and `share` of its FLOPs on this chip.
    read_bytes : float
        Cache bytes per entry on this chip, all layers. [bytes]
    share : float
        Share of the read's FLOPs (all layers) on this chip. [share]
    experts, active : int
        Experts per layer, 0 for none; how many of them a token uses. [experts]
    on_chip : float
        Experts per layer on this chip (a sliced expert counts whole), second copies among them. [experts]
    copies : float
        Copies of the mean expert over all chips: above 1 where some have a second one. [1]
    groups : float
        Data-parallel groups over which sequences spread; the busiest one counts. [groups]
    ways : float
        Chips that share the tokens of each sequence (context parallelism); one token is never split. [chips]
    host : bool
        It lies in the host's memory and runs on its processor (`Machine.cpu`, this chip's share of it).
    """

    name: str
    kind: str
    layers: Real
    kernels: Real
    chain: tuple[str, ...]
    weight_bytes: Real = 0.0
    products: Real = 0.0
    bytes_per_weight: float = 2.0
    block_scales: bool = False
    flops_per_token: Real = 0.0
    bytes_per_token: Real = 0.0
    temporaries_per_token: Real = 0.0
    flops_per_logit: Real = 0.0
    bytes_per_sequence: Real = 0.0
    read: Read | None = None
    read_bytes: Real = 0.0
    share: Real = 0.0
    experts: int = 0
    active: int = 0
    on_chip: Real = 0.0
    copies: Real = 1.0
    groups: Real = 1.0
    ways: Real = 1.0
    host: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """One kind of collective, per chip, all its layers together.

    Attributes
    ----------
    name, kind : str
        What it is for; ``all-reduce``, ``all-to-all``, ``all-gather``, ``send`` (to the next pipeline stage), ``host``
        (to the host's processor or back).
    payload : float
        Vectors of all messages together for each new token of the pass on the busiest chip: of an all-reduce or
        all-gather what every chip ends up with, of an all-to-all or a send what leaves the chip. [bytes]
    messages : float
        Collectives one after another. [1]
    ranks : float
        Chips that take part in each; of a ``send``, of all stages together. [chips]
    groups, ways : float
        Data-parallel groups over which tokens spread, and chips that share each sequence's. [groups, chips]
    algorithm : str
        How it runs inside a domain (`headway.roofline.collectives`): ``in-network`` where switches add on the way, so that
        an all-reduce sends its payload once; ``ring``, ``direct``, ...
    domains : callable or None
        Of an all-to-all: copies of a token that go to other domains, (number of equal domains) -> copies; and `copies`,
        those that it sends in all. None: as many as there are ranks elsewhere.
    carries : str
        Which tokens of the pass it counts (`headway.roofline.load.carried`). Where a pass has none of them, it is not sent.
    crowding : callable or None
        How many times more the busiest chip exchanges under a skew of expert popularity, skew -> factor.
    """

    name: str
    kind: str
    payload: Real
    messages: Real
    groups: Real = 1.0
    ranks: Real = 2.0
    ways: Real = 1.0
    algorithm: str = "direct"
    domains: Callable[[Real], Real] | None = None
    copies: Real = 1.0
    crowding: Callable[[float], Real] | None = None
    carries: str = "new"


@dataclass(frozen=True)
class Step:
    """The forward pass of one model under one layout: rows of coefficients per chip, and the collectives.

    Attributes
    ----------
    rows : tuple of Row
    sends : tuple of Send
    model, layout : str
        Labels.
    layers : float
        Layers of the model. [layers]
    groups : float
        Data-parallel groups, each with its own scheduler and sampler. [groups]
    touched : callable
        Expected distinct experts of a pass, (experts, active, tokens, skew) -> number; None for a dense model.
    hottest : callable or None
        Chance per token of the most popular expert, (experts, active, skew) -> share.
    busiest : callable or None
        How far the busiest chip lies above the mean under uniform routing, (experts, active, groups, tokens) ->
        (excess of touched experts, excess of tokens).
    """

    rows: tuple[Row, ...]
    sends: tuple[Send, ...] = ()
    model: str = ""
    layout: str = ""
    layers: float = 1.0
    groups: Real = 1.0
    touched: Callable[[Real, Real, Real, float], Real] | None = None
    hottest: Callable[[int, int, float], float] | None = None
    busiest: Callable[[int, int, Real, Real], tuple[Real, Real]] | None = None

    @property
    def weight_bytes(self) -> float:
        """Weights on one chip that a large pass reads. [bytes]"""
        return sum(r.weight_bytes for r in self.rows)

    @property
    def launches(self) -> Real:
        """Kernels and collectives of a pass. [1]"""
        return sum(r.kernels for r in self.rows) + sum(s.messages for s in self.sends)


def dense_step(n_total: float, n_active: float, bytes_per_parameter: float, kv_bytes_per_token: float) -> Step:
    """Return the lecture's model as a Step of one row: weights read once, 2 N_active FLOPs and L k bytes per token.

    Parameters
    ----------
    n_total, n_active : float
        Parameters stored and touched per token. [parameters]
    bytes_per_parameter : float
        [bytes]
    kv_bytes_per_token : float
        k, cache bytes per token of context. [bytes]
    """
    row = Row(
        "model",
        "linear",
        layers=1,
        kernels=1,
        chain=("bf16",),
        weight_bytes=n_total * bytes_per_parameter,
        flops_per_token=2.0 * n_active,
        read=_LinearRead(),
        read_bytes=kv_bytes_per_token,
    )
    return Step((row,), model="closed form")


@dataclass(frozen=True, slots=True)
class _LinearRead:
    """Attention as the lecture takes it: a memory cost linear in context, its FLOPs dropped."""

    def pair_flops(self, new: Real, context: Real) -> Real:
        return 0.0

    def read_entries(self, new: Real, context: Real) -> Real:
        return context
