"""A line through decode steps: t = a + b C + c C L, by least squares on medians of runs, with intervals from how runs differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.measure.runs import Run
from headway.numeric import student

Array = NDArray[np.float64]
_LEAST = 12.0  # tokens of each sequence in a window; fewer time nothing
_MEDIAN = math.pi / 2  # variance of a median over that of a mean (normal law)
_SHARE = 0.9  # of the law below the upper end: 80 % between both
_SMALL = 0.02  # of a step: what differs by less than this is not told apart from the line, whatever few runs say
_APART = 1.5  # times further from the others' contexts than they lie apart


@dataclass(frozen=True)
class Cell:
    """Decode steps of one place of a sweep.

    Attributes
    ----------
    batch : int
        Sequences. [sequences]
    context : float
        Tokens in each cache, on average over the window; median over runs. [tokens]
    prompt, made : float
        Of each sequence; medians. [tokens]
    steps : tuple of float
        Of each run. [s]
    first : float
        Until all had their first token; median. [s]
    together, stalled : int
        Sequences that decoded at once at the most, and that lost their places; medians. [sequences]
    """

    batch: int
    context: float
    prompt: float
    made: float
    steps: tuple[float, ...]
    first: float
    together: int
    stalled: int

    @property
    def step(self) -> float:
        """Median over runs; NaN where nothing was timed. [s]"""
        return float(np.median(self.steps)) if self.steps else math.nan

    @property
    def best(self) -> float:
        """Of the fastest run. [s]"""
        return min(self.steps, default=math.nan)

    @property
    def spread(self) -> float:
        """From the fastest to the slowest run, over the median. [share]"""
        return (max(self.steps) - min(self.steps)) / self.step if self.steps else math.nan

    @property
    def whole(self) -> bool:
        """Whether as many sequences as were asked for were decoded all the time."""
        return bool(self.steps) and self.together >= self.batch and not self.stalled


def cells_of(runs: dict[str, list[Run]]) -> list[Cell]:
    """Return the places of a sweep's decode runs, by batch and context.

    Parameters
    ----------
    runs : dict
        Key -> runs that repeat each other.
    """
    found: list[Cell] = []
    for same in sorted(runs.values(), key=_place):
        rows = [r.found for r in same]
        timed = [r for r in rows if r["step_s"] and (r["tokens"] >= _LEAST or r["batch"] == 1)]

        def median(name: str, among: Sequence[dict[str, float]]) -> float:
            return float(np.median([r[name] for r in among]))

        found.append(
            Cell(
                int(rows[0]["batch"]), median("context", timed) if timed else math.nan, median("prompt", rows), median("made", rows),
                tuple(float(r["step_s"]) for r in timed), median("first_s", rows), round(median("together", rows)),
                round(median("stalled", rows)),
            )
        )  # fmt: skip
    return found


def _place(same: list[Run]) -> tuple[int, int]:
    """(context, batch) that was asked for, of ``decode 8 x 64``."""
    batch, _, context = same[0].key.removeprefix("decode ").partition(" x ")
    return (int(context or 0), int(batch)) if batch.isdigit() else (0, 0)


@dataclass(frozen=True)
class Number:
    """A coefficient and its 80 % interval.

    Attributes
    ----------
    value, low, high : float
        In its unit. [s, s/sequence or s/token]
    """

    value: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether it differs from nothing."""
        return self.low > 0


@dataclass(frozen=True)
class Line:
    """A step against batch and context.

    Attributes
    ----------
    a, b, c : Number
        Of a pass; of each sequence in it; of each token in its caches. [s, s/sequence, s/token]
    cells : tuple of Cell
        That it was drawn through.
    apart : tuple of Cell
        That stand apart: C = 1 has kernels of its own.
    residual : float
        Of the medians around it, root of the mean square. [share]
    runs : float
        Per place, on average. [runs]
    contexts : bool
        Whether contexts differed; else c is unknown, and b holds it.
    """

    a: Number
    b: Number
    c: Number
    cells: tuple[Cell, ...]
    apart: tuple[Cell, ...]
    residual: float
    runs: float
    contexts: bool

    def seconds(self, batch: float, context: float) -> float:
        """Return what it says of a step. [s]

        Parameters
        ----------
        batch, context : float
            [sequences, tokens]
        """
        return self.a.value + batch * self.each(context)

    def each(self, context: float) -> float:
        """Return what one more sequence adds to a step. [s]

        Parameters
        ----------
        context : float
            [tokens]
        """
        return self.b.value + self.c.value * context * self.contexts

    @property
    def context(self) -> float:
        """Mean context of its places. [tokens]"""
        return float(np.mean([c.context for c in self.cells]))

    @property
    def knee(self) -> float:
        """Batch at which sequences take as long as the pass itself: a over what each adds; infinite where they add nothing. [sequences]"""
        each = self.each(self.context)
        return self.a.value / each if each > 0 else math.inf

    @property
    def near_peak(self) -> float:
        """Batch that makes 80 % of the tokens per second of an endless one: 4 a over what each adds. [sequences]"""
        return 4 * self.knee


