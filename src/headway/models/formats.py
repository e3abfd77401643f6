"""Number formats: bytes per element, bytes of scales, and the rates that they are multiplied at."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from headway.catalog import Catalogue, catalogue, column, from_row


@dataclass(frozen=True, slots=True)
class Format:
    """A number format: bytes per element, bytes of scales per element, and the compute rates it can use in order."""

    name: str = column("", "name of the format")
    payload: float = column("bytes", "bytes per element", name="bytes")
    chain: tuple[str, ...] = column("", "compute kinds in order of preference", name="compute")
    about: str = column("", "what it is")
    source: str = column("", "where the figures come from")
    date: str = column("", "date of the source")
    scales: float = column("bytes", "bytes of scales per element", name="scale_bytes", default=0.0)
    aliases: tuple[str, ...] = column("", "other names", default=())
    block: int = column("elements", "elements stored together: a row must be a multiple", default=1)

    @property
    def bytes(self) -> float:
        """Bytes per element, scales included."""
        return self.payload + self.scales


UNSTATED = Format(
    "unstated", math.nan, (), "no format yet: the reader of the config gives one to every matrix and cache", "", ""
)


def number_format(name: str) -> Format:
    """Return the number format called `name` (``bf16``, ``fp8``, ``nvfp4``, ``int4``, ...)."""
    return _number_format(catalogue(), name)


@functools.lru_cache(maxsize=256)
def _number_format(facts: Catalogue, name: str) -> Format:
    row, place = facts.row("formats", name, "precision")
    return from_row(Format, row, place)


def integers(
    bits: float,
    group: int,
    *,
    scale_bytes: float = 2.0,
    zero_bits: float = 0.0,
    activation_bits: int = 16,
    floating: bool = False,
    about: str,
) -> Format:
    """Return the format of integers that share a scale, and a zero point perhaps, in groups.

    Parameters
    ----------
    bits : float
        Of a weight; need not be whole (EXL2 and EXL3 mix widths). [bits]
    group : int
        Weights that share a scale; 0 or less for one per channel, whose bytes do not count. [weights]
    scale_bytes, zero_bits : float
        Of a group's scale, and of its zero point. [bytes, bits]
    activation_bits : int
        8 multiplies as 8-bit integers where the chip can; 16 multiplies in 16 bits. [bits]
    floating : bool
        8-bit activations are floating-point numbers: weights are unpacked to FP8, not to integers.
    about : str
        Which method writes it.

    Notes
    -----
    Bytes per weight: bits/8 + (scale + zero/8) / group.
    """
    each = (scale_bytes + zero_bits / 8) / group if group > 0 else 0.0
    rate = "fp8" if floating else "int8"
    for name in ("int4", "int4-g32", "int8", "int8a16"):  # the catalogue's own, where it is one of them
        known = number_format(name)
        same_rate = (rate in known.chain) == (activation_bits == 8)
        if same_rate and math.isclose(known.payload, bits / 8) and math.isclose(known.scales, each, abs_tol=1e-12):
            return known
    name = (
        f"int{bits:g}"
        + (f"-g{group}" if group > 0 else "")
        + (("f8" if floating else "a8") if activation_bits == 8 and bits < 8 else "")
    )
    chain = (rate, "bf16") if activation_bits == 8 else ("bf16",)
    return Format(name, bits / 8, chain, f"{bits:g}-bit integers: {about}", about, "", scales=each)
