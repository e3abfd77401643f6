"""A measured machine as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headway.measure.machine import Machine, Rate


def rate_record(r: Rate) -> dict[str, Any]:
    """Return one thing measured."""
    unit = "flop_per_s" if r.what == "product" else "bytes_per_s"
    return {
        "what": r.what, "kind": r.kind, "by": r.by, "threads": r.threads or None, "size": r.size, "unit": unit, "best": r.best,
        "median": r.median, "spread": r.spread, "runs": list(r.runs),
    }  # fmt: skip


def machine_record(m: Machine) -> dict[str, Any]:
    """Return a device of a machine."""
    return {
        "device": m.device, "model": m.model, "cores": m.cores, "memory_bytes": m.memory or None, "cache_bytes": m.cache or None,
        "array_bytes": m.array, "date": m.date, "rates": [rate_record(r) for r in m.rates], "others_cores": list(m.others),
        "disturbed": m.disturbed, "datasheet": None if m.sheet is None else m.sheet.name,
        "beside": [{"what": b.what, "measured": b.measured, "stated": b.stated, "share": b.share} for b in m.beside],
        "missing": list(m.missing), "bandwidth_bytes_per_s": m.bandwidth.best, "wide_flop_per_s": m.wide.best,
        "flop_per_byte": m.wide.best / m.bandwidth.best,
    }  # fmt: skip


def machine_rows(machines: Sequence[Machine]) -> list[dict[str, Any]]:
    """Return all rates of a machine's devices, as ``--csv`` has them."""
    return [
        {"device": m.device} | rate_record(r) | {"runs": " ".join(f"{x:.6g}" for x in r.runs)} for m in machines for r in m.rates
    ]  # fmt: skip
