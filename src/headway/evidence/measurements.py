"""Measurements: the schema of serving benchmarks, one reader for shipped evidence and users' files, and its traps."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from headway.catalog import SHIPPED, Catalogue, Row, catalogue, default
from headway.errors import InputError
from headway.evidence.cells import flag, length_spread, number
from headway.evidence.layouts import Pools, layout
from headway.evidence.tabular import FAULT, Table, read_table
from headway.questions import LoadKind
from headway.roofline import years_since
from headway.serving import engine as engine_called
from headway.serving.releases import released

MEASURES = (
    "ttft_ms_mean", "ttft_ms_median", "tpot_ms_mean", "tpot_ms_median", "e2e_ms_mean", "e2e_ms_median",
    "output_tok_s", "output_tok_s_per_chip", "input_tok_s",
)  # fmt: skip
COLUMNS = (
    "source", "source_path", "date", "system", "chips", "model", "weights_dtype", "kv_dtype", "engine",
    "engine_version", "tp", "pp", "ep", "attention_dp", "speculative", "disaggregated", "load", "batch_or_concurrency",
    "isl", "osl", "rounds", "length_spread", "prefill_chips", "decode_chips", "prefill_tp", "prefill_ep", "prefill_attention_dp",
    "prefill_workers", "decode_workers", "ttft_not_fitted", *MEASURES,
)  # fmt: skip
NEEDED = ("system", "model", "batch_or_concurrency", "isl", "osl")


@dataclass(frozen=True)
class Measurement:
    """One row of a serving benchmark, traps handled.

    Attributes
    ----------
    place : str
        File and line.
    row : mapping
        As read.
    source, date, system, model, weights, kv, engine, load : str
    release : str
        Date of the engine's release, as far as its version or the date tell.
    chips : int
        Accelerators of the deployment. [chips]
    tp, pp, ep, dp : int
        Layout of one replica; `dp` counts attention-data-parallel groups. [chips, stages, groups, groups]
    drafts : int
        Tokens drafted per step. [tokens]
    disaggregated : bool
    batch, prompt, output : float
        Requests in flight; mean lengths. [requests, tokens, tokens]
    rounds : float or None
        Requests per slot of the run; None: as the engine's evidence. [requests]
    spread : float or None
        Half-width of the lengths' spread around their means; None: as the evidence's. [share]
    pools : Pools or None
        Of a split deployment that states the chips of both.
    ttft_not_fitted : str
        Why no fit may look at its TTFT, which is predicted and counted all the same; "" if it may.
    measured : mapping
        What was measured: times, and rates of the whole deployment. [s, tokens/s]
    """

    place: str
    row: Mapping[str, str]
    source: str
    date: str
    system: str
    model: str
    weights: str
    kv: str
    engine: str
    load: LoadKind
    chips: int
    tp: int
    pp: int
    ep: int
    dp: int
    drafts: int
    disaggregated: bool
    batch: float
    prompt: float
    output: float
    rounds: float | None = None
    spread: float | None = None
    release: str = ""
    pools: Pools | None = None
    ttft_not_fitted: str = ""
    measured: Mapping[str, float] = field(default_factory=dict[str, float])


def table(file: str | Path) -> Table:
    """Open a table of serving benchmarks: CSV (also ``.gz``), any column order.

    Raises
    ------
    InputError
        When the file cannot be read, is empty, or lacks a column that has no default.
    """
    return read_table(file, COLUMNS, NEEDED)


def read_rows(file: str | Path) -> Iterator[tuple[str, Row]]:
    """Yield (place, row) of such a table."""
    yield from table(file).rows


def measurement(place: str, row: Row) -> Measurement:
    """Read one row.

    Raises
    ------
    InputError
        When a cell is malformed; the message names the column.

    Notes
    -----
    Traps of the sources: those of `layouts.layout`; gpt-fast generates 200 tokens where its table has no column for it; PaLM's
    table times prefill and generation apart, so its time of a generation is not end to end.
    """
    if FAULT in row:
        raise InputError(row[FAULT])
    chips, ways, pools = layout(row)
    engine = row.get("engine", "")
    output = number(row, "osl", 200.0 if engine.lower().startswith("gpt-fast") else None)
    prompt = number(row, "isl", None)
    batch = number(row, "batch_or_concurrency", None)
    if batch <= 0 or prompt + output <= 0:
        raise InputError("batch_or_concurrency must be positive, and isl + osl at least 1 token")
    if prompt < 1 and output <= 1:
        raise InputError("isl 0 and osl 1 leave nothing to time: no prompt, and no token after the first")
    load = row.get("load", "").lower() or "closed_loop"
    if load not in ("static_batch", "closed_loop"):
        raise InputError(f"load is {load!r}; accepted: static_batch, closed_loop")
    date = row.get("date", "")
    if date and years_since(date) is None:
        raise InputError(f"date is {date!r}; write it like 2026-05-18 (or leave it empty for the latest release)")
    found = Measurement(
        place=place, row=row, source=row.get("source", ""), date=date, system=row["system"],
        model=row["model"], weights=row.get("weights_dtype", ""), kv=_cache_format(row), engine=engine, load=load,
        chips=chips, tp=ways.tp, pp=ways.pp, ep=ways.ep, dp=ways.dp, pools=pools,
        drafts=_drafts(row), disaggregated=flag(row, "disaggregated"), batch=batch, prompt=prompt, output=output,
        rounds=number(row, "rounds", math.nan, low=1.0) if row.get("rounds", "").strip() else None,
        spread=length_spread(row, prompt, output), ttft_not_fitted=row.get("ttft_not_fitted", "").strip(),
        release=_release(engine, row.get("engine_version", ""), date),
    )  # fmt: skip
    object.__setattr__(found, "measured", _measured(row, found.chips, output))
    return found


def _release(engine: str, version: str, date: str) -> str:
    return released(engine_called(engine).profile, version, date) if engine and version else date


_SIXTEEN = ("", "bf16", "fp16", "f16", "bfloat16", "half", "float16", "fp32", "f32")


def _cache_format(row: Row) -> str:
    """Return the KV cache's format: as stated; as the source's recipes set it where its tables do not say; "" else."""
    stated = row.get("kv_dtype", "").strip()
    if stated.lower() not in ("", "auto"):
        return stated
    quantised = row.get("weights_dtype", "").strip().lower() not in _SIXTEEN
    if not quantised or not row.get("engine"):
        return ""
    for source, engines in _recipes(catalogue()):
        if source in row.get("source", "") and engine_called(row["engine"]).profile in engines:
            return "fp8"
    return ""


@functools.lru_cache(maxsize=8)
def _recipes(facts: Catalogue) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(what a source's name holds, engines that its recipes give an FP8 cache with quantised weights)."""
    rows = facts.table("evidence_sources").rows
    return tuple((r["name"].split(" ")[0], tuple(r["fp8_kv_engines"].split("|"))) for r in rows if r["fp8_kv_engines"])


