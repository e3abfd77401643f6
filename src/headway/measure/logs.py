"""What load generators and benchmarks leave behind, as rows of the table that `predict` and `calibrate` read, and as requests to replay."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from headway.errors import InputError
from headway.evidence import COLUMNS, NEEDED
from headway.measure import logs_summaries as summaries
from headway.simulation.measured import Run, read_log
from headway.simulation.measured.benches import is_bench
from headway.simulation.measured.guidellm import benchmarks, is_guidellm, part, strategy
from headway.simulation.traffic.lines import Text

Record = dict[str, Any]
_LARGEST = 256_000_000  # characters
_ENGINES = ("sglang", "vllm", "trt", "lmdeploy")  # that SGLang's load generator names as we do
AIPERF = ("profile_export.jsonl", "profile_export_aiperf.json")  # of a folder of AIPerf's


@dataclass(frozen=True)
class Bench:
    """One run of a benchmark.

    Attributes
    ----------
    tool : str
        Who measured, with the version where it is told.
    name : str
        File, and which of its runs.
    row : mapping
        Column of the table of cases -> cell, in that column's unit; what is not known is left out.
    run : Run or None
        Its requests, where the file has them.
    notes : tuple of str
        What was assumed, or left out.
    """

    tool: str
    name: str
    row: Mapping[str, Any]
    run: Run | None = None
    notes: tuple[str, ...] = field(default_factory=tuple[str, ...])

    def lacks(self) -> list[str]:
        """Return columns without which nothing is predicted, that neither the file nor anybody gave."""
        return [c for c in NEEDED if self.row.get(c) in (None, "")]


def read_benches(files: Sequence[str | Path], given: Mapping[str, Any] | None = None) -> list[Bench]:
    """Read results of GuideLLM, AIPerf, genai-perf, ``vllm bench serve``, SGLang's ``bench_serving`` and llama-bench; told by content.

    Parameters
    ----------
    files : sequence of str or Path
        A folder is AIPerf's.
    given : mapping or None
        Cells that files do not have, or have wrongly: ``system``, ``model``, ``engine``, ``tp``, ...

    Raises
    ------
    InputError
        For what cannot be read, with the file.
    """
    own = {k: v for k, v in (given or {}).items() if v is not None}
    found: list[Bench] = []
    for file in files:
        for b in _of_file(Path(file).expanduser()):
            row = {**b.row, **own}
            found.append(
                Bench(b.tool, b.name, {c: row[c] for c in COLUMNS if row.get(c) not in (None, "")}, b.run, b.notes)
            )
    return found


def _of_file(file: Path) -> Iterator[Bench]:
    if file.is_dir():
        inside = file / AIPERF[0]
        if not inside.is_file():
            raise InputError(f"{file}: is a folder without AIPerf's {AIPERF[0]}; name a file")
        yield from _of_file(inside)
        return
    start = _records(file)
    first = start[0] if start else {}
    if summaries.is_llama_bench(first):
        yield from (Bench(*x) for x in summaries.llama_bench(file.name, start))
    elif summaries.is_summary(first):
        tool, row, notes = summaries.summary(first)
        yield Bench(tool, file.name, row, None, notes)
    else:
        yield from _with_requests(file, start)


def _records(file: Path) -> list[Record]:
    """The JSON of a file: an object, a list of them, or one a line; empty of what is none."""
    with Text(file, _LARGEST) as text:
        whole = text.read(_LARGEST)
    try:
        found = json.loads(whole)
    except (ValueError, RecursionError):
        found = []
        for line in whole.splitlines():
            try:
                found.append(json.loads(line))
            except (ValueError, RecursionError):
                break
    held = found if isinstance(found, list) else [found]
    return [cast("Record", r) for r in held if isinstance(r, dict)]


def _with_requests(file: Path, start: Sequence[Record]) -> Iterator[Bench]:
    """Results that hold their requests: the row is computed from these, not copied from a summary."""
    runs = read_log(file)
    told = list(_told(file, start))
    for i, run in enumerate(runs):
        tool, stated = told[i] if len(told) == len(runs) else ("log", {})
        row, notes = measured(run)
        flying = stated.get("batch_or_concurrency")
        if flying in (None, ""):
            notes = (*notes, "requests in flight: the mean of the log, since the file states none")
        every = float(flying or row.get("batch_or_concurrency") or len(run))
        row["rounds"] = max(len(run) / every, 1.0)
        left = run.failed + run.unfinished
        notes = (*notes, *([f"{left:,} requests that failed or had no answer are left out"] if left else []))
        yield Bench(
            tool,
            run.name,
            {**row, **{k: v for k, v in stated.items() if v not in (None, "")}},
            run,
            (*run.notes, *notes),
        )


def _told(file: Path, start: Sequence[Record]) -> Iterator[tuple[str, Record]]:
    """(tool, cells) of each run of a file, as it states them."""
    first = start[0] if start else {}
    if is_guidellm(first):
        tool = f"GuideLLM {part(first, 'metadata').get('guidellm_version', '')}".strip()
        for _, one in benchmarks(first):
            how, backend = strategy(one), part(part(one, "config"), "backend")
            yield tool, _checked(backend.get("model"), how.get("streams") or how.get("max_concurrency"))
    elif is_bench(first):
        for record in start:
            cells = _checked(record.get("model_id"), record.get("max_concurrency"))
            if "model_id" in record:
                yield "vllm bench serve", cells
            else:
                engine = record.get("backend") if record.get("backend") in _ENGINES else None
                yield "SGLang bench_serving", {**cells, "engine": engine}
    elif "metadata" in first and "metrics" in first:
        beside = file.parent / AIPERF[1]
        found = _records(beside) if beside.is_file() and file.name != AIPERF[1] else []
        tool, row = ("AIPerf", {}) if not found else summaries.summary(found[0])[:2]
        yield tool, {k: row.get(k) for k in ("model", "batch_or_concurrency")}


def _checked(model: Any, flying: Any) -> Record:
    """What a tool says of its run, where it can be that."""
    found = (
        flying if isinstance(flying, int | float) and not isinstance(flying, bool) and 1 <= flying < math.inf else None
    )
    return {"model": model if isinstance(model, str) else None, "batch_or_concurrency": found}


def measured(run: Run) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the cells of a run: means and medians over its requests, rates over its span.

    Parameters
    ----------
    run : Run
    """
    ended = run.arrival + run.request
    known = np.isfinite(ended)
    span = float(ended[known].max() - run.arrival.min()) if known.any() else math.nan
    row: dict[str, Any] = {
        "isl": float(run.prompt.mean()), "osl": float(run.output.mean()), **_both("ttft", run.ttft), **_both("tpot", run.tpot),
        **_both("e2e", run.request), "load": "closed_loop",
    }  # fmt: skip
    if span > 0:
        row |= {
            "output_tok_s": float(run.output.sum()) / span, "input_tok_s": float(run.prompt.sum()) / span,
            "batch_or_concurrency": float(run.request[known].sum()) / span,
        }  # fmt: skip
    spread = (run.prompt.max() - run.prompt.min()) / max(run.prompt.max() + run.prompt.min(), 1)
    longest = (run.output.max() - run.output.min()) / max(run.output.max() + run.output.min(), 1)
    row["length_spread"] = round(float(min(max(spread, longest), 1.0)), 4)
    return row, ()


