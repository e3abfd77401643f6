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
