"""Worker processes that end with the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def end_with_parent() -> None:
    """Let this worker end as soon as its parent has ended, killed or not: nobody is left to take its results."""
    threading.Thread(target=_watch, daemon=True).start()


def forked(function: Callable[[A], B], jobs: Sequence[A]) -> Iterator[B]:
    """Yield a function of each job in turn, computed on all cores where processes can be forked.

    Parameters
    ----------
    function : callable
        Of a module.
    jobs : sequence
    """
    workers = min(os.cpu_count() or 1, len(jobs))
    if workers < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(function, jobs)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), end_with_parent) as pool:
        yield from pool.map(function, jobs)


def _watch() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
    os._exit(1)
