"""The journal of a grid: one line of JSON per finished cell, on disk before the next is counted; a rerun goes on from it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, cast

from headway.errors import InputError

_START = b'{"key": "'  # of every line


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


class Journal:
    """An append-only file of results.

    A line counts when it is whole and ends in a newline. What a kill left half written is cut off when the file is
    opened again; every other line stays. `known` says whether an answer is of the kind that is kept in it.
    """

    def __init__(self, file: str | Path, known: Callable[[Any], bool] = searched) -> None:
        self.path, self.known = Path(file), known
        self.results: dict[str, dict[str, Any]] = {}
        self.skipped: list[int] = []  # lines that are JSON and no result: computed again
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Journal:
        """Open it and read what is there.

        Raises
        ------
        InputError
            When it cannot be opened, is no journal, or another run has it open.
        """
        if self.path.exists() and not self.path.is_file():
            raise InputError(f"{self.path}: is no regular file; results are kept in one")
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
        end, number = 0, 0
        for number, line in enumerate(self._stream, 1):
            if not line.endswith(b"\n"):
                if number == 1 and not _START.startswith(line[: len(_START)]):  # not what a kill left of a first result
                    self._no_journal(number)
                break
            try:
                found: Any = json.loads(line)
            except (ValueError, RecursionError):
                self._no_journal(number)
            if _is_result(found, self.known):
                self.results[found["key"]] = cast(dict[str, Any], found)
            else:
                self.skipped.append(number)
            end += len(line)
        if number and len(self.skipped) == number:
            self._no_journal(1)
        return end

    def _no_journal(self, line: int) -> NoReturn:
        assert self._stream is not None
        self._stream.close()
        raise InputError(f"{self.path}: line {line} is not a result of a grid; name another file for the results")

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
