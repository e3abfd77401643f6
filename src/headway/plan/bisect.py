"""The largest number that is good enough, in few trials."""

from __future__ import annotations

import math
from collections.abc import Callable


def largest(
    good: Callable[[float], bool],
    guess: float,
    *,
    close: float,
    step: float = 1.3,
    least: float = 0.0,
    most: float = math.inf,
    whole: bool = False,
) -> tuple[float, float]:
    """Return the largest number tried that is good enough, and the smallest beyond it that is not.

    Parameters
    ----------
    good : callable
        Says whether a number is good enough; what is below a good one should be, too.
    guess : float
        Where to begin. [any]
    close : float
        Share of the number by which the two may lie apart. [share]
    step : float
        First factor to the next trial while only one side is known; it grows from trial to trial. [times]
    least, most : float
        Nothing below or beyond is tried. Where not even the least is good, the first returned is 0; where the most is good, the second is
        infinite. [any]
    whole : bool
        Whether only whole numbers are asked for.
    """

    def place(x: float) -> float:
        x = min(max(x, least), most)
        return float(round(x)) if whole else x

    low, high = _bracket(good, place, guess, step, whole)
    while low > 0 and high / low > 1 + close and not (whole and high - low <= 1) and math.isfinite(high):
        x = place(math.sqrt(low * high))
        x = low + 1 if whole and not low < x < high else x
        low, high = (x, high) if good(x) else (low, x)
    return low, high


def _bracket(
    good: Callable[[float], bool], place: Callable[[float], float], guess: float, step: float, whole: bool
) -> tuple[float, float]:
    """The nearest numbers known around the largest good one: 0 or infinity where the first or last to be tried says so."""
    one = 1.0 if whole else 0.0
    x = place(guess)
    low, high = (x, math.inf) if good(x) else (0.0, x)
    while math.isinf(high) or low == 0.0:
        known = low or high
        x = place(max(known * step, known + one) if low else min(known / step, known - one))
        if x == known:  # there is nothing further
            break
        step = step**1.5
        low, high = (x, high) if good(x) else (low, x)
    return low, high
