"""Who listens at a port of this machine: a server that was started an hour ago is not the one that was started just now."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_LISTENS = "0A"  # state of a socket in /proc/net/tcp
_START = 19  # field of /proc/PID/stat after the name: when it started


@dataclass(frozen=True)
class Listener:
    """A process that listens.

    Attributes
    ----------
    pid : int
        [1]
    name : str
    age : float
        Since it started. [s]
    """

    pid: int
    name: str
    age: float


def listener(port: int) -> Listener | None:
    """Return who listens at a port of this machine; None where the system does not tell.

    Parameters
    ----------
    port : int
        [1]
    """
    sockets = {s for kind in ("tcp", "tcp6") for s in _sockets(_PROC / "net" / kind, port)}
    if not sockets:
        return None
    for place in _PROC.iterdir():
        if place.name.isdigit() and _holds(place, sockets):
            try:
                name = (place / "comm").read_text().strip()
                return Listener(int(place.name), name, _age(place))
            except (OSError, ValueError, IndexError):
                return None
    return None


def _sockets(table: Path, port: int) -> list[str]:
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []
    return [r[9] for r in rows if r[3] == _LISTENS and int(r[1].rpartition(":")[2], 16) == port]


def _holds(place: Path, sockets: set[str]) -> bool:
    try:
        links = (os.readlink(f) for f in (place / "fd").iterdir())
        return any(link.startswith("socket:[") and link[8:-1] in sockets for link in links)
    except OSError:
        return False


def _age(place: Path) -> float:
    since_boot = float((_PROC / "uptime").read_text().split()[0])
    ticks = int((place / "stat").read_text().rpartition(")")[2].split()[_START])
    return max(since_boot - ticks / os.sysconf("SC_CLK_TCK"), 0.0)


def started(one: Listener) -> float:
    """Return when a listener started, since the epoch. [s]"""
    return time.time() - one.age
