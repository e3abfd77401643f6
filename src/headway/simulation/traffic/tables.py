"""Traces as CSV: Azure's, BurstGPT's, anybody's with a header that names prompts and answers."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence

from headway.errors import InputError, quoted
from headway.simulation.traffic.lines import Text
from headway.simulation.traffic.times import Clock
from headway.simulation.traffic.titles import find
from headway.simulation.traffic.traces import Builder


def read_csv(text: Text, first: str, unit: str, most: int, drop_empty: bool) -> Builder:
    """Read a table whose first line is its header; columns are separated by commas, semicolons or tabs.

    Parameters
    ----------
    text : Text
        Open behind its first line.
    first : str
        That line.
    unit : str
        Of numbers of arrival where the title says none: s, ms, us, ns; "": seconds, or what their size tells (`Clock`).
    most : int
        Requests after which reading ends. [1]
    drop_empty : bool
        Whether requests with an answer of 0 tokens are left out.

    Raises
    ------
    InputError
        When it is no such table, or five of its lines are bad.
    """
    titles, rows, start = table(text, first)
    found = find(f"{text.name} line {start}", titles)
    places = {column: titles.index(title) for column, title in found.titles.items()}
    clock = Clock(found.unit or unit) if "arrival" in places else None
    builder = Builder(text.faults, clock, "hash_ids" in places, drop_empty)
    builder.gather(rows, most, lambda chunk: {c: [row[i] for row in chunk] for c, i in places.items()})
    return builder


def table(text: Text, first: str) -> tuple[list[str], Iterator[tuple[int, list[str]]], int]:
    """Return the titles of a table, its rows with the lines that they begin on, and the line of the header.

    Parameters
    ----------
    text : Text
        Open behind its first line.
    first : str
        That line.
    """
    if "\0" in first:
        raise InputError(f"{text.name}: holds bytes that are no text; CSV, JSON lines or JSON are read, also as .gz")
    mark = next((m for m in ",;\t" if m in first), ",")
    start = text.line
    reader = csv.reader(text.lines(first), delimiter=mark)
    titles = [t.strip() for t in _next(text, reader) or []]
    return titles, _rows(text, reader, len(titles), start), start


def _rows(text: Text, reader: Iterator[list[str]], width: int, start: int) -> Iterator[tuple[int, list[str]]]:
    """Rows with the lines that they begin on; a row of another width than the header's is noted."""
    lines: Callable[[], int] = lambda: reader.line_num + start  # type: ignore[attr-defined]  # noqa: E731
    line = lines()
    while (row := _next(text, reader)) is not None:
        if len(row) == width:
            yield line, row
        elif any(cell.strip() for cell in row):
            _note_width(text, line, row, width)
        line = lines()


def _note_width(text: Text, line: int, row: Sequence[str], width: int) -> None:
    text.faults.add(line, f"{len(row)} cells, {width} in the header; as many are needed (begins {quoted(row[0][:40])})")


def _next(text: Text, reader: Iterator[list[str]]) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        text.faults.stop(text.line, f"not CSV: {error} (is a quote left open above?)")
