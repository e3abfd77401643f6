"""Benchmarks that keep no requests: llama-bench's tests, and the summaries of AIPerf and genai-perf."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from headway.errors import InputError, quoted

Record = dict[str, Any]

# column of the table of cases -> (their metric, which statistic)
_METRICS = {
    "isl": ("input_sequence_length", "avg"), "osl": ("output_sequence_length", "avg"),
    "ttft_ms_mean": ("time_to_first_token", "avg"), "ttft_ms_median": ("time_to_first_token", "p50"),
    "tpot_ms_mean": ("inter_token_latency", "avg"), "tpot_ms_median": ("inter_token_latency", "p50"),
    "e2e_ms_mean": ("request_latency", "avg"), "e2e_ms_median": ("request_latency", "p50"),
    "output_tok_s": ("output_token_throughput", "avg"),
}  # fmt: skip
_MILLI = {"ms": 1.0, "s": 1e3, "sec": 1e3, "us": 1e-3, "ns": 1e-6}


def is_llama_bench(record: Mapping[str, Any]) -> bool:
    """Return whether a record is a test of llama-bench."""
    return "n_prompt" in record and "n_gen" in record and ("avg_ts" in record or "samples_ts" in record)


def is_summary(record: Mapping[str, Any]) -> bool:
    """Return whether a record is a summary of AIPerf or genai-perf."""
    return isinstance(record.get("request_latency"), dict) and "input_config" in record


def llama_bench(name: str, records: Sequence[Record]) -> Iterator[tuple[str, str, Record, None, tuple[str, ...]]]:
    """Yield (tool, name, row, None, notes) of each test of a file.

    Parameters
    ----------
    name : str
        Of the file.
    records : sequence of dict

    Raises
    ------
    InputError
        When a test has no numbers that can be.

    Notes
    -----
    llama.cpp source, tools/llama-bench: a test computes `n_prompt` tokens, makes `n_gen`, or both, with `n_depth` in the cache before. A
    row has no prompt tokens found in a cache, so prompts at a depth are left out; generation at one is what follows such a prompt.
    """
    for number, r in enumerate(records, 1):
        prompt, made, depth = (_whole(name, number, r, k) for k in ("n_prompt", "n_gen", "n_depth"))
        rate = r.get("avg_ts")
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < math.inf or not prompt + made:
            raise InputError(
                f"{name}: test {number} has n_prompt {prompt}, n_gen {made}, avg_ts {quoted(rate)}; it needs tokens and a positive rate"
            )
        tool = f"llama-bench {r.get('build_commit', '')}".removesuffix(" unknown").strip()
        tests = [f"{what}{count}" for what, count in (("pp", prompt), ("tg", made)) if count]
        called = f"{name}: {'+'.join(tests)}" + (f" @ d{depth}" if depth else "")
        if prompt and depth:
            yield tool, called, {}, None, (f"a prompt behind a cache of {depth:,} tokens has no row; left out",)
        else:
            yield tool, called, {"source": tool, **_about(r), **_timed(prompt, made, depth, float(rate))}, None, ()


def _about(r: Record) -> Record:
    """What was measured."""
    return {
        "date": str(r.get("test_time", ""))[:10], "system": r.get("gpu_info") or r.get("cpu_info"),
        "model": PurePath(str(r.get("model_filename", ""))).name.removesuffix(".gguf"), "engine": "llama.cpp",
        "weights_dtype": _stored(str(r.get("model_type", ""))), "kv_dtype": _sixteen(str(r.get("type_k", ""))), "load": "static_batch",
        "batch_or_concurrency": 1,
    }  # fmt: skip


def _timed(prompt: int, made: int, depth: int, rate: float) -> Record:
    """What a test took, in the terms of the table."""
    if depth:  # the first token would have come with the prompt
        return {"isl": depth, "osl": made + 1, "tpot_ms_mean": 1e3 / rate}
    if prompt and made:
        return {"isl": prompt, "osl": made, "e2e_ms_mean": 1e3 * (prompt + made) / rate}
    return {"isl": prompt, "osl": made, ("input_tok_s" if prompt else "output_tok_s"): rate}


def _whole(name: str, number: int, record: Record, key: str) -> int:
    value = record.get(key, 0)
    if isinstance(value, str) and value.isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError(f"{name}: test {number} has {key} {value!r}; a whole number of tokens is needed")
    return value


def _stored(model_type: str) -> str:
    """``llama 8B Q4_K - Medium`` -> ``q4_k_m``, as llama.cpp names its mixtures."""
    name, _, size = model_type.partition(" - ")
    word = name.split(" ")[-1].lower() if name else ""
    return f"{word}_{size[0].lower()}" if size and word.endswith("_k") else word


def _sixteen(text: str) -> str:
    return {"f16": "fp16", "f32": "fp32"}.get(text, text)


def summary(record: Mapping[str, Any]) -> tuple[str, Record, tuple[str, ...]]:
    """Return (tool, row, notes) of a summary.

    Parameters
    ----------
    record : mapping
        As `is_summary` knows it.
    """
    aiperf = record.get("aiperf_version")
    tool = f"AIPerf {aiperf}" if aiperf else "genai-perf"
    row: Record = {"source": tool, "load": "closed_loop"}
    for column, (metric, statistic) in _METRICS.items():
        found = record.get(metric)
        value = found.get(statistic) if isinstance(found, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
            row[column] = value * (_MILLI.get(str(found.get("unit")), 1.0) if "_ms_" in column else 1.0)  # pyright: ignore[reportOptionalMemberAccess]
    config = record.get("input_config")
    if isinstance(config, dict):
        row["model"] = _model(config)
        flying = _first(config, "concurrency")
        good = isinstance(flying, int | float) and not isinstance(flying, bool) and 1 <= flying < math.inf
        row["batch_or_concurrency"] = flying if good else None
    flying = row.get("batch_or_concurrency")
    notes = ("a summary: means of the tool, no requests",)
    if flying is None:
        notes = (*notes, "its requests in flight are not stated")
    return tool, row, notes


def _model(config: Mapping[str, Any]) -> Any:
    """AIPerf: models.items[0].name; genai-perf: model_names[0] (or models of its newer tree)."""
    found = _first(config, "model_names") or _first(config, "models")
    while isinstance(found, dict | list) and found:
        found = found[0] if isinstance(found, list) else found.get("items", found.get("name", found.get("model_names")))
    return found if isinstance(found, str) else None


def _first(tree: Any, key: str) -> Any:
    """The first value of a key in a tree of options, breadth first."""
    level = [tree]
    while level:
        for one in level:
            if isinstance(one, dict) and one.get(key) not in (None, {}, []):
                return one[key]
        level = [
            v
            for one in level
            for v in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
        ]
    return None
