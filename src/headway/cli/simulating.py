"""What `headway simulate` prints and writes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headway import units
from headway.cli.output import emit, emit_csv
from headway.cli.pictures import draw
from headway.cli.terminal import show
from headway.cli.watching import Watching
from headway.errors import InputError, InterruptedRunError
from headway.plan.operations import Words
from headway.questions import Request
from headway.simulation import Requests
from headway.simulation.compared import Comparison
from headway.simulation.results import Simulated

USUAL = "poisson:1/s"


@dataclass(frozen=True)
class Answer:
    """How a simulation is wanted: as text, JSON or CSV on the standard output, and as files; refused before it is run.

    Attributes
    ----------
    json, csv : bool
    out, perfetto, parquet : str or None
        Files: a chart, a trace, a table.
    ttft, tpot : float or None
        Limits whose keeping is told. [s]
    why : bool
        Whether to say where each number comes from.
    """

    json: bool = False
    csv: bool = False
    out: str | None = None
    perfetto: str | None = None
    parquet: str | None = None
    ttft: float | None = None
    tpot: float | None = None
    why: bool = False

    def __post_init__(self) -> None:
        if self.out:
            from headway.figures.style import check

            check(self.out)
        if self.perfetto:
            from headway.records.traces import check_trace

            check_trace(self.perfetto)
        if self.parquet:
            from headway.records.requests import check_parquet

            check_parquet(self.parquet)
        named = [Path(f).resolve() for f in (self.out, self.perfetto, self.parquet) if f]
        if len(set(named)) < len(named):
            raise InputError(f"-o and --perfetto are both to be {self.out}; name two files")

    @property
    def limited(self) -> bool:
        """Whether somebody asked for limits."""
        return self.ttft is not None or self.tpot is not None

    def compare(self, found: Comparison) -> None:
        """Print a log beside its simulation."""
        if self.json:
            from headway.records.comparisons import comparison_record

            emit(comparison_record(found))
        elif self.csv:
            from headway.records.comparisons import comparison_rows

            emit_csv(comparison_rows(found))
        else:
            show(found.text())

    def give(self, found: Simulated) -> None:
        """Write the files, then print; what was written is said on the error stream beside JSON and CSV."""
        self._give(found, self._written(found))
        if found.log.stopped:
            sys.stdout.flush()
            raise InterruptedRunError("interrupted: the answer is of what had happened by then")

    def _give(self, found: Simulated, said: list[str]) -> None:
        if self.json:
            from headway.records.simulations import simulation_record

            emit(simulation_record(found, self.ttft, self.tpot) | (self._why(found) if self.why else {}))
        elif self.csv:
            from headway.records.requests import simulation_rows

            emit_csv(simulation_rows(found))
        else:
            from headway.report.simulations import promise_text, simulation_text
            from headway.report.why import rows_text

            kept = [promise_text(found, self.ttft, self.tpot)] if self.limited else []
            because = ["", rows_text(self._why(found)["why"])] if self.why else []
            show("\n".join([simulation_text(found), *kept, *because, *([""] if said else []), *said]))
            return
        if said:
            print("\n".join(said), file=sys.stderr)

    def _why(self, found: Simulated) -> dict[str, list[dict[str, str]]]:
        from headway.report.why_runs import simulation_why_rows

        return {"why": simulation_why_rows(found, self.ttft, self.tpot)}

    def _written(self, found: Simulated) -> list[str]:
        said: list[str] = []
        if self.out:
            from headway import figures
            from headway.records.simulations import simulation_record

            limits = (self.ttft, self.tpot)
            picture, record = figures.simulation_figure, simulation_record
            draw(
                self.out, "simulate", lambda: picture(found, *limits), lambda: record(found, *limits) | self._why(found)
            )
            said.append(f"chart written to {self.out}")
        if self.perfetto:
            from headway.records.traces import write_trace

            trace = write_trace(found, self.perfetto)
            cut = "" if trace.whole else f"; no room for what began after {units.seconds(trace.until)}"
            said.append(f"trace of {trace.events:,} events for https://ui.perfetto.dev written to {self.perfetto}{cut}")
        if self.parquet:
            from headway.records.requests import write_parquet

            write_parquet(found, self.parquet)
            said.append(f"{units.some(len(found.log.requests), 'request')} written to {self.parquet}")
        return said


@dataclass(frozen=True)
class Asked:
    """A simulation as somebody asked for it.

    Attributes
    ----------
    request : Request
    traffic : str or None
        None: nobody said.
    words : Words
    window : mapping
        ``count``, ``duration``, ``start``, ``rate``, ``scale``.
    seed : int
        Of the first run. [1]
    """

    request: Request
    traffic: str | None
    words: Words
    window: Mapping[str, str | None]
    seed: int

    def play(self, request: Request, arriving: Requests) -> Simulated:
        """Run traffic, watched and interruptible."""
        from headway.plan.operations import operation
        from headway.plan.simulated import placed

        place = placed(request)
        how = operation(self.words, place.setting, place.layout, arriving, self.seed)
        with Watching(len(arriving)) as watch:
            return place.run(arriving, how, prefill=self.words.prefill, seed=self.seed, watch=watch)

    def answer(self, to: Answer, *, seeds: int, compare: str | None) -> None:
        """Run and print it: once, several times, or beside a log."""
        if to.why and (compare is not None or seeds != 1):
            raise InputError("--why is of one run: leave it out beside --compare and --seeds")
        if to.limited and (compare is not None or seeds != 1):
            raise InputError("--ttft and --tpot are of one run: leave them out beside --compare and --seeds")
        if compare is not None:
            from headway.plan.replayed import replayed

            files = {"out": to.out, "perfetto": to.perfetto, "parquet": to.parquet}
            own = {"traffic": self.traffic, **self.window, **files, "seeds": None if seeds == 1 else str(seeds)}
            to.compare(replayed(self.request, compare, self.play, own))
            return
        traffic = self.traffic or USUAL
        if seeds != 1:
            from headway.cli.repeating import repeat

            if to.out or to.perfetto or to.parquet:
                raise InputError("-o, --perfetto and --parquet are of one run: leave them out beside --seeds")
            how = {"seeds": seeds, "seed": self.seed, "words": self.words, "window": self.window}
            repeat(self.request, traffic, how, json=to.json, csv=to.csv)
            return
        from headway.plan.simulated import asked_for

        to.give(self.play(*asked_for(self.request, traffic, seed=self.seed, **self.window)))
