"""What every verb prints with: JSON and CSV on the standard output."""

from __future__ import annotations

import csv
import itertools
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from headway.errors import InputError
from headway.writing import plain_cell


def emit(value: Any) -> None:
    """Print JSON."""
    try:
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    except ValueError:  # JSON has no infinity
        raise InputError("a number of the answer is too large to write: the inputs are beyond anything real") from None
    print(text)


def emit_csv(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print CSV with a header, row by row."""
    coming = iter(rows)
    first = next(coming, {})
    writer = csv.DictWriter(sys.stdout, list(first), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {k: plain_cell(v) for k, v in row.items()} for row in itertools.chain([first] if first else [], coming)
    )


def names(text: str) -> list[str]:
    """Return the parts of a text by comma."""
    return [part.strip() for part in text.split(",") if part.strip()]
