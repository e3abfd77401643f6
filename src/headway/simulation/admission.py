"""Who waits and in what order: a line per tier, first come first served within each, and who is turned away."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headway.errors import InputError

ENDLESS = 1 << 40  # requests, sequences or blocks where nothing bounds them


@dataclass(frozen=True, slots=True)
class Admission:
    """What stands between an arrival and its seat; entries of tiers in the order of the traffic's, the most urgent first.

    Attributes
    ----------
    seats : tuple of int
        Most requests of each tier that run at a time on a replica; empty: every seat is everybody's. [sequences]
    patience : tuple of float
        After which a request of each tier that has not boarded is turned away; empty: never. [s]
    queue : int
        Most requests that wait on a replica; who comes then is turned away. [requests]
    """

    seats: tuple[int, ...] = ()
    patience: tuple[float, ...] = ()
    queue: int = ENDLESS

    def __post_init__(self) -> None:
        if any(s < 1 for s in self.seats):
            raise InputError(f"admission: {min(self.seats)} seats for a tier; each needs at least 1")
        if any(not p > 0 for p in self.patience):
            raise InputError(f"admission: a patience of {min(self.patience):g} s; it must be above 0")
        if self.queue < 0:
            raise InputError(f"admission: at most {self.queue} may wait; the number cannot be negative")


class Waiting:
    """The lines of one replica. Who ran before and lost its place stands before those who never did.

    Parameters
    ----------
    admission : Admission
    tier : sequence or dict of int
        Of each request, by its index; empty: all of the first. [1]
    tiers : int
        How many there are. [1]
    """

    __slots__ = (
        "_again",
        "_fresh",
        "_taken",
        "count",
        "rules",
        "running",
        "seats",
        "tier",
        "tiered",
        "tiers",
        "turned_away",
    )

    def __init__(self, admission: Admission, tier: Sequence[int] | Mapping[int, int], tiers: int) -> None:
        self.rules, self.tier, self.tiers = admission, tier, tiers
        self.seats = list(admission.seats)[:tiers] or [ENDLESS] * tiers
        self.running = [0] * tiers
        self.tiered = tiers > 1 or bool(admission.seats)
        self.count = 0
        self._again: list[deque[int]] = [deque() for _ in range(tiers)]
        self._fresh: list[deque[tuple[float, int]]] = [deque() for _ in range(tiers)]
        self._taken: tuple[float, int] | None = None
        self.turned_away: list[tuple[float, int]] = []

    def tier_of(self, who: int) -> int:
        """Return a request's tier.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        return self.tier[who] if self.tiers > 1 else 0

    def push(self, when: float, who: int) -> bool:
        """Let a request wait; False where it is turned away at once.

        Parameters
        ----------
        when, who : float, int
            When it came; the request. [s, 1]
        """
        if self.count >= self.rules.queue:
            self.expire(when)
            if self.count >= self.rules.queue:
                return False
        self.count += 1
        self._fresh[self.tier[who] if self.tiers > 1 else 0].append((when, who))
        return True

    def push_back(self, who: int) -> None:
        """Let one who lost its place wait again, before all others of its tier.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        self.count += 1
        tier = self.tier_of(who)
        self.running[tier] -= 1
        self._again[tier].appendleft(who)

    def first(self) -> int | None:
        """Return who is next, and take it out: the first of the most urgent tier that has a seat; None where nobody is."""
        if not self.tiered and not self._again[0]:
            self._taken = self._fresh[0].popleft() if self.count else None
            if self._taken is None:
                return None
            self.count -= 1
            return self._taken[1]
        for tier, seats in enumerate(self.seats):
            if self.running[tier] < seats:
                if self._again[tier]:
                    self._taken = None
                    who = self._again[tier].popleft()
                elif self._fresh[tier]:
                    self._taken = self._fresh[tier].popleft()
                    who = self._taken[1]
                else:
                    continue
                self.count -= 1
                self.running[tier] += 1
                return who
        return None

    def not_yet(self, who: int) -> None:
        """Put the last whom `first` has named back where it was.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        tier = self.tier_of(who)
        self.count += 1
        self.running[tier] -= 1
        if self._taken is None:
            self._again[tier].appendleft(who)
        else:
            self._fresh[tier].appendleft(self._taken)

    def left(self, who: int) -> None:
        """Note that one who ran has ended.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        self.running[self.tier_of(who)] -= 1

    def give_up(self, who: int) -> bool:
        """Take out one who waits and does not want to any more; False where it does not wait.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        again, fresh = self._again[self.tier_of(who)], self._fresh[self.tier_of(who)]
        if who in again:
            again.remove(who)
        else:
            here = next((one for one in fresh if one[1] == who), None)
            if here is None:
                return False
            fresh.remove(here)
        self.count -= 1
        return True

    @property
    def since(self) -> float:
        """When the first of those came who never ran; infinite without one. [s]"""
        return min((line[0][0] for line in self._fresh if line), default=math.inf)

    @property
    def expiry(self) -> float:
        """When the next of them loses patience; infinite where nobody does. [s]"""
        if not self.rules.patience:
            return math.inf
        lines = zip(self._fresh, self.rules.patience, strict=False)
        return min((line[0][0] + most for line, most in lines if line), default=math.inf)

    def expire(self, now: float) -> None:
        """Turn away who has waited too long.

        Parameters
        ----------
        now : float
            [s]
        """
        for line, most in zip(self._fresh, self.rules.patience, strict=False):
            while line and line[0][0] + most <= now:
                when, who = line.popleft()
                self.count -= 1
                self.turned_away.append((when + most, who))
