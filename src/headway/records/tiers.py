"""A price sheet of speed tiers as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headway.numeric import finite
from headway.plan.mixed import Mixed
from headway.plan.promises import Promise
from headway.plan.sheets import PricedTier
from headway.plan.speeds import Speed
from headway.plan.tiers import TierSheet


def tiers_record(s: TierSheet) -> dict[str, Any]:
    """Return a price sheet as plain data for ``--json``: SI units, names end in the unit where it is not a count."""
    return {
        "model": s.setting.model.name, "system": s.setting.system.name, "prompt": s.setting.prompt, "output": s.setting.output,
        "margin": s.margin, "saves_at_most": s.saves_at_most, "fastest": _speed(s.fastest), "cheapest": _speed(s.floor),
        "tiers": [
            {
                "name": t.name, **_speed(t.at), "speed_times": t.times, "cost_times": t.cost_times, "batch_cut": t.batch_cut,
                "price_dollars_per_mtok": t.price, "marginal_dollars_per_mtok": t.marginal, "loses_below": t.loses_below,
                "pays_from_dollars_per_h": finite(t.pays_from),
            }
            for t in s.tiers
        ],
        "beyond": [{"name": b.name, "speed_times": b.times, "at_most_times": b.most} for b in s.beyond],
        "curve": [_speed(p) for p in s.curve],
        "market": [
            {
                "name": m.name, "price_times": finite(m.price_times), "speed_times": finite(m.speed_times),
                "batch_cut": finite(m.batch_cut), "cost_times": finite(m.cost_times), "buys_speed_times": finite(m.buys),
                "covered_from_margin": finite(m.covered_from), "margin": finite(m.margin(s.margin)),
                "source": m.source, "date": m.date,
            }
            for m in s.market
        ],
    }  # fmt: skip


def sheet_record(found: Sequence[PricedTier], output: float) -> list[dict[str, Any]]:
    """Return what tiers charge for every kind of token as plain data.

    Parameters
    ----------
    found : sequence of PricedTier
    output : float
        Tokens of the answers that are priced. [tokens]
    """
    rows: list[dict[str, Any]] = []
    for t in found:
        share, pieces, prompt = t.cheapest_cut(output) if t.ranges else (1.0, 1, 0.0)
        ranges = [
            {
                "upto_tokens": r.upto, "batch": r.at.batch, "hold_dollars_per_mtok": r.hold,
                "kinds": [
                    {
                        "name": k.name, "price_dollars_per_mtok": str(p), "average_dollars_per_mtok": finite(k.average),
                        "marginal_dollars_per_mtok": finite(k.marginal),
                    }
                    for k, p in zip(r.costs, r.prices, strict=True)
                ],
            }
            for r in t.ranges
        ]  # fmt: skip
        rows.append(
            {
                "name": t.name,
                "ranges": ranges,
                "stops": t.stops,
                "cut": {"share": share, "pieces": pieces, "prompt_tokens": prompt},
            }
        )
    return rows


def mixed_record(m: Mixed) -> dict[str, Any]:
    """Return a fleet that fills its free seats with batch work as plain data."""
    runs = {
        name: {
            "seats": p.seats, "tpot_p95_s": finite(p.tpot), "ttft_p95_s": finite(p.ttft), "traffic_tokens_per_s": p.traffic_rate,
            "batch_tokens_per_s": p.batch_rate,
        }
        for name, p in (("alone", m.alone), ("filled", m.filled))
    }  # fmt: skip
    return {
        "tier": m.tier.name, "traffic": m.traffic, "requests_per_s": m.rate, "promised_tpot_s": m.promised_tpot,
        "promised_ttft_s": m.promised_ttft, "rent_dollars_per_s": m.rent, **runs, "alone_dollars_per_mtok": m.alone_cost,
        "mixed_dollars_per_mtok": m.mixed_cost, "batch_price_times": m.part,
        "half_price_brings_dollars_per_s": m.gains(m.tier.price / 2),
    }  # fmt: skip


def promises_record(found: Sequence[Promise]) -> list[dict[str, Any]]:
    """Return what tiers can promise as plain data."""
    return [
        {
            "name": p.name, "requests_per_s": p.rate, "dollars_per_mtok": finite(p.cost), "promised_tpot_p95_s": p.promised,
            "tpot_p95_s": finite(p.tpot), "ttft_p95_s": finite(p.ttft), "kept": p.kept,
        }
        for p in found
    ]  # fmt: skip


def _speed(p: Speed) -> dict[str, Any]:
    return {
        "layout": str(p.layout), "batch": p.batch, "tpot_s": p.tpot, "ttft_s": finite(p.ttft), "tokens_per_s": p.speed,
        "dollars_per_mtok": p.cost, "output_tokens_per_s": p.output_rate,
    }  # fmt: skip
