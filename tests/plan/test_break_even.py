"""Self-hosting against API prices, on a small machine: capacities are simulated, crossings follow from them."""

from __future__ import annotations

import datetime
import json
import statistics
from dataclasses import replace
from decimal import Decimal as D

import pytest

from headway.catalog import using
from headway.economics import Workload
from headway.errors import InputError
from headway.figures import break_even_figure, write_figure
from headway.hardware import system
from headway.plan.break_even import Limits, against_api, read_hits, rents_of
from headway.plan.capacity import find_capacity
from headway.questions import Request

DAY = datetime.date(2026, 11, 27)
WORK = Workload(D(1024), D(64))
ASK = Request("llama-3.1-8b", "h100x1", price="3.6/h")


@pytest.fixture(scope="module")
def found():
    limits = [Limits(1.0, 0.02), Limits(1.0, 0.05)]
    return against_api(ASK, WORK, DAY, limits=limits, hits=[0.0, 0.5], reserved=1.8 / 3600, busy=D(8), seeds=1)


def test_capacity_grows_with_cache_hits_and_looser_limits(found):
    """Four cells: by SLO, then by hits. What a shared half of the prompt saves is the simulator's, not a discount."""
    tight, tight_hits, loose, loose_hits = (float(c.carried) for c in found.cells)
    assert tight_hits > 1.2 * tight
    assert loose_hits > 1.2 * loose
    assert loose > tight
    assert [c.hits for c in found.cells] == [0, 0.5, 0, 0.5]


def test_without_hits_it_is_headway_capacity(found):
    """The same requests, drawn as plain Poisson traffic, are carried within some per cent."""
    ask = Request("llama-3.1-8b", "h100x1", prompt=1024, output=64)
    plain = find_capacity(ask, ttft=1.0, tpot=0.05, seeds=1, speeds=())
    assert float(found.cells[2].carried) == pytest.approx(plain.most.value.value, rel=0.15)


def test_crossings_follow_from_rent_bill_and_capacity(found):
    """$3.6/h on demand for the 8 busy hours is $0.001 a busy second; $1.8/h reserved for 24 is $0.0015."""
    demand, reserved = found.rents
    cell = found.cells[0]
    assert demand.per_busy_second(D(8)) == D("0.001")
    assert reserved.per_busy_second(D(8)) == D("0.0015")
    assert found.crossing(cell, demand, D("0.001")).first == 1
    assert found.crossing(cell, reserved, D("0.001")).first == D("1.5")
    dear = found.crossing(cell, demand, D("0.001") / cell.carried / 2)
    assert dear.first is None  # a full system costs twice the API
    for share, rate, at in found.loads(cell):
        assert rate == cell.carried * D(str(share))
        (each, saved), _ = at
        assert each * rate == pytest.approx(D("0.001"))
        assert saved == rate * cell.least - D("0.001")


def test_api_prices_of_a_cell(found):
    """The cheapest lies not far off its peers; hits are billed as hits where the provider has a price for them."""
    for c in found.cells:
        totals = [q.bill.total for q in c.quotes if q.bill]
        assert totals == sorted(totals)
        assert c.least == min(q.bill.total for q in c.quotes if q.bill and not q.offer.odd)
        assert c.least <= c.median
    cold, hot = ({q.offer.name: q for q in c.quotes} for c in found.cells[:2])
    assert any(q.bill.lines["cache_hit"] > 0 for q in hot.values() if q.bill)
    assert all(q.bill.total <= cold[n].bill.total for n, q in hot.items() if q.bill)


def test_a_price_far_off_its_peers_is_nobodys_cheapest(tmp_path):
    (tmp_path / "api_prices.csv").write_text(
        "provider,model,input,output,date,source\n"
        + "".join(f"slip{i},llama-3.1-8b,0.0001,0.000{i},2026-11,me\n" for i in range(1, 7))
    )
    with using(tmp_path):
        cell = against_api(ASK, WORK, DAY, limits=[Limits(1.0, 0.05)], hits=[0.0], seeds=1).cells[0]
    assert cell.quotes[0].offer.listed.provider == "slip1"
    assert cell.quotes[0].offer.odd
    assert not cell.cheapest.offer.listed.provider.startswith("slip")
    sound = [q.bill.total for q in cell.quotes if q.bill and q.bill.total > 0 and not q.offer.odd]
    assert cell.median == statistics.median(sound)
    assert cell.median != statistics.median([q.bill.total for q in cell.quotes if q.bill and q.bill.total > 0])


def test_idle_chips_are_paid():
    """Of a rack of 72 chips each is paid, whatever the layout leaves idle."""
    demand, reserved = rents_of(system("gb200-nvl72"), None, None, D(24))
    assert demand.per_hour == D("4.49") * 72
    assert reserved.per_hour == D("3.3") * 72


def test_prices_that_nobody_knows():
    with pytest.raises(InputError, match="has no price"):
        rents_of(_priceless(), None, None, D(24))
    assert len(rents_of(_priceless(), 1 / 3600, None, D(24))) == 1


def _priceless():
    s = system("h100x1")
    return replace(s, name="none", price=None, chip=replace(s.chip, name="nobody rents it"))


def test_shares_of_hits():
    assert read_hits(None, WORK) == [0.0, 0.5, 0.9]
    assert read_hits(None, Workload(D(1000), D(1), cached=D(250))) == [0.25]
    assert read_hits("0, 50%,0.9", WORK) == [0, 0.5, 0.9]
    for bad in ("1", "x", "-1", "100%"):
        with pytest.raises(InputError, match="--hits"):
            read_hits(bad, WORK)


def test_it_shows_itself(found, tmp_path):
    text, record = found.text(), found.to_dict()
    for said in (
        "on demand",
        "reserved",
        "pays from",
        "a system carries",
        "idle chips",
        "requests come in 8 h of the day",
        "saves",
    ):
        assert said in text
    json.dumps(record, allow_nan=False)
    assert len(record["cells"]) == 4
    first = record["cells"][0]
    assert (
        first["loads"][0]["self_hosted"][0]["saves_dollars_per_s"]
        < first["loads"][-1]["self_hosted"][0]["saves_dollars_per_s"]
    )
    assert "llama-3.1-8b on " in repr(found)
    spec = break_even_figure(found)
    assert len(spec["concat"]) == 4
    points = spec["concat"][0]["layer"][0]["data"]["values"]
    rents = [p["dollars"] for p in points if p["name"] == "on demand"]
    assert sorted(set(rents)) == pytest.approx([3.6, 7.2, 10.8, 14.4])
    write_figure(spec, tmp_path / "chart.svg")
    assert (tmp_path / "chart.svg").read_text().startswith("<svg")


def test_questions_that_cannot_be():
    with pytest.raises(InputError, match="--hours"):
        against_api(ASK, WORK, DAY, limits=[Limits(1.0)], hits=[0.0], busy=D(25))
    with pytest.raises(InputError, match="no provider bills"):
        against_api(ASK, Workload(D(1024), D(64), tier="priority"), DAY, limits=[Limits(1.0)], hits=[0.0])
