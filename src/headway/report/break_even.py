"""Self-hosting against API prices as text."""

from __future__ import annotations

import math
from decimal import Decimal

from headway import units
from headway.economics.self_hosting import Crossing
from headway.plan.break_even import BreakEven, Cell
from headway.report.bills import dollars, plain_table
from headway.report.simulations import where_on
from headway.tables import table_text

_MOST = 8


def break_even_text(b: BreakEven) -> str:
    """Return where self-hosting pays: by SLO and cache hits, against the cheapest and the median provider, and what a load costs."""
    first = b.cells[0]
    c = first.capacity
    out = [
        f"{b.model} on {b.system.name}: {b.work.prompt:,} tokens in, {b.work.output:,} out, {b.work.tier} tier; prices of {b.day}",
        f"{where_on(c.deployment, c.bench.replicas)}; {units.per_cent(c.slo.within)} of requests within the limits",
        "",
        *(f"{r.name:<10} {dollars(r.per_hour)}/h for {r.hours.normalize():f} h a day: {r.note}" for r in b.rents),
        *([f"requests come in {b.busy.normalize():f} h of the day"] if b.busy != 24 else []),
        "",
        "pays from (requests/s while they come)",
        table_text(_heads(b), [_row(b, cell) for cell in b.cells]),
        "",
        *_loads(b, first),
        "",
        *_providers(b, first),
        *_notes(b),
    ]
    return "\n".join(out)


def _heads(b: BreakEven) -> list[str]:
    against = [f"{r.name}, {what}" for r in b.rents for what in ("cheapest", "median")]
    return ["TTFT", "TPOT", "cached", "a system carries", "binds", "cheapest API", "median API", *against]


def _row(b: BreakEven, c: Cell) -> list[str]:
    slo, most = c.capacity.slo, c.capacity.most
    limits = [units.seconds(x) if math.isfinite(x) else "" for x in (slo.ttft, slo.tpot)]
    sure = "" if math.isnan(most.value.low) else f" ({units.rate(most.value.low)} to {units.rate(most.value.high)})"
    at = [_from(b.crossing(c, r, api)) for r in b.rents for api in (c.least, c.median)]
    return [
        *limits,
        units.per_cent(c.hits),
        f"{units.rate(most.value.value)}/s{sure}",
        most.binds,
        dollars(c.least),
        dollars(c.median),
        *at,
    ]


def _from(c: Crossing) -> str:
    if c.first is None:
        return "never"
    first = units.rate(float(c.first))
    if c.always is None:
        return f"{first}, at full systems only"
    return first if c.always == c.first else f"{first}, always from {units.rate(float(c.always))} ({c.systems} systems)"


def _loads(b: BreakEven, c: Cell) -> list[str]:
    table = b.loads(c)
    if not table:
        return ["a request alone breaks the limits: no rate can be served"]
    heads = ["load", "requests/s", *(f"{r.name} a request" for r in b.rents), *(f"{r.name} saves" for r in b.rents)]
    rows = [
        [
            units.per_cent(share),
            units.rate(float(rate)),
            *(units.dollars(float(each)) for each, _ in at),
            *(_saved(saved) for _, saved in at),
        ]
        for share, rate, at in table
    ]
    title = f"one system at {_limits(c)}, {units.per_cent(c.hits)} cached, against {c.cheapest.offer.name} at {dollars(c.least)} a request"
    return [title, table_text(heads, rows)]


def _limits(c: Cell) -> str:
    slo = c.capacity.slo
    named = (("TTFT", slo.ttft), ("TPOT", slo.tpot))
    return " and ".join(f"{n} {units.seconds(x)}" for n, x in named if math.isfinite(x))


def _saved(per_second: Decimal) -> str:
    each = per_second * 3600
    return f"{'-' if each < 0 else ''}{units.dollars(abs(float(each)))}/h"


def _providers(b: BreakEven, c: Cell) -> list[str]:
    billed = [q for q in c.quotes if q.bill]
    rows: list[list[str]] = []
    for q in billed[:_MOST]:
        total = q.bill.total if q.bill else Decimal(0)
        rows.append([q.offer.listed.provider, q.offer.listed.model, dollars(total), *(_from(b.crossing(c, r, total)) for r in b.rents),
                     "price far off its peers: left out above" if q.offer.odd else "; ".join(q.notes)])  # fmt: skip
    more = [f"... {len(billed) - _MOST} dearer ones: --csv has all"] if len(billed) > _MOST else []
    return [plain_table(["provider", "model", "a request", *(f"{r.name} pays from" for r in b.rents), ""], rows), *more]


def _notes(b: BreakEven) -> list[str]:
    c = b.cells[0].capacity
    found = [
        "an API bill has no idle time; rent is for whole systems, idle chips as well, and counts nobody who runs them"
    ]
    if c.spread is not None:
        low, high = c.spread.around(1.0)
        found.append(
            f"the times behind each rate are estimates: four measured TPOTs in five lie at {low:.2f} to {high:.2f} of them"
        )
    found += (
        [f"{len(b.notes)} providers' sources disagree on a price: `headway bill {b.model}` lists them"]
        if b.notes
        else []
    )
    return ["", *(f"! {n}" for n in found)]
