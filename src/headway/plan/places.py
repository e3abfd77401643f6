"""Where a plan's caches can lie: its chips' memory, its host, the catalogue's devices, and computing them anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from headway.economics import Device, devices
from headway.errors import InputError
from headway.hardware import System, with_host


def places(
    system: System, prefill: float | None, found: Sequence[Device] | None = None, own: bool = False
) -> tuple[Device, ...]:
    """Return devices with what a plan knows: its chips' memory, its host, and what computing costs there.

    Parameters
    ----------
    system : System
        With a price.
    prefill : float or None
        Of a prompt token on it. [$/Mtok]
    found : sequence of Device or None
        None: the catalogue's.
    own : bool
        They are the user's: the plan adds the chips' memory and computing where they lack them, and changes nothing.
    """
    found = devices() if found is None else found
    kinds = {d.kind for d in found} if own else set[str]()
    price = system.price or 0.0
    first, last = list[Device](), list[Device]()
    if "hbm" not in kinds:
        chip = system.chip
        first.append(
            Device(
                "HBM", "hbm", chip.memory, chip.bandwidth, price, note=f"the memory of {chip.name}", source=chip.source
            )
        )
    if not own:
        first += [host for d in found if d.kind == "ddr" and (host := _host(system, d)) is not None]
    if "recompute" not in kinds and prefill is not None:
        note = "full passes of such prompts, as `headway plan` says"
        last.append(Device("recompute", "recompute", rent=price, token_seconds=prefill / 1e6 / price, note=note))
    rest = [d for d in found if own or d.kind not in ("hbm", "ddr", "recompute")]
    return tuple(sorted([*first, *rest, *last], key=lambda d: d.kind == "recompute"))


def _host(system: System, row: Device) -> Device | None:
    """A chip's share of the system's host at the price of a table's memory; None where it has none of its own."""
    try:
        chip = with_host(system).chip
    except InputError:
        return None
    if chip.cpu is None or not chip.cpu.memory:
        return None
    rate = min(chip.cpu.bandwidth, chip.cpu_link)
    note = f"a chip's share of its host, {chip.cpu.name}, over its link"
    return dataclasses.replace(row, capacity=chip.cpu.memory, bandwidth=rate, note=note)
