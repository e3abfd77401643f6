"""Logs of real engines: files of requests with measured times, whoever wrote them; told by content."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from headway.errors import InputError
from headway.simulation.measured import guidellm
from headway.simulation.measured.benches import is_bench, requests_of
from headway.simulation.measured.cells import (
    COLUMNS,
    FLAGS,
    LONGEST_TIME,
    MOMENTS,
    SPANS,
    Clocks,
    Meaning,
    Told,
    UnfinishedError,
    failed,
    told,
)
from headway.simulation.measured.guidellm import is_guidellm
from headway.simulation.measured.runs import Run, run_of
from headway.simulation.traffic.lines import Text
from headway.simulation.traffic.records import Record, records
from headway.simulation.traffic.tables import table
from headway.simulation.traffic.titles import find, listed, meant

_LONGEST = 256_000_000  # characters of a line: a whole run's lists of ITL
_MOST_RUNS = 100
_NESTED = ("metadata", "metrics", "usage")  # AIPerf's two, and the API's count of tokens
_HOLDING = ("requests", "records", "results")
_MEASURED = ("ttft", "first_token", "latency", "end", "tpot", "itl")
_NEEDS = "a time of arrival and a measured time (ttft, first_token, latency, end, tpot or itl)"
_SUMMARIES = {
    "experiments": "genai-perf's profile export holds texts, no numbers of tokens; AIPerf's profile_export.jsonl has both",
    "input_config": "a summary of a run; AIPerf writes a record per request to profile_export.jsonl",
}


def read_logs(files: str | Path | Sequence[str | Path]) -> list[Run]:
    """Read logs of requests with measured times, each file a run or several.

    Parameters
    ----------
    files : str, Path or sequence of these
        A text may name several by comma.

    Raises
    ------
    InputError
        For what cannot be read, with file and line.
    """
    given = [files] if isinstance(files, str | Path) else files
    names = [n for g in given for n in ([g] if isinstance(g, Path) else [p.strip() for p in g.split(",")]) if str(n)]
    if not names:
        raise InputError("no log is named; a file is needed, like log.jsonl")
    runs = [run for name in names for run in read_log(name)]
    if len(runs) > _MOST_RUNS:
        raise InputError(
            f"{len(runs):,} runs; at most {_MOST_RUNS} are replayed (is a column of runs an id of requests?)"
        )
    return runs


def read_log(file: str | Path) -> list[Run]:
    """Read one log, compressed (gzip) or not.

    - JSON lines or a JSON list of requests, or CSV with a header: arrival, prompt and output, with ttft, tpot, itl, latency,
      first_token, end in the names that the catalogue's `trace_columns` knows; also AIPerf's ``profile_export.jsonl`` and
      ``headway simulate --csv``; a column run (or repeat) tells runs apart;
    - results with parallel lists: ``vllm bench serve --save-detailed``, SGLang's ``bench_serving --output-details``, a run each;
    - GuideLLM's JSON, a run for each benchmark.

    Parameters
    ----------
    file : str or Path

    Raises
    ------
    InputError
        With the file and the numbers of up to five bad lines.
    """
    with Text(file, _LONGEST) as text:
        first = text.next()
        while first and first.isspace():
            first = text.next()
        if not first:
            raise InputError(
                f"{text.name}: is empty; a log has a request per line, with arrival, prompt, output, ttft, ..."
            )
        if first.lstrip()[:1] not in ("{", "["):
            return _table(text, first)
        rows = iter(_objects(text, first))
        start = next(rows, None)
        if start is None:
            text.faults.raise_any()
            raise InputError(f"{text.name}: has no requests; a JSON object for each is needed")
        every = itertools.chain([start], rows)
        if is_guidellm(start[1]):
            return _guidellm(text, every)
        return _benches(text, every) if is_bench(start[1]) else _records(text, every)


def _objects(text: Text, first: str) -> Iterable[tuple[int, Record]]:
    """Records of JSON lines, of a list, or of one object over many lines (which may hold the list)."""
    if first.lstrip().startswith("["):
        return records(text, first)
    try:
        start = json.loads(first)
    except (ValueError, RecursionError):
        return _one(text, first)
    held = _held(start)
    if held is None:
        return records(text, first)
    return [(text.line, record) for record in held]


def _one(text: Text, first: str) -> Iterable[tuple[int, Record]]:
    begin, whole = text.line, first + text.read(_LONGEST)
    try:
        found = json.loads(whole)
    except json.JSONDecodeError as error:
        what = f"not JSON: {error.msg} at character {error.colno}; an object per line is needed, or one of many lines"
        text.faults.stop(begin + error.lineno - 1, what)
    except (ValueError, RecursionError):
        text.faults.stop(begin, "not JSON: nested too deep, or a number of too many digits")
    held = _held(found)
    return [(begin, record) for record in (held if held is not None else [found])]


def _held(found: Any) -> list[Record] | None:
    """Return the list of requests that an object holds; None where it is a request or a run itself."""
    if not isinstance(found, dict) or is_bench(found):
        return None
    for key in _HOLDING:
        inside = found.get(key)
        if isinstance(inside, list) and inside and all(isinstance(i, dict) for i in inside):
            return cast("list[Record]", inside)
    return None


class _Gathered:
    """The requests of one file, run by run."""

    def __init__(self, text: Text, clocks: Clocks) -> None:
        self.text, self.clocks = text, clocks
        self.runs: dict[str, list[Told]] = {}
        self.failed: dict[str, int] = {}
        self.unfinished: dict[str, int] = {}

    def add(self, line: int, label: str, cells: Record, meaning: Meaning) -> None:
        """Take in a request: an answered one, or a count of those that are not; what is wrong is noted."""
        run = str(cells.get(meaning["run"][0])) if "run" in meaning else ""
        where = label or f"line {line}"
        if failed(cells, meaning):
            self.failed[run] = self.failed.get(run, 0) + 1
            return
        try:
            self.runs.setdefault(run, []).append(told(where, cells, meaning, self.clocks))
        except UnfinishedError:
            self.unfinished[run] = self.unfinished.get(run, 0) + 1
        except InputError as error:
            self.text.faults.add(line, f"{label}: {error}" if label else str(error))

    def found(self, notes: Sequence[str], name: str = "") -> list[Run]:
        """Return the runs, in order of appearance."""
        self.text.faults.raise_any()
        runs = {run: rows for run, rows in self.runs.items() if rows}
        base = name or self.text.name
        if not runs:
            left = sum(self.failed.values()) + sum(self.unfinished.values())
            why = f"{left:,} failed or have no answer" if left else "a request per line is needed"
            raise InputError(f"{base}: has no request that was answered; {why}")
        if len(runs) > _MOST_RUNS:
            raise InputError(
                f"{base}: {len(runs):,} runs; at most {_MOST_RUNS} are replayed (is the column of runs an id of requests?)"
            )
        for rows in runs.values():
            _check_span(base, rows)
        said = tuple(notes) + (("timestamp has no unit: read as ms",) if self.clocks.assumed else ())
        names = {run: f"{base}: run {run}" if len(runs) > 1 else base for run in runs}
        return [
            run_of(names[run], rows, self.failed.get(run, 0), self.unfinished.get(run, 0), said) for run, rows in runs.items()
        ]  # fmt: skip


def _check_span(name: str, rows: Sequence[Told]) -> None:
    early, late = min(rows, key=lambda t: t.arrival), max(rows, key=lambda t: t.arrival)
    if late.arrival - early.arrival > LONGEST_TIME:
        raise InputError(
            f"{name}: {late.where} arrives {late.arrival - early.arrival:.4g} s after {early.where}; at most {LONGEST_TIME:,.0f} s are read"
        )


def _checked(name: str, titles: Sequence[str]) -> Meaning:
    """Return what the titles of a log mean.

    Raises
    ------
    InputError
        When lengths, arrivals or all measured times are missing.
    """
    meaning = meant(titles, COLUMNS, (*MOMENTS, *SPANS))
    if not {"prompt", "output"} <= meaning.keys():
        find(name, titles)
    if "arrival" not in meaning or not any(c in meaning for c in _MEASURED):
        lacks = "time of arrival" if "arrival" not in meaning else "measured time"
        raise InputError(
            f"{name}: no {lacks}; {_NEEDS} are needed, as `headway catalog trace_columns` names them; found: {listed(titles)}"
        )
    return meaning


def _unstated(meaning: Meaning) -> list[str]:
    named = [meaning[c][0] for c in SPANS if c in meaning and not meaning[c][1]]
    return [f"{', '.join(named)}: no unit in the title, read as seconds"] if named else []


def _table(text: Text, first: str) -> list[Run]:
    titles, rows, start = table(text, first)
    meaning = _checked(f"{text.name} line {start}", titles)
    gathered = _Gathered(text, Clocks())
    for line, row in rows:
        gathered.add(line, "", dict(zip(titles, row, strict=True)), meaning)
    return gathered.found(_unstated(meaning))


def _benches(text: Text, rows: Iterable[tuple[int, Record]]) -> list[Run]:
    """Results of whole runs: one object each."""
    found: list[Run] = []
    several = False
    for line, record in rows:
        several = several or bool(found)
        gathered = _Gathered(text, Clocks())
        meaning: Meaning = {c: (c, "s" if c in (*MOMENTS, *SPANS) else "") for c in COLUMNS if c != "run"}
        try:
            requests, note = requests_of(record)
        except InputError as error:
            text.faults.stop(line, str(error))
        for i, cells in enumerate(requests):
            gathered.add(line, f"request {i}", cells, {c: m for c, m in meaning.items() if c in cells})
        found += gathered.found([note] if note else [], f"{text.name} line {line}" if several else text.name)
    text.faults.raise_any()
    return found


def _guidellm(text: Text, rows: Iterable[tuple[int, Record]]) -> list[Run]:
    """Reports of GuideLLM: a run for each benchmark."""
    meaning: Meaning = {c: (c, "s" if c in (*MOMENTS, *SPANS) else "") for c in COLUMNS if c != "run"}
    found: list[Run] = []
    for line, record in rows:
        whole = list(guidellm.benchmarks(record))
        for name, one in whole:
            gathered = _Gathered(text, Clocks())
            try:
                for i, cells in enumerate(guidellm.requests_of(one)):
                    needed = {"arrival", "prompt", "output", *cells}
                    gathered.add(line, f"{name}, request {i}", cells, {c: m for c, m in meaning.items() if c in needed})
            except InputError as error:
                text.faults.stop(line, f"{name}: {error}")
            found += gathered.found([], f"{text.name}: {name}" if len(whole) > 1 else text.name)
    return found


def _records(text: Text, rows: Iterable[tuple[int, Record]]) -> list[Run]:
    """Requests as JSON objects, each with its own keys."""
    known: dict[tuple[str, ...], Meaning] = {}
    gathered = _Gathered(text, Clocks())
    needed: set[str] = set()
    said: list[str] = []
    for line, record in rows:
        nested = any(isinstance(record.get(key), dict) for key in _NESTED)
        cells = _flat(record) if nested else record
        keys = tuple(k for k, v in cells.items() if not _text(k, v))
        if keys not in known:
            known[keys] = meant(keys, COLUMNS, (*MOMENTS, *SPANS))
        meaning = known[keys]
        if not needed and not failed(cells, meaning):  # the first that was answered says what a request has
            _refuse_summary(text, record)
            meaning = _checked(f"{text.name} line {line}", keys)
            needed, said = {c for c in meaning if c not in ("tpot", "itl", *FLAGS)}, _unstated(meaning)
            gathered.clocks.usual = "ms" if meaning["arrival"][0].lower() == "timestamp" else "s"
            if nested:  # AIPerf leaves out what a request does not have
                needed -= set(_MEASURED)
        lacking = needed - meaning.keys()
        if lacking and not failed(cells, meaning):
            text.faults.add(line, f"has no {' and no '.join(sorted(lacking))}; the first request does")
        else:
            gathered.add(line, "", cells, meaning)
    return gathered.found(said)


def _text(key: str, value: Any) -> bool:
    """Return whether a value is the text of a prompt or an answer under a name that could be its length."""
    named = key.lower() in ("prompt", "output", "input")
    return named and isinstance(value, str | list | dict) and not str(cast("object", value)).strip().isdigit()


def _refuse_summary(text: Text, record: Record) -> None:
    for key, what in _SUMMARIES.items():
        if key in record:
            raise InputError(f"{text.name}: {what}")


def _flat(record: Record) -> Record:
    """Return a record with what its parts hold beside its own; a value with a unit has that in its title."""
    found = {k: v for k, v in record.items() if k not in _NESTED}
    for key in _NESTED:
        inside = record.get(key)
        if not isinstance(inside, dict):
            continue
        for title, value in cast("Record", inside).items():
            if isinstance(value, dict) and "value" in value:
                pair = cast("Record", value)
                unit = str(pair.get("unit") or "")
                found[f"{title} ({unit})" if unit in ("ms", "s", "sec", "us", "ns") else title] = pair["value"]
            else:
                found[title] = value
    return found
