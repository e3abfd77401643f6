"""Split pools: prompts on replicas of their own, whose caches go to those that answer (DistServe, Splitwise, Mooncake)."""

from __future__ import annotations

import itertools
import math
from heapq import heapify, heappop, heappush

from headway.simulation.boarding import NEVER
from headway.simulation.driving import Watch, ended
from headway.simulation.lanes import Book, Lane, Pool

_PIECE = 1 << 15  # events and steps of lanes between two looks


def run_split(book: Book, fronts: Pool, backs: Pool, until: float = NEVER, watch: Watch | None = None) -> bool:
    """Run traffic through two pools; True where somebody has stopped it.

    Parameters
    ----------
    book : Book
    fronts, backs : Pool
        Replicas that compute prompts; replicas that answer.
    until : float
        When to stop. [s]
    watch : Watch or None

    Notes
    -----
    Whichever lane can do something first does it, and not beyond the moment at which any other could send it somebody: passes take time,
    so what they cause comes after their beginning. Prompts of a single output token end where they are computed.
    """
    events = [(when, 0, who) for when, who in book.free() if when < until]  # (when, pool, who)
    heapify(events)
    _joined(book, fronts, backs, events)
    lanes: list[Lane] = [*fronts.lanes, *backs.lanes]
    for number in itertools.count():
        if watch is not None and number % _PIECE == 0 and watch(ended(book)):
            return True
        first = min(lanes, key=lambda lane: lane.at)
        if events and events[0][0] <= first.at:
            when, pool, who = heappop(events)
            if when < until:
                (backs if pool else fronts).send(when, who)
            continue
        if first.at >= until:
            break
        others = min((lane.at for lane in lanes if lane is not first), default=NEVER)
        bound = min(others, events[0][0] if events else NEVER, until)
        first.advance(max(bound, math.nextafter(first.at, NEVER)))
    return False


def _joined(book: Book, fronts: Pool, backs: Pool, events: list[tuple[float, int, int]]) -> None:
    """Let a lane's ends be the other pool's arrivals."""
    single = [n == 1 for n in book.requests.output.tolist()]

    def follow(who: int, when: float) -> None:
        for moment, i in book.following(who, when):
            heappush(events, (moment, 0, i))

    def handed(who: int, when: float) -> None:
        if single[who]:
            book.first[who] = book.end[who] = when
            follow(who, when)
        else:
            heappush(events, (when, 1, who))

    for lane in (*fronts.lanes, *backs.lanes):
        lane.follow = follow
    for lane in fronts.lanes:
        lane.replica.on_first, lane.replica.on_end = _nothing, handed
    for lane in backs.lanes:
        lane.second = True


def _nothing(who: int, when: float) -> None: ...
