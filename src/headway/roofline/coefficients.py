"""What a compiled step is made of: rows as coefficients, and the parts of a pass."""

from __future__ import annotations

from typing import Any, NamedTuple

from headway.roofline.step import Row

Real = Any  # a float or a NumPy array; everything broadcasts


class PassParts(NamedTuple):
    """Seconds of a pass by part; `compute`, `memory` and `network` each as if it ran alone."""

    seconds: Real
    busy: Real
    compute: Real
    memory: Real
    network: Real
    overhead: Real
    on_compute: Real = 0.0  # of `busy`, in kernels whose multiplying is the longer


class Kernel(NamedTuple):
    """A row as coefficients: seconds per unit of each meter."""

    constant: Real  # memory seconds of the weights
    token: int
    compute: Real
    memory: Real
    more: tuple[tuple[int, Real, Real], ...]  # (meter, compute, memory) of logits, sequences, cache entries, pairs


class Experts(NamedTuple):
    """Routed experts, whose work depends on how many are touched."""

    row: Row
    flop: Real
    byte: Real
    temporaries: Real
    groups: Real
