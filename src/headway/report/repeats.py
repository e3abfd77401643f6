"""Repeats of a simulation as text."""

from __future__ import annotations

import math

from headway import units
from headway.report.loads import money
from headway.report.simulations import ran_on
from headway.simulation.repeats import Over, Repeated
from headway.simulation.results import SHARES
from headway.tables import table_text


def repeated_text(r: Repeated) -> str:
    """Return repeats as text: percentiles over them, beside what one run says of its own p99; rates and money."""
    one = r.runs[0]
    s = one.deployment.setting
    out = [
        f"{s.model.name} on {s.system.name}",
        f"{units.some(len(r.runs), 'repeat')} of {len(one.log.requests):,} requests of {one.log.requests.name}; "
        f"{ran_on(one)}",
        "",
        *_table(r),
        "",
        *_rates(r),
        *_notes(r),
    ]
    return "\n".join(out)


def _table(r: Repeated) -> list[str]:
    head = ["", *(f"p{100 * q:g}" for q in SHARES), "80 % of p99 over seeds", "within the first run"]
    at = SHARES.index(0.99)
    body: list[list[str]] = []
    for name, what in (("TTFT", "ttft"), ("TPOT", "tpot"), ("request", "request"), ("in queue", "queued")):
        found, first = r.quantiles[what], r.runs[0].quantiles[what][at]
        inside = (first.low, first.high) if first.known else (math.nan, math.nan)
        body.append(
            [name, *(units.seconds(o.value) for o in found), _ends(found[at].low, found[at].high), _ends(*inside)]
        )
    return table_text(head, body).splitlines()


def _ends(low: float, high: float) -> str:
    return "—" if math.isnan(low) else f"{units.seconds(low)} to {units.seconds(high)}"


def _rates(r: Repeated) -> list[str]:
    def between(o: Over) -> str:
        return "" if math.isnan(o.low) else f"80 %: {units.rate(o.low)} to {units.rate(o.high)}"

    carried, output, cost = r.number("carried"), r.number("output_rate"), r.number("dollars_per_mtok")
    rows = [
        ("carried", f"{units.rate(carried.value)} requests/s", between(carried)),
        ("output", f"{units.rate(output.value)} tok/s", between(output)),
    ]
    if not math.isnan(cost.value):
        ends = "" if math.isnan(cost.low) else f"80 %: {money(cost.low)} to {money(cost.high)}"
        rows.append(("cost", money(cost.value), ends))
    wide = max(len(value) for _, value, _ in rows)
    return [f"{name:<10}{value:<{wide}}  {remark}".rstrip() for name, value, remark in rows]


def _notes(r: Repeated) -> list[str]:
    found: list[str] = []
    if r.saturated:
        found.append(f"the queue grows without bound in {r.saturated} of {len(r.runs)} repeats")
    rejected = sum(int(run.log.rejected.sum()) for run in r.runs)
    if rejected:
        found.append(f"{units.some(rejected, 'request')} of all repeats can never fit into memory: rejected")
    if not all(q.known for q in r.runs[0].quantiles["ttft"]):
        found.append("too few requests in a run for the highest percentiles: means of their largest")
    return ["", *(f"! {line}" for line in found)] if found else []
