"""A service's fleet from its users: what the simulator carries, its money, the lecture's scale, the verb."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math

import pytest

from headway.catalog import catalogue
from headway.cli import app
from headway.economics import owned_price
from headway.economics.owned import HOURS
from headway.errors import InputError, PhysicsError
from headway.figures import fleet_figure, write_figure
from headway.hardware import chip
from headway.plan.capacity import find_capacity
from headway.plan.fleet_years import Years, read_growth, with_years
from headway.plan.fleets import Money, _interval, plan_fleet, worlds
from headway.plan.operations import Words
from headway.plan.replicas import carried, chips_for, layouts
from headway.plan.slo import read_slo
from headway.questions import Request
from headway.serving import setting

ASK = Request("llama-3.1-8b", "h100x1", prompt=500, output=100)
LIMITS = {"ttft": 0.5, "tpot": 0.02}
ASKED = {"--on": "h100x1", "--prompt": "500", "--output": "100", "--ttft": "500ms", "--tpot": "20ms", "--seeds": "1",
         "--users": "300k", "--requests-per-day": "20"}  # fmt: skip


def line(**more):
    """The verb's words with other values; True for a flag."""
    given = ASKED | {f"--{k.replace('_', '-')}": v for k, v in more.items()}
    return ["fleet", "llama-3.1-8b", *(w for k, v in given.items() for w in ([k] if v is True else [k, v]))]


@pytest.fixture(scope="module")
def plan():
    return plan_fleet(ASK, 300_000, 20, curve="conversation", seeds=1, **LIMITS)


def test_a_replica_carries_what_the_simulator_says(plan):
    """One replica's number is `headway capacity`'s; several carry more each, by the square-root law."""
    words = Words(router="least-loaded")
    alone = find_capacity(dataclasses.replace(ASK, layout="tp1"), seeds=1, speeds=(), words=words, **LIMITS)
    assert plan.found.staffing.measured[0] == (1, alone.most.value.value)
    assert [n for n, _ in plan.found.staffing.measured] == [1, 4, 8]
    law = plan.found.staffing
    for n, each in law.measured:
        assert law.carries(n) / n == pytest.approx(each, rel=0.04)
    assert law.room > 0


def test_slower_passes_carry_less_and_faster_ones_more(plan):
    """Passes f times as long under these limits are these passes under limits f times as tight, f times as slowly."""
    one = plan.found.capacities[0]
    for times, ratio in zip(one.spread.around(1.0), plan.found.ratios, strict=True):
        tight = find_capacity(
            one.bench.request, ttft=0.5 / times, tpot=0.02 / times, seeds=1, speeds=(), words=one.bench.words
        )
        assert ratio == pytest.approx(tight.most.value.value / times / one.most.value.value)
    assert plan.found.ratios[1] < 1 < plan.found.ratios[0]


def test_the_fleet_keeps_its_limits_when_it_is_simulated(plan):
    """At the busiest hour's rate, other draws of arrivals than those it was sized with, so many replicas keep the promise."""
    n = max(plan.fleet.replicas)
    assert n >= 2
    s = setting(ASK)
    asked = dataclasses.replace(ASK, layout="tp1", chips=chips_for(s, plan.found.layout, n))
    bench = find_capacity(asked, seeds=1, speeds=(), words=Words(router="least-loaded"), **LIMITS).bench
    seen = bench.at_rate(plan.fleet.demand.peak_rate, 1000, 8000)
    assert not seen.growing
    assert seen.within(0.5, 0.02) >= plan.slo.within - 0.02


def test_money_adds_up(plan):
    """Rent = chips x price x hours; its cost per token x tokens = rent; revenue less rent is the margin."""
    f = plan.fleet
    hours = 365.25 / 12 * 24
    assert f.month == pytest.approx(f.chips * 3.47 * hours)
    tokens = 300_000 * 20 * 365.25 / 12 * 100
    assert f.cost * tokens / 1e6 == pytest.approx(f.month)
    brings = 300_000 * 20 * 365.25 / 12 * plan.revenue
    assert plan.margin == pytest.approx((brings - f.month) / brings)
    assert plan.other.month <= f.month
    assert plan.months[0] <= f.month <= plan.months[1]
    assert plan.chips[0] <= f.chips <= plan.chips[1]
    faster, slower = plan.found.ratios
    law, peak = f.site.staffing, f.demand.peak_rate
    assert plan.chips == (law.needed(peak / faster), law.needed(peak / slower))


def test_slower_passes_take_more_chips(plan):
    """A large fleet whose replicas carry 1.2 and 0.5 times as much: the more chips are those of the slower passes."""
    law, large = plan.fleet.site.staffing, plan.fleet.demand.scaled(1000)
    found = _interval(dataclasses.replace(plan.found, ratios=(1.2, 0.5)), large, plan.fleet.site)
    assert found == (law.needed(large.peak_rate / 1.2), law.needed(large.peak_rate / 0.5))


