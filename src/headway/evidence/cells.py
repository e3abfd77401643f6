"""Cells of a row: numbers, ways and flags as tables write them."""

from __future__ import annotations

import math
import re

from headway.catalog import Row
from headway.errors import InputError

_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
NOTHING = ("", "na", "n/a", "none", "null", "nan", "-")


def number(row: Row, key: str, default: float | None, *, low: float = 0.0, whole: bool = False) -> float:
    """Read a number, thousands separated by commas or not.

    Parameters
    ----------
    row : Row
    key : str
        Name of the column.
    default : float or None
        Of an empty cell; None where it must be filled. [the column's unit]
    low : float
        The least that is accepted. [the column's unit]
    whole : bool
        Whether it must be a whole number.

    Raises
    ------
    InputError
        When the cell is no such number.
    """
    text = row.get(key, "").strip()
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    if text.lower() in NOTHING:
        if default is None:
            raise InputError(f"{key} is empty; a number is needed")
        return default
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{key} is {text!r}; it must be a number") from None
    if not math.isfinite(value) or value < low:
        raise InputError(f"{key} is {text!r}; it must be a finite number of at least {low:g}")
    if value > 1e12:
        raise InputError(f"{key} is {text!r}; that is beyond any benchmark")
    if whole and value != int(value):
        raise InputError(f"{key} is {text!r}; it must be a whole number")
    return value


def flag(row: Row, key: str) -> bool:
    """Read yes or no; an empty cell is no.

    Raises
    ------
    InputError
        When it is neither.
    """
    text = row.get(key, "").strip().lower()
    if text in ("true", "yes", "1"):
        return True
    if text in ("", "false", "no", "0", "unknown", "none", "na", "n/a"):
        return False
    raise InputError(f"{key} is {text!r}; accepted: true, false")


_EQUAL = ("equal", "fixed", "constant", "one length", "exact")
_UNIFORM = re.compile(r"uniform\s+([\d.]+)\s*(?:-|to|\.\.)\s*([\d.]+)")


def length_spread(row: Row, prompt: float, output: float) -> float | None:
    """Read how far lengths spread around their means: ``uniform 0.8-1.0 of nominal``, ``equal``, or the half-width itself.

    Parameters
    ----------
    row : Row
    prompt, output : float
        Mean lengths. [tokens]

    Notes
    -----
    A table that has the column but no value in it: mean lengths that are whole numbers are those of every request, as
    benchmark clients send them unless they are told otherwise. None where they are not, as of lengths drawn at random,
    and in a table without the column, as in every other question.

    Raises
    ------
    InputError
        When the cell is none of these.
    """
    text = row.get("length_spread", "").strip().lower()
    if text == "none" or text.startswith(_EQUAL):
        return 0.0
    if text in (*NOTHING, "not stated", "unknown"):
        whole = "length_spread" in row and prompt == int(prompt) and output == int(output)
        return 0.0 if whole else None
    found = _UNIFORM.match(text)
    try:
        low, high = (float(found[1]), float(found[2])) if found else (1 - float(text), 1 + float(text))
    except ValueError:
        low, high = 1.0, -1.0
    if not 0 <= low <= high or high <= 0:
        raise InputError(
            f"length_spread is {text[:40]!r}; accepted: equal, uniform 0.8-1.0 of nominal, a share such as 0.1"
        )
    return min((high - low) / (high + low), 1.0)
