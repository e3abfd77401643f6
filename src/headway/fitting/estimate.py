"""Predictions for many cases: pass times -> what the benchmark reports, under one calibration per case."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.fitting.flat import Flat, Numbers, PerCase, Pieces, flatten
from headway.roofline import NUMBERS, Calibration
from headway.serving import LOOPS, Case, Served, Workload
from headway.serving.loops import Kind

Array = NDArray[np.float64]
_COLUMNS = tuple(f.name for f in dataclasses.fields(Workload) if f.name != "kind")
_SERVED = tuple(f.name for f in dataclasses.fields(Served))


@dataclass(frozen=True)
class OneKind:
    """The cases of a batch whose workloads are of one kind, as arrays."""

    kind: Kind
    chosen: NDArray[np.intp]
    workload: Workload
    moved: Array
    link: Array
    chunk_tokens: Array
    waits: Array


@dataclass(frozen=True)
class Batch:
    """Cases flattened once, to be timed under any numbers.

    Attributes
    ----------
    cases : sequence of Case
    flat : Flat
    kinds : tuple of OneKind
    shares : array
        Closed loops that share the requests in flight of each case (`Case.shares`). [1]
    """

    cases: Sequence[Case]
    flat: Flat
    kinds: tuple[OneKind, ...]
    shares: Array

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Batch:
        """Flatten cases."""
        kinds = [_one_kind(kind, cases) for kind in LOOPS]
        shares = np.array([c.shares for c in cases], dtype=float)
        return cls(cases, flatten(cases), tuple(k for k in kinds if k.chosen.size), shares)


def _one_kind(kind: Kind, cases: Sequence[Case]) -> OneKind:
    chosen = np.array([i for i, c in enumerate(cases) if c.workload.kind == kind], dtype=np.intp)
    here = [cases[i] for i in chosen]
    columns = {f: np.array([getattr(c.workload, f) for c in here], dtype=float) for f in _COLUMNS}
    moved = np.array([c.transfer_bytes for c in here], dtype=float)
    link = np.array([c.carrier for c in here], dtype=float)
    budget = np.array([c.setting.chunk for c in here], dtype=float)
    waits = np.array([c.waits for c in here], dtype=float)
    return OneKind(kind, chosen, Workload(kind, **columns), moved, link, budget, waits)


@dataclass(frozen=True)
class Estimate:
    """What is predicted for each case; arrays of one length.

    Attributes
    ----------
    served : Served
        Times in seconds; rates of one replica.
    output_rate, input_rate : array
        Of the whole deployment. [tokens/s]
    parts : mapping
        Time of each pass by resource. [s]
    """

    served: Served
    output_rate: Array
    input_rate: Array
    parts: Mapping[str, Array]


def numbers_of(calibrations: Sequence[Calibration]) -> dict[str, Any]:
    """Return each number of many calibrations as one array over cases."""
    return {f.name: np.array([getattr(c, f.name) for c in calibrations], dtype=float) for f in NUMBERS}


def estimate(batch: Batch, numbers: Numbers, pieces: Pieces | None = None) -> Estimate:
    """Predict every case of a batch.

    Parameters
    ----------
    batch : Batch
    numbers : mapping
        Calibration numbers, one value for all cases or one per case.
    pieces : mapping
        What the kinds of kernels take under these numbers (`Flat.pieces`), where it is known.
    """
    parts = batch.flat.parts(numbers, pieces)
    rows = {name: np.zeros(len(batch.cases)) for name in _SERVED}
    for k in batch.kinds:
        here = _Chosen(PerCase(numbers, k.chosen), k.chunk_tokens)
        transfer = k.moved / (k.link * here.network_efficiency)
        times = batch.flat.named(parts["seconds"], k.chosen)
        seconds = {name: t if name == "prefill" else t * k.waits for name, t in times.items()}
        found = LOOPS[k.kind].served(k.workload, seconds, here, transfer)
        for name, values in rows.items():
            values[k.chosen] = getattr(found, name)
    found = Served(**rows)
    return Estimate(found, found.output_rate * batch.shares, found.input_rate * batch.shares, parts)


class _Chosen:
    """A view of a calibration with the chunk budget that its passes were built for."""

    def __init__(self, numbers: PerCase, chunk_tokens: Array) -> None:
        self._numbers, self.chunk_tokens = numbers, chunk_tokens

    def __getattr__(self, name: str) -> Any:
        """Return one number over the chosen cases."""
        return getattr(self._numbers, name)
