"""Which models take requests, as text."""

from __future__ import annotations

import math

from headway import units
from headway.plan.model_choice import Candidate, ModelChoice
from headway.report.bills import plain_table


def choice_text(c: ModelChoice) -> str:
    """Return every model with its price and limits, who takes how many, and what one alone would cost."""
    asked = [f"{c.work.prompt:,} tokens in, {c.work.output:,} out"]
    asked += [] if c.rate is None else [f"{_rate(c.rate)} requests a minute"]
    asked += [] if c.floor is None else [f"quality of at least {c.floor:g}"]
    asked += [] if c.within is None else [f"answers within {units.seconds(c.within)}"]
    heads = ["model", "provider", "tier", "quality", "an answer", "a request", "takes at most", "bound by", "takes"]
    taken = {id(s.candidate): s.rate for s in c.shares}
    rows = [_row(x, taken.get(id(x))) for x in c.candidates]
    return "\n".join([
        f"{'; '.join(asked)}; prices in force on {c.day}", "", *(f"! {w}" for w in c.warnings), plain_table(heads, rows), "", *_chosen(c)
    ])  # fmt: skip


def _rate(value: float) -> str:
    return "all" if math.isinf(value) else f"{value:,.4g}"


def _minute(value: float) -> str:
    return "any number" if math.isinf(value) else f"{_rate(value)} a minute"


def _row(x: Candidate, taken: float | None) -> list[str]:
    a, q = x.account, x.quote
    provider = a.provider if q is None else q.offer.listed.provider
    quality = "—" if a.quality is None else f"{a.quality:g}"
    answer = "—" if math.isnan(x.seconds) else units.seconds(x.seconds)
    takes = x.refused if x.refused else "—" if taken is None else _rate(taken)
    return [
        a.model,
        provider,
        a.tier,
        quality,
        answer,
        units.dollars(x.dollars),
        _minute(x.most),
        x.binds or "—",
        takes,
    ]


def _chosen(c: ModelChoice) -> list[str]:
    each = units.dollars(c.dollars)
    if c.rate is None:
        first = c.shares[0].candidate
        return [
            f"cheapest   {first.account.model}, {each} a request, {_minute(first.most)}; all together take {_minute(c.most)}"
        ]
    parts = [f"{s.candidate.account.model} {_rate(s.rate)} ({units.per_cent(s.rate / c.rate)})" for s in c.shares]
    out = [f"choice     {', '.join(parts)}: {each} a request, {units.dollars(c.dollars * c.rate * 60)} an hour"]
    alone = c.alone
    if alone is None:
        out.append("alone      no model that may takes all of them")
    elif len(c.shares) > 1:
        out.append(f"alone      {alone.account.model} takes all of them at {alone.dollars / c.dollars:.3g}x that")
    out.append(f"room       those that may take any take {_minute(c.most)} together")
    return out
