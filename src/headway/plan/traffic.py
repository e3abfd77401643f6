"""A plan's deployment at the rate at which requests really come: how many are in flight, what they see, what a token costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from headway.serving import Answer, Case, answer, case

_CLOSE = 1e-3  # of the rate, at which the number in flight is found
_STEPS = 40


@dataclass(frozen=True)
class AtRate:
    """A deployment under a stated rate of arrivals that it carries.

    Attributes
    ----------
    rate : float
        [requests/s]
    in_flight : float
        Requests in the system on average (Little's law). [requests]
    answer : Answer
        What they see: the closed loop whose rate is the arrivals'; of less than one request per replica, that of one.
    dollars_per_mtok : float or None
        The whole rent over the output tokens that flow. [$/Mtok]
    """

    rate: float
    in_flight: float
    answer: Answer
    dollars_per_mtok: float | None


def at_rate(full: Answer, rate: float) -> AtRate | None:
    """Return a deployment at a rate of arrivals; None where it carries less than that, or runs static batches.

    Parameters
    ----------
    full : Answer
        The deployment at its operating batch.
    rate : float
        [requests/s]

    Notes
    -----
    In flight = rate x time in the system (Little 1961). Requests that wait for a seat in a burst are not counted: below
    saturation they are few, and `headway search --rate` leaves room for them.
    """
    output = full.case.setting.output
    if full.case.setting.kind == "static_batch":
        return None
    least, most = float(full.case.copies), full.case.in_flight
    found = _at(full.case, least)
    if rate * output > full.output_rate:
        return None
    if rate * output >= found.output_rate and most > least:
        found = _between(full, found, rate * output, least, most)
    flying = found.case.in_flight * rate * output / found.output_rate
    cost = full.dollars_per_mtok
    return AtRate(rate, flying, found, None if cost is None else cost * full.output_rate / (rate * output))


def _at(c: Case, in_flight: float) -> Answer:
    return answer(case(c.setting, c.layout, concurrency=in_flight, copies=c.copies))


def _between(full: Answer, lowest: Answer, tokens: float, low: float, high: float) -> Answer:
    """The closed loop that makes so many tokens/s: throughput rises with the number in flight."""
    found = lowest if tokens - lowest.output_rate < full.output_rate - tokens else full
    for _ in range(_STEPS):
        if abs(found.output_rate / tokens - 1) < _CLOSE or high - low < _CLOSE:
            break
        middle = math.sqrt(low * high)
        found = _at(full.case, middle)
        low, high = (middle, high) if found.output_rate < tokens else (low, middle)
    return found
