"""A service's fleet as text."""

from __future__ import annotations

import math

from headway import units
from headway.economics.demand import DAY
from headway.economics.generations import Cohort, Horizon
from headway.economics.unit_costs import Sized
from headway.plan.fleets import FleetPlan
from headway.report.loads import money
from headway.report.owned import owned_text
from headway.tables import table_text

_DEEP = -10.0  # a margin that says no more than that hardly anything is sold
_Rows = list[tuple[str, str, str]]


def fleet_text(p: FleetPlan) -> str:
    """Return a fleet as text: demand, what a replica carries, the fleet, its money, how cost falls with scale, the years ahead."""
    d = p.fleet.demand
    out = [
        f"{p.setting.model.name} on {p.setting.system.name}",
        f"{d.users:,.0f} users, {d.per_day:,.3g} requests a day each, {d.prompt:,.0f} tokens in, {d.output:,.0f} out; "
        f"load curve {d.curve.name}",
        f"{units.per_cent(p.slo.within)} of requests within {_limits(p)} at every hour",
        "",
    ]
    blocks = [
        ("demand", _demand(p)),
        ("one replica", _replica(p)),
        ("fleet", _fleet(p)),
        ("money", _money(p)),
        ("scale", _scale(p)),
    ]
    wide = max(len(v) for _, rows in blocks for _, v, _ in rows)
    for name, rows in blocks:
        out += [name, *(f"  {a:<11}{v:<{wide}}  {r}".rstrip() for a, v, r in rows)]
    out += ["", *_scales(p)]
    if p.owned is not None:
        out += ["", owned_text(p.owned)]
    if p.horizon is not None:
        out += ["", *_years(p.horizon), *_ways(p)]
    return "\n".join([*out, *_notes(p)])


def _limits(p: FleetPlan) -> str:
    named = (("TTFT", p.slo.ttft), ("TPOT", p.slo.tpot))
    return " and ".join(f"{n} {units.seconds(x)}" for n, x in named if math.isfinite(x))


def _demand(p: FleetPlan) -> _Rows:
    d, c = p.fleet.demand, p.fleet.demand.curve
    busy = f"{units.rate(d.peak_rate)} in the busiest hour ({c.peak:.2f}x), {units.rate(d.rate * c.valley)} in the quietest"
    return [
        ("requests", f"{units.rate(d.rate)}/s", busy if c.peak > 1 else "the same at every hour"),
        ("tokens", f"{units.rate(d.output_rate)}/s out", f"{units.rate(d.input_rate)}/s in"),
    ]


def _replica(p: FleetPlan) -> _Rows:
    law, site = p.fleet.site.staffing, p.fleet.site
    each = ", ".join(f"{units.rate(y)} each of {n}" if n > 1 else f"{units.rate(y)} alone" for n, y in law.measured)
    best = (
        f"; most for its chips of {units.some(p.found.compared, 'layout')} within the limits"
        if p.found.compared > 1
        else ""
    )
    return [
        ("layout", str(p.found.layout), f"{units.some(site.replica, 'chip')}, {site.per_system} a system{best}"),
        ("carries", f"{units.rate(law.limit)} requests/s", f"among very many; simulated: {each}; {p.found.binds} binds"),
        ("the queue", f"{units.per_cent(law.room)} of one", "shrinks with the square root of their number: n carry n (1 - room/sqrt n)"),
    ]  # fmt: skip


def _fleet(p: FleetPlan) -> _Rows:
    f, site = p.fleet, p.fleet.site
    rows: _Rows = [
        ("replicas", f"{max(f.replicas):,}", f"for the busiest hour; {units.per_cent(f.headroom)} of them is room for the queue"),
        ("chips", f"{f.chips:,}", f"{f.most:,} x {site.system.name}{_spare(site.spare)}{_interval(p)}"),
        ("used", units.per_cent(f.used), "of what the paid chips would carry if all hours were busy and no queue needed room"),
    ]  # fmt: skip
    return rows


def _spare(spare: int) -> str:
    return f", {spare:,} of them spare" if spare else ""


def _interval(p: FleetPlan) -> str:
    low, high = p.chips
    if math.isnan(low):
        return ""
    upper = f"{high:,.0f}" if math.isfinite(high) else "no number: slower passes break the limits"
    return f"; 80 %: {low:,.0f} to {upper}"


def _money(p: FleetPlan) -> _Rows:
    f = p.fleet
    price = (p.setting.system.price or math.nan) * 3600
    how = "each hour's fleet" if p.elastic else "the busiest hour's fleet, kept"
    kind = "owned" if p.owned is not None else p.setting.system.price_note.partition(", ")[0] or "rented"
    why = " x ".join(f"{x.name} {x.times:.3g}" for x in f.factors if abs(x.times - 1) > 5e-4)
    rows: _Rows = [
        ("costs", f"{units.dollars(f.month)} a month", f"{how}; ${price:,.2f} per chip-hour, {kind}{_months(p)}"),
        ("output", money(f.cost), f"prompts included: {money(f.full)} at full load{f' x {why}' if why else ''}"),
        ("a request", units.dollars(f.per_request), f"{units.dollars(f.month / f.demand.users)} per user a month"),
    ]  # fmt: skip
    if p.owned is None and p.other.month != f.month:
        rows.insert(1, ("", f"{units.dollars(p.other.month)} a month", _other(p)))
    d = p.fleet.demand
    month = p.revenue * d.rate * f.month / f.dollars
    rows.append(("brings", f"{units.dollars(month)} a month", f"{_prices(p)} ({p.sale.name}: {p.sale.source})"))
    other = (
        f"{_share(p.other.margin(p.revenue))} paid the other way"
        if p.owned is None and p.other.month != f.month
        else ""
    )
    rows.append(("margin", _share(p.margin), other))
    return rows


