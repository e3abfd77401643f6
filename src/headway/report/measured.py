"""A measured endpoint as text: its steps, its terms beside floor and estimate, and what they mean."""

from __future__ import annotations

import math
from typing import Any

from headway import units
from headway.measure.fitted import Line, Number
from headway.measure.measuring import ENOUGH, Measured
from headway.measure.verdicts import percent
from headway.records.measured import step_rows
from headway.tables import table_text


def measured_text(m: Measured) -> str:
    """Return everything that was measured, and what it means."""
    parts = [_head(m), _steps(m), _terms(m), _prompts(m), _loads(m)]
    said = [v.text for v in m.verdicts]
    return "\n\n".join([*(p for p in parts if p), "\n".join([*said, *(f"! {w}" for w in m.warnings)])])


def _head(m: Measured) -> str:
    s = m.swept
    lines = [f"{s.served} at {s.url}: {units.some(len(s.runs), 'run')} in {units.seconds(s.seconds)}"]
    if s.who is not None:
        lines.append(f"there listens process {s.who.pid} ({s.who.name}), started {units.seconds(s.who.age)} before")
    others = "" if math.isnan(m.foreign) else f"; others kept {m.foreign:.2f} cores of this machine busy"
    lines.append(f"this client took {m.client:.0%} of a core at the most{others}")
    if s.reads and m.roof is not None:
        lines.append(
            f"this machine's memory read {units.si(m.roof.bandwidth, 'B/s')} between the runs ({len(s.reads)} times, "
            f"{units.si(min(s.reads), 'B/s')} to {units.si(max(s.reads), 'B/s')}); floors and estimates are at that"
        )
    if m.roof is not None:
        r = m.roof
        many = f" x {r.copies}" if r.copies > 1 else ""
        lines.append(
            f"beside {r.setting.model.name} on {r.setting.system.name}, {r.layout}{many}, engine {r.setting.engine.name}"
        )
    return "\n".join(lines)


def _time(value: Any) -> str:
    return "—" if value is None else units.seconds(value)


def _steps(m: Measured) -> str:
    rows = step_rows(m)
    if not rows:
        return ""
    beside = m.roof is not None
    heads = [
        "batch",
        "context",
        "step",
        "fastest",
        "spread",
        "runs",
        "tok/s",
        "line",
        *(("floor", "estimate") if beside else ()),
    ]
    body: list[list[str]] = []
    for r in rows:
        spread = "—" if r["spread"] is None or r["runs"] < 2 else f"{r['spread']:.0%}"
        note = (
            f" ({r['together']} at once)"
            if r["together"] < r["batch"]
            else f" ({r['stalled']} stood still)"
            if r["stalled"]
            else ""
        )
        more = [_time(r["floor_s"]), _time(r["estimate_s"])] if beside else []
        body.append([
            f"{r['batch']:,}{note}", "—" if r["context"] is None else f"{r['context']:,.0f}", _time(r["step_s"]), _time(r["best_s"]),
            spread, f"{r['runs']}", "—" if r["tok_s"] is None else units.rate(r["tok_s"]),
            _time(r["line_s"]), *more,
        ])  # fmt: skip
    return table_text(heads, body)


def _terms(m: Measured) -> str:
    if m.line is None:
        return ""
    names = [("a, of a pass", "a"), ("b, of a sequence", "b")] + (
        [("c, of a token in a cache", "c")] if m.line.contexts else []
    )
    beside = m.floor is not None and m.estimate is not None
    heads = [
        "step = a + b C + c C L",
        "measured",
        "80 %",
        *(("floor", "estimate", "floor over measured") if beside else ()),
    ]
    body = [[name, *_term(m.line, m.floor, m.estimate, key)] for name, key in names]
    t = m.line
    knee = f"knee (a over what a sequence adds) at {_batch(t.knee)}; 80 % of the peak (4 a over it) from {_batch(t.near_peak)}"
    if m.floor is not None and m.estimate is not None:
        knee += f"; knee of the floor {_batch(m.floor.knee)}, of the estimate {_batch(m.estimate.knee)}"
    if not t.a.certain:
        knee += "; a is not told from nothing by these runs, and knees with it"
    where = f"at {t.context:,.0f} tokens; the line leaves {t.residual:.1%} over {units.some(len(t.cells), 'place')}"
    apart = ", C = 1 apart" if t.apart else ""
    return table_text(heads, body) + f"\n{knee}\n{where}{apart}"


def _batch(value: float) -> str:
    return "no batch" if math.isinf(value) else f"{value:,.3g}"


def _term(line: Line, floor: Line | None, estimate: Line | None, key: str) -> list[str]:
    one: Number = getattr(line, key)
    found = [units.seconds(one.value), f"{units.seconds(one.low)} to {units.seconds(one.high)}"]
    if floor is None or estimate is None:
        return found
    least, said = getattr(floor, key).value, getattr(estimate, key).value
    share = percent(least / one.value) if one.certain and least > 0 else "—"
    return [*found, units.seconds(least), units.seconds(said), share]


def _prompts(m: Measured) -> str:
    rows = m.prompts.rows
    if not rows:
        return ""
    beside = m.roof is not None
    heads = ["prompt alone", "first token", "fastest", "runs", *(("floor", "estimate") if beside else ())]
    body = [
        [f"{n:,.0f}", units.seconds(t), units.seconds(best), f"{runs}",
         *([units.seconds(m.roof.prompt(n, True)), units.seconds(m.roof.prompt(n, False))] if m.roof is not None else [])]
        for n, t, best, runs in rows
    ]  # fmt: skip
    text = table_text(heads, body)
    if math.isnan(m.prompts.each):
        return text
    return f"{text}\nof each token {units.seconds(m.prompts.each)}, of each request {units.seconds(m.prompts.rest)}"


def _loads(m: Measured) -> str:
    if not m.loads:
        return ""
    body: list[list[str]] = []
    for x in m.loads:
        for name, values in (("first token", x.ttft), ("token", x.tpot), ("request", x.request)):
            ends = [*(units.seconds(v) for v in values[:2]), "—" if math.isnan(values[2]) else units.seconds(values[2])]
            body.append([x.key, f"{x.requests:,}", units.rate(x.output_rate), name, *ends])
    text = table_text(["load", "requests", "tok/s", "time to", "p50", "p90", "p99"], body)
    few = any(x.requests < ENOUGH for x in m.loads)
    return text + (f"\nno p99 of fewer than {ENOUGH} samples (--requests)" if few else "")
