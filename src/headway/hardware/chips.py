"""Chip and System, and how their names are found in the catalogue.

Peaks are dense, link bandwidths are per direction, GB is 10^9 bytes (design rule 8). Everything here is SI.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headway.catalog import Row, catalogue, column, default, from_row
from headway.errors import InputError, unknown
from headway.hardware.ratios import drain_time


def _cards_per_host() -> int:
    return int(default("cards_per_host"))


@dataclass(frozen=True, slots=True)
class Chip:
    """One accelerator: dense peak rates by number format, memory, links, power, price, and where each came from."""

    name: str = column("", "name of the chip")
    bandwidth: float = column("GB/s", "memory bandwidth", name="memory_GBps", factor=1e9)
    memory: float = column("GB", "memory capacity", name="memory_GB", factor=1e9)
    source: str = column("", "where the figures come from")
    date: str = column("", "date of the source or release")
    vendor: str = column("", "who makes it", default="")
    generation: str = column("", "family of chips that share a design", default="")
    bf16: float | None = column("TFLOP/s", "dense 16-bit peak", name="bf16_TFLOPS", factor=1e12, default=None)
    fp8: float | None = column("TFLOP/s", "dense FP8 peak", name="fp8_TFLOPS", factor=1e12, default=None)
    fp4: float | None = column("TFLOP/s", "dense FP4 peak", name="fp4_TFLOPS", factor=1e12, default=None)
    int8: float | None = column("TOP/s", "dense INT8 peak", name="int8_TOPS", factor=1e12, default=None)
    link: float = column("GB/s per direction", "scale-up link", name="scaleup_GBps", factor=1e9, default=0.0)
    link_kind: str = column("", "kind of scale-up link", name="scaleup_kind", default="none")
    domain: int = column("chips", "scale-up domain", name="scaleup_domain", default=1)
    host: float = column(
        "GB/s per direction", "PCIe to a host's cards beyond a bridge", name="host_GBps", factor=1e9, default=0.0
    )
    scale_out: float = column("Gbit/s", "scale-out NIC", name="scaleout_Gbps", factor=1e9 / 8, default=0.0)
    year: int = column("", "year of release", default=0)
    power: float | None = column("W", "thermal design power", name="power_W", default=None)
    price: float | None = column("$/h", "rental price per chip", name="price_usd_h", factor=1 / 3600, default=None)
    price_note: str = column("", "which price, and when", default="")
    onchip: float | None = column("MB", "last-level on-chip memory", name="onchip_MB", factor=1e6, default=None)
    status: str = column("", "shipping, consumer, pre-release figures, ...", default="")
    note: str = column("", "remarks", default="")
    aliases: tuple[str, ...] = column("", "other names, separated by |", default=())

    def peak(self, chain: tuple[str, ...]) -> float:
        """Return the dense FLOP/s of the first rate in `chain` that the chip has.

        Parameters
        ----------
        chain : tuple of str
            Compute kinds in order of preference, e.g. ``("fp4", "bf16")`` for 4-bit weights that a chip without FP4
            units multiplies in 16 bits.
        """
        return self._rates[self.rate_kind(chain)]

    @property
    def _rates(self) -> dict[str, float]:
        known = {"bf16": self.bf16, "fp8": self.fp8, "fp4": self.fp4, "int8": self.int8}
        return {kind: rate for kind, rate in known.items() if rate}

    def rate_kind(self, chain: tuple[str, ...]) -> str:
        """Return which compute kind of `chain` the chip uses: the first that it has.

        Raises
        ------
        InputError
            When it has none of them.
        """
        for kind in chain:
            if kind in self._rates:
                return kind
        raise InputError(
            f"{self.name} has no {' or '.join(chain)} rate in the catalogue; it has "
            f"{', '.join(self._rates) or 'no rate at all'}"
        )

    @property
    def joined(self) -> int:
        """Chips that the link joins: the scale-up domain, or a host's PCIe slots."""
        return max(self.domain, _cards_per_host() if self.link_kind == "pcie" else 1)

    def beyond(self, ranks: Any) -> Any:
        """Return the bandwidth per direction of what joins `ranks` chips (an array, too) beyond the link: host's PCIe or NIC."""
        if not self.host:
            return self.scale_out
        return np.where(np.asarray(ranks) <= _cards_per_host(), self.host, self.scale_out)

    @property
    def drain_time(self) -> float:
        """Seconds to read the whole memory once (E9)."""
        return drain_time(self.memory, self.bandwidth)


