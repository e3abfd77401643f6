"""What `headway watch` tells monitors itself: one table of metrics, which the endpoint serves and the dashboard draws."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from headway.errors import InputError
from headway.measure.watching import Reading
from headway.measure.watching_load import At

Values = Mapping[tuple[str, ...], float]
QUANTILES = (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class Exported:
    """A metric.

    Attributes
    ----------
    name : str
    about : str
    unit : str
        As Grafana calls it.
    labels : tuple of str
        Beside `model` and `system`, which all have.
    values : callable
        Reading -> label values -> number; NaN of what is not known, and then it is not served.
    """

    name: str
    about: str
    unit: str
    labels: tuple[str, ...]
    values: Callable[[Reading], Values]


def _one(value: Callable[[Reading], float]) -> Callable[[Reading], Values]:
    return lambda r: {(): value(r)}


def _at(value: Callable[[At], float]) -> Callable[[Reading], Values]:
    return lambda r: {(): math.nan if r.at is None else value(r.at)}


def _nothing(r: Reading) -> Values:
    return {}


def _passes(r: Reading) -> Values:
    at = r.at
    known = (
        {} if at is None else {("floor",): at.floor, ("estimate",): at.estimate, ("low",): at.low, ("high",): at.high}
    )
    return {("measured",): r.met.pass_seconds, **known}


def _quantiles(r: Reading) -> Values:
    both = {"ttft": r.ttft, "gap": r.gap}
    return {(what, f"{q:g}"): h.quantile(q) for what, h in both.items() if h is not None for q in QUANTILES}


def _rates(r: Reading) -> Values:
    return {("out",): r.met.output_rate, ("in",): r.met.prompt_rate, ("found",): r.met.found_rate}


METRICS = (
    Exported(
        "llm_cost_per_million_tokens", "Dollars per million output tokens now: of the whole rent (allocation), of the rent while passes ran (usage).",
        "currencyUSD", ("cost_basis",), lambda r: {("allocation",): r.allocation, ("usage",): r.usage},
    ),
    Exported(
        "headway_cost_per_million_tokens", "The whole rent shared out: computed prompt tokens pay what they add to passes, output tokens the rest.",
        "currencyUSD", ("kind",), lambda r: {("input",): r.split[0], ("output",): r.split[1]},
    ),
    Exported("headway_rent_dollars_per_hour", "Rent of all chips.", "currencyUSD", (), _one(lambda r: r.rent * 3600)),
    Exported("headway_batch", "Sequences that are decoded, on average over the time between two scrapes.", "short", (), _one(lambda r: r.met.batch)),
    Exported("headway_waiting", "Requests that wait.", "short", (), _one(lambda r: r.met.waiting)),
    Exported("headway_tokens_per_second", "Made (out), of prompts that were begun (in), of those found in the prefix cache (found).", "short", ("kind",), _rates),
    Exported("headway_pass_seconds", "Of a pass: measured, and at this load on an ideal machine (floor) and by the engine's profile (estimate, low, high).", "s", ("kind",), _passes),
    Exported("headway_over_floor", "A measured pass over the floor at this load.", "short", (), _one(lambda r: r.over_floor)),
    Exported("headway_over_estimate", "A measured pass over the estimate at this load.", "short", (), _one(lambda r: r.over_estimate)),
    Exported("headway_mfu", "Of the peak compute rate, over all time.", "percentunit", (), _at(lambda a: a.mfu)),
    Exported("headway_mbu", "Of the memory bandwidth, over all time.", "percentunit", (), _at(lambda a: a.mbu)),
    Exported("headway_busy", "Share of the time in which passes ran.", "percentunit", (), _one(lambda r: r.met.busy)),
    Exported("headway_context_tokens", "Tokens in the cache of a decoding sequence.", "short", (), _one(lambda r: r.met.context)),
    Exported("headway_kv_usage", "Share of the KV pool in use.", "percentunit", (), _one(lambda r: r.met.kv_usage)),
    Exported("headway_found_ratio", "Share of prompt tokens found in the prefix cache.", "percentunit", (), _one(lambda r: r.met.found_rate / r.met.prompt_rate if r.met.prompt_rate > 0 else math.nan)),
    Exported("headway_saved_chip_share", "Chip time that the prefix cache saves, over the time.", "percentunit", (), _at(lambda a: a.saved)),
    Exported("headway_saved_dollars_per_hour", "What the prefix cache saves.", "currencyUSD", (), _one(lambda r: r.saved_dollars_rate * 3600)),
    Exported("headway_latency_seconds", "Quantiles of the time to the first token (ttft) and between two tokens (gap).", "s", ("what", "quantile"), _quantiles),
    Exported("headway_within_limit", "Share within the limits of --ttft and --tpot.", "percentunit", ("what",), lambda r: {("ttft",): r.within[0], ("gap",): r.within[1]}),
    Exported("headway_room_sequences", "Sequences beyond now until a pass takes as long as --tpot.", "short", (), _one(lambda r: math.nan if r.at is None else r.at.room - r.met.batch)),
    Exported("headway_drift", "A pass over the estimate, against its own past: above 1 slower.", "short", (), _one(lambda r: math.nan if r.drift is None else r.drift.ratio)),
    Exported("headway_drifted", "1 where that is more than its past scatters.", "short", (), _one(lambda r: math.nan if r.drift is None else float(r.drift.drifted))),
)  # fmt: skip
UP = Exported("headway_up", "1 where the last scrape was read.", "short", (), _nothing)
TOLD = (
    ("headway_failed_scrapes", "Scrapes that failed."),
    ("headway_restarts", "Times that the server's counters began anew."),
)
_COMMON = ("model", "system")


class Exporter:
    """Serves the last reading.

    Parameters
    ----------
    model, system : str
        Labels until the first reading.
    """

    def __init__(self, model: str, system: str) -> None:
        self._lock = threading.Lock()
        self._reading: Reading | None = None
        self._names, self._up = (model, system), 0.0
        self._counts = dict.fromkeys((name for name, _ in TOLD), 0.0)

    def show(self, reading: Reading) -> None:
        """Serve this reading from now on."""
        with self._lock:
            self._reading, self._up = reading, 1.0
            self._names = (reading.model or self._names[0], reading.system)

    def failed(self, *, restarted: bool = False) -> None:
        """Count a scrape that failed, or a restart: what was read last is no longer served."""
        with self._lock:
            self._reading, self._up = None, float(restarted)
            self._counts[TOLD[restarted][0]] += 1

    def collect(self) -> Iterator[Any]:
        """Yield the metric families, as `prometheus_client` collects them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        with self._lock:
            reading, names, up, counts = self._reading, self._names, self._up, dict(self._counts)
        found = GaugeMetricFamily(UP.name, UP.about, labels=_COMMON)
        found.add_metric(names, up)
        yield found
        for name, about in TOLD:
            told = CounterMetricFamily(name, about, labels=_COMMON)
            told.add_metric(names, counts[name])
            yield told
        if reading is None:
            return
        for metric in METRICS:
            found = GaugeMetricFamily(metric.name, metric.about, labels=(*_COMMON, *metric.labels))
            for labels, value in metric.values(reading).items():
                if not math.isnan(value):
                    found.add_metric((*names, *labels), value)
            yield found

    def serve(self, port: int, host: str = "127.0.0.1") -> int:
        """Serve at ``http://HOST:PORT/metrics`` in the background; returns the port.

        Parameters
        ----------
        port : int
            0: one that is free. [1]
        host : str

        Raises
        ------
        InputError
            When it cannot be listened on.
        """
        from prometheus_client import CollectorRegistry, start_http_server

        registry = CollectorRegistry()
        registry.register(self)  # pyright: ignore[reportArgumentType] - it has the one method that is asked of it
        try:
            server, _ = start_http_server(port, host, registry)
        except OSError as error:
            raise InputError(f"--export {port}: cannot listen on {host} ({error.strerror})") from None
        return int(server.server_port)


