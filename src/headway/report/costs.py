"""What tokens cost, as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from headway import units
from headway.plan.costs import Costs, TokenCost
from headway.plan.costs_checked import Checked
from headway.report.loads import money
from headway.roofline import Energy
from headway.tables import table_text


def costs_text(c: Costs) -> str:
    """Return costs as text: the rent, what each kind of token pays of it, energy by term."""
    return "\n".join([*_head(c), "", *_kinds(c), *_energy(c)])


def _head(c: Costs) -> list[str]:
    s, case = c.setting, c.answer.case
    found = f" ({s.found:,.0f} of them found in the prefix cache)" if s.found else ""
    replicas = f" x {case.copies}" if case.copies > 1 else ""
    lines = [
        f"{s.model.name} on {s.system.name} as {case.layout}{replicas}: {units.some(s.prompt, 'token')} in{found}, {s.output:,.0f} out, "
        f"{case.in_flight:,.3g} in flight, {units.rate(c.rate)} requests/s",
        "",
        f"rent    ${c.rent * 3600:,.2f}/h for {units.some(s.system.chips, 'chip')}, {_rented(c)}",
        f"passes  run {units.per_cent(c.busy)} of the time; TPOT {units.seconds(c.answer.tpot)}, TTFT {units.seconds(c.answer.ttft)}",
    ]
    if c.owned is None:
        return lines
    o = c.owned
    parts = [f"{t.name} ${t.dollars:,.3g}" for t in o.terms if t.dollars > 0]
    return [*lines, f"owned   ${o.low:,.2f} to ${o.high:,.2f} per chip-hour by its guesses: {', '.join(parts)}"]


def _rented(c: Costs) -> str:
    if c.owned is not None:
        return f"owned at ${c.owned.per_hour:,.2f} per chip-hour"
    s = c.setting.system
    each = c.rent * 3600 / s.chips
    return f"${each:,.2f} per chip-hour{f' ({s.price_note})' if s.price_note else ''}"


def _kinds(c: Costs) -> list[str]:
    body = [[k.name, *_row(k)] for k in c.kinds if k.rate > 0]
    body.append(["all as output", "", "", money(c.all_output), "100 %", "", ""])
    head = ["", "tokens/s", "marginal", "average", "of the rent", "floor", "times it"]
    notes = [
        "marginal: what one more adds to passes; average: its part of the rent over its volume, so averages times volumes are the rent",
        "rule: a pass with prompts would take its answers' time without them; what prompts add is theirs, idle time falls to all alike",
    ]
    if c.hold is not None and c.setting.found:
        notes.append(
            f"cached input also pays for being kept: {money(c.hold[1])} for 5 minutes in {c.hold[0]}, the cheapest place (`headway cache`)"
        )
    return [*table_text(head, body).splitlines(), *notes]


def _row(k: TokenCost) -> list[str]:
    times = k.average / k.floor if k.floor > 0 else math.nan
    return [
        units.rate(k.rate), money(k.marginal), money(k.average), units.per_cent(k.share), money(k.floor),
        "—" if math.isnan(times) else f"{times:,.3g}x",
    ]  # fmt: skip


def _energy(c: Costs) -> list[str]:
    j = c.energy
    if j is None:
        return ["", f"no energy: the rated power of {c.setting.system.chip.name} is not known"]
    body = [[k.name, *_terms(e)] for k, e in zip(c.kinds, (j.fresh, j.cached, j.output), strict=True) if k.rate > 0]
    head = ["energy", "memory", "links", "arithmetic", "awake", "together"]
    return [
        "",
        *table_text(head, body).splitlines(),
        f"per output token with its prompt and idle chips ({units.si(j.idle, 'J')}): {units.si(j.per_output, 'J')}, "
        f"{units.si(j.low, 'J')} to {units.si(j.high, 'J')} by the ranges of `headway catalog energy`",
        f"a chip draws {j.watts:,.0f} W on average, {j.decode_watts:,.0f} W in a decode pass, of {j.rated:,.0f} W rated; "
        "chips alone, without hosts, switches and cooling",
    ]


def _terms(e: Energy) -> list[str]:
    return [units.si(x, "J") for x in (e.memory, e.link, e.arithmetic, e.awake, e.total)]


def costs_sweep_text(axis: str, found: Sequence[tuple[float, Costs]]) -> str:
    """Return a sweep of costs as a table.

    Parameters
    ----------
    axis : str
    found : sequence of (float, Costs)
        The place on it, in its unit, and the costs there. [1]
    """
    head = [
        axis,
        "TPOT",
        "requests/s",
        *(k.name for k in found[0][1].kinds),
        "times its floor",
        "all as output",
        "energy",
    ]
    body: list[list[str]] = []
    for x, c in found:
        place = units.per_cent(x) if axis in ("hits", "load") else units.count(x)
        out = c.kind("output")
        prices = [money(None if math.isnan(k.average) else k.average) for k in c.kinds]
        joules = "—" if c.energy is None else f"{units.si(c.energy.per_output, 'J')}/token"
        body.append(
            [
                place,
                units.seconds(c.answer.tpot),
                units.rate(c.rate),
                *prices,
                f"{out.average / out.floor:,.3g}x",
                money(c.all_output),
                joules,
            ]
        )
    return "\n".join(["", *table_text(head, body).splitlines()])


def checked_text(c: Costs, found: Checked) -> str:
    """Return the costs of a simulated run beside those of the mean field.

    Parameters
    ----------
    c : Costs
    found : Checked
    """
    body = [
        [k.name, money(k.average), money(x), f"{100 * (x / k.average - 1):+.1f} %"]
        for k, x in zip(c.kinds, found.averages, strict=True)
        if k.rate > 0 and not math.isnan(x)
    ]
    run = found.run
    head = ["simulated", "mean field", "run", "off"]
    count, took = len(run.log.requests), units.seconds(run.span)
    said = f"{count:,} requests over {took}, the first ones on empty chips: {units.rate(run.carried)} requests/s"
    return "\n".join(["", *table_text(head, body).splitlines(), said])
