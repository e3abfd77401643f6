"""A capacity as text."""

from __future__ import annotations

import math

from headway import units
from headway.plan.capacity import Capacity
from headway.plan.slo import Readers, Slo
from headway.report.loads import money
from headway.report.simulations import where_on
from headway.simulation.repeats import Over, over
from headway.simulation.steady import Steady


def capacity_text(c: Capacity) -> str:
    """Return a capacity as text: what is carried within the limits, what binds, what requests see there, who can read how fast."""
    d, s = c.deployment, c.setting
    out = [
        f"{s.model.name} on {s.system.name}",
        f"{c.bench.traffic}; {where_on(d, c.bench.replicas)}",
        f"{units.per_cent(c.slo.within)} of requests within {_limits(c.slo)}",
        "",
        *_rows(_headline(c) + _seen(c)),
        *_readers(c),
        *_notes(c),
    ]
    return "\n".join(out)


def _limits(slo: Slo) -> str:
    named = (("TTFT", slo.ttft), ("TPOT", slo.tpot))
    return " and ".join(f"{name} {units.seconds(limit)}" for name, limit in named if math.isfinite(limit))


def _rows(rows: list[tuple[str, str, str]]) -> list[str]:
    wide = max(len(value) for _, value, _ in rows)
    return [f"{name:<11}{value:<{wide}}  {remark}".rstrip() for name, value, remark in rows]


def _number(c: Capacity, value: float) -> str:
    return f"{value:,.0f}" if c.bench.loops else units.rate(value)


def _ends(o: Over, shown: str = "") -> str:
    return "" if math.isnan(o.low) else f"80 %: {units.rate(o.low)} to {units.rate(o.high)}{shown}"


def _why(c: Capacity, binds: str, slo: Slo) -> str:
    """What is in the way of more, in words."""
    if not binds.endswith("alone"):
        return f"{binds} binds"
    found: list[str] = []
    for name, what, limit in (("TTFT", "ttft", slo.ttft), ("TPOT", "tpot", slo.tpot)):
        value = c.bench.alone.quantile(what, slo.within)
        if name in binds and value > limit:
            shown = units.seconds(value) if math.isfinite(value) else "never (it does not fit into memory)"
            found.append(f"{name} alone {shown} > {units.seconds(limit)}")
    return " and ".join(found) or binds


def _headline(c: Capacity) -> list[tuple[str, str, str]]:
    o, unit = c.most.value, "users" if c.bench.loops else "requests/s"
    if o.value == 0:
        return [("capacity", f"0 {unit}", f"a request breaks the limits by itself: {_why(c, c.most.binds, c.slo)}")]
    of = f" of {c.count:,} requests" if c.count else ""
    sure = (
        f"{_ends(o)} over {units.some(len(c.seeds), 'seed')}{of}" if len(c.seeds) > 1 else f"one run{of}: no interval"
    )
    rows = [("capacity", f"{_number(c, o.value)} {unit}", f"{_why(c, c.most.binds, c.slo)}; {sure}")]
    if c.estimate > 0:
        full = f"; {units.rate(c.carries)} with every seat taken" if c.carries > 0 else ""
        rows.append(
            (
                "mean field",
                f"{units.rate(c.estimate)} requests/s",
                f"mean times of a steady closed loop within the limits{full}",
            )
        )
    return rows


def _mean(seen: tuple[Steady, ...], name: str) -> float:
    return over([float(getattr(s, name)) for s in seen]).value


def _seen(c: Capacity) -> list[tuple[str, str, str]]:
    if not c.at:
        return []
    rows: list[tuple[str, str, str]] = []
    if c.bench.loops:
        rows.append(("they ask", f"{units.rate(c.rate.value)} requests/s", "think times included"))
    for name, what, limit in (("TTFT", "ttft", {"ttft": c.slo.ttft}), ("TPOT", "tpot", {"tpot": c.slo.tpot})):
        p50, p90, p99 = (over([s.quantile(what, q) for s in c.at]).value for q in (0.5, 0.9, 0.99))
        if math.isnan(p50):
            continue
        share = over([s.within(**limit) for s in c.at]).value
        said = f"; {units.per_cent(share)} within" if math.isfinite(min(limit.values())) else ""
        rows.append((name, units.seconds(p50), f"p90 {units.seconds(p90)}, p99 {units.seconds(p99)}{said}"))
    load = f"; {units.per_cent(c.rate.value / c.carries)} of the rate with every seat taken" if c.carries > 0 else ""
    decode = f"{_mean(c.at, 'batch'):,.3g} decode in a pass of a replica"
    rows.append(("in flight", f"{_mean(c.at, 'flying'):,.3g} requests",
                 f"{decode}; busy {units.per_cent(_mean(c.at, 'busy'))}{load}"))  # fmt: skip
    rows.append(("output", f"{units.rate(c.output_rate)} tok/s", ""))
    if c.dollars_per_mtok is not None:
        rows.append(("cost", money(c.dollars_per_mtok), "the whole rent over the output tokens that flow"))
    return rows


def _readers(c: Capacity) -> list[str]:
    if not c.readers:
        return []
    first = f", TTFT within {units.seconds(c.slo.ttft)}" if math.isfinite(c.slo.ttft) else ""
    head = f"users who read at least so fast and ask again at once ({units.per_cent(c.slo.within)} of requests{first})"
    rows = [(f"{r.speed:,.4g} tok/s", f"{r.most.value.value:,.0f}", _reading(c, r)) for r in c.readers]
    names, numbers = (max(len(r[i]) for r in rows) for i in (0, 1))
    return ["", head, *(f"  {n:>{names}}  {v:>{numbers}}  {t}".rstrip() for n, v, t in rows)]


def _reading(c: Capacity, r: Readers) -> str:
    said = _why(c, r.most.binds, Slo(c.slo.ttft, 1 / r.speed, c.slo.within))
    sure = _ends(r.most.value)
    mean = f"mean field {r.estimate:,.0f}" if not math.isnan(r.estimate) and r.most.value.value > 0 else ""
    return "; ".join(x for x in (said, sure, mean) if x)


def _notes(c: Capacity) -> list[str]:
    found: list[str] = []
    if c.setting.profile.name == "ideal":
        found.append("ideal machine: an upper bound on the capacity")
    elif c.spread is not None:
        low, high = c.spread.around(1.0)
        luck = "the interval is the luck of arrivals; " if not math.isnan(c.most.value.low) else ""
        found.append(
            f"{luck}the times are estimates: four measured TPOTs in five lie at {low:.2f} to {high:.2f} of them"
        )
    if c.bench.times > 1:
        played = f"{c.bench.replicas / c.bench.times:.0f} of {c.bench.replicas} replicas"
        found.append(f"{played} alike were played, with their part of the requests")
    if not c.settled:
        found.append(
            f"runs of {c.count:,} requests, the longest, do not settle it: the interval is wider than it should be"
        )
    if len(c.seeds) == 1:
        found.append(
            "one run: other seeds would show how much is luck"
            if c.bench.grows
            else "one run of what is as it is: no interval over seeds"
        )
    lost = [s for s in c.bench.alone.ttft if math.isinf(s)]
    if lost:
        found.append(
            f"{units.some(len(lost), 'request')} of {len(c.bench.alone.ttft)} can never fit into memory and count as missed"
        )
    return ["", *(f"! {line}" for line in found)] if found else []
