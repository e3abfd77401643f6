"""Prefill first: who waits is computed at once, in passes without decodes (SGLang, Orca-like vLLM v0)."""

from __future__ import annotations

from dataclasses import dataclass

from headway.simulation.policies.base import Chunk, Policy, Scheduled, fill


@dataclass(frozen=True, slots=True)
class PrefillFirst(Policy):
    """Shortest first tokens; every prompt stops those that decode."""

    name = "prefill-first"
    says = "prompts first"
    mixes = False

    def prompts(self, r: Scheduled) -> list[Chunk]:
        """Return as many prompts as the budget takes, in order of arrival."""
        return fill(r, r.budget)
