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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np
from numpy.typing import NDArray

from headway.batching import first_token
from headway.calibrate.cases import Case, case
from headway.calibrate.estimate import Batch, Estimate, bounds, estimate, numbers_of
from headway.calibrate.evidence import COLUMNS, Measurement, measurement, table
from headway.calibrate.fit import Data
from headway.calibrate.tabular import FAULT, Table
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
    batch = Batch.of(
        cases, [min(float(u.chunk_tokens), c.engine.prompt_piece) for u, c in zip(used, cases, strict=True)]
    )
    found = estimate(batch, numbers_of(used))
    least, bound = floors(batch), bounds(batch, found)
    return [_prediction(cases[i], found, i, least, str(bound[i]), profile(names[i])) for i in range(len(cases))]


@dataclass(frozen=True)
class Floors:
    """What no prediction of a case may beat; arrays of seconds.

    Attributes
    ----------
    tpot : array
        Decode steps alone, on an ideal machine, every draft accepted.
    ttft : array
        One prompt's prefill (of a static batch: all its prompts') on an ideal machine, pipelines filled without a gap.
    request : array
        Both: TTFT + (output - 1) x TPOT.
    """

    tpot: Array
    ttft: Array
    request: Array


def floors(batch: Batch) -> Floors:
    """Return the physical floors of each case."""
    by_name = batch.flat.named(batch.flat.seconds(IDEAL.numbers()))
    nothing = np.zeros(len(batch.cases))
    steps = by_name.get("decode", nothing) + (by_name.get("early", nothing) + by_name.get("late", nothing)) / 2
    tpot, ttft, later = steps.copy(), nothing.copy(), nothing.copy()
    for k in batch.kinds:
        w = k.workload
        first = by_name.get("prefill", nothing)[k.chosen]
        tpot[k.chosen] = steps[k.chosen] / (1 + w.drafts)
        ttft[k.chosen] = first_token(w, first, k.chunk_tokens, drain=False)
        later[k.chosen] = np.where(w.prompt > 0, np.maximum(w.output - 1, 0), w.output)
    return Floors(tpot, ttft, ttft + later * tpot)


def below_floors(data: Data, own: Array, ttft: Array) -> NDArray[np.bool_]:
    """Return which rows beat a physical floor, with their own measure or their TTFT.

    Parameters
    ----------
    data : Data
    own, ttft : array
        log(predicted/measured) of `compare.ratios`; zeros ask about the measurements themselves.
    """
    least, known, names = floors(data.batch), data.truth, data.truth.names
    rate = np.isin(names, ("output", "input"))
    predicted = known.values * np.exp(np.where(rate, -own, own))
    tokens = np.array([r.output if n == "output" else r.prompt for r, n in zip(data.rows, names, strict=True)])
    inverse = least.request / np.maximum([r.batch for r in data.rows], 1.0) / np.maximum(tokens, 1.0)
    floor = np.select([names == "tpot", names == "ttft", names == "request"], [least.tpot, least.ttft, least.request])
    seconds, bound = np.where(rate, 1 / predicted, predicted), np.where(rate, inverse, floor)
    first, when = np.full(len(own), np.nan), np.full(len(own), np.nan)
    for rows, values in (known.ttft, known.ttft_median):
        first[rows], when[rows] = values * np.exp(ttft[rows]), least.ttft[rows]
    return (seconds < bound * (1 - 1e-9)) | (first < when * (1 - 1e-9))


