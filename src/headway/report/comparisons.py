"""A log beside its simulation as text."""

from __future__ import annotations

import math

from headway import units
from headway.report.simulations import first_few, notes, ran_on
from headway.simulation.compared import Comparison, Line, Pair
from headway.tables import table_text

_NAMES = {"ttft": "TTFT", "tpot": "TPOT", "request": "request", "requests": "requests/s", "output": "output tok/s"}
_SURE = 100  # requests, of which one is beyond the p99
_MOST_RUNS = 12  # listed one by one


def comparison_text(c: Comparison) -> str:
    """Return a comparison as text: where it ran, predicted beside measured, run by run, who is furthest off, and what to know."""
    requests = sum(len(p.run) for p in c.pairs)
    prompt, output = (sum(float(getattr(p.run, x).sum()) for p in c.pairs) / requests for x in ("prompt", "output"))
    first = c.pairs[0].simulated
    name = c.pairs[0].run.name if len(c.pairs) == 1 else f"{len(c.pairs)} runs"
    out = [
        f"{first.deployment.setting.model.name} on {first.deployment.setting.system.name}",
        f"{units.some(requests, 'request')} of {name}, on average {prompt:,.0f} tokens in, {output:,.0f} out; {ran_on(first)}",
        "",
        *_table(c),
        *_runs(c),
        *_worst(c),
        *_notes(c),
    ]
    return "\n".join(out)


def _table(c: Comparison) -> list[str]:
    several = len(c.pairs) > 1
    head = ["", "measured", "predicted", "error", *(["measured, run by run", "s.d."] if several else [])]
    body: list[list[str]] = []
    for line in c.lines:
        row = [
            _NAMES[line.what] + ("" if line.statistic == "rate" else f" {line.statistic}"), _value(line, line.measured),
            _value(line, line.predicted), signed(line.error),
        ]  # fmt: skip
        if several:
            row += [_spread(line), "" if math.isnan(line.deviation) else units.per_cent(line.deviation / line.measured)]
        body.append(row)
    return table_text(head, body).splitlines()


def signed(share: float) -> str:
    """Return a relative error in per cent, with its sign.

    Parameters
    ----------
    share : float
        Predicted over measured, less 1. [share]
    """
    if math.isnan(share):
        return "—"
    return "0 %" if abs(share) < 5e-5 else f"{100 * share:+.3g} %"


def _value(line: Line, value: float) -> str:
    if math.isnan(value):
        return "—"
    return units.rate(value) if line.statistic == "rate" else units.seconds(value)


def _spread(line: Line) -> str:
    return "" if math.isnan(line.low) else f"{_value(line, line.low)} to {_value(line, line.high)}"


def _runs(c: Comparison) -> list[str]:
    if not 1 < len(c.pairs) <= _MOST_RUNS:
        return []
    body = [[p.run.name, f"{len(p.run):,}", *_mean(p, "ttft"), *_mean(p, "tpot")] for p in c.pairs]
    heads = ["run", "requests", "mean TTFT", "predicted", "error", "mean TPOT", "predicted", "error"]
    return ["", *table_text(heads, body).splitlines()]


def _mean(p: Pair, what: str) -> list[str]:
    measured, predicted = p.statistics(what)[0]
    if not measured > 0:
        return ["—"] * 3
    return [units.seconds(measured), units.seconds(predicted), signed(predicted / measured - 1)]


def _worst(c: Comparison) -> list[str]:
    body: list[list[str]] = []
    for far in c.worst:
        p, i = c.pairs[far.run], far.request
        name = f"{p.run.name}, {p.run.where[i]}" if len(c.pairs) > 1 else p.run.where[i]
        times = [
            units.seconds(float(side[what][i])) for what in ("ttft", "request") for side in (p.measured, p.predicted)
        ]
        body.append(
            [name, f"{p.run.prompt[i]:,}", f"{p.run.output[i]:,}", units.seconds(float(p.run.arrival[i])), *times]
        )
    heads = ["furthest off", "in", "out", "arrives", "TTFT", "predicted", "request", "predicted"]
    return ["", *table_text(heads, body).splitlines()] if body else []


def _notes(c: Comparison) -> list[str]:
    found: list[str] = []
    for p in c.pairs:
        lead = f"{p.run.name}: " if len(c.pairs) > 1 else ""
        if p.run.failed:
            found.append(
                f"{lead}{units.some(p.run.failed, 'request')} failed and left out, though they loaded the engine"
            )
        if p.run.unfinished:
            found.append(f"{lead}{units.some(p.run.unfinished, 'request')} without an answer left out")
        found += [lead + note for note in (*p.run.notes, *_rejected(p), *notes(p.simulated))]
    if any(len(p.run) < _SURE for p in c.pairs):
        found.append(f"the p99 of fewer than {_SURE} requests is nearly their largest")
    if len(c.pairs) > 1 and not c.alike:
        found.append("runs differ in rate or lengths: their spread is not that of repeats")
    if not any(line.what == "ttft" for line in c.lines):
        found.append("the log has no times of first tokens: whole requests alone are compared")
    return ["", *(f"! {line}" for line in dict.fromkeys(found))] if found else []


def _rejected(p: Pair) -> list[str]:
    who = [p.run.where[i] for i, out in enumerate(p.simulated.log.rejected.tolist()) if out]
    return [f"rejected in the simulation, left out of both sides: {first_few(who)}"] if who else []
