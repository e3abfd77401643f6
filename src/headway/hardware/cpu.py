"""The machine at hand as a chip: memory bandwidth and matrix rate measured once by a short benchmark, then cached."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from headway.hardware.chips import Chip

_REPEATS = 5


def _best(action: Callable[[], object]) -> float:
    """Return the shortest of several timings: noise only ever adds."""
    times: list[float] = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def measure_bandwidth(megabytes: int = 256) -> float:
    """Return read bandwidth in bytes/s: the sum of an array far larger than the caches.

    Parameters
    ----------
    megabytes : int
        Size of the array. [MB]
    """
    data = np.ones(megabytes * 1_000_000 // 8)
    return data.nbytes / _best(data.sum)


def measure_flops(size: int = 1536) -> float:
    """Return the single-precision matrix rate in FLOP/s: a square product of 2 n^3 FLOP.

    Parameters
    ----------
    size : int
        n. [rows]
    """
    a = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    return 2 * size**3 / _best(lambda: a @ a)


def memory_bytes() -> float:
    """Return the bytes of physical memory."""
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _cache_file() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("headway", appauthor=False)) / "cpu.json"


def measured_cpu(refresh: bool = False) -> Chip:
    """Return this machine's processor as a Chip, measured in about a second the first time and read back after.

    Parameters
    ----------
    refresh : bool
        Measure again even when a result is cached.
    """
    file = _cache_file()
    key = f"{platform.node()} {platform.machine()} {os.cpu_count()}"
    try:
        cached: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError):
        cached = {}
    if refresh or cached.get("key") != key:
        cached = {
            "key": key,
            "bandwidth": measure_bandwidth(),
            "flops": measure_flops(),
            "memory": memory_bytes(),
            "date": date.today().isoformat(),
        }
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(cached))
        except OSError:
            pass  # an unwritable cache costs a second next time, nothing else
    return Chip(
        name="cpu",
        vendor=platform.machine(),
        bandwidth=cached["bandwidth"],
        memory=cached["memory"],
        source=f"measured on this machine ({os.cpu_count()} cores): NumPy sum and float32 matrix product",
        date=cached["date"],
        bf16=cached["flops"],
        status="measured",
        note="the 16-bit rate is the measured float32 rate",
    )
