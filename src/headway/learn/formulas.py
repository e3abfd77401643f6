"""Formulas as people type them: numbers with suffixes, letters, + - * / ^, and a few functions. Nothing else is evaluated."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headway.errors import InputError, quoted

_SUFFIXES = {"k": "e3", "M": "e6", "G": "e9", "B": "e9", "T": "e12", "P": "e15", "%": "e-2"}
_NUMBER = re.compile(r"(?<![\w.])(\d[\d_]*(?:\.\d*)?|\.\d+)(k|M|G|B|T|P|%)(?![\w%])")
_THOUSANDS = re.compile(r"(?<![\w.])\d{1,3}(?:,\d{3})+(?![\w,])")
_NAME = re.compile(r"[A-Za-z_]\w*")
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "max": max, "min": min, "sqrt": math.sqrt, "ceil": math.ceil, "log": math.log, "log10": math.log10, "exp": math.exp,
}  # fmt: skip
_LONGEST = 300  # characters of a formula


class Formula:
    """A formula that can be evaluated with values for its letters.

    Attributes
    ----------
    text : str
    letters : frozenset of str
        The names in it.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        plain = _THOUSANDS.sub(lambda m: m[0].replace(",", ""), text.replace("^", "**").replace("×", "*"))
        plain = _NUMBER.sub(lambda m: f"{m[1]}{_SUFFIXES[m[2]]}", plain).strip()
        if not plain or len(plain) > _LONGEST:
            raise InputError(f"{quoted(text)} is no formula")
        try:
            self._tree = ast.parse(plain, mode="eval").body
            self.letters = frozenset(_letters(self._tree))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise InputError(f"{quoted(text)} is no formula; it reads like 300 * N_total / N_active") from None

    def value(self, letters: Mapping[str, float]) -> float:
        """Return what it gives.

        Parameters
        ----------
        letters : mapping
            Name -> value. [any]

        Raises
        ------
        InputError
            A letter without a value, or no finite number.
        """
        try:
            found = float(_value(self._tree, letters))
        except KeyError as error:
            raise InputError(f"{quoted(self.text)}: {error.args[0]} has no value here") from None
        except (ZeroDivisionError, OverflowError, ValueError, TypeError):
            raise InputError(f"{quoted(self.text)} gives no number") from None
        return found


def _letters(node: ast.expr) -> list[str]:
    """Names of a tree of numbers, operators and known functions; ValueError of anything else."""
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return []
        case ast.Name(id=name):
            return [name]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
            return _letters(inner)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return [*_letters(left), *_letters(right)]
        case ast.Call(func=ast.Name(id=name), args=inner, keywords=[]) if name in _FUNCTIONS and inner:
            return [x for a in inner for x in _letters(a)]
        case _:
            raise ValueError


def _value(node: ast.expr, letters: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=value):
            return float(value)  # pyright: ignore[reportArgumentType] - a number: `_letters` has looked
        case ast.Name(id=name):
            return float(letters[name])
        case ast.UnaryOp(op=op, operand=inner):
            value = _value(inner, letters)
            return -value if isinstance(op, ast.USub) else value
        case ast.BinOp(left=left, op=op, right=right):
            return float(_BINARY[type(op)](_value(left, letters), _value(right, letters)))
        case ast.Call(func=ast.Name(id=name), args=inner):
            return float(_FUNCTIONS[name](*(_value(a, letters) for a in inner)))
        case _:
            raise ValueError


def read(text: str, letters: Sequence[str]) -> Formula | None:
    """Return the formula that a text is, all of its letters known; None when it is none."""
    try:
        found = Formula(text)
    except InputError:
        return None
    return found if found.letters <= set(letters) else None
