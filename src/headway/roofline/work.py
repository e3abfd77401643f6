"""Work: an additive pair of amounts, FLOPs and bytes (plus bytes sent), nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Real = Any  # a float or a NumPy array; everything broadcasts


@dataclass(frozen=True, slots=True)
class Work:
    """Amounts of one kernel, step, request or bill; they add.

    Attributes
    ----------
    flops : float or array
        A multiply-add is 2. [FLOP]
    bytes : float or array
        Read from and written to memory. [bytes]
    sent : float or array
        Sent over links, per chip and direction. [bytes]
    """

    flops: Real = 0.0
    bytes: Real = 0.0
    sent: Real = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.bytes + other.bytes, self.sent + other.sent)

    def __mul__(self, times: Real) -> Work:
        return Work(self.flops * times, self.bytes * times, self.sent * times)

    __rmul__ = __mul__

    @property
    def intensity(self) -> Real:
        """Arithmetic intensity. [FLOP/byte]"""
        return self.flops / self.bytes
