"""A simulation as text."""

from __future__ import annotations

import math

from headway import units
from headway.report.loads import money
from headway.simulation.results import SHARES, Quantile, Simulated
from headway.tables import table_text


def simulation_text(s: Simulated) -> str:
    """Return a simulation as text: where it ran, percentiles, rates and money, and what to know about them."""
    d, log = s.deployment, s.log
    setting = d.setting
    out = [
        f"{setting.model.name} on {setting.system.name}",
        f"{len(log.requests):,} requests{_of(log.requests.name)} over {units.seconds(s.span)}; {_where(s)}, "
        f"{setting.engine.name}: {d.policy.says}",
        "",
        *_table(s),
        "",
        *_tiers(s),
        *_rates(s),
        *_notes(s),
    ]
    return "\n".join(out)


def _of(name: str) -> str:
    return f" of {name}" if name else ""


def _where(s: Simulated) -> str:
    d = s.deployment
    answers = f"{d.layout} x {s.replicas}"
    if d.prompts is None or d.prompt_layout is None:
        return answers
    return f"prompts on {d.prompt_layout} x {d.prompts.replicas // d.prompt_layout.pp}, answers on {answers}"


def _tiers(s: Simulated) -> list[str]:
    """A row for each tier: what it was promised, how many got it."""
    if not s.by_tier:
        return []
    head = ["tier", "requests", "turned away", "TTFT p50", "p99", "TPOT p50", "p99", "promised", "kept"]
    body: list[list[str]] = []
    for t in s.by_tier:
        said = [
            f"{name} {units.seconds(x)}"
            for name, x in (("TTFT", t.tier.ttft), ("TPOT", t.tier.tpot))
            if math.isfinite(x)
        ]
        times = [_value(q) for found in (t.ttft, t.tpot) for q in found if q.share in (0.5, 0.99)]
        kept = units.per_cent(t.good) if said else ""
        body.append([t.tier.name, f"{t.requests:,}", f"{t.turned_away:,}", *times, ", ".join(said) or "—", kept or "—"])
    return [*table_text(head, body).splitlines(), ""]


def _table(s: Simulated) -> list[str]:
    rows = dict(zip(("TTFT", "TPOT", "request", "in queue"), s.quantiles.values(), strict=True))
    rows = {
        "TTFT": rows["TTFT"],
        "TPOT": rows["TPOT"],
        "ITL": s.itl,
        "request": rows["request"],
        "in queue": rows["in queue"],
    }
    head = ["", *(f"p{100 * q:g}" for q in SHARES), "80 % interval of p99"]
    body = [[name, *map(_value, found), _ends(found)] for name, found in rows.items()]
    return table_text(head, body).splitlines()


def _value(q: Quantile) -> str:
    return "—" if math.isnan(q.value) else units.seconds(q.value) + ("" if q.known else " (max)")


def _ends(found: list[Quantile]) -> str:
    q = next(f for f in found if f.share == 0.99)
    return "—" if not q.known or math.isnan(q.low) else f"{units.seconds(q.low)} to {units.seconds(q.high)}"


def _rates(s: Simulated) -> list[str]:
    rows = [
        ("carried", f"{units.rate(s.carried)} requests/s", "" if math.isnan(s.offered) else f"{units.rate(s.offered)} offered"),
        ("output", f"{units.rate(s.output_rate)} tok/s", f"{s.batch:,.3g} sequences decode; busy {units.per_cent(s.busy)}"),
    ]  # fmt: skip
    if s.dollars_per_mtok is not None:
        scaled = s.deployment.operation.autoscale is not None
        said = (
            f"of {s.paid / s.span / s.deployment.setting.system.chips:.1%} of the chips"
            if scaled and s.span
            else "the whole rent"
        )
        rows.append(("cost", money(s.dollars_per_mtok), f"{said} over the tokens that flowed"))
    mfu, mbu = s.used
    memory = "" if math.isnan(s.occupied) else f"; KV blocks {units.per_cent(s.occupied)} in use while it runs"
    rows.append(("chips", f"MFU {units.per_cent(mfu)}", f"MBU {units.per_cent(mbu)}{memory}"))
    if s.joules_per_token is not None:
        rows.append(
            ("energy", f"{s.joules_per_token:,.3g} J/token", "at most: the chips at their rated power all the time")
        )
    if s.cached > 0:
        rows.append(("cache", units.per_cent(s.cached), "of the prompts' tokens were found and not computed"))
    wide = max(len(v) for _, v, _ in rows)
    return [f"{name:<10}{value:<{wide}}  {remark}".rstrip() for name, value, remark in rows]


def _notes(s: Simulated) -> list[str]:
    found: list[str] = []
    rejected, again = int(s.log.rejected.sum()), int((s.log.preempted > 0).sum())
    away, swaps = int(s.log.turned_away.sum()), s.deployment.operation.swap
    if s.saturated:
        rest = "the rest is turned away" if away else "the queue grows without bound"
        found.append(f"offered {units.rate(s.offered)} requests/s, carried {units.rate(s.carried)}: {rest}")
    if rejected:
        limits = s.deployment.limits
        pool = f"{limits.blocks * limits.block:,} tokens of the KV pool"
        found.append(f"{units.some(rejected, 'request')} can never fit into the {pool}: rejected")
    if again:
        how = "had them moved to the host and back" if swaps else "were computed again"
        found.append(f"{units.some(again, 'request')} lost their cache to others and {how}")
    if away:
        found.append(f"{units.some(away, 'request')} turned away: the queue was full, or they lost patience")
    if not all(q.known for q in s.quantiles["ttft"]):
        found.append("(max): too few requests for that percentile; it is their largest")
    if s.deployment.setting.profile.name == "ideal":
        found.append("ideal machine: a lower bound on every time")
    return ["", *(f"! {line}" for line in found)] if found else []
