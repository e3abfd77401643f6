"""One replica of an engine: a loop of passes over the requests that it is offered, with a run of decode passes in one go.

There is no prefill phase and no decode phase: in every pass a request's computed tokens catch up with its known ones
(vLLM v1). The policy says what of whose prompts a pass carries; where it carries none and nothing can happen before the next
end, bend of a read law, arrival or shortage of blocks, all passes until then are one sum.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from headway.errors import InputError
from headway.roofline import PassClock
from headway.simulation.blocks import Blocks
from headway.simulation.decoding import Decoding, Law
from headway.simulation.policies import Chunk, Policy

NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a pass and the pool of a replica.

    Attributes
    ----------
    tokens : int
        Most new tokens of a pass. [tokens]
    sequences : int
        Most requests that run at a time. [sequences]
    blocks, block : int
        KV blocks, and tokens of each. [blocks, tokens]
    whole : bool
        A request is admitted when its last token will fit, not when its prompt does.
    jump : bool
        Runs of decode passes are summed in one go; False adds them up one by one (the same to rounding).
    """

    tokens: int
    sequences: int
    blocks: int
    block: int = 16
    whole: bool = False
    jump: bool = True

    def __post_init__(self) -> None:
        for name in ("tokens", "sequences", "blocks", "block"):
            if getattr(self, name) < 1:
                raise InputError(f"limits: {name} is {getattr(self, name):,}; it must be at least 1")


