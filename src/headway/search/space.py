"""The space: every layout of a model on so many chips that divides and fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headway.catalog import default
from headway.models import Architecture
from headway.parallel import Layout
from headway.parallel.racks import largest_divisor
from headway.serving import Account, Setting


@dataclass(frozen=True)
class Space:
    """The layouts of a model on a system.

    Attributes
    ----------
    layouts : tuple of Layout
        Those that hold at least one sequence for each pipeline stage.
    accounts : tuple of Account
        Their memory accounts.
    too_big : tuple of (Layout, Account)
        Those that divide but do not fit.
    stages : array
        Micro-batches in flight on a replica of each layout: one per pipeline stage, if memory holds so many. [1]
    """

    layouts: tuple[Layout, ...]
    accounts: tuple[Account, ...]
    too_big: tuple[tuple[Layout, Account], ...]
    stages: NDArray[np.float64]


def divisors(number: int) -> list[int]:
    """Return the divisors of a number, smallest first.

    Parameters
    ----------
    number : int
        At least 1. [1]
    """
    return [d for d in range(1, number + 1) if number % d == 0]


def replica_sizes(model: Architecture, chips: int, domain: int) -> list[int]:
    """Return the chips that one replica may take.

    Parameters
    ----------
    model : Architecture
    chips, domain : int
        Chips on which a replica may lie, and those of a scale-up domain. [chips]

    Notes
    -----
    Inside a scale-up domain: its divisors, powers of two, and the most over which the experts divide (lecture 3.2). Beyond
    it: whole domains.
    """
    inside = min(chips, domain)
    found = {d for d in divisors(domain) if d <= inside} | {2**i for i in range(inside.bit_length()) if 2**i <= inside}
    if model.experts:
        found.add(largest_divisor(model.experts.count, inside))
    found |= {k * domain for k in range(2, chips // domain + 1)}
    return sorted(found)


def layouts(model: Architecture, chips: int, domain: int) -> Iterator[Layout]:
    """Yield every layout of one replica: tensor x context x data x pipeline parallelism, and every way to spread experts.

    Parameters
    ----------
    model : Architecture
    chips, domain : int
        Chips on which a replica may lie, and those of a scale-up domain. [chips]

    Notes
    -----
    Tensor and context parallelism stay inside a scale-up domain; tp divides the KV heads or is a multiple of them, and no
    expert is sliced below the catalogue's `narrowest_slice`, as engines ask. A stage fills whole domains or divides one. Experts
    that do not divide over ep get as many second copies as it takes. Shared experts are sliced over tp, or kept whole.
    Data-parallel groups of a dense model share nothing: they are replicas.
    """
    heads = model.attention_heads
    linears = [m for x in model.layers for m in x.linears]
    inner = min((min(m.inputs, m.outputs) for m in linears if m.role == "expert"), default=0)
    most_slices = inner / default("narrowest_slice")
    shared = any(m.role == "shared" and m.ways != 1 for m in linears)
    cached = {a.ways for _, a in model.attends() if a.ways > 1}
    for size in replica_sizes(model, chips, domain):
        for pp in divisors(size):
            stage = size // pp
            if pp > model.layer_count or not _packs(stage, size, domain):
                continue
            for tp in divisors(stage):
                if tp > domain or (heads and heads % tp) or any(k % tp and tp % k for k in cached):
                    continue
                for cp in divisors(stage // tp):
                    if (
                        tp * cp <= domain
                        and (stage <= domain or domain % (tp * cp) == 0)
                        and (model.experts or tp * cp == stage)
                    ):
                        plain = Layout(tp=tp, cp=cp, dp=stage // tp // cp, pp=pp)
                        yield from _expert_ways(model, plain, most_slices, shared)


def _packs(stage: int, size: int, domain: int) -> bool:
    """Whether stages lie in domains without straddling one."""
    if stage > domain:
        return stage % domain == 0
    return size <= domain or domain % stage == 0


def _expert_ways(model: Architecture, plain: Layout, most_slices: float, shared: bool) -> Iterator[Layout]:
    """Spread the experts in every way that the stage's chips allow."""
    experts = model.experts
    for kept in (False, True) if shared and plain.tp > 1 else (False,):
        whole = replace(plain, shared_copies=kept)
        if experts is None:
            yield whole
            continue
        for ep in divisors(plain.stage_chips):
            slices, redundant = plain.stage_chips // ep, -experts.count % ep
            if slices > 1 and slices > most_slices:
                continue
            if redundant <= experts.count and ep <= experts.count + redundant:
                yield replace(whole, ep=ep, redundant=redundant)


def space(where: Setting) -> Space:
    """Return the layouts of a setting that fit, with their memory accounts, and those that do not.

    Notes
    -----
    A layout that fits only where an engine keeps less in reserve than usual, or holds fewer sequences than it has pipeline
    stages, counts when it is the one asked for.
    """
    good: list[Layout] = []
    accounts: list[Account] = []
    too_big: list[tuple[Layout, Account]] = []
    every = layouts(where.model, where.reach, where.system.joined) if where.only is None else [where.only]
    for layout in every:
        held = where.account(layout)
        if held.fits >= layout.pp or (layout == where.only and held.holds >= 1):
            good.append(layout)
            accounts.append(held)
        else:
            too_big.append((layout, held))
    stages = np.array([min(x.pp, a.holds) for x, a in zip(good, accounts, strict=True)], dtype=float)
    return Space(tuple(good), tuple(accounts), tuple(too_big), stages)
