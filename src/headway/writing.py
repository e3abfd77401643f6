"""Files written whole: beside the target first, put in its place when all is there; a full disk or a kill costs nothing old.

And files that grow by lines of JSON, each on disk before the next: what a kill leaves half written is cut off, nothing else is.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, Self

from headway.errors import InputError

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@contextlib.contextmanager
def replacing(target: Path, shown: str) -> Generator[Path]:
    """Give a path to write to, and put what is there in the target's place when the block ends well.

    Parameters
    ----------
    target : path
        An existing file keeps its mode; of a link the file that it points to is replaced.
    shown : str
        How messages name it.

    Raises
    ------
    InputError
        When it cannot be written; what was there before stays.
    """
    target = target.resolve()
    half: Path | None = None
    try:
        mode = target.stat().st_mode & 0o7777 if target.exists() else None
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:80]}.", suffix=target.suffix[:20], dir=target.parent)
        os.close(handle)
        half = Path(name)
        yield half
        if mode is None:
            umask = os.umask(0)
            os.umask(umask)
            mode = 0o666 & ~umask
        half.chmod(mode)
        half.replace(target)
    except OSError as error:
        raise InputError(f"{shown}: cannot be written ({error.strerror})") from None
    finally:
        if half is not None:
            half.unlink(missing_ok=True)


def plain_cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula: a text that starts like one gets an apostrophe before it; a number stays."""
    if not isinstance(value, str) or value[:1] not in _FORMULA:
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


class LineFile(ABC):
    """An append-only file of JSON, one value a line.

    A line counts when it is whole and ends in a newline. What a kill left half written is cut off when the file is
    opened again; every other line stays.

    Attributes
    ----------
    path : path
    skipped : list of int
        Lines that are JSON and not what is kept here. [1, from 1]
    """

    START = b"{"  # of the first line
    SAID = ""  # before the path, in what is said
    WHAT = "a line of JSON; name another file"
    LOCKED = "another run is writing to it; wait for it, or name another file"
    GOES_ON = ""
    WAITS = False  # for another who has it open, instead of saying so
    STRICT = False  # a line that is none is refused, not skipped
    NAN = False  # values may be no numbers

    def __init__(self, file: str | Path) -> None:
        self.path = Path(file)
        self.skipped: list[int] = []
        self._stream: BinaryIO | None = None

    @abstractmethod
    def keep(self, found: Any) -> bool:
        """Take what a line says; False when it is not what is kept here."""

    def __enter__(self) -> Self:
        """Open it and read what is there.

        Raises
        ------
        InputError
            When it cannot be opened, is no such file, or another run has it open.
        """
        if self.path.exists() and not self.path.is_file():
            raise InputError(f"{self.SAID}{self.path}: is no regular file; results are kept in one")
        try:
            self._stream = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        except OSError as error:
            raise InputError(f"{self.SAID}{self.path}: cannot be opened ({error.strerror})") from None
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

            fcntl.flock(self._stream, fcntl.LOCK_EX if self.WAITS else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # no such locks on this system
            return
        except OSError:
            self._stream.close()
            raise InputError(f"{self.SAID}{self.path}: {self.LOCKED}") from None

    def _read(self) -> int:
        """Read whole lines and return where they end."""
        assert self._stream is not None
        end, number = 0, 0
        for number, line in enumerate(self._stream, 1):
            if not line.endswith(b"\n"):
                if number == 1 and not self.START.startswith(
                    line[: len(self.START)]
                ):  # not what a kill left of a first line
                    self._none_such(number)
                break
            try:
                found: Any = json.loads(line)
            except (ValueError, RecursionError):
                self._none_such(number)
            if not self.keep(found):
                if self.STRICT:
                    self._none_such(number)
                self.skipped.append(number)
            end += len(line)
        if number and len(self.skipped) == number:
            self._none_such(1)
        return end

    def _none_such(self, line: int) -> NoReturn:
        assert self._stream is not None
        self._stream.close()
        raise InputError(f"{self.SAID}{self.path}: line {line} is not {self.WHAT}")

    def append(self, value: dict[str, Any]) -> None:
        """Append one value; it is on disk when this returns.

        Raises
        ------
        InputError
            When it cannot be written (a full disk); what came before stays.
        """
        assert self._stream is not None
        try:
            self._stream.write(json.dumps(value, ensure_ascii=False, allow_nan=self.NAN).encode() + b"\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise InputError(f"{self.SAID}{self.path}: cannot be written ({error.strerror}){self.GOES_ON}") from None

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()