class Replica:
    """A replica and the requests on it.

    Parameters
    ----------
    clock : PassClock
    limits : Limits
    policy : Policy
    prompt, output : sequence of int
        Of every request that may be offered, by its index. [tokens]
    laws : sequence of Law
        What sequences add to the clock's meters, up to the longest of them.
    """

    def __init__(
        self,
        clock: PassClock,
        limits: Limits,
        policy: Policy,
        prompt: Sequence[int],
        output: Sequence[int],
        laws: Sequence[Law],
    ) -> None:
        self.clock, self.limits, self.policy = clock, limits, policy
        self.prompt, self.output = prompt, output
        self.decoding, self.blocks = Decoding(clock, laws), Blocks(limits.blocks, limits.block)
        self.now, self.budget = 0.0, limits.tokens
        self.begun: list[int] = []
        self.waiting: deque[int] = deque()
        self._done: dict[int, int] = {}  # tokens computed of the prompts under way
        self._made: dict[int, int] = {}  # tokens made so far by requests that run, or did before they were pre-empted
        self._ends: list[tuple[int, int, int]] = []  # (pass, request, tokens made when it joined)
        self._order: dict[int, None] = {}  # who runs, in order of admission
        self._short = False  # somebody was just pre-empted: nobody boards in the same pass
        self.running = 0
        self.preempted: dict[int, int] = {}
        self.on_start: Callable[[int, float], None] = _ignore
        self.on_first: Callable[[int, float], None] = _ignore
        self.on_end: Callable[[int, float], None] = _ignore
        self.on_passes: Callable[[float, float, int, int, int], None] = _pass

    @property
    def decoding_count(self) -> int:
        """Sequences that decode. [sequences]"""
        return self.decoding.count

    @property
    def queue(self) -> int:
        """Requests that wait. [requests]"""
        return len(self.waiting)

    def fits(self, who: int) -> bool:
        """Return whether a request can ever run here: its last token needs a place in the pool.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        return self.blocks.of(self.prompt[who] + self.output[who] - 1) <= self.blocks.total

    def offer(self, who: int) -> None:
        """Let a request wait here.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        self.waiting.append(who)

    def known(self, who: int) -> int:
        """Return the tokens that must be in its cache before it makes another: its prompt, and what it made before.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        return self.prompt[who] + self._made.get(who, 0)

    def rest(self, who: int) -> int:
        """Return the tokens of its prompt that are not computed yet.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        return self.known(who) - self._done.get(who, 0)

    def admit(self) -> int | None:
        """Take the first who waits, where there is a seat and room in the pool; None otherwise."""
        if not self.waiting or self._short or self.running >= self.limits.sequences:
            return None
        who = self.waiting[0]
        need = self.blocks.of(self.prompt[who] + self.output[who] - 1 if self.limits.whole else self.known(who))
        if need > self.blocks.free - self.blocks.needed(self.decoding.passed):  # those that decode come first
            return None
        self.waiting.popleft()
        self.blocks.free -= need
        self.running += 1
        self.begun.append(who)
        self._done[who] = 0
        self._order[who] = None
        if who not in self._made:
            self._made[who] = 0
            self.on_start(who, self.now)
        return who

    def advance(self, arrival: float, until: float = NEVER) -> bool:
        """Do what comes next: a pass, or a run of decode passes that ends with the first at or after one of two moments.

        Parameters
        ----------
        arrival : float
            When somebody comes; no matter to a replica on which others wait, or all seats are taken. [s]
        until : float
            When somebody looks. [s]

        Returns
        -------
        bool
            Whether anything was done; False where nobody runs and nobody can.
        """
        blocks, decoding = self.blocks, self.decoding
        self._short = False
        if blocks.needed(decoding.passed) > blocks.free:
            self._make_room()
        chunks = self.policy.prompts(self) if self.waiting or self.begun else None
        if chunks:
            self._with_prompts(chunks)
        elif decoding.count:
            self._decode(arrival, until)
        else:
            return False
        return True

    def _with_prompts(self, chunks: list[Chunk]) -> None:
        decoding = self.decoding
        riders = decoding.count if self.policy.mixes else 0
        totals = list(decoding.totals) if riders else [0.0] * self.clock.meters
        singles = None if self.clock.alone else list((decoding.largest()[0] if riders else None) or totals)
        tokens, amounts = riders, self.clock.amounts_of
        for who, new in chunks:
            each = amounts(new, self._done[who])
            tokens += new
            totals = [a + b for a, b in zip(totals, each, strict=True)]
            if singles is not None:
                singles = [max(a, b) for a, b in zip(singles, each, strict=True)]
        took = self.clock.seconds(totals, float(tokens), singles)
        self.on_passes(self.now, took, 1, riders, tokens)
        self.now += took
        if riders:
            self._passed(1)
        for who, new in chunks:
            self._done[who] += new
            if self._done[who] == self.known(who):
                self._ready(who)

    def _ready(self, who: int) -> None:
        """A prompt is computed: its pass has made a token."""
        self.begun.remove(who)
        cached = self._done.pop(who)
        made = self._made[who] = self._made[who] + 1
        if made == 1:
            self.on_first(who, self.now)
        if made == self.output[who]:
            self.blocks.free += self._held(who, cached)
            self._leave(who)
            return
        decoding = self.decoding
        decoding.join(who, cached)
        if not self.limits.whole:
            self.blocks.join(cached, decoding.passed)
        heappush(self._ends, (decoding.passed + self.output[who] - made, who, made))

    def _held(self, who: int, cached: int) -> int:
        return self.blocks.of(self.prompt[who] + self.output[who] - 1 if self.limits.whole else cached)

    def _leave(self, who: int) -> None:
        self.running -= 1
        del self._made[who], self._order[who]
        self.on_end(who, self.now)

    def _decode(self, arrival: float, until: float) -> None:
        decoding = self.decoding
        count = decoding.straight(self._ends[0][0] - decoding.passed)
        count = self.blocks.lasting(decoding.passed, count)
        singles, steps = decoding.largest()
        tokens = float(decoding.count)
        took = self.clock.seconds(decoding.totals, tokens, singles)
        if not (self.waiting or self.running >= self.limits.sequences):  # else whoever comes waits
            until = min(arrival, until)
        gap = until - self.now
        if took >= gap or not self.limits.jump:
            count = 1
        if count > 1:
            count, took = self._until(gap, count, took, singles, steps)
        self.on_passes(self.now, took, count, decoding.count, decoding.count * count)
        self.now += took
        self._passed(count)

    def _until(
        self, gap: float, most: int, first: float, singles: list[float] | None, steps: list[float] | None
    ) -> tuple[int, float]:
        """How many passes end at or after a gap (at most so many), and what they take."""
        decoding, tokens = self.decoding, float(self.decoding.count)

        def run(count: int) -> float:
            return self.clock.run(count, decoding.totals, decoding.slopes, tokens, singles, steps)

        low, high = 1, most if gap == NEVER else min(most, math.ceil(gap / first))  # passes only grow longer
        took = run(high)
        while took >= gap and high - low > 1:  # `high` is late enough; is an earlier one?
            middle = min(max(int(high * gap / took), low + 1), high - 1)
            here = run(middle)
            if here >= gap:
                high, took = middle, here
            else:
                low = middle
        return high, took

    def _passed(self, count: int) -> None:
        """Decoding sequences have made `count` tokens each."""
        decoding = self.decoding
        self.blocks.grow(decoding.passed, count)
        decoding.advance(count)
        ends, passed = self._ends, decoding.passed
        while ends and ends[0][0] <= passed:
            _, who, made = heappop(ends)
            if who in decoding and self._made[who] == made:
                cached = decoding.leave(who)
                self._free(who, cached)
                self._leave(who)

    def _free(self, who: int, cached: int) -> None:
        if self.limits.whole:
            self.blocks.free += self._held(who, cached)
        else:
            self.blocks.leave(cached, self.decoding.passed)

    def _make_room(self) -> None:
        """Pre-empt the latest to board until the blocks of the next decode pass are there: their caches are computed again."""
        decoding, blocks = self.decoding, self.blocks
        while decoding.count and blocks.needed(decoding.passed) > blocks.free:
            who = next(reversed(self._order))
            if who in decoding:
                cached = decoding.leave(who)
                blocks.leave(cached, decoding.passed)
                self._made[who] = cached + 1 - self.prompt[who]
            else:
                self.begun.remove(who)
                del self._done[who]
                blocks.free += blocks.of(self.known(who))
            self._wait_again(who)

    def _wait_again(self, who: int) -> None:
        self._short = True
        self.running -= 1
        del self._order[who]
        self.preempted[who] = self.preempted.get(who, 0) + 1
        self.waiting.appendleft(who)


def _ignore(who: int, when: float) -> None: ...


def _pass(start: float, took: float, count: int, riders: int, tokens: int) -> None: ...
