"""Architecture x Layout -> Step: coefficients per chip, with what each chip holds, reads, multiplies and sends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from headway.catalog import default
from headway.models import (
    Architecture,
    Attend,
    CopiesElsewhere,
    Crowding,
    Layer,
    busiest_group,
    group_reached,
    hottest_expert,
    touched_experts,
)
from headway.models.architecture import Linear
from headway.parallel.layout import AnyLayout, Layout, check
from headway.parallel.offload import places
from headway.parallel.sharding import is_sliced, share_of
from headway.roofline import Row, Send, Step

Real = Any  # a float or a NumPy array; everything broadcasts

_SUM_BYTES = 4  # of a 32-bit sum of squares


def activation_bytes() -> float:
    """Return bytes of a number between kernels and in collectives (catalogue `defaults`)."""
    return default("activation_bytes")


_OF_HEADS = ("o_proj", "wo_a")  # matrices that take what the heads give
NAMES = {
    "attention": "attention projections",
    "index": "index projections",
    "state": "state projections",
    "conv": "state projections",
    "dense": "dense FFN",
    "shared": "shared experts",
    "router": "router",
}


@dataclass
class _Rows:
    """Rows under construction: kernels that are alike in every coefficient are merged over layers."""

    rows: dict[tuple[object, ...], Row] = field(default_factory=dict[tuple[object, ...], Row])

    def add(self, row: Row, layers: int) -> None:
        values = (getattr(row, f) for f in Row.__dataclass_fields__)
        key = tuple(v.tobytes() if isinstance(v, np.ndarray) else v for v in values)
        old = self.rows.get(key)
        self.rows[key] = replace(row, layers=layers) if old is None else replace(old, layers=old.layers + layers)

    def finish(self) -> tuple[Row, ...]:
        """Multiply the per-layer coefficients by the number of layers."""
        return tuple(_times(row) for row in self.rows.values())


def _times(row: Row) -> Row:
    """A layer's row for all layers that it stands for."""
    n = row.layers
    return replace(_scaled(row, n), kernels=row.kernels * n, products=row.products * n)


def _scaled(row: Row, by: Real) -> Row:
    """A row that multiplies and moves so many times as much in as many kernels."""
    return replace(
        row,
        weight_bytes=row.weight_bytes * by,
        flops_per_token=row.flops_per_token * by,
        bytes_per_token=row.bytes_per_token * by,
        temporaries_per_token=row.temporaries_per_token * by,
        flops_per_logit=row.flops_per_logit * by,
        bytes_per_sequence=row.bytes_per_sequence * by,
        read_bytes=row.read_bytes * by,
        share=row.share * by,
    )


def build_step(model: Architecture, layout: AnyLayout, adds_in_network: bool = True) -> Step:
    """Return the forward pass of `model` under `layout` as a Step, per chip.

    Parameters
    ----------
    model : Architecture
    layout : Layout or LayoutColumns
        One replica, or many that use the same dimensions: coefficients are then columns. MLA latents, routers, indexers
        and single KV heads are replicated over tensor-parallel ranks. A pass goes through all pipeline stages one after
        another, so rows hold all layers; each micro-batch is such a pass.
    adds_in_network : bool
        Whether switches can add on the way: an all-reduce then sends each payload once (the least any network allows),
        else 2 (n-1)/n times, the least without (Patarasuk and Yuan 2009).

    Raises
    ------
    InputError
        When the layout does not divide the model.
    """
    if isinstance(layout, Layout):
        check(model, layout)
    rows, (chip, host, crossings) = _Rows(), places(model, layout)
    for layer in chip.layers:
        for row in _layer_rows(model, layer, layout):
            rows.add(row, layer.count)
    for layer in host:
        for row in _layer_rows(model, layer, Layout()):
            rows.add(_on_host(row, layout), layer.count)
    sends = (*_sends(chip, layout, adds_in_network), *_to_host(model, layout, crossings))
    first, last = _ends(model, layout)
    body = (first, *rows.finish(), last)
    return Step(
        body,
        sends,
        model.name,
        str(layout),
        model.layer_count,
        layout.dp,
        touched_experts,
        hottest_expert,
        busiest_group,
    )


