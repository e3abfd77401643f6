"""The simulator against the lab engine: the same policy and requests, costs of passes taken from the run.

First every pass costs what it did, one after the other: then riders, pieces of prompts and blocks of every pass must be the
same, and times with them. Then passes cost what their kind did on average over the run (riders and prompts in the sizes of
the programs, tokens in caches): what a simulator can know before, and times must be close.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from headway.errors import InputError
from headway.lab.engine.settings import LEAST, rounded
from headway.lab.engine.tracing import Recorded
from headway.shown import Shown
from headway.simulation.habits import Habits
from headway.simulation.policies import Chunk, Policy, Scheduled
from headway.simulation.prefixes import Prefix
from headway.simulation.run import Log, simulate

CLOSE = 0.1  # of a time: the promise of docs/lab.md
Cost = Callable[[int, Sequence[int], float], float]


class Stepped:
    """A clock for the simulator's replica whose passes cost what a function says, one pass at a time.

    Parameters
    ----------
    cost : function
        (sequences that decode, tokens of each piece of a prompt, tokens in caches) -> seconds.
    mixes : bool
        Whether sequences decode in passes that carry prompts.
    """

    def __init__(self, cost: Cost, mixes: bool) -> None:
        self.meters, self.times, self.alone, self.quick = 2, 1.0, True, False
        self.growing: Sequence[int] = (1,)
        self.sequences: dict[tuple[float, float, float], list[float]] = {}
        self.pending: list[Chunk] = []
        self.carried: list[list[Chunk]] = []
        self._cost, self._mixes = cost, mixes

    def amounts_of(self, new: float, context: float, logits: float = 1.0) -> list[float]:
        """Return one sequence and the tokens in its cache.

        Parameters
        ----------
        new, context, logits : float
            As of `Clock`. [tokens]
        """
        return [1.0, context]

    def decode_tables(self, longest: int, new: float = 1.0) -> list[list[float]]:
        """Return the tokens in a cache of every length.

        Parameters
        ----------
        longest, new : int, float
            As of `Clock`. [tokens]
        """
        return [[float(n) for n in range(longest + 1)]]

    def seconds(self, totals: Sequence[float], tokens: float, singles: Sequence[float] | None = None) -> float:
        """Return the time of the next pass. [s]

        Parameters
        ----------
        totals, tokens, singles : -
            As of `Clock`. [tokens]
        """
        chunks, self.pending = self.pending, []
        self.carried.append(chunks)
        pieces = [new for _, new in chunks]
        riders = 0 if chunks and not self._mixes else int(tokens) - sum(pieces)
        if chunks and not self._mixes:
            pieces = [max(int(tokens) // len(chunks), new) for new in pieces]  # padded ones are all as long
        return self._cost(riders, pieces, totals[1])

    def decode(self, count: int, totals: Sequence[float], new: int = 1) -> float:
        """Return the time of the next pass, without prompts. [s]

        Parameters
        ----------
        count, totals, new : -
            As of `Clock`. [tokens]
        """
        return self.seconds(totals, count * new)

    def run(
        self, count: int, totals: Sequence[float], slopes: Sequence[float], tokens: float,
        singles: Sequence[float] | None = None, steps: Sequence[float] | None = None,
    ) -> float:  # fmt: skip
        """Return the time of the next passes together. [s]

        Parameters
        ----------
        count, totals, slopes, tokens, singles, steps : -
            As of `Clock`. [passes, tokens]
        """
        return math.fsum(
            self.seconds([a + i * b for a, b in zip(totals, slopes, strict=True)], tokens) for i in range(count)
        )

    def until(
        self, gap: float, most: int, first: float, totals: Sequence[float], slopes: Sequence[float], tokens: float,
        singles: Sequence[float] | None = None, steps: Sequence[float] | None = None,
    ) -> tuple[int, float]:  # fmt: skip
        """Return one pass: whoever asks sees every one.

        Parameters
        ----------
        gap, most, first, totals, slopes, tokens, singles, steps : -
            As of `Clock`. [s, passes, tokens]
        """
        return 1, first

    def decode_until(
        self, gap: float, most: int, first: float, sequences: int, totals: Sequence[float], slopes: Sequence[float]
    ) -> tuple[int, float]:
        """Return one pass.

        Parameters
        ----------
        gap, most, first, sequences, totals, slopes : -
            As of `Clock`. [s, passes, tokens]
        """
        return 1, first


class _Noting(Policy):
    """A policy whose decisions a clock hears of."""

    def __init__(self, inner: Policy, clock: Stepped) -> None:
        self._inner, self._clock = inner, clock

    @property
    def padded(self) -> bool:
        return self._inner.padded

    @property
    def period(self) -> float:
        return self._inner.period

    def prompts(self, r: Scheduled) -> list[Chunk]:
        self._clock.pending = self._inner.prompts(r)
        return self._clock.pending

    def wake(self, r: Scheduled) -> float:
        return self._inner.wake(r)


@dataclass(frozen=True)
class Told:
    """What engine or simulator say of a run.

    Attributes
    ----------
    passes : int
        [passes]
    ttft, tpot, latency, span : float
        Means over requests of the time to the first token, per token after it, to the last; from the first arrival to the last
        token. [s]
    """

    passes: int
    ttft: float
    tpot: float
    latency: float
    span: float


@dataclass(frozen=True)
class Checked(Shown):
    """The simulator against a run of the lab engine.

    Attributes
    ----------
    run : Recorded
    engine, replayed, by_kind : Told
        The run; the simulator with each pass at what it took; with passes at what their kind took on average.
    alike : bool
        Every pass has the same riders, pieces of prompts, tokens and blocks.
    difference : str
        The first that has not; "" where all have.
    apart : float
        Largest difference of any request's time to its first or last token, of its own, with each pass at what it took. [share]
    kinds_apart : float
        Largest difference of the means and of the span, with passes at what their kind took. [share]
    """

    RECORD: ClassVar[str] = "headway.records.engine:checked_record"
    TEXT: ClassVar[str] = "headway.report.engine:checked_text"

    run: Recorded
    engine: Told
    replayed: Told
    by_kind: Told
    alike: bool
    difference: str
    apart: float
    kinds_apart: float

    @property
    def passes(self) -> bool:
        """Whether batches are the same and times within 10 %, with each pass at what it took."""
        return self.alike and self.apart <= CLOSE

    def brief(self) -> str:
        """Return what it says, in one line."""
        same = "the same batches" if self.alike else self.difference
        return f"simulator against lab engine: {same}, times within {self.apart:.1%}"


def checked(run: Recorded) -> Checked:
    """Return what the simulator makes of a run's requests, with costs of passes taken from the run.

    Parameters
    ----------
    run : Recorded

    Raises
    ------
    InputError
        For a log without requests that ended, or in which somebody left before its prompt was computed.
    """
    if not run.boarded():
        raise InputError("the log has no request that made a token: nothing can be compared")
    half = [r["request"] for r in run.requests if not r["output_tokens"] and r["start_s"] is not None]
    known = {r["request"] for r in run.requests}
    open_ = {who for p in run.passes for who in (*p["riders"], *(c[0] for c in p["chunks"]))} - known
    if half or open_:
        who = min([*half, *open_])
        raise InputError(f"request {who} left, or the log ends, before it had ended: no simulator can depart alike")
    took = iter([p["seconds"] for p in run.passes])
    mean = float(np.mean([p["seconds"] for p in run.passes]))
    exact, noted = _simulated(run, lambda riders, pieces, context: next(took, mean))
    kinds, _ = _simulated(run, _cost_of(run))
    real = run.log()
    difference = _difference(run, exact, noted)
    apart = max(
        _apart(real.first - real.arrival, exact.ttft), _apart(real.end - real.arrival, exact.end - exact.arrival)
    )
    a, c = _told(real), _told(kinds)
    pairs = ((a.ttft, c.ttft), (a.latency, c.latency), (a.span, c.span), *(((a.tpot, c.tpot),) if a.tpot > 0 else ()))
    far = max(abs(y - x) / x for x, y in pairs)
    return Checked(run, a, _told(exact), c, not difference, difference, apart, far)


def _apart(real: Any, found: Any) -> float:
    return float(np.max(np.abs(found - real) / np.maximum(real, 1e-9), initial=0.0))


def _simulated(run: Recorded, cost: Cost) -> tuple[Log, list[list[Chunk]]]:
    policy = run.policy
    clock = Stepped(cost, policy.mixes)
    kind: Any = type("Noting", (_Noting,), {"name": policy.name, "says": policy.says, "mixes": policy.mixes})
    habits = Habits(run.admission, Prefix() if run.head["keeps"] else None)
    log = simulate(clock, run.limits, kind(policy, clock), run.traffic(), habits=habits)
    return log, clock.carried


def _told(log: Log) -> Told:
    tpot = log.tpot[np.isfinite(log.tpot)]
    return Told(
        len(log.passes[0].start), float(np.nanmean(log.ttft)), float(tpot.mean()) if len(tpot) else 0.0,
        float(np.nanmean(log.end - log.arrival)), float(np.nanmax(log.end) - log.arrival.min()),
    )  # fmt: skip


def _difference(run: Recorded, log: Log, carried: list[list[Chunk]]) -> str:
    """The first pass that differs, in words."""
    p, who = log.passes[0], [r["request"] for r in run.boarded()]
    found = [
        (int(p.decoding[i]), [(who[w], new) for w, new in carried[i]], int(p.tokens[i]), int(p.blocks[i]))
        for i in range(len(p.start))
    ]
    real = [(len(x["riders"]), [(w, new) for w, new in x["chunks"]], x["tokens"], x["blocks"]) for x in run.passes]
    for i, (a, b) in enumerate(zip(real, found, strict=False)):
        if a != b:
            words = "{} riders, pieces of prompts {}, {} tokens, {} blocks"
            return f"pass {i}: {words.format(*a)} on the engine; {words.format(*b)} in the simulator"
    return "" if len(real) == len(found) else f"{len(real):,} passes on the engine, {len(found):,} in the simulator"


def _cost_of(run: Recorded) -> Cost:
    """What a pass costs by its kind: least squares over the run of its programs by size, and of tokens in caches."""
    columns: dict[tuple[str, int], int] = {}
    rows: list[dict[int, float]] = []

    def amounts(riders: int, pieces: Sequence[int], context: float, new: bool) -> dict[int, float]:
        caches = 0.0 if run.head["reserve"] else context  # of a padded batch the simulator counts the padding, too
        found: dict[int, float] = {0: 1.0, 1: caches, 2: float(riders), 3: float(sum(pieces)), 4: float(len(pieces))}
        kinds = [("riders", rounded(riders))] if riders else []
        kinds += [("prompt", rounded(piece, LEAST)) for piece in pieces]
        for kind in kinds:
            if kind in columns or new:
                at = columns.setdefault(kind, len(columns) + 5)
                found[at] = found.get(at, 0.0) + 1.0
        return found

    for x in run.passes:
        pieces = [x["padded"] or new for _, new in x["chunks"]]
        rows.append(amounts(len(x["riders"]), pieces, x["context_tokens"], True))
    table = np.zeros((len(rows), len(columns) + 5))
    for i, row in enumerate(rows):
        table[i, list(row)] = list(row.values())
    seconds = np.array([x["seconds"] for x in run.passes])
    scale = np.maximum(np.abs(table).max(axis=0), 1e-12)
    weights = np.linalg.lstsq(table / scale, seconds, rcond=1e-9)[0] / scale
    least = float(seconds.min())

    def cost(riders: int, pieces: Sequence[int], context: float) -> float:
        return max(float(sum(weights[i] * v for i, v in amounts(riders, pieces, context, False).items())), least)

    return cost
