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


def _cached() -> dict[str, Any]:
    """What is kept of this machine; empty where nothing is."""
    try:
        kept = json.loads(_cache_file().read_text())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) and kept.get("key") == _key() else {}  # pyright: ignore


def _key() -> str:
    return f"{platform.node()} {platform.machine()} {cores()} all threads"


def _keep(found: dict[str, Any]) -> None:
    file = _cache_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found))
    except OSError:
        pass  # an unwritable cache costs two seconds next time, nothing else


def measured_cpu(refresh: bool = False) -> Chip:
    """Return this machine's processor as a Chip, measured in about two seconds the first time and read back after.

    Parameters
    ----------
    refresh : bool
        Measure again even when a result is cached.

    Notes
    -----
    The best of one thread and all of them. `headway machine` measures the same at length, says how far it spreads, and what it
    finds faster takes the place of what was kept.
    """
    found: dict[str, Any] = {} if refresh else _cached()
    if not found:
        threads = sorted({1, cores()})
        found = {
            "key": _key(),
            "bandwidth": max(streams(array_bytes(), n, kinds=("read",))["read"].rate for n in threads),
            "flops": max(product("float32", n).rate for n in threads),
            "memory": memory_bytes(),
            "date": date.today().isoformat(),
        }
        _keep(found)
    return Chip(
        name="cpu",
        vendor=platform.machine(),
        bandwidth=found["bandwidth"],
        memory=found["memory"],
        source=f"measured on this machine ({cores()} cores): reads and float32 matrix products in NumPy",
        date=found["date"],
        bf16=found["flops"],
        status="measured",
        note="the 16-bit rate is the measured float32 rate",
    )


def found_faster(bandwidth: float = 0.0, flops: float = 0.0) -> None:
    """Keep what was measured of this machine where it is faster than what is kept: other work only ever slows a benchmark down.

    Parameters
    ----------
    bandwidth : float
        Reads by all cores. [bytes/s]
    flops : float
        float32 products. [FLOP/s]
    """
    kept = _cached()
    if kept and (bandwidth > kept["bandwidth"] or flops > kept["flops"]):
        best = {"bandwidth": max(bandwidth, kept["bandwidth"]), "flops": max(flops, kept["flops"])}
        _keep(kept | best | {"date": date.today().isoformat()})
