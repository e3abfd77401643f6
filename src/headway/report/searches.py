"""What a search found, as text: the best, the frontier, why the others lost, the fleet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from headway import units
from headway.questions import Query
from headway.search import Option, SearchAnswer, spent
from headway.tables import table_text

_ROWS = 14  # of the frontier in text; --json and --csv have all


def search_text(answer: SearchAnswer) -> str:
    """Return the answer as text."""
    q = answer.query
    out = [f"{answer.best.found.where.model.name} on {', '.join(o.system for o in answer.systems)}", _asked(q), ""]
    out += ["best", *_best(answer.best)]
    if answer.fleets:
        out += ["", f"fleet for {units.rate(q.rate or 0)} requests/s", *_fleet(answer.fleets[0])]
        if len(answer.fleets) > 1:
            out += ["", _fleets(answer.fleets)]
    if len(answer.systems) > 1:
        out += ["", "systems", _options(answer.systems, system=True)]
    shown = _spread(answer.frontier)
    more = f" ({len(shown)} of {len(answer.frontier)} points)" if len(shown) < len(answer.frontier) else ""
    out += [
        "",
        f"frontier: no other point has more for a user and per chip{more}",
        _options(shown, system=_many(answer)),
    ]
    if answer.losers:
        out += ["", "runners-up", _losers(answer)]
    e = answer.evaluated
    split = f" and {units.some(e['pairs_of_pools'], 'pair of pools')}" if e["pairs_of_pools"] else ""
    big = (
        f"; {e['layouts_too_big']:,} more {'does' if e['layouts_too_big'] == 1 else 'do'} not fit"
        if e["layouts_too_big"]
        else ""
    )
    out += [
        "",
        f"looked at {units.some(e['layouts'], 'layout')} at {units.some(e['points'], 'batch')}{split}, "
        f"{e['meet_the_limits']:,} within the limits{big}",
    ]
    out += [f"! {w}" for w in answer.warnings]
    return "\n".join(out)


def _asked(q: Query) -> str:
    says = [f"{units.some(q.prompt, 'token')} in, {q.output:,.0f} out", f"lowest {q.minimise}"]
    for name, limit in (("TTFT", q.ttft), ("TPOT", q.tpot)):
        if limit is not None:
            says.append(f"{name} at most {units.seconds(limit)}")
    if q.sure:
        says.append("surely (upper ends of the intervals)")
    if q.overlap:
        says.append("two-batch overlap where it is faster")
    if q.drafts:
        says.append(
            f"{units.some(q.drafts, 'token')} drafted per pass for nothing, accepted as in the engine's evidence"
        )
    return "; ".join(says)


def _ends(value: tuple[float, float, float]) -> str:
    return f"{units.seconds(value[0])} to {units.seconds(value[2])}"


def _best(o: Option) -> list[str]:
    d = o.deployment
    pools = f"{d.decode.replicas} x {units.some(d.decode.layout.chips, 'chip')}"
    if d.prefill:
        pools = f"prompts on {d.prefill.replicas} x {units.some(d.prefill.layout.chips, 'chip')}, answers on {pools}"
    idle = f", {o.idle:,.0f} of {o.chips:,.0f} chips idle" if o.idle else ""
    parts = spent(o)
    total = sum(parts.values())
    top = sorted(parts.items(), key=lambda p: -p[1])
    share = ", ".join(f"{name} {100 * v / total:.0f} %" for name, v in top if v / total >= 0.01)
    rows = [
        ("layout", str(d), pools + idle),
        ("batch", f"{o.batch:,.0f}", "requests in flight on each replica that decodes"),
        ("TPOT", units.seconds(o.tpot[1]), f"80 %: {_ends(o.tpot)}; floor {units.seconds(o.tpot_floor)}"),
        ("TTFT", units.seconds(o.ttft[1]), f"80 %: {_ends(o.ttft)}"),
        ("request", units.seconds(o.request[1]), f"80 %: {_ends(o.request)}"),
        ("per user", f"{o.per_user:,.1f} tok/s", ""),
        ("per chip", f"{_few(o.per_chip)} tok/s", f"{units.rate(o.rate)} tok/s in all"),
    ]
    if o.per_mtok:
        low, value, high = (units.dollars(v) for v in o.per_mtok)
        rows.append(("cost", f"{value}/Mtok", f"of output, prompts included; 80 %: {low} to {high}"))
    rows.append(
        (
            "memory",
            f"{o.memory / 1e9:,.0f} GB per chip",
            f"of {o.account.capacity / 1e9:,.0f}, with sequences of {units.some(o.account.tokens, 'token')}",
        )
    )
    rows.append(("goes to", share, ""))
    return _aligned(rows)


def _aligned(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    a = max(len(r[0]) for r in rows)
    b = max(len(r[1]) for r in rows[:-1]) if len(rows) > 1 else 0
    return [f"  {x:<{a}}  {y:<{b}}  {z}".rstrip() for x, y, z in rows]


def _fleet(one: Option) -> list[str]:
    f = one.fleet
    system = one.found.where.system
    two = one.found.prompts is not one.found.where
    boxes = f.chips / system.chips
    size = (
        f"of {one.system}" if two else f"{boxes:,.0f} x {system.name}" if boxes == round(boxes) else f"of {system.name}"
    )
    if f.spare:
        each = f"{f.spare} of each" if two else f"{f.spare} of them"
        size += f", {each if one.found.where.pays_all else units.some(f.spare, 'replica')} spare"
    price = f"{units.dollars(f.dollars * 3600)}/h" if math.isfinite(f.dollars) else "no price"
    carried = one.found.where.output * f.most * f.utilisation
    cost = f"; {units.dollars(f.dollars / carried * 1e6)}/Mtok at this rate" if math.isfinite(f.dollars) else ""
    rows = [
        ("made of", str(one.deployment), f"batch {one.batch:,.0f} on {one.system}"),
        ("chips", f"{f.chips:,.0f}", size),
        ("costs", price, f"{one.system}{cost}"),
        ("seats", f"{100 * f.utilisation:.0f} % taken", f"saturates at {units.rate(f.most)} requests/s"),
        (
            "queue",
            f"{units.per_cent(f.waiting, 2)} find no seat",
            f"waits for a seat and for a prompt's turn are {_wait(f.wait)} on average, inside TTFT",
        ),
        (
            "TTFT",
            units.seconds(f.ttft),
            f"TPOT {units.seconds(f.tpot)}, request {units.seconds(f.request)}, all seats taken",
        ),
    ]
    return [*_aligned([*rows, ("", "", "")])[:-1]]


def _wait(value: float) -> str:
    return "below 1 µs" if 0 < value < 1e-6 else units.seconds(value)


def _fleets(fleets: Sequence[Option]) -> str:
    heads = ["system", "fleet", "chips", "$/h", "taken", "TTFT", "TPOT"]
    body = [
        [x.system, str(x.deployment), f"{x.fleet.chips:,.0f}",
         units.dollars(x.fleet.dollars * 3600) if math.isfinite(x.fleet.dollars) else "—",
         f"{100 * x.fleet.utilisation:.0f} %", units.seconds(x.fleet.ttft), units.seconds(x.fleet.tpot)]
        for x in fleets
    ]  # fmt: skip
    return table_text(heads, body)


def _many(answer: SearchAnswer) -> bool:
    return len(answer.systems) > 1


def _spread(options: Sequence[Option]) -> list[Option]:
    """Return at most so many options, evenly over the list, its ends included."""
    if len(options) <= _ROWS:
        return list(options)
    chosen = {round(i * (len(options) - 1) / (_ROWS - 1)) for i in range(_ROWS)}
    return [options[i] for i in sorted(chosen)]


def _options(options: Sequence[Option], *, system: bool) -> str:
    heads = ["tok/s/user", "tok/s/chip", "$/Mtok", "TTFT", "TPOT", "batch", "layout"]
    body = [
        [f"{o.per_user:,.1f}", _few(o.per_chip), units.dollars(o.per_mtok[1]) if o.per_mtok else "—",
         units.seconds(o.ttft[1]), units.seconds(o.tpot[1]), f"{o.batch:,.0f}", str(o.deployment)]
        for o in options
    ]  # fmt: skip
    if system:
        heads, body = ["system", *heads], [[o.system, *row] for o, row in zip(options, body, strict=True)]
    return table_text(heads, body)


def _few(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _losers(answer: SearchAnswer) -> str:
    many = _many(answer)
    rows: list[list[str]] = []
    for x in answer.losers:
        name = f"{x.system}: {x.deployment}" if many else str(x.deployment)
        rows.append([name, x.reason])
    return table_text(["layout", "lost because"], rows, left=True)


def grid_text(labels: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a grid's cells as a table: the best option of each, or why it was refused."""
    heads = ["cell", "tok/s/user", "tok/s/chip", "$/Mtok", "TTFT", "layout"]
    fleets = any(r["fleet"] for r in rows)
    body: list[list[str]] = []
    for label, r in zip(labels, rows, strict=True):
        if r["refused"]:
            body.append([label, "", "", "", "", r["refused"]] + ([""] if fleets else []))
            continue
        cost = units.dollars(r["dollars_per_mtok"]) if r["dollars_per_mtok"] is not None else "—"
        per = [f"{r['tok_s_per_user']:,.1f}", f"{r['tok_s_per_chip']:,.0f}"]
        line = [label, *per, cost, units.seconds(r["ttft_s"]), r["layout"]]
        body.append(
            line + ([f"{r['fleet']} ({units.some(r['fleet_chips'], 'chip')})" if r["fleet"] else ""] if fleets else [])
        )
    return table_text([*heads, "fleet"] if fleets else heads, body)