@dataclass(frozen=True, slots=True)
class System:
    """So many chips of one kind, the scale-up domain that joins them, the scale-out link, and a price per chip."""

    name: str
    chip: Chip
    chips: int
    domain: int
    link: float
    link_kind: str
    scale_out: float
    price: float | None
    price_note: str
    source: str
    date: str
    note: str = ""

    @property
    def memory(self) -> float:
        """Bytes of memory of all chips together."""
        return self.chips * self.chip.memory

    @property
    def bandwidth(self) -> float:
        """Bytes per second of memory bandwidth of all chips together."""
        return self.chips * self.chip.bandwidth

    @property
    def joined(self) -> int:
        """Chips that one replica can span: the scale-up domain, or one where no link joins them."""
        return min(self.chips, self.domain) if self.link > 0 else 1

    def replicas(self, chips: int) -> int:
        """Return how many replicas of `chips` chips fit: none straddles two scale-up domains."""
        whole, rest = divmod(self.chips, self.joined)
        return whole * (self.joined // chips) + rest // chips

    @property
    def adds_in_network(self) -> bool:
        """True where switches can add on the way (NVLink): an all-reduce may then send each payload only once."""
        return self.link_kind == "nvlink"

    def priced(self, dollars_per_second: float | None) -> System:
        """Return the system at another price per chip-second; None keeps its own."""
        if dollars_per_second is None:
            return self
        return replace(self, price=dollars_per_second, price_note="given by the user")

    def resized(self, chips: int) -> System:
        """Return the system with another number of chips; the scale-up domain stays what the hardware has."""
        if chips < 1:
            raise InputError(f"--chips: {chips} must be at least 1")
        return self if chips == self.chips else replace(self, chips=chips, name=f"{self.name} ({chips} chips)")


@dataclass(frozen=True, slots=True)
class _SystemRow:
    name: str = column("", "name of the system")
    chip: str = column("", "a chip of the catalogue")
    chips: int = column("", "how many chips")
    source: str = column("", "where the figures come from")
    date: str = column("", "date of the source")
    aliases: tuple[str, ...] = column("", "other names", default=())
    domain: int = column("chips", "scale-up domain", name="scaleup_domain", default=0)
    link: float = column("GB/s per direction", "scale-up link", name="scaleup_GBps", factor=1e9, default=0.0)
    link_kind: str = column("", "kind of link", name="scaleup_kind", default="")
    scale_out: float = column("Gbit/s", "scale-out NIC per chip", name="scaleout_Gbps", factor=1e9 / 8, default=0.0)
    scaleout_ratio_note: str = column("", "remarks on the scale-up to scale-out ratio", default="")
    price: float | None = column("$/h", "price per chip", name="price_usd_h", factor=1 / 3600, default=None)
    price_note: str = column("", "which price, and when", default="")
    note: str = column("", "remarks", default="")


def chip(name: str) -> Chip:
    """Return the catalogue chip called `name` (name or alias); ``"cpu"`` is the machine at hand, measured once.

    Raises
    ------
    InputError
        When there is no such chip; the message names the nearest.
    """
    if name.strip().lower() == "cpu":
        from headway.hardware.cpu import measured_cpu

        return measured_cpu()
    return _chip(*catalogue().row("chips", name, "chip"))


def _chip(row: Row, place: str) -> Chip:
    return from_row(Chip, row, place)


def chips() -> list[Chip]:
    """Return every chip of the catalogue."""
    table = catalogue().table("chips")
    return [_chip(r, p) for r, p in zip(table.rows, table.places, strict=True)]


def systems() -> list[System]:
    """Return every named system of the catalogue."""
    table = catalogue().table("systems")
    return [_system(r, p) for r, p in zip(table.rows, table.places, strict=True)]


def _system(row: Row, place: str) -> System:
    read = from_row(_SystemRow, row, place)
    if read.chips < 1:
        raise InputError(f"{place}: column 'chips' is {read.chips}; a system has at least one chip")
    one = chip(read.chip)
    link, domain, scale_out = read.link or one.link, read.domain or one.domain, read.scale_out or one.scale_out
    return System(
        name=read.name,
        chip=replace(one, link=link, domain=domain, scale_out=scale_out),  # the box decides what its links reach
        chips=read.chips,
        domain=domain,
        link=link,
        link_kind=read.link_kind or one.link_kind,
        scale_out=scale_out,
        price=read.price if read.price is not None else one.price,
        price_note=read.price_note or one.price_note,
        source=read.source,
        date=read.date,
        note=read.note,
    )


_COUNTED = (re.compile(r"(?P<chip>.+?)\s*[x*×]\s*(?P<n>\d+)"), re.compile(r"(?P<n>\d+)\s*[x*×]\s*(?P<chip>.+)"))


def system(name: str) -> System:
    """Return a system by catalogue name, or ``CHIPxN`` / ``NxCHIP`` of any catalogue chip, or one chip by its name.

    Raises
    ------
    InputError
        When nothing matches; the message names the nearest systems and chips.
    """
    table = catalogue().table("systems")
    number = table.find(name)
    if number is not None:
        return _system(table.rows[number], table.places[number])
    known = catalogue().table("chips")
    for pattern in _COUNTED:
        match = pattern.fullmatch(name.strip())
        if match and (match["chip"].lower() == "cpu" or known.find(match["chip"]) is not None):
            if int(match["n"]) < 1:
                raise InputError(f"{name!r}: a system has at least one chip, like {match['chip']}x8")
            return _of_chip(chip(match["chip"]), int(match["n"]))
    if name.strip().lower() == "cpu" or known.find(name) is not None:
        return _of_chip(chip(name), 1)
    raise unknown("system or chip", name, [*table.names(), *known.names()], "`headway catalog systems` lists them.")


def _of_chip(one: Chip, count: int) -> System:
    """Build a system from a chip's own links.

    A box larger than the chip's domain is joined by the scale-out NIC; PCIe cards share one host, up to eight of them.
    """
    shared = min(count, _cards_per_host()) if one.link_kind == "pcie" else 1
    return System(
        name=f"{one.name} x{count}" if count > 1 else one.name,
        chip=one,
        chips=count,
        domain=max(one.domain, shared),
        link=one.link,
        link_kind=one.link_kind,
        scale_out=one.scale_out,
        price=one.price,
        price_note=one.price_note,
        source=one.source,
        date=one.date,
    )
