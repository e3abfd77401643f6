"""Short benchmarks of the machine at hand in NumPy: memory bandwidth as STREAM measures it, and matrix products.

Every function returns the seconds of each repetition beside what one moves or multiplies; whoever asks says which counts.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_BLOCK = (
    131_072  # numbers of a triad that are worked on at a time: what lies between its two operations stays in the cache
)
_LEAST = 256_000_000  # bytes of an array, where the caches are small
_TIMES_CACHE = 4  # STREAM's rule for the size of an array
_SHORTEST = 0.02  # seconds of a product: shorter ones time the call
_LARGEST = 8192  # rows of a product

STREAMS = ("read", "copy", "triad")


@dataclass(frozen=True, slots=True)
class Timed:
    """Repetitions of one thing.

    Attributes
    ----------
    amount : float
        Of each. [bytes or FLOP]
    seconds : tuple of float
        Of each. [s]
    size : int
        Of an array, or rows of a product. [bytes or rows]
    """

    amount: float
    seconds: tuple[float, ...]
    size: int

    @property
    def rate(self) -> float:
        """Of the shortest repetition: others only ever add. [bytes/s or FLOP/s]"""
        return self.amount / min(self.seconds)


def cores() -> int:
    """Return the cores that this process may use. [1]"""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> float:
    """Return the bytes of physical memory."""
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def last_cache() -> int:
    """Return the bytes of the largest cache that the system tells of; 0 where it tells of none."""
    sizes = [0]
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        try:
            said = file.read_text().strip()
            sizes.append(int(said.rstrip("KMG")) << {"K": 10, "M": 20, "G": 30}.get(said[-1:], 0))
        except (OSError, ValueError):
            continue
    return max(sizes)


def array_bytes() -> int:
    """Return the size of a STREAM array: four times the last cache, and no more than a twelfth of memory. [bytes]"""
    return int(min(max(_LEAST, _TIMES_CACHE * last_cache()), memory_bytes() / 12)) // 8 * 8


def repeated(action: Callable[[], object], spend: float, least: int = 3) -> tuple[float, ...]:
    """Return the times of repetitions after one that warms up. [s]

    Parameters
    ----------
    action : callable
    spend : float
        Repeat until so much has passed. [s]
    least : int
        Repetitions at the least. [1]
    """
    action()
    found: list[float] = []
    end = time.perf_counter() + spend
    while len(found) < least or time.perf_counter() < end:
        start = time.perf_counter()
        action()
        found.append(time.perf_counter() - start)
    return tuple(found)


def streams(size: int, threads: int, spend: float = 0.3, kinds: tuple[str, ...] = STREAMS) -> dict[str, Timed]:
    """Return STREAM's bandwidths: reading one array, copying one, and a + s b into a third (each array counts once).

    Parameters
    ----------
    size : int
        Of an array. [bytes]
    threads : int
        Each works on its own part. [1]
    spend : float
        On each kind. [s]
    kinds : tuple of str
        Of `STREAMS`.

    Notes
    -----
    J. D. McCalpin, STREAM (1995): bytes that a program reads and writes, without those that a cache fetches before it writes.
    A read is a scalar product of an array with itself.
    """
    count = size // 8
    a, b, c = np.ones(count), np.ones(count if len(kinds) > 1 else 1), np.ones(count if len(kinds) > 1 else 1)
    cuts = [count * i // threads for i in range(threads + 1)]
    parts = [slice(x, y) for x, y in itertools.pairwise(cuts)]

    def triad(part: slice) -> None:
        between = np.empty(_BLOCK)
        for at in range(part.start, part.stop, _BLOCK):
            here = slice(at, min(at + _BLOCK, part.stop))
            held = between[: here.stop - at]
            np.multiply(b[here], 3.0, out=held)
            np.add(held, c[here], out=a[here])

    works: dict[str, tuple[int, Callable[[slice], object]]] = {
        "read": (1, lambda part: np.dot(a[part], a[part])),
        "copy": (2, lambda part: np.copyto(b[part], a[part])),
        "triad": (3, triad),
    }
    with ThreadPoolExecutor(threads) as pool:
        return {
            kind: Timed(arrays * count * 8, repeated(lambda w=work: list(pool.map(w, parts)), spend), count * 8)
            for kind, (arrays, work) in works.items()
            if kind in kinds
        }


def memory_read(spend: float = 0.2, settle: float = 0.2) -> float:
    """Return what this machine's memory gives right now to all its cores, reading. [bytes/s]

    Parameters
    ----------
    spend : float
        [s]
    settle : float
        Wait so long first: threads of a server that has just answered still spin. [s]

    Notes
    -----
    On a machine that others share it moves within minutes (50 to 83 GB/s on one of ours): what is set beside it must be measured
    at the same time.
    """
    time.sleep(settle)
    return streams(array_bytes(), cores(), spend, ("read",))["read"].rate


def product(kind: str, threads: int, spend: float = 0.3) -> Timed:
    """Return times of square matrix products, 2 n^3 FLOP each, n so large that one takes a while.

    Parameters
    ----------
    kind : str
        ``float32`` or ``float64``.
    threads : int
        Each multiplies its own rows, on a BLAS of one thread (``OPENBLAS_NUM_THREADS=1``). [1]
    spend : float
        [s]
    """
    n = 512
    with ThreadPoolExecutor(threads) as pool:
        while True:
            x = np.random.default_rng(0).standard_normal((n, n)).astype(kind)
            cuts = [n * i // threads for i in range(threads + 1)]
            parts = [x[i:j] for i, j in itertools.pairwise(cuts)]

            def rows(part: Any, x: Any = x) -> Any:
                return part @ x

            def multiply(parts: list[Any] = parts, rows: Callable[[Any], Any] = rows) -> object:
                return list(pool.map(rows, parts))

            if min(repeated(multiply, 0.0, 1)) >= _SHORTEST or n >= _LARGEST:
                return Timed(2.0 * n**3, repeated(multiply, spend), n)
            n *= 2
