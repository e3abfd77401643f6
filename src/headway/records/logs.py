"""Benchmarks that were read, as plain data and as the table that `headway predict` takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headway.evidence import COLUMNS
from headway.measure.logs import Bench


def bench_record(b: Bench) -> dict[str, Any]:
    """Return one run."""
    return {
        "tool": b.tool, "name": b.name, "requests": None if b.run is None else len(b.run), "row": dict(b.row), "lacks": b.lacks(),
        "notes": list(b.notes),
    }  # fmt: skip


def bench_rows(benches: Sequence[Bench]) -> list[dict[str, Any]]:
    """Return the rows of a table of cases; columns that no run has are left out, and so are runs without any."""
    kept = [b for b in benches if b.row]
    used = [c for c in COLUMNS if any(c in b.row for b in kept)]
    rows = [{c: b.row.get(c, "") for c in used} for b in kept]
    return [{c: f"{v:.6g}" if isinstance(v, float) else v for c, v in r.items()} for r in rows]
