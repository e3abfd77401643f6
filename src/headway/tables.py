"""Aligned tables as text, and the catalogue's rows as such tables."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from headway import units
from headway.catalog import catalogue


def columns() -> int:
    """Return the columns of the terminal; 0 when the output goes elsewhere and COLUMNS says nothing."""
    said = os.environ.get("COLUMNS", "")
    if said.isdigit() and int(said) > 0:
        return max(int(said), 40)
    return max(shutil.get_terminal_size((100, 40)).columns, 40) if sys.stdout.isatty() else 0


def table_text(heads: Sequence[str], rows: Iterable[Sequence[Any]], *, left: bool = False) -> str:
    """Return an aligned table: text left, numbers right (or all left)."""
    cells = [[str(c) for c in row] for row in rows]
    widths = [max(len(h), *(len(r[i]) for r in cells)) if cells else len(h) for i, h in enumerate(heads)]
    lines = ["  ".join(h.ljust(w) for h, w in zip(heads, widths, strict=True)).rstrip()]
    lines.append("  ".join("-" * w for w in widths))
    for row in cells:
        shown = [c.rjust(w) if numeric(c) and not left else c.ljust(w) for c, w in zip(row, widths, strict=True)]
        lines.append("  ".join(shown).rstrip())
    return "\n".join(lines)


def numeric(text: str) -> bool:
    """Say whether a cell is set right like a number."""
    return bool(text) and text[0] in "0123456789+-$" and not text[-1].isalpha()


TABLES = {"prices": "rental_medians", "evidence": "evidence_sources"}  # as people say, and as they are called


def catalogue_rows(table: str, query: str = "") -> list[dict[str, str]]:
    """Return the rows of a catalogue table whose cells contain every word of the query; of ``evidence``, of the measurements."""
    words = query.lower().split()
    if table == "evidence" and words:
        from headway.catalog import SHIPPED
        from headway.evidence import read_rows

        found = [r for _, r in read_rows(SHIPPED / "evidence" / "serving.csv.gz")]
    else:
        found = catalogue().table(TABLES.get(table, table)).rows
    return [r for r in found if all(w in " ".join(r.values()).lower() for w in words)]


_SHOWN = {
    "chips": [
        "name",
        "memory_GB",
        "memory_GBps",
        "bf16_TFLOPS",
        "fp8_TFLOPS",
        "fp4_TFLOPS",
        "price_usd_h",
        "status",
        "date",
    ],
    "traces": ["name", "requests", "hash_tokens", "licence", "what", "date"],
    "trace_columns": ["name", "unit", "meaning", "date"],
    "systems": ["name", "chip", "chips", "scaleup_domain", "scaleup_GBps", "scaleout_Gbps", "price_usd_h", "date"],
    "columns": ["name", "aliases"],
    "models": ["id", "published_total_B", "published_active_B", "release", "aliases"],
    "claims": ["id", "topic", "used", "versions"],
    "rental_medians": [],
    "evidence_sources": ["name", "rows", "licence", "what", "date"],
    "measurements": [
        "system",
        "model",
        "weights_dtype",
        "engine",
        "tp",
        "batch_or_concurrency",
        "isl",
        "osl",
        "ttft_ms_mean",
        "tpot_ms_mean",
        "output_tok_s",
        "date",
    ],
}


def _priced(row: dict[str, str]) -> dict[str, str]:
    """A system without a price of its own has its chip's."""
    number = catalogue().table("chips").find(row.get("chip", ""))
    own = row.get("price_usd_h") or ("" if number is None else catalogue().table("chips").rows[number]["price_usd_h"])
    return {**row, "price_usd_h": own}


def catalogue_text(table: str, rows: Sequence[dict[str, str]]) -> str:
    """Return catalogue rows as an aligned table of the columns that identify them."""
    if not rows:
        return f"no row of {table} matches"
    rows = [_priced(r) for r in rows] if table == "systems" else rows
    heads = [h for h in _SHOWN.get(table) or list(rows[0]) if h in rows[0]]
    every = table == "columns"  # the other names of a column are what it is looked up for: all of them, and as words
    body = [[r.get(h, "").replace("|", ", ") if every else _cut(r.get(h, "")) for h in heads] for r in rows]
    told = f"{units.some(len(rows), 'row')}; --json shows every column with source and date"
    return f"{table_text(heads, body)}\n\n{told}"


def _cut(text: str, limit: int = 48) -> str:
    return text[:limit] + ("…" if len(text) > limit else "")
