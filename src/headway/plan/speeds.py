"""What a layout costs at every speed."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headway.parallel import Layout
from headway.serving import Setting, answer, case

_POINTS = 48  # batches at which a layout's curve is computed
_MOST = 1 << 16  # sequences, where memory does not bound them


@dataclass(frozen=True, slots=True)
class Speed:
    """A layout at a batch, under load: every seat taken, prompts and answers on the same chips.

    Attributes
    ----------
    layout : Layout
    batch : float
        Sequences of a replica. [sequences]
    tpot, ttft : float
        Mean times. [s]
    cost : float
        Of output, prompts included. [$/Mtok]
    output_rate : float
        Of the whole system. [tokens/s]
    """

    layout: Layout
    batch: float
    tpot: float
    ttft: float
    cost: float
    output_rate: float

    @property
    def speed(self) -> float:
        """Of one user. [tokens/s]"""
        return 1.0 / self.tpot


class SpeedCurve:
    """Cost and TPOT of one layout against batch, at batches up to what memory holds."""

    def __init__(self, s: Setting, layout: Layout) -> None:
        self.s, self.layout = s, layout
        most = max(math.floor(min(s.account(layout).holds, _MOST)), 1)
        batches = np.unique(np.round(np.geomspace(1, most, _POINTS)))
        self.points = [self.at(float(b)) for b in batches]
        self.tpot = np.maximum.accumulate([p.tpot for p in self.points])

    @functools.cache  # noqa: B019 - a curve lives as long as its sheet is made
    def at(self, batch: float) -> Speed:
        """Return the layout at a batch.

        Parameters
        ----------
        batch : float
            Of a replica. [sequences]
        """
        found = answer(case(self.s, self.layout, batch=batch))
        cost = found.dollars_per_mtok
        return Speed(self.layout, batch, found.tpot, found.ttft, math.nan if cost is None else cost, found.output_rate)

    def of_speed(self, tpot: float) -> Speed | None:
        """Return the largest batch whose TPOT is no longer; None where one sequence alone takes longer.

        Parameters
        ----------
        tpot : float
            [s]
        """
        if self.tpot[0] > tpot * (1 + 1e-9):
            return None
        low, high = self.points[0].batch, self.points[-1].batch
        if self.points[-1].tpot <= tpot:
            return self.points[-1]
        while high - low > 1:
            middle = math.floor((low + high) / 2)
            low, high = (middle, high) if self.at(float(middle)).tpot <= tpot else (low, middle)
        return self.at(float(low))


def envelope(curves: Sequence[SpeedCurve]) -> tuple[Speed, ...]:
    """Return the points of all layouts that no other beats in speed and cost, the fastest first.

    Parameters
    ----------
    curves : sequence of SpeedCurve
    """
    found: list[Speed] = []
    for p in sorted((p for c in curves for p in c.points), key=lambda p: (p.tpot, p.cost)):
        if not found or p.cost < found[-1].cost:
            found.append(p)
    return tuple(found)


def of_speed(curves: Sequence[SpeedCurve], tpot: float) -> Speed | None:
    """Return the cheapest layout and batch whose TPOT is no longer; None where there is none.

    Parameters
    ----------
    curves : sequence of SpeedCurve
    tpot : float
        [s]
    """
    found = [p for c in curves if (p := c.of_speed(tpot)) is not None]
    return min(found, key=lambda p: p.cost) if found else None


def bought(curve: Sequence[Speed], base: Speed, times: float) -> float:
    """Return the speed over a base's that so many times its cost pay for; NaN where that is below the lowest cost. [times]

    Parameters
    ----------
    curve : sequence of Speed
        The cheapest way to every speed, the fastest first.
    base : Speed
    times : float
        [times]
    """
    fastest = next((p for p in curve if p.cost <= times * base.cost * (1 + 1e-9)), None)
    return base.tpot / fastest.tpot if fastest else math.nan
