"""Chip and System: what a machine can do and how its chips are joined.

Peaks are dense, link bandwidths are per direction, GB is 10^9 bytes (design rule 8). Everything here is SI.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headway import units
from headway.catalog import column, default
from headway.errors import InputError
from headway.hardware.ratios import drain_time


def cards_per_host() -> int:
    """Return how many PCIe cards one host joins (catalogue `defaults`)."""
    return int(default("cards_per_host"))


@dataclass(frozen=True, slots=True)
class Chip:
    """One accelerator: dense peak rates by number format, memory, links, power, price, and where each came from."""

    name: str = column("", "name of the chip")
    bandwidth: float = column("GB/s", "memory bandwidth", name="memory_GBps", factor=1e9, between=(5, 1e8))
    memory: float = column("GB", "memory capacity", name="memory_GB", factor=1e9, between=(0.05, 1e5))
    source: str = column("", "where the figures come from")
    date: str = column("", "date of the source or release")
    visible: float | None = column(
        "GiB",
        "memory that the driver shows a process",
        name="visible_GiB",
        factor=2**30,
        default=None,
        between=(0.05, 1e5),
    )
    visible_source: str = column("", "where the visible memory comes from", default="")
    vendor: str = column("", "who makes it", default="")
    generation: str = column("", "family of chips that share a design", default="")
    bf16: float | None = column(
        "TFLOP/s", "dense 16-bit peak", name="bf16_TFLOPS", factor=1e12, default=None, between=(0.05, 1e6)
    )
    fp8: float | None = column(
        "TFLOP/s", "dense FP8 peak", name="fp8_TFLOPS", factor=1e12, default=None, between=(0.05, 1e6)
    )
    fp4: float | None = column(
        "TFLOP/s", "dense FP4 peak", name="fp4_TFLOPS", factor=1e12, default=None, between=(0.05, 1e6)
    )
    int8: float | None = column(
        "TOP/s", "dense INT8 peak", name="int8_TOPS", factor=1e12, default=None, between=(0.05, 1e6)
    )
    link: float = column(
        "GB/s per direction", "scale-up link", name="scaleup_GBps", factor=1e9, default=0.0, between=(0.5, 1e5)
    )
    link_kind: str = column("", "kind of scale-up link", name="scaleup_kind", default="none")
    domain: int = column("chips", "scale-up domain", name="scaleup_domain", default=1)
    cores: int = column("cores", "of a chip, where tables count them as devices", default=1, between=(1, 64))
    host: float = column(
        "GB/s per direction",
        "PCIe to a host's cards beyond a bridge",
        name="host_GBps",
        factor=1e9,
        default=0.0,
        between=(0.5, 1e4),
    )
    scale_out: float = column(
        "Gbit/s", "scale-out NIC", name="scaleout_Gbps", factor=1e9 / 8, default=0.0, between=(0.1, 1e5)
    )
    year: int = column("", "year of release", default=0, between=(1990, 2100))
    power: float | None = column("W", "thermal design power", name="power_W", default=None, between=(1, 1e6))
    price: float | None = column(
        "$/h", "rental price per chip", name="price_usd_h", factor=1 / 3600, default=None, between=(1e-4, 1e5)
    )
    price_note: str = column("", "which price, and when", default="")
    onchip: float | None = column(
        "MB", "last-level on-chip memory", name="onchip_MB", factor=1e6, default=None, between=(0.01, 1e6)
    )
    status: str = column("", "shipping, consumer, pre-release figures, ...", default="")
    note: str = column("", "remarks", default="")
    aliases: tuple[str, ...] = column("", "other names, separated by |", default=())
    cpu: Chip | None = None  # this chip's share of its host's processors and memory, where something is left to them
    cpu_link: float = 0.0  # per direction, to the host's memory [bytes/s]

    @property
    def usable(self) -> float:
        """Bytes that the driver shows a process: cards sold as 80 GB show 79.1 GiB. Derived where no source says it."""
        return self.visible if self.visible is not None else self.memory * default("visible_per_sold_byte")

    @property
    def usable_says(self) -> str:
        """Where `usable` comes from, in words."""
        if self.visible is not None:
            return self.visible_source or "given"
        return f"derived: {default('visible_per_sold_byte'):g} x the memory as sold, the median of cards that are known"

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
        return max(self.domain, cards_per_host() if self.link_kind == "pcie" else 1)

    def beyond(self, ranks: Any) -> Any:
        """Return the bandwidth per direction of what joins `ranks` chips (an array, too) beyond the link: host's PCIe or NIC."""
        if not self.host:
            return self.scale_out
        return np.where(np.asarray(ranks) <= cards_per_host(), self.host, self.scale_out)

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
        """Return how many replicas of `chips` chips fit: none straddles two scale-up domains.

        Parameters
        ----------
        chips : int
            Chips of one replica. [chips]
        """
        whole, rest = divmod(self.chips, self.joined)
        return whole * (self.joined // chips) + rest // chips

    @property
    def adds_in_network(self) -> bool:
        """True where switches can add on the way (NVLink): an all-reduce may then send each payload only once."""
        return self.link_kind == "nvlink"

    def priced(self, dollars_per_second: float | None) -> System:
        """Return the system at another price per chip-second; None keeps its own.

        Parameters
        ----------
        dollars_per_second : float or None
            Price of a chip. [$/s per chip]
        """
        if dollars_per_second is None:
            return self
        return replace(self, price=dollars_per_second, price_note="given by the user")

    def resized(self, chips: int) -> System:
        """Return the system with another number of chips; the scale-up domain stays what the hardware has.

        Parameters
        ----------
        chips : int
            Chips of the system. [chips]
        """
        if chips < 1:
            raise InputError(f"--chips: {chips} must be at least 1")
        return (
            self
            if chips == self.chips
            else replace(self, chips=chips, name=f"{self.name} ({units.some(chips, 'chip')})")
        )
