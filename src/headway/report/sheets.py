"""Price sheets of tiers, and fleets that fill their free seats, as text."""

from __future__ import annotations

from collections.abc import Sequence

from headway import units
from headway.plan.mixed import Mixed
from headway.plan.sheets import PricedTier
from headway.plan.tiers import TierSheet
from headway.report.loads import money
from headway.tables import table_text


def sheet_text(found: Sequence[PricedTier], output: float) -> str:
    """Return what tiers charge for every kind of token as text.

    Parameters
    ----------
    found : sequence of PricedTier
    output : float
        Tokens of the answers that are priced. [tokens]
    """
    head = ["price sheet", "prompts up to", "input", "cached", "output", "costs", "marginal", "batch"]
    body: list[list[str]] = []
    for t in found:
        for r in t.ranges:
            costs = " ".join(f"{units.dollars(k.average)}" for k in r.costs)
            more = " ".join(f"{units.dollars(k.marginal)}" for k in r.costs)
            body.append(
                [
                    t.name if r is t.ranges[0] else "",
                    f"{r.upto:,.0f}",
                    *(f"${p}" for p in r.prices),
                    costs,
                    more,
                    f"{r.at.batch:,.0f}",
                ]
            )
    notes = [
        f"$/Mtok; a longer prompt is repriced as a whole; answers up to {output:,.0f} tokens; costs and marginal costs of input, cached",
        "input and output at the end of a range; prices cover the highest within it",
    ]
    notes += [f"{t.name} is not sold {t.stops}" for t in found if t.stops]
    for t in found:
        share, pieces, prompt = t.cheapest_cut(output) if t.ranges else (1.0, 1, 0.0)
        if pieces > 1:
            notes.append(
                f"{t.name}: {prompt:,.0f} tokens in {pieces} pieces pay {units.per_cent(share)} of the bill; they do not see one another"
            )
    return "\n".join(["", *table_text(head, body).splitlines(), *notes])


def mixed_text(m: Mixed, sheet: TierSheet) -> str:
    """Return a fleet that fills its free seats with batch work as text.

    Parameters
    ----------
    m : Mixed
    sheet : TierSheet
        What its tier is on.
    """
    a, b = m.alone, m.filled
    batch = f" + {units.rate(b.batch_rate)} of batch work, in up to {units.per_cent(b.seats)} of the seats"
    body = [
        [
            "output",
            f"{units.rate(a.traffic_rate)} tok/s",
            f"{units.rate(b.traffic_rate)} tok/s{batch if b.batch_rate else ''}",
            "",
        ],
        ["TPOT p95", units.seconds(a.tpot), units.seconds(b.tpot), f"promised {units.seconds(m.promised_tpot)}"],
        ["TTFT p95", units.seconds(a.ttft), units.seconds(b.ttft), f"promised {units.seconds(m.promised_ttft)}"],
        ["rent over output", money(m.alone_cost), money(m.mixed_cost), ""],
    ]
    head = [f"{m.tier.name} fleet, {units.rate(m.rate)} requests/s", "alone", "with batch work beside", ""]
    half = m.tier.price / 2
    slow = next((t for t in sheet.tiers if t.at == sheet.floor), None)
    full = "" if slow is None else f" (a price of {slow.cost_times:.2f}x at the least)"
    notes = [
        f"batch work at {m.part:.2g}x the standard price per token pays its part of the rent: of so much of the output is the traffic's",
        f"at half the price of {m.tier.name}, {money(half)}, it brings ${m.gains(half) * 3600:,.2f}/h to a rent of ${m.rent * 3600:,.2f}/h "
        "that is paid anyway",
        f"a full fleet has no such seats: there a slower tier saves {units.per_cent(sheet.saves_at_most)} at most{full};",
        "half price is for seats that are idle and work that can wait (SYS-I6)",
    ]
    return "\n".join(["", *table_text(head, body, left=True).splitlines(), *notes])
