"""The machine at hand as a chip: memory bandwidth and matrix rate measured once by a short benchmark, then cached."""

from __future__ import annotations

import json
import platform
from datetime import date
from pathlib import Path
from typing import Any

from headway.hardware.chips import Chip
from headway.hardware.probes import array_bytes, cores, memory_bytes, product, streams


def _cache_file() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("headway", appauthor=False)) / "cpu.json"


def measured_cpu(refresh: bool = False) -> Chip:
    """Return this machine's processor as a Chip, measured in about two seconds the first time and read back after.

    Parameters
    ----------
    refresh : bool
        Measure again even when a result is cached.

    Notes
    -----
    The best of one thread and all of them. `headway machine` measures the same at length, and says how far it spreads.
    """
    file = _cache_file()
    key = f"{platform.node()} {platform.machine()} {cores()} all threads"
    try:
        cached: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError):
        cached = {}
    if refresh or cached.get("key") != key:
        threads = sorted({1, cores()})
        cached = {
            "key": key,
            "bandwidth": max(streams(array_bytes(), n, kinds=("read",))["read"].rate for n in threads),
            "flops": max(product("float32", n).rate for n in threads),
            "memory": memory_bytes(),
            "date": date.today().isoformat(),
        }
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(cached))
        except OSError:
            pass  # an unwritable cache costs two seconds next time, nothing else
    return Chip(
        name="cpu",
        vendor=platform.machine(),
        bandwidth=cached["bandwidth"],
        memory=cached["memory"],
        source=f"measured on this machine ({cores()} cores): reads and float32 matrix products in NumPy",
        date=cached["date"],
        bf16=cached["flops"],
        status="measured",
        note="the 16-bit rate is the measured float32 rate",
    )
