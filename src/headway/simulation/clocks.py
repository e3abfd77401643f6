"""What a replica asks of the clock of its passes; `PassClock` is one, and so is whatever took the costs of a real run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Clock(Protocol):
    """Times of passes whose loads come as sums over sequences, one entry per meter; as `PassClock` has them.

    Attributes
    ----------
    meters : int
        What is counted of each sequence. [1]
    times : float
        By which every pass takes longer, where micro-batches wait for a pipeline's fullest stage. [times]
    alone, quick : bool
        All sequences are in one group; `decode` gives the time of a pass that carries no prompts.
    sequences : dict
        Amounts by (new tokens, tokens before them, logits), as far as they are remembered.
    """

    meters: int
    times: float
    alone: bool
    quick: bool
    sequences: dict[tuple[float, float, float], list[float]]

    @property
    def growing(self) -> Sequence[int]:
        """Meters that caches decide."""
        ...

    def amounts_of(self, new: float, context: float, logits: float = 1.0) -> list[float]:
        """Return what one sequence adds to each meter.

        Parameters
        ----------
        new, context, logits : float
            New tokens; tokens in its cache before them; positions whose logits are needed. [tokens]
        """
        ...

    def decode_tables(self, longest: int, new: float = 1.0) -> list[list[float]]:
        """Return, for each growing meter, what a decoding sequence adds to it at every length up to `longest`.

        Parameters
        ----------
        longest, new : int, float
            Longest cache; new tokens of a pass. [tokens]
        """
        ...

    def seconds(self, totals: Sequence[float], tokens: float, singles: Sequence[float] | None = None) -> float:
        """Return the time of a pass. [s]

        Parameters
        ----------
        totals : sequence of float
            Of each meter. [unit of the meter]
        tokens : float
            New tokens of the pass. [tokens]
        singles : sequence of float or None
            The largest single sequence's. [unit of the meter]
        """
        ...

    def decode(self, count: int, totals: Sequence[float], new: int = 1) -> float:
        """Return the time of a pass in which so many sequences decode. [s]

        Parameters
        ----------
        count : int
            [sequences]
        totals : sequence of float
            Of each growing meter. [unit of the meter]
        new : int
            New tokens of each. [tokens]
        """
        ...

    def run(
        self,
        count: int,
        totals: Sequence[float],
        slopes: Sequence[float],
        tokens: float,
        singles: Sequence[float] | None = None,
        steps: Sequence[float] | None = None,
    ) -> float:
        """Return the time of `count` passes, of which each carries more than the last. [s]

        Parameters
        ----------
        count : int
            [passes]
        totals, slopes : sequence of float
            Of each meter in the first pass, and what each further pass adds. [unit of the meter]
        tokens : float
            New tokens of each pass. [tokens]
        singles, steps : sequence of float or None
            The same of the largest single sequence. [unit of the meter]
        """
        ...

    def until(
        self,
        gap: float,
        most: int,
        first: float,
        totals: Sequence[float],
        slopes: Sequence[float],
        tokens: float,
        singles: Sequence[float] | None = None,
        steps: Sequence[float] | None = None,
    ) -> tuple[int, float]:
        """Return (passes, seconds) of a run that ends with the first pass at or after a moment.

        Parameters
        ----------
        gap, first : float
            Until that moment; time of the first pass. [s]
        most : int
            Passes at the most. [passes]
        totals, slopes, tokens, singles, steps : -
            As of `run`. [unit of the meter]
        """
        ...

    def decode_until(
        self, gap: float, most: int, first: float, sequences: int, totals: Sequence[float], slopes: Sequence[float]
    ) -> tuple[int, float]:
        """Return the same of passes of `decode`.

        Parameters
        ----------
        gap, first : float
            Until that moment; time of the first pass. [s]
        most, sequences : int
            Passes at the most; sequences that decode. [passes, sequences]
        totals, slopes : sequence of float
            As of `run`. [unit of the meter]
        """
        ...
