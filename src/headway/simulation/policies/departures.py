"""Departures: a pass leaves at fixed times with whoever is ready, the lecture's train (1.4)."""

from __future__ import annotations

from dataclasses import dataclass

from headway.errors import InputError
from headway.simulation.policies.chunked import Chunked


@dataclass(frozen=True, slots=True)
class Departures(Chunked):
    """As chunked, but passes begin at multiples of a headway only; one that takes longer misses departures.

    Attributes
    ----------
    headway : float
        Time between departures. [s]
    """

    headway: float

    name = "departures"
    says = "departures at fixed times"

    def __post_init__(self) -> None:
        if not self.headway > 0:
            raise InputError(f"departures every {self.headway:g} s: the headway must be above 0")

    @property
    def period(self) -> float:
        """The headway. [s]"""
        return self.headway
