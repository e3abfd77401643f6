"""Which chip does what: the ranks of every chip of an option, and what its memory holds."""

from __future__ import annotations

import math
from typing import NamedTuple

from headway.parallel import Layout, Pool
from headway.search.answer import Option


class Place(NamedTuple):
    """What one chip does; ranks count from 1.

    Attributes
    ----------
    pool : str
        ``prompts``, ``answers``, ``all`` (of one pool), ``idle``.
    replica, stage, data, context, expert, tensor : int
        Its replica in the pool; in that its pipeline stage, data-parallel group, rank among those that share a sequence, group of
        experts, slice of the matrices. 0 of an idle chip. [1]
    """

    pool: str
    replica: int = 0
    stage: int = 0
    data: int = 0
    context: int = 0
    expert: int = 0
    tensor: int = 0


def name_of(o: Option) -> str:
    """Return an option's name: no two of a search have the same.

    Parameters
    ----------
    o : Option
    """
    return f"{o.system}: {o.deployment}, batch {o.batch:,.0f}"


def places(o: Option) -> list[Place]:
    """Return what each chip does, pool by pool, in the order of ranks: slices of a matrix are neighbours; idle chips last.

    Parameters
    ----------
    o : Option
    """
    d = o.deployment
    pools = [("all", d.decode)] if d.prefill is None else [("prompts", d.prefill), ("answers", d.decode)]
    found = [p for name, pool in pools for p in _of_pool(name, pool)]
    return found + [Place("idle")] * max(round(o.chips) - len(found), 0)


def _of_pool(name: str, pool: Pool) -> list[Place]:
    return [p._replace(pool=name, replica=r + 1) for r in range(pool.replicas) for p in ranks(pool.layout)]


def ranks(layout: Layout) -> list[Place]:
    """Return the ranks of one replica's chips, stage after stage; the chips of an expert group are neighbours, too.

    Parameters
    ----------
    layout : Layout
    """
    return [
        Place(
            "all", 1, stage + 1, i // (layout.tp * layout.cp) + 1, i // layout.tp % layout.cp + 1, i // layout.slices + 1,
            i % layout.tp + 1,
        )
        for stage in range(layout.pp) for i in range(layout.stage_chips)
    ]  # fmt: skip


def memory_parts(o: Option) -> dict[str, float]:
    """Return what the memory of the fullest chip that decodes holds; the parts sum to what the driver shows. [bytes]

    Parameters
    ----------
    o : Option
    """
    a = o.account
    cache = a.per_sequence * math.ceil(o.batch / a.groups)
    parts = {
        "weights": a.weights,
        "KV cache": cache,
        "activations": a.activations,
        "engine": a.engine,
        "left free": a.reserve,
    }
    return {**parts, "unused": max(a.capacity - sum(parts.values()), 0.0)}
