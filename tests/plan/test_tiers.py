"""Tiers of speed: what speed costs, what tiers charge, what the market's cost here."""

from __future__ import annotations

import json
import math

import pytest

from headway.cli import app
from headway.economics import implied_batch_cut
from headway.errors import InputError, PhysicsError
from headway.plan.promises import promises
from headway.plan.tiers import design_tiers, read_tiers
from headway.questions import Request
from headway.serving import answer, case, setting

ASK = Request("llama-3.1-70b", "h200x8", prompt=2000, output=500)


@pytest.fixture(scope="module")
def sheet():
    return design_tiers(ASK)


def test_tiers_are_points_of_the_loaded_machine(sheet):
    """Every tier's cost and speed are what `plan` says under load of its layout at its batch."""
    s = setting(ASK)
    for t in sheet.tiers:
        found = answer(case(s, t.at.layout, batch=t.at.batch))
        assert (t.at.tpot, t.at.cost) == (found.tpot, found.dollars_per_mtok)
        assert t.price == pytest.approx(2 * t.at.cost)
        assert t.margin == pytest.approx(0.5)
        assert t.loses_below == pytest.approx(0.5)
        assert 0 < t.marginal <= t.at.cost * (1 + 1e-9) < t.price  # never below the marginal cost


def test_a_tier_earns_from_the_load_that_pays_its_rent():
    """At 30 % margin a fleet that is 70 % full just pays; one more sequence costs what it makes the passes of all longer by."""
    s = setting(ASK)
    for t in design_tiers(ASK, margin=0.3).tiers:
        assert t.loses_below == pytest.approx(0.7)
        assert t.loses_below * t.price == pytest.approx(t.at.cost)
        if t.at.batch > 10:
            less = answer(case(s, t.at.layout, batch=t.at.batch - 1))
            share = math.log(t.at.tpot / less.tpot) / math.log(
                t.at.batch / (t.at.batch - 1)
            )  # of the cost, d log t / d log B
            assert t.marginal / t.at.cost == pytest.approx(share, rel=0.1)


def test_speed_costs_and_slowness_saves_so_much_and_no_more(sheet):
    costs, speeds = [p.cost for p in sheet.curve], [p.speed for p in sheet.curve]
    assert costs == sorted(costs, reverse=True)
    assert speeds == sorted(speeds, reverse=True)
    fast, standard, batch = sheet.tiers
    assert [t.name for t in sheet.tiers] == ["fast", "standard", "batch"]
    assert fast.times >= 2.5
    assert fast.cost_times == pytest.approx(fast.at.cost / standard.at.cost)
    assert fast.cost_times > 1
    assert fast.batch_cut > fast.times  # cost rises, too: the cut is the product of both
    assert fast.batch_cut == pytest.approx(implied_batch_cut(fast.cost_times, fast.times), rel=0.03)
    assert batch.at == sheet.floor
    assert sheet.saves_at_most == pytest.approx(1 - batch.cost_times)
    assert (
        design_tiers(ASK, "batch:0.01x").tiers[-1].at.cost == sheet.floor.cost
    )  # a hundredth of the speed saves no more


def test_the_value_of_time_is_the_price_of_the_hours_saved(sheet):
    fast, standard, _ = sheet.tiers
    hours = 1e6 * (standard.at.tpot - fast.at.tpot) / 3600
    assert fast.pays_from * hours == pytest.approx(fast.price - standard.price)
    assert math.isnan(standard.pays_from)


def test_the_market_on_the_curve(sheet):
    """6x for 2.5x means the batch cut 15x (lecture 1.1); the margin follows from what that speed costs here."""
    dear, cheap = sheet.market[0], sheet.market[1]
    assert (dear.price_times, dear.speed_times, dear.batch_cut) == (6, 2.5, 15)
    assert cheap.cost_times == dear.cost_times == pytest.approx(sheet.tiers[0].cost_times, rel=0.05)
    assert dear.margin(0.5) == pytest.approx(1 - dear.cost_times * 0.5 / 6)
    assert (
        cheap.margin(0.0) < 0
    )  # twice the price for 2.5 times the speed is below cost without a margin to pay it from
    assert dear.margin(0.0) > 0
    assert len(sheet.market) == 12


def test_a_standard_of_ones_own():
    found = design_tiers(ASK, standard=50.0, margin=0.0)
    assert found.standard.at.speed == pytest.approx(50, rel=0.05)
    assert found.standard.at.speed >= 50
    assert found.standard.price == found.standard.at.cost


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fast", "fast:2.5x"),
        ("fast:-1x", "fast:2.5x"),
        ("a:2x,a:3x", "fast:2.5x"),
        ("standard:2x", "so its speed is 1x"),
        (":2x", "fast:2.5x"),
    ],
)
def test_tiers_that_cannot_be_read(text, says):
    with pytest.raises(InputError, match=says):
        read_tiers(text)


def test_a_usual_tier_beyond_the_latency_limit_is_left_out_and_said():
    """Whoever asks for no tier by name gets those that can be."""
    sheet = design_tiers(Request("llama-3.1-8b", "l40s"))
    assert [t.name for t in sheet.tiers] == ["standard", "batch"]
    (beyond,) = sheet.beyond
    assert (beyond.name, beyond.times) == ("fast", 2.5)
    assert beyond.most == pytest.approx(sheet.fastest.speed / sheet.standard.at.speed)
    assert f"at most {beyond.most:.2f}x" in sheet.text()
    assert not design_tiers(ASK).beyond


def test_beyond_the_latency_limit():
    with pytest.raises(PhysicsError, match="beyond the latency limit"):
        design_tiers(ASK, "fast:50x")
    with pytest.raises(PhysicsError, match="at most"):
        design_tiers(ASK, standard=1e6)
    with pytest.raises(InputError, match="no price"):
        design_tiers(Request("llama-3.1-8b", "m4 max"))
    with pytest.raises(InputError, match="from 0 to below 1"):
        design_tiers(ASK, margin=1.0)


def test_tiers_survive_the_simulator():
    """At the promised load, p95 of traffic that it was not made from meets the promise."""
    ask = Request("llama-3.1-8b", "h100x1", prompt=500, output=100)
    sheet = design_tiers(ask, "fast:1.5x")
    for p in promises(ask, sheet):
        assert p.rate > 0
        assert p.kept
        assert p.tpot == pytest.approx(p.promised, rel=0.1)
        tier = next(t for t in sheet.tiers if t.name == p.name)
        assert p.cost >= 0.9 * tier.at.cost  # no simulated load is much cheaper than every seat taken


def test_the_verb(capsys):
    ask = ["tiers", "llama-3.1-70b", "--on", "h200x8", "--prompt", "2k", "--output", "500"]
    assert app.run(ask) == 0
    out, _ = capsys.readouterr()
    for said in ("fast", "standard", "batch", "pays from", "implied batch cut", "slow saves", "15x"):
        assert said in out
    assert app.run([*ask, "--json"]) == 0
    found = json.loads(capsys.readouterr()[0])
    assert [t["name"] for t in found["tiers"]] == ["fast", "standard", "batch"]
    assert app.run([*ask, "--margin", "2"]) == 2
    assert capsys.readouterr()[1].count("\n") == 1
