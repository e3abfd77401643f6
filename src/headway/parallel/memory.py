"""Memory per chip of a model under a layout: weights, KV cache, activations; the lecture's capacity algebra."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from headway.models import Architecture
from headway.parallel.layout import Layout
from headway.parallel.offload import places
from headway.parallel.sharding import fullest_stage, share_of, stage_share, weight_share
from headway.parallel.steps import activation_bytes

Real = Any  # a float or a NumPy array; everything broadcasts


def weights_per_chip(model: Architecture, layout: Layout, even: bool = False) -> float:
    """Return bytes of weights on the fullest chip; each data-parallel group holds its own attention and dense weights.

    Of a pipeline that is a stage with the most layers and one end of the model (embedding or head).

    Parameters
    ----------
    model : Architecture
    layout : Layout
    even : bool
        Count an even share of everything per pipeline stage: the least that the fullest one can hold.
    """
    stage, model = stage_share(model, layout), places(model, layout).chip
    looked_up = model.embedding.bytes + sum(t.bytes for t in model.tables)
    embedding, head = looked_up / layout.tp, 0.0 if model.tied else model.head.bytes / layout.tp
    if layout.pp > 1:
        ends = max(embedding, model.head.bytes / layout.tp)
    else:
        ends = embedding + head
    vectors = sum(x.count * x.vector_parameters for x in model.layers) + model.final_parameters
    kinds = [(x.count, sum(m.bytes * weight_share(model, layout, m) for m in x.linears)) for x in model.layers]
    rest = vectors * model.precision.base.bytes
    beside = _beside(model, layout)
    if even:
        return (embedding + head + rest + beside + sum(n * b for n, b in kinds)) / layout.pp
    return ends + beside + rest * stage + sum(fullest_stage(n, layout) * b for n, b in kinds)


def _beside(model: Architecture, layout: Layout) -> float:
    """Bytes of towers and multi-token-prediction layers on the stage that has them; both are sliced like other weights."""
    vectors = sum(x.count * x.vector_parameters for x in model.mtp) * model.precision.base.bytes
    drafts = sum(x.count * m.bytes * weight_share(model, layout, m) for x in model.mtp for m in x.linears)
    return vectors + drafts + sum(t.bytes for t in model.towers) / layout.tp


def kv_per_chip(model: Architecture, layout: Layout, context: Real, drafting: bool = False) -> Real:
    """Return bytes of cache and state that one sequence keeps on each chip of its group at `context` tokens.

    A pipeline stage keeps its layers' share of every sequence in flight, whichever micro-batch it is in (lecture E16, E17).

    Parameters
    ----------
    model : Architecture
    layout : Layout
    context : float or array
        Tokens in the cache. [tokens]
    drafting : bool
        The multi-token-prediction layers run, and keep a cache of their own.
    """
    model = places(model, layout).chip
    cache = sum(
        fullest_stage(n, layout) * a.stored_bytes(context) * share_of(a.ways, layout.tp) for n, a in model.attends()
    )
    if drafting:
        cache = cache + sum(
            x.count * a.stored_bytes(context) * share_of(a.ways, layout.tp) for x in model.mtp for a in x.attends
        )
    return cache / layout.cp + _states(model, layout)


def _states(model: Architecture, layout: Layout) -> float:
    """Bytes of a sequence's recurrent states on the fullest chip."""
    return sum(
        fullest_stage(x.count, layout) * x.state.bytes * share_of(x.state.ways, layout.tp)
        for x in model.layers
        if x.state
    )


def reserved_per_chip(model: Architecture, layout: Layout, context: float, ahead: float, block: float) -> float:
    """Return bytes that one sequence is given on each chip of its group in pages, as engines set them aside.

    Parameters
    ----------
    model : Architecture
    layout : Layout
    context, ahead : float
        Tokens of the sequence; tokens that sliding layers keep beside their window. [tokens]
    block : float
        Tokens of a page, before it grows to the size of a recurrent state. [tokens]

    Notes
    -----
    A hybrid model has pages of one size: a page of attention holds as many tokens as fill the largest state, and every
    state takes a page (vLLM, hybrid cache manager).
    """
    model = places(model, layout).chip
    states = [(x.count, x.state.bytes * share_of(x.state.ways, layout.tp)) for x in model.layers if x.state]
    reads = list(model.attends())
    page = block
    if states and reads and block > 1:  # an engine without pages keeps states apart
        each = max(a.entry_bytes * share_of(a.ways, layout.tp) for _, a in reads)
        page = max(math.ceil(max(b for _, b in states) / each / block) * block, block)
        states = [(n, page * each) for n, _ in states]
    whole = math.ceil(context / page) * page
    cache = sum(
        fullest_stage(n, layout) * a.reserved_bytes(whole, ahead) * share_of(a.ways, layout.tp) for n, a in reads
    )
    return float(cache / layout.cp + sum(fullest_stage(n, layout) * b for n, b in states))


