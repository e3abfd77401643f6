"""Which column of a trace is what: its title, as the catalogue's `trace_columns` knows it, and the unit that the title states."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from headway.catalog import Catalogue, catalogue
from headway.errors import InputError
from headway.evidence.titles import plain
from headway.simulation.traffic.lines import printable

NEEDED = ("prompt", "output")
_TRAFFIC = (*NEEDED, "arrival", "hash_ids")
_BRACKETED = re.compile(r"\s*[(\[]\s*([^()\[\]]*?)\s*[)\]]\s*$")
_SPELLED = re.compile(r"_([a-z]+)$")
_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "µs", "usec", "micros", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanosecond", "nanoseconds"), "ns"),
}
_SHOWN = 200  # characters of a header in a message


@dataclass(frozen=True, slots=True)
class Found:
    """Where columns stand.

    Attributes
    ----------
    titles : mapping
        Known column -> title as written.
    unit : str
        Of the times of arrival: s, ms, us, ns; "" where the title says none.
    """

    titles: Mapping[str, str]
    unit: str = ""


def find(name: str, titles: Sequence[str]) -> Found:
    """Return where the columns of a trace stand.

    Parameters
    ----------
    name : str
        Of the file (and the line), for the message.
    titles : sequence of str
        As written.

    Raises
    ------
    InputError
        When there is no column of prompts or of answers.
    """
    best = meant(titles, _TRAFFIC, ("arrival",))
    lacking = [c for c in NEEDED if c not in best]
    if lacking:
        raise InputError(f"{name}: {_missing(lacking, titles)}")
    return Found({c: title for c, (title, _) in best.items()}, best["arrival"][1] if "arrival" in best else "")


def meant(titles: Iterable[str], wanted: Sequence[str], timed: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return which title says which column, and the unit that it states: column -> (title, s, ms, us, ns or "").

    Parameters
    ----------
    titles : iterable of str
        As written.
    wanted : sequence of str
        Columns of `trace_columns` that mean something here.
    timed : sequence of str
        Those of them that are times: their titles may state a unit.
    """
    known = _names(catalogue())
    best: dict[str, tuple[int, str, str]] = {}
    for title in titles:
        bracket = _BRACKETED.search(title)
        base, unit = plain(title), ""
        spelled = _SPELLED.search(base)
        if bracket and bracket[1].lower() in _UNITS:
            base, unit = plain(title[: bracket.start()]), _UNITS[bracket[1].lower()]
        elif base not in known and spelled and spelled[1] in _UNITS:
            base, unit = base[: spelled.start()], _UNITS[spelled[1]]
        column, rank = known.get(base, ("", 0))
        if column in wanted and (not unit or column in timed) and (column not in best or rank < best[column][0]):
            best[column] = rank, title, unit
    return {column: (title, unit) for column, (_, title, unit) in best.items()}


def _missing(lacking: Sequence[str], titles: Sequence[str]) -> str:
    known = _names(catalogue())
    near = [
        c for t in titles for c in difflib.get_close_matches(plain(t), list(known), 1, 0.8) if known[c][0] in lacking
    ]
    hint = f"did you mean {' and '.join(dict.fromkeys(near))}? " if near else ""
    return (
        f"no column of {' and '.join(lacking)} lengths; {hint}needed: prompt, output (and arrival, hash_ids), or another name of "
        f"`headway catalog trace_columns`; found: {listed(titles)}"
    )


def listed(titles: Iterable[str]) -> str:
    """Return titles as an error line shows them."""
    here = ", ".join(t for t in titles if t)
    return printable(here if len(here) <= _SHOWN else here[: _SHOWN - 3] + "...") or "nothing"


@functools.lru_cache(maxsize=8)
def _names(facts: Catalogue) -> Mapping[str, tuple[str, int]]:
    """Name -> (column, its place among that column's names)."""
    rows = facts.table("trace_columns").rows
    return {n: (r["name"], i) for r in rows for i, n in enumerate([r["name"], *r["aliases"].split("|")])}
