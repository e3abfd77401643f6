"""Benchmarks that were read, as text."""

from __future__ import annotations

from collections.abc import Sequence

from headway import units
from headway.measure.logs import Bench
from headway.tables import table_text

_HEADS = ["run", "requests", "in flight", "in", "out", "TTFT", "TPOT", "request", "out tok/s", "in tok/s"]


def benches_text(benches: Sequence[Bench]) -> str:
    """Return runs as a table, what was assumed of them, and what a prediction still needs."""
    shown = [b for b in benches if b.row]
    lines = [", ".join(dict.fromkeys(b.tool for b in benches)), "", table_text(_HEADS, [_row(b) for b in shown])]
    notes = dict.fromkeys(f"{b.name}: {n}" for b in benches for n in b.notes)
    lacks = dict.fromkeys(c for b in shown for c in b.lacks())
    if lacks:
        lines += ["", f"to predict these: {', '.join(_GIVEN.get(c, f'a column {c}') for c in lacks)}"]
    return "\n".join([*lines, *([""] if notes else []), *(f"! {n}" for n in notes)])


_GIVEN = {"system": "--on", "model": "--model", "batch_or_concurrency": "--concurrency"}


def _row(b: Bench) -> list[str]:
    row = b.row

    def ms(column: str) -> str:
        return units.seconds(row[column] / 1e3) if column in row else ""

    def number(column: str, digits: str = ",.4g") -> str:
        return format(float(row[column]), digits) if column in row else ""

    return [
        b.name, "" if b.run is None else f"{len(b.run):,}", number("batch_or_concurrency"), number("isl"), number("osl"),
        ms("ttft_ms_mean"), ms("tpot_ms_mean"), ms("e2e_ms_mean"), number("output_tok_s"), number("input_tok_s"),
    ]  # fmt: skip
