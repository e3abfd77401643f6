"""A simulation as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headway import units
from headway.report.loads import money
from headway.simulation.results import SHARES, Quantile, Simulated
from headway.tables import table_text

_NAMES = {"Chunked": "chunked prefill beside decodes", "PrefillFirst": "prompts first", "DecodeFirst": "decodes first"}
_FEW = 3  # places that are named


def simulation_text(s: Simulated) -> str:
    """Return a simulation as text: where it ran, percentiles, rates and money, and what to know about them."""
    d, log = s.deployment, s.log
    setting = d.setting
    out = [
        f"{setting.model.name} on {setting.system.name}",
        f"{len(log.requests):,} requests{_of(log.requests.name)} over {units.seconds(s.span)}; {ran_on(s)}",
        "",
        *_table(s),
        "",
        *_rates(s),
        *_notes(s),
    ]
    return "\n".join(out)


def ran_on(s: Simulated) -> str:
    """Return the layout, the replicas, the engine and its scheduler in words."""
    name = type(s.deployment.policy).__name__
    return f"{s.deployment.layout} x {s.replicas}, {s.deployment.setting.engine.name}: {_NAMES.get(name, name)}"


def first_few(places: Sequence[str]) -> str:
    """Return places in words, three at the most and how many more."""
    more = len(places) - _FEW
    return ", ".join(places[:_FEW]) + (f" and {more:,} more" if more > 0 else "")


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
    found = notes(s)
    if not all(q.known for q in s.quantiles["ttft"]):
        found.append("(max): too few requests for that percentile; it is their largest")
    return ["", *(f"! {line}" for line in found)] if found else []


def notes(s: Simulated) -> list[str]:
    """Return what to know about a simulation, a sentence each."""
    found: list[str] = []
    rejected, again = int(s.log.rejected.sum()), int((s.log.preempted > 0).sum())
    if s.saturated:
        found.append(
            f"offered {units.rate(s.offered)} requests/s, carried {units.rate(s.carried)}: the queue grows without bound"
        )
    if rejected:
        limits = s.deployment.limits
        pool = f"{limits.blocks * limits.block:,} tokens of the KV pool"
        found.append(
            f"{units.some(rejected, 'request')} can never fit into the {pool}{_lines(s, s.log.rejected)}: rejected"
        )
    found += _beyond(s)
    if again:
        found.append(f"{units.some(again, 'request')} lost their cache to others and were computed again")
    if s.deployment.setting.profile.name == "ideal":
        found.append("ideal machine: a lower bound on every time")
    return found


def _beyond(s: Simulated) -> list[str]:
    """What to say of requests that are longer than the model's own limit."""
    r, limit = s.log.requests, s.deployment.setting.model.max_context
    long = r.prompt + r.output > limit
    if not long.any():
        return []
    ran = (
        "rejected"
        if s.log.rejected[long].all()
        else "an engine refuses or cuts them, the simulation runs those that fit"
    )
    what = units.some(int(long.sum()), "request")
    return [f"{what} longer, prompt and answer, than the model's limit of {limit:,} tokens{_lines(s, long)}: {ran}"]


def _lines(s: Simulated, which: NDArray[np.bool_]) -> str:
    """Return where requests stand in their file, in brackets; "" where they are of none."""
    line = s.log.requests.line
    return f" ({first_few([f'line {n}' for n in line[which].tolist()])})" if len(line) else ""
