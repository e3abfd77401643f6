"""Whether a server has become slower, or faster, than it was: its distance from the estimate at each load, against its own past."""

from __future__ import annotations

import contextlib
import json
import statistics
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from headway.errors import InputError

_FEWEST = 8  # readings of the past
_NOW = 3  # readings whose median is now
_LEAST = 0.1  # of the past's median: nearer than that is no drift
_TIMES = 3.0  # standard deviations of the past
_KEPT = 100_000


@dataclass(frozen=True)
class Drift:
    """Where a server stands against its own past.

    Attributes
    ----------
    now, before : float
        Medians of its time of a pass over the estimate: of the last readings, of those before. [times]
    spread : float
        Standard deviation of those before, from their median absolute deviation. [times]
    readings : int
        Of the past. [1]
    """

    now: float
    before: float
    spread: float
    readings: int

    @property
    def ratio(self) -> float:
        """Slower than before where above 1. [times]"""
        return self.now / self.before

    @property
    def drifted(self) -> bool:
        """Whether it is by more than a tenth, and by more than its readings scatter."""
        return abs(self.now - self.before) > max(_LEAST * self.before, _TIMES * self.spread)


class Past:
    """Readings of a server, over the estimate at the load of each: a larger batch is no drift.

    Parameters
    ----------
    file : str or None
        JSON lines of earlier readings, as ``--json`` prints them; new ones are added.
    key : tuple of str
        Model, system and layout: others in the file are left alone.

    Raises
    ------
    InputError
        When the file cannot be read or written, with the line.
    """

    def __init__(self, file: str | None, key: tuple[str, str, str]) -> None:
        self._file, self._key = file, key
        self.ratios: list[float] = []
        if file is not None:
            self.ratios = list(_read(Path(file), key))[-_KEPT:]
            self._mend()

    def drift(self, ratio: float) -> Drift | None:
        """Take in a reading, and return where it stands; None before there are enough.

        Parameters
        ----------
        ratio : float
            Time of a pass over the estimate. [times]
        """
        self.ratios = [*self.ratios, ratio][-_KEPT:]
        past = self.ratios[:-_NOW]
        if len(past) < _FEWEST:
            return None
        before = statistics.median(past)
        apart = 1.4826 * statistics.median(abs(r - before) for r in past)
        return Drift(statistics.median(self.ratios[-_NOW:]), before, apart, len(past))

    def keep(self, record: dict[str, object]) -> None:
        """Add a reading to the file, a line.

        Raises
        ------
        InputError
            When it cannot be written.
        """
        if self._file is not None:
            with _writing(self._file), Path(self._file).open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(record, allow_nan=False) + "\n")

    def _mend(self) -> None:
        """Make the file where there is none, and cut off what was half written when somebody ended it."""
        with _writing(str(self._file)), Path(str(self._file)).open("a+b") as stream:
            stream.seek(0)
            whole = stream.read()
            stream.truncate(whole.rfind(b"\n") + 1)


@contextlib.contextmanager
def _writing(file: str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"--past {file}: cannot be written ({error.strerror})") from None


def _read(file: Path, key: tuple[str, str, str]) -> Iterable[float]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--past {file}: cannot be read ({error.__class__.__name__})") from None
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        try:
            found = json.loads(line)
            ratio, who = found["over_estimate"], (found["model"], found["system"], found["layout"])
        except (ValueError, KeyError, TypeError):
            if number == len(lines) and not text.endswith("\n"):  # broken off while it was written
                continue
            raise InputError(f"--past {file} line {number}: is no reading of headway watch --json") from None
        if who == key and isinstance(ratio, int | float) and ratio > 0:
            yield float(ratio)
