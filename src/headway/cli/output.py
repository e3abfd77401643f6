"""What every verb prints with: JSON and CSV on the standard output."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def emit(value: Any) -> None:
    """Print JSON."""
    print(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def emit_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print CSV with a header."""
    writer = csv.DictWriter(sys.stdout, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def names(text: str) -> list[str]:
    """Return the parts of a text by comma."""
    return [part.strip() for part in text.split(",") if part.strip()]
