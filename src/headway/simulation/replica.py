"""One replica of an engine: a loop of passes over the requests that it is offered, with a run of decode passes in one go.

There is no prefill phase and no decode phase: in every pass a request's computed tokens catch up with its known ones
(vLLM v1). The policy says what of whose prompts a pass carries; where it carries none and nothing can happen before the next
end, bend of a read law, arrival or shortage of blocks, all passes until then are one sum.
"""

from __future__ import annotations

import math
from struct import Struct

from headway.simulation.admission import ENDLESS
from headway.simulation.boarding import NEVER, Boarding
from headway.simulation.policies import Chunk

RUN = "2d6q"  # a run of passes: start, seconds; passes, sequences that decode, tokens, tokens in their caches, unused blocks, tokens made
_ROW = Struct(RUN).pack
_FEW = 8  # passes that are added up one by one


class Replica(Boarding):
    """A replica and the requests on it: `Boarding` says who, this what the passes do."""

    __slots__ = ()

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
            Whether anything was done; False where nobody runs and nobody can before `wake`.
        """
        if self._later:
            self._land()
        if self._patience:
            self.waiting.expire(self.now)
        aboard, blocks = self.aboard, self.blocks
        self._short = False
        if self._period and not self._departs():
            return False
        if aboard.count * aboard.new > blocks.free and aboard.needed() > blocks.free + blocks.spare:
            self._make_room()
        chunks = self.policy.prompts(self) if self.begun or self.waiting.count else None
        if chunks:
            self._with_prompts(chunks)
        elif aboard.count:
            self._decode(arrival, until)
        else:
            self.wake = min(
                self._later[0][0] if self._later else NEVER,
                self.policy.wake(self) if self.waiting.count else NEVER,
                self.waiting.expiry,
            )
            return False
        return True

    def _departs(self) -> bool:
        """Whether a train leaves now; says when the next one does."""
        period = self._period
        at = math.ceil(self.now / period - 1e-9) * period
        if at <= self.now * (1 + 1e-12):
            return True
        self.wake = at if self.aboard.count or self.begun or self.waiting.count else NEVER
        return False

    def _with_prompts(self, chunks: list[Chunk]) -> None:
        aboard, clock, done = self.aboard, self.clock, self.done
        riders = aboard.count if self._mixes else 0
        totals = aboard.sums() if riders else [0.0] * clock.meters
        singles = None if self._alone else (aboard.largest()[0] if riders else None) or totals
        tokens, amounts, remembered = riders * aboard.new, clock.amounts_of, clock.sequences
        if self._pads:
            self._padded = max(self.known(who) for who, _ in chunks)
        for who, new in chunks:
            known = (self._padded, 0, 1.0) if self._pads else (new, done[who], 1.0)
            each = remembered.get(known) or amounts(*known)
            tokens += self._padded or new
            totals = [a + b for a, b in zip(totals, each)]  # noqa: B905 - of one length; the check takes time
            if singles is not None:
                singles = [max(a, b) for a, b in zip(singles, each, strict=True)]
        took = clock.seconds(totals, tokens, singles)
        if self._stall:
            took, self._stall = took + self._stall, 0.0
        begin, unused, caches = self.now, self.blocks.free + self.blocks.spare, aboard.caches if riders else 0
        before = aboard.made
        self.now += took
        if riders:
            self._passed(1)
        self.on_passes(_ROW(begin, took, 1, riders, tokens, caches, unused, aboard.made - before))
        keeps, prompt, made = self.memory.prefixes is not None, self.prompt, self.made
        for who, new in chunks:
            cached = done[who] = done[who] + new
            if keeps:
                self.memory.computed(who, cached)
            if cached == prompt[who] + made[who]:
                self._ready(who, cached)
        if self._sitting:
            self._ended([])

    def _ready(self, who: int, cached: int) -> None:
        """A prompt is computed: its pass has made a token."""
        self.begun.remove(who)
        made = self.made[who] = self.made[who] + 1
        if made == 1:
            self.on_first(who, self.now)
        left = self.output[who] - made
        if left > 0:
            self.aboard.join(who, self._padded or cached, left)
        elif self._pads:
            self.aboard.join(who, self._padded, ENDLESS)
            self._sitting.append(who)
            self.on_end(who, self.now)
        else:
            self.on_end(who, self.now)
            self._leave(who, cached, cached)

    def _decode(self, arrival: float, until: float) -> None:
        aboard = self.aboard
        count = aboard.most()
        quick = self.clock.quick
        singles, steps = (None, None) if self._alone else aboard.largest()
        tokens = aboard.count * aboard.new
        took = (
            self.clock.decode(aboard.count, aboard.of_caches(), aboard.new)
            if quick
            else self.clock.seconds(aboard.sums(), tokens, singles)
        )
        gap = self._bound(arrival, until) - self.now
        if took >= gap or self._short or self._period or not self.limits.jump:
            count = 1
        elif count > 1:
            count, took = self._until(gap, count, took, singles, steps)
        if self._stall:
            took, self._stall = took + self._stall, 0.0
        begin, unused, riders, caches = self.now, self.blocks.free + self.blocks.spare, aboard.count, aboard.caches
        before = aboard.made + count * len(self._sitting)
        self.now += took
        self._passed(count)
        self.on_passes(_ROW(begin, took, count, riders, tokens * count, caches, unused, aboard.made - before))

    def _bound(self, arrival: float, until: float) -> float:
        """When a run of decode passes must end: somebody may board, or looks."""
        waiting = self.waiting
        if self.running < self.limits.sequences and (
            not waiting.count or waiting.tiers > 1
        ):  # else whoever comes waits
            until = min(arrival, until)
        if self._later:
            until = min(self._later[0][0], until)
        return min(until, waiting.expiry) if waiting.rules.patience else until

    def _until(
        self, gap: float, most: int, first: float, singles: list[float] | None, steps: list[float] | None
    ) -> tuple[int, float]:
        """How many passes end at or after a gap (at most so many), and what they take."""
        aboard = self.aboard
        if self.clock.quick and (most <= _FEW or gap <= _FEW * first):
            few = most if gap == NEVER else min(most, _FEW)
            return self.clock.decode_until(gap, few, first, aboard.count, aboard.of_caches(), aboard.slopes)
        totals = aboard.sums()
        tokens = aboard.count * aboard.new

        def run(count: int) -> float:
            return self.clock.run(count, totals, aboard.slopes, tokens, singles, steps)

        most = most if gap == NEVER else min(most, math.ceil(gap / first))  # passes only grow longer
        if most <= _FEW:
            return self.clock.until(gap, most, first, totals, aboard.slopes, tokens, singles, steps)
        low, high, took = 1, most, run(most)
        while took >= gap and high - low > 1:  # `high` is late enough; is an earlier one?
            middle = min(max(int(high * gap / took), low + 1), high - 1)
            here = run(middle)
            if here >= gap:
                high, took = middle, here
            else:
                low = middle
        return high, took

    def _passed(self, count: int) -> None:
        """Decoding sequences have made their tokens of `count` passes."""
        ended = self.aboard.advance(count)
        if self.blocks.free < 0:  # their blocks were needed before who ends now gave any back
            self.memory.settle()
        if ended:
            self._ended(ended)

    def _ended(self, ended: list[int]) -> None:
        """Let those go who have all their tokens; of a padded batch when all have."""
        for who in ended:
            self.on_end(who, self.now)
        if self._pads:
            self._sitting += ended
            if len(self._sitting) < self.aboard.count:
                return
            ended, self._sitting, self._padded = self._sitting, [], 0
        for who in ended:
            cached, reach = self.aboard.leave(who)
            self._leave(who, cached, reach)
