"""Devices that a KV cache can lie on, with rents from dated prices: the catalogue's, or a table of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headway.catalog import Row, catalogue, column, from_row, read_csv
from headway.economics.cache_tiers import LECTURE_DRAINS, Option, Recompute, Tier
from headway.errors import InputError, quoted
from headway.units import YEAR

KINDS = {k.lower(): k for k in LECTURE_DRAINS}  # the lecture's name of each kind


@dataclass(frozen=True, slots=True)
class Device:
    """A device that holds caches, or what computing a cache anew costs."""

    name: str = column("", "name of the device")
    kind: str = column("", "hbm (the chip's own), ddr, flash, disk, recompute, or any other word")
    capacity: float = column("GB", "that it holds", name="capacity_GB", factor=1e9, default=0.0)
    bandwidth: float = column("GB/s", "into the chip's memory", name="bandwidth_GBps", factor=1e9, default=0.0)
    rent: float | None = column(
        "$/h", "of the whole device, or of the chip", name="usd_per_h", factor=1 / 3600, default=None
    )
    price: float | None = column(
        "$/GB", "to buy it, where it is not rented", name="usd_per_GB", factor=1e-9, default=None
    )
    years: float = column("years", "that it serves, where it is bought", default=0.0)
    written: float = column("TB", "that may be written in that time", name="written_TB", factor=1e12, default=0.0)
    token_seconds: float = column("s/token", "of the chip, to compute one anew", name="seconds_per_token", default=0.0)
    note: str = column("", "remarks", default="")
    source: str = column("", "where the figures come from", default="")
    date: str = column("", "date of the source", default="")
    licence: str = column("", "of the figures", default="")

    @property
    def dollars(self) -> float:
        """Rent of the device; bought ones are worth nothing after their years. [$/s]"""
        if self.rent is not None:
            return self.rent
        return (self.price or 0.0) * self.capacity / (self.years * YEAR)

    def option(self) -> Option:
        """Return it as a place for caches, or as recomputation."""
        if self.kind == "recompute":
            return Recompute(self.token_seconds * self.dollars, self.name)
        wear = (self.price or 0.0) * self.capacity / self.written if self.written else 0.0
        return Tier(self.name, self.capacity, self.bandwidth, self.dollars, self.kind == "hbm", wear)


def devices(file: str | Path | None = None) -> list[Device]:
    """Return devices from a table, in its order.

    Parameters
    ----------
    file : path or None
        CSV with the columns of the catalogue's ``memory_devices``; None: the catalogue's.

    Raises
    ------
    InputError
        When it cannot be read; the line says where.

    Notes
    -----
    A rent, or a purchase price over the years of service: price x capacity / years. Power and the server around a device are not in it.
    """
    if file is None:
        table = catalogue().table("memory_devices")
        return _read([*zip(table.places, table.rows, strict=True)])
    found = [(f"{Path(file).name} line {line}", row) for line, row in read_csv(Path(file))]
    if not found:
        raise InputError(f"--tiers {file}: has no rows; it needs name,kind,capacity_GB,bandwidth_GBps,usd_per_h")
    return _read(found)


def _read(rows: Sequence[tuple[str, Row]]) -> list[Device]:
    found: list[Device] = []
    for where, row in rows:
        one = from_row(Device, {**row, "kind": (row.get("kind") or "").strip().lower()}, where)
        _check(one, where)
        if any(one.name == other.name for other in found):
            raise InputError(f"{where}: a second {quoted(one.name)}; each device needs a name of its own")
        if one.kind in ("hbm", "recompute") and any(one.kind == other.kind for other in found):
            raise InputError(f"{where}: a second row of kind {one.kind}; a chip has one memory, and one way to compute")
        found.append(one)
    return found


def _check(one: Device, where: str) -> None:
    """Refuse devices that cannot be priced."""
    needs = {"seconds_per_token": one.token_seconds} if one.kind == "recompute" else {
        "capacity_GB": one.capacity, "bandwidth_GBps": one.bandwidth}  # fmt: skip
    lacks = [name for name, value in needs.items() if not value]
    if one.rent is None and (one.price is None or not one.years or one.kind == "recompute"):
        lacks.append("usd_per_h" if one.kind == "recompute" else "usd_per_h, or usd_per_GB and years")
    if lacks:
        raise InputError(f"{where}: a device of kind {one.kind} needs {' and '.join(lacks)}")
