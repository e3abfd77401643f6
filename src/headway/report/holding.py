"""Where a cache is kept and what it should cost, as text."""

from __future__ import annotations

import math

from headway import units
from headway.economics import Recompute, SoldCache, Tier
from headway.plan.holding import Holding, Offer
from headway.report.loads import money
from headway.tables import table_text

_SMALL = 1e-9  # dollars per token below which zeros hide the number
_FAR = 2.0  # times a drain time may differ before it is said


def holding_text(h: Holding) -> str:
    """Return the places, the cheapest by hold time, what to ask, and what providers ask."""
    out = [
        _whose(h), "", *_places(h), "", *_ranges(h), "", *_drains(h), "", *_offers(h), "", *_market(h),
        *([] if h.plan is None else [f"! {w}" for w in h.plan.warnings]),
    ]  # fmt: skip
    return "\n".join(out)


def _whose(h: Holding) -> str:
    each = f"{units.si(h.kv_bytes, 'B')} of cache per token"
    again = "" if h.recompute is None else f"; computing it anew costs {money(h.recompute.dollars_per_token * 1e6)}"
    if h.plan is None:
        return each + again
    p = h.plan
    return f"{p.model.name} on {p.system.name}, {p.layout} x {p.replicas}, prompts of {p.prompt:,.0f} tokens: {each}{again}"


def _cost(value: float) -> str:
    """Money per million tokens, without the unit."""
    return units.dollars(value * 1e6) if value >= _SMALL or not value else f"${value * 1e6:.3g}"


def _places(h: Holding) -> list[str]:
    heads = [
        "place",
        "capacity",
        "rate",
        "rent",
        "drains in",
        "lecture",
        "store",
        "retrieve",
        "hold an hour",
        "next from",
        "beats computing for",
    ]
    body: list[list[str]] = []
    k = h.kv_bytes
    for number, d in enumerate(h.devices):
        o = d.option()
        size, rate = (units.si(d.capacity, "B"), units.si(d.bandwidth, "B/s")) if d.capacity else ("—", "—")
        drain = units.seconds(o.drain) if isinstance(o, Tier) else "—"
        said, after, until = h.lecture_drain(d), h.next_from(number), h.pays_until(o)
        body.append([
            d.name, size, rate, f"{units.dollars(d.dollars * 3600)}/h", drain, "—" if said is None else units.seconds(said),
            _cost(float(o.store(k))), _cost(float(o.retrieve(k))), _cost(float(o.hold(k)) * 3600), _time(after), _time(until),
        ])  # fmt: skip
    return [
        table_text(heads, body),
        "store, retrieve, hold: dollars per million tokens, for moving them out, bringing them back once, keeping them an hour (E25)",
        "next from: hold time from which the next row costs less; beats computing for: longest time between two uses for which it pays",
    ]  # fmt: skip


