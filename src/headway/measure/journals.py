"""Results of a sweep on disk as they come: a line each, after a first that says of what; a rerun goes on from there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

from headway.errors import InputError


class Lines:
    """A file of results.

    Parameters
    ----------
    file : str
        One that is there goes on, if it is of the same sweep.
    """

    def __init__(self, file: str) -> None:
        self.path = Path(file)
        self.rows: list[dict[str, Any]] = []
        self._head: dict[str, Any] | None = None
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Lines:
        """Open it and read what is there; a line that a kill left half written is cut off.

        Raises
        ------
        InputError
            When it cannot be opened, or is something else.
        """
        try:
            self._stream = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        except OSError as error:
            raise InputError(f"--journal {self.path}: cannot be opened ({error.strerror})") from None
        whole = 0
        for number, line in enumerate(self._stream, 1):
            if not line.endswith(b"\n"):
                break
            self._read(line, number)
            whole += len(line)
        self._stream.seek(whole)
        self._stream.truncate()
        return self

    def _read(self, line: bytes, number: int) -> None:
        try:
            found: Any = json.loads(line)
        except ValueError:
            found = None
        good = isinstance(found, dict) and ("sweep" in found if number == 1 else {"kind", "key", "found"} <= set(found))
        if not good:
            self._close()
            raise InputError(f"--journal {self.path}: line {number} is not of a sweep; name another file")
        if number == 1:
            self._head = cast(dict[str, Any], found)
        else:
            self.rows.append(cast(dict[str, Any], found))

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
            self._write(said)
        elif self._head != said:
            other = next(k for k in said if self._head.get(k) != said[k])
            raise InputError(f"--journal {self.path}: is of another {other}; name another file for these results")

    def add(self, row: dict[str, Any]) -> None:
        """Keep a result; it is on disk when this returns.

        Parameters
        ----------
        row : dict
        """
        self._write(row)

    def _write(self, row: dict[str, Any]) -> None:
        assert self._stream is not None
        try:
            self._stream.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise InputError(f"--journal {self.path}: cannot be written ({error.strerror})") from None

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
