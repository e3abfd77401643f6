"""Decode first: nobody boards while somebody decodes (request-level batching without padding)."""

from __future__ import annotations

from dataclasses import dataclass

from headway.simulation.policies.base import Chunk, Policy, Scheduled, fill

WHOLE = 1 << 62  # tokens: the batch's prompts are not cut


@dataclass(frozen=True, slots=True)
class DecodeFirst(Policy):
    """Smoothest tokens; who waits, waits until the last of a batch has ended."""

    name = "decode-first"
    says = "decodes first"
    mixes = False

    def prompts(self, r: Scheduled) -> list[Chunk]:
        """Return everybody who waits, as far as seats and memory go, in one pass once nobody decodes."""
        return [] if r.decode_tokens else fill(r, WHOLE)
