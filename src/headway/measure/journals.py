"""Results of a sweep on disk as they come: a line each, after a first that says of what; a rerun goes on from there."""

from __future__ import annotations

import json
from typing import Any, cast

from headway.errors import InputError
from headway.writing import LineFile


class Lines(LineFile):
    """A file of results.

    Parameters
    ----------
    file : str
        One that is there goes on, if it is of the same sweep.
    """

    START = b'{"url": '
    SAID = "--journal "
    WHAT = "of a sweep; name another file"
    STRICT = True
    NAN = True  # what a run could not tell

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.rows: list[dict[str, Any]] = []
        self._head: dict[str, Any] | None = None

    def keep(self, found: Any) -> bool:
        """Take the first line, that says of what the results are, or a result."""
        if not isinstance(found, dict):
            return False
        row = cast(dict[str, Any], found)
        if self._head is None:
            self._head = row
            return "sweep" in row
        self.rows.append(row)
        return {"kind", "key", "found"} <= set(row)

    def head(self, said: dict[str, Any]) -> None:
        """Say of what the results are.

        Parameters
        ----------
        said : dict

        Raises
        ------
        InputError
            When those that are there are of another sweep.
        """
        said = json.loads(json.dumps(said))
        if self._head is None:
            self.append(said)
        elif self._head != said:
            other = next(k for k in said if self._head.get(k) != said[k])
            raise InputError(f"--journal {self.path}: is of another {other}; name another file for these results")
