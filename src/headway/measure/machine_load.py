"""How busy other processes keep the processor while something is measured: a figure without it says less than it seems to."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType

_PROC = Path("/proc")
_STAT = _PROC / "stat"
_PARENT, _TAKEN = (
    1,
    slice(11, 13),
)  # fields of /proc/PID/stat after the name: its parent; its own time in programs and in the kernel
_IDLE = (3, 4)  # of its first line: idle, waiting for a disk
_GUEST = (8, 9)  # counted in user and nice already


class Others:
    """Counts what processes other than this one and its children take, while a block runs.

    Parameters
    ----------
    beside : int or None
        A process that, with all that it has started, is no other either: a server, some of which spin while they wait. [1]

    Attributes
    ----------
    cores : float or None
        Taken by others on average, once the block has ended; None where the system does not tell. [cores]
    """

    def __init__(self, beside: int | None = None) -> None:
        self.cores: float | None = None
        self._beside = beside
        self._busy, self._own, self._start = None, 0.0, 0.0

    def __enter__(self) -> Others:
        self._busy, self._own, self._start = _busy(), self._known(), time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        busy, passed = _busy(), time.monotonic() - self._start
        if busy is not None and self._busy is not None and passed > 0:
            self.cores = max(busy - self._busy - (self._known() - self._own), 0.0) / passed

    def _known(self) -> float:
        return _own() + (0.0 if self._beside is None else _taken(self._beside))


def _busy() -> float | None:
    """Processor time that anybody has taken since the machine started. [s]"""
    try:
        counts = [int(x) for x in _STAT.read_text().split("\n", 1)[0].split()[1:]]
    except (OSError, ValueError):
        return None
    busy = sum(x for i, x in enumerate(counts) if i not in (*_IDLE, *_GUEST))
    return busy / os.sysconf("SC_CLK_TCK")


def _taken(root: int) -> float:
    """Processor time of a process and of those that it and they have started, as far as they still run. [s]"""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for place in _PROC.glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
            pid = int(place.parent.name)
            parents[pid], ticks[pid] = int(fields[_PARENT]), sum(map(int, fields[_TAKEN]))
        except (OSError, ValueError, IndexError):  # it has just ended
            continue

    def belongs(pid: int) -> bool:
        while pid > 1 and pid != root:
            pid = parents.get(pid, 0)
        return pid == root

    return sum(t for pid, t in ticks.items() if belongs(pid)) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """Processor time of this process and of its children that have ended. [s]"""
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system