def _on_host(row: Row, layout: AnyLayout) -> Row:
    """A layer's row on the host, whose processor works for all chips at once: each has its share of both."""
    return replace(_scaled(row, 1.0 / layout.chips), host=True, name=f"{row.name} on the CPU")


def _to_host(model: Architecture, layout: AnyLayout, crossings: int) -> Iterable[Send]:
    """The residual stream on its way between chips and host: each chip carries its slice."""
    if crossings:
        payload = crossings * model.hidden * activation_bytes() / layout.chips
        yield Send("host hand-over", "host", payload=payload, messages=crossings)


def _ends(model: Architecture, layout: AnyLayout) -> tuple[Row, Row]:
    """Rows of the embedding, which is looked up, and of the head."""
    lookup = model.hidden * model.embedding.format.bytes
    return (
        Row("embedding", "linear", 1, 1, ("bf16",), bytes_per_token=lookup, groups=layout.dp, ways=layout.cp),
        Row(
            "head",
            "head",
            1,
            1,
            model.head.format.chain,
            weight_bytes=model.head.bytes / layout.tp,
            products=1,
            bytes_per_weight=model.head.format.bytes,
            block_scales=model.head.format.scales > 0,
            flops_per_logit=model.head.flops / layout.tp,
            groups=layout.dp,
        ),
    )


def _layer_rows(model: Architecture, layer: Layer, layout: AnyLayout) -> Iterable[Row]:
    """Rows of one layer with per-layer coefficients."""
    plain = [m for m in layer.linears if m.role != "expert"]
    buckets: dict[tuple[str, tuple[str, ...]], list[Linear]] = {}
    for m in plain:
        name = NAMES[m.role]
        if m.role == "attention" and m.ways == 1 and layout.dimensions.sliced:
            name = "latent projections (replicated)"
        buckets.setdefault((name, m.format.chain), []).append(m)
    for (name, chain), matrices in buckets.items():
        whole = name == "shared experts" and layout.shared_copies
        kept = [replace(m, ways=1) for m in matrices] if whole else matrices
        yield _linear_row(name, chain, kept, layout, model.kernels_of(name))
    for attend in layer.attends:
        kernels = model.kernels_of("latent attention" if attend.expand_per_token else "attention")
        yield _attention_row(attend, layout, kernels + (model.kernels_of("query-key norms") if attend.norms else 0))
    if layer.state:
        part = share_of(layer.state.ways, layout.tp)
        yield Row(
            "recurrent state",
            "state",
            1,
            model.kernels_of("recurrent state"),
            ("bf16",),
            flops_per_token=layer.state.flops_per_token * part,
            bytes_per_sequence=2 * layer.state.bytes * part,
            groups=layout.dp,
            ways=layout.cp,
        )
    if layer.experts:
        yield _expert_row(layer, layout, model.kernels_of("routed experts"))


def _linear_row(name: str, chain: tuple[str, ...], matrices: list[Linear], layout: AnyLayout, kernels: int) -> Row:
    def total(amount: Callable[[Linear], float]) -> Real:
        return sum(amount(m) * share_of(m.ways, layout.tp) for m in matrices)

    # matrices with the same input and direction run as one fused kernel (QKV, gate and up)
    products = len({(m.inputs, m.path.endswith(("o_proj", "down_proj", "out_proj"))) for m in matrices})
    return Row(
        name,
        "linear",
        1,
        kernels=products + kernels,
        chain=chain,
        products=products,
        bytes_per_weight=matrices[0].format.bytes,
        block_scales=matrices[0].format.scales > 0,
        weight_bytes=total(lambda m: m.bytes),
        flops_per_token=total(lambda m: m.flops),
        temporaries_per_token=total(lambda m: (m.inputs + m.outputs) * m.copies * activation_bytes()),
        groups=layout.dp,
        ways=layout.cp,
    )


