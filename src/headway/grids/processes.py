"""Local worker processes for cells: one result at a time over a pipe of its own, so that a killed worker is heard at once.

The standard pool shares one queue among its workers; one that is killed while it sends leaves the pool waiting for the rest of a
message for ever. With a pipe each, whose far end only the worker holds, a worker's death ends the message.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Generator, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, cast

from headway.errors import LostWorkerError
from headway.grids.work import KEPT, Cell, Result, solved
from headway.workers import end_with_parent


def solved_by(count: int, cells: Sequence[Cell]) -> Iterator[Result]:
    """Solve cells on worker processes and give each result as it comes; the workers end when this ends, however it does.

    Parameters
    ----------
    count : int
        Processes, at most as many as cells. [1]
    cells : sequence of Cell

    Raises
    ------
    LostWorkerError
        When a process was killed.
    """
    waiting = iter(cells)
    workers: dict[Connection, SpawnProcess] = {}
    try:
        with _deaf_to_interrupts():  # workers inherit it: Ctrl-C is this process's to answer
            for _ in range(count):
                near, process = _start()
                workers[near] = process
        busy = {near for near in workers if _give(near, waiting)}
        while busy:
            for near in cast(list[Connection], wait(list(busy))):
                result = _heard(near)
                if not _give(near, waiting):
                    busy.discard(near)
                if isinstance(result, BaseException):
                    raise result
                yield result
    finally:
        for near, process in workers.items():
            process.kill()
            near.close()
        for process in workers.values():
            process.join()


def _start() -> tuple[Connection, SpawnProcess]:
    """Start one worker; its end of the pipe is closed here, so that only its life keeps the pipe open."""
    spawn = get_context("spawn")
    near, far = spawn.Pipe()
    process = spawn.Process(target=_work, args=(far,), daemon=True)
    process.start()
    far.close()
    return near, process


def _give(near: Connection, waiting: Iterator[Cell]) -> bool:
    """Hand the next cell to a worker; return whether there was one."""
    cell = next(waiting, None)
    if cell is None:
        return False
    with contextlib.suppress(OSError):  # it died between two cells: that is heard where its result is awaited
        near.send(cell)
    return True


def _heard(near: Connection) -> Any:
    try:
        return near.recv()
    except (EOFError, OSError):
        raise LostWorkerError(f"a worker was killed; {KEPT}") from None


def _work(far: Connection) -> None:
    """Solve what comes until the pipe ends, in the worker process."""
    end_with_parent()
    with contextlib.suppress(EOFError, OSError):  # the parent left
        while True:
            cell = far.recv()
            try:
                result: Any = solved(cell)
            except Exception as error:  # the parent's to raise, whatever it is
                result = error
            far.send(result)


@contextlib.contextmanager
def _deaf_to_interrupts() -> Generator[None]:
    """Hold Ctrl-C back for a moment; processes started meanwhile never hear it, this one does afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # no such thing on this system
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # a first spawn would start it, and that lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
