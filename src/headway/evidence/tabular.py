"""CSV as people's tools write it, one row at a time: nothing is lost, and what cannot be read says where and why."""

from __future__ import annotations

import csv
import difflib
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from headway.catalog import Row
from headway.errors import InputError

FAULT = "\0"  # key of what is wrong with a row; no header can have it
_UNNAMED = "\0unnamed "  # key of a column without a name (such as a table's own index) or with another's
_LONGEST = 50  # lines that one quoted cell may span: beyond, a stray quote has swallowed its neighbours
_WIDEST = (
    1_000_000  # characters of a record: a file of a gigabyte on one line must not be held to learn that it is no table
)
_MOST_COLUMNS = 10_000


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
    """

    name: str
    keys: tuple[str, ...]
    titles: tuple[str, ...]
    rows: Iterator[tuple[str, Row]]

    def unread(self, known: Sequence[str]) -> dict[str, str]:
        """Return titles that mean no known column, each with the nearest known one ("" when none is near)."""
        found: dict[str, str] = {}
        for key, title in zip(self.keys, self.titles, strict=True):
            if title and key not in known:
                near = difflib.get_close_matches(_plain(title), [k for k in known if k not in self.keys], 1, 0.75)
                found[title] = near[0] if near else ""
        return found


def _plain(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


def read_table(file: str | Path, known: Sequence[str], needed: Sequence[str]) -> Table:
    """Open a CSV file (also ``.gz``) and read its header; rows are read as they are asked for.

    Parameters
    ----------
    file : str or Path
    known, needed : sequence of str
        Columns that mean something (any order and letter case), and those without which no row can be read.

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
        keys = _keys(path.name, titles, known, needed)
    except csv.Error as error:
        stream.close()
        raise InputError(f"{path.name}: its header is not CSV: {error}") from None
    except InputError:
        stream.close()
        raise
    return Table(path.name, keys, tuple(titles), _rows(lines, path.name, keys))


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


def _keys(name: str, titles: list[str], known: Sequence[str], needed: Sequence[str]) -> tuple[str, ...]:
    if any("\udc80" <= c <= "\udcff" for t in titles for c in t):
        raise InputError(f"{name}: cannot be read as UTF-8 CSV (its header holds other bytes)")
    if len(titles) == 1 and any(mark in titles[0] for mark in ";\t|"):
        raise InputError(f"{name}: its columns are not separated by commas; headway reads comma-separated tables")
    if len(titles) > _MOST_COLUMNS:
        raise InputError(f"{name}: {len(titles):,} columns; a table has at most {_MOST_COLUMNS:,}")
    keys: list[str] = []
    written, taken = set(titles), set[str]()
    for number, title in enumerate(titles):
        meant = title if title in known or _plain(title) not in known or _plain(title) in written else _plain(title)
        again = meant in taken and meant not in known
        keys.append(f"{_UNNAMED}{number}" if again or not meant else meant)
        taken.add(meant)
    lacking = [c for c in needed if c not in keys]
    if lacking:
        here = [k for k in keys if k in known]
        raise InputError(
            f"{name}: column{'s' * (len(lacking) > 1)} {', '.join(lacking)} missing; needed: {', '.join(needed)}; "
            f"found: {', '.join(here) or 'none that headway knows'}"
        )
    double = sorted(k for k, times in Counter(keys).items() if times > 1)
    if double:
        raise InputError(f"{name}: column {double[0]!r} appears twice")
    return tuple(keys)


def _rows(lines: _Lines, name: str, keys: tuple[str, ...]) -> Iterator[tuple[str, Row]]:
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
            yield place, _row(keys, cells, line)


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
