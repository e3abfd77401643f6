"""Trains as text: the ways to depart side by side, what holding saves, and the first trains as a picture."""

from __future__ import annotations

import math

from headway import units
from headway.plan.trains import Timetables, Way
from headway.records.trains import drawn
from headway.tables import columns, table_text

_SHOWN = 6  # trains of each way
_NARROW, _WIDE, _WORDS = 8, 40, 56  # columns of a train, least and most; of what stands beside it


def trains_text(t: Timetables) -> str:
    """Return the tables, what they mean, and the first trains."""
    p = t.plan
    many = "" if p.replicas == 1 else f" on {units.some(p.replicas, 'replica')}, spread evenly"
    lines = [
        f"{p.model.name} on {p.system.name}, {p.layout}: requests at {units.rate(t.rate)}/s{many}",
        f"a full pass of {units.some(t.seats, 'request')} takes {units.seconds(t.step)}{_sure(t)}, with its share of the prompts "
        f"{units.seconds(t.full)}; a request rides {units.some(t.passes, 'pass')}",
        "",
        table_text(_HEADS, [_row(t, w) for w in t.ways]),
        "wait: until a request boards; next token: its pass has arrived, too; $/Mtok: of the replicas at work",
        "",
        *_said(t),
    ]
    if any(not math.isnan(c.wait) for c in t.compared):
        lines += ["", f"held up to {units.seconds(t.hold)} against continuous batching", *_against(t)]
    for w in t.ways:
        lines += [
            "",
            f"{_name(t, w)}: # stay, + board, . free; after the longest wait",
            *_picture(t, w),
        ]
    kept = [w for w in p.warnings if "price" not in w and "cost" not in w]
    return "\n".join([*lines, "", *(f"! {w}" for w in kept)]).rstrip()


_HEADS = [
    "departs", "wait", "simulated", "p99", "next token", "request", "riders", "replicas busy", "$/Mtok",
]  # fmt: skip


def _sure(t: Timetables) -> str:
    """80 % interval of the step, where it is an estimate."""
    sure = t.plan.interval(t.step, t.plan.ideal.seconds)
    return "" if sure is None else f" (80 %: {units.seconds(sure[0])} to {units.seconds(sure[1])})"


def _name(t: Timetables, w: Way) -> str:
    return {
        "timetable": f"every {units.seconds(t.headway)}", "held": f"full, or after {units.seconds(t.hold)}",
        "continuous": "continuously",
    }[w.name]  # fmt: skip


def _row(t: Timetables, w: Way) -> list[str]:
    times = (units.seconds(x) for x in (w.wait, w.simulated, w.p99, w.token, w.request))
    return [_name(t, w), *times, f"{w.riders:,.3g} of {t.seats:,}", f"{w.busy:.3g} of {t.plan.replicas}",
            "—" if w.dollars_per_mtok is None else units.dollars(w.dollars_per_mtok)]  # fmt: skip


def _said(t: Timetables) -> list[str]:
    """Saturation, what holding saves, and when it saves nothing."""
    if t.saturated:
        return [
            f"! saturated: {units.rate(t.rate)} requests/s are no fewer than the {t.carries:.3g} that full trains carry: the queue grows; "
            "a larger --batch, more chips or fewer requests would do"
        ]
    _, held, going = t.ways
    more = held.wait - going.wait
    least = f"{t.slack:.0%}"
    out: list[str] = []
    if t.saves >= t.slack:
        out.append(
            f"holding saves {t.saves:.0%} of what continuous batching takes, for {units.seconds(more)} more of waiting"
        )
    elif t.saves > -t.slack:
        out.append(f"holding saves nothing against continuous batching, and waits {units.seconds(more)} longer")
    else:
        out.append(
            f"holding costs {-t.saves:.0%} more than continuous batching, and waits {units.seconds(more)} longer"
        )
    out.append(_reach(t, least))
    if t.alone is not None:
        out.append(f"each request in passes of its own, at once: {units.dollars(t.alone)}/Mtok")
    out.append("chips that are rented for this traffic alone cost what the timetable costs, however trains depart")
    if math.isinf(t.ways[0].wait):
        out.append(
            f"! the timetable is saturated: trains that leave every {units.seconds(t.headway)} carry fewer; a shorter --headway would do"
        )
    if held.crowded:
        out.append("! held trains wait for a replica longer than for riders: their row is the simulated one")
    return out


def _reach(t: Timetables, least: str) -> str:
    """Where holding saves: rates for this hold, holds at this rate."""
    rates = "at no rate" if t.useful is None else f"from {units.rate(t.useful[0])}/s to {units.rate(t.useful[1])}/s"
    low = "" if t.useful is None else ": below, nobody else comes in time; above, trains fill by themselves"
    if math.isinf(t.enough):
        holds = "no hold does at this rate"
    else:
        holds = f"at this rate a hold does from {units.seconds(t.enough)} on"
    return f"this hold saves {least} or more {rates}{low}; {holds}"


def _against(t: Timetables) -> list[str]:
    """Both ways over rates."""
    body = [
        [f"{units.rate(c.rate)}/s", *_cost(c.continuous_dollars, c.continuous_busy), *_cost(c.held_dollars, c.held_busy),
         "—" if math.isnan(c.wait) else units.seconds(c.wait), "—" if math.isnan(c.fill) else f"{c.fill:.3g}", _share(c.saves)]
        for c in t.compared
    ]  # fmt: skip
    heads = ["requests", "continuous", "busy", "held", "busy", "held wait", "riders", "saves"]
    return [table_text(heads, body), "—: held trains keep every replica at work, and fill while they wait for one"]


def _share(saves: float) -> str:
    """A saving in per cent, nothing where it rounds to nothing."""
    return f"{saves:+.0%}" if abs(saves) >= 0.005 else "0%"


def _cost(dollars: float | None, busy: float) -> tuple[str, str]:
    return "—" if dollars is None else units.dollars(dollars), f"{busy:.3g}"


def _picture(t: Timetables, w: Way) -> list[str]:
    """A line per train: who stays aboard (#), who boards (+), seats (.)."""
    wide = min(t.seats, max(_NARROW, min(_WIDE, (columns() or 100) - _WORDS)))
    out: list[str] = []
    for x in drawn(w, _SHOWN):
        all_of, new = round(wide * x["riders"] / t.seats), round(wide * x["boarded"] / t.seats)
        if x["riders"] and not all_of:
            all_of = 1
        new = min(max(new, 1 if x["boarded"] else 0), all_of)
        bar = "#" * (all_of - new) + "+" * new
        who = "all" if x["boarded"] == x["riders"] else f"{x['boarded']:,}"
        late = f", {who} new after {units.seconds(x['departs_s'] - min(x['arrivals_s']))}" if new else ""
        when = units.seconds(x["departs_s"]) if x["departs_s"] else "0 s"
        out.append(f"  {when:>10} |{bar:.<{wide}}| {units.some(x['riders'], 'rider')}{late}")
    return out