def _attention_row(attend: Attend, layout: AnyLayout, kernels: int) -> Row:
    part = share_of(attend.ways, layout.tp) / layout.cp
    entry = attend.entry_bytes * part
    name = "index scores" if attend.index else f"attention: {attend.reach}"
    return Row(
        name,
        "attention",
        1,
        kernels,
        ("bf16",),
        products=1,
        bytes_per_token=entry * layout.cp / attend.reach.ratio if attend.stores else 0.0,
        read=attend,
        read_bytes=entry,
        # query heads are sliced even where the cache is not; context parallelism shares every sequence's pairs
        share=(1.0 if attend.index else 1.0 / layout.tp) / layout.cp,
        groups=layout.dp,
        ways=layout.cp,
    )


def _expert_row(layer: Layer, layout: AnyLayout, kernels: int) -> Row:
    routing = layer.experts
    assert routing is not None
    experts = [m for m in layer.linears if m.role == "expert"]
    each = 1.0 / (routing.count * layout.slices)
    kept = (routing.count + layout.redundant) / routing.count  # second copies take memory, and reads when touched
    return Row(
        "routed experts",
        "experts",
        1,
        kernels=kernels,
        products=2,
        bytes_per_weight=experts[0].format.bytes,
        chain=experts[0].format.chain,
        weight_bytes=sum(m.bytes for m in experts) * kept / layout.stage_chips,
        flops_per_token=sum(m.flops for m in experts) * each,
        temporaries_per_token=sum((m.inputs + m.outputs) * m.copies for m in experts) * each * activation_bytes(),
        experts=routing.count,
        active=routing.active,
        on_chip=routing.count * kept / layout.ep,
        copies=kept,
    )


def _sends(model: Architecture, layout: AnyLayout, adds_in_network: bool) -> Iterable[Send]:
    """Collectives inside one scale-up domain, all layers together.

    What real collectives reach is the calibration's network efficiency.
    """
    hidden = model.hidden * activation_bytes()
    mixers = sum(x.count for x in model.layers if x.attends or x.state)
    routed = sum(x.count for x in model.layers if x.experts)
    uses = layout.dimensions
    spread_out = (uses.groups or uses.shared_sequences) and routed > 0
    # A layer's feed-forward part ends in one reduction over tp; experts spread over data-parallel groups come back
    # by combine instead, but what tp slices beside them (shared experts, a dense part) still needs its own.
    sliced = sum(
        x.count for x in model.layers if (x.experts and not spread_out) or any(is_sliced(m, layout) for m in x.linears)
    )
    # side by side, both results are added before the one reduction
    reduces = max(mixers, sliced) if model.side_by_side else mixers + sliced
    if uses.sliced and reduces:
        yield _sum("all-reduce", reduces * hidden, reduces, layout.dp, layout.tp, layout.cp, adds_in_network)
    if uses.sliced:
        yield from _of_vocabulary(model, layout, adds_in_network)
    rows = sum(n for n, a in model.attends() if a.norms == "row")
    if uses.sliced and rows:  # mean squares of queries and of keys, in 32 bits
        yield _sum("norms' sums", rows * 2 * _SUM_BYTES, rows, layout.dp, layout.tp, layout.cp, adds_in_network)
    if uses.shared_sequences:
        yield from _ring(model, layout, adds_in_network)
    if spread_out:
        yield from _dispatch(model, layout, routed, adds_in_network)
    if uses.staged:  # every chip hands its tokens' residual to its successor
        crossings = layout.pp - 1
        yield Send(
            "stage hand-over", "send", payload=crossings * hidden, messages=crossings, groups=layout.dp, ranks=layout.chips,
            ways=layout.cp,
        )  # fmt: skip


def _of_vocabulary(model: Architecture, layout: AnyLayout, adds_in_network: bool) -> Iterable[Send]:
    """Chips that have slices of the vocabulary add up the rows that they look up, and gather their logits.

    As in Megatron-LM, vLLM (VocabParallelEmbedding, LogitsProcessor) and TensorRT-LLM (gather_output of the head).
    """
    yield _sum("embedding rows", model.hidden * activation_bytes(), 1, layout.dp, layout.tp, layout.cp, adds_in_network)
    yield Send(
        "logits", "all-gather", payload=model.vocabulary * activation_bytes(), messages=1, groups=layout.dp, ranks=layout.tp,
        algorithm="ring", carries="logits",
    )  # fmt: skip


