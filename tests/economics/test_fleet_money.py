"""A service's demand, the square-root law, what tokens cost at any scale, and fleets over years: by hand and by properties."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.economics.demand import DAY, Demand, load_curve, shaped
from headway.economics.generations import Generation, Market, over_years
from headway.economics.price_lists import PriceList
from headway.economics.sales import Sale, at_prompt, read_sale
from headway.economics.staffing import Staffing, alone, staffing
from headway.economics.unit_costs import Site, settles, sized
from headway.errors import InputError, PhysicsError
from headway.hardware import system

FLAT, OFFICE = load_curve("flat"), load_curve("office")
SYSTEM = dataclasses.replace(system("h200x8"), price=2.0 / 3600)
LAW = Staffing(4.0, 0.1)
SITE = Site(SYSTEM, 4, 2, LAW)


def demand(users=1e6, per_day=10.0, curve=FLAT):
    return Demand(users, per_day, 2000, 500, curve)


def test_what_is_served_is_what_is_asked():
    """Over a day the slots add to users x requests a day, whatever the curve; the named ones have the swings they say."""
    for name, peak, ratio in (("flat", 1, 1), ("conversation", 1.7, 3.3), ("office", 2.8, 35)):
        d = demand(curve=load_curve(name))
        slots = len(d.rates)
        assert math.fsum(r * DAY / slots for r in d.rates) == pytest.approx(1e7)
        assert d.output_rate * DAY == pytest.approx(1e7 * 500)
        assert d.input_rate * DAY == pytest.approx(1e7 * 2000)
        assert (d.curve.peak, d.curve.peak / d.curve.valley) == pytest.approx((peak, ratio))
    assert OFFICE.weights.index(OFFICE.peak) == 13
    assert math.fsum(shaped(5.0, 0.1, 4.5, 48)) == pytest.approx(48)


def test_a_load_curve_from_a_file(tmp_path):
    file = tmp_path / "day.csv"
    file.write_text("hour,requests,note\n0,10,night\n8,30,\n16,20,\n")
    assert load_curve(str(file)).weights == pytest.approx((0.5, 1.5, 1.0))
    file.write_text("1\n3\n")
    assert load_curve(str(file)).weights == pytest.approx((0.5, 1.5))
    for text, says in (
        ("hour,requests\n0,x\n", "row 2: 'x' is no rate"),
        ("0\n0\n", "one of them above 0"),
        ("", "0 slots"),
        ("-1\n", "row 1"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=says):
            load_curve(str(file))
    with pytest.raises(InputError, match="did you mean office"):
        load_curve("offce")
    with pytest.raises(InputError, match=r"Known: flat, .*; or a CSV file"):
        load_curve("nowhere.csv")


def test_the_square_root_law_by_hand():
    """Four a second each at very many, a tenth of one lost to the queue: 16 carry 4 (16 - 0.1 x 4) = 62.4."""
    assert LAW.carries(16) == pytest.approx(62.4)
    assert LAW.headroom(16) == pytest.approx(0.025)
    assert (LAW.needed(62.4), LAW.needed(62.41)) == (16, 17)
    assert LAW.needed(1e-9) == 1
    fitted = staffing([(n, 5 * (1 - 0.2 / math.sqrt(n))) for n in (1, 4, 8)])
    assert (fitted.limit, fitted.room) == pytest.approx((5.0, 0.2))
    assert staffing([(1, 4.0), (4, 3.9)]).room == 0.0  # luck: many look worse than one
    assert alone(3.6, 0.1).carries(1) == pytest.approx(3.6)
    with pytest.raises(InputError, match="fewer users"):
        LAW.needed(1e12)


@given(st.floats(1e-3, 1e6), st.floats(0, 0.95), st.floats(1e-2, 1e2))
def test_a_fleet_carries_its_load_and_no_smaller_one_does(rate, room, limit):
    law = Staffing(limit, room)
    if rate / limit > 1e6:
        return
    n = law.needed(rate)
    assert law.carries(n) >= rate * (1 - 1e-9)
    assert n == 1 or law.carries(n - 1) < rate * (1 + 1e-9)
    assert law.headroom(4 * n) == pytest.approx(law.headroom(n) / 2)  # four times as many leave half the share


def test_a_fleet_and_its_bill_by_hand():
    """115.74/s at 4 each: 28.94 busy, 29.48 with the queue's room, 30 replicas, 15 systems of 8 chips at $2."""
    f = sized(demand(), SITE)
    assert (set(f.replicas), f.most, f.chips) == ({30}, 15, 120)
    assert f.dollars * 3600 == pytest.approx(240.0)
    assert f.month == pytest.approx(240 * 24 * 365.25 / 12)
    assert f.full == pytest.approx(4 * 2 / 3600 / (4 * 500) * 1e6)
    assert f.cost == pytest.approx(240 / 3600 / (1e7 * 500 / DAY) * 1e6)
    assert f.per_request == pytest.approx(240 * 24 / 1e7)
    assert f.used == pytest.approx(1e7 / DAY / (30 * 4))
    assert f.margin(2 * f.per_request) == pytest.approx(0.5)
    assert f.margin(0.5 * f.per_request) == pytest.approx(-1.0)  # what is sold below cost loses