def test_the_scale_that_pays(plan):
    """A little beyond the number every token is within the slack; the sheet's margin is made where the rent is paid."""
    more = plan_fleet(ASK, plan.pays * 1.001, 20, curve="conversation", seeds=1, **LIMITS)
    less = plan_fleet(ASK, plan.pays * 0.999, 20, curve="conversation", seeds=1, **LIMITS)
    assert more.margin >= 0 > less.margin
    costs = [s.cost for s in plan.scales if s.demand.users > plan.enough]
    assert max(costs) <= 1.25 * min(costs) * (1 + 1e-3)


def test_sys_a8_a_system_of_the_worlds_traffic(capsys):
    """2,000 sequences every 1/64 s are 128,000 tok/s: a thousandth of Gemini; 500 M tok/s take 3,907 such racks."""
    made = 2000 * 64.0
    found = {w.name: w for w in worlds(made)}
    assert found["gemini as the lecture has it"].share == pytest.approx(1 / 1000)
    assert found["gemini as the lecture has it"].systems == 1000
    assert found["google 2025-10"].systems == math.ceil(502e6 / made)
    assert app.run(["ask", "SYS-A8", "batch=2000", "demand=500M/s", "--json"]) == 0
    said = capsys.readouterr().out
    assert "3907" in said
    assert "128000" in said


def test_a_system_at_its_limits_is_measured_so(plan):
    site = plan.fleet.site
    assert plan.system_rate == pytest.approx(site.staffing.carries(site.per_system) * 100)
    assert plan.world[0].share == pytest.approx(plan.system_rate / 128e6)


def test_owned_chips_have_the_owned_price():
    own = plan_fleet(ASK, 300_000, 20, curve="flat", seeds=1, money=Money({"capex": 20e3}), **LIMITS)
    price = owned_price(chip("h100"), capex=20e3)
    assert own.setting.system.price == pytest.approx(price.price)
    assert own.fleet.month == pytest.approx(own.fleet.chips * price.per_hour * 365.25 / 12 * 24)
    low, high = own.months
    assert low < own.fleet.month < high  # the price is a guess, so is the rent
    assert "an owned H100 SXM" in own.text()
    with pytest.raises(InputError, match="leave out --price"):
        plan_fleet(dataclasses.replace(ASK, price=1e-3), 1e3, 1, money=Money({}), **LIMITS)
    with pytest.raises(InputError, match="leave out one of them"):
        plan_fleet(ASK, 1e3, 1, money=Money({}, elastic=True), **LIMITS)


def test_the_layout_is_the_simulated_best_of_the_nearest():
    """Of layouts within the limits the one that carries most per paid chip in the simulator, whatever the mean field thinks."""
    r, slo = Request("llama-3.1-8b", "h100x8", prompt=500, output=100), read_slo(0.5, 0.008, None)
    s = setting(r)
    found = carried(r, slo, 1, many=())
    rates: dict[str, float] = {}
    for c in layouts(s, r, slo)[:3]:
        asked = dataclasses.replace(r, layout=str(c), chips=c.chips)
        at = find_capacity(asked, ttft=0.5, tpot=0.008, seeds=1, speeds=(), words=Words(router="least-loaded"))
        rates[str(c)] = at.most.value.value * s.replicas(c.chips)
    assert max(rates, key=lambda c: rates[c]) == str(found.layout)


def test_chips_hold_so_many_replicas():
    s = setting(Request("deepseek-v3", "gb200-nvl72", prompt=2000, output=500))
    for name in ("dp8ep8", "dp64ep64", "dp24ep24r8"):
        layout = setting(Request("deepseek-v3", "gb200-nvl72", layout=name)).only
        assert layout is not None
        for n in (1, 2, 4, 8):
            assert s.system.resized(chips_for(s, layout, n)).replicas(layout.chips) == n


