"""Titles of columns as benchmarks and people write them: the known column that each means, and its unit."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Mapping, Sequence

from headway import units
from headway.catalog import Catalogue, catalogue

_BRACKETED = re.compile(r"\s*[(\[]\s*([^()\[\]]*?)\s*[)\]]\s*$")
_SPELLED = re.compile(r"_(ms|us|s|sec|secs|seconds|milliseconds)$")
_TIMES = {**units.SECONDS.suffixes, "sec": 1.0, "secs": 1.0, "seconds": 1.0, "msec": 1e-3, "milliseconds": 1e-3}
_WORDS = {
    "tokens": ("tokens", "tok", "token"),
    "tok/s": ("tok/s", "tokens/s", "tokens/sec", "token/s", "tok/sec", "tps", "tokens/second", "toks/s"),
    "": ("",),
}


def plain(title: str) -> str:
    """Return a title in lower case, whatever is no letter or digit as one underscore."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


def meanings(titles: Sequence[str], known: Sequence[str]) -> dict[int, tuple[str, float]]:
    """Return what the titles mean: number of the title -> (known column, factor to its unit).

    Parameters
    ----------
    titles : sequence of str
        As written.
    known : sequence of str
        Columns that mean something.

    Notes
    -----
    A title as it is known comes before one in other letters, and that before the other names of the catalogue's `columns`, in
    their order: a table that has several of them is read by one, and the others pass through.
    """
    written = set(titles)
    columns = frozenset(known)
    found: dict[int, tuple[str, float]] = {}
    for number, title in enumerate(titles):
        if title in columns:
            found[number] = title, 1.0
        elif plain(title) in columns and plain(title) not in written:
            found[number] = plain(title), 1.0
    taken = {column for column, _ in found.values()}
    best: dict[str, tuple[int, int, float]] = {}
    for number, title in enumerate(titles):
        meant = None if number in found else _other(title)
        if meant is None or meant[0] in taken or meant[0] not in columns:
            continue
        column, rank, factor = meant
        if factor and (column not in best or rank < best[column][0]):
            best[column] = rank, number, factor
    return found | {number: (column, factor) for column, (_, number, factor) in best.items()}


def near(title: str, known: Sequence[str]) -> str:
    """Return what a title that means nothing may have been meant as: itself with a unit, or a known column; "" for neither."""
    meant = _other(title)
    if meant is not None and meant[0] in known and not meant[2]:
        return f"{_BRACKETED.sub('', title)} (ms)"
    close = difflib.get_close_matches(plain(title), known, 1, 0.75)
    return close[0] if close else ""


def _other(title: str) -> tuple[str, int, float] | None:
    """(column, place among its names, factor) of another name for it; a factor of 0 where a unit lacks or is unknown."""
    names = _names(catalogue())
    bracket = _BRACKETED.search(title)
    base, unit = (plain(title[: bracket.start()]), bracket[1]) if bracket else (plain(title), "")
    spelled = _SPELLED.search(base)
    if base not in names and spelled and not unit:
        base, unit = base[: spelled.start()], spelled[1]
    if base not in names:
        return None
    column, rank, wanted = names[base]
    return column, rank, _factor(unit, wanted)


def _factor(unit: str, wanted: str) -> float:
    if wanted == "ms":
        return _TIMES.get(unit.lower(), 0.0) * 1e3
    return float(not unit or unit.lower() in _WORDS[wanted])


@functools.lru_cache(maxsize=8)
def _names(facts: Catalogue) -> Mapping[str, tuple[str, int, str]]:
    """Name -> (column, its place among that column's names, the column's unit)."""
    return {
        name: (row["name"], rank, row["unit"])
        for row in facts.table("columns").rows
        for rank, name in enumerate(row["aliases"].split("|"))
    }
