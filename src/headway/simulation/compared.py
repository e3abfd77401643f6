"""A measured log beside the simulation of its own requests: the same statistics of both, run by run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headway.shown import Shown
from headway.simulation.measured import Run
from headway.simulation.requests import Floats, Requests
from headway.simulation.results import Simulated

_STATISTICS = (("mean", math.nan), ("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
TIMES = ("ttft", "tpot", "request")
_WORST = 3
_NEAR = 0.01  # share of a measured time; who is nearer to it is not far off
_ALIKE = 0.1  # share by which the load of repeats may differ


class Line(NamedTuple):
    """One statistic, measured and predicted.

    Attributes
    ----------
    what : str
        ``ttft``, ``tpot``, ``request`` [s], ``requests`` [requests/s] or ``output`` [tokens/s].
    statistic : str
        ``mean``, ``p50``, ``p90``, ``p99``; ``rate``.
    measured, predicted : float
        Means over the runs. [unit of `what`]
    low, high, deviation : float
        Least and most measured of a run, and the standard deviation between runs; NaN of a single one. [unit of `what`]
    """

    what: str
    statistic: str
    measured: float
    predicted: float
    low: float
    high: float
    deviation: float

    @property
    def error(self) -> float:
        """Predicted over measured, less 1. [share]"""
        return self.predicted / self.measured - 1 if self.measured > 0 else math.nan


class Far(NamedTuple):
    """A request far from its prediction.

    Attributes
    ----------
    run : int
        Index of its run. [1]
    request : int
        Index in the run, by arrival. [1]
    """

    run: int
    request: int


@dataclass(frozen=True)
class Pair:
    """One run, measured and simulated.

    Attributes
    ----------
    run : Run
    simulated : Simulated
        Of the same requests.
    """

    run: Run
    simulated: Simulated

    @property
    def predicted(self) -> dict[str, Floats]:
        """Times of the simulation, by name. [s]"""
        log = self.simulated.log
        return {"ttft": log.ttft, "tpot": log.tpot, "request": self.simulated.request}

    @property
    def measured(self) -> dict[str, Floats]:
        """Times of the log, by name. [s]"""
        return {"ttft": self.run.ttft, "tpot": self.run.tpot, "request": self.run.request}

    def both(self, what: str) -> NDArray[np.bool_]:
        """Return which requests have a time on both sides."""
        return np.isfinite(self.measured[what]) & np.isfinite(self.predicted[what])

    def statistics(self, what: str) -> list[tuple[float, float]]:
        """Return mean and percentiles of a time over the requests that have it on both sides: (measured, predicted). [s]"""
        kept = self.both(what)
        return [(_of(self.measured[what][kept], q), _of(self.predicted[what][kept], q)) for _, q in _STATISTICS]

    def rates(self) -> list[tuple[float, float]]:
        """Return requests and output tokens per second from the first arrival to the last token: (measured, predicted). [1/s]"""
        kept = self.both("request")
        if not kept.any():
            return [(math.nan, math.nan)] * 2
        came = self.run.arrival[kept]
        spans = [float((came + side["request"][kept]).max() - came.min()) for side in (self.measured, self.predicted)]
        counts = float(kept.sum()), float(self.run.output[kept].sum())
        measured, predicted = ([n / span if span > 0 else math.nan for n in counts] for span in spans)
        return list(zip(measured, predicted, strict=True))


def _of(values: Floats, share: float) -> float:
    if not len(values):
        return math.nan
    return float(values.mean()) if math.isnan(share) else float(np.quantile(values, share))


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Measured runs beside their simulations.

    Attributes
    ----------
    pairs : tuple of Pair
        At least one.
    """

    RECORD = "headway.records.comparisons:comparison_record"
    TEXT = "headway.report.comparisons:comparison_text"

    pairs: tuple[Pair, ...]

    @property
    def lines(self) -> list[Line]:
        """Every statistic that the log has."""
        found = [
            _line(what, name, [p.statistics(what)[i] for p in self.pairs])
            for what in TIMES
            for i, (name, _) in enumerate(_STATISTICS)
        ]
        found += [
            _line(what, "rate", [p.rates()[i] for p in self.pairs]) for i, what in enumerate(("requests", "output"))
        ]
        return [line for line in found if math.isfinite(line.measured)]

    @property
    def worst(self) -> list[Far]:
        """Requests whose whole time (else first token) is furthest from its prediction, the furthest first."""
        found: list[tuple[float, Far]] = []
        for n, pair in enumerate(self.pairs):
            what = "request" if pair.both("request").any() else "ttft"
            off = np.abs(pair.predicted[what] - pair.measured[what])
            off[~pair.both(what)] = -1.0
            found += [
                (float(off[i]), Far(n, i)) for i in np.argsort(-off, kind="stable")[:_WORST].tolist() if off[i] > 0
            ]
        return [far for _, far in sorted(found, key=lambda f: -f[0])[:_WORST]]

    @property
    def alike(self) -> bool:
        """Whether all runs have the same load (rate and lengths), so that they differ as repeats do."""
        loads = np.array([
            [len(p.run) / max(float(p.run.arrival[-1]), 1e-9), p.run.prompt.mean(), p.run.output.mean()] for p in self.pairs
        ])  # fmt: skip
        return bool((loads.max(axis=0) <= (1 + _ALIKE) * loads.min(axis=0)).all())

    def brief(self) -> str:
        """Return the headline in one line."""
        errors = {(x.what, x.statistic): x.error for x in self.lines}
        said = [f"mean {w.upper()} {100 * errors[w, 'mean']:+.3g} %" for w in ("ttft", "tpot") if (w, "mean") in errors]
        return f"{sum(len(p.run) for p in self.pairs):,} requests, predicted against measured: {', '.join(said) or 'request times'}"


def _line(what: str, statistic: str, found: Sequence[tuple[float, float]]) -> Line:
    both = [(m, p) for m, p in found if math.isfinite(m) and math.isfinite(p)]
    if not both:
        return Line(what, statistic, *[math.nan] * 5)
    measured = [m for m, _ in both]
    alone = len(both) < 2
    spread = (math.nan,) * 3 if alone else (min(measured), max(measured), float(np.std(measured, ddof=1)))
    return Line(what, statistic, float(np.mean(measured)), float(np.mean([p for _, p in both])), *spread)


def compare(runs: Sequence[Run], play: Callable[[Requests], Simulated]) -> Comparison:
    """Replay measured runs, each alone, and put predictions beside what was measured.

    Parameters
    ----------
    runs : sequence of Run
        As of `headway.simulation.measured.read_logs`.
    play : callable
        Simulates traffic on the deployment that the log was measured on.
    """
    return Comparison(tuple(Pair(run, play(run.requests())) for run in runs))
