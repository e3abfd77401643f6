"""Speculative decoding and multi-token prediction in closed form (SYS-H4; named only in the lecture)."""

from __future__ import annotations

from typing import Any

import numpy as np

Real = Any  # a float or a NumPy array; everything broadcasts


def expected_tokens(acceptance: Real, draft: Real) -> Real:
    """Return tokens per verification pass: (1 - a^(g+1)) / (1 - a) (Leviathan et al. 2023, arXiv 2211.17192, eq. 1).

    Parameters
    ----------
    acceptance : float or array
        a, chance that one drafted token is accepted, independent of the others.
    draft : int or array
        g, drafted tokens per pass.
    """
    a = np.asarray(acceptance, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(a < 1, (1 - a ** (np.asarray(draft) + 1)) / (1 - a), np.asarray(draft) + 1.0)
    return float(found) if found.ndim == 0 else found
