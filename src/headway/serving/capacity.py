"""The one memory account: what lies on a chip, and how many sequences that leaves room for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from headway import units
from headway.catalog import default
from headway.errors import PhysicsError
from headway.hardware import System
from headway.models import Architecture
from headway.parallel import Layout, candidates, host_bytes, kv_per_chip, weights_per_chip
from headway.serving.engine_memory import MemoryHabits, Taken, beside, kept, reserved, taken

Policy = Literal["whole", "growing", "as run"]
_LOGIT_BYTES = 4.0  # samplers work on 32-bit logits


@dataclass(frozen=True, slots=True)
class HostAccount:
    """Bytes of a replica in the host's memory.

    Attributes
    ----------
    name : str
        Processors, and the chips' share of them.
    capacity, weights, kv_per_sequence : float
        Memory for it; weights left there; cache and state of a sequence's layers there, to its last token. [bytes]
    """

    name: str
    capacity: float
    weights: float
    kv_per_sequence: float

    @property
    def lacks(self) -> float:
        """Bytes that are missing for the weights and one sequence; 0 where they fit."""
        return max(self.weights + self.kv_per_sequence - self.capacity, 0.0)

    @property
    def fits(self) -> float:
        """Sequences whose caches fit beside the weights; infinite where they keep nothing here."""
        if self.lacks:
            return 0.0
        if self.kv_per_sequence <= 0:
            return math.inf
        return float(math.floor((self.capacity - self.weights) / self.kv_per_sequence + 1e-9))


@dataclass(frozen=True, slots=True)
class Account:
    """Bytes on the fullest chip of a replica, and the sequences that it holds.

    Attributes
    ----------
    capacity, reserve : float
        Memory of one chip that the driver shows; what the engine leaves free of it. [bytes]
    weights, activations : float
        Weights, towers and multi-token-prediction layers included; workspace of the profiling pass: the widest part of a
        layer, all its inputs and outputs at once. [bytes]
    engine : float
        What the engine keeps for itself: context, buffers of collectives, sampling of the profiling batch. [bytes]
    kv_per_sequence : float
        Cache and state that a sequence keeps on each chip of its group, at the length that the policy counts. [bytes]
    logits_per_sequence : float
        [bytes]
    groups : int
        Data-parallel groups: sequences on a chip are those of the replica over the groups. [groups]
    tokens : float
        The length that the policy counts. [tokens]
    policy : str
        ``whole``: every sequence is held to its last token. ``growing``: at its mean length. ``as run``: a batch that was
        run is not doubted (no reserve, an even share of the weights per stage).
    kv_whole : float
        Cache and state of a sequence at its last token. [bytes]
    share : float
        The engine's share of memory, as its users type it. [share]
    host : HostAccount or None
        What is left to the host, and its memory.
    passing : float
        What a prompt under way takes beside its cache until its pass is over (windows, inputs of compressors). [bytes]
    """

    capacity: float
    reserve: float
    weights: float
    kv_per_sequence: float
    groups: int
    activations: float = 0.0
    logits_per_sequence: float = 0.0
    tokens: float = 0.0
    policy: Policy = "whole"
    kv_whole: float = 0.0
    engine: float = 0.0
    share: float = 1.0
    host: HostAccount | None = None
    passing: float = 0.0

    @property
    def free(self) -> float:
        """Bytes left for sequences on one chip (the engine's KV pool); negative when the weights do not fit."""
        return self.capacity - self.reserve - self.engine - self.weights - self.activations

    @property
    def per_sequence(self) -> float:
        """Bytes that one sequence takes on each chip of its group: cache and logits."""
        return self.kv_per_sequence + self.logits_per_sequence

    @property
    def fits(self) -> float:
        """Sequences that fit beside weights, activations and reserve (all groups together); infinite where one keeps nothing."""
        return min(self.fits_chips, self.host.fits) if self.host else self.fits_chips

    @property
    def fits_chips(self) -> float:
        """Sequences that fit on the chips, whatever the host holds."""
        if self.free < 0:
            return 0.0
        if self.kv_per_sequence <= 0:
            return math.inf
        if self.kv_whole + self.logits_per_sequence > self.free * (1 + 1e-9):
            return 0.0  # not even one reaches its last token
        return float(max(math.floor((self.free - self.passing) / self.per_sequence + 1e-9), 1) * self.groups)

    @property
    def tight(self) -> bool:
        """Whether only an engine that is started with less in reserve holds a sequence."""
        if self.host is not None and self.host.lacks:
            return False
        return self.fits < 1 and self.capacity - self.weights >= self.kv_whole + self.logits_per_sequence

    @property
    def holds(self) -> float:
        """Sequences that run at a time: those that fit, and one at least before an engine is not started at all."""
        return 1.0 if self.tight else self.fits

    @property
    def held_whole(self) -> float:
        """Sequences that fit if each is held to its last token."""
        if self.kv_whole <= 0 or self.free < 0:
            return self.fits
        whole = math.floor((self.free - self.passing) / (self.kv_whole + self.logits_per_sequence) + 1e-9)
        return float(max(whole, min(self.fits, 1.0)) * self.groups)

    def used(self, batch: float) -> float:
        """Return the bytes in use on a chip with so many sequences in the replica, reserve left out.

        Parameters
        ----------
        batch : float
            In the replica. [sequences]
        """
        return self.weights + self.engine + self.activations + self.per_sequence * math.ceil(batch / self.groups)


def memory_account(
    model: Architecture,
    layout: Layout,
    system: System,
    prompt: float,
    output: float = 0.0,
    *,
    reserve: float | None = None,
    chunk_tokens: float | None = None,
    policy: Policy = "whole",
    habits: MemoryHabits | None = None,
    drafting: bool = False,
) -> Account:
    """Return the memory account of the fullest chip.

    Parameters
    ----------
    model, layout, system : Architecture, Layout, System
    prompt, output : float
        Of each request. [tokens]
    reserve : float or None
        1 less the share that the engine's users type (``gpu_memory_utilization``, ``mem_fraction_static``); None takes the
        engine's default, or the catalogue's. [share]
    chunk_tokens : float or None
        New tokens of the largest pass in each data-parallel group; None takes the catalogue's `prefill_tokens`. [tokens]
    policy : str
        As of `Account`: which length of a sequence counts.
    habits : MemoryHabits or None
        What the engine takes for itself; None for nothing but its activations.
    drafting : bool
        Multi-token-prediction layers run, and keep a cache.

    Notes
    -----
    Sequences of one load are at random places of their answers, so that the mean length is prompt + output/2.
    """
    tokens = prompt + (output / 2 if policy == "growing" else output)
    longest = max(prompt + output, 1.0)
    counted = MemoryHabits() if habits is None or policy == "as run" else habits
    each, whole = (kept(counted, model, layout, t, drafting) for t in (tokens, longest))
    weights, memory, mine = weights_per_chip(model, layout, even=policy == "as run"), system.chip.usable, Taken()
    if policy == "as run":  # cards sold as 24 GB hold 24 GiB: a batch that was run is not doubted for that
        memory, logits = system.chip.memory * default("bytes_per_sold_byte"), 0.0
    else:
        logits = model.head.outputs * _LOGIT_BYTES / layout.tp / layout.pp
        largest = default("prefill_tokens") if chunk_tokens is None else chunk_tokens
        mine = taken(counted, model, layout, system, weights,
                     share=None if reserve is None else 1 - reserve, chunk=largest, longest=longest)  # fmt: skip
    return Account(memory, mine.reserve, weights, each, layout.dp, mine.activations, logits, tokens, policy, whole,
                   mine.engine, mine.share, _on_host(model, layout, system, longest), mine.passing)  # fmt: skip


def _on_host(model: Architecture, layout: Layout, system: System, tokens: float) -> HostAccount | None:
    cpu = system.chip.cpu
    if not layout.offloads or cpu is None:
        return None
    return HostAccount(cpu.name, cpu.memory * layout.chips, *host_bytes(model, layout, tokens))


@dataclass(frozen=True, slots=True)
class Pool:
    """The KV pool as the engine's log counts it, over all data-parallel groups of a replica.

    Attributes
    ----------
    bytes : float
        On one chip. [bytes]
    tokens, blocks : float
        Tokens and pages that fit. [tokens, pages]
    block : float
        Tokens of a page. [tokens]
    context : float
        Tokens of the sequence that it is counted by. [tokens]
    reserved, ideal : float
        What the engine sets aside for such a sequence on a chip, in pages, with a whole pass beside each window; what it
        needs there. [bytes]
    concurrency : float
        Such sequences for which memory is set aside. [sequences]
    running : float
        Such sequences that run at a time: a window's pages go to others once a prompt is through, and prompts run one after another.
        [sequences]
    """

    bytes: float
    tokens: float
    blocks: float
    block: float
    context: float
    reserved: float
    ideal: float
    concurrency: float
    running: float

    @property
    def running_blocks(self) -> float:
        """Pages of the sequences that run at a time. [pages]"""
        tokens = self.running * self.context
        return tokens // self.block if math.isfinite(tokens) else math.inf


def kv_pool(
    model: Architecture, layout: Layout, account: Account, habits: MemoryHabits, *, context: float, chunk: float,
    drafting: bool = False,
) -> Pool:  # fmt: skip
    """Return the pool that an account leaves, as the engine counts it.

    Parameters
    ----------
    model : Architecture
    layout : Layout
    account : Account
    habits : MemoryHabits
    context : float
        Tokens of the sequences that it is counted by. [tokens]
    chunk : float
        Budget of a pass. [tokens]
    drafting : bool
        The model's multi-token-prediction layers run.
    """
    ideal = float(kv_per_chip(model, layout, context, drafting))
    aside = reserved(habits, model, layout, context, chunk, drafting)
    passing = beside(habits, model, layout, context, chunk)
    once, free = aside - passing, max(account.free, 0.0)
    fits, runs = (
        min(n, account.host.fits) if account.host else n
        for n in (
            free / aside * account.groups if aside > 0 else math.inf,
            max(free - passing, 0.0) / once * account.groups if once > 0 else math.inf,
        )
    )
    tokens = fits * context if math.isfinite(fits) else math.inf
    blocks = tokens // habits.block if math.isfinite(tokens) else math.inf
    return Pool(free, tokens, blocks, habits.block, context, aside, ideal, fits, max(fits, runs))


_REMEDY = "more chips or fewer bytes per weight"


def refusal(
    model: Architecture, layout: Layout, system: System, account: Account, longest: float, remedy: str = ""
) -> PhysicsError:
    """Build the error for what does not fit: the shortfall, and what would fit (design rule 6).

    Parameters
    ----------
    model : Architecture
    layout : Layout
    system : System
    account : Account
    longest : float
        A sequence at its last token. [tokens]
    remedy : str
        What would fit.
    """
    if account.host is not None and account.host.lacks:
        at = account.host
        return PhysicsError(
            f"{model.name} as {layout} does not fit on {system.name}: {_gigabytes(at.weights + at.kv_per_sequence)} left to the host "
            f"exceed the {at.capacity / 1e9:,.1f} GB of its memory ({at.name}) that its system leaves by {_gigabytes(at.lacks)}; "
            "leave fewer layers there, or more memory: --ram"
        )
    if account.free < 0:
        lack = -account.free
        parts = {"weights": account.weights, "activations": account.activations, "the engine's own": account.engine}
        *first, last = [f"{_gigabytes(b)} of {name}" for name, b in parts.items() if b > 0]
        what = f"{', '.join(first)} and {last} per chip" if first else f"{last} per chip"
    else:
        lack = account.kv_whole + account.logits_per_sequence - account.free
        what = f"one sequence of {units.some(longest, 'token')} beside the weights"
    return PhysicsError(
        f"{model.name} as {layout} does not fit on {system.name}: {what} exceed the "
        f"{(account.capacity - account.reserve) / 1e9:,.3g} GB usable of {account.capacity / 1e9:,.3g} GB by "
        f"{_gigabytes(lack)} per chip; {remedy or _REMEDY}"
    )


def too_many(system: System, held: Mapping[Layout, Account], batch: float) -> PhysicsError:
    """Build the error for a batch that no layout's memory holds.

    Parameters
    ----------
    system : System
    held : mapping
        Memory account of each layout looked at.
    batch : float
        Of one replica. [sequences]
    """
    most = max(held, key=lambda c: held[c].holds)
    account = held[most]
    lack = (batch - account.holds) / most.dp * account.per_sequence
    return PhysicsError(
        f"--batch {batch:,.0f}: memory holds at most {units.some(account.holds, 'sequence')} of "
        f"{units.some(account.tokens, 'token')} per replica on {system.name} (as {most}); "
        f"the cache exceeds it by {lack / 1e9:,.1f} GB per chip"
    )


def _gigabytes(amount: float) -> str:
    return f"{amount / 1e9:,.1f} GB" if amount >= 5e7 else units.si(max(amount, 1.0), "B")


def require_fit(
    model: Architecture,
    layout: Layout,
    system: System,
    prompt: float,
    output: float = 0.0,
    reserve: float | None = None,
) -> Account:
    """Return the memory account of a layout, or refuse with the shortfall and the nearest layout that fits (design rule 6).

    Parameters
    ----------
    model : Architecture
    layout : Layout
    system : System
    prompt, output : float
        Of each request. [tokens]
    reserve : float or None
        Share of memory kept free; None takes the catalogue's default. [share]

    Raises
    ------
    PhysicsError
        When the weights, or one sequence of prompt + output tokens, do not fit.
    """
    found = memory_account(model, layout, system, prompt, output, reserve=reserve)
    if found.fits >= 1:
        return found
    others = (c for c in candidates(model, system.joined) if c != layout)
    here = [c for c in others if memory_account(model, c, system, prompt, output, reserve=reserve).fits >= 1]
    remedy = f"{min(here, key=lambda c: (c.chips, c.dp))} on this system fits" if here else ""
    raise refusal(model, layout, system, found, max(prompt + output, 1.0), remedy)
