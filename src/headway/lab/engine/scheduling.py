"""The scheduler of the lab engine: who boards the next pass. The policy is one of the simulator's files; what it sees is real.

It keeps requests and numbered blocks one by one, where the simulator keeps sums: two programs of one rule, and `checked`
compares them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from headway.lab.engine.pages import Pages, Seat
from headway.simulation.admission import Admission, Waiting
from headway.simulation.boarding import NEVER
from headway.simulation.limits import Limits
from headway.simulation.policies import Policy


@dataclass(frozen=True, slots=True)
class Departure:
    """A pass that leaves.

    Attributes
    ----------
    riders : tuple of Seat
        Who decodes in it, those included who only keep a seat.
    chunks : tuple of (Seat, int)
        Pieces of prompts, and their tokens. [tokens]
    padded : int
        Tokens that every prompt of the pass counts as; 0: its own. [tokens]
    blocks : int
        KV blocks in use as it leaves. [blocks]
    """

    riders: tuple[Seat, ...]
    chunks: tuple[tuple[Seat, int], ...]
    padded: int
    blocks: int

    @property
    def tokens(self) -> int:
        """New tokens of the pass. [tokens]"""
        return len(self.riders) + sum(self.padded or new for _, new in self.chunks)


class Scheduler:
    """Requests between their coming and their leaving; what a `Policy` sees and does.

    Parameters
    ----------
    policy : Policy
    limits : Limits
    tiers : int
        [1]
    admission : Admission
        Seats of tiers, and how many may wait.
    keeps : bool
        Prompts' blocks are found again.
    """

    def __init__(
        self, policy: Policy, limits: Limits, tiers: int = 1, admission: Admission | None = None, keeps: bool = True
    ):
        self.policy, self.limits, self.budget, self.groups = policy, limits, limits.tokens, limits.groups
        self.seats: dict[int, Seat] = {}
        self._tier: dict[int, int] = {}
        self.waiting = Waiting(admission or Admission(), self._tier, tiers)
        self.pages = Pages(limits.blocks, limits.block, keeps and not policy.padded, limits.reserve)
        self.now, self.wake = 0.0, NEVER
        self.begun: list[int] = []
        self.aboard: dict[int, Seat] = {}
        self.running: dict[int, Seat] = {}  # in order of admission
        self.preemptions = 0
        self._short = False

    @property
    def decode_tokens(self) -> int:
        """New tokens of all sequences that decode, in a pass. [tokens]"""
        return len(self.aboard)

    @property
    def queue(self) -> int:
        """Requests that wait. [requests]"""
        return self.waiting.count

    @property
    def since(self) -> float:
        """When the first of those came who wait and never ran. [s]"""
        return self.waiting.since

    def rest(self, who: int) -> int:
        """Return the tokens of its prompt that are not computed yet.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        seat = self.seats[who]
        return seat.known - seat.done

    def offer(self, when: float, seat: Seat) -> bool:
        """Let a request wait; False where too many do.

        Parameters
        ----------
        when : float
            When it came. [s]
        seat : Seat
        """
        self.seats[seat.who], self._tier[seat.who] = seat, seat.tier
        if not self.waiting.push(when, seat.who):
            self._forget(seat)
            return False
        return True

    def admit(self) -> int | None:
        """Take the first who waits, where there is a seat and room in the pool; None otherwise."""
        if not self.waiting.count or self._short or len(self.running) >= self.limits.sequences:
            return None
        who = self.waiting.first()
        if who is None:
            return None
        seat = self.seats[who]
        if not self.pages.board(seat, self._growth()):
            self.waiting.not_yet(who)
            return None
        self.running[who] = seat
        self.begun.append(who)
        if not seat.preempted:
            seat.cached = seat.done
        return who

    def _growth(self) -> int:
        """Blocks that those who decode take in the next pass."""
        return sum(map(self.pages.grows, self.aboard.values()))

    def depart(self) -> Departure | None:
        """Return the pass that leaves now; None where none does before `wake`."""
        self._short, self.wake = False, NEVER
        period = self.policy.period
        if period:
            at = math.ceil(self.now / period - 1e-9) * period
            if at > self.now * (1 + 1e-12):
                self.wake = at if self.running or self.waiting.count else NEVER
                return None
        while self.aboard and self._growth() > self.pages.unused:
            self._preempt()
        chunks = self.policy.prompts(self) if self.begun or self.waiting.count else []
        if not chunks and not self.aboard:
            self.wake = self.policy.wake(self) if self.waiting.count else NEVER
            return None
        riders = tuple(self.aboard.values()) if self.policy.mixes or not chunks else ()
        padded = max(self.seats[who].known for who, _ in chunks) if chunks and self.policy.padded else 0
        left = Departure(riders, tuple((self.seats[who], new) for who, new in chunks), padded, self.pages.used)
        for seat in riders:
            if self.pages.grows(seat) and not seat.ended:
                self.pages.grow(seat)
        return left

    def _preempt(self) -> None:
        """The latest to board, of the least urgent tier, loses its place; it is computed again."""
        seat = max(reversed(self.running.values()), key=lambda s: s.tier)
        self.aboard.pop(seat.who, None)
        if seat.who in self.begun:
            self.begun.remove(seat.who)
        self.pages.leave(seat)
        del self.running[seat.who]
        seat.preempted += 1
        self.preemptions += 1
        self._short = True
        self.waiting.push_back(seat.who)

    def arrive(self, left: Departure, told: dict[int, int], stops: set[int]) -> list[Seat]:
        """Note what a pass has made; returns who has ended by it.

        Parameters
        ----------
        left : Departure
        told : dict of int
            The token of each request that made one. [1]
        stops : set of int
            Requests that end with it, though they may have more. [1]
        """
        ended: list[Seat] = []
        for seat in left.riders:
            if not seat.ended:
                seat.done += 1
                seat.made.append(told[seat.who])
                if seat.who in stops or len(seat.made) >= seat.most:
                    ended.append(seat)
        ended.sort(key=lambda s: s.who)
        for seat in ended:
            self._end(seat)
        for seat, new in left.chunks:
            seat.done += new
            self.pages.computed(seat)
            if seat.done < seat.known:
                continue
            self.begun.remove(seat.who)
            seat.made.append(told[seat.who])
            self.aboard[seat.who] = seat
            if seat.who in stops or len(seat.made) >= seat.most:
                ended.append(seat)
                self._end(seat)
        if self.policy.padded and self.aboard and all(s.ended for s in self.aboard.values()):
            for seat in list(self.aboard.values()):
                self._leave(seat)
        return ended

    def _end(self, seat: Seat) -> None:
        if self.policy.padded:
            seat.ended = True
        else:
            self._leave(seat)

    def give_up(self, who: int) -> Seat | None:
        """Let a request go that nobody waits for any more; its seat and blocks are free at once. None where it has gone.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        seat = self.seats.get(who)
        if seat is None or seat.ended:
            return None
        if self.waiting.give_up(who):
            self._forget(seat)
        elif self.policy.padded and who in self.aboard:
            seat.ended = True  # its seat stays taken until the batch has arrived
        else:
            if who in self.begun:
                self.begun.remove(who)
            self._leave(seat)
        return seat

    def _leave(self, seat: Seat) -> None:
        self.aboard.pop(seat.who, None)
        del self.running[seat.who]
        if self.waiting.tiered:
            self.waiting.left(seat.who)
        self.pages.leave(seat)
        self._forget(seat)

    def _forget(self, seat: Seat) -> None:
        del self.seats[seat.who], self._tier[seat.who]
