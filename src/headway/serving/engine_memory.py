"""What an engine takes of a chip's memory for itself, and what it makes of the share that its users type."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from headway.catalog import Row, catalogue, default
from headway.hardware import System
from headway.models import Architecture
from headway.parallel import Layout, activations_per_chip, kv_per_chip, pooled_per_chip, reserved_per_chip

ShareOf = Literal["visible", "started", "left"]
Windows = Literal["pass", "share", "window"]


@dataclass(frozen=True, slots=True)
class MemoryHabits:
    """How an engine divides a chip's memory (catalogue `engines`).

    Attributes
    ----------
    share : float or None
        Its default of the share that users type (``gpu_memory_utilization``, ``mem_fraction_static``); None where the
        engine works it out. [share]
    share_of : str
        Of what: ``visible`` memory, with all that the engine needs inside (vLLM); what is free once it has ``started``,
        weights and cache inside, activations beside (SGLang); what is ``left`` after weights and activations (TensorRT-LLM).
    context, links, slow_links : float
        CUDA context and allocator; buffers of collectives where a scale-up link joins chips, and over PCIe. [bytes]
    logit_bytes : float
        For each logit of the profiling batch's sampling. [bytes]
    sequences : float
        That the profiling batch samples for, on large cards. [sequences]
    block : float
        Tokens of a page of its cache. [tokens]
    source : str
        Where all this comes from.
    windows : str
        What sliding layers keep: the window and a ``pass``, a fixed ``share`` of the full layers' tokens, or the ``window``.
    """

    share: float | None = None
    share_of: ShareOf = "visible"
    context: float = 0.0
    links: float = 0.0
    slow_links: float = 0.0
    logit_bytes: float = 0.0
    sequences: float = 0.0
    block: float = 1.0
    windows: Windows = "window"
    source: str = "headway's own: a tenth kept free"


def habits_of(row: Row) -> MemoryHabits:
    """Read the memory columns of a row of `engines`."""
    share_of: ShareOf = row["share_of"]  # pyright: ignore[reportAssignmentType] - the catalogue's own words
    windows: Windows = row["windows"]  # pyright: ignore[reportAssignmentType]

    def number(name: str) -> float:
        return float(row.get(name) or 0.0)

    share = float(row["memory_share"]) if row.get("memory_share") else None
    return MemoryHabits(
        share, share_of or "visible", number("context_GB") * 1e9, number("links_GB") * 1e9, number("pcie_links_GB") * 1e9,
        number("logit_bytes"), number("profile_sequences"), number("block_tokens") or 1.0, windows or "window",
        row.get("memory_source", ""),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Taken:
    """What an engine leaves alone or takes for itself on a chip.

    Attributes
    ----------
    reserve : float
        Left alone: the rest of the share. [bytes]
    engine : float
        Context, buffers of collectives, sampling of the profiling batch. [bytes]
    activations : float
        Counted inside the share; 0 where they live in the rest. [bytes]
    share : float
        The share that counted. [share]
    passing : float
        What a prompt under way takes of the cache until its pass is over. [bytes]
    """

    reserve: float = 0.0
    engine: float = 0.0
    activations: float = 0.0
    share: float = 1.0
    passing: float = 0.0


def taken(
    habits: MemoryHabits, model: Architecture, layout: Layout, system: System, weights: float, *, share: float | None,
    chunk: float, longest: float,
) -> Taken:  # fmt: skip
    """Return what an engine takes of one chip.

    Parameters
    ----------
    habits : MemoryHabits
    model : Architecture
    layout : Layout
    system : System
    weights : float
        On the chip. [bytes]
    share : float or None
        As its users type it; None takes the engine's default. [share]
    chunk, longest : float
        Budget of a pass, and tokens of the longest request: the profiling batch is no longer than either. [tokens]
    """
    memory = system.chip.usable
    large = memory >= default("large_card")
    budget = chunk if large else min(chunk, default("small_pass"))
    activations = activations_per_chip(model, layout, min(budget, longest))
    sequences = min(habits.sequences, budget) if large else min(habits.sequences, default("small_sequences"))
    sampling = habits.logit_bytes * sequences * model.head.outputs
    links = habits.slow_links if system.link_kind == "pcie" else habits.links
    start = habits.context + (links if layout.chips > 1 else 0.0)
    used = share if share is not None else habits.share
    passing = beside(habits, model, layout, longest, chunk)
    if habits.share_of == "started":
        free = memory - start
        if used is None:
            used = max(0.0, 1 - _static_rest(layout, chunk, large) / memory)
        return Taken((1 - used) * free, start + sampling, 0.0, used, passing)
    used = 1.0 - default("memory_reserve") if used is None else used
    if habits.share_of == "left":
        left = max(memory - start - sampling - weights - activations, 0.0)
        return Taken((1 - used) * left, start + sampling, activations, used, passing)
    return Taken((1 - used) * memory, start + sampling, activations, used, passing)


def _static_rest(layout: Layout, chunk: float, large: bool) -> float:
    """Bytes that SGLang leaves beside weights and cache when its user types no share."""
    size, wide = "large" if large else "small", "wide" if layout.tp >= default("static_wide") else "narrow"
    graphs = default("static_per_graph") * default(f"static_graphs_{size}_{wide}")
    if layout.dp > 1:
        graphs += graphs * layout.dp * default("static_per_group")
    budget = max(chunk if large else min(chunk, default("small_pass")), default("small_pass"))
    rest = default("static_meta") + default("static_per_token") * budget + graphs
    rest += layout.tp * layout.pp * default("static_per_rank")
    return max(rest, default("static_least")) if large else rest


def kept(habits: MemoryHabits, model: Architecture, layout: Layout, tokens: float, drafting: bool = False) -> float:
    """Return the bytes of a chip's memory that a running sequence of so many tokens leaves to no other.

    Parameters
    ----------
    habits : MemoryHabits
    model : Architecture
    layout : Layout
    tokens : float
        Of the sequence. [tokens]
    drafting : bool
        The model's multi-token-prediction layers run.

    Notes
    -----
    What it stores, where pages that leave a window are given to others; its share of pools that are cut at start, where each kind of
    layer has one of its own (SGLang).
    """
    stored = float(kv_per_chip(model, layout, tokens, drafting))
    if habits.windows != "share":
        return stored
    drafts = stored - float(kv_per_chip(model, layout, tokens))
    return pooled_per_chip(model, layout, tokens, _window_share(model)) + drafts


def _window_share(model: Architecture) -> float:
    """Tokens in SGLang's pool for sliding layers, of those in the full layers'."""
    table = catalogue().table("window_pools")
    at = table.find(model.family)
    return default("swa_share") if at is None else float(table.rows[at]["share"])


def reserved(
    habits: MemoryHabits, model: Architecture, layout: Layout, tokens: float, chunk: float, drafting: bool = False
) -> float:
    """Return the bytes that the engine sets aside on a chip for a sequence of so many tokens: the number behind its log's.

    Parameters
    ----------
    habits : MemoryHabits
    model : Architecture
    layout : Layout
    tokens : float
        Of the sequence. [tokens]
    chunk : float
        Budget of a pass. [tokens]
    drafting : bool
        The model's multi-token-prediction layers run.

    Notes
    -----
    Pages are as large as the largest recurrent state of the model where it has any; sliding layers and compressors keep a
    whole pass beside their window (vLLM), or have a pool of their own (SGLang).
    """
    mine = kept(habits, model, layout, tokens, drafting)
    if habits.windows == "share":
        return mine
    drafts = mine - kept(habits, model, layout, tokens) if drafting else 0.0
    if habits.windows == "pass":
        paged = reserved_per_chip(model, layout, tokens, min(chunk, tokens) + habits.block, habits.block)
    else:
        paged = float(kv_per_chip(model, layout, math.ceil(tokens / habits.block) * habits.block))
    return max(paged + drafts, mine)


def beside(habits: MemoryHabits, model: Architecture, layout: Layout, tokens: float, chunk: float) -> float:
    """Return the bytes on a chip that a prompt takes beside what it keeps while its pass runs: pages that leave its windows after it.

    Parameters
    ----------
    habits : MemoryHabits
    model : Architecture
    layout : Layout
    tokens : float
        Of the sequence. [tokens]
    chunk : float
        Budget of a pass. [tokens]
    """
    if habits.windows != "pass":
        return 0.0
    full, through = (reserved(habits, model, layout, tokens, c) for c in (chunk, 0.0))
    return full - through
