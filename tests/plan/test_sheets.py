"""Price sheets of tiers: never below what a token costs, steps of the context, cuts of requests, batch work in free seats."""

import dataclasses
import itertools
import math
from decimal import Decimal

import numpy as np
import pytest

from headway.economics import Usage, bill
from headway.errors import InputError, PhysicsError
from headway.plan.costs import token_costs
from headway.plan.mixed import beside, fill_seats
from headway.plan.sheets import price_sheet, read_steps
from headway.plan.speeds import SpeedCurve, bought
from headway.plan.tiers import design_tiers
from headway.questions import Request
from headway.serving import answer, case
from headway.simulation import Requests

ASK = Request("llama-3.1-70b", "h200x8", prompt=2000, output=500)


@pytest.fixture(scope="module")
def sheet():
    return design_tiers(ASK)


@pytest.fixture(scope="module")
def priced(sheet):
    return price_sheet(ASK, sheet)


def costs_at(sheet, tier, prompt, hits=0.0):
    """Of input, cached input and output as the tier runs prompts of a length."""
    s = dataclasses.replace(sheet.setting, prompt=prompt, hits=hits)
    curve = SpeedCurve(s, tier.at.layout)
    at = min(curve.points, key=lambda p: p.cost) if tier.at == sheet.floor else curve.of_speed(tier.at.tpot)
    return token_costs(answer(case(s, at.layout, batch=at.batch)))


def test_no_context_or_tier_is_sold_below_its_cost(sheet, priced):
    """Judged: never less than the marginal cost at any context or tier; here not less than the average of a full machine."""
    rng = np.random.default_rng(3)
    for tier, sold in zip(sheet.tiers, priced, strict=True):
        lows = [4.0, *(r.upto for r in sold.ranges)]
        for low, r in zip(lows, sold.ranges, strict=False):
            for prompt in (low + 1, r.upto, *rng.uniform(low, r.upto, 3)):
                fresh, cached, made = costs_at(sheet, tier, prompt, 0.5)
                for price, k in zip(r.prices, (fresh, cached, made), strict=True):
                    assert float(price) >= k.marginal
                    assert float(price) * (1 - sheet.margin) >= k.average * (1 - 0.01)  # batches are whole numbers


def test_cached_input_pays_for_being_kept(sheet, priced):
    for r in priced[1].ranges[:1]:
        cached = r.costs[1].average
        assert r.hold > 0
        exact = (cached + r.hold) / (1 - sheet.margin)
        assert exact <= float(r.prices[1]) < exact * 1.001
        assert float(r.prices[1]) > 1.01 * cached / (1 - sheet.margin)


def test_longer_ranges_are_never_cheaper(priced):
    for t in priced:
        assert len(t.ranges) > 2
        for a, b in itertools.pairwise(t.ranges):
            assert a.upto < b.upto
            assert all(x <= y for x, y in zip(a.prices, b.prices, strict=True))


def test_the_sheet_bills_by_whole_prompts(priced):
    t = priced[1]
    first, second = t.ranges[:2]
    for prompt, prices in ((first.upto, first.prices), (first.upto + 1, second.prices)):
        total = bill(Usage(input=Decimal(int(prompt)), output=Decimal(500)), t.sheet).total
        assert total == (Decimal(int(prompt)) * prices[0] + 500 * prices[2]) / 10**6


