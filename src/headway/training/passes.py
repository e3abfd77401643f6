"""A training step's passes from the same rows as inference: forward, backward, recomputed forward, and the update."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from headway.errors import InputError
from headway.models import Architecture
from headway.parallel import Layout
from headway.parallel.sharding import share_of
from headway.roofline import Load, Row, Send, Step
from headway.roofline.load import Group
from headway.serving.setting import step_of

Recompute = Literal["none", "selective", "full"]
RECOMPUTES: tuple[Recompute, ...] = ("none", "selective", "full")
_ENDS = ("embedding", "head")
_PRODUCTS_BACK = 2.0  # of a matrix product: gradients of its input and of its weights (lecture E19)
_FLASH_BACK = 2.5  # of fused attention: five products for two, as it forms the scores again (Dao et al. 2022)
_OF_INFERENCE = ("logits", "host hand-over")  # sends that training does not have: losses are computed on slices


@dataclass(frozen=True, slots=True)
class Attention:
    """How an engine computes attention in training.

    Attributes
    ----------
    score_bytes : float
        Bytes moved for each score (query x key, both halves of the square) in a forward pass, where scores go through
        memory; 0 of fused attention. [bytes]
    """

    score_bytes: float = 0.0

    @property
    def fused(self) -> bool:
        """Whether scores stay on chip (FlashAttention)."""
        return self.score_bytes == 0


FUSED = Attention()


def micro_load(layout: Layout, micro_batch: int, sequence: int) -> Load:
    """Return the load of one micro-batch on all chips of a replica: every position has a loss.

    Parameters
    ----------
    layout : Layout
    micro_batch : int
        Sequences of each data-parallel group. [sequences]
    sequence : int
        [tokens]
    """
    return Load((Group(float(micro_batch * layout.dp), float(sequence), 0.0, float(sequence)),))


def forward(model: Architecture, layout: Layout, sequence: int, attention: Attention = FUSED) -> Step:
    """Return the forward pass of a micro-batch.

    Parameters
    ----------
    model : Architecture
    layout : Layout
    sequence : int
        [tokens]
    attention : Attention

    Notes
    -----
    As the step of a prompt (`headway.parallel.build_step`), without a cache: nothing is appended, logits are not gathered.
    Attention that is not fused multiplies the whole square of scores and moves each through memory several times.
    """
    step = step_of(model, layout, False)
    rows: list[Row] = []
    for r in step.rows:
        if r.read is None:
            rows.append(r)
        elif attention.fused:
            rows.append(replace(r, bytes_per_token=0.0))
        else:
            rows += [_square(r, sequence), _scores(model, r, layout, sequence, attention)]
    return replace(step, rows=tuple(rows), sends=tuple(s for s in step.sends if s.name not in _OF_INFERENCE))


def _square(row: Row, sequence: int) -> Row:
    """Attention over the whole square of a sequence instead of its causal half."""
    return replace(row, bytes_per_token=0.0, share=row.share * 2 * sequence / (sequence + 1))


def _scores(model: Architecture, row: Row, layout: Layout, sequence: int, attention: Attention) -> Row:
    heads = max((m.ways for x in model.layers if x.attends for m in x.linears if m.role == "attention"), default=1)
    each = heads * share_of(heads, layout.tp) * sequence / layout.cp
    moved = each * attention.score_bytes * row.layers
    return Row(
        "attention scores", "linear", row.layers, 0, ("bf16",), bytes_per_token=moved, groups=row.groups, ways=row.ways
    )


def backward(step: Step, gradient_bytes: float, attention: Attention = FUSED) -> Step:
    """Return the backward pass of a forward one.

    Parameters
    ----------
    step : Step
        Of the forward pass.
    gradient_bytes : float
        Of one gradient of a weight, read and written at each micro-batch. [bytes]
    attention : Attention

    Notes
    -----
    Each matrix product has two: gradients of its input and of its weights (lecture E19: 4 of 6 N D). Weights are read once more, and
    their gradients added to. Chips exchange gradients of activations where they have exchanged activations.
    """
    back = _FLASH_BACK if attention.fused else _PRODUCTS_BACK
    return replace(
        step, rows=tuple(_back(r, back if r.read is not None else _PRODUCTS_BACK, gradient_bytes) for r in step.rows)
    )


def _back(row: Row, products: float, gradient_bytes: float) -> Row:
    weights = row.weight_bytes / row.bytes_per_weight
    moved = row.weight_bytes + 2 * gradient_bytes * weights
    return replace(
        row,
        kernels=row.kernels * 2,
        products=row.products * 2,
        weight_bytes=moved,
        flops_per_token=row.flops_per_token * _PRODUCTS_BACK,
        bytes_per_token=row.bytes_per_token * 2,
        temporaries_per_token=row.temporaries_per_token * 2,
        flops_per_logit=row.flops_per_logit * _PRODUCTS_BACK,
        bytes_per_sequence=row.bytes_per_sequence * 2,
        read_bytes=row.read_bytes * 2,
        share=row.share * products,
    )


def recomputed(step: Step, how: Recompute) -> Step | None:
    """Return what the backward pass computes again; None where all activations are kept.

    Parameters
    ----------
    step : Step
        Of the forward pass.
    how : str
        ``full``: every layer from its input; ``selective``: attention alone (Korthikanti et al. 2022); ``none``.

    Raises
    ------
    InputError
        For another way.
    """
    if how not in RECOMPUTES:
        raise InputError(f"--recompute: {how!r} is not known; accepted: {', '.join(RECOMPUTES)}")
    if how == "none":
        return None
    if how == "full":
        again = tuple(s for s in step.sends if s.name not in ("stage hand-over", "embedding rows"))
        return replace(step, rows=tuple(r for r in step.rows if r.name not in _ENDS), sends=again)
    rows = tuple(r for r in step.rows if r.read is not None or r.name == "attention scores")
    return replace(step, rows=rows, sends=())


def of_ends(step: Step) -> Step:
    """Return the part of a pass that lies before and behind the layers: embedding and head."""
    return replace(step, rows=tuple(r for r in step.rows if r.name in _ENDS), sends=())


@dataclass(frozen=True, slots=True)
class Held:
    """What one chip of the fullest stage holds of the parameters.

    Attributes
    ----------
    dense, experts : float
        Parameters that each data-parallel replica has, and routed experts. [parameters]
    dense_ranks, expert_ranks : int
        Chips that have the same ones. [chips]
    """

    dense: float
    experts: float
    dense_ranks: int
    expert_ranks: int

    @property
    def total(self) -> float:
        """Parameters of a chip. [parameters]"""
        return self.dense + self.experts

    def sharded(self, shared: bool) -> float:
        """Return the parameters whose states a chip keeps, where those who have the same ones share them or not. [parameters]"""
        return self.dense / self.dense_ranks + self.experts / self.expert_ranks if shared else self.total


def update(held: Held, state_bytes: float, zero: int) -> Step:
    """Return the optimizer's pass: every state of a chip is read and written once.

    Parameters
    ----------
    held : Held
    state_bytes : float
        Moved for each parameter. [bytes]
    zero : int
        Stage of ZeRO (Rajbhandari et al. 2020): from 1 on each chip updates its share. [1]
    """
    moved = held.sharded(zero > 0) * state_bytes
    return Step((Row("optimizer", "linear", 1, 0, ("bf16",), weight_bytes=moved),), (), "", "", 1, 1)


def exchange(held: Held, zero: int, gradient_bytes: float, weight_bytes: float) -> tuple[Send, ...]:
    """Return what replicas exchange once a step: gradients summed, and the updated weights where each has updated a share.

    Parameters
    ----------
    held : Held
    zero : int
        Stage of ZeRO. [1]
    gradient_bytes, weight_bytes : float
        Of a gradient and of a weight on the wire. [bytes]

    Notes
    -----
    Without ZeRO gradients are all-reduced; with it they are reduce-scattered and weights gathered: as many bytes where both are 16 bits.
    Of stage 3 see `gathers`.
    """
    found: list[Send] = []
    for name, parameters, ranks in (
        ("", held.dense, held.dense_ranks),
        (" of experts", held.experts, held.expert_ranks),
    ):
        if ranks > 1 and parameters:
            sent = parameters * gradient_bytes
            if zero == 0:
                found.append(Send(f"gradients{name}", "all-reduce", sent, 1, ranks=ranks, algorithm="ring"))
            else:
                found.append(Send(f"gradients{name}", "reduce-scatter", sent, 1, ranks=ranks))
                if zero < 3:
                    whole = parameters * weight_bytes
                    found.append(Send(f"weights{name}", "all-gather", whole, 1, ranks=ranks))
    return tuple(found)


def gathers(held: Held, weight_bytes: float, layers: int) -> tuple[Send, ...]:
    """Return what a pass of ZeRO 3 or FSDP gathers: the weights of each layer before it runs.

    Parameters
    ----------
    held : Held
    weight_bytes : float
        Of a weight on the wire. [bytes]
    layers : int
        On the chip. [layers]
    """
    parts = (("", held.dense, held.dense_ranks), (" of experts", held.experts, held.expert_ranks))
    return tuple(
        Send(f"weights{name}", "all-gather", n * weight_bytes, layers, ranks=ranks)
        for name, n, ranks in parts
        if ranks > 1 and n
    )
