"""What a program asks for: FLOPs by row of a step, counted where the rows' names still stand beside every operation.

JAX's own trace (a jaxpr) keeps the name under which something is computed; XLA's optimised program loses some of them. The
audit takes the rows from here, and sees to it that the compiled program's products add up to the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

_ROW = re.compile(r"row\[(.*?)\]")
# One FLOP an element of the result; the audit needs them of recurrent states only, whose update is no matrix product.
_ELEMENTWISE = ("add", "sub", "mul", "div")


def asked_flops(jaxpr: Any) -> dict[str, tuple[float, float]]:
    """Return FLOPs by row: of matrix products, and of sums and products element by element. [FLOP]

    Parameters
    ----------
    jaxpr : ClosedJaxpr
        Of a program for one chip, or of one with `shard_map` inside: what one chip does.
    """
    found: dict[str, tuple[float, float]] = {}
    for eqn, times in _equations(jaxpr.jaxpr, 1):
        name = _ROW.findall(str(eqn.source_info.name_stack))
        row = name[-1] if name else ""
        products, rest = found.get(row, (0.0, 0.0))
        if eqn.primitive.name == "dot_general":
            products += times * _product(eqn)
        elif eqn.primitive.name in _ELEMENTWISE:
            rest += times * math.prod(eqn.outvars[0].aval.shape)
        found[row] = products, rest
    return found


def _product(eqn: Any) -> float:
    """2 FLOPs per multiply-add: elements of the result times those that are summed."""
    (contracted, _), _ = eqn.params["dimension_numbers"]
    summed = math.prod(eqn.invars[0].aval.shape[i] for i in contracted)
    return 2.0 * math.prod(eqn.outvars[0].aval.shape) * summed


def _equations(jaxpr: Any, times: int) -> Iterator[tuple[Any, int]]:
    """Every operation and how often it runs: in loops as often as they turn, in branches once."""
    for eqn in jaxpr.eqns:
        yield eqn, times
        turns = eqn.params.get("length", 1) if eqn.primitive.name == "scan" else 1
        for value in eqn.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                body = getattr(inner, "jaxpr", inner)
                if hasattr(body, "eqns"):
                    yield from _equations(body, times * turns)
