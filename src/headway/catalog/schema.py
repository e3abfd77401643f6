"""The schema is data: a frozen dataclass whose field metadata names unit, factor to SI and meaning.

One declaration serves the loader, the documentation and the web form.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from headway.errors import InputError, near_misses, quoted

T = TypeVar("T")


def column(
    unit: str = "",
    about: str = "",
    *,
    name: str | None = None,
    factor: float = 1.0,
    default: Any = dataclasses.MISSING,
    between: tuple[float, float] | None = None,
) -> Any:
    """Declare a catalogue column as a dataclass field.

    Parameters
    ----------
    unit : str
        Unit in the file, e.g. ``"GB/s"``.
    about : str
        What the column means.
    name : str
        Column name in the file when it differs from the field's name.
    factor : float
        Multiplier from the file's unit to SI. [times]
    default : Any
        Value of an empty cell; without one the cell must be filled.
    between : (float, float) or None
        What a real one lies between: a value a thousand times off is a unit mistaken. [the file's unit]
    """
    metadata = {"unit": unit, "about": about, "column": name, "factor": factor, "between": between}
    return dataclasses.field(default=default, metadata=metadata)


def from_row(kind: type[T], row: Mapping[str, str], where: str) -> T:
    """Build a `kind` (a dataclass of `column` fields) from one CSV row.

    Raises
    ------
    InputError
        When a required cell is empty, a number cannot be read or is not positive, or a column is not in the schema.
    """
    known = _columns(kind)
    cells = {key: (row.get(key) or "").strip() for key in known}
    missing = [
        f"{key} ({f.metadata['about']})"
        for key, f in known.items()
        if f.default is dataclasses.MISSING and not cells[key]
    ]
    if missing:
        raise InputError(f"{where}: needs a value for {', '.join(missing)}")
    values = {f.name: _cell(f, key, cells[key], where) for key, f in known.items()}
    for key in row:
        if key not in known:
            close = near_misses(key, known)
            hint = f"did you mean {close[0]!r}?" if close else f"accepted columns: {', '.join(sorted(known))}"
            raise InputError(f"{where}: unknown column {key!r}; {hint}")
    return kind(**values)


def _columns(kind: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    """Return the declared columns of `kind` by their name in the file."""
    return {f.metadata["column"] or f.name: f for f in dataclasses.fields(kind) if f.metadata}


def _cell(field: dataclasses.Field[Any], key: str, text: str, where: str) -> Any:
    if not text:
        return field.default
    kind = str(field.type)
    if "tuple" in kind:
        return tuple(part.strip() for part in text.split("|") if part.strip())
    if "float" not in kind and "int" not in kind:
        return text
    try:
        number = float(text) * field.metadata["factor"]
    except ValueError:
        raise InputError(f"{where}: column {key!r} is {text!r}, not a number in {field.metadata['unit']}") from None
    least = "positive" if field.default is dataclasses.MISSING else "zero or more"
    if not math.isfinite(number) or number < 0 or (number == 0 and least == "positive"):
        raise InputError(f"{where}: column {key!r} is {quoted(text)}; it must be {least} and finite")
    low, high = field.metadata.get("between") or (0.0, math.inf)
    if number and not low <= number / field.metadata["factor"] <= high:
        unit = field.metadata["unit"]
        raise InputError(
            f"{where}: column {key!r} is {quoted(text)}; in {unit} it must lie between {low:g} and {high:g}"
        )
    return int(number) if "int" in kind else number


def describe(kind: type[Any]) -> list[dict[str, str]]:
    """Return the schema of `kind` as rows of column, unit, meaning and whether it must be filled."""
    return [
        {
            "column": key,
            "unit": f.metadata["unit"],
            "about": f.metadata["about"],
            "required": "yes" if f.default is dataclasses.MISSING else "no",
        }
        for key, f in _columns(kind).items()
    ]
