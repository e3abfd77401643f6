"""The journal of a grid: one line of JSON per finished cell, on disk before the next is counted; a rerun goes on from it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

from headway.errors import InputError


class Journal:
    """An append-only file of results.

    A line counts when it is whole and ends in a newline. What a kill left half written is cut off when the file is
    opened again; every other line stays.
    """

    def __init__(self, file: str | Path) -> None:
        self.path = Path(file)
        self.results: dict[str, dict[str, Any]] = {}
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Journal:
        """Open it and read what is there.

        Raises
        ------
        InputError
            When it cannot be opened, is no journal, or another run has it open.
        """
        try:
            self._stream = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        except OSError as error:
            raise InputError(f"{self.path}: cannot be opened ({error.strerror})") from None
        self._lock()
        whole = self._read()
        self._stream.seek(whole)
        self._stream.truncate()
        return self

    def _lock(self) -> None:
        """Keep a second run from writing into the same file; the lock goes with the process."""
        assert self._stream is not None
        try:
            import fcntl

            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # no such locks on this system
            return
        except OSError:
            self._stream.close()
            raise InputError(f"{self.path}: another run is writing to it; wait for it, or name another file") from None

    def _read(self) -> int:
        """Read whole lines and return where they end."""
        assert self._stream is not None
        end = 0
        for number, line in enumerate(self._stream):
            if not line.endswith(b"\n"):
                break
            try:
                found = json.loads(line)
                self.results[str(found["key"])] = cast(dict[str, Any], found)
            except (ValueError, KeyError, TypeError):
                self._stream.close()
                raise InputError(
                    f"{self.path}: line {number + 1} is not a result of a grid; name another file for the results"
                ) from None
            end += len(line)
        return end

    def add(self, result: dict[str, Any]) -> None:
        """Append one result; it is on disk when this returns.

        Raises
        ------
        InputError
            When it cannot be written (a full disk); what came before stays.
        """
        assert self._stream is not None
        try:
            self._stream.write(json.dumps(result, ensure_ascii=False, allow_nan=False).encode() + b"\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written ({error.strerror}); a rerun goes on from here") from None
        self.results[str(result["key"])] = result

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()