def test_idle_chips_and_spare_systems_are_paid():
    """Replicas of 3 chips leave two of eight idle; a spare system stands by all month."""
    odd = sized(demand(), Site(SYSTEM, 3, 2, LAW))
    even = sized(demand(), SITE)
    assert odd.dollars == even.dollars
    assert next(x.times for x in odd.factors if x.name == "idle chips") == pytest.approx(8 / 6)
    spare = sized(demand(), dataclasses.replace(SITE, spare=1))
    assert spare.dollars == pytest.approx(even.dollars * 16 / 15)


@given(
    st.floats(1, 1e8), st.sampled_from(["flat", "conversation", "office"]), st.floats(0, 0.9), st.integers(0, 3), st.booleans(),
    st.sampled_from([(4, 2), (8, 1), (3, 2), (1, 8)]),
)  # fmt: skip
def test_cost_times_volume_is_the_rent_and_its_factors_multiply(users, curve, room, spare, elastic, shape):
    d = demand(users, 3.0, load_curve(curve))
    f = sized(d, Site(SYSTEM, *shape, Staffing(4.0, room), spare), elastic)
    assert f.cost * d.output_rate / 1e6 == pytest.approx(f.dollars)
    assert f.per_request * d.rate == pytest.approx(f.dollars)
    assert f.full * math.prod(x.times for x in f.factors) == pytest.approx(f.cost)
    assert all(x.times >= 1 - 1e-9 for x in f.factors)
    for rate, n, systems in zip(d.rates, f.replicas, f.systems, strict=True):
        assert f.site.staffing.carries(n) >= rate * (1 - 1e-9)  # every hour is carried
        assert (systems - spare) * shape[1] >= n
    assert f.dollars <= sized(d, f.site, False).dollars * (
        1 + 1e-12
    )  # an hour's own fleet is never larger than the busiest's


@given(st.floats(1, 1e7), st.floats(1.0, 10.0), st.booleans())
def test_a_fleet_grows_with_its_demand(users, more, elastic):
    small, large = (sized(demand(users * k, curve=OFFICE), SITE, elastic) for k in (1, more))
    assert large.chips >= small.chips
    assert large.dollars >= small.dollars
    assert large.headroom <= small.headroom


def test_cost_falls_towards_full_load_with_scale():
    """Round after round of ten times as many users; what is left in the end are the hours that are not the busiest."""
    for curve in (FLAT, OFFICE):
        costs = [sized(demand(10.0**k, curve=curve), SITE).cost for k in range(2, 11)]
        assert costs == sorted(costs, reverse=True)
        f = sized(demand(1e10, curve=curve), SITE)
        assert f.cost == pytest.approx(f.full * curve.peak, rel=1e-3)
        assert sized(demand(1e10, curve=curve), SITE, True).cost == pytest.approx(f.full, rel=2e-3)


def test_from_where_a_cost_stays_below_a_limit():
    """Beyond the number it never rises over the limit; just below it, it does."""
    limit = 1.25 * sized(demand(1e11), SITE).cost
    users = settles(demand(), SITE, limit)
    assert sized(demand(users * 0.9999), SITE).cost > limit
    assert all(sized(demand(users * 1.02**k), SITE).cost <= limit for k in range(600))
    assert settles(demand(), SITE, 0.99 * sized(demand(1e12), SITE).full) == math.inf
    assert settles(demand(curve=OFFICE), SITE, limit) == math.inf  # kept all day it never costs so little
    assert settles(demand(curve=OFFICE), SITE, limit, True) < math.inf


OLD = Generation("old", 2025, 8, 10.0, 100.0, 50.0, 20.0, 200.0)
NEW = Generation("new", 2027, 8, 40.0, 300.0, 160.0, 30.0, 700.0)


def test_years_by_hand():
    """Per unit of load old is $10 rented, $5 + $2 owned; new is $7.50 rented, $4.75 owned from 2027.

    Old bought for four years is 28; rented for one, then new bought, 10 + 3 x 4.75 = 24.25. Where new is too late, old is bought.
    """
    h = over_years(Market((OLD, NEW), 2026, 5), [100.0] * 4)
    found = [(c.contract.generation.name, c.contract.year, c.contract.bought, c.systems) for c in h.cohorts]
    assert found == [("old", 0, False, 10), ("new", 1, True, 3)]
    assert h.costs == pytest.approx((1000.0, 570.0, 570.0, 570.0))
    assert h.total == pytest.approx(2710.0)
    late = over_years(Market((OLD, dataclasses.replace(NEW, since=2030)), 2026, 5), [100.0] * 4)
    assert [(c.contract.generation.name, c.contract.bought, c.systems) for c in late.cohorts] == [("old", True, 10)]
    assert late.costs == pytest.approx((700.0,) * 4)


