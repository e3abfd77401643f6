"""Bills as plain data. Money is text: exact decimals."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from headway.economics.bills import Usage
from headway.economics.offers import Offer
from headway.economics.quotes import DAYS, Quote
from headway.economics.self_hosting import Crossing
from headway.economics.spending import Capped
from headway.economics.usage_logs import Ledger
from headway.numeric import finite
from headway.plan.bills import Billed
from headway.plan.break_even import BreakEven, Cell


def amount(value: Decimal | None) -> str | None:
    """Return an amount as text without trailing zeros: ``1.218``.

    Parameters
    ----------
    value : Decimal or None
        [$]
    """
    return None if value is None else f"{value.normalize():f}"


def _offer(o: Offer) -> dict[str, Any]:
    row = o.listed
    return {
        "provider": row.provider, "model": row.model, "hours_utc": str(row.hours)[:11] if row.hours else None,
        "valid_from": str(row.begin) if row.begin else None, "looked_up": str(row.looked_up) if row.looked_up else None,
        "age_days": o.age, "stale": o.stale, "odd": o.odd or None, "source": row.source, "row": row.place,
    }  # fmt: skip


def quote_record(q: Quote, per_day: Decimal | None = None) -> dict[str, Any]:
    """Return a quote as plain data.

    Parameters
    ----------
    q : Quote
    per_day : Decimal or None
        [requests/day]
    """
    total = q.bill.total if q.bill else None
    each = total * per_day if total is not None and per_day is not None else None
    return _offer(q.offer) | {
        "lines_dollars": {k: amount(v) for k, v in q.bill.lines.items()} if q.bill else None,
        "dollars_per_request": amount(total),
        "dollars_per_day": amount(each),
        "dollars_per_month": amount(None if each is None else each * DAYS),
        "notes": list(q.notes),
    }


def billed_record(b: Billed) -> dict[str, Any]:
    """Return a workload's bills as plain data for ``--json``."""
    work = b.work
    return {
        "day": str(b.day), "tier": work.tier, "prompt_tokens": int(work.prompt), "output_tokens": int(work.output),
        "cached_tokens": int(work.cached), "written_tokens": {k: int(v) for k, v in work.writes.items()},
        "stored_token_hours": amount(work.stored), "requests_per_day": amount(work.per_day),
        "models": [
            {"model": m.model, "quotes": [quote_record(q, work.per_day) for q in m.quotes], "notes": list(m.notes)} for m in b.models
        ],
        "warnings": list(b.warnings),
    }  # fmt: skip


def billed_rows(b: Billed) -> list[dict[str, Any]]:
    """Return a row for every provider and model, for ``--csv``."""
    rows: list[dict[str, Any]] = []
    for m in b.models:
        for q in m.quotes:
            r = quote_record(q, b.work.per_day)
            lines = r.pop("lines_dollars") or {}
            names = (
                "input",
                "output",
                "cache_hit",
                "cache_write_5m",
                "cache_write_30m",
                "cache_write_1h",
                "cache_write_12h",
                "storage",
            )
            rows.append(
                {"asked": m.model, **r, "notes": "; ".join(r["notes"]), **{f"{n}_dollars": lines.get(n) for n in names}}
            )
    return rows


def _usage(u: Usage) -> dict[str, int]:
    return {
        "input_tokens": int(u.input), "cached_tokens": int(u.cache_hit), "written_tokens": int(u.writes), "output_tokens": int(u.output),
    }  # fmt: skip


def ledger_rows(ledger: Ledger) -> list[dict[str, Any]]:
    """Return a row for every provider and model, for ``--csv``."""
    return [
        _offer(t.offer) | {"requests": t.requests, **_usage(t.usage), "tiers": " ".join(f"{k}:{v}" for k, v in t.tiers.items()),
                           "dollars": amount(t.dollars)}
        for t in ledger.totals
    ]  # fmt: skip


def ledger_record(ledger: Ledger) -> dict[str, Any]:
    """Return a log's bill as plain data for ``--json``."""
    return {
        "file": ledger.name, "rows": ledger.rows,
        "totals": [
            row | {"tiers": [{"tier": k, "requests": v} for k, v in t.tiers.items()]}
            for row, t in zip(ledger_rows(ledger), ledger.totals, strict=True)
        ],
        "dollars": [{"provider": k, "dollars": amount(v)} for k, v in ledger.dollars.items()],
        "bad": [{"line": b.line, "why": b.why} for b in ledger.bad],
        "warnings": list(ledger.warnings), "notes": list(ledger.notes),
    }  # fmt: skip


