"""The journal of a grid: one line of JSON per finished cell, on disk before the next is counted; a rerun goes on from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from headway.writing import LineFile


def searched(answer: Any) -> bool:
    """Whether an answer is a search's."""
    return isinstance(answer, dict) and isinstance(answer.get("best"), dict) and isinstance(answer.get("fleets"), list)


def _is_result(found: Any, known: Callable[[Any], bool]) -> bool:
    """Whether a line of JSON is what a cell returns: an answer, or why there is none."""
    if not isinstance(found, dict) or not isinstance(found.get("key"), str) or not isinstance(found.get("label"), str):
        return False
    answer, refused = found.get("answer"), found.get("refused")
    if answer is None:
        return isinstance(refused, str)
    return known(answer)


class Journal(LineFile):
    """An append-only file of results; `known` says whether an answer is of the kind that is kept in it."""

    START = b'{"key": "'
    WHAT = "a result of a grid; name another file for the results"
    GOES_ON = "; a rerun goes on from here"

    def __init__(self, file: str | Path, known: Callable[[Any], bool] = searched) -> None:
        super().__init__(file)
        self.known = known
        self.results: dict[str, dict[str, Any]] = {}

    def keep(self, found: Any) -> bool:
        """Take a result; False when a line is none: its cell is computed again."""
        if not _is_result(found, self.known):
            return False
        self.results[found["key"]] = cast(dict[str, Any], found)
        return True

    def add(self, result: dict[str, Any]) -> None:
        """Append one result; it is on disk when this returns."""
        self.append(result)
        self.results[str(result["key"])] = result
