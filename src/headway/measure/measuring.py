"""A live endpoint measured: its sweep, the line through it, its roofline beside, and what that means."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from headway import units
from headway.hardware.cpu import found_faster
from headway.hardware.probes import memory_read
from headway.measure.behaviour import Behaviour, behaviour
from headway.measure.endpoint import Endpoint
from headway.measure.fitted import Cell, Line, Number, cells_of, line_of, through
from headway.measure.journals import Lines
from headway.measure.roofs import Roof, roof_of
from headway.measure.runs import Run
from headway.measure.sweeps import Sweep, Swept, Tell, sweep
from headway.measure.verdicts import Verdict, of_behaviour, of_line, of_prompts
from headway.questions import Request
from headway.shown import Shown

_BUSY = 0.2  # cores of others from which a measurement is doubted
_CLIENT = 0.7  # of a core, from which this client may be what is measured
ENOUGH = 100  # samples, below which a 99th percentile is none


@dataclass(frozen=True)
class Prompts:
    """Prompts computed alone.

    Attributes
    ----------
    rows : tuple of (float, float, float, int)
        Tokens, median and fastest time to the first token, runs. [tokens, s, s, runs]
    each, rest : float
        Of a token, of a request, by least squares; NaN from one length. [s/token, s]
    """

    rows: tuple[tuple[float, float, float, int], ...]
    each: float
    rest: float


@dataclass(frozen=True)
class Met:
    """A load as its users met it.

    Attributes
    ----------
    key : str
    requests : int
        [requests]
    output_rate : float
        [tokens/s]
    ttft, tpot, request : tuple of float
        Median, 90th and 99th percentile; NaN for the 99th of fewer than 100 samples. [s]
    """

    key: str
    requests: int
    output_rate: float
    ttft: tuple[float, float, float]
    tpot: tuple[float, float, float]
    request: tuple[float, float, float]


@dataclass(frozen=True, repr=False)
class Measured(Shown):
    """A measured endpoint.

    Attributes
    ----------
    swept : Swept
    roof : Roof or None
        None where no model and machine were named.
    cells : tuple of Cell
        Decode steps by place.
    line : Line or None
        Through them; None where too few differ.
    floor, estimate : Line or None
        Through what the ideal machine and headway's estimate say of the same places.
    prompts : Prompts
    behaviour : Behaviour
    loads : tuple of Met
    verdicts : tuple of Verdict
    foreign : float
        Cores that others kept busy, on average; NaN where the server is elsewhere. [cores]
    client : float
        Of a core that this client took at the most. [share]
    warnings : tuple of str
    """

    RECORD: ClassVar[str] = "headway.records.measured:measured_record"
    TEXT: ClassVar[str] = "headway.report.measured:measured_text"

    swept: Swept
    roof: Roof | None
    cells: tuple[Cell, ...]
    line: Line | None
    floor: Line | None
    estimate: Line | None
    prompts: Prompts
    behaviour: Behaviour
    loads: tuple[Met, ...]
    verdicts: tuple[Verdict, ...]
    foreign: float
    client: float
    warnings: tuple[str, ...]

    def brief(self) -> str:
        """Return the headline in one line."""
        knee = "no knee" if self.line is None else f"knee at {self.line.knee:,.3g} sequences"
        return f"{self.swept.served} at {self.swept.url}: {units.some(len(self.swept.runs), 'run')}, {knee}"


def measure_endpoint(
    url: str, asked: Sweep | None = None, request: Request | None = None, *, patience: float = 30.0, insecure: bool = False,
    chat: bool = False, journal: str | None = None, tell: Tell | None = None,
) -> Measured:  # fmt: skip
    """Measure a live endpoint: knee, floor and slope of a machine of one's own (SYS-I4), and set it beside its roofline.

    Parameters
    ----------
    url : str
        Of an OpenAI-compatible server.
    asked : Sweep or None
        What to run; None: the usual.
    request : Request or None
        Model, machine, engine and layout of the roofline; None: none.
    patience : float
        Longest silence in a stream. [s]
    insecure, chat : bool
        As of `Endpoint`.
    journal : str or None
        File in which results are kept as they come.
    tell : function or None
        Called with each run, and how many there may be.

    Raises
    ------
    InputError
        When nothing can be measured at all. What fails in the middle stands in `swept.stopped`, beside what was measured.
    """
    roof = roof_of(request) if request is not None else None  # unknown names are refused before anything is asked
    wanted = asked or Sweep()

    async def run(lines: Lines | None) -> Swept:
        async with Endpoint(url, patience=patience, insecure=insecure, chat=chat) as endpoint:
            reading = memory_read if roof is not None and roof.at_hand else None
            swept = await sweep(endpoint, wanted, lines, tell, reading)
        if swept.reads:
            found_faster(max(swept.reads))
        return swept

    if journal is None:
        return measured(asyncio.run(run(None)), roof)
    with Lines(journal) as lines:
        return measured(asyncio.run(run(lines)), roof)


def measured(swept: Swept, roof: Roof | None = None) -> Measured:
    """Return what a sweep says.

    Parameters
    ----------
    swept : Swept
    roof : Roof or None
    """
    cells = cells_of(swept.of("decode"))
    line = through(cells)
    fastest = roof
    if roof is not None and swept.reads:
        roof, fastest = roof.reading(float(np.median(swept.reads))), roof.reading(max(swept.reads))
    floor = _floor(roof, line) if roof is not None and line is not None else None
    estimate = line_of(roof.estimate, line) if roof is not None and line is not None else None
    does = behaviour(cells, swept.of("again"), swept.of("beside"))
    said = of_behaviour(does) + (of_line(line, roof, floor, estimate, fastest) if line is not None else [])
    prompts = _prompts(swept.of("prefill"))
    if fastest is not None:
        said += of_prompts(prompts.rows, fastest)
    foreign = [r.foreign for r in swept.runs if r.foreign is not None]
    client = max((r.client for r in swept.runs), default=0.0)
    busy = float(np.mean(foreign)) if foreign else math.nan
    return Measured(
        swept, roof, tuple(cells), line, floor, estimate, prompts, does,
        tuple(_met(k, v) for k, v in swept.of("load").items()), tuple(said), busy, client, tuple(_warnings(swept, busy, client, line)),
    )  # fmt: skip


def _floor(roof: Roof, line: Line) -> Line:
    """Each term's own floor: weights and caches read at the memory's bandwidth, a sequence multiplied at the peak."""
    memory = line_of(lambda b, n: roof.terms(b, n)[0], line)
    few, many = min(c.batch for c in line.cells), max(c.batch for c in line.cells)
    context = line.context if not line.contexts else min(c.context for c in line.cells)
    each = (roof.terms(many, context)[1] - roof.terms(few, context)[1]) / (many - few)
    return replace(memory, b=Number(each, each, each))


def _warnings(swept: Swept, busy: float, client: float, line: Line | None) -> list[str]:
    found = [f"it ended early: {swept.stopped}"] if swept.stopped else []
    if busy > _BUSY:
        found.append(
            f"other processes kept {busy:.2g} cores of this machine busy: times are longer than on an idle one"
        )
    if client > _CLIENT:
        found.append(
            f"this client took {client:.0%} of a core: it may be what was measured; another machine would tell"
        )
    if swept.skipped:
        found.append(f"no time was left for {', '.join(swept.skipped)}: --spend gives more")
    if line is None:
        found.append("no line: it needs at least two batches that really decode together, and runs of enough tokens")
    elif line.runs < 2:
        found.append("every place was run once: intervals are from the line's residuals alone; --spend gives more")
    return found + swept.notes


def _prompts(runs: dict[str, list[Run]]) -> Prompts:
    rows: list[tuple[float, float, float, int]] = []
    for same in runs.values():
        times = [r.found["ttft_s"] for r in same]
        size = float(np.median([r.found["prompt"] for r in same]))
        rows.append((size, float(np.median(times)), min(times), len(same)))
    rows.sort()
    if len({r[0] for r in rows}) < 2:
        return Prompts(tuple(rows), math.nan, math.nan)
    design = np.array([[1.0, r[0]] for r in rows]) / np.array([[r[1]] for r in rows])
    rest, each = np.linalg.lstsq(design, np.ones(len(rows)), rcond=None)[0]
    return Prompts(tuple(rows), float(each), float(rest))


def percentiles(samples: Sequence[float]) -> tuple[float, float, float]:
    """Return median, 90th and 99th percentile; NaN for what so few samples do not say. [as given]

    Parameters
    ----------
    samples : sequence of float
        [any]
    """
    if not samples:
        return math.nan, math.nan, math.nan
    half, most, last = np.quantile(np.array(samples), [0.5, 0.9, 0.99])
    return float(half), float(most), float(last) if len(samples) >= ENOUGH else math.nan


def _met(key: str, runs: Sequence[Run]) -> Met:
    def every(name: str) -> list[float]:
        return [float(x) for r in runs for x in r.found[name]]

    rate = float(np.median([r.found["output_tok_s"] for r in runs]))
    ends = (percentiles(every(n)) for n in ("ttft_s", "tpot_s", "request_s"))
    return Met(key, len(every("ttft_s")), rate, *ends)