def pooled_per_chip(model: Architecture, layout: Layout, context: float, share: float) -> float:
    """Return bytes of a chip's pools that one sequence fills, where sliding layers have a pool of a fixed size beside the full layers'.

    Parameters
    ----------
    model : Architecture
    layout : Layout
    context : float
        Tokens of the sequence. [tokens]
    share : float
        Tokens in the sliding layers' pool, of those in the full layers'. [share]

    Notes
    -----
    Short sequences fill the sliding pool first: each keeps its window there. A model without full layers has one pool, and one
    without sliding layers, too: both keep what `kv_per_chip` counts.
    """
    here = places(model, layout).chip
    reads = list(here.attends())
    windows = [a.reach.width * a.reach.ratio for _, a in reads if a.stores and a.reach.slides]
    if not windows or len(windows) == len(reads):
        return float(kv_per_chip(model, layout, context))
    tokens = max(context, min(max(windows), context) / share)
    pools = sum(
        fullest_stage(n, layout) * a.pooled_bytes(tokens, share, min(windows)) * share_of(a.ways, layout.tp)
        for n, a in reads
    )
    return float(pools / layout.cp + _states(here, layout))


_KEPT = 2  # copies of the residual stream: itself and its norm


def activations_per_chip(model: Architecture, layout: Layout, tokens: float) -> float:
    """Return bytes of activations on one chip in a pass of `tokens` new tokens in each data-parallel group.

    Parameters
    ----------
    model : Architecture
    layout : Layout
    tokens : float
        New tokens of a group. [tokens]

    Notes
    -----
    The residual stream, its norm, and the widest part of a layer with all its inputs and outputs at once; under expert
    parallelism those of an even share of all groups' tokens. Engines reuse buffers from layer to layer.
    """
    model, here = places(model, layout).chip, max(tokens / layout.cp, 1.0)
    widest = 0.0
    for layer in model.layers:
        parts: dict[str, float] = {}
        for m in layer.linears:
            each = (m.inputs + m.outputs) * activation_bytes()
            if m.role == "expert" and layer.experts:
                routed = here * layout.cp * layout.dp * layer.experts.active / layout.ep
                amount = routed * each / layout.slices
            else:
                amount = here * each * m.copies * weight_share(model, layout, m)
            parts[m.role] = parts.get(m.role, 0.0) + amount
        widest = max(widest, *parts.values()) if parts else widest
    return _KEPT * here * model.hidden * activation_bytes() + widest


# --- the lecture's algebra ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capacity:
    """Memory per chip in the lecture's algebra. [bytes]"""

    weights: Real
    kv: Real
    global_batch: Real

    @property
    def total(self) -> Real:
        """Weights plus KV per chip."""
        return self.weights + self.kv


def capacity_per_chip(
    n_total: Real,
    bytes_per_parameter: Real,
    micro_batch: Real,
    context: Real,
    k: Real,
    experts_ways: Real,
    stages: Real,
) -> Capacity:
    """Return memory per chip under expert parallelism E and pipeline depth P (lecture E14 to E17, SYS-D4).

    Parameters
    ----------
    n_total : float or array
        Stored parameters. [parameters]
    bytes_per_parameter : float or array
        [bytes]
    micro_batch : float or array
        b, sequences in one micro-batch. [sequences]
    context, k : float or array
        Tokens per sequence; cache bytes per token. [tokens, bytes/token]
    experts_ways, stages : float or array
        E, chips of a rack that share a stage; P, racks in the pipeline. [chips, stages]

    Notes
    -----
    E16: a pipeline that never idles carries M = P micro-batches, so the global batch is P b and

    c = N_total / (E P) + (P b) L k / (E P) = N_total / (E P) + b L k / E:

    P cancels from the KV term. Weights shrink with depth; KV does not.
    """
    batch = stages * micro_batch
    chips = experts_ways * stages
    return Capacity(n_total * bytes_per_parameter / chips, batch * context * k / chips, batch)