def test_years_and_generations(plan):
    """Demand doubles; every year carries its peak; a system's numbers are those of a replica and of the owned price."""
    found = with_years(plan, ASK, Years(3, 2.0, ("h100x1", "h200x1@2/h"), start=2026))
    assert found.horizon is not None
    assert found.horizon.rates == pytest.approx([plan.fleet.demand.peak_rate * 2**y for y in range(3)])
    for y, rate in enumerate(found.horizon.rates):
        serving = found.horizon.serving(y)
        assert math.fsum(c.rate for c in serving) == pytest.approx(rate)
        assert all(c.systems * c.contract.generation.carries >= c.rate * (1 - 1e-9) for c in serving)
    kinds = {c.contract.generation.name: c.contract.generation for c in found.horizon.cohorts}
    for name, g in kinds.items():
        own = owned_price(chip(name.split()[0]))
        inputs = {a.name: a.value for a in own.inputs}
        serves = 1 - inputs["failures"] * inputs["repair"] / 365.25  # chips in repair weigh on what runs, too
        runs = sum(t.dollars for t in own.terms if t.name in ("power", "replaced"))
        assert g.running == pytest.approx(runs / serves * HOURS)
        assert g.capital + g.running == pytest.approx(own.per_hour * HOURS)
    assert {name for name, _ in found.ways} == {"all rented", "all bought", "H100 SXM alone", "H200 SXM alone"}
    assert all(cost >= found.horizon.total * 0.95 for _, cost in found.ways)  # whole systems are not part of the choice
    rented = with_years(plan, ASK, Years(2, 1.0, ("h100x1@0.1/h",)))
    assert rented.horizon is not None
    assert not any(c.contract.bought for c in rented.horizon.cohorts)
    systems = math.ceil(
        plan.fleet.demand.peak_rate / rented.horizon.cohorts[0].contract.generation.carries * (1 - 1e-12)
    )
    assert systems == max(plan.fleet.replicas)  # the same fleet as without years
    assert rented.horizon.costs[0] == pytest.approx(systems * 0.1 * HOURS)


def test_growth_as_people_write_it():
    assert [read_growth(x) for x in ("50%", "-10%", "2x", "+100%")] == pytest.approx([1.5, 0.9, 2.0, 2.0])
    for text in ("2", "x", "-100%", "fast"):
        with pytest.raises(InputError, match="--growth"):
            read_growth(text)


@pytest.mark.parametrize(("more", "says", "code"), [
    ({"users": "0"}, "--users", 2), ({"load_curve": "nightly"}, "unknown load curve", 2), ({"assume": "capex=1"}, "give --owned", 2),
    ({"growth": "2x"}, "give --years, too", 2), ({"years": "0"}, "must lie between 1 and 30", 2),
    ({"sell": "nosuchmodel"}, "unknown priced model", 2), ({"tpot": "1us"}, "none of 1 layout meets", 3),
    ({"spare": "-1"}, "--spare: -1 must be zero or more", 2), ({"margin": "110%"}, "--margin", 2),
    ({"years": "2", "price_fall": "x"}, "--price-fall", 2), ({"owned": True, "assume": "pue=0.1"}, "pue is 0.1", 2),
    ({"years": "2", "growth": "fast"}, "--growth: 'fast'", 2), ({"requests_per_day": "many"}, "--requests-per-day", 2),
    ({"on": "mi455x", "chips": "8"}, "has no price", 2),
])  # fmt: skip
def test_what_cannot_be_answered_is_one_line(capsys, more, says, code):
    assert app.run(line(**more)) == code
    said = capsys.readouterr().err
    assert says in said
    assert len(said.strip().splitlines()) == 1


def test_no_limit_and_no_replica():
    with pytest.raises(InputError, match="this needs a limit"):
        plan_fleet(ASK, 1e3, 1)
    with pytest.raises(PhysicsError, match="none of"):
        layouts(setting(ASK), ASK, read_slo(1e-6, None, None))


def test_the_verb_says_the_same_three_ways(capsys, tmp_path, plan):
    words = line(load_curve="conversation")
    assert app.run([*words, "-o", str(tmp_path / "fleet.svg")]) == 0
    text = capsys.readouterr().out
    assert f"{plan.fleet.chips:,}" in text
    assert (tmp_path / "fleet.svg").read_text(encoding="utf-8").startswith("<svg")
    assert app.run([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data == json.loads(json.dumps(plan.to_dict()))
    assert data["fleet"]["dollars_per_mtok"] == pytest.approx(plan.fleet.cost)
    assert len(data["hours"]) == 24
    assert app.run([*words, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(r["dollars_per_mtok"]) for r in rows] == pytest.approx([s.cost for s in plan.scales])


def test_the_chart_marks_the_service(plan, tmp_path):
    spec = fleet_figure(plan)
    points = [
        x
        for x in spec["vconcat"][0]["layer"]
        if x["mark"] == {"type": "point", "filled": True, "size": 70, "color": "#222222"}
    ]
    assert points[0]["data"]["values"] == [{"users": 300_000, "cost": plan.fleet.cost}]
    day = spec["vconcat"][1]["data"]["values"]
    assert {r["systems"] for r in day if r["what"] == "paid"} == {plan.fleet.most}
    write_figure(spec, tmp_path / "fleet.json")


def test_tables_of_facts_are_whole():
    for name in ("owned", "chip_purchases", "load_curves", "world_traffic"):
        for row in catalogue().table(name).rows:
            assert row["source"]
            assert row["date"]
    for row in catalogue().table("chip_purchases").rows:
        assert float(row["low_usd"]) <= float(row["high_usd"])
        assert chip(row["name"]).name == row["name"]
