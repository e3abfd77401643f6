"""Stacking: steps of the same structure as one Step whose coefficients are arrays, so that a thousand layouts are timed at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from headway.errors import InputError
from headway.roofline.step import Row, Send, Step

_ROW_LABELS = ("name", "kind", "chain", "bytes_per_weight", "block_scales", "read", "experts", "active")
_SEND_LABELS = ("name", "kind", "in_network", "domains")
_STEP_LABELS = ("model", "layers", "touched", "hottest", "busiest")


def structure(step: Step) -> Hashable:
    """Return what two steps must have in common to be stacked: rows and sends of the same kinds in the same order."""
    return (
        tuple(tuple(getattr(r, f) for f in _ROW_LABELS) for r in step.rows),
        tuple(tuple(getattr(s, f) for f in _SEND_LABELS) for s in step.sends),
        tuple(getattr(step, f) for f in _STEP_LABELS),
    )


def stack(steps: Sequence[Step]) -> Step:
    """Return one Step for many: a coefficient in which they differ is a column [steps, 1], which loads broadcast against.

    Parameters
    ----------
    steps : sequence of Step
        Of one `structure`.

    Raises
    ------
    InputError
        When there is none, or their structures differ.
    """
    if not steps:
        raise InputError("no steps to stack")
    first = structure(steps[0])
    if any(structure(s) != first for s in steps[1:]):
        raise InputError("only steps with the same kinds of kernels and collectives can be stacked")
    rows = tuple(_joined([s.rows[i] for s in steps], _ROW_LABELS) for i in range(len(steps[0].rows)))
    sends = tuple(_joined([s.sends[i] for s in steps], _SEND_LABELS) for i in range(len(steps[0].sends)))
    names = " ".join(dict.fromkeys(s.layout for s in steps))
    return dataclasses.replace(
        steps[0], rows=rows, sends=sends, layout=names, groups=_column([s.groups for s in steps])
    )


def _joined(parts: Sequence[Row] | Sequence[Send], labels: Sequence[str]) -> Any:
    numbers = [f.name for f in dataclasses.fields(parts[0]) if f.name not in labels]
    return dataclasses.replace(parts[0], **{n: _column([getattr(p, n) for p in parts]) for n in numbers})


def _column(values: Sequence[float]) -> Any:
    """One number where all agree, else a column."""
    first = values[0]
    return first if all(v == first for v in values) else np.array(values, dtype=float)[:, None]
