"""Results of the engines' own load generators: one object per run with parallel lists, as vLLM and SGLang write them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from heapq import heapreplace
from typing import Any

from headway.errors import InputError, quoted

# list -> (what it means, least that is needed)
_LISTS = {
    "input_lens": "prompt", "output_lens": "output", "start_times": "arrival", "ttfts": "ttft", "itls": "itl", "latencies": "latency",
    "e2els": "latency", "errors": "error", "successes": "success",
}  # fmt: skip
_NEEDED = ("input_lens", "output_lens")
REBUILT = "moments of arrival rebuilt"


def is_bench(record: dict[str, Any]) -> bool:
    """Return whether a record is the result of a whole run."""
    return any(isinstance(record.get(key), list) for key in _NEEDED) or (
        "mean_ttft_ms" in record and "completed" in record
    )


def requests_of(record: dict[str, Any]) -> tuple[Iterator[dict[str, Any]], str]:
    """Return the requests of a run, one record each in the words of `trace_columns` and in seconds; and what was assumed.

    Parameters
    ----------
    record : dict
        As `is_bench` knows it.

    Raises
    ------
    InputError
        When it lacks what is needed, or its lists are of different lengths.
    """
    lists = {key: record[key] for key in _LISTS if isinstance(record.get(key), list)}
    lacking = [key for key in (*_NEEDED, "ttfts") if key not in lists]
    if lacking:
        raise InputError(
            f"has no lists {', '.join(lacking)}; write details: vllm bench serve --save-result --save-detailed, SGLang bench_serving "
            "--output-details"
        )
    count = len(lists["input_lens"])
    for key, found in lists.items():
        if len(found) != count:
            raise InputError(f"{key} has {len(found):,} entries, input_lens {count:,}; one per request is needed")
    note = ""
    if "start_times" not in lists:
        lists["start_times"], note = _started(record, lists, count)
    columns = {_LISTS[key]: found for key, found in lists.items()}
    return (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)), note


def _started(record: dict[str, Any], lists: dict[str, list[Any]], count: int) -> tuple[list[float], str]:
    """Return when requests began where the result does not say: all at once, or each when one of so many had ended."""
    rate, most = record.get("request_rate"), record.get("max_concurrency")
    try:
        endless = rate is None or math.isinf(float(rate))
    except (TypeError, ValueError):
        endless = False
    if not endless:
        raise InputError(
            f"has no start_times, and a request_rate of {quoted(rate)}: nobody can say when requests came; newer versions of the load "
            "generator write start_times"
        )
    if most is None:
        return [0.0] * count, f"{REBUILT}: all at once (no start_times, no max_concurrency)"
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise InputError(f"max_concurrency is {quoted(most)}; a whole number of at least 1 is needed")
    free, begun = [0.0] * most, list[float]()
    for i in range(count):
        begun.append(free[0])
        heapreplace(free, free[0] + _lasted(lists, i))
    return begun, f"{REBUILT}: the next whenever one of {most:,} had ended (no start_times)"


def _lasted(lists: dict[str, list[Any]], i: int) -> float:
    """Return how long a request took; 0 of one whose times are none, which is told when it is read. [s]"""
    parts = [lists["ttfts"][i], *(lists["itls"][i] if isinstance(lists.get("itls", [None] * (i + 1))[i], list) else ())]
    numbers = [p for p in parts if isinstance(p, int | float) and not isinstance(p, bool) and 0 <= p < math.inf]
    return float(sum(numbers))
