"""`headway predict`: a prediction, its interval and its floor for every row of a table; refused rows say why."""

from __future__ import annotations

import csv
import functools
import gzip
import itertools
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np
from numpy.typing import NDArray

from headway.calibrate.cases import Case, case
from headway.calibrate.estimate import Batch, Estimate, bounds, estimate, numbers_of
from headway.calibrate.evidence import Measurement, measurement, read_rows
from headway.catalog import Catalogue, Row, catalogue
from headway.errors import HeadwayError, InputError
from headway.hardware import Chip
from headway.roofline import DEFAULT, IDEAL, Calibration, Profile, Spread, profile

Array = NDArray[np.float64]
ADDED = (
    "predicted_ttft_ms", "predicted_tpot_ms", "predicted_output_tok_s", "tpot_ms_low", "tpot_ms_high", "ttft_ms_low",
    "ttft_ms_high", "floor_tpot_ms", "bound", "profile", "outside_evidence", "refused",
)  # fmt: skip
_AT_A_TIME = 1000  # rows held in memory: a million rows pass through in pieces


@dataclass(frozen=True)
class Prediction:
    """What is predicted for one row; times in seconds, NaN where the row has no such quantity.

    Attributes
    ----------
    ttft, tpot, output_rate : float
        Means; rate of the whole deployment. [s, s, tokens/s]
    tpot_interval, ttft_interval : (float, float)
        80 % intervals. [s]
    floor : float
        TPOT of an ideal machine without prompts in the way: no prediction is below it. [s]
    bound, profile : str
    outside : tuple of str
        What of the case the profile's evidence does not cover.
    """

    ttft: float
    tpot: float
    output_rate: float
    tpot_interval: tuple[float, float]
    ttft_interval: tuple[float, float]
    floor: float
    bound: str
    profile: str
    outside: tuple[str, ...]


@functools.lru_cache(maxsize=4096)
def _calibration(facts: Catalogue, name: str, chip: Chip, date: str) -> Calibration:
    return profile(name).on(chip, date)


def predict_cases(cases: Sequence[Case], dates: Sequence[str], name: str | None = None) -> list[Prediction]:
    """Predict cases, each under its own engine's profile (or the one called `name`).

    Parameters
    ----------
    cases : sequence of Case
    dates : sequence of str
        Release of each engine, empty for the latest.
    name : str
        Profile to take instead.
    """
    if not cases:
        return []
    facts = catalogue()
    names = [name or c.engine.profile for c in cases]
    used = [_calibration(facts, n, c.chip, d) for n, c, d in zip(names, cases, dates, strict=True)]
    batch = Batch.of(cases, [float(u.chunk_tokens) for u in used])
    found = estimate(batch, numbers_of(used))
    floor, bound = floors(batch), bounds(batch, found)
    return [
        _prediction(cases[i], found, i, float(floor[i]), str(bound[i]), profile(names[i])) for i in range(len(cases))
    ]


def floors(batch: Batch) -> Array:
    """Return each case's floor of TPOT: its decode steps alone, on an ideal machine, every draft accepted. [s]"""
    seconds = batch.flat.seconds(IDEAL.numbers())
    by_name = batch.flat.named(seconds)
    nothing = np.zeros(len(batch.cases))
    static = (by_name.get("early", nothing) + by_name.get("late", nothing)) / 2
    drafts = np.array([c.workload.drafts for c in batch.cases], dtype=float)
    return (by_name.get("decode", nothing) + static) / (1 + drafts)


def _prediction(c: Case, e: Estimate, i: int, floor: float, bound: str, found: Profile) -> Prediction:
    w = c.workload
    tpot = float(e.served.tpot[i]) if w.output > 1 or w.prompt <= 0 else math.nan  # one token has no next
    ttft = float(e.served.ttft[i]) if w.prompt > 0 else math.nan
    outside = found.uncovered(
        c.chip, batch=w.batch * c.replicas, prompt=w.prompt, output=w.output, ranks=c.layout.chips
    )
    if found.name == DEFAULT and c.engine.name not in (DEFAULT, *found.covers.get("engines", ())):
        outside = (*outside, "engine")
    if w.prompt + w.output > c.model.max_context:
        outside = (*outside, "context")
    if c.overfull:
        outside = (*outside, "memory")
    kind = "static_batch" if w.kind == "static_batch" else "closed_loop"
    return Prediction(
        ttft=ttft, tpot=tpot, output_rate=float(e.output_rate[i]),
        tpot_interval=_interval(tpot, found.spread(kind, "tpot", outside), floor),
        ttft_interval=_interval(ttft, found.spread(kind, "ttft", outside), 0.0),
        floor=math.nan if math.isnan(tpot) else floor, bound=bound, profile=found.name, outside=outside,
    )  # fmt: skip


def _interval(value: float, spread: Spread | None, floor: float) -> tuple[float, float]:
    if spread is None or math.isnan(value):
        return math.nan, math.nan
    return max(value * math.exp(spread.low), floor), value * math.exp(spread.high)


def cells(p: Prediction) -> dict[str, str]:
    """Return a prediction as the columns that `headway predict` adds."""

    def milliseconds(seconds: float) -> str:
        return "" if math.isnan(seconds) else f"{seconds * 1e3:.6g}"

    return {
        "predicted_ttft_ms": milliseconds(p.ttft), "predicted_tpot_ms": milliseconds(p.tpot),
        "predicted_output_tok_s": f"{p.output_rate:.6g}",
        "tpot_ms_low": milliseconds(p.tpot_interval[0]), "tpot_ms_high": milliseconds(p.tpot_interval[1]),
        "ttft_ms_low": milliseconds(p.ttft_interval[0]), "ttft_ms_high": milliseconds(p.ttft_interval[1]),
        "floor_tpot_ms": milliseconds(p.floor), "bound": p.bound, "profile": p.profile,
        "outside_evidence": " ".join(p.outside), "refused": "",
    }  # fmt: skip