def test_growth_after_a_generation_comes_takes_it():
    """Load of 2027 goes to the new generation: 4.75 beats 7; what was bought before is kept."""
    h = over_years(Market((OLD, NEW), 2026, 5), [100.0, 300.0])
    new = [c for c in h.cohorts if c.contract.generation is NEW]
    assert [(c.contract.year, c.systems, c.rate) for c in new] == [(1, 5, 200.0)]
    assert h.costs == pytest.approx((700.0, 700.0 + 5 * 190.0))
    assert math.fsum(c.rate for c in h.serving(1)) == pytest.approx(300.0)


def test_what_stands_still_is_still_paid():
    """Where a new one's rent is below what the old one costs to run, the old one's capital goes on and the new one serves."""
    hungry = dataclasses.replace(OLD, running=90.0, rent=math.inf)
    cheap = dataclasses.replace(NEW, rent=40.0, capital=math.inf)
    h = over_years(Market((hungry, cheap), 2026, 3), [10.0, 10.0, 10.0])
    assert h.costs == pytest.approx((140.0, 50.0 + 40.0, 50.0 + 40.0))
    assert [c.contract.generation.name for c in h.serving(1)] == ["new"]


@given(
    st.lists(st.floats(1.0, 1e4), min_size=1, max_size=6), st.integers(1, 6), st.floats(0, 0.5),
    st.lists(st.tuples(st.integers(2024, 2029), st.floats(1, 100), st.floats(1, 100), st.floats(0, 50)), min_size=1, max_size=3),
)  # fmt: skip
def test_every_year_is_carried_and_no_way_is_cheaper(rates, life, fall, kinds):
    """Served is what is asked for in every year; one generation alone, all rented and all bought cost no less per unit."""
    each = tuple(Generation(f"g{i}", y, 8, 1e-6, 1e-6 * r, 1e-6 * c, 1e-6 * o) for i, (y, r, c, o) in enumerate(kinds))
    market = Market(each, 2026, life, fall)
    try:
        h = over_years(market, rates)
    except PhysicsError:
        assert all(g.since > 2026 for g in each)
        return
    for y, rate in enumerate(rates):
        assert math.fsum(c.rate for c in h.serving(y)) == pytest.approx(rate)
    for other in ([(g,) for g in each], [tuple(dataclasses.replace(g, capital=math.inf) for g in each)]):
        for some in other:
            try:
                assert over_years(dataclasses.replace(market, generations=some), rates).total >= h.total * (1 - 1e-5)
            except PhysicsError:
                continue


def _brute(market, end):
    """The least that a unit of load costs over some years, all sequences of contracts tried."""

    def owned(g, year, stop):
        capital = g.capital * (1 - market.fall) ** year
        return (
            math.fsum(capital + min(g.running, g.carries * market.cheapest_rent(u)) for u in range(year, stop))
            / g.carries
        )

    def least(year):
        if year >= end:
            return 0.0
        found = [math.inf]
        for g in market.generations:
            found.append(market.rent(g, year) + least(year + 1))
            stop = min(year + market.life, end)
            if g.since <= market.start + year:
                found.append(owned(g, year, stop) + least(stop))
        return min(found)

    return least(0)


@pytest.mark.parametrize(("life", "fall"), list(itertools.product((1, 2, 4), (0.0, 0.2))))
def test_the_schedule_is_the_best_of_all(life, fall):
    many = (OLD, NEW, Generation("dear", 2026, 8, 5.0, 20.0, 60.0, 1.0))
    small = tuple(
        dataclasses.replace(g, **{k: 1e-6 * getattr(g, k) for k in ("carries", "rent", "capital", "running")})
        for g in many
    )
    market = Market(small, 2026, life, fall)
    assert over_years(market, [10.0] * 5).total == pytest.approx(10 * _brute(market, 5), rel=1e-4)


def test_nothing_to_be_had_is_said():
    with pytest.raises(PhysicsError, match="nothing can be rented or bought from 2026 on"):
        over_years(Market((NEW,), 2026, 5), [1.0])


def test_prices_of_a_sale():
    assert read_sale("input=0.5,output=$2", 1000).revenue(1e6, 5e5) == pytest.approx(1.5)
    stepped = PriceList("m", 1.0, 4.0, edges=(200e3, 1e6), inputs=(1.0, 2.0), outputs=(4.0, 6.0))
    assert (at_prompt(stepped, 200e3).input, at_prompt(stepped, 200_001).output) == (1.0, 6.0)
    with pytest.raises(InputError, match="at most 1,000,000 tokens"):
        at_prompt(stepped, 2e6)
    for text in ("input=x", "price=3", "output=-1", "input=0"):
        with pytest.raises(InputError, match="--sell"):
            read_sale(text, 1000)
    assert isinstance(read_sale("Llama-3.3-70B", 1000), Sale)
