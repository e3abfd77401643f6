"""Chips and systems by name: the catalogue's rows, counted chips (``h200x8``), and the machine at hand."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from headway.catalog import Row, catalogue, column, default, from_row
from headway.errors import InputError, unknown, worded
from headway.hardware.chips import Chip, System, cards_per_host
from headway.hardware.cpu import measured_cpu


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
    if worded(name, "a chip", "h200").strip().lower() == "cpu":
        return measured_cpu()
    return _chip(*catalogue().row("chips", name, "chip"))


def _chip(row: Row, place: str) -> Chip:
    found = from_row(Chip, row, place)
    _plausible(found, row, place)
    return found


_PEAKS = {"bf16_TFLOPS": "bf16", "fp8_TFLOPS": "fp8", "fp4_TFLOPS": "fp4", "int8_TOPS": "int8"}


def _plausible(one: Chip, row: Row, place: str) -> None:
    """Refuse peaks and memories that no bandwidth goes with: each column may be real, and a unit mistaken all the same."""
    low, high = default("least_flop_per_byte"), default("most_flop_per_byte")
    for name, kind in _PEAKS.items():
        ratio = (getattr(one, kind) or one.bandwidth * low) / one.bandwidth
        if not low <= ratio <= high:
            raise InputError(
                f"{place}: {name} {row[name]} and memory_GBps {row['memory_GBps']} are {ratio:,.3g} FLOP per byte; chips have "
                f"{low:g} to {high:,g}: is one of them in another unit?"
            )
    if one.drain_time > default("longest_drain"):
        raise InputError(
            f"{place}: memory_GB {row['memory_GB']} at memory_GBps {row['memory_GBps']} takes {one.drain_time:,.0f} s to read once; "
            f"at most {default('longest_drain'):g} s is known: is one of them in another unit?"
        )


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
    number = table.find(worded(name, "a system", "h200x8"))
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
    shared = min(count, cards_per_host()) if one.link_kind == "pcie" else 1
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


def counted(one: Chip, count: int) -> str:
    """Return a name for so many chips that `system` reads, and a shell takes without quotes where the chip has such a name.

    Parameters
    ----------
    one : Chip
    count : int
        [chips]
    """
    plain = (a for a in one.aliases if " " not in a and not a[:1].isdigit())
    return f"{next(plain, one.name)}x{count}"
