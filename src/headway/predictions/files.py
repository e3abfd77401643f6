"""Tables in, tables with predictions out: rows stream through, and an existing file is kept until the new one is whole."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from headway.errors import InputError, quoted
from headway.evidence import COLUMNS, Table, table
from headway.predictions.compared import Compared
from headway.predictions.rows import ADDED, predicted_rows
from headway.writing import plain_cell, replacing

_ENDINGS = (".csv", ".csv.gz", ".tsv", ".txt", ".txt.gz")


def predict_file(
    file: str, out: str, name: str | None = None, progress: Callable[[int], None] | None = None
) -> Mapping[str, Any]:
    """Read a table, write it with predictions, and return counts. Rows stream through: size does not matter.

    Parameters
    ----------
    file, out : str
    name : str
        Engine or profile instead of each row's own.
    progress : callable
        Called with the rows done so far. [rows]

    Returns
    -------
    dict
        rows, answered, refused, reasons with their counts, `unread`: columns that mean nothing to headway, each with the
        known one that it resembles; and `compared`: predictions beside the measurements of the table.

    Raises
    ------
    InputError
        When the file cannot be read, has no row, or the output cannot be written; an existing output is kept then.
    """
    if not out.strip() or os.path.isdir(out):
        raise InputError(f"-o {quoted(out)}: name a file, not a folder")
    if os.path.isfile(out) and os.path.exists(file) and Path(out).samefile(file):
        raise InputError(f"-o {out}: is the table itself; name another file")
    source = opened(file)

    def fill(stream: TextIO) -> dict[str, Any]:
        return write_predictions(source, stream, name, progress)

    target = Path(out).resolve()  # a link's target is written, not the link replaced
    if os.path.exists(target) and not target.is_file():  # a device or a pipe: nothing to keep, nothing to replace
        try:
            with target.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
                return fill(stream)
        except OSError as error:
            raise InputError(f"{out}: cannot be written ({error.strerror})") from None
    if not target.name.lower().endswith(_ENDINGS):
        raise InputError(f"-o {out}: the ending must be one of {', '.join(_ENDINGS)}")
    with replacing(target, out) as half, half.open("wb") as raw:
        # packed without a name or time: what is written is the same every time, and tells of no other file
        packed = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) if target.suffix == ".gz" else raw
        with io.TextIOWrapper(packed, newline="", encoding="utf-8", errors="surrogateescape") as stream:
            return fill(stream)


def opened(file: str) -> Table:
    """Open a table that has at least one row.

    Raises
    ------
    InputError
        When it cannot be read or has no row.
    """
    source = table(file)
    first = next(source.rows, None)
    if first is None:
        raise InputError(f"{file}: has a header and no row")
    return replace(source, rows=itertools.chain([first], source.rows))


def write_predictions(
    source: Table, stream: TextIO, name: str | None = None, progress: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """Write a table's own columns as they came, then `ADDED`; return counts as `predict_file` does.

    Parameters
    ----------
    source : Table
    stream : text file
        Open for writing.
    name : str or None
        Engine or profile instead of each row's own.
    progress : callable or None
        Called with the rows done so far, every hundred and at the end. [rows]
    """
    kept = [(k, t) for k, t in zip(source.keys, source.titles, strict=True) if k not in ADDED]
    keys = [*(k for k, _ in kept), *ADDED]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*(plain_cell(t) for _, t in kept), *ADDED])
    tally = Tally()
    for row in predicted_rows(source.rows, name):
        writer.writerow([plain_cell(row.get(k, "")) for k in keys])
        tally.add(row)
        if progress and tally.rows % 100 == 0:
            progress(tally.rows)
    if progress:
        progress(tally.rows)
    return tally.record(source)


@dataclass
class Tally:
    """Counts of predicted rows: answered, refused and why, and how far they lie from what was measured.

    Attributes
    ----------
    rows, refused : int
        [rows]
    reasons : dict
        Why rows were refused, with how many. [rows]
    compared : Compared
    """

    rows: int = 0
    refused: int = 0
    reasons: dict[str, int] = field(default_factory=dict[str, int])
    compared: Compared = field(default_factory=Compared)

    def add(self, row: Mapping[str, str]) -> None:
        """Take up a row with its predictions."""
        self.rows += 1
        self.compared.add(row)
        if row["refused"]:
            self.refused += 1
            self.reasons[row["refused"]] = self.reasons.get(row["refused"], 0) + 1

    def record(self, source: Table) -> dict[str, Any]:
        """Return the counts of a table, as `predict_file` does."""
        return {
            "rows": self.rows, "answered": self.rows - self.refused, "refused": self.refused, "reasons": self.reasons,
            "unread": source.unread(COLUMNS, ADDED), "compared": self.compared,
        }  # fmt: skip
