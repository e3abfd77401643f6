"""Pools of copies of a model, written as people write them: one that does everything, or prompts and answers apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from headway.errors import InputError
from headway.parallel.layout import Layout, read_layout


@dataclass(frozen=True, slots=True)
class Pool:
    """So many replicas of one layout, for prompts, for answers, or for both."""

    layout: Layout
    replicas: int = 1

    @property
    def chips(self) -> int:
        """Chips of the pool."""
        return self.layout.chips * self.replicas

    def __str__(self) -> str:
        return f"{self.layout} x {self.replicas}" if self.replicas > 1 else str(self.layout)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One pool that does everything, or one for prompts and one for answers.

    Attributes
    ----------
    decode : Pool
    prefill : Pool or None
        None: `decode` computes the prompts too.
    """

    decode: Pool
    prefill: Pool | None = None

    @property
    def chips(self) -> int:
        """Chips of both pools."""
        return self.decode.chips + (self.prefill.chips if self.prefill else 0)

    def __str__(self) -> str:
        return str(self.decode) if self.prefill is None else f"prefill: {self.prefill}, decode: {self.decode}"


_REPLICAS = re.compile(r"\s*[x*×]\s*(\d+)\s*$", re.IGNORECASE)


def read_deployment(text: str) -> Deployment:
    """Read a deployment: ``tp8``, ``tp4pp2 x 3``, ``prefill: tp4 x 2, decode: dp32ep32``.

    Raises
    ------
    InputError
        When a part has no layout, or only one of prefill and decode is given.
    """
    named = re.findall(r"(prefill|decode)\s*:\s*([^:]*?)(?=,?\s*(?:prefill|decode)\s*:|$)", text, re.IGNORECASE)
    if not named:
        return Deployment(_pool(text))
    pools = {name.lower(): _pool(body.rstrip(" ,;")) for name, body in named}
    if len(named) != 2 or set(pools) != {"prefill", "decode"}:
        raise InputError(f"{text!r}: give both pools once, like `prefill: tp4 x 2, decode: dp32ep32`")
    return Deployment(pools["decode"], pools["prefill"])


def _pool(text: str) -> Pool:
    match = _REPLICAS.search(text)
    replicas = int(match[1]) if match else 1
    if replicas < 1:
        raise InputError(f"{text!r}: a pool has at least one replica")
    return Pool(read_layout(text[: match.start()] if match else text), replicas)
