"""Which points no other beats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def frontier(first: Array, second: Array, tie: Array | None = None) -> NDArray[np.intp]:
    """Return the points that no other beats, both coordinates being better when larger; best `first` first.

    Parameters
    ----------
    first, second : array
        NaN counts as beaten. [1]
    tie : array or None
        Of points equal in both, the one with the smallest is kept. [1]

    Notes
    -----
    A point is beaten when another is at least as good in both and better in one; of equal ones the first is kept.
    """
    order = np.lexsort((-second, -first) if tie is None else (tie, -second, -first))
    order = order[np.isfinite(first[order]) & np.isfinite(second[order])]
    if not order.size:
        return order
    best = np.maximum.accumulate(second[order])
    better = np.concatenate([[True], best[1:] > best[:-1]])
    return order[better]
