"""Traffic into a pool piece by piece, so that somebody may watch, and stop it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from headway.simulation.autoscaling import Scaled
from headway.simulation.boarding import NEVER
from headway.simulation.lanes import Book, Pool

Watch = Callable[[float], bool]
"""Told now and then which share of the requests has ended; True stops the simulation, which keeps what it has."""

_PIECE = 4096  # arrivals between two looks
_STEPS = 50  # of the time of arrivals, between two looks after the last


def drive(book: Book, pool: Pool, scaled: Scaled | None, until: float, watch: Watch | None) -> bool:
    """Send requests to their replicas as they come, and let these run; True where somebody has stopped it.

    Parameters
    ----------
    book : Book
    pool : Pool
    scaled : Scaled or None
        The pool's autoscaler.
    until : float
        When to stop. [s]
    watch : Watch or None
    """
    first = last = 0.0
    arrivals = book.free() if until == NEVER else itertools.takewhile(lambda x: x[0] < until, book.free())
    for number in itertools.count():
        piece = list(itertools.islice(arrivals, _PIECE))
        if not piece:
            break
        first, last = first if number else piece[0][0], piece[-1][0]
        if len(pool.lanes) == 1 and scaled is None:
            pool.lanes[0].inbox.extend(piece)
            pool.advance(last)
        else:
            for when, who in piece:
                if scaled is not None:
                    scaled.look(when)
                pool.send(when, who)
        pool.advance(
            last
        )  # watched or not: passes alike are written together within a piece, so all runs must have the same
        if watch is not None and watch(ended(book)):
            return True
    return _emptied(
        pool, scaled, last, max((last - first) / _STEPS, 1.0), until, lambda: watch is not None and watch(ended(book))
    )


def _emptied(
    pool: Pool, scaled: Scaled | None, now: float, step: float, until: float, stopped: Callable[[], bool]
) -> bool:
    """Let those end who have come."""
    while now < until:
        now = min(now + step, until)
        if scaled is not None and math.isfinite(now):
            scaled.look(now)
        pool.advance(now)
        if stopped():
            return True
        busy = [lane for lane in pool.lanes if lane.running or lane.queue or lane.coming]
        if not busy:
            break
        idle = min(lane.at for lane in busy)
        if idle == NEVER:
            break
        now = max(now, min(idle, until) - step)  # nothing happens before
    return False


def ended(book: Book) -> float:
    """Return the share of requests that have ended.

    Parameters
    ----------
    book : Book
    """
    return float(np.isfinite(np.frombuffer(book.end)).mean()) if len(book.end) else 1.0