Kind = Literal["timeseries", "stat"]


def dashboard() -> dict[str, Any]:
    """Return a Grafana dashboard of exactly these metrics, a panel each, by model and system.

    Notes
    -----
    Grafana documentation, JSON model of a dashboard (schema version 39): its data source is a variable, chosen when it is imported.
    """
    shown = [*METRICS, UP, *(Exported(f"{name}_total", about, "short", (), _nothing) for name, about in TOLD)]
    panels = [_panel(number, metric) for number, metric in enumerate(shown)]
    variables = [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
        *(
            {"name": name, "type": "query", "datasource": _SOURCE, "multi": True, "includeAll": True, "refresh": 2,
             "current": {"text": "All", "value": "$__all"}, "query": {"query": f"label_values({UP.name}, {name})", "refId": name}}
            for name in _COMMON
        ),
    ]  # fmt: skip
    return {
        "title": "headway watch", "uid": "headway-watch", "tags": ["headway", "llm"], "schemaVersion": 39, "version": 1, "editable": True,
        "time": {"from": "now-1h", "to": "now"}, "refresh": "10s", "templating": {"list": variables}, "panels": panels,
    }  # fmt: skip


_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDE, _HIGH, _IN_A_ROW = 8, 7, 3  # of Grafana's 24 columns


def _panel(number: int, metric: Exported) -> dict[str, Any]:
    legend = " ".join(["{{model}}", *(f"{{{{{label}}}}}" for label in metric.labels)])
    expression = f'{metric.name}{{model=~"$model", system=~"$system"}}'
    return {
        "id": number + 1, "type": "timeseries", "title": metric.name.removeprefix("headway_").replace("_", " "), "description": metric.about,
        "datasource": _SOURCE, "gridPos": {"x": number % _IN_A_ROW * _WIDE, "y": number // _IN_A_ROW * _HIGH, "w": _WIDE, "h": _HIGH},
        "fieldConfig": {"defaults": {"unit": metric.unit}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [{"refId": "A", "expr": expression, "legendFormat": legend, "datasource": _SOURCE}],
    }  # fmt: skip
