"""How busy other processes keep the processor while something is measured: a figure without it says less than it seems to."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType

_STAT = Path("/proc/stat")
_IDLE = (3, 4)  # of its first line: idle, waiting for a disk
_GUEST = (8, 9)  # counted in user and nice already


class Others:
    """Counts what processes other than this one and its children take, while a block runs.

    Attributes
    ----------
    cores : float or None
        Taken by others on average, once the block has ended; None where the system does not tell. [cores]
    """

    def __init__(self) -> None:
        self.cores: float | None = None
        self._busy, self._own, self._start = None, 0.0, 0.0

    def __enter__(self) -> Others:
        self._busy, self._own, self._start = _busy(), _own(), time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        busy, passed = _busy(), time.monotonic() - self._start
        if busy is not None and self._busy is not None and passed > 0:
            self.cores = max(busy - self._busy - (_own() - self._own), 0.0) / passed


def _busy() -> float | None:
    """Processor time that anybody has taken since the machine started. [s]"""
    try:
        counts = [int(x) for x in _STAT.read_text().split("\n", 1)[0].split()[1:]]
    except (OSError, ValueError):
        return None
    busy = sum(x for i, x in enumerate(counts) if i not in (*_IDLE, *_GUEST))
    return busy / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """Processor time of this process and of its children that have ended. [s]"""
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system
