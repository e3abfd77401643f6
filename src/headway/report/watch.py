"""A reading of a running server as text: a page for a terminal, a line elsewhere."""

from __future__ import annotations

import math
from datetime import datetime

from headway import units
from headway.measure.scrapes import Histogram
from headway.measure.watching import Reading


def reading_text(r: Reading) -> str:
    """Return a reading as a page."""
    m = r.met
    when = datetime.fromtimestamp(r.when).strftime("%H:%M:%S")
    lines = [
        f"{r.model or r.family} on {r.system} as {r.layout}    {when}, over {units.seconds(m.seconds)}", "",
        _row("batch", _number(m.batch), _batch(r)),
        _row("tokens", f"{_rate(m.output_rate)}/s out", f"{_rate(m.prompt_rate)}/s in; {_number(m.requests)} requests/s"),
        *_pass(r),
        *_cache(r),
        *_cost(r),
        *_limit("TTFT", r.ttft, r.limits[0], r.within[0]),
        *_limit("token", r.gap, r.limits[1], r.within[1]),
        *_room(r),
        *_drift(r),
    ]  # fmt: skip
    return "\n".join([*lines, *(f"! {x}" for x in r.remarks)])


def reading_line(r: Reading) -> str:
    """Return a reading as one line."""
    m = r.met
    when = datetime.fromtimestamp(r.when).strftime("%H:%M:%S")
    parts = [when, f"batch {_number(m.batch)}", f"{_rate(m.output_rate)} tok/s out", f"{_rate(m.prompt_rate)} in"]
    if r.at is not None:
        parts += [
            f"pass {units.seconds(m.pass_seconds)}", f"{r.over_floor:.3g}x floor", f"{r.over_estimate:.3g}x estimate",
            f"MFU {units.per_cent(r.at.mfu)}", f"MBU {units.per_cent(r.at.mbu)}",
        ]  # fmt: skip
    if m.found_rate > 0:
        parts.append(f"found {units.per_cent(m.found_rate / m.prompt_rate)}" if m.prompt_rate > 0 else "")
    if not math.isnan(r.allocation):
        parts.append(f"{units.dollars(r.allocation)}/Mtok")
    if r.drift is not None and r.drift.drifted:
        parts.append(f"! {_drifted(r)}")
    return "  ".join(p for p in parts if p)


def _row(what: str, value: str, note: str = "") -> str:
    return f"{what:<9} {value:<16} {note}".rstrip()


def _number(value: float) -> str:
    return "—" if math.isnan(value) else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _rate(value: float) -> str:
    return "—" if math.isnan(value) else units.rate(value)


def _batch(r: Reading) -> str:
    m = r.met
    pool = "" if math.isnan(m.kv_usage) else f", pool {units.per_cent(m.kv_usage)} full"
    who = f"sequences decode; {_number(m.running)} run, {_number(m.waiting)} wait"
    return f"{who}; {_number(m.context)} tokens in each cache{pool}"


def _pass(r: Reading) -> list[str]:
    at = r.at
    if at is None:
        return [_row("pass", "—", "too little was decoded to time one")]
    inside = "" if math.isnan(at.low) else f" ({units.seconds(at.low)} to {units.seconds(at.high)})"
    outside = f"; outside its evidence: {', '.join(at.outside)}" if at.outside else ""
    floor = f"{r.over_floor:.3g}x the floor of {units.seconds(at.floor)}"
    estimate = (
        f"{r.over_estimate:.3g}x the estimate of {units.seconds(at.estimate)}{inside}, mostly {at.bound}{outside}"
    )
    return [
        _row(
            "pass",
            units.seconds(r.met.pass_seconds),
            f"{floor} at {at.riders:.3g} sequences and {at.prompts:.3g} prompt tokens",
        ),
        _row("", "", estimate),
        _row(
            "chips",
            f"MFU {units.per_cent(at.mfu)}",
            f"MBU {units.per_cent(at.mbu)}; passes run {units.per_cent(r.met.busy)} of the time",
        ),
    ]


def _cache(r: Reading) -> list[str]:
    m = r.met
    if not m.found_rate > 0 or not m.prompt_rate > 0:
        return []
    saves = "" if r.at is None else f"saves {units.per_cent(r.at.saved)} of the chips' time"
    money = "" if math.isnan(r.saved_dollars_rate) else f", {units.dollars(r.saved_dollars_rate * 3600)}/h"
    return [_row("cache", f"{units.per_cent(m.found_rate / m.prompt_rate)} found", saves + money)]


def _cost(r: Reading) -> list[str]:
    if math.isnan(r.allocation):
        return []
    shared = (
        ""
        if math.isnan(r.split[1])
        else f"; {units.dollars(r.split[0])} in and {units.dollars(r.split[1])} out, prompts paying what they add"
    )
    return [
        _row("cost", f"{units.dollars(r.allocation)}/Mtok", f"of output, the whole rent of {units.dollars(r.rent * 3600)}/h{shared}"),
        _row("", f"{units.dollars(r.usage)}/Mtok", "while passes run"),
    ]  # fmt: skip


def _limit(what: str, h: Histogram | None, limit: float, within: float) -> list[str]:
    if h is None or not h.count > 0:
        return []
    shown = ", ".join(f"p{q * 100:g} {units.seconds(h.quantile(q))}" for q in (0.5, 0.9, 0.99))
    kept = (
        ""
        if math.isinf(limit)
        else f"; {units.per_cent(within)} within {units.seconds(limit)}, mean {_beside(h.mean, limit)}"
    )
    return [_row(what, units.seconds(h.mean), shown + kept)]


def _beside(mean: float, limit: float) -> str:
    return f"{units.per_cent(abs(1 - mean / limit))} {'below' if mean <= limit else 'ABOVE'} it"


def _room(r: Reading) -> list[str]:
    if r.at is None or math.isnan(r.at.room):
        return []
    more = r.at.room - r.met.batch
    if more < 0:
        return [_row("room", "none", f"the limit holds up to {_number(r.at.room)} sequences")]
    return [
        _row(
            "room",
            f"{_number(more)} more",
            f"sequences until a token takes {units.seconds(r.limits[1])}, or memory is full",
        )
    ]


def _drift(r: Reading) -> list[str]:
    if r.drift is None:
        return []
    said = _drifted(r) if r.drift.drifted else f"as ever: {r.drift.ratio:.3g}x of its past"
    return [
        ("! " if r.drift.drifted else "")
        + _row("drift", f"{r.drift.ratio:.3g}x", f"{said} ({r.drift.readings} readings, at the load of each)")
    ]


def _drifted(r: Reading) -> str:
    assert r.drift is not None
    change = r.drift.ratio - 1
    return f"{units.per_cent(abs(change))} {'slower' if change > 0 else 'faster'} than its past"
