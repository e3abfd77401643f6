"""A simulation as a trace for https://ui.perfetto.dev: Chrome's trace events, written one after another.

A process per replica: its passes on one track, seats on tracks below it (a request's prompt and decode on the first that is free),
requests that wait as asynchronous slices, and counters.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from headway._version import __version__
from headway.errors import InputError
from headway.simulation.results import Simulated
from headway.simulation.run import Passes
from headway.simulation.timeline import LEVELS, under_way
from headway.writing import replacing

MOST = 2_000_000  # events, some 250 MB: more than that a browser opens slowly or not at all
_PIECE = 1 << 14  # events that are held at a time
_OF_A_RUN = 1 + 2 * (len(LEVELS) + 1)  # events at the most: a slice, counters when it begins and when nothing follows
_OF_A_REQUEST = 7  # its wait (two), prompt, decode, waiting requests when it comes and boards, a seat's name
_GZIP = 5  # level

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Written:
    """A trace on disk.

    Attributes
    ----------
    path : path
    events : int
        In the file. [events]
    until : float
        Passes and requests that began before it are there. [s]
    whole : bool
        Nothing was left out.
    """

    path: Path
    events: int
    until: float
    whole: bool


def check_trace(file: str | Path) -> Path:
    """Return the path of a trace to write, before anything is computed for it.

    Raises
    ------
    InputError
        For another ending, a folder that is not there, or a .json file that is there and is no trace.
    """
    path = Path(file)
    if not path.name.lower().endswith((".json", ".json.gz")):
        raise InputError(f"--perfetto {path}: the ending must be .json or .json.gz")
    if not path.parent.is_dir():
        raise InputError(f"--perfetto {path}: there is no folder {path.parent}")
    if path.suffix.lower() == ".json" and path.is_file() and not _is_trace(path):
        raise InputError(f"--perfetto {path}: is there and is no trace; name another file")
    return path


def _is_trace(path: Path) -> bool:
    try:
        with path.open("rb") as opened:
            return b'"traceEvents"' in opened.read(4096)
    except OSError:
        return False


def write_trace(s: Simulated, file: str | Path, most: int = MOST) -> Written:
    """Write a simulation as trace events, as many of its first as `most` holds; a name that ends in .gz compressed.

    Parameters
    ----------
    s : Simulated
    file : path
        Ends in ``.json`` or ``.json.gz``.
    most : int
        Events. [events]

    Raises
    ------
    InputError
        As `check_trace`, or when it cannot be written; what was there before stays.
    """
    path, until, number = check_trace(file), _until(s, most), 0
    said = {"generator": f"headway {__version__}", "model": s.deployment.setting.model.name,
            "system": s.deployment.setting.system.name, "layout": str(s.deployment.layout), "traffic": s.log.requests.name}  # fmt: skip
    with replacing(path, f"--perfetto {path}") as half, _opened(half, path) as out:
        out.write(f'{{"displayTimeUnit":"ms","otherData":{json.dumps(said)},"traceEvents":[')
        for piece in _joined(_events(s, until)):
            out.write((",\n" if number else "\n") + ",\n".join(piece))
            number += len(piece)
        out.write("\n]}\n")
    return Written(path, number, min(until, s.log.now), until > s.log.now)


@contextlib.contextmanager
def _opened(half: Path, path: Path) -> Generator[IO[str]]:
    """A text to write to; compressed it says no name and no time, so that the same run is the same file."""
    if path.suffix.lower() != ".gz":
        with half.open("w", encoding="utf-8") as out:
            yield out
        return
    with (
        half.open("wb") as raw,
        gzip.GzipFile("", "wb", _GZIP, raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8") as out,
    ):
        yield out


def _joined(events: Iterator[str]) -> Iterator[list[str]]:
    piece: list[str] = []
    for event in events:
        piece.append(event)
        if len(piece) == _PIECE:
            yield piece
            piece = []
    if piece:
        yield piece


def _until(s: Simulated, most: int) -> float:
    """Before when passes and requests begin that are written: all of them, or as many as fit."""
    log = s.log
    runs = [p.start for p in log.passes]
    came = log.arrival[np.isfinite(log.arrival)]
    times = np.concatenate([*runs, came])
    weights = np.repeat([_OF_A_RUN, _OF_A_REQUEST], [len(times) - len(came), len(came)])
    fixed = sum(1 for _ in _names(s))
    if fixed + int(weights.sum()) <= most:
        return float("inf")
    order = np.argsort(times, kind="stable")
    fits = int(np.searchsorted(np.cumsum(weights[order]), most - fixed, side="right"))
    return float(times[order[fits]])


def _events(s: Simulated, until: float) -> Iterator[str]:
    yield from _names(s)
    for number, p in enumerate(s.log.passes):
        mine = (s.log.replica == number) & (s.log.arrival < until) & ~s.log.rejected
        yield from _passes(p, number + 1, until, 1 + s.deployment.setting.drafts * (number >= s.deployment.fronts))
        yield from _waiting(s, number, until)
        yield from _requests(s, np.flatnonzero(mine), number + 1)


def _event(kind: str, name: str, process: int, at: int, **more: Any) -> str:
    """One event; moments in nanoseconds, which the format writes as microseconds."""
    return json.dumps({"ph": kind, "name": name, "pid": process, "ts": at / 1000} | more, separators=(",", ":"))


def _names(s: Simulated) -> Iterator[str]:
    for process in range(1, len(s.log.passes) + 1):
        yield _event("M", "process_name", process, 0, args={"name": f"replica {process - 1}"})
        yield _event("M", "thread_name", process, 0, tid=0, args={"name": "passes"})


def _nano(seconds: NDArray[np.float64]) -> Ints:
    return np.rint(1e9 * seconds).astype(np.int64)


def _passes(p: Passes, process: int, until: float, new: int) -> Iterator[str]:
    """Runs of passes as slices, and what they know as counters; 0 where no pass runs."""
    start, end = _nano(p.start), _nano(p.start + p.seconds)
    end[:-1] = np.minimum(end[:-1], start[1:])  # rounding must not let slices of a track overlap
    counters: list[tuple[str, Ints]] = [(name, of(p)) for name, of in LEVELS.items()]
    counters.append(("new tokens", p.tokens // np.maximum(p.count, 1)))
    before = dict.fromkeys((name for name, _ in counters), -1)
    idle = 0

    def counted(at: int, value_of: Callable[[Ints], int]) -> Iterator[str]:
        for name, column in counters:
            value = value_of(column)
            if value != before[name]:
                before[name] = value
                yield _event("C", name, process, at, args={"in a pass": value})

    for i in range(int(np.searchsorted(p.start, until))):
        a, b = int(start[i]), int(end[i])
        if i and a > idle:
            yield from counted(idle, lambda _: 0)
        riders, count, tokens = int(p.decoding[i]), int(p.count[i]), int(p.tokens[i])
        prompts = tokens - riders * new * count
        name = " + ".join([f"decode x{riders}"] * (riders > 0) + ["prompts"] * (prompts > 0)) or "pass"
        args = {"sequences": riders, "passes": count, "new_tokens": tokens, "prompt_tokens": prompts}
        yield _event("X", name, process, a, tid=0, dur=(b - a) / 1000, args=args)
        yield from counted(a, lambda column, i=i: int(column[i]))
        idle = b
    yield from counted(idle, lambda _: 0)


def _waiting(s: Simulated, number: int, until: float) -> Iterator[str]:
    """How many wait on a replica, whenever that changes."""
    log = s.log
    arrival = np.where((log.replica == number) & (log.arrival < until), log.arrival, np.nan)
    level = under_way(arrival, log.start, log)
    times = _nano(level.times)
    last = np.flatnonzero(np.diff(times, append=times[-1:] + 1))  # of each moment
    for i in last.tolist():
        yield _event("C", "waiting", number + 1, int(times[i]), args={"requests": int(level.values[i])})


def _requests(s: Simulated, mine: Ints, process: int) -> Iterator[str]:
    """Requests in order of boarding: what each waited, and its prompt and decode on the first free seat."""
    log, r = s.log, s.log.requests
    start = np.nan_to_num(log.start[mine], nan=np.inf)
    free: list[int] = []
    taken: list[tuple[int, int]] = []
    seats = 0
    for i in mine[np.argsort(start, kind="stable")].tolist():
        came, boards, first, end = (_moment(float(v[i]), log.now) for v in (log.arrival, log.start, log.first, log.end))
        args = {"request": i, "prompt": int(r.prompt[i]), "output": int(r.output[i])}
        args |= {"preempted": int(log.preempted[i])} if log.preempted[i] else {}
        yield _event("b", "queued", process, came, cat="queue", id=str(i), args=args)
        yield _event("e", "queued", process, boards, cat="queue", id=str(i))
        if not np.isfinite(log.start[i]):
            continue
        while taken and taken[0][0] <= boards:
            heappush(free, heappop(taken)[1])
        if not free:
            seats += 1
            heappush(free, seats)
            yield _event("M", "thread_name", process, 0, tid=seats, args={"name": f"seat {seats}"})
        seat = heappop(free)
        heappush(taken, (end, seat))
        yield _event("X", "prompt", process, boards, tid=seat, dur=(first - boards) / 1000, args=args)
        if np.isfinite(log.first[i]) and end > first:
            yield _event("X", "decode", process, first, tid=seat, dur=(end - first) / 1000, args=args)


def _moment(when: float, now: float) -> int:
    """A moment in nanoseconds; of what has not come, the end."""
    return round(1e9 * (when if np.isfinite(when) else now))