def _months(p: FleetPlan) -> str:
    low, high = p.months
    return f"; 80 %: {units.dollars(low)} to {units.dollars(high)}" if math.isfinite(high) else ""


def _other(p: FleetPlan) -> str:
    if p.elastic:
        return "if the busiest hour's fleet is kept"
    return "if each hour pays for its own fleet (--elastic), replicas opened and closed at once"


def _prices(p: FleetPlan) -> str:
    first = f"{money(p.sale.input)} in, " if p.sale.input else ""
    return f"{first}{money(p.sale.output)} out"


def _share(value: float) -> str:
    return f"{100 * value:.3g} %" if abs(value) < 100 else f"{value:,.0f} times the revenue"


def _scale(p: FleetPlan) -> _Rows:
    w, d = p.world[0], p.fleet.demand
    made = p.enough * d.per_day / DAY * d.output  # tokens per second
    part = f": {units.rate(made)} tok/s, 1/{w.tokens / made:,.0f} of {w.name}" if 0 < made < math.inf else ""
    most = units.per_cent(p.slack)
    carry = f"{units.count(w.systems)} of them carry {w.name} ({units.si(w.tokens, 'tok/s')})"
    rows: _Rows = [
        ("enough", _users(p.enough), f"users{part}: beyond, a token costs at most {most} more than in a very large service"),
        ("one system", f"{units.rate(p.system_rate)} tok/s", f"at its limits is 1/{1 / w.share:,.0f} of that; {carry}"),
    ]  # fmt: skip
    said = "users: from there on the rent is paid at these prices"
    if math.isinf(p.pays):
        large = p.scales[-1]
        said = f"these prices never pay the rent: {large.per_request / p.revenue:.2f}x are needed at any scale"
    rows.insert(1, ("pays from", _users(p.pays), said))
    return rows


def _users(users: float) -> str:
    return "never" if math.isinf(users) else f"{users:,.0f}"


def _scales(p: FleetPlan) -> list[str]:
    head = ["users", "peak req/s", "replicas", "chips", "queue", "a month", "output", "of full load", "margin"]
    body = [_row(s, p) for s in p.scales[::2]]
    return table_text(head, body).splitlines()


def _row(s: Sized, p: FleetPlan) -> list[str]:
    margin, users = s.margin(p.revenue), s.demand.users
    return [
        f"{users:,.0f}" if users >= 10 else f"{users:.2g}", units.rate(s.demand.peak_rate), f"{max(s.replicas):,}", f"{s.chips:,}",
        units.per_cent(s.headroom), units.dollars(s.month), money(s.cost), f"{s.cost / s.full:,.4g}x",
        f"{100 * margin:,.0f} %" if margin > _DEEP else f"below {100 * _DEEP:,.0f} %",
    ]  # fmt: skip


def _years(h: Horizon) -> list[str]:
    body: list[list[str]] = []
    for y, rate in enumerate(h.rates):
        new = [c for c in h.serving(y) if c.contract.year == y]
        kept = [c for c in h.serving(y) if c.contract.year < y]
        body.append([
            str(h.start + y), units.rate(rate), _systems(new, h, since=False) or "nothing", _systems(kept, h, since=True) or "—",
            units.dollars(h.costs[y]),
        ])  # fmt: skip
    body.append(["together", "", "", "", units.dollars(h.total)])
    return table_text(["year", "peak req/s", "added", "kept", "a year"], body).splitlines()


def _systems(cohorts: list[Cohort], h: Horizon, *, since: bool) -> str:
    found: list[str] = []
    for c in cohorts:
        contract = c.contract
        how = f" of {h.start + contract.year}" if since else (" bought" if contract.bought else " rented")
        found.append(f"{c.systems:,} x {contract.generation.name}{how}")
    return ", ".join(found)


def _ways(p: FleetPlan) -> list[str]:
    assert p.horizon is not None
    said = [
        f"{name} {units.dollars(cost)} ({cost / p.horizon.total:.2f}x)" if math.isfinite(cost) else f"{name}: cannot"
        for name, cost in p.ways
    ]
    return [f"other ways: {'; '.join(said)}"]


def _notes(p: FleetPlan) -> list[str]:
    found: list[str] = []
    f = p.fleet
    if p.margin < 0:
        found.append(f"at these prices the service loses {units.dollars(-p.margin * p.revenue)} with every request")
    if max(f.replicas) == 1 and not p.elastic:
        found.append("one replica is more than this demand needs: seats stay empty, and they are paid")
    if f.site.spare == 0:
        found.append("no spare system: when one fails, the busiest hour breaks the limits (--spare 1)")
    if p.setting.profile.name == "ideal":
        found.append("ideal machine: a lower bound on the fleet")
    return ["", *(f"! {line}" for line in found)] if found else []
