"""CSV as people's tools write it, one row at a time: nothing is lost, and what cannot be read says where and why."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, cast

from headway import units
from headway.catalog import Row
from headway.errors import InputError
from headway.evidence.cells import number
from headway.evidence.titles import meanings, near

FAULT = "\0"  # key of what is wrong with a row; no header can have it
_UNNAMED = "\0unnamed "  # key of a column without a name (such as a table's own index) or with another's
_LONGEST = 50  # lines that one quoted cell may span: beyond, a stray quote has swallowed its neighbours
_WIDEST = (
    1_000_000  # characters of a record: a file of a gigabyte on one line must not be held to learn that it is no table
)
_MOST_COLUMNS = 10_000
_SHOWN = 200  # characters of a header in a message


@dataclass(frozen=True)
class Table:
    """A table being read.

    Attributes
    ----------
    name : str
    keys : tuple of str
        One per column: the known column that its title means, else the title itself.
    titles : tuple of str
        As written.
    rows : iterator of (place, row)
        A row that cannot be read has the reason under `FAULT`.
    scaled : mapping
        Number of a column in another unit than the known column's -> (known column, factor): its cells stay as they are under
        their title, and are in the row under the known column, too, in its unit.
    """

    name: str
    keys: tuple[str, ...]
    titles: tuple[str, ...]
    rows: Iterator[tuple[str, Row]]
    scaled: Mapping[int, tuple[str, float]] = field(default_factory=dict[int, tuple[str, float]])

    def unread(self, known: Sequence[str], added: Sequence[str] = ()) -> dict[str, str]:
        """Return titles that mean no known column, each with what may have been meant ("" when nothing is near).

        Parameters
        ----------
        known : sequence of str
            Columns that are read.
        added : sequence of str
            Columns that are written: a table that has them is no riddle, and nobody is pointed to them.
        """
        taken = {*self.keys, *(column for column, _ in self.scaled.values())}
        left = [k for k in known if k not in taken]
        return {
            title: near(title, left)
            for i, (key, title) in enumerate(zip(self.keys, self.titles, strict=True))
            if title and key not in known and key not in added and i not in self.scaled
        }


def read_table(file: str | Path, known: Sequence[str], needed: Sequence[str]) -> Table:
    """Open a CSV file (also ``.gz``) and read its header; rows are read as they are asked for.

    Parameters
    ----------
    file : str or Path
    known, needed : sequence of str
        Columns that mean something (in any order and letter case, and by the other names of the catalogue's `columns`), and those
        without which no row can be read.

    Raises
    ------
    InputError
        When the file cannot be opened, is empty or not comma-separated, or a needed column is missing or twice there.
    """
    path = Path(file)
    try:
        # bytes that are not UTF-8 stay in their own cells, and go out as they came in
        opened = gzip.open if path.suffix == ".gz" else open
        stream = cast(TextIO, opened(path, "rt", encoding="utf-8-sig", errors="surrogateescape"))
        lines = _Lines(stream, path.name)
        first = lines.next()
        while first is not None and not first.strip():
            first = lines.next()
    except (OSError, EOFError, zlib.error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error.__class__.__name__
        raise InputError(f"{file}: cannot be read as CSV: {why}") from None
    titles = [t.strip() for t in first.rstrip("\n").split(",")] if first else []
    try:
        titles = (_cells(first) if first else None) or titles
        if not any(titles):
            raise InputError(
                f"{path.name}: is empty; a header like {', '.join(needed)}, ... and one row per case is needed"
            )
        keys, scaled = _keys(path.name, titles, known, needed)
    except csv.Error as error:
        stream.close()
        raise InputError(f"{path.name}: its header is not CSV: {error}") from None
    except InputError:
        stream.close()
        raise
    return Table(path.name, keys, tuple(titles), _rows(lines, path.name, keys, scaled), scaled)


class _Lines:
    """Lines of a stream, some of which may be given back; never more of one than a record can have."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self.stream, self.name, self.back, self.number = stream, name, list[str](), 0

    def next(self) -> str | None:
        """Return the next line; None at the end.

        Raises
        ------
        InputError
            For a line of more characters than any table's: what follows it is not read.
        """
        line = self.back.pop(0) if self.back else self.stream.readline(_WIDEST + 1)
        self.number += bool(line)
        if len(line) > _WIDEST:
            self.stream.close()
            raise InputError(
                f"{self.name} line {self.number}: more than {_WIDEST:,} characters on one line; is it a table with a row per line?"
            )
        return line.replace("\0", "") or None

    def give_back(self, lines: list[str]) -> None:
        """Read these lines again next."""
        self.back[:0] = lines
        self.number -= len(lines)


def _cells(text: str, strict: bool = False) -> list[str] | None:
    """Split one record; None where a quote is open at its end, or (strict) where text follows a closing one.

    Raises
    ------
    csv.Error
        For a cell that is too long.
    """
    try:
        return [c.strip() for c in next(csv.reader([text], strict=True), [])]
    except csv.Error as error:
        if "field larger" in str(error):
            raise
        if strict or "unexpected end" in str(error):
            return None
        return [c.strip() for c in next(csv.reader([text], strict=False), [])]


def _keys(
    name: str, titles: list[str], known: Sequence[str], needed: Sequence[str]
) -> tuple[tuple[str, ...], dict[int, tuple[str, float]]]:
    if any("\udc80" <= c <= "\udcff" for t in titles for c in t):
        raise InputError(f"{name}: cannot be read as UTF-8 CSV (its header holds other bytes)")
    if len(titles) == 1 and any(mark in titles[0] for mark in ";\t|"):
        raise InputError(f"{name}: its columns are not separated by commas; headway reads comma-separated tables")
    if len(titles) > _MOST_COLUMNS:
        raise InputError(f"{name}: {units.some(len(titles), 'column')}; a table has at most {_MOST_COLUMNS:,}")
    keys, scaled = read_as(titles, known)
    lacking = [c for c in needed if c not in keys]
    if lacking:
        here = ", ".join(t for t in titles if t)
        raise InputError(
            f"{name}: column{'s' * (len(lacking) > 1)} {', '.join(lacking)} missing; needed: {', '.join(needed)} (or another name of "
            f"`headway catalog columns`); found: {here if len(here) <= _SHOWN else here[: _SHOWN - 3] + '...'}"
        )
    double = sorted(k for k, times in Counter(keys).items() if times > 1)
    if double:
        raise InputError(f"{name}: column {double[0]!r} appears twice")
    return keys, scaled


def read_as(titles: Sequence[str], known: Sequence[str]) -> tuple[tuple[str, ...], dict[int, tuple[str, float]]]:
    """Return the keys of a table's columns, and which of them are in another unit (as of `Table`).

    Parameters
    ----------
    titles : sequence of str
        As written.
    known : sequence of str
        Columns that mean something.
    """
    meant = meanings(titles, known)
    scaled = {i: m for i, m in meant.items() if m[1] != 1}
    keys: list[str] = []
    taken = set[str]()
    for i, title in enumerate(titles):
        read = i in meant and i not in scaled
        key = meant[i][0] if read else title
        keys.append(f"{_UNNAMED}{i}" if not key or (key in taken and not read) else key)
        taken.add(key)
    return tuple(keys), scaled


def read_mappings(rows: Iterable[Mapping[str, Any]], known: Sequence[str]) -> Iterator[tuple[str, Row]]:
    """Yield (place, row) of rows that are mappings, their keys read as a table's titles are.

    Parameters
    ----------
    rows : iterable of mapping
    known : sequence of str
        Columns that mean something.
    """
    seen: dict[tuple[str, ...], tuple[tuple[str, ...], dict[int, tuple[str, float]]]] = {}
    for i, row in enumerate(rows):
        titles = tuple(map(str, row))
        keys, scaled = seen.setdefault(titles, read_as(titles, known))
        cells = ["" if v is None else str(v) for v in row.values()]
        yield f"row {i + 1}", _scaled(dict(zip(keys, cells, strict=True)), keys, scaled)


def _rows(
    lines: _Lines, name: str, keys: tuple[str, ...], scaled: Mapping[int, tuple[str, float]]
) -> Iterator[tuple[str, Row]]:
    with lines.stream:
        while True:
            line = None
            try:
                line = lines.next()
                if line is None:
                    return
                if not line.strip():
                    continue
                place = f"{name} line {lines.number}"
                cells = _cells(line)
                if cells is None:
                    cells = _closed(line, lines, len(keys))
            except (OSError, EOFError, zlib.error) as error:
                yield (
                    f"{name} line {lines.number + 1}",
                    {FAULT: f"the file breaks off here ({error.__class__.__name__})"},
                )
                return
            except csv.Error as error:
                told = [c.strip() for c in line.rstrip("\n").split(",")] if line else []
                yield f"{name} line {lines.number}", {**dict(zip(keys, told, strict=False)), FAULT: f"not CSV: {error}"}
                continue
            yield place, _scaled(_row(keys, cells, line), keys, scaled)


def _scaled(row: Row, keys: Sequence[str], scaled: Mapping[int, tuple[str, float]]) -> Row:
    for i, (column, factor) in scaled.items():
        row[column] = _times(row.get(keys[i], ""), column, factor)
    return row


def _times(text: str, column: str, factor: float) -> str:
    """A cell in the unit of the column that it means; what is no number stays, and is refused where it is read."""
    try:
        value = number({column: text}, column, math.nan)
    except InputError:
        return text
    return "" if math.isnan(value) else f"{value * factor:.12g}"


def _closed(line: str, lines: _Lines, columns: int) -> list[str] | None:
    """Read on until an open quote closes on a record of the right width; else give the lines back: it was a stray one."""
    taken: list[str] = []
    while len(taken) < _LONGEST and (more := lines.next()) is not None:
        taken.append(more)
        if sum(map(len, taken)) > _WIDEST:
            break
        cells = _cells(line + "".join(taken), strict=True)
        if cells is not None and len(cells) == columns:
            return cells
    lines.give_back(taken)
    return None


def _row(keys: tuple[str, ...], cells: list[str] | None, line: str) -> Row:
    if cells is None:
        cells = [c.strip() for c in line.rstrip("\n").split(",")]  # as much of it as commas tell apart
        return {**dict(zip(keys, cells, strict=False)), FAULT: 'a quote (") is opened and not closed'}
    row = dict(zip(keys, cells, strict=False)) | dict.fromkeys(keys[len(cells) :], "")
    if any(cells[len(keys) :]):
        row[FAULT] = f"more cells than the header has columns: {', '.join(cells[len(keys) :])[:80]}"
    elif not any(cells):
        row[FAULT] = "the row is empty"
    return row