def _prediction(c: Case, e: Estimate, i: int, least: Floors, bound: str, found: Profile) -> Prediction:
    w, floor = c.workload, float(least.tpot[i])
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
    if c.undivided:
        outside = (*outside, "disaggregated")
    kind = "static_batch" if w.kind == "static_batch" else "closed_loop"
    return Prediction(
        ttft=ttft, tpot=tpot, output_rate=float(e.output_rate[i]),
        tpot_interval=_interval(tpot, found.spread(kind, "tpot", outside), floor),
        ttft_interval=_interval(ttft, found.spread(kind, "ttft", outside), float(least.ttft[i])),
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
            except Exception as error:
                reasons[i] = _reason(error)
        answers = _answers(good, name, reasons)
        for i, (_, row) in enumerate(piece):
            added = cells(answers[i]) if i in answers else dict.fromkeys(ADDED, "") | {"refused": reasons[i]}
            yield {k: v for k, v in row.items() if k != FAULT} | added


def _reason(error: Exception) -> str:
    """Say why a row is refused; a fault of headway's own must not cost the rows around it."""
    if isinstance(error, HeadwayError):
        return str(error)
    if os.environ.get("HEADWAY_DEBUG"):
        raise error
    return f"a fault in headway itself ({error.__class__.__name__}: {error})"


def _answers(
    good: Sequence[tuple[int, Measurement, Case]], name: str | None, reasons: dict[int, str]
) -> dict[int, Prediction]:
    """Predict together; when one case cannot be timed, each by itself, so that the others are not lost."""
    try:
        found = predict_cases([c for _, _, c in good], [m.date for _, m, _ in good], name)
        return {i: p for (i, _, _), p in zip(good, found, strict=True)}
    except Exception as error:
        if len(good) == 1:
            reasons[good[0][0]] = _reason(error)
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
    """Read a table, write it with predictions, and return counts. Rows stream through: size does not matter.

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
        rows, answered, refused, reasons with their counts, and `unread`: columns that mean nothing to headway, each
        with the known one that it resembles.

    Raises
    ------
    InputError
        When the file cannot be read, has no row, or the output cannot be written; an existing output is kept then.
    """
    if not out.strip() or Path(out).is_dir():
        raise InputError(f"-o {out!r}: name a file, not a folder")
    source = opened(file)

    def fill(stream: TextIO) -> dict[str, Any]:
        return write_predictions(source, stream, name, progress)

    target = Path(out).resolve()  # a link's target is written, not the link replaced
    if target.exists() and not target.is_file():  # a device or a pipe: nothing to keep, nothing to replace
        try:
            with target.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
                return fill(stream)
        except OSError as error:
            raise InputError(f"{out}: cannot be written ({error.strerror})") from None
    return _replace(target, out, fill)


def opened(file: str) -> Table:
    """Open a table that has at least one row.

    Raises
    ------
    InputError
        When it cannot be read or has no row.
    """
    source = table(file)
    first = next(source.rows, None)
    if first is None:
        raise InputError(f"{file}: has a header and no row")
    return replace(source, rows=itertools.chain([first], source.rows))


def _replace(target: Path, out: str, fill: Callable[[TextIO], dict[str, Any]]) -> dict[str, Any]:
    """Write beside the target and put it in place when it is whole; an existing file keeps its mode."""
    try:
        mode = target.stat().st_mode & 0o7777 if target.exists() else None
        handle, half = tempfile.mkstemp(prefix=f".{target.name[:80]}.", dir=target.parent)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror})") from None
    try:
        os.close(handle)
        writer = gzip.open if target.suffix == ".gz" else open
        with cast(TextIO, writer(half, "wt", newline="", encoding="utf-8", errors="surrogateescape")) as stream:
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


def write_predictions(
    source: Table, stream: TextIO, name: str | None = None, progress: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """Write a table's own columns as they came, then `ADDED`; return counts as `predict_file` does."""
    kept = [(k, t) for k, t in zip(source.keys, source.titles, strict=True) if k not in ADDED]
    keys = [*(k for k, _ in kept), *ADDED]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*(t for _, t in kept), *ADDED])
    total, refused, reasons = 0, 0, dict[str, int]()
    for row in predicted_rows(source.rows, name):
        writer.writerow([row.get(k, "") for k in keys])
        total += 1
        if row["refused"]:
            refused += 1
            reasons[row["refused"]] = reasons.get(row["refused"], 0) + 1
        if progress and total % 100 == 0:
            progress(total)
    if progress:
        progress(total)
    return {
        "rows": total, "answered": total - refused, "refused": refused, "reasons": reasons,
        "unread": source.unread((*COLUMNS, *ADDED)),
    }  # fmt: skip
