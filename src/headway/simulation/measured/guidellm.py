"""Results of GuideLLM: one object with a benchmark for each load, each with its requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headway.errors import InputError, quoted

# what it means -> its names, newest first (GuideLLM 0.8; 0.3). Its time_per_output_token counts the first token, too, and is not read.
_NAMES = {
    "arrival": ("request_start_time", "start_time"), "prompt": ("prompt_tokens",), "output": ("output_tokens",),
    "ttft": ("time_to_first_token_ms",), "tpot": ("inter_token_latency_ms",), "latency": ("request_latency",),
}  # fmt: skip
_MILLISECONDS = ("ttft", "tpot")
_LEFT_OUT = ("errored", "incomplete")


def is_guidellm(record: dict[str, Any]) -> bool:
    """Return whether a record is a report of GuideLLM."""
    found = record.get("benchmarks")
    return isinstance(found, list) and bool(found) and all(isinstance(b, dict) and "metrics" in b for b in found)


def benchmarks(record: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the benchmarks of a report, each with what to call it: its strategy and number of streams, or its rate."""
    for number, one in enumerate(record["benchmarks"], 1):
        how = strategy(one)
        amount = quoted(how.get("streams") or how.get("rate") or "").strip("'")
        yield f"{number} {str(how.get('type_', ''))[:40]} {amount}".strip(), one


def strategy(benchmark: dict[str, Any]) -> dict[str, Any]:
    """Return how a benchmark sent its requests."""
    return part(part(benchmark, "config" if "config" in benchmark else "args"), "strategy")


def part(record: Any, key: str) -> dict[str, Any]:
    """Return an object inside another; empty where there is none."""
    found = record.get(key) if isinstance(record, dict) else None
    return found if isinstance(found, dict) else {}


def requests_of(benchmark: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the requests of a benchmark in the words of `trace_columns` and in seconds; those without an answer are marked as failed.

    Raises
    ------
    InputError
        When it holds none.
    """
    said = benchmark.get("requests")
    groups: dict[str, Any] = said if isinstance(said, dict) else {}
    rows = groups.get("successful")
    if not isinstance(rows, list) or not rows:
        raise InputError("has no requests that were answered (GuideLLM keeps them in its JSON, not in CSV or HTML)")
    for row in (r for r in rows if isinstance(r, dict)):
        yield {
            column: (v / 1e3 if column in _MILLISECONDS and isinstance(v, int | float) else v)
            for column, names in _NAMES.items()
            if (v := next((row[n] for n in names if row.get(n) is not None), None)) is not None
        }
    for name in _LEFT_OUT:
        others = groups.get(name)
        for _ in others if isinstance(others, list) else ():
            yield {"error": name}
