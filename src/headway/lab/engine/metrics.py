"""What a lab engine tells monitors: vLLM's names, so that whoever reads those reads this (`prometheus-client`)."""

from __future__ import annotations

import math
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from headway.lab.engine.core import Engine, Under, Watcher

KIND = CONTENT_TYPE_LATEST
# Bounds as vLLM has them (v1/metrics/loggers.py), with shorter ones before, where tiny networks are.
_FIRST = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.25,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
    20.0,
    40.0,
    80.0,
    160.0,
)
_NEXT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_WHOLE = (
    0.01,
    0.05,
    0.1,
    0.3,
    0.5,
    0.8,
    1.0,
    1.5,
    2.0,
    2.5,
    5.0,
    10.0,
    15.0,
    20.0,
    30.0,
    40.0,
    50.0,
    60.0,
    120.0,
    240.0,
    480.0,
)
_PASS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
_LONG = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Metrics(Watcher):
    """Counts what the engine does.

    Parameters
    ----------
    model : str
        Under which name it is served.
    engine : Engine
        Whose state gauges show when they are asked.
    """

    def __init__(self, model: str, engine: Engine) -> None:
        self.registry = CollectorRegistry()
        self._model = model
        s = engine.scheduler
        gauges = {
            "num_requests_running": ("Requests that run.", lambda: len(s.running)),
            "num_requests_waiting": ("Requests that wait.", lambda: s.queue),
            "kv_cache_usage_perc": ("KV blocks in use, of all (1 = 100 %).", lambda: s.pages.used / s.pages.total),
            "gpu_cache_usage_perc": ("The same under its older name.", lambda: s.pages.used / s.pages.total),
        }  # fmt: skip
        for name, (about, value) in gauges.items():
            self._made(Gauge, name, about).set_function(value)
        limits = engine.settings.limits
        labels = ["block_size", "num_gpu_blocks", "enable_prefix_caching"]
        info = Gauge("vllm:cache_config_info", "The KV pool.", labels, registry=self.registry)
        info.labels(str(limits.block), str(limits.blocks), str(s.pages.keeps)).set(1)
        self._prompt = self._made(Counter, "prompt_tokens", "Prompt tokens of requests, found ones included.")
        self._generation = self._made(Counter, "generation_tokens", "Tokens made.")
        self._queries = self._made(Counter, "prefix_cache_queries", "Prompt tokens looked up in the prefix cache.")
        self._hits = self._made(Counter, "prefix_cache_hits", "Prompt tokens found in the prefix cache.")
        self._preempted = self._made(Counter, "num_preemptions", "Requests that lost their place.")
        self._iteration = self._made(Histogram, "iteration_tokens_total", "New tokens of a pass.", _PASS)
        self._ttft = self._made(Histogram, "time_to_first_token_seconds", "From arrival to the first token.", _FIRST)
        self._tpot = self._made(Histogram, "time_per_output_token_seconds", "Between two tokens of a request.", _NEXT)
        self._itl = self._made(Histogram, "inter_token_latency_seconds", "The same under its newer name.", _NEXT)
        self._e2e = self._made(Histogram, "e2e_request_latency_seconds", "From arrival to the last token.", _WHOLE)
        self._queue = self._made(Histogram, "request_queue_time_seconds", "From arrival to the first pass.", _WHOLE)
        self._prefill = self._made(
            Histogram, "request_prefill_time_seconds", "From the first pass to the first token.", _WHOLE
        )
        self._decode = self._made(Histogram, "request_decode_time_seconds", "From the first token to the last.", _WHOLE)
        self._prompts = self._made(Histogram, "request_prompt_tokens", "Prompt tokens of a request.", _LONG)
        self._answers = self._made(Histogram, "request_generation_tokens", "Tokens of an answer.", _LONG)
        self._ended = Counter(
            "vllm:request_success", "Requests that ended.", ["model_name", "finished_reason"], registry=self.registry
        )
        self._last: dict[int, float] = {}
        self._lost = 0

    def _made(self, kind: Any, name: str, about: str, bounds: tuple[float, ...] = ()) -> Any:
        more = {"buckets": bounds} if bounds else {}
        return kind(f"vllm:{name}", about, ["model_name"], registry=self.registry, **more).labels(self._model)

    def passed(self, engine: Engine, row: dict[str, Any]) -> None:
        """Count a pass."""
        self._generation.inc(len(row["made"]))
        self._iteration.observe(row["tokens"])
        self._preempted.inc(row["preempted"] - self._lost)
        self._lost = row["preempted"]
        end = row["start_s"] + row["seconds"]
        for who in row["made"]:
            before = self._last.get(who)
            if before is not None:
                self._tpot.observe(end - before)
                self._itl.observe(end - before)
            else:
                self._first(engine, engine.under[who])
            self._last[who] = end
        for who in row["ended"]:
            self._last.pop(who, None)

    def _first(self, engine: Engine, one: Under) -> None:
        """A prompt is computed, with what of it was found."""
        self._prompt.inc(len(one.seat.prompt))
        if engine.scheduler.pages.keeps:
            self._queries.inc(len(one.seat.prompt))
            self._hits.inc(one.seat.cached)

    def ended(self, engine: Engine, one: Under) -> None:
        """Count a request."""
        self._last.pop(one.seat.who, None)
        self._ended.labels(self._model, one.why).inc()
        if not math.isnan(one.start):
            self._queue.observe(one.start - one.arrival)
        if not math.isnan(one.first):
            self._ttft.observe(one.first - one.arrival)
            self._prefill.observe(one.first - one.start)
        if one.why != "abort":
            self._e2e.observe(one.end - one.arrival)
            self._decode.observe(one.end - one.first)
            self._prompts.observe(len(one.seat.prompt))
            self._answers.observe(len(one.seat.made))

    def text(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return generate_latest(self.registry)
