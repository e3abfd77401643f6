"""A simulation as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headway import units
from headway.report.loads import money
from headway.simulation.deployment import Deployment
from headway.simulation.results import SHARES, Quantile, Simulated
from headway.tables import table_text

_FEW = 3  # places that are named


def simulation_text(s: Simulated) -> str:
    """Return a simulation as text: where it ran, percentiles, rates and money, and what to know about them."""
    log, setting = s.log, s.deployment.setting
    out = [
        f"{setting.model.name} on {setting.system.name}",
        f"{len(log.requests):,} requests{_of(log.requests.name)} over {units.seconds(s.span)}; {ran_on(s)}",
        "",
        *_table(s),
        "",
        *_tiers(s),
        *_rates(s),
        *_notes(s),
    ]
    return "\n".join(out)


def promise_text(s: Simulated, ttft: float | None, tpot: float | None) -> str:
    """Return which share of the requests ended within limits.

    Parameters
    ----------
    s : Simulated
    ttft, tpot : float or None
        Longest time to the first token, and per token after it. [s]
    """
    ends = {k: v for k, v in (("ttft", ttft), ("tpot", tpot)) if v is not None}
    said = " and ".join(f"{k.upper()} {units.seconds(v)}" for k, v in ends.items())
    return f"within {said}: {units.per_cent(float(s.good(**ends).mean()))} of the requests"


def ran_on(s: Simulated) -> str:
    """Return the layout, the replicas, the engine and its scheduler in words."""
    return where_on(s.deployment, s.replicas)


def where_on(d: Deployment, replicas: int) -> str:
    """Return the same of a deployment.

    Parameters
    ----------
    d : Deployment
    replicas : int
        Of it. [replicas]
    """
    answers = f"{d.layout} x {replicas}"
    if d.prompt_layout is not None:
        answers = f"prompts on {d.prompt_layout} x {d.prompt_replicas}, answers on {answers}"
    return f"{answers}, {d.setting.engine.name}: {d.policy.says}"


def first_few(places: Sequence[str]) -> str:
    """Return places in words, three at the most and how many more."""
    more = len(places) - _FEW
    return ", ".join(places[:_FEW]) + (f" and {more:,} more" if more > 0 else "")


def _of(name: str) -> str:
    return f" of {name}" if name else ""


def _tiers(s: Simulated) -> list[str]:
    """A row for each tier: what it was promised, how many got it."""
    if not s.by_tier:
        return []
    head = ["tier", "requests", "turned away", "TTFT p50", "p99", "TPOT p50", "p99", "promised", "kept", "cost"]
    body: list[list[str]] = []
    for t in s.by_tier:
        said = [
            f"{name} {units.seconds(x)}"
            for name, x in (("TTFT", t.tier.ttft), ("TPOT", t.tier.tpot))
            if math.isfinite(x)
        ]
        times = [value_of(q) for found in (t.ttft, t.tpot) for q in found if q.share in (0.5, 0.99)]
        kept = units.per_cent(t.good) if said else ""
        price = s.deployment.setting.system.price
        cost = "—" if price is None or not t.output_rate > 0 else money(price * t.paid / t.output_rate / s.span * 1e6)
        body.append(
            [t.tier.name, f"{t.requests:,}", f"{t.turned_away:,}", *times, ", ".join(said) or "—", kept or "—", cost]
        )
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
    body = [[name, *map(value_of, found), ends_of(found)] for name, found in rows.items()]
    return table_text(head, body).splitlines()


def value_of(q: Quantile) -> str:
    """Say a quantile; where too few are beyond it, that it is only the greatest."""
    return "—" if math.isnan(q.value) else units.seconds(q.value) + ("" if q.known else " (max)")


def ends_of(found: list[Quantile]) -> str:
    """Say the interval of the p99 among quantiles."""
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
    if s.prices is not None:
        fresh, found, made = s.prices
        hits = "" if math.isnan(found) else f", {money(found)} cached"
        busy = "" if not 0 < s.busy < 1 else f"; {units.per_cent(s.busy)} of it while passes run"
        rows.append(
            ("", f"{money(fresh)} in{hits}", f"and {money(made)} out, if prompts pay for what they add to a pass{busy}")
        )
    mfu, mbu = s.used
    memory = "" if math.isnan(s.occupied) else f"; KV blocks {units.per_cent(s.occupied)} in use while it runs"
    rows.append(("chips", f"MFU {units.per_cent(mfu)}", f"MBU {units.per_cent(mbu)}{memory}"))
    if s.joules_per_token is not None:
        rows.append(
            (
                "energy",
                f"{s.joules_per_token:,.3g} J/token",
                "of the chips alone: awake, memory, arithmetic; links left out (`headway cost`)",
            )
        )
    if s.padding > 0:
        rows.append(
            (
                "padding",
                units.per_cent(s.padding),
                "of the computed tokens: prompts filled up, seats kept after their answers",
            )
        )
    if s.cached > 0:
        rows.append(("cache", units.per_cent(s.cached), "of the prompts' tokens were found and not computed"))
    wide = max(len(v) for _, v, _ in rows)
    return [f"{name:<10}{value:<{wide}}  {remark}".rstrip() for name, value, remark in rows]


def _notes(s: Simulated) -> list[str]:
    found = notes(s)
    if not all(q.known for q in s.quantiles["ttft"]):
        found.append("(max): too few requests for that percentile; it is their largest")
    return ["", *(f"! {line}" for line in found)] if found else []


def notes(s: Simulated) -> list[str]:
    """Return what to know about a simulation, a sentence each."""
    found: list[str] = []
    if s.log.stopped:
        came, all_of = int(np.isfinite(s.log.arrival).sum()), len(s.log.requests)
        found.append(
            f"interrupted after {units.seconds(s.span)} of it: {came:,} of {all_of:,} requests had come, {int(s.ended.sum()):,} had ended"
        )
    again = int((s.log.preempted > 0).sum())
    away, swaps = int(s.log.turned_away.sum()), s.deployment.operation.swap
    if s.saturated:
        rest = "the rest is turned away" if away else "the queue grows without bound"
        found.append(f"offered {units.rate(s.offered)} requests/s, carried {units.rate(s.carried)}: {rest}")
    beyond = _beyond_the_model(s)
    big = s.log.rejected & ~beyond
    if big.any():
        limits = s.deployment.limits
        pool = f"{limits.blocks * limits.block:,} tokens of the KV pool"
        found.append(f"{units.some(int(big.sum()), 'request')} can never fit into the {pool}{_lines(s, big)}: rejected")
    if beyond.any():
        what, limit = units.some(int(beyond.sum()), "request"), s.deployment.limits.context
        found.append(
            f"{what} longer, prompt and answer, than the model's {limit:,} tokens{_lines(s, beyond)}: rejected"
        )
    if again:
        how = "had them moved to the host and back" if swaps else "were computed again"
        found.append(f"{units.some(again, 'request')} lost their cache to others and {how}")
    if away:
        found.append(f"{units.some(away, 'request')} turned away: the queue was full, or they lost patience")
    if s.deployment.setting.profile.name == "ideal":
        found.append("ideal machine: a lower bound on every time")
    return found


def _beyond_the_model(s: Simulated) -> NDArray[np.bool_]:
    r = s.log.requests
    return s.log.rejected & (r.prompt + r.output > s.deployment.limits.context)


def _lines(s: Simulated, which: NDArray[np.bool_]) -> str:
    """Return where requests stand in their file, in brackets; "" where they are of none."""
    line = s.log.requests.line
    return f" ({first_few([f'line {n}' for n in line[which].tolist()])})" if len(line) else ""
