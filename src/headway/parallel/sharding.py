"""What of a model lies on one chip: the share of a matrix, a cache or the layers that a layout leaves it. Said here only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from headway.models import Architecture
from headway.models.architecture import Linear
from headway.numeric import larger
from headway.parallel.layout import AnyLayout, Layout

Real = Any  # a float or a NumPy array; everything broadcasts


def share_of(ways: int, tp: Real) -> Real:
    """Return the share of a matrix or cache that one chip holds.

    Parameters
    ----------
    ways : int
        Into how many parts it can be cut; beyond them it is replicated, and what does not divide is padded. 0: without limit. [1]
    tp : int or array
        Chips that slice it. [chips]
    """
    if not ways:
        return 1.0 / tp
    return np.ceil(ways / tp) / ways if isinstance(tp, np.ndarray) else math.ceil(ways / tp) / ways


def weight_share(model: Architecture, layout: Layout, matrix: Linear) -> float:
    """Return the share of a matrix that one chip of a stage holds: experts over all of them, the rest over tp.

    Parameters
    ----------
    model : Architecture
    layout : Layout
    matrix : Linear
    """
    if matrix.role == "expert" and model.experts:
        return (1 + layout.redundant / model.experts.count) / layout.stage_chips
    if matrix.role == "shared" and layout.shared_copies:
        return 1.0
    return share_of(matrix.ways, layout.tp)


def is_sliced(matrix: Linear, layout: AnyLayout) -> bool:
    """Return whether chips hold slices of a dense matrix, whose partial sums are to be added up.

    Parameters
    ----------
    matrix : Linear
    layout : Layout or LayoutColumns
    """
    kept = matrix.role == "shared" and layout.shared_copies
    return matrix.role in ("dense", "shared") and matrix.ways != 1 and not kept


def fullest_stage(count: int, layout: Layout) -> int:
    """Return how many of so many layers the pipeline stage with the most of them has.

    Parameters
    ----------
    count : int
        Layers of a kind, or all. [layers]
    layout : Layout
    """
    return math.ceil(count / layout.pp)


def longest_turn(share: float, flying: Real) -> Real:
    """Return how much longer than its own way through a pipeline a micro-batch takes to come round again.

    A turn lasts as long as one micro-batch takes through all stages, or as all of them take through the fullest stage.

    Parameters
    ----------
    share : float
        Of the layers, on the fullest stage. [share]
    flying : float or array
        Micro-batches in flight on a replica. [1]
    """
    return larger(share * flying, 1.0)


def stage_share(model: Architecture, layout: Layout) -> float:
    """Return the share of the layers that the fullest pipeline stage holds."""
    return fullest_stage(model.layer_count, layout) / model.layer_count