def _time(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "—" if value is None else "never"
    return "0" if value <= 0 else units.seconds(value)


def _ranges(h: Holding) -> list[str]:
    parts = [f"{o.name} from {_time(start)}" if start else o.name for start, o in h.ranges]
    never = [o.name for o in h.options if o not in [x for _, x in h.ranges]]
    said = f"; at no hold time: {', '.join(never)}" if never else ""
    return [f"cheapest by hold time: {', '.join(parts)}{said}"]


def _drains(h: Holding) -> list[str]:
    """Where these devices and the lecture's guess of tiers disagree."""
    out: list[str] = []
    for d in h.devices:
        o, said = d.option(), h.lecture_drain(d)
        if said is None or not isinstance(o, Tier) or 1 / _FAR <= o.drain / said <= _FAR:
            continue
        far, how = (o.drain / said, "slower") if o.drain > said else (said / o.drain, "faster")
        out.append(
            f"{d.name} drains in {units.seconds(o.drain)}, {far:.3g}x {how} than the lecture's {units.seconds(said)}"
        )
    shifted = [o for o in h.offers if h.lecture_name(o.place) != o.in_lecture]
    if shifted:
        each = [f"{units.seconds(o.ttl)} in {o.place.name}, not {o.in_lecture}" for o in shifted]
        out.append(f"by cost a cache lies elsewhere than by the lecture's drain times: {', '.join(each)}")
    return out or ["these devices drain as the lecture says, and caches lie where it puts them"]


def _offers(h: Holding) -> list[str]:
    priced, sold = h.recompute is not None, h.recompute is not None and h.margin > 0
    heads = ["kept for", "in", "by drain", "lecture", "used once", "an hour"]
    heads += ["write", "of input", "hit", "of input", "pays from", "buyer's"] if priced else []
    heads += ["input price", "write price", "hit price", "rent an hour"] if sold else []
    body: list[list[str]] = []
    for o in h.offers:
        row = [units.seconds(o.ttl), o.place.name, o.by_drain or "—", o.in_lecture, _cost(o.once), _cost(o.hold * 3600)]
        if priced:
            times = [_times(x / o.price) for x in (o.write_price, o.hit_price)]
            row += [_cost(o.write), times[0], _cost(o.hit), times[1], _hits(o), _number(o.buyer)]
        body.append(
            row
            + (
                [_cost(x) for x in (o.price, o.write_price, o.hit_price, o.hold * 3600 / (1 - h.margin))]
                if sold
                else []
            )
        )
    notes = [
        "in: the cheapest place for that time and one use; by drain, lecture: where the drain time is nearest to it, of these and as the "
        "lecture says (E26)"
    ]
    if priced:
        notes += [
            "write: computing, storing, holding for that time; hit: retrieving, holding for the time that it renews; per million tokens, "
            + (f"prices with a margin of {units.per_cent(h.margin)}" if sold else "at cost (--margin 50% for prices)"),
            "pays from: hits from which keeping beats computing, one after another to each at the last moment; buyer's: hits that pay "
            "for a write at these prices",
        ]  # fmt: skip
    return [table_text(heads, body), *notes]


def _times(value: float) -> str:
    return "—" if math.isnan(value) else f"{value:.4g}x" if value >= 1 else f"{value:.3g}x"


def _number(value: float) -> str:
    return "—" if math.isnan(value) else "never" if math.isinf(value) else f"{value:,.0f}"


def _hits(o: Offer) -> str:
    if isinstance(o.place, Recompute):
        return "never"
    return _number(o.at_once) if o.at_once == o.at_last else f"{_number(o.at_once)} to {_number(o.at_last)}"


def _market(h: Holding) -> list[str]:
    heads = [
        "on the market",
        "ttl",
        "input",
        "write",
        "hit",
        "a second",
        "hits that pay",
        "longest gap",
        *(["here"] if h.recompute else []),
    ]
    body = [_row(h, m) for m in h.market]
    here = "here: write and hit over input at cost, for that time to live; where none is said, holding for an hour"
    return [
        table_text(heads, body),
        "write, hit: over plain input; a second: $ per million tokens and second held, as rent or as the write's premium over its time to "
        "live (SYS-F8)",
        *([here] if h.recompute else []),
        *_ratios(h.market),
    ]


def _row(h: Holding, m: SoldCache) -> list[str]:
    row = [m.provider, m.ttl, units.dollars(m.input), _times(m.write_times), _times(m.hit_times)]
    row.append("—" if math.isnan(m.premium) else f"${m.premium:.5g}")
    row += [_number(m.hits), "—" if math.isinf(m.longest_gap) else units.seconds(m.longest_gap)]
    if h.recompute is not None:
        o = h.for_ttl(3600.0 if math.isnan(m.seconds) else m.seconds)
        row.append(f"{_times(o.write_price / o.price)} {_times(o.hit_price / o.price)} {o.place.name}")
    return row


def _ratios(market: list[SoldCache]) -> list[str]:
    """A second of a shorter time to live over one of a longer, of providers that sell both."""
    by: dict[str, list[SoldCache]] = {}
    for m in market:
        if m.premium > 0 and not math.isnan(m.seconds):
            by.setdefault(m.provider, []).append(m)
    pairs = [sorted(rows, key=lambda m: m.seconds) for rows in by.values() if len(rows) > 1]
    return [
        f"{short.provider}: a second costs {short.premium / long.premium:.3g}x as much for {short.ttl} as for {long.ttl}"
        for short, *_, long in pairs
    ]  # fmt: skip