def predicted_rows(rows: Iterable[tuple[str, Row]], name: str | None = None) -> Iterator[dict[str, str]]:
    """Yield every row with its predictions; a row that cannot be answered says why in `refused`, the others are answered.

    Parameters
    ----------
    rows : iterable of (place, row)
    name : str
        Engine or profile instead of each row's own.
    """
    for piece in _pieces(rows, _AT_A_TIME):
        good: list[tuple[int, Measurement, Case]] = []
        reasons: dict[int, str] = {}
        for i, (place, row) in enumerate(piece):
            try:
                m = measurement(place, row)
                good.append((i, m, case(m, name=name)))
            except HeadwayError as error:
                reasons[i] = str(error)
            except Exception as error:  # a fault of headway's must not cost the rows around it
                if os.environ.get("HEADWAY_DEBUG"):
                    raise
                reasons[i] = f"a fault in headway itself ({error.__class__.__name__}: {error})"
        answers = _answers(good, name, reasons)
        for i, (_, row) in enumerate(piece):
            added = cells(answers[i]) if i in answers else dict.fromkeys(ADDED, "") | {"refused": reasons[i]}
            yield {k: v for k, v in row.items() if k != "\0"} | added


def _answers(
    good: Sequence[tuple[int, Measurement, Case]], name: str | None, reasons: dict[int, str]
) -> dict[int, Prediction]:
    """Predict together; when one case cannot be timed, each by itself, so that the others are not lost."""
    try:
        found = predict_cases([c for _, _, c in good], [m.date for _, m, _ in good], name)
        return {i: p for (i, _, _), p in zip(good, found, strict=True)}
    except HeadwayError as error:
        if len(good) == 1:
            reasons[good[0][0]] = str(error)
            return {}
    middle = len(good) // 2
    return _answers(good[:middle], name, reasons) | _answers(good[middle:], name, reasons)


def _pieces(rows: Iterable[tuple[str, Row]], size: int) -> Iterator[list[tuple[str, Row]]]:
    source = iter(rows)
    while piece := list(itertools.islice(source, size)):
        yield piece


def predict_file(
    file: str, out: str, name: str | None = None, progress: Callable[[int], None] | None = None
) -> Mapping[str, Any]:
    """Read a table, write it with predictions, and return counts.

    Parameters
    ----------
    file, out : str
    name : str
        Engine or profile instead of each row's own.
    progress : callable
        Called with the rows done so far.

    Returns
    -------
    dict
        rows, answered, refused, and reasons with their counts.

    Raises
    ------
    InputError
        When the file cannot be read, has no row, or the output cannot be written; an existing output is kept then.
    """
    source = read_rows(file)
    first = next(source, None)
    if first is None:
        raise InputError(f"{file}: has a header and no row")
    header = [k for k in first[1] if k and k not in ADDED]
    if not out.strip() or Path(out).is_dir():
        raise InputError(f"-o {out!r}: name a file, not a folder")
    rows = itertools.chain([first], source)
    target = Path(out).resolve()  # a link's target is written, not the link replaced
    if target.exists() and not target.is_file():  # a device or a pipe: nothing to keep, nothing to replace
        try:
            with target.open("w", newline="", encoding="utf-8") as stream:
                return _write(stream, header, rows, name, progress)
        except OSError as error:
            raise InputError(f"{out}: cannot be written ({error.strerror})") from None
    return _replace(target, out, lambda stream: _write(stream, header, rows, name, progress))


def _replace(target: Path, out: str, fill: Callable[[TextIO], dict[str, Any]]) -> dict[str, Any]:
    """Write beside the target and put it in place when it is whole; an existing file keeps its mode."""
    try:
        mode = target.stat().st_mode & 0o7777 if target.exists() else None
        handle, half = tempfile.mkstemp(prefix=f".{target.name[:80]}.", dir=target.parent)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror})") from None
    try:
        os.close(handle)
        opened = gzip.open if target.suffix == ".gz" else open
        with cast(TextIO, opened(half, "wt", newline="", encoding="utf-8")) as stream:
            counts = fill(stream)
        if mode is None:
            umask = os.umask(0)
            os.umask(umask)
            mode = 0o666 & ~umask
        Path(half).chmod(mode)
        Path(half).replace(target)
    except OSError as error:
        Path(half).unlink(missing_ok=True)
        raise InputError(f"{out}: cannot be written ({error.strerror})") from None
    except BaseException:
        Path(half).unlink(missing_ok=True)
        raise
    return counts


def _write(
    stream: TextIO,
    header: list[str],
    rows: Iterable[tuple[str, Row]],
    name: str | None,
    progress: Callable[[int], None] | None,
) -> dict[str, Any]:
    writer = csv.DictWriter(stream, [*header, *ADDED], extrasaction="ignore", restval="", lineterminator="\n")
    writer.writeheader()
    total, refused, reasons = 0, 0, dict[str, int]()
    for row in predicted_rows(rows, name):
        writer.writerow(row)
        total += 1
        if row["refused"]:
            refused += 1
            reasons[row["refused"]] = reasons.get(row["refused"], 0) + 1
        if progress and total % 100 == 0:
            progress(total)
    if progress:
        progress(total)
    return {"rows": total, "answered": total - refused, "refused": refused, "reasons": reasons}
