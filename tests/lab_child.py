"""A process of its own for the lab: JAX runs threads, and other tests fork."""

from __future__ import annotations

import atexit
import functools
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from headway.workers import end_with_parent


@functools.lru_cache(maxsize=1)
def child():
    pool = ProcessPoolExecutor(1, get_context("spawn"), end_with_parent)
    atexit.register(pool.shutdown, wait=False, cancel_futures=True)
    return pool


def there(function, *given, **named):
    """What a function returns that runs in the lab's process."""
    return child().submit(function, *given, **named).result(timeout=300)
