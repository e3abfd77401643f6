"""A simulation as text."""

from __future__ import annotations

import math

from headway import units
from headway.report.loads import money
from headway.simulation.policies import Policy
from headway.simulation.results import SHARES, Quantile, Simulated
from headway.tables import table_text

_NAMES = {"Chunked": "chunked prefill beside decodes", "PrefillFirst": "prompts first", "DecodeFirst": "decodes first"}


def simulation_text(s: Simulated) -> str:
    """Return a simulation as text: where it ran, percentiles, rates and money, and what to know about them."""
    d, log = s.deployment, s.log
    setting = d.setting
    out = [
        f"{setting.model.name} on {setting.system.name}",
        f"{len(log.requests):,} requests{_of(log.requests.name)} over {units.seconds(s.span)}; {d.layout} x {s.replicas}, "
        f"{setting.engine.name}: {policy_name(d.policy)}",
        "",
        *_table(s),
        "",
        *_rates(s),
        *_notes(s),
    ]
    return "\n".join(out)


def policy_name(policy: Policy) -> str:
    """Return what a scheduler does, in words."""
    kind = type(policy).__name__
    return _NAMES.get(kind, kind)


def _of(name: str) -> str:
    return f" of {name}" if name else ""


def _table(s: Simulated) -> list[str]:
    rows = dict(zip(("TTFT", "TPOT", "request", "in queue"), s.quantiles.values(), strict=True))
    head = ["", *(f"p{100 * q:g}" for q in SHARES), "80 % interval of p99"]
    body = [[name, *map(_value, found), _ends(found)] for name, found in rows.items()]
    return table_text(head, body).splitlines()


def _value(q: Quantile) -> str:
    return "—" if math.isnan(q.value) else units.seconds(q.value) + ("" if q.known else " (max)")


def _ends(found: list[Quantile]) -> str:
    q = next(f for f in found if f.share == 0.99)
    return "—" if not q.known else f"{units.seconds(q.low)} to {units.seconds(q.high)}"


def _rates(s: Simulated) -> list[str]:
    rows = [
        ("carried", f"{units.rate(s.carried)} requests/s", "" if math.isnan(s.offered) else f"{units.rate(s.offered)} offered"),
        ("output", f"{units.rate(s.output_rate)} tok/s", f"{s.batch:,.3g} sequences decode; busy {units.per_cent(s.busy)}"),
    ]  # fmt: skip
    if s.dollars_per_mtok is not None:
        rows.append(("cost", money(s.dollars_per_mtok), "the whole rent over the tokens that flowed"))
    wide = max(len(v) for _, v, _ in rows)
    return [f"{name:<10}{value:<{wide}}  {remark}".rstrip() for name, value, remark in rows]


def _notes(s: Simulated) -> list[str]:
    found: list[str] = []
    rejected, again = int(s.log.rejected.sum()), int((s.log.preempted > 0).sum())
    if s.saturated:
        found.append(
            f"offered {units.rate(s.offered)} requests/s, carried {units.rate(s.carried)}: the queue grows without bound"
        )
    if rejected:
        limits = s.deployment.limits
        pool = f"{limits.blocks * limits.block:,} tokens of the KV pool"
        found.append(f"{units.some(rejected, 'request')} can never fit into the {pool}: rejected")
    if again:
        found.append(f"{units.some(again, 'request')} lost their cache to others and were computed again")
    if not all(q.known for q in s.quantiles["ttft"]):
        found.append("(max): too few requests for that percentile; it is their largest")
    if s.deployment.setting.profile.name == "ideal":
        found.append("ideal machine: a lower bound on every time")
    return ["", *(f"! {line}" for line in found)] if found else []
