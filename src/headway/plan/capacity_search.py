"""The bisection behind a capacity: a seed after the other, on runs that grow until the answer stays."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

from headway.parallel import Layout
from headway.plan.benches import Bench, own_rate
from headway.plan.bisect import largest
from headway.plan.loops import loop, most_flying, seats
from headway.plan.slo import Most, Readers, Slo
from headway.serving import Setting
from headway.simulation.repeats import Over, over
from headway.simulation.steady import Steady

Tell = Callable[[str, int, int], None]
See = Callable[[float, int], Steady]  # of a rate or number, and a seed
_FEWEST, _MOST = 1000, 256_000  # requests of a run
_ROUNDS = 12  # of those in flight, that a run has: three of them are its beginning
_FINE, _CLOSE = 0.01, 0.02  # of the number: where a seed's bisection ends; where a longer run is not worth it
_FAR, _NEAR = 1.3, 1.05  # first step of a search, from the mean field and from another seed's answer
_LEAST = 1e-4  # of the first guess: below it nothing is looked for


def seen_at(b: Bench, slo: Slo, x: float, seed: int, count: int) -> Steady:
    """Return what a seed's requests see at a rate, or its users by their number.

    Parameters
    ----------
    b : Bench
    slo : Slo
    x : float
        [requests/s or users]
    seed, count : int
        As of `Bench.draw`; of users nothing is counted. [1]
    """
    return b.users(round(x), seed, slo.tpot) if b.loops else b.at_rate(x, seed, count)


class Search:
    """A capacity on its way.

    Attributes
    ----------
    estimate, carries : float
        As of `headway.plan.capacity.Capacity`; `estimate` is NaN of a closed loop. [requests/s]
    """

    def __init__(self, b: Bench, slo: Slo, seeds: tuple[int, ...], tell: Tell) -> None:
        self.bench, self.slo, self.seeds, self.tell = b, slo, seeds, tell
        d = b.deployment
        self.here: tuple[Setting, Layout, int] = (d.setting, d.layout, b.replicas)
        s, self.estimate, self.carries = d.setting, math.nan, math.nan
        at = most_flying(*self.here, slo.ttft, slo.tpot)
        self.flying = at.case.in_flight if at else float(b.replicas)
        if at and not b.loops:
            self.estimate = at.output_rate / s.output
        if s.prompt >= 1 and s.output >= 2:
            self.carries = loop(*self.here, seats(*self.here)).output_rate / s.output

    def answer(self) -> tuple[Most, int, bool]:
        """Return the capacity, the length of the runs that say so, and whether longer ones would say the same."""
        if not self.slo.met(self.bench.alone):
            return Most(Over(0.0, math.nan, math.nan), self._alone(self.slo), tuple(0.0 for _ in self.seeds)), 0, True
        if self.bench.loops:
            return self._each(self._see(0), (self._guess(),), self.slo, whole=True), 0, True
        if not self.bench.grows:
            return self._each(self._see(0), (self._guess(),), self.slo), 0, True
        length = _rounded(self.flying / self.bench.times * _ROUNDS)
        most, settled = self._each(self._see(length), (self._guess(),), self.slo), False
        while not settled and 2 * length <= _MOST and most.value.value > 0:
            before = most
            flying = max(self._see(length)(x, k).flying for x, k in list(zip(most.found, self.seeds, strict=True))[:1])
            length = max(2 * length, _rounded(flying / self.bench.times * _ROUNDS))
            most = self._each(self._see(length), before.found, self.slo)
            settled = abs(most.value.value / before.value.value - 1) <= _CLOSE and not _wide(most.value)
        return most, length, settled

    def _see(self, count: int) -> See:
        return lambda x, seed: seen_at(self.bench, self.slo, x, seed, count)

    def _guess(self) -> float:
        if self.bench.loops:
            return self.flying
        return self.estimate if self.estimate > 0 else own_rate(self.bench.draw(self.seeds[0]))

    def _alone(self, slo: Slo) -> str:
        alone = self.bench.alone
        short = [
            n
            for n, s in (("TTFT", alone.within(ttft=slo.ttft)), ("TPOT", alone.within(tpot=slo.tpot)))
            if s < slo.within
        ]
        return f"{' and '.join(short) or 'TTFT and TPOT together'} alone"

    def _each(
        self, see: See, guesses: Sequence[float], slo: Slo, *, whole: bool = False, most: float = math.inf, what: str = "",
    ) -> Most:  # fmt: skip
        """Bisect for every seed, from what is known: its own guess, or the answer of the one before."""
        found: list[float] = []
        reasons: Counter[str] = Counter()
        what = what or "capacity"
        for done, seed in enumerate(self.seeds):
            self.tell(what, done, len(self.seeds))
            known = found if len(guesses) == 1 else guesses
            guess = guesses[done] if len(guesses) > 1 else found[-1] if found else guesses[0]
            step = _NEAR if known else _FAR
            value, why = _one(lambda x, k=seed: see(x, k), guess or guesses[0], slo, step, whole=whole, most=most)
            found.append(value)
            reasons[why] += 1
        self.tell(what, len(self.seeds), len(self.seeds))
        return Most(over(found), " or ".join(n for n, c in reasons.most_common() if 3 * c >= len(found)), tuple(found))

    def read(self, speed: float) -> Readers:
        """Return how many users read at a speed, their first token within its limit.

        Parameters
        ----------
        speed : float
            [tokens/s]
        """
        slo = Slo(self.slo.ttft, 1 / speed, self.slo.within)
        at = most_flying(*self.here, slo.ttft, slo.tpot)
        estimate = math.nan if math.isnan(self.carries) else at.case.in_flight if at else 0.0
        if not slo.met(self.bench.alone):
            return Readers(speed, Most(Over(0.0, math.nan, math.nan), self._alone(slo), ()), estimate)
        guess = estimate if estimate > 0 else float(self.bench.replicas)

        def see(users: float, seed: int) -> Steady:
            return self.bench.readers(round(users), seed, slo.tpot)

        most = self._each(see, (guess,), slo, whole=True, most=seats(*self.here), what=f"users at {speed:g} tok/s")
        return Readers(speed, most, estimate)


def _one(
    see: Callable[[float], Steady], guess: float, slo: Slo, step: float, *, whole: bool, most: float
) -> tuple[float, str]:
    """The largest rate or number of one seed, and what is in the way of more."""
    seen: dict[float, Steady] = {}

    def good(x: float) -> bool:
        at = seen.setdefault(x, see(x))
        return slo.met(at) and (whole or not at.growing)

    least = 1.0 if whole else guess * _LEAST
    low, high = largest(good, guess, close=_FINE, step=step, least=least, most=most, whole=whole)
    if math.isinf(high):
        return low, "memory"
    if (
        slo.met(seen[high]) and low > 0
    ):  # a little beyond saturation the queue has not grown far: what ended is what it carries
        return min(low, seen[low].ended_rate), "saturation"
    return low, slo.binding(seen[high])


def _rounded(count: float) -> int:
    """A run's length: thousands that double. [requests]"""
    return min(_FEWEST * 2 ** max(math.ceil(math.log2(count / _FEWEST)), 0), _MOST)


def _wide(value: Over) -> bool:
    return not math.isnan(value.low) and value.high - value.low > 2 * _CLOSE * value.value
