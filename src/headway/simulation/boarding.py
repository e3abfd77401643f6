"""Who is on a replica: seats and memory given and taken back, caches on their way, who loses its place to whom."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from heapq import heappop, heappush

from headway.errors import InputError
from headway.simulation.admission import Waiting
from headway.simulation.clocks import Clock
from headway.simulation.decoding import Aboard, Decoding, Law
from headway.simulation.drafting import Drafting
from headway.simulation.habits import USUAL, Habits, Transfer
from headway.simulation.limits import Limits
from headway.simulation.memory import NOTHING, Memory
from headway.simulation.policies import Policy
from headway.simulation.prefixes import Found
from headway.simulation.requests import Listed

NEVER = math.inf


class Boarding:
    """The requests of a replica, between their coming and their leaving.

    Parameters
    ----------
    clock : Clock
    limits : Limits
    policy : Policy
    requests : Listed
        All that may be offered, by their index.
    laws : sequence of Law
        What sequences add to the clock's meters, up to the longest of them.
    habits : Habits
    """

    __slots__ = (  # more than thirty attributes are slow without
        *("clock", "limits", "policy", "habits", "requests", "prompt", "output", "made", "done", "memory", "blocks", "waiting", "aboard"),
        *("now", "budget", "groups", "wake", "begun", "running", "preempted", "cached", "on_start", "on_first", "on_end", "on_passes"),
        *("_plain", "_alone", "_mixes", "_period", "_pads", "_patience", "_order", "_stored", "_later", "_sitting"),
        *("_padded", "_short", "_stall"),
    )  # fmt: skip

    def __init__(
        self,
        clock: Clock,
        limits: Limits,
        policy: Policy,
        requests: Listed,
        laws: Sequence[Law],
        habits: Habits = USUAL,
    ) -> None:
        self.clock, self.limits, self.policy, self.habits = clock, limits, policy, habits
        self._patience = bool(habits.admission.patience)
        self._alone = clock.alone
        self._mixes, self._period, self._pads = policy.mixes, policy.period, policy.padded
        self.prompt, self.output, self.requests = requests.prompt, requests.output, requests
        self.memory = Memory(
            clock, limits, requests, None if policy.padded else habits.prefix
        )  # padding computes all anew
        self.blocks, self.waiting = self.memory.blocks, Waiting(habits.admission, requests.tier, requests.tiers)
        self._plain = self.memory.plain
        grows = not (limits.whole or limits.reserve)
        if self._pads and grows:
            raise InputError(f"{policy.name}: a padded batch takes its memory whole, and these limits let it grow")
        drafts = habits.drafts
        self.aboard: Aboard = (
            Drafting(clock, laws, self.blocks, grows, drafts) if drafts else Decoding(clock, laws, self.blocks, grows)
        )
        self.now, self.budget, self.groups, self.wake = 0.0, limits.tokens, limits.groups, NEVER
        self.begun: list[int] = []
        self.made, self.done = requests.made, requests.done
        self._order: dict[int, None] = {}  # who runs, in order of admission
        self._stored: dict[int, int] = {}  # tokens of caches that lie elsewhere
        self._later: list[tuple[float, int]] = []  # who boards when its cache has come
        self._sitting: list[int] = []  # who has ended and stays until all of a padded batch have
        self._padded = 0
        self._short = False  # somebody was just pre-empted: nobody boards in the same pass
        self._stall = 0.0
        self.running = 0
        self.preempted: dict[int, int] = {}
        self.cached: dict[int, int] = {}
        self.on_start: Callable[[int, float], None] = _ignore
        self.on_first: Callable[[int, float], None] = _ignore
        self.on_end: Callable[[int, float], None] = _ignore
        self.on_passes: Callable[[bytes], None] = _pass

    @property
    def decode_tokens(self) -> int:
        """New tokens of all sequences that decode, in a pass. [tokens]"""
        return self.aboard.count * self.aboard.new

    @property
    def sitting(self) -> list[int]:
        """Who has ended and keeps its seat until all of a padded batch have."""
        return self._sitting

    @property
    def queue(self) -> int:
        """Requests that wait. [requests]"""
        return self.waiting.count

    @property
    def since(self) -> float:
        """When the first of those came who wait and never ran. [s]"""
        return self.waiting.since

    def offer(self, when: float, who: int) -> bool:
        """Let a request wait here whose prompt was computed elsewhere; False where it is turned away.

        Parameters
        ----------
        when, who : float, int
            When it came; the request. [s, 1]
        """
        if who not in self._stored:
            self._stored[who], self.made[who] = self.prompt[who], 1
        return self.waiting.push(when, who)

    def known(self, who: int) -> int:
        """Return the tokens that must be in its cache before it makes another: its prompt, and what it made before.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        return self.prompt[who] + self.made[who]

    def rest(self, who: int) -> int:
        """Return the tokens of its prompt that are not computed yet.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        return self.prompt[who] + self.made[who] - self.done[who]

    def admit(self) -> int | None:
        """Take the first who waits, where there is a seat and room in the pool; None otherwise."""
        while self.waiting.count and not self._short and self.running < self.limits.sequences:
            who = self.waiting.first()
            if who is None:
                return None
            stored = self._stored.get(who, 0) if self._stored else 0
            known, blocks = stored or self.prompt[who] + self.made[who], self.blocks
            claim = -(-known // blocks.size)
            if self._plain and claim + self.aboard.count * self.aboard.new <= blocks.free:  # room, however many grow
                blocks.free -= claim
                found = NOTHING
            else:
                found = self.memory.take(who, known, self.now, self.aboard, stored > 0)
                if found is None:
                    self.waiting.not_yet(who)
                    return None
            self.running += 1
            self._order[who] = None
            if not self.made[who] and who not in self.preempted:
                self.on_start(who, self.now)
            if found is NOTHING and not stored:
                self.done[who] = 0
                self.begun.append(who)
                return who
            if self._brought(who, found, stored):
                return who
        return None

    def _brought(self, who: int, found: Found, stored: int) -> bool:
        """Whether one may be computed at once, part of whose cache may be there; else it boards when the rest has come."""
        here, below = found.here * self.requests.hash_tokens, found.below * self.requests.hash_tokens
        seconds = found.seconds
        if stored:
            way = self.habits.transfer or Transfer(self.limits.swap, 0.0)
            seconds = way.latency + (stored - here) * way.token_seconds
        else:
            if (here or below) and who not in self.preempted:  # else it is its own cache that it finds again
                self.cached[who] = here + below
            self.done[who] = here + below
            if not below:
                self.begun.append(who)
                return True
        heappush(self._later, (self.now + seconds, who))
        return False

    def _land(self) -> None:
        """Let those board whose caches have come."""
        while self._later and self._later[0][0] <= self.now:
            _, who = heappop(self._later)
            cached = self._stored.pop(who, 0)
            if cached:
                if self.habits.transfer is not None and who not in self.preempted:
                    self.on_first(who, self.now)
                self.memory.computed(who, cached)
                self.aboard.join(who, cached, self.output[who] - self.made[who])
            else:
                self.memory.computed(who, self.done[who])
                self.begun.append(who)

    def _leave(self, who: int, cached: int, reach: int) -> None:
        """One that has ended gives its seat and its blocks back."""
        self.running -= 1
        if self.waiting.tiered:
            self.waiting.left(who)
        del self._order[who]
        if self._plain:
            self.blocks.free += -(-reach // self.limits.block)
        else:
            self.memory.give(who, reach, self.now, cached)

    def _make_room(self) -> None:
        """Pre-empt the latest to board, of the least urgent tier, until the blocks of the next decode pass are there."""
        aboard, blocks = self.aboard, self.blocks
        while aboard.count and aboard.needed() > blocks.free + blocks.spare:
            who = self._victim()
            if who in aboard:
                cached, reach = aboard.leave(who)
                self.made[who] = cached + 1 - self.prompt[who]
                if self.limits.swap:  # its cache goes to the host, and the passes wait for that
                    self._stored[who] = cached
                    self._stall += cached * self.limits.swap
            else:
                self.begun.remove(who)
                reach = self.known(who)
            self.memory.give(who, reach, self.now)
            self._short = True
            self.running -= 1
            del self._order[who]
            self.preempted[who] = self.preempted.get(who, 0) + 1
            self.waiting.push_back(who)

    def _victim(self) -> int:
        coming = {who for _, who in self._later}
        latest = reversed(self._order)
        if self.waiting.tiers == 1 and not coming:
            return next(latest)
        return max((who for who in latest if who not in coming), key=self.waiting.tier_of)


def _ignore(who: int, when: float) -> None: ...


def _pass(run: bytes) -> None: ...
