"""Values of equations as text, with their units."""

from __future__ import annotations

import math
from typing import Any

from headway import units

_SI = {"bytes": "B", "bytes/s": "B/s", "FLOP/s": "FLOP/s", "FLOP": "FLOP", "tok/s": "tok/s"}


def value_text(value: Any, unit: str) -> str:
    """Print a value of an equation with its unit.

    Parameters
    ----------
    value : float, str or None
        [`unit`]
    unit : str
    """
    if value is None:
        return "—"
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return "—"
    if math.isinf(value):
        return "none (no finite value)"
    if unit == "parameters":
        return f"{units.si(value, digits=4).replace('G', 'B')} {unit}"
    if unit == "bytes" and 0 < value < 1:
        return f"{value:g} B"
    if unit == "FLOP" and value >= 1e21:  # beyond the prefixes
        return f"{value:.4g} FLOP"
    if unit in _SI:
        return units.si(value, _SI[unit], digits=4)
    if unit == "s":
        return units.seconds(value) if value >= 300 else units.si(value, "s", digits=4)
    if unit.startswith("$"):
        return f"${value:.4g}{unit[1:]}" if value < 0.01 else f"{units.dollars(value)}{unit[1:]}"
    return f"{_plain(value)} {_one(unit, value)}".strip()


def _plain(value: float) -> str:
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return (
            f"{value:,.0f}"
            if value == int(value) or abs(value) >= 1e5
            else f"{value:,.4g}"
            if abs(value) < 1e4
            else f"{value:,.0f}"
        )
    return units.si(value, digits=4) if 1e7 <= abs(value) < 1e16 else f"{value:.4g}"


def _one(unit: str, value: float) -> str:
    return unit.removesuffix("s") if value == 1 and unit.isalpha() else unit
