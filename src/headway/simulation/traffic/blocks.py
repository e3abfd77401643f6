"""Identities of prompts' blocks as files write them: numbers, runs of numbers, or names."""

from __future__ import annotations

from array import array
from typing import Any, cast

import numpy as np

from headway.errors import InputError, quoted
from headway.simulation.requests import Ints

MOST = 50_000_000  # held at once: 400 MB
_LONGEST_RUN = 1_000_000
_ACCEPTED = "a list like [0, 46, 47] or runs like 0 46-47"


class Blocks:
    """Collects identities of one request after another. Whole numbers stay as they are; other names get numbers below 0."""

    def __init__(self) -> None:
        self._ids, self._counts = array("q"), array("q")
        self._named: dict[int | str, int] = {}

    def add(self, cell: Any) -> None:
        """Add those of the next request.

        Parameters
        ----------
        cell : list or str or None
            As the file has it.

        Raises
        ------
        InputError
            When it is no list of identities; nothing is added then.
        """
        ids = _of_text(cell) if isinstance(cell, str) else [] if cell is None else cell
        if not isinstance(ids, list):
            raise InputError(f"hash_ids is {quoted(cell)}; {_ACCEPTED} is needed")
        found = array("q")
        try:
            found.fromlist(cast("list[int]", ids))  # all of them or none
            whole = not found or (min(found) >= 0 and bool not in set(map(type, ids)))
        except (TypeError, OverflowError):
            whole = False
        found = found if whole else array("q", [self._number(i) for i in ids])
        if len(self._ids) + len(found) > MOST:
            raise InputError(f"more than {MOST:,} block identities; cut the file into pieces")
        self._ids.extend(found)
        self._counts.append(len(found))

    def _number(self, identity: object) -> int:
        if isinstance(identity, bool) or not isinstance(identity, int | str) or identity == "":
            raise InputError(f"hash_ids holds {quoted(identity)}; whole numbers or names are needed")
        if isinstance(identity, int) and 0 <= identity < 2**63:
            return identity
        return self._named.setdefault(identity, -1 - len(self._named))

    def columns(self) -> tuple[Ints, Ints]:
        """Return identities, and where each request's begin (one entry more than requests). None at all: two empty columns."""
        counts = np.array(self._counts, dtype=np.int64)
        if not len(self._ids):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        return np.array(self._ids, dtype=np.int64), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _of_text(text: str) -> list[int | str]:
    found: list[int | str] = []
    for word in text.strip().strip("[]").replace(",", " ").replace('"', " ").replace("'", " ").split():
        first, dash, last = word.partition("-")
        if word.isdecimal():
            found.append(int(word) if len(word) < 19 else word)
        elif dash and first.isdecimal() and last.isdecimal() and len(word) < 40:
            if not int(first) <= int(last) < int(first) + _LONGEST_RUN:
                raise InputError(
                    f"hash_ids holds the run {quoted(word)}; a run goes up, by fewer than {_LONGEST_RUN:,}"
                )
            found += range(int(first), int(last) + 1)
        else:
            found.append(word)
    return found


def picked(hashes: Ints, first: Ints, which: Ints) -> tuple[Ints, Ints]:
    """Return the identities of some requests, in their order.

    Parameters
    ----------
    hashes, first : array of int
        As of `Requests`; empty ones stay empty.
    which : array of int
        Indices of requests. [1]
    """
    if not len(first):
        return hashes, first
    counts = np.diff(first)[which]
    begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return hashes[np.arange(begins[-1]) + np.repeat(first[which] - begins[:-1], counts)], begins