def test_no_split_is_cheaper_unless_said(priced):
    """Within a range no way of cutting a request pays; beyond one, the sheet says how much a cut pays."""
    for t in priced:
        r = t.ranges[-1]
        for prompt, output in ((r.upto, 500), (t.ranges[-2].upto + 10, 400)):
            whole = bill(Usage(input=Decimal(int(prompt)), output=Decimal(output)), t.sheet).total
            # an answer in two, the second with everything before it from the cache
            half = Decimal(output // 2)
            found = Decimal(int(prompt)) + half
            again = bill(Usage(cache_hit=found, output=Decimal(output) - half), t.sheet).total
            assert bill(Usage(input=Decimal(int(prompt)), output=half), t.sheet).total + again > whole
        share, pieces, prompt = t.cheapest_cut(500)
        assert 0 < share < 1
        least = 1.0
        for longer in t.ranges:
            whole = bill(Usage(input=Decimal(int(longer.upto)), output=Decimal(500)), t.sheet).total
            for n in range(2, 80):
                part = Usage(input=Decimal(int(longer.upto / n)), output=Decimal(max(500 // n, 1)))
                least = min(least, float(n * bill(part, t.sheet).total / whole))
        assert share == pytest.approx(least, rel=0.04)
        assert pieces >= 2
        assert prompt in [r.upto for r in t.ranges]


def test_one_price_has_no_cut(sheet):
    only = price_sheet(ASK, sheet, [8000.0])
    assert [len(t.ranges) for t in only] == [1, 1, 1]
    assert all(t.cheapest_cut(500) == (1.0, 1, 0.0) for t in only)


@pytest.mark.parametrize(
    ("prompt", "output", "says"),
    [
        (1000.0, 40_000.0, "leave no room for a prompt in the 32,768"),
        (0.0, 100.0, "at least 1 token"),
        (1000.0, 1.0, "at least 2 tokens"),
    ],
)
def test_a_sheet_needs_room_for_a_prompt(prompt, output, says):
    """Without it there is no first step to go on from."""
    asked = Request("mistral-7b", "h100x1", prompt=prompt, output=output)
    with pytest.raises(InputError, match=says):
        price_sheet(asked, design_tiers(asked, "standard:1x"))


def test_steps_are_read():
    assert read_steps("32k,128k") == [32_000, 128_000]
    for text in ("128k,32k", "32k,32k", "", "x"):
        with pytest.raises(InputError, match="--steps"):
            read_steps(text)


def test_a_tier_stops_where_it_cannot_keep_its_speed():
    ask = Request("llama-3.1-70b", "h100x8", layout="tp4", prompt=2000, output=500)
    fast = design_tiers(ask, "fast:2.2x")
    sold = price_sheet(ask, fast)[0]
    assert sold.stops.startswith("beyond")
    assert sold.ranges[-1].upto < 100_000


def test_what_a_price_buys(sheet):
    base = sheet.standard.at
    for m in sheet.market:
        if m.price_times > 0 and not math.isnan(m.buys):
            tpot = base.tpot / m.buys
            cheapest = min(p.cost for p in sheet.curve if p.tpot <= tpot * (1 + 1e-9))
            assert cheapest <= m.price_times * base.cost * (1 + 1e-9)
    assert bought(sheet.curve, base, 1.0) == pytest.approx(1.0, rel=0.15)
    two = next(m for m in sheet.market if m.price_times == 2 and m.speed_times == 2.5)
    assert two.margin(two.covered_from) == pytest.approx(0, abs=1e-9)  # 2x for 2.5x: below cost unless...
    assert two.covered_from > 0


@pytest.mark.parametrize("traffic", ["poisson:3/s", "gamma:2/s,cv=2"])
def test_batch_work_fills_seats_and_the_promises_hold(sheet, traffic):
    m = fill_seats(ASK, sheet, traffic)
    assert m.filled.tpot <= m.promised_tpot
    assert m.filled.ttft <= m.promised_ttft
    assert m.filled.batch_rate > 0.3 * m.filled.traffic_rate
    assert m.filled.traffic_rate == pytest.approx(m.alone.traffic_rate, rel=0.03)
    assert (
        m.filled.traffic_rate + m.filled.batch_rate < 1.1 * m.tier.at.output_rate
    )  # no more than a full machine makes
    assert m.mixed_cost < m.alone_cost
    assert m.part == pytest.approx(m.filled.traffic_rate / (m.filled.traffic_rate + m.filled.batch_rate), rel=0.03)
    assert m.gains(2.0) == pytest.approx(2e-6 * m.filled.batch_rate)


def test_a_promise_for_first_tokens_binds(sheet):
    """Where first tokens may come hardly later than without batch work, fewer seats are given away than their tempo alone allows."""
    free = fill_seats(ASK, sheet, "poisson:3/s")
    limit = (free.alone.ttft + free.filled.ttft) / 2
    tight = fill_seats(ASK, sheet, "poisson:3/s", ttft=limit)
    assert free.alone.ttft < free.filled.ttft
    assert tight.filled.ttft <= limit < free.filled.ttft
    assert tight.filled.seats < free.filled.seats


def test_a_fuller_fleet_has_fewer_seats(sheet):
    """SYS-I6: idle seats make half price possible, a full fleet does not."""
    some = [fill_seats(ASK, sheet, f"poisson:{r}/s") for r in (1, 4)]
    assert some[0].filled.batch_rate > 1.5 * some[1].filled.batch_rate
    assert some[0].part < 0.5 < some[1].part
    with pytest.raises(PhysicsError, match="the queue grows"):
        fill_seats(ASK, sheet, "poisson:40/s")
    with pytest.raises(PhysicsError, match="less traffic, or a slower tier"):
        fill_seats(ASK, sheet, "poisson:3/s", ttft=0.01)


def test_what_cannot_be_filled(sheet):
    with pytest.raises(InputError, match="closed loop"):
        fill_seats(ASK, sheet, "closed:8")
    with pytest.raises(InputError, match="fast, standard, batch"):
        fill_seats(ASK, sheet, "poisson:1/s", tier="gold")


def test_two_streams_are_one():
    first = Requests(
        np.array([0.0, 2.0, 0.0]), np.array([10, 20, 30]), np.array([1, 2, 3]), after=np.array([-1, -1, 0]),
        think=np.array([0.0, 0.0, 5.0]), hashes=np.array([7, 8, 9]), first_hash=np.array([0, 1, 1, 3]), hash_tokens=10,
    )  # fmt: skip
    second = Requests(np.array([1.0, 3.0]), np.array([40, 50]), np.array([4, 5]))
    both = beside(first, second, ("a", "b"))
    assert both.arrival.tolist() == [0, 1, 2, 3, 0]
    assert both.prompt.tolist() == [10, 40, 20, 50, 30]
    assert both.output.tolist() == [1, 4, 2, 5, 3]
    assert both.tier.tolist() == [0, 1, 0, 1, 0]
    assert both.after.tolist() == [-1, -1, -1, -1, 0]
    assert both.think.tolist() == [0, 0, 0, 0, 5]
    assert both.first_hash.tolist() == [0, 1, 1, 1, 1, 3]
    assert both.hashes.tolist() == [7, 8, 9]
