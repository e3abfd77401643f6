"""Static batching: a batch is gathered, padded to its longest prompt, and rides until its longest answer has ended (FasterTransformer)."""

from __future__ import annotations

from dataclasses import dataclass

from headway.errors import InputError
from headway.simulation.policies.base import Chunk, Policy, Scheduled, fill
from headway.simulation.policies.decode_first import WHOLE


@dataclass(frozen=True, slots=True)
class Static(Policy):
    """A batch leaves when it is full, or when the first of it has waited so long.

    Attributes
    ----------
    batch : int
        Requests that fill it. [requests]
    timeout : float
        [s]
    """

    batch: int
    timeout: float

    name = "static"
    says = "static batches, padded"
    mixes = False

    def __post_init__(self) -> None:
        if self.batch < 1 or not self.timeout >= 0:
            raise InputError(f"static batches of {self.batch} after {self.timeout:g} s: at least 1, and 0 s or more")

    @property
    def padded(self) -> bool:
        """True."""
        return True

    def prompts(self, r: Scheduled) -> list[Chunk]:
        """Return a batch's prompts, whole and in one pass, once the batch before has ended."""
        if r.decode_tokens or (r.queue < self.batch and r.now < self.wake(r)):
            return []
        return fill(r, WHOLE, self.batch)

    def wake(self, r: Scheduled) -> float:
        """Return when the first has waited long enough. [s]"""
        return r.since + self.timeout