def capped_records(found: Sequence[Capped]) -> list[dict[str, Any]]:
    """Return what a cap lets through as plain data.

    Parameters
    ----------
    found : sequence of Capped
    """
    return [
        {"provider": c.provider, "cap_dollars": amount(c.cap), "requests": len(c.taken), "spent_dollars": amount(c.spent),
         "over_dollars": amount(c.over), "refused_requests": len(c.refused), "without_cap_dollars": amount(c.without),
         "reached_at_line": None if c.at is None else c.at.line, "dearest_dollars": amount(c.dearest.dollars),
         "dollars_per_day": amount(c.per_day), "lasts_days": amount(c.lasts)}
        for c in found
    ]  # fmt: skip


def _crossing(c: Crossing) -> dict[str, Any]:
    return {
        "requests_per_s": None if c.first is None else float(c.first),
        "always_from_requests_per_s": None if c.always is None else float(c.always),
        "systems_there": c.systems or None,
    }  # fmt: skip


def _cell(b: BreakEven, c: Cell) -> dict[str, Any]:
    found = c.capacity
    return {
        "cache_hit_share": c.hits, "ttft_s": finite(found.slo.ttft), "tpot_s": finite(found.slo.tpot), "within": found.slo.within,
        "capacity_requests_per_s": found.most.value.value, "capacity_low": finite(found.most.value.low),
        "capacity_high": finite(found.most.value.high), "binds": found.most.binds, "layout": str(found.deployment.layout),
        "replicas": found.bench.replicas,
        "cheapest": quote_record(c.cheapest), "median_dollars_per_request": amount(c.median),
        "break_even": [
            {"rent": r.name, "against_cheapest": _crossing(b.crossing(c, r, c.least)),
             "against_median": _crossing(b.crossing(c, r, c.median))}
            for r in b.rents
        ],
        "loads": [
            {"share_of_capacity": share, "requests_per_s": float(rate),
             "self_hosted": [{"rent": r.name, "dollars_per_request": float(each), "saves_dollars_per_s": float(saved)}
                             for r, (each, saved) in zip(b.rents, at, strict=True)]}
            for share, rate, at in b.loads(c)
        ],
        "providers": [
            quote_record(q) | {"break_even": [{"rent": r.name, **_crossing(b.crossing(c, r, q.bill.total))} for r in b.rents]}
            for q in c.quotes if q.bill
        ],
    }  # fmt: skip


def break_even_record(b: BreakEven) -> dict[str, Any]:
    """Return self-hosting against API prices as plain data for ``--json``."""
    return {
        "model": b.model, "system": b.system.name, "chips": b.system.chips, "day": str(b.day), "prompt_tokens": int(b.work.prompt),
        "output_tokens": int(b.work.output), "tier": b.work.tier, "busy_hours_per_day": float(b.busy),
        "rents": [{"name": r.name, "dollars_per_hour": amount(r.per_hour),
                   "paid_hours_per_day": float(r.hours), "note": r.note} for r in b.rents],
        "cells": [_cell(b, c) for c in b.cells], "notes": list(b.notes),
    }  # fmt: skip


def break_even_rows(b: BreakEven) -> list[dict[str, Any]]:
    """Return a row for every SLO, share of cache hits, rent and provider, for ``--csv``."""
    rows: list[dict[str, Any]] = []
    for c in b.cells:
        slo = {"ttft_s": finite(c.capacity.slo.ttft), "tpot_s": finite(c.capacity.slo.tpot), "cache_hit_share": c.hits}
        for q in (q for q in c.quotes if q.bill):
            total = q.bill.total if q.bill else Decimal(0)
            for r in b.rents:
                rows.append({
                    **slo, "capacity_requests_per_s": float(c.carried), "provider": q.offer.listed.provider,
                    "api_model": q.offer.listed.model,
                    "api_dollars_per_request": amount(total), "rent": r.name, **_crossing(b.crossing(c, r, total)),
                })  # fmt: skip
    return rows