def measurer(source: str) -> str:
    """Return who measured the rows of a source: its attribution, without where it came by."""
    table = catalogue().table("evidence_sources")
    said = next((r["attribution"] for r in table.rows if r["name"] == source), source)
    return re.split(r" \(|, by way", said)[0]


def _drafts(row: Row) -> int:
    text = row.get("speculative", "").strip().lower()
    if text in ("", "none", "unknown", "false", "no", "off"):
        return 0
    match = re.search(r"\d+", text)
    if match:
        return min(int(match[0]), 16)
    if text in ("mtp", "eagle", "eagle3", "true", "nextn", "draft"):
        return int(default("mtp_drafts"))
    raise InputError(f"speculative is {text!r}; accepted: none, mtp, mtp2, eagle")


def _measured(row: Row, chips: int, output: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for key in MEASURES:
        try:
            value = number(row, key, math.nan)
        except InputError:
            continue  # a measurement that cannot be read is no reason to refuse a prediction
        if value > 0:
            found[key.replace("_ms", "")] = value / 1e3 if "_ms" in key else value
    if row.get("source", "").startswith("Pope et al. 2022") and output > 0 and "e2e_mean" in found:
        found["tpot_mean"] = found.pop("e2e_mean") / output
    if "output_tok_s_per_chip" in found and "output_tok_s" not in found:
        found["output_tok_s"] = found["output_tok_s_per_chip"] * chips
    found.pop("output_tok_s_per_chip", None)
    return found


def shipped() -> list[Measurement]:
    """Return the serving evidence of the catalogue; rows without a batch (published facts) are left to the anchors."""
    return read(read_rows(SHIPPED / "evidence" / "serving.csv.gz"))[0]


def read_file(file: str | Path | Table) -> tuple[list[Measurement], list[tuple[str, Row, str]]]:
    """Return the well-formed rows of a table (a file, or one that is open), and those that are not, as of `read`.

    Raises
    ------
    InputError
        When the table cannot be read, or no row can be used; the message gives the first reason.
    """
    source = file if isinstance(file, Table) else table(file)
    good, refused = read(source.rows)
    if not good:
        first = [f": {place}: {reason}" for place, _, reason in refused[:1]]
        raise InputError(f"{source.name}: no row can be used{''.join(first)}")
    return good, refused


def read(rows: Iterable[tuple[str, Row]]) -> tuple[list[Measurement], list[tuple[str, Row, str]]]:
    """Return the rows that are well formed, and (place, row, reason) of those that are not."""
    good: list[Measurement] = []
    refused: list[tuple[str, Row, str]] = []
    for place, row in rows:
        try:
            good.append(measurement(place, row))
        except InputError as error:
            refused.append((place, row, str(error)))
    return good, refused
