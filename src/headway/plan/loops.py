"""The mean field of a deployment's closed loops, asked backwards: how many requests in flight still meet limits."""

from __future__ import annotations

import math
from collections.abc import Callable

from headway.parallel import Layout
from headway.plan.bisect import largest
from headway.serving import Answer, Setting, answer, case

_CLOSE = 0.01
_FAR = 1e5  # requests in flight on a replica where memory does not bound them


def seats(s: Setting, layout: Layout, copies: int) -> float:
    """Return the sequences that all replicas hold. [sequences]

    Parameters
    ----------
    s : Setting
    layout : Layout
        Of one replica.
    copies : int
        Replicas. [1]
    """
    return min(math.floor(s.account(layout).holds), _FAR) * copies


def loop(s: Setting, layout: Layout, copies: int, flying: float) -> Answer:
    """Return the closed loop of so many requests in flight.

    Parameters
    ----------
    s : Setting
    layout : Layout
        Of one replica.
    copies : int
        Replicas. [1]
    flying : float
        On all of them together. [requests]
    """
    return answer(case(s, layout, concurrency=flying, copies=copies))


def most_flying(s: Setting, layout: Layout, copies: int, ttft: float, tpot: float) -> Answer | None:
    """Return the closed loop with most requests in flight whose mean times meet limits; None where not even one does.

    Parameters
    ----------
    s : Setting
    layout : Layout
        Of one replica.
    copies : int
        Replicas. [1]
    ttft, tpot : float
        Longest mean time to the first token, and per token after it. [s]
    """
    if s.prompt < 1 or s.output < 2:  # nothing that the loops know
        return None
    found: dict[float, Answer] = {}

    def meets(flying: float) -> bool:
        at = found.setdefault(flying, loop(s, layout, copies, flying))
        return not (at.ttft > ttft or at.tpot > tpot)

    check: Callable[[float], bool] = meets
    most, _ = largest(check, 8.0 * copies, close=_CLOSE, step=2.0, least=1.0, most=seats(s, layout, copies))
    return found[most] if most else None
