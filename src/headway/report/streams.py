"""A streamed run as text."""

from __future__ import annotations

import math

from headway import units
from headway.report.loads import money
from headway.report.simulations import ends_of, value_of, where_on
from headway.simulation.results import SHARES
from headway.simulation.streamed import Streamed
from headway.tables import table_text


def streamed_text(s: Streamed) -> str:
    """Return a streamed run as text: percentiles, rates and money."""
    t, setting = s.tally, s.deployment.setting
    names = dict(zip(("TTFT", "TPOT", "request", "in queue"), s.quantiles.values(), strict=True))
    head = ["", *(f"p{100 * q:g}" for q in SHARES), "80 % interval of p99"]
    body = [[name, *map(value_of, found), ends_of(found)] for name, found in names.items()]
    out = [
        f"{setting.model.name} on {setting.system.name}",
        f"{t.come:,} requests of {s.name} over {units.seconds(s.span)}; {where_on(s.deployment, s.replicas)}",
        "",
        *table_text(head, body).splitlines(),
        "",
        *_rates(s),
        *_notes(s),
    ]
    return "\n".join(out)


def _rates(s: Streamed) -> list[str]:
    mfu, mbu = s.used
    rows = [
        ("carried", f"{units.rate(s.carried)} requests/s", "" if math.isnan(s.offered) else f"{units.rate(s.offered)} offered"),
        ("output", f"{units.rate(s.output_rate)} tok/s", f"{s.batch:,.3g} sequences decode; busy {units.per_cent(s.busy)}"),
    ]  # fmt: skip
    if s.dollars_per_mtok is not None:
        rows.append(("cost", money(s.dollars_per_mtok), "the whole rent over the tokens that flowed"))
    if s.prices is not None:
        said = f"and {money(s.prices[1])} out, if prompts pay for what they add to a pass"
        rows.append(("", f"{money(s.prices[0])} in", said))
    rows.append(("chips", f"MFU {units.per_cent(mfu)}", f"MBU {units.per_cent(mbu)}"))
    if s.joules_per_token is not None:
        rows.append(("energy", f"{s.joules_per_token:,.3g} J/token", "of the chips alone; links left out"))
    wide = max(len(r[1]) for r in rows)
    return [f"{a:<8}  {b:<{wide}}  {c}".rstrip() for a, b, c in rows]


def _notes(s: Streamed) -> list[str]:
    t = s.tally
    said = [f"percentiles within 0.05 %; at most {t.most:,} requests were under way at a look, no others are held"]
    if t.rejected:
        said.append(f"! {units.some(t.rejected, 'request')} can never fit: rejected")
    if t.turned_away:
        said.append(f"! {units.some(t.turned_away, 'request')} turned away")
    if t.preempted:
        said.append(f"! {units.some(t.preempted, 'pre-emption')}")
    if s.stopped:
        said.append(f"! stopped with {units.some(t.left, 'request')} under way")
    elif s.span > 0 and s.offered > 1.02 * s.carried and t.come > 1000:
        said.append(f"! offered {units.rate(s.offered)} requests/s, carried {units.rate(s.carried)}: the queue grows")
    return ["", *said]
