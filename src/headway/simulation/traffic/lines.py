"""Text of any size, a line at a time: compressed or not, never more of it in memory than one line; and what was wrong where."""

from __future__ import annotations

import functools
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, cast

from headway.errors import InputError, visible

LONGEST_LINE = 16_000_000  # characters of a line or of one element of a JSON list: a conversation has fewer
_MOST_FAULTS = 5
_GZIP = b"\x1f\x8b"


def printable(text: str) -> str:
    """Return a text of a file without what moves a cursor or is no character."""
    return visible(text).encode("utf-8", "replace").decode()


class Faults:
    """What is wrong with lines of a file: one error names the first five."""

    def __init__(self, name: str) -> None:
        self.name, self.found = name, list[str]()

    def add(self, line: int, what: str) -> None:
        """Note a fault; the fifth ends reading.

        Parameters
        ----------
        line : int
            Its number, from 1. [1]
        what : str
            What is wrong, and what would be accepted.
        """
        self.found.append(f"line {line}: {printable(what)}")
        if len(self.found) >= _MOST_FAULTS:
            self._tell(f" (reading stopped after {_MOST_FAULTS} bad lines)")

    def stop(self, line: int, what: str) -> NoReturn:
        """Note a fault after which nothing can be read.

        Parameters
        ----------
        line : int
            Its number, from 1. [1]
        what : str
            What is wrong, and what would be accepted.
        """
        self.found.append(f"line {line}: {printable(what)}")
        self._tell("")

    def raise_any(self) -> None:
        """Raise the error for what was noted, if anything was."""
        if self.found:
            self._tell("")

    def _tell(self, end: str) -> NoReturn:
        raise InputError(f"{self.name} {'; '.join(self.found)}{end}")


class Text:
    """A file that is open as text.

    Attributes
    ----------
    name : str
    line : int
        Lines read so far. [1]
    longest : int
        Of a line. [characters]
    faults : Faults
    """

    def __init__(self, file: str | Path, longest: int = 0) -> None:
        path = Path(file)
        self.longest = longest or LONGEST_LINE
        self.name, self.line = printable(path.name or str(file)), 0
        self.faults = Faults(self.name)
        try:
            raw = path.open("rb")
            packed = raw.peek(2)[:2] == _GZIP
        except (OSError, ValueError) as error:
            why = (isinstance(error, OSError) and error.strerror) or "no file can have this name"
            raise InputError(f"{printable(str(file))}: cannot be read: {why}") from None
        stream = cast(io.BufferedReader, gzip.GzipFile(fileobj=raw)) if packed else raw
        self._closes = raw
        # bytes that are not UTF-8 stay in their own cells, whose fault is told
        self._stream = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape")

    def __enter__(self) -> Text:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._closes.close()

    def read(self, most: int) -> str:
        """Return up to `most` characters more; "" at the end.

        Parameters
        ----------
        most : int
            How many. [characters]
        """
        try:
            return self._stream.read(most)
        except (OSError, EOFError, zlib.error) as error:
            self._broken(error)

    def next(self) -> str:
        """Return the next line, without its end cut off where it is longer than any; "" at the end."""
        try:
            line = self._stream.readline(self.longest + 1)
        except (OSError, EOFError, zlib.error) as error:
            self._broken(error)
        self.line += bool(line)
        return line

    def lines(self, first: str) -> Iterator[str]:
        """Yield a line that was read already, and all that follow.

        Parameters
        ----------
        first : str
            The line.
        """
        following = iter(functools.partial(self._stream.readline, self.longest + 1), "")
        line = first
        try:
            while line:
                if len(line) > self.longest:
                    self.faults.stop(
                        self.line, f"more than {self.longest:,} characters; a request stands on a line of its own"
                    )
                yield line
                line = next(following, "")
                self.line += 1
        except (OSError, EOFError, zlib.error) as error:
            self._broken(error)

    def _broken(self, error: Exception) -> NoReturn:
        self.faults.stop(self.line + 1, f"the file breaks off here ({error.__class__.__name__}); a whole one is needed")
