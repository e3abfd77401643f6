"""Hosts: the processors and memory beside the chips, for what a layout leaves to them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from headway.catalog import catalogue, column, default, from_row
from headway.errors import InputError
from headway.hardware.chips import Chip, System, cards_per_host
from headway.hardware.named import system


@dataclass(frozen=True, slots=True)
class _HostRow:
    name: str = column("", "name of the kind of host")
    source: str = column("", "where the figures come from")
    date: str = column("", "date of the source")
    aliases: tuple[str, ...] = column("", "chips that have it", default=())
    processor: str = column("", "a chip of the catalogue", default="")
    processors: int = column("", "how many of them", default=1)
    cards: int = column("chips", "that share a host; 0: as many as there are, up to a host's slots", default=0)
    link: float = column("GB/s per direction", "from each chip to the host", name="link_GBps", factor=1e9, default=0.0)
    note: str = column("", "remarks", default="")


def with_host(found: System, name: str | None = None, memory: float | None = None) -> System:
    """Return a system whose chips know their share of the host.

    Parameters
    ----------
    found : System
    name : str or None
        Processors of one host (``ryzen 9 7950x``, ``epyc 9654 x2``); None takes what the catalogue's `hosts` say of such chips.
    memory : float or None
        Of one host; None takes the processors'. [bytes]

    Raises
    ------
    InputError
        When the name is unknown, or the chips have no memory but the host's.

    Notes
    -----
    The chips of a host share its processors and memory evenly. What is left of the memory is less by `host_keeps`.
    """
    row = _row(found.chip)
    if not name and not row.processor:
        raise InputError(f"{found.chip.name}: its memory is the host's own, so nothing can be left to the host")
    host = system(name or f"{row.processor} x{row.processors}")
    shared = (0 if name else row.cards) or min(found.chips, cards_per_host())
    cpu, amount = host.chip, host.chips / shared
    kept = max((memory or host.memory) - default("host_keeps"), 0.0) / shared
    share = replace(
        cpu, name=host.name, bandwidth=cpu.bandwidth * amount, memory=kept, visible=kept,
        **{k: rate * amount for k in ("bf16", "fp8", "fp4", "int8") if (rate := getattr(cpu, k))},
    )  # fmt: skip
    own = found.chip.host or (found.chip.link if found.chip.link_kind == "pcie" else 0.0)
    link = own or row.link or default("host_link")
    return replace(found, chip=replace(found.chip, cpu=share, cpu_link=link))


def _row(chip: Chip) -> _HostRow:
    table = catalogue().table("hosts")
    usual = "desktop" if chip.status == "consumer" else "server"
    number = table.find(chip.name)
    if number is None:
        number = table.find(usual)
    if number is None:
        raise InputError(f"the catalogue's hosts have no row {usual!r}; give --host")
    return from_row(_HostRow, table.rows[number], table.places[number])
