"""One headline of the lecture: ours beside its own, and who says it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Headline:
    """One headline: ours beside the lecture's.

    Attributes
    ----------
    id : str
        Equation or system of the lecture's specification; `headway ask` takes it.
    said : str
        T: the lecture says the number; D: it follows from what it says; X: it takes facts from outside.
    rounding : float
        Relative difference that the lecture's own rounding explains. [1]
    """

    id: str
    chapter: str
    what: str
    lecture: float | str
    computed: float | str
    said: Literal["T", "D", "X"]
    unit: str = ""
    note: str = ""
    rounding: float = 1e-3

    @property
    def relative_difference(self) -> float | None:
        """(computed - lecture)/lecture; None for words."""
        if isinstance(self.lecture, str) or isinstance(self.computed, str):
            return None
        if self.lecture == 0:
            return 0.0 if self.computed == 0 else float("inf")
        return self.computed / self.lecture - 1

    @property
    def holds(self) -> bool:
        """True when ours equals the lecture's within its rounding."""
        difference = self.relative_difference
        return bool(self.computed == self.lecture if difference is None else abs(difference) <= self.rounding)

    def record(self) -> dict[str, Any]:
        """Return the row of ``headway lecture --json``."""
        shown = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("rounding", "note")}
        return {**shown, "relative_difference": self.relative_difference, "note": self.note}
