"""What a server does with requests: whether it batches, how many run, who loses a place, prefixes found again, prompts in pieces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

import numpy as np

from headway.measure.fitted import Cell
from headway.measure.runs import Run

_FOUND = 0.5  # of a prompt: cached tokens beyond it are a cache's
_FASTER = 0.6  # of the time to a first token: a prompt that was sent before takes less only where it is found
_ALIKE = 1.2  # times the shortest prompt
_MANY = 4  # passes of a prompt, from which one more or less matters little
_TOLD = 0.01  # seconds that a prompt must take for its time to say anything


@dataclass(frozen=True)
class Behaviour:
    """What a server does.

    Attributes
    ----------
    batches : bool or None
        Whether several sequences decode at once; None where only one was asked for.
    most : float
        Sequences that run at a time; infinite where none had to wait. [sequences]
    preempts : float
        Largest batch in which nobody lost a place; infinite where nobody did. [sequences]
    cache : bool or None
        Whether prompts are found again; None where prompts are too quick to tell.
    cached : float
        Share of a repeated prompt that was found, by the server's count; NaN without. [share]
    again : float
        Time to the first token of a repeated prompt, over that of a new one. [share]
    chunk : tuple of float
        Least and most new tokens of a pass by the passes that prompts took, one more or less; NaN where prompts are not cut. [tokens]
    pause : float
        Longest gap in an answer while a prompt was computed, over its usual gap; NaN where nothing was seen. [1]
    paused : float
        That gap. [s]
    beside : float
        Tokens of that prompt. [tokens]
    """

    batches: bool | None
    most: float
    preempts: float
    cache: bool | None
    cached: float
    again: float
    chunk: tuple[float, float]
    pause: float
    paused: float
    beside: float

    @property
    def chunked(self) -> bool:
        """Whether prompts are computed in pieces beside answers."""
        return self.chunk[0] == self.chunk[0]

    @property
    def likely_chunk(self) -> float:
        """The size that somebody would have set: a power of two, or else a round number in the middle. [tokens]"""
        low, high = self.chunk
        power = 2 ** math.ceil(math.log2(low)) if low > 0 else math.nan
        return float(power) if power <= high else float(f"{(low + high) / 2:.2g}")


def behaviour(cells: Sequence[Cell], again: dict[str, list[Run]], beside: dict[str, list[Run]]) -> Behaviour:
    """Return what runs say of a server's habits.

    Parameters
    ----------
    cells : sequence of Cell
    again, beside : dict
        Runs by their place.
    """
    several = [c for c in cells if c.batch > 1]
    most = max((c.together for c in several), default=1)
    short = [
        c for c in several if c.prompt <= _ALIKE * min(x.prompt for x in several)
    ]  # long prompts take as long as answers
    waits = any(c.together < c.batch for c in short)
    limit = float(max(c.together for c in short)) if waits else math.inf
    batches = None if not several else most > 1
    lost = [c.batch for c in several if c.stalled]
    kept = [c.batch for c in cells if not c.stalled and c.batch < min(lost, default=0)]
    preempts = math.inf if not lost else float(max(kept, default=0))
    cache, cached, ratio = _again([r for same in again.values() for r in same])
    chunk = _chunk([r.found for same in beside.values() for r in same])
    seen = [r.found for same in beside.values() for r in same if r.found["longest_s"]]
    largest = max((r["prompt"] for r in seen), default=math.nan)
    here = [r for r in seen if r["prompt"] >= 0.8 * largest]
    pause = float(np.median([r["longest_s"] / r["gap_s"] for r in here])) if here else math.nan
    paused = float(np.median([r["longest_s"] for r in here])) if here else math.nan
    return Behaviour(batches, limit, preempts, cache, cached, ratio, chunk, pause, paused, largest)


def _again(runs: Sequence[Run]) -> tuple[bool | None, float, float]:
    if not runs:
        return None, math.nan, math.nan
    shares = [r.found["cached"] / r.found["prompt"] for r in runs if r.found["cached"] is not None]
    cached = float(np.median(shares)) if shares else math.nan
    ratio = float(np.median([r.found["again_s"] / r.found["ttft_s"] for r in runs]))
    takes = float(np.median([r.found["ttft_s"] for r in runs]))
    if cached > _FOUND:
        return True, cached, ratio
    if takes < _TOLD:
        return None, cached, ratio
    return ratio < _FASTER, cached, ratio


def _chunk(rows: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Tokens of a pass, from the passes that prompts of several lengths took beside some answers: n pieces of at most T less those."""
    by: dict[int, list[float]] = {}
    sizes: dict[int, list[float]] = {}
    others = float(np.median([r["riders"] for r in rows])) if rows else 0.0
    for r in rows:
        if r["passes"] is not None:
            key = round(r["prompt"] / 10)
            by.setdefault(key, []).append(r["passes"])
            sizes.setdefault(key, []).append(r["prompt"])
    pieces = {
        k: round(median_low(v)) for k, v in by.items()
    }  # fewer, where runs differ: a pass under way counts where it came in late
    if not pieces:
        return math.nan, math.nan
    longest = max(pieces)
    if pieces[longest] < 2:
        return math.nan, math.nan
    low, high = 0.0, math.inf
    for key, n in sorted(pieces.items()):  # the longest prompt has the last word; short ones say little
        if n >= _MANY or key == longest:
            size = float(np.median(sizes[key]))
            least, most = size / (n + 1) + others, size / max(n - 2, 1) + others  # a pass more or less than was seen
            low, high = (max(low, least), min(high, most)) if least <= high and most >= low else (least, most)
    return low, high
