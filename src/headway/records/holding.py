"""Where a cache is kept and what it should cost, as plain data."""

from __future__ import annotations

from typing import Any

from headway.economics import Device, SoldCache, Tier
from headway.numeric import finite
from headway.plan.holding import Holding, Offer


def holding_record(h: Holding) -> dict[str, Any]:
    """Return the answer as plain data for ``--json``: SI units, names end in the unit where it is not a count."""
    p, again = h.plan, h.recompute
    return {
        "model": None if p is None else p.model.name, "system": None if p is None else p.system.name,
        "layout": None if p is None else str(p.layout), "prompt": None if p is None else p.prompt, "bytes_per_token": h.kv_bytes,
        "computing_dollars_per_mtok": None if again is None else again.dollars_per_token * 1e6, "margin": h.margin,
        "places": place_rows(h),
        "cheapest": [{"from_s": start, "place": o.name} for start, o in h.ranges],
        "offers": [_offer(o, h.margin) for o in h.offers],
        "market": [_sold(m) for m in h.market],
        "warnings": [] if p is None else p.warnings,
    }  # fmt: skip


def place_rows(h: Holding) -> list[dict[str, Any]]:
    """Return a row per place.

    Parameters
    ----------
    h : Holding
    """
    return [_place(h, number, device) for number, device in enumerate(h.devices)]


def _place(h: Holding, number: int, d: Device) -> dict[str, Any]:
    option, k = d.option(), h.kv_bytes
    drain = option.drain if isinstance(option, Tier) else None
    return {
        "name": d.name, "kind": d.kind, "capacity_bytes": d.capacity or None, "bandwidth_bytes_per_s": d.bandwidth or None,
        "dollars_per_h": d.dollars * 3600, "drain_s": drain, "drain_in_lecture_s": h.lecture_drain(d),
        "store_dollars_per_mtok": float(option.store(k)) * 1e6, "retrieve_dollars_per_mtok": float(option.retrieve(k)) * 1e6,
        "hold_dollars_per_mtok_h": float(option.hold(k)) * 3.6e9,
        "next_from_s": None if (after := h.next_from(number)) is None else finite(after),
        "pays_until_s": None if (until := h.pays_until(option)) is None else finite(until),
        "note": d.note, "source": d.source, "date": d.date, "licence": d.licence,
    }  # fmt: skip


def _offer(o: Offer, margin: float) -> dict[str, Any]:
    each = {
        "once": o.once,
        "write": o.write,
        "hit": o.hit,
        "input_price": o.price,
        "write_price": o.write_price,
        "hit_price": o.hit_price,
    }
    return {
        "ttl_s": o.ttl, "place": o.place.name, "place_by_drain": o.by_drain or None, "place_in_lecture": o.in_lecture,
        **{f"{name}_dollars_per_mtok": finite(value * 1e6) for name, value in each.items()},
        "hold_dollars_per_mtok_h": o.hold * 3.6e9, "hold_price_dollars_per_mtok_h": o.hold * 3.6e9 / (1 - margin),
        "write_times": finite(o.write_price / o.price), "hit_times": finite(o.hit_price / o.price),
        "hits_at_once": finite(o.at_once), "hits_at_last": finite(o.at_last), "hits_for_buyer": finite(o.buyer),
    }  # fmt: skip


def _sold(m: SoldCache) -> dict[str, Any]:
    return {
        "provider": m.provider, "ttl": m.ttl, "ttl_s": finite(m.seconds), "input_dollars_per_mtok": finite(m.input),
        "write_times": finite(m.write_times), "hit_times": finite(m.hit_times), "rent_dollars_per_mtok_h": m.rent * 3600,
        "premium_dollars_per_mtok_s": finite(m.premium), "hits": finite(m.hits), "longest_gap_s": finite(m.longest_gap),
        "note": m.note, "source": m.source, "date": m.date,
    }  # fmt: skip
