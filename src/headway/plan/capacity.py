"""How much traffic a deployment carries within limits: the largest rate, or number of users, by simulations and bisection."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from headway import units
from headway.catalog import default
from headway.errors import InputError, quoted
from headway.parallel import Layout
from headway.plan.benches import Bench, Window, bench, own_rate
from headway.plan.bisect import largest
from headway.plan.loops import loop, most_flying, seats
from headway.questions import Request, parsed
from headway.roofline import Spread
from headway.serving import Setting
from headway.shown import Shown
from headway.simulation.deployment import Deployment
from headway.simulation.repeats import Over, counted_seeds, over
from headway.simulation.steady import Steady

Tell = Callable[[str, int, int], None]
See = Callable[[float, int], Steady]  # of a rate or number, and a seed
SPEEDS = (30.0, 100.0, 300.0)  # tokens per second at which users read
_SEEDS = 5
_FEWEST, _MOST = 1000, 256_000  # requests of a run
_ROUNDS = 12  # of those in flight, that a run has: three of them are its beginning
_FINE, _CLOSE = 0.01, 0.02  # of the number: where a seed's bisection ends; where a longer run is not worth it
_FAR, _NEAR = 1.3, 1.05  # first step of a search, from the mean field and from another seed's answer
_LEAST = 1e-4  # of the first guess: below it nothing is looked for
_SHARES = (0.2, 0.4, 0.6, 0.75, 0.85, 0.92, 0.96, 1.0, 1.04, 1.08, 1.15)  # of the capacity, for the curve


@dataclass(frozen=True)
class Slo:
    """What a service promises.

    Attributes
    ----------
    ttft, tpot : float
        Longest time to the first token, and per token after it; infinite where nothing is promised. [s]
    within : float
        Share of requests that must meet both. [share]
    """

    ttft: float
    tpot: float
    within: float

    def met(self, seen: Steady) -> bool:
        """Say whether enough requests met both limits."""
        return seen.within(self.ttft, self.tpot) >= self.within

    def binding(self, seen: Steady) -> str:
        """Return which limit is missed most: ``TTFT`` or ``TPOT``."""
        return "TTFT" if seen.within(ttft=self.ttft) <= seen.within(tpot=self.tpot) else "TPOT"


class Most(NamedTuple):
    """The largest rate or number of users.

    Attributes
    ----------
    value : Over
        Over the seeds. [requests/s or users]
    binds : str
        ``TTFT``, ``TPOT``, ``saturation``, ``memory``; with ``alone`` where a request alone breaks it already.
    found : tuple of float
        Of each seed. [requests/s or users]
    """

    value: Over
    binds: str
    found: tuple[float, ...]


class Readers(NamedTuple):
    """How many users read at a speed.

    Attributes
    ----------
    speed : float
        [tokens/s]
    most : Most
        Users, each of whom asks again when the answer has ended.
    estimate : float
        The same by the mean field of `plan`: mean times within the limits. [users]
    """

    speed: float
    most: Most
    estimate: float


@dataclass(frozen=True, repr=False)
class Capacity(Shown):
    """What a deployment carries within limits.

    Attributes
    ----------
    bench : Bench
    slo : Slo
    most : Most
        Requests per second; of a closed loop, users.
    count : int
        Requests of a run; 0: what the traffic has. [requests]
    settled : bool
        Whether a run of twice the length says the same.
    at : tuple of Steady
        Of each seed, at the capacity; empty where it is 0.
    readers : tuple of Readers
    estimate : float
        Requests per second at which the mean field's mean times meet the limits; NaN where it knows none. [requests/s]
    carries : float
        Requests per second of the mean field with every seat taken; NaN where it knows none. [requests/s]
    seeds : tuple of int
    """

    RECORD = "headway.records.capacities:capacity_record"
    TEXT = "headway.report.capacities:capacity_text"

    bench: Bench
    slo: Slo
    most: Most
    count: int
    settled: bool
    at: tuple[Steady, ...]
    readers: tuple[Readers, ...]
    estimate: float
    carries: float
    seeds: tuple[int, ...]

    @property
    def deployment(self) -> Deployment:
        """One replica."""
        return self.bench.deployment

    @property
    def setting(self) -> Setting:
        """Everything that the request resolves to."""
        return self.deployment.setting

    @property
    def rate(self) -> Over:
        """Requests that come per second at the capacity. [requests/s]"""
        return over([s.came / s.seconds for s in self.at]) if self.bench.loops else self.most.value

    @property
    def output_rate(self) -> float:
        """Output tokens at the capacity. [tokens/s]"""
        made = [float(s.output.mean()) * (s.came / s.seconds) for s in self.at if s.seconds > 0]
        return math.fsum(made) / len(made) if made else 0.0

    @property
    def dollars_per_mtok(self) -> float | None:
        """The whole rent over the output tokens at the capacity; None without a price, or where it is 0. [$/Mtok]"""
        system, made = self.setting.system, self.output_rate
        return None if system.price is None or not made > 0 else system.chips * system.price / made * 1e6

    @property
    def spread(self) -> Spread | None:
        """How far the times of such a loop lie from measured ones, as of `plan`; None for the ideal machine."""
        s, flying = self.setting, over([x.flying for x in self.at]).value
        return s.spread("tpot", s.outside(flying if self.at else None, float(self.deployment.layout.chips)))

    @functools.cached_property
    def curve(self) -> list[tuple[float, tuple[Steady, ...]]]:
        """Rates (users) below and above the capacity, with what each seed saw there. [requests/s or users]"""
        value = self.most.value.value
        around = value if value > 0 else self.estimate if self.estimate > 0 else 1.0
        wanted = sorted({max(round(s * around), 1.0) if self.bench.loops else s * around for s in _SHARES})
        return [(x, tuple(_see(self.bench, self.slo, x, seed, self.count) for seed in self.seeds)) for x in wanted]

    def brief(self) -> str:
        """Return the headline in one line."""
        d, v = self.deployment, self.most.value.value
        what = f"{v:,.0f} users" if self.bench.loops else f"{v:.3g} requests/s"
        return f"{d.setting.model.name} on {d.setting.system.name} as {d.layout}: {what} ({self.most.binds} binds)"


def find_capacity(
    request: Request,
    traffic: str = "poisson:1/s",
    *,
    ttft: float | str | None = None,
    tpot: float | str | None = None,
    within: float | None = None,
    seeds: int = _SEEDS,
    seed: int = 0,
    window: Window | None = None,
    policy: str = "engine",
    router: str = "round-robin",
    sequences: int | None = None,
    speeds: Sequence[float] = SPEEDS,
    tell: Tell | None = None,
) -> Capacity:
    """Return the largest rate of some traffic, or number of users of a closed loop, of which enough requests meet limits.

    Parameters
    ----------
    request : Request
        As of `simulate`.
    traffic : str
        As of `headway.simulation.traffic.traffic`; its own rate says nothing.
    ttft, tpot : float, str or None
        Longest time to the first token, and per token after it. [s]
    within : float or None
        Share of requests that must meet both; default: the catalogue's (``slo_attainment``). [share]
    seeds, seed : int
        Repeats, and the seed of the first. [1]
    window : Window or None
        What of the traffic is played; default: as much as the answer needs, all of a trace.
    policy, router : str
        As of `headway simulate`.
    sequences : int or None
        Most requests that run on a replica at a time; default: as many as memory holds. [sequences]
    speeds : sequence of float
        At which users read, whose number is looked for. [tokens/s]
    tell : callable or None
        Told how far it is: what is done, how much of it, of how much.

    Raises
    ------
    InputError
        Without a limit, for unknown names, or what the simulator does not run.
    PhysicsError
        When the weights do not fit.
    """
    slo = _slo(ttft, tpot, within)
    b = bench(request, traffic, window or Window(), policy=policy, router=router, sequences=sequences, seed=seed)
    count = counted_seeds(seeds) if b.repeats(seed) else 1
    many = tuple(range(seed, seed + count))
    search = _Search(b, slo, many, tell or (lambda what, done, of: None))
    most, length, settled = search.answer()
    at = tuple(_see(b, slo, x, n, length) for x, n in zip(most.found, many, strict=True) if x > 0)
    found = tuple(search.read(v) for v in speeds)
    return Capacity(b, slo, most, length, settled, at, found, search.estimate, search.carries, many)


def share_of(text: str | None) -> float | None:
    """Read a share of requests: ``99%``, ``99 %`` or ``0.99``; None stays None.

    Raises
    ------
    InputError
        When it is none.
    """
    if text is None:
        return None
    number, per_cent = text.strip().removesuffix("%").strip(), text.strip().endswith("%")
    try:
        value = float(number) / (100 if per_cent else 1)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise InputError(f"--within: {quoted(text)} is no share of requests; above 0 to 1, like 0.9 or 90%")
    return value


def speeds_of(text: str) -> tuple[float, ...]:
    """Read reading speeds by comma; ``none`` is nobody. [tokens/s]

    Raises
    ------
    InputError
        When they cannot be read.
    """
    parts = [p.strip() for p in text.split(",") if p.strip()]
    return () if parts == ["none"] else tuple(units.parse(p, units.PER_SECOND, "--readers") for p in parts)


def _slo(ttft: float | str | None, tpot: float | str | None, within: float | None) -> Slo:
    first, later = parsed("ttft", ttft), parsed("tpot", tpot)
    if first is None and later is None:
        raise InputError("capacity needs a limit: --ttft 500ms, --tpot 20ms, or both")
    share = default("slo_attainment") if within is None else within
    if not 0 < share <= 1:
        raise InputError(f"--within: {share:g} is no share of requests; above 0 to 1, like 0.9 or 90%")
    return Slo(math.inf if first is None else first, math.inf if later is None else later, share)


def _see(b: Bench, slo: Slo, x: float, seed: int, count: int) -> Steady:
    """What a seed's requests see at a rate, or its users by their number."""
    return b.users(round(x), seed, slo.tpot) if b.loops else b.at_rate(x, seed, count)