def through(cells: Sequence[Cell]) -> Line | None:
    """Return the line through cells; None where too few differ to draw one.

    Parameters
    ----------
    cells : sequence of Cell

    Notes
    -----
    Least squares of relative deviations, on medians. C = 1 is left out where two other batches, and enough places, are there. The
    variance of the medians is the larger of what the line leaves and of what repeated runs say of a median (pi/2 that of a mean); what
    whole rounds have in common (a machine that is slow for a while) moves all three numbers together, and is added. Student's t.
    """
    whole = [c for c in cells if c.whole]
    many = [c for c in whole if c.batch > 1]
    contexts = _differ([c.context for c in many])
    least = 3 if contexts else 2
    used = many if len({c.batch for c in many}) >= 2 and len(many) > least else whole
    contexts = _differ([c.context for c in used])
    if len({c.batch for c in used}) < 2 or len(used) < 2 + contexts:
        return None
    steps = np.array([c.step for c in used])
    design = _design(used, contexts) / steps[:, None]
    scale = np.abs(design).max(axis=0)
    inverse = np.linalg.pinv(design / scale)
    theta: Array = inverse @ np.ones(len(used)) / scale
    left = 1 - design @ theta
    freedom = len(used) - len(theta)
    runs, scatter, shared = _repeats(used)
    squares = float(left @ left)
    fit = squares / freedom if freedom else 0.0
    most, degrees = max((fit, freedom), (_MEDIAN * scatter / runs, round(len(used) * (runs - 1))))
    root = np.linalg.inv((design / scale).T @ (design / scale))
    spread: Array = np.sqrt(most * np.diag(root) / scale**2 + theta**2 * shared / runs)
    wide: Array = student(_SHARE, max(int(degrees), 1)) * spread
    a, b, c = (Number(float(t), float(t - w), float(t + w)) for t, w in zip(_three(theta), _three(wide), strict=True))
    apart = tuple(x for x in whole if x not in used)
    return Line(a, b, c, tuple(used), apart, math.sqrt(squares / len(used)), runs, contexts)


def line_of(step: Callable[[float, float], float], like: Line) -> Line:
    """Return the line through what a function says at the places of a measured one: no noise, the same least squares.

    Parameters
    ----------
    step : function
        (batch, context) -> seconds.
    like : Line
    """
    design = _design(like.cells, like.contexts)
    told = np.array([step(float(c.batch), c.context) for c in like.cells])
    theta = np.linalg.lstsq(design / told[:, None], np.ones(len(told)), rcond=None)[0]
    a, b, c = (Number(float(t), float(t), float(t)) for t in _three(theta))
    left = float(np.sqrt(np.mean((1 - design @ theta / told) ** 2)))
    return Line(a, b, c, like.cells, like.apart, left, math.inf, like.contexts)


def _design(cells: Sequence[Cell], contexts: bool) -> Array:
    rows = [[1.0, c.batch, c.batch * c.context][: 2 + contexts] for c in cells]
    return np.array(rows)


def _three(values: NDArray[Any]) -> list[float]:
    return [*(float(v) for v in values), 0.0][:3]


def _differ(contexts: Sequence[float]) -> bool:
    return bool(contexts) and max(contexts) > _APART * min(contexts)


def _repeats(cells: Sequence[Cell]) -> tuple[float, float, float]:
    """(runs of a place, variance of a run around its place's median, variance of what a round's runs have in common)."""
    logs = [np.log(np.array(c.steps) / c.step) for c in cells]
    runs = float(np.mean([len(x) for x in logs]))
    freedom = sum(len(x) - 1 for x in logs)
    scatter = sum(float(np.sum((x - x.mean()) ** 2)) for x in logs) / freedom if freedom else _SMALL**2
    rounds = min(len(x) for x in logs)
    if rounds < 2:
        return runs, scatter, _SMALL**2
    together = np.array([x[:rounds] for x in logs]).mean(axis=0)
    shared = max(float(np.var(together, ddof=1)) - scatter / len(cells), 0.0)
    return runs, scatter, shared
