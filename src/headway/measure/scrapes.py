"""What a server's metrics say, whichever engine wrote them: names are the catalogue's `scraped_metrics`."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headway.catalog import Catalogue, Row, catalogue
from headway.errors import InputError, shortened, visible

Labels = Mapping[str, str]
Series = list[tuple[Labels, float]]
_TERM = re.compile(
    r"(?P<name>[A-Za-z_:][\w:]*?)(?:\{(?P<where>[^}]*)\})?(?:\[(?P<labels>[^\]]*)\])?(?P<part>:sum|:count)?"
)
_STARTED = "process_start_time_seconds"


@dataclass(frozen=True)
class Histogram:
    """Observations by their upper bounds, as counted so far.

    Attributes
    ----------
    bounds : tuple of float
        Rising; the last is infinite. [s]
    counts : tuple of float
        At most as long as each bound. [1]
    total : float
        Sum of the observations. [s]
    """

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    total: float

    @property
    def count(self) -> float:
        """Observations. [1]"""
        return self.counts[-1] if self.counts else 0.0

    @property
    def mean(self) -> float:
        """NaN of none. [s]"""
        return self.total / self.count if self.count > 0 else math.nan

    def less(self, before: Histogram) -> Histogram | None:
        """Return what was observed since; None where the bounds are others."""
        if self.bounds != before.bounds:
            return None
        return Histogram(
            self.bounds, tuple(a - b for a, b in zip(self.counts, before.counts, strict=True)), self.total - before.total
        )  # fmt: skip

    def quantile(self, share: float) -> float:
        """Return the value that a share lies below, linear inside its bucket as Prometheus has it; NaN of none. [s]

        Parameters
        ----------
        share : float
            [share]
        """
        wanted, low, under = share * self.count, 0.0, 0.0
        if not self.count > 0:
            return math.nan
        for bound, count in zip(self.bounds, self.counts, strict=True):
            if count >= wanted and count > under:
                return low if math.isinf(bound) else low + (bound - low) * (wanted - under) / (count - under)
            low, under = (low if math.isinf(bound) else bound), count
        return low

    def within(self, limit: float) -> float:
        """Return the share of observations up to a limit, linear inside its bucket; NaN of none. [share]

        Parameters
        ----------
        limit : float
            [s]
        """
        if not self.count > 0:
            return math.nan
        low, under = 0.0, 0.0
        for bound, count in zip(self.bounds, self.counts, strict=True):
            if limit < bound:
                inside = 0.0 if math.isinf(bound) else (limit - low) / (bound - low)
                return (under + inside * (count - under)) / self.count
            low, under = bound, count
        return 1.0


@dataclass(frozen=True)
class Scrape:
    """What one model of a server has counted.

    Attributes
    ----------
    at : float
        When it was read, on a clock that only rises. [s]
    family, engine : str
        Which of the catalogue's families of names; the engine in `headway`'s words.
    model : str
        As served; "" where the metrics name none.
    started : float
        When the process says that it started; NaN where it does not. [s since 1970]
    values : mapping
        Gauges and counters by quantity.
    histograms : mapping
    counters : frozenset of str
        Which of the values only rise.
    """

    at: float
    family: str
    engine: str
    model: str
    started: float
    values: Mapping[str, float]
    histograms: Mapping[str, Histogram]
    counters: frozenset[str] = field(default_factory=frozenset[str])

    def fell(self, before: Scrape) -> bool:
        """Return whether it counts from the beginning again: a counter has fallen, or the process is another."""
        if self.family != before.family or self.started > before.started + 1.0:
            return True
        fallen = any(
            self.values[q] < before.values[q] for q in self.counters if q in self.values and q in before.values
        )
        return fallen or any(
            h.count < before.histograms[q].count for q, h in self.histograms.items() if q in before.histograms
        )


def families() -> dict[str, dict[str, Row]]:
    """Return the catalogue's families of names: family -> quantity -> row."""
    return _families(catalogue())


@functools.lru_cache(maxsize=4)
def _families(facts: Catalogue) -> dict[str, dict[str, Row]]:
    found: dict[str, dict[str, Row]] = {}
    for row in facts.table("scraped_metrics").rows:
        found.setdefault(row["family"], {})[row["quantity"]] = row
    return found


def scraped(text: str, at: float) -> list[Scrape]:
    """Read what a server's ``/metrics`` says, a scrape for each model that it names.

    Parameters
    ----------
    text : str
        Prometheus's text format.
    at : float
        When it was read. [s]

    Raises
    ------
    InputError
        When it is no such text, or no engine that is known wrote it.
    """
    samples = _samples(text)
    names = samples.keys()
    known = families()
    family = next((f for f, rows in known.items() if any(n.startswith(rows["prefix"]["metrics"]) for n in names)), None)
    if family is None:
        prefixes = ", ".join(rows["prefix"]["metrics"] for rows in known.values())
        raise InputError(
            f"no metric of an engine that is known (names that begin with {prefixes}); it has {len(names)} others"
        )
    rows = known[family]
    label = rows["model"]["metrics"] if "model" in rows else ""
    ranks = tuple(rows["ranks"]["metrics"].split(" | ")) if "ranks" in rows else ()
    own = {n: s for n, s in samples.items() if n.startswith(rows["prefix"]["metrics"])}
    models = dict.fromkeys(m for s in own.values() for labels, _ in s if (m := labels.get(label, ""))) or {"": None}
    started = max((v for _, v in samples.get(_STARTED, [])), default=math.nan)
    return [_of_model(own, rows, label, model, ranks, at, started) for model in models]


