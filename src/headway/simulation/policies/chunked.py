"""Chunked prefill: decodes first, then as much of the prompts as the budget takes (vLLM v1, TensorRT-LLM, Sarathi)."""

from __future__ import annotations

from dataclasses import dataclass

from headway.simulation.policies.base import Chunk, Policy, Scheduled, fill


@dataclass(frozen=True, slots=True)
class Chunked(Policy):
    """No sequence ever waits for another's prompt; a long prompt takes several passes."""

    name = "chunked"
    says = "chunked prefill beside decodes"

    def prompts(self, r: Scheduled) -> list[Chunk]:
        """Return what the budget has left for prompts, in order of arrival."""
        return fill(r, r.budget - r.decode_tokens)