class _Search:
    """A capacity on its way."""

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
        """The capacity, the length of the runs that say so, and whether longer ones would say the same."""
        if not self.slo.met(self.bench.alone):
            return Most(Over(0.0, math.nan, math.nan), self._alone(self.slo), tuple(0.0 for _ in self.seeds)), 0, True
        if self.bench.loops:
            return self._each(self._see(0), (self._guess(),), self.slo, whole=True), 0, True
        if not self.bench.grows:
            return self._each(self._see(0), (self._guess(),), self.slo), 0, True
        length = _rounded(self.flying * _ROUNDS)
        most, settled = self._each(self._see(length), (self._guess(),), self.slo), False
        while not settled and 2 * length <= _MOST and most.value.value > 0:
            before = most
            flying = max(self._see(length)(x, k).flying for x, k in list(zip(most.found, self.seeds, strict=True))[:1])
            length = max(2 * length, _rounded(flying * _ROUNDS))
            most = self._each(self._see(length), before.found, self.slo)
            settled = abs(most.value.value / before.value.value - 1) <= _CLOSE and not _wide(most.value)
        return most, length, settled

    def _see(self, count: int) -> See:
        return lambda x, seed: _see(self.bench, self.slo, x, seed, count)

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
        """How many users read at a speed of so many tokens/s, their first token within its limit."""
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