def _ring(model: Architecture, layout: AnyLayout, adds_in_network: bool) -> Iterable[Send]:
    """What chips that share sequences exchange.

    New tokens' cache entries pass once around (ring attention, Liu et al. 2023), except of a decode's, which every chip of
    the sequence has; what each chip's share of the older entries contributes to a token's attention is added up (an
    all-reduce of the heads' outputs).
    """
    stored = [(n, a) for n, a in model.attends() if a.stores]
    entry = sum(n * a.entry_bytes * share_of(a.ways, layout.tp) / a.reach.ratio for n, a in stored)
    rounds = sum(n for n, _ in stored)
    if rounds:
        yield Send(
            "context ring", "all-gather", payload=layout.cp * entry, messages=rounds, groups=layout.dp, ranks=layout.cp,
            ways=layout.cp, algorithm="ring", carries="own",
        )  # fmt: skip
    outputs = [(x.count, m) for x in model.layers if x.attends for m in x.linears if m.path.endswith(_OF_HEADS)]
    if outputs:
        heads = sum(n * m.inputs * m.copies * share_of(m.ways, layout.tp) for n, m in outputs) * activation_bytes()
        each = sum(n for n, _ in outputs)
        yield _sum("context sum", heads, each, layout.dp, layout.cp, layout.cp, adds_in_network, "older")


def _sum(
    name: str, payload: Real, messages: Real, groups: Real, ranks: Real, ways: Real, adds_in_network: bool, carries: str = "new"
) -> Send:  # fmt: skip
    """An all-reduce: added by the switches where they can, else around a ring (the least that any other network sends)."""
    how = "in-network" if adds_in_network else "ring"
    return Send(name, "all-reduce", payload, messages, groups, ranks, ways, how, carries=carries)


def _dispatch(model: Architecture, layout: AnyLayout, routed: int, adds_in_network: bool) -> Iterable[Send]:
    """Dispatch, reduction over slices, and combine: a token goes once to each group that holds one of its experts.

    Where all chips share every sequence, each has a decode's tokens already: they add up what their experts give.
    """
    experts = model.experts
    assert experts is not None
    reached = group_reached(experts.count, experts.active, layout.ep)
    outside = CopiesElsewhere(experts.count, experts.active)
    crowding = Crowding(experts.count, experts.active, layout.ep)
    matrix = next(m for x in model.layers if x.experts for m in x.linears if m.role == "expert")
    sent = 1.0 if matrix.format.chain[0] in ("fp8", "fp4") else activation_bytes()
    away = (layout.ep - 1) * reached
    copies = away * layout.slices + reached * (layout.slices - 1)  # every chip that holds a slice needs the input
    each, width = routed * matrix.inputs / layout.tp, model.hidden * activation_bytes()
    alike = layout.dimensions.shared_sequences and not layout.dimensions.groups
    which = "own" if alike else "new"
    if alike:
        yield _sum("expert sum", routed * width, routed, 1, layout.stage_chips, layout.cp, adds_in_network, "same")
    yield Send(
        "dispatch", "all-to-all", payload=each * copies * sent, messages=routed, groups=layout.dp, ranks=layout.stage_chips,
        ways=layout.cp, domains=outside, copies=copies, crowding=crowding, carries=which,
    )  # fmt: skip
    if (
        layout.dimensions.sliced_experts
    ):  # partial sums of all tokens that reach the group, whichever chip they came from
        yield _sum("expert all-reduce", routed * reached * width, routed, 1, layout.slices, 1, adds_in_network, which)
    if layout.dimensions.spread_experts:
        yield Send(
            "combine", "all-to-all", payload=each * away * activation_bytes(), messages=routed, groups=layout.dp,
            ranks=layout.stage_chips, ways=layout.cp, domains=outside, copies=away, crowding=crowding, carries=which,
        )  # fmt: skip