def _both(what: str, seconds: Any) -> dict[str, float]:
    known = seconds[np.isfinite(seconds)]
    if not len(known):
        return {}
    return {f"{what}_ms_mean": 1e3 * float(known.mean()), f"{what}_ms_median": 1e3 * float(np.median(known))}


def request_lines(benches: Sequence[Bench]) -> Iterator[str]:
    """Yield the requests of all runs as JSON lines that ``headway simulate --compare`` reads.

    Raises
    ------
    InputError
        When none of the files holds requests.
    """
    runs = [b.run for b in benches if b.run is not None]
    if not runs:
        raise InputError(
            "--requests: these files hold no requests, only summaries; GuideLLM's JSON, AIPerf's profile_export.jsonl, vllm bench serve "
            "--save-detailed and SGLang's --output-details do"
        )
    for run in runs:
        for i in range(len(run)):
            times = {
                "arrival_s": run.arrival[i],
                "ttft_s": run.ttft[i],
                "tpot_s": run.tpot[i],
                "latency_s": run.request[i],
            }
            cells: Record = {"run": run.name, "prompt_tokens": int(run.prompt[i]), "output_tokens": int(run.output[i])}
            cells |= {k: float(v) for k, v in times.items() if math.isfinite(v)}
            yield json.dumps(cells)