def _samples(text: str) -> dict[str, Series]:
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError:
        raise InputError("headway watch reads metrics with prometheus-client: pip install 'headway[measure]'") from None
    found: dict[str, Series] = {}
    try:
        for metric in text_string_to_metric_families(text):
            for s in metric.samples:
                labels = {k: shortened(visible(v)) for k, v in s.labels.items()}  # they go to terminals
                found.setdefault(s.name, []).append((labels, s.value))
    except (ValueError, KeyError, IndexError) as error:
        raise InputError(f"not in Prometheus's text format: {' '.join(str(error).split())[:200]}") from None
    if not found:
        raise InputError("no metrics at all; is it the server's /metrics?")
    return found


def _of_model(
    samples: Mapping[str, Series], rows: Mapping[str, Row], label: str, model: str, ranks: Sequence[str], at: float,
    started: float,
) -> Scrape:  # fmt: skip
    mine = {n: [(k, v) for k, v in s if k.get(label, model) in (model, "")] for n, s in samples.items()}
    values: dict[str, float] = {}
    histograms: dict[str, Histogram] = {}
    counters: set[str] = set()
    for quantity, row in rows.items():
        options = row["metrics"].split(" | ")
        if row["kind"] == "histogram":
            found = next((h for o in options if (h := _histogram(mine, o, ranks)) is not None), None)
            if found is not None:
                histograms[quantity] = found
        elif row["kind"] in ("gauge", "counter"):
            value = next((v for o in options if not math.isnan(v := _sum(mine, o, row["over"], ranks))), math.nan)
            if not math.isnan(value):
                values[quantity] = value
                counters |= {quantity} if row["kind"] == "counter" else set()
    first = rows["prefix"]
    return Scrape(at, first["family"], first["engine"], model, started, values, histograms, frozenset(counters))


def _sum(samples: Mapping[str, Series], text: str, over: str, ranks: Sequence[str]) -> float:
    """A sum or difference of terms, each times what every scheduler has (tokens of a block); NaN where one is missing."""
    total, sign = 0.0, 1.0
    for word in re.split(r" ([+-]) ", text):
        if word in ("+", "-"):
            sign = 1.0 if word == "+" else -1.0
            continue
        first, *times = word.split(" * ")
        total += sign * math.prod(
            [_term(samples, first, over, ranks), *(_term(samples, t, "mean", ranks) for t in times)]
        )
    return total


def _term(samples: Mapping[str, Series], text: str, over: str, ranks: Sequence[str]) -> float:
    match = _TERM.fullmatch(text)
    if match is None:
        raise InputError(
            f"scraped_metrics: {text!r} is not read; a term is a name with {{label=value}}, [label*label], :sum or :count"
        )
    name = match["name"] + (match["part"] or "").replace(":", "_")
    wanted = dict(w.split("=", 1) for w in (match["where"] or "").split(",") if w)
    series = [(k, v) for k, v in samples.get(name, []) if all(k.get(a) == b for a, b in wanted.items())]
    if match["labels"]:
        series = [(k, math.prod(_number(k.get(x, "")) for x in match["labels"].split("*"))) for k, _ in series]
    found = _each(series, ranks)
    if not found:
        return math.nan
    return sum(found) / len(found) if over == "mean" else sum(found)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _each(series: Series, ranks: Sequence[str]) -> list[float]:
    """One value for each scheduler: ranks that work together say the same, or only one of them says it."""
    found: dict[tuple[tuple[str, str], ...], float] = {}
    for labels, value in series:
        key = tuple(sorted((k, v) for k, v in labels.items() if k not in ranks))
        found[key] = max(found.get(key, -math.inf), value)
    return [v for v in found.values() if math.isfinite(v)]


def _histogram(samples: Mapping[str, Series], name: str, ranks: Sequence[str]) -> Histogram | None:
    buckets = samples.get(f"{name}_bucket", [])
    by_bound: dict[float, Series] = {}
    for labels, value in buckets:
        by_bound.setdefault(_number(labels.get("le", "")), []).append(
            ({k: v for k, v in labels.items() if k != "le"}, value)
        )
    bounds = tuple(sorted(b for b in by_bound if not math.isnan(b)))
    if not bounds:
        return None
    counts = tuple(sum(_each(by_bound[b], ranks)) for b in bounds)
    return Histogram(bounds, counts, sum(_each(samples.get(f"{name}_sum", []), ranks)))
