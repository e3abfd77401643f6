"""What XLA says of a compiled program: its own counts, and what its text holds: matrix products and collectives.

Traps of the counts: a loop's body is counted once, however often it turns; element by element operations count like products;
a custom call counts nothing. So products are counted from the text, each as often as its loops turn.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\((.*)$")
_ARRAY = re.compile(r"(\w+)\[([\d,]*)\]")
_CALLED = re.compile(
    r"(?:calls|to_apply|body|branch_computations|true_computation|false_computation)=(\{[^}]*\}|%[\w.\-]+)"
)
_TURNS = re.compile(r'known_trip_count":\{"n":"(\d+)"')
_SEND = re.compile(r"send\[(.*?)\]")
_GROUPS = re.compile(r"replica_groups=\{\{([\d,]*)\}|replica_groups=\[(\d+),(\d+)\]")
_BYTES = {
    "f32": 4,
    "s32": 4,
    "u32": 4,
    "f8e4m3fn": 1,
    "pred": 1,
    "bf16": 2,
    "f16": 2,
    "s8": 1,
    "u8": 1,
    "s64": 8,
    "f64": 8,
}

KINDS = {
    "all-reduce": "all-reduce", "all-gather": "all-gather", "all-to-all": "all-to-all", "collective-permute": "send",
    "reduce-scatter": "reduce-scatter",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Collective:
    """One collective of the program, run `times` times.

    Attributes
    ----------
    name, kind : str
        Of the step's send that it stands for ("" where the program does not say), and as of `Send`.
    ranks : int
        Chips that take part. [chips]
    bytes : int
        Of the vector that every chip ends up with; of an all-to-all of what one chip has for all. [bytes]
    times : int
        [1]
    """

    name: str
    kind: str
    ranks: int
    bytes: int
    times: int


@dataclass(frozen=True, slots=True)
class Counted:
    """XLA's counts of a program, per chip.

    Attributes
    ----------
    products : float
        FLOPs of matrix products, loops turned. [FLOP]
    flops : float
        All FLOPs as XLA counts them, a loop's body once. [FLOP]
    products_once : float
        FLOPs of matrix products as XLA counts them. [FLOP]
    bytes : float
        Read and written by operations, what a fused one keeps to itself left out. [bytes]
    temporaries : int
        Bytes held beside arguments and results at the fullest moment. [bytes]
    collectives : tuple of Collective
    """

    products: float
    flops: float
    products_once: float
    bytes: float
    temporaries: int
    collectives: tuple[Collective, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    result: str
    op: str
    rest: str


def counted(compiled: Any) -> Counted:
    """Return XLA's counts of a compiled program.

    Parameters
    ----------
    compiled : jax.stages.Compiled
    """
    cost: Any = compiled.cost_analysis()
    cost = cost[0] if isinstance(cost, list) else cost
    text = _Text(compiled.as_text())
    products = once = 0.0
    collectives: list[Collective] = []
    for line, shapes, times in text.run():
        if line.op == "dot":
            flops = _product(line, shapes)
            products, once = products + times * flops, once + flops
        kind = KINDS.get(line.op.removesuffix("-start"))
        if kind:
            collectives.append(_collective(line, kind, times))
    return Counted(
        products, float(cost["flops"]), once, float(cost["bytes accessed"]), int(compiled.memory_analysis().temp_size_in_bytes),
        tuple(collectives),
    )  # fmt: skip


class _Text:
    """The text of a compiled program by computation."""

    def __init__(self, text: str):
        self.parts: dict[str, list[_Line]] = {}
        self.entry = ""
        now: list[_Line] = []
        for raw in text.splitlines():
            head = _COMPUTATION.match(raw)
            if head:
                now = self.parts.setdefault(head[2], [])
                self.entry = head[2] if head[1] else self.entry
            elif found := _INSTRUCTION.match(raw):
                now.append(_Line(found[1], found[2], found[3], found[4]))

    def run(self) -> Iterator[tuple[_Line, dict[str, str], int]]:
        """Every operation, the shapes around it, and how often it runs."""
        yield from self._of(self.entry, 1)

    def _of(self, name: str, times: int) -> Iterator[tuple[_Line, dict[str, str], int]]:
        shapes = {line.name: line.result for line in self.parts[name]}
        for line in self.parts[name]:
            yield line, shapes, times
            turns = int(found[1]) if line.op == "while" and (found := _TURNS.search(line.rest)) else 1
            for called in _CALLED.findall(line.rest):
                for inner in re.findall(r"%([\w.\-]+)", called):
                    yield from self._of(inner, times * turns)


def _sizes(shape: str) -> list[tuple[str, list[int]]]:
    return [(kind, [int(n) for n in dims.split(",") if n]) for kind, dims in _ARRAY.findall(shape)]


def _product(line: _Line, shapes: dict[str, str]) -> float:
    """2 FLOPs per multiply-add of a dot."""
    operand = re.findall(r"%([\w.\-]+)", line.rest)[0]
    inline = _sizes(line.rest.split("%")[0])  # older versions write the operands' shapes beside them
    left = inline[0][1] if inline else _sizes(shapes[operand])[0][1]
    found = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", line.rest)
    summed = math.prod(left[int(i)] for i in (found[1].split(",") if found else []) if i)
    return 2.0 * math.prod(_sizes(line.result)[0][1]) * summed


def _collective(line: _Line, kind: str, times: int) -> Collective:
    arrays = _sizes(line.result)
    size = sum(_BYTES[k] * math.prod(dims) for k, dims in arrays)
    groups = _GROUPS.search(line.rest)
    pairs = re.search(r"source_target_pairs=\{\{", line.rest)
    ranks = 2 if pairs or groups is None else int(groups[3]) if groups[3] else groups[1].count(",") + 1
    names = _SEND.findall(line.rest)
    return Collective(names[-1].replace("\\'", "'") if names else "", kind, ranks, size, times)
