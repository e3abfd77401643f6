"""What tiers of speed can promise, by simulation."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from headway.plan.capacity import find_capacity
from headway.plan.tiers import TierSheet
from headway.questions import Request


@dataclass(frozen=True, slots=True)
class Promise:
    """What a tier can promise under Poisson traffic, by simulation.

    Attributes
    ----------
    name : str
    rate : float
        Requests of the whole system at which `SURE` of them have the tier's TPOT: the lower end of the interval. [requests/s]
    cost : float
        Of output at that load. [$/Mtok]
    tpot, promised : float
        p95 that other draws of such traffic saw at that load, and the tier's. [s]
    ttft : float
        p95 there: what can be promised for first tokens. [s]
    """

    name: str
    rate: float
    cost: float
    tpot: float
    promised: float
    ttft: float

    @property
    def kept(self) -> bool:
        """Whether the draws that it was not made from keep it, up to the luck of a percentile of some thousands."""
        return self.tpot <= self.promised * (1 + _LUCK)


SURE = 0.95
_LUCK = 0.02
_OTHER = 1000  # a seed that no search draws


def promises(request: Request, sheet: TierSheet, seeds: int = 3) -> tuple[Promise, ...]:
    """Return what the tiers of a sheet can promise: the load at which p95 of the TPOT is the tier's, checked by other draws.

    Parameters
    ----------
    request : Request
        That the sheet was made of.
    sheet : TierSheet
    seeds : int
        Repeats of each search. [1]
    """
    found: list[Promise] = []
    for t in sheet.tiers:
        asked = dataclasses.replace(request, layout=str(t.at.layout), tp=None, dp=None, ep=None, pp=None)
        c = find_capacity(asked, tpot=t.at.tpot, within=SURE, seeds=seeds, speeds=())
        found_at = c.most.value
        rate = found_at.value if math.isnan(found_at.low) else max(found_at.low, 0.0)  # the careful end of the interval
        if not rate > 0:
            found.append(Promise(t.name, 0.0, math.inf, math.nan, t.at.tpot, math.nan))
            continue
        seen = c.bench.at_rate(rate, _OTHER, c.count)
        p95 = [seen.quantile(what, SURE) for what in ("tpot", "ttft")]
        cost = (c.dollars_per_mtok or math.nan) * found_at.value / rate
        found.append(Promise(t.name, rate, cost, p95[0], t.at.tpot, p95[1]))
    return tuple(found)
