"""Many passes at once: the kernels of thousands of cases as flat arrays, timed by the same lines as `step_time`.

A fit evaluates the same amounts thousands of times under other numbers, and a table of predictions is thousands of
small steps: both want arrays, not loops. Kernels of one `Kind` go through `kernel_time` together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.numeric import excess
from headway.parallel import Layout
from headway.roofline import (
    Amounts,
    Kind,
    Load,
    Transfer,
    kernel_time,
    pass_overhead,
    pass_seconds,
    row_amounts,
    row_ways,
    send_amounts,
    split,
    wire,
    with_launches,
)
from headway.serving import Case

Array = NDArray[np.float64]
Numbers = Mapping[str, Any]  # a number of the calibration -> one value for all cases, or one per case

_AMOUNTS = ("flops", "bytes", "temporaries", "peak", "bandwidth", "kernels", "products", "layers",
    "uneven_bytes", "uneven_flops",
)  # fmt: skip
_TRANSFER = ("sent", "messages", "ranks", "link", "outside", "scale_out", "leaving")


class PerCase:
    """A calibration whose numbers are gathered per kernel (or pass) from one value per case."""

    def __init__(self, numbers: Numbers, case: NDArray[np.intp]) -> None:
        self._numbers, self._case = numbers, case
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        """Return one number, as an array over kernels where cases differ."""
        self.asked.add(name)
        value = self._numbers[name]
        return value[self._case] if isinstance(value, np.ndarray) else value


@dataclass(frozen=True)
class Piece:
    """What the kernels (or collectives) of one kind add to each pass, and which numbers that depends on.

    Attributes
    ----------
    asked : frozenset of str
    seconds : mapping
        Resource -> seconds of each pass. [s]
    """

    asked: frozenset[str]
    seconds: Mapping[str, Array]


Pieces = Mapping[tuple[str, Kind], Piece]


@dataclass(frozen=True)
class Flat:
    """Passes of many cases, flattened by kind of kernel.

    Attributes
    ----------
    kernels : mapping
        Kind -> (pass of each kernel, case of each kernel, amounts).
    sends : mapping
        The same for collectives.
    case : array
        Case of each pass, as an index. [1]
    sequences : array
        Of the busiest group of each pass. [sequences]
    launches, prompted : array
        Kernels and collectives of each pass; new tokens of prompts in it. [1, tokens]
    names : mapping
        Name of a pass -> its number for each case (-1 where a case has none).
    """

    kernels: Mapping[Kind, tuple[NDArray[np.intp], NDArray[np.intp], Amounts]]
    sends: Mapping[Kind, tuple[NDArray[np.intp], NDArray[np.intp], Transfer]]
    case: NDArray[np.intp]
    sequences: Array
    launches: Array
    prompted: Array
    names: Mapping[str, NDArray[np.intp]]

    def pieces(self, numbers: Numbers, before: Pieces | None = None, changed: str = "") -> Pieces:
        """Return what each kind adds to the passes.

        Parameters
        ----------
        numbers : mapping
        before : mapping
            Pieces under the same numbers but one; those that never asked for it are taken from there.
        changed : str
            The number that differs.
        """
        found: dict[tuple[str, Kind], Piece] = {}
        for group, of_one in (("kernels", self._of_kernels), ("sends", self._of_sends)):
            for kind in getattr(self, group):
                key = (group, kind)
                kept = before[key] if before is not None else None
                found[key] = kept if kept is not None and changed not in kept.asked else of_one(kind, numbers)
        return found

    def _of_kernels(self, kind: Kind, numbers: Numbers) -> Piece:
        where, case, amounts = self.kernels[kind]
        here = PerCase(numbers, case)
        t = kernel_time(kind, amounts, here)
        in_compute, in_memory = split(t.compute, t.memory, t.busy)
        values = {"busy": t.busy, "compute": in_compute, "memory": in_memory, "overhead": t.overhead}
        return Piece(frozenset(here.asked), self._by_pass(where, values))

    def _of_sends(self, kind: Kind, numbers: Numbers) -> Piece:
        where, case, sent = self.sends[kind]
        here = PerCase(numbers, case)
        law = wire(kind.family, sent, here)
        values = {"network": law.seconds(), "overhead": law.latency}
        return Piece(frozenset(here.asked), self._by_pass(where, values))

    def _by_pass(self, where: NDArray[np.intp], values: Mapping[str, Any]) -> dict[str, Array]:
        size = len(self.case)
        return {
            k: np.asarray(np.bincount(where, np.broadcast_to(v, where.shape), size), dtype=float)
            for k, v in values.items()
        }

    def parts(self, numbers: Numbers, pieces: Pieces | None = None) -> dict[str, Array]:
        """Return seconds of each pass by resource: busy, compute, memory, network, overhead, and the total.

        Parameters
        ----------
        numbers : mapping
        pieces : mapping
            Of `pieces` under these numbers, where they are known.
        """
        found = {k: np.zeros(len(self.case)) for k in ("busy", "compute", "memory", "network", "overhead")}
        for piece in (self.pieces(numbers) if pieces is None else pieces).values():
            for key, values in piece.seconds.items():
                found[key] += values
        per_pass = PerCase(numbers, self.case)
        found["overhead"] += pass_overhead(self.sequences, per_pass)
        overlap = per_pass.network_overlap
        seconds = pass_seconds(found["busy"], found["network"], found["overhead"], overlap)
        found["seconds"] = with_launches(seconds, self.launches, self.prompted, per_pass)
        found["overhead"] += excess(found["seconds"], seconds)
        return found

    def seconds(self, numbers: Numbers) -> Array:
        """Return the time of each pass. [s]"""
        return self.parts(numbers)["seconds"]

    def named(self, times: Array, cases: NDArray[np.intp] | None = None) -> dict[str, Array]:
        """Return times by name of pass, one per case; 0 where a case has no such pass.

        Parameters
        ----------
        times : array
            Of each pass. [s]
        cases : array of int or None
            Indices of the cases; None: all. [1]
        """
        padded = np.append(times, 0.0)
        return {k: padded[v if cases is None else v[cases]] for k, v in self.names.items()}


def flatten(cases: Sequence[Case]) -> Flat:
    """Return the passes of many cases as flat arrays.

    Raises
    ------
    InputError
        When a chip has no rate for a model's format.
    """
    return _Builder().build(cases)


class _Builder:
    def __init__(self) -> None:
        self.kernels: dict[Kind, list[tuple[Any, ...]]] = defaultdict(list)
        self.sends: dict[Kind, list[tuple[Any, ...]]] = defaultdict(list)
        self.case: list[int] = []
        self.of_pass: list[tuple[float, float, float]] = []  # sequences, launches, tokens of prompts
        self.names: dict[str, dict[int, int]] = defaultdict(dict)

    def build(self, cases: Sequence[Case]) -> Flat:
        for i, case in enumerate(cases):
            for name, load in case.passes.items():
                self.names[name][i] = len(self.case)
                self.add(case, load, i, case.layout_of(name))
        kernels = {k: (*_indices(v), Amounts(*_columns(v))) for k, v in self.kernels.items()}
        sends = {k: (*_indices(v), Transfer(*_columns(v))) for k, v in self.sends.items()}
        names = {k: np.array([v.get(i, -1) for i in range(len(cases))], dtype=np.intp) for k, v in self.names.items()}
        of_pass = np.array(self.of_pass, dtype=float).reshape(-1, 3).T
        return Flat(kernels, sends, np.array(self.case, dtype=np.intp), of_pass[0], of_pass[1], of_pass[2], names)

    def add(self, case: Case, load: Load, number: int, layout: Layout) -> None:
        where = len(self.case)
        self.case.append(number)
        step, chip = case.setting.step(layout), case.chip
        sequences = float(load.busiest(step.groups, lambda _: 1.0))
        self.of_pass.append((sequences, float(step.launches), float(load.prompted)))
        for row in step.rows:
            (way,) = row_ways(row, chip)
            amounts = row_amounts(row, step, load, way)
            self.kernels[way.kind].append((where, number, *(getattr(amounts, f) for f in _AMOUNTS)))
        for send in step.sends:
            sent = send_amounts(send, load, chip)
            self.sends[Kind(send.kind)].append((where, number, *(getattr(sent, f) for f in _TRANSFER)))


def _indices(rows: list[tuple[Any, ...]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.array([r[0] for r in rows], dtype=np.intp), np.array([r[1] for r in rows], dtype=np.intp)


def _columns(rows: list[tuple[Any, ...]]) -> list[Array]:
    return list(np.array([r[2:] for r in rows], dtype=float).T)
