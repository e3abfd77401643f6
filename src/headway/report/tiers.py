"""A price sheet of speed tiers as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from headway import units
from headway.plan.promises import Promise
from headway.plan.tiers import OnTheMarket, TierSheet
from headway.report.loads import money
from headway.tables import table_text


def tiers_text(s: TierSheet) -> str:
    """Return a price sheet as text: the tiers, what speed costs, what slow saves, the market's tiers on this curve."""
    setting, base = s.setting, s.standard
    out = [
        f"{setting.model.name} on {setting.system.name}, {setting.prompt:,.0f} tokens in, {setting.output:,.0f} out, every seat taken",
        "",
        *_sheet(s),
        "",
        f"fastest     {units.rate(s.fastest.speed)} tok/s at {money(s.fastest.cost)}: the latency limit, alone as {s.fastest.layout}",
        f"cheapest    {money(s.floor.cost)} at {units.rate(s.floor.speed)} tok/s, batch {s.floor.batch:,.0f} as {s.floor.layout}",
        f"slow saves  {units.per_cent(s.saves_at_most)} at most of the standard tier's {money(base.at.cost)}: "
        "past the batch where each token's own compute and KV reads decide, waiting buys nothing",
        "",
        *_curve(s),
        "",
        *_market(s),
    ]
    return "\n".join(out)


def _sheet(s: TierSheet) -> list[str]:
    head = [
        "tier",
        "tok/s",
        "speed",
        "layout",
        "batch",
        "TTFT",
        "cost",
        "times",
        "batch cut",
        "price",
        "loses below",
        "pays from",
    ]
    body = [
        [
            t.name, units.rate(t.at.speed), f"{t.times:.2f}x", str(t.at.layout), f"{t.at.batch:,.0f}", units.seconds(t.at.ttft),
            money(t.at.cost), f"{t.cost_times:.2f}x", f"{t.batch_cut:.3g}x", money(t.price), f"{units.per_cent(t.loses_below)} load",
            "—" if math.isnan(t.pays_from) else f"${t.pays_from:,.3g}/h",
        ]
        for t in s.tiers
    ]  # fmt: skip
    notes = [
        f"price: {units.per_cent(s.margin)} margin at full load; loses below: share of that load at which the rent eats it",
        "pays from: value of an hour of who waits, from which it beats the standard tier; batch cut: per chip",
        f"a free seat of the standard tier filled with batch work costs {money(s.standard.marginal)}: what a sequence adds to passes",
    ]
    return [*table_text(head, body).splitlines(), *map(str, s.beyond), *notes]


def _curve(s: TierSheet) -> list[str]:
    """Some points of the cheapest way to every speed."""
    step = max(len(s.curve) // 10, 1)
    chosen = [*s.curve[::step]]
    if chosen[-1] != s.curve[-1]:
        chosen.append(s.curve[-1])
    body = [
        [
            units.rate(p.speed),
            units.seconds(p.tpot),
            str(p.layout),
            f"{p.batch:,.0f}",
            money(p.cost),
            f"{p.cost / s.floor.cost:.2f}x",
        ]
        for p in chosen
    ]
    return table_text(["tok/s", "TPOT", "layout", "batch", "cost", "of the floor"], body).splitlines()


def _market(s: TierSheet) -> list[str]:
    head = [
        "on the market",
        "price",
        "speed",
        "implied batch cut",
        "costs here",
        "buys here",
        f"margin, if standard has {units.per_cent(s.margin)}",
    ]
    body = [_row(m, s.margin) for m in s.market]
    return [
        *table_text(head, body).splitlines(),
        "implied batch cut: price x speed, on one fleet with equal margins (SYS-A9); buys here: the speed that such a price pays for",
    ]


def promises_text(found: Sequence[Promise]) -> str:
    """Return what tiers can promise as text.

    Parameters
    ----------
    found : sequence of Promise
    """
    head = ["tier", "carries", "promised TPOT p95", "measured", "TTFT p95", "cost at that load", "kept"]
    body = [
        [
            p.name, f"{units.rate(p.rate)} requests/s", units.seconds(p.promised), units.seconds(p.tpot), units.seconds(p.ttft),
            money(p.cost), "yes" if p.kept else "no",
        ] if p.rate > 0 else [p.name, "nothing", units.seconds(p.promised), "—", "—", "—", "—"]
        for p in found
    ]  # fmt: skip
    said = "by simulation of Poisson traffic on the whole system as one tier; measured: other draws than those that it was found with"
    return "\n".join(["", *table_text(head, body).splitlines(), said])


def _row(m: OnTheMarket, margin: float) -> list[str]:
    def times(x: float) -> str:
        return "—" if math.isnan(x) else f"{x:.3g}x"

    known = m.margin(margin)
    said = "—" if math.isnan(known) else units.per_cent(known) if known >= 0 else f"{units.per_cent(known)}: below cost"
    if m.covered_from > 0:
        said += f", below cost unless standard has {units.per_cent(m.covered_from)}"
    cost = "beyond the limit" if math.isnan(m.cost_times) and m.speed_times > 0 else times(m.cost_times)
    return [m.name, times(m.price_times), times(m.speed_times), times(m.batch_cut), cost, times(m.buys), said]
