"""What a cache costs to write, hold and hit, by hand and against every case tried out; devices from tables."""

from __future__ import annotations

import math

import numpy as np
import pytest

from headway import economics
from headway.economics import (
    Recompute,
    Tier,
    devices,
    envelope,
    hit_cost,
    hits_that_pay,
    hits_to_buy,
    total_cost,
    write_cost,
)
from headway.errors import InputError

YEAR = 365.25 * 86400
FLASH = Tier("flash", 4e12, 7e9, 0.01 / 3600, wear=1e-16)


def test_a_write_and_a_hit_by_hand():
    """100 kB a token, an hour: computed, moved out with its wear, held; a hit is brought back and held again."""
    k, computing, rent = 1e5, 3e-7, 0.01 / 3600
    back, hold = k / 7e9 * rent, k / 4e12 * rent
    assert write_cost(FLASH, computing, k, 3600) == pytest.approx(computing + back + k * 1e-16 + 3600 * hold, rel=1e-12)
    assert hit_cost(FLASH, k, 3600) == pytest.approx(back + 3600 * hold, rel=1e-12)
    own = Tier("HBM", 2e11, 8e12, 2 / 3600, own_memory=True, wear=1.0)
    assert write_cost(Recompute(computing), computing, k, 300) == hit_cost(Recompute(computing), k, 300) == computing
    assert hit_cost(own, k, 300) == pytest.approx(300 * k / 2e11 * 2 / 3600)


def test_no_hit_is_cheaper_than_what_it_holds():
    """Cached input without its holding cost would be: a longer promise is never cheaper, and both prices cover it."""
    k = 3e5
    for tier in (FLASH, Tier("DDR", 1e12, 6e10, 0.3 / 3600)):
        hits = [float(hit_cost(tier, k, t)) for t in (0, 300, 3600)]
        assert hits[0] < hits[1] < hits[2]
        assert hits[2] - hits[1] == pytest.approx(3300 * float(tier.hold(k)))
        assert float(write_cost(tier, 0.0, k, 3600) - write_cost(tier, 0.0, k, 300)) == pytest.approx(
            3300 * float(tier.hold(k))
        )


def test_hits_that_pay_are_the_fewest():
    """n hits at an interval, the cache held between them and once more for nobody, against computing the prompt every time."""
    rng = np.random.default_rng(1)
    tried = 0
    for _ in range(300):
        k, computing, ttl = 1e5, 10 ** rng.uniform(-8, -6), 10 ** rng.uniform(0, 5)
        tier = Tier("x", 1e12, 10 ** rng.uniform(9, 11), 10 ** rng.uniform(-6, -3), wear=10 ** rng.uniform(-17, -15))
        every = ttl * rng.uniform(0, 1)
        found = hits_that_pay(tier, computing, k, ttl, every)

        def kept(n, tier=tier, computing=computing, ttl=ttl, every=every, k=k):
            return float(computing + tier.store(k) + n * tier.retrieve(k) + (n * every + ttl) * tier.hold(k))

        if math.isinf(found):
            assert computing <= float(total_cost(tier, k, every))
            continue
        tried += 1
        assert kept(found) <= (found + 1) * computing * (1 + 1e-6)
        assert found == 1 or kept(found - 1) > found * computing * (1 - 1e-6)
    assert tried > 100


def test_buyers_break_even():
    """SYS-F7: one hit pays for five minutes, two for an hour; a hit dearer than input never does."""
    assert (hits_to_buy(5, 6.25, 0.5), hits_to_buy(5, 10, 0.5), hits_to_buy(5, 6.25, 5)) == (1, 2, math.inf)
    assert hits_to_buy(3, 3, 0.3) == 1  # a free write saves nothing before it is read


def test_the_envelope_is_the_least_of_all():
    rng = np.random.default_rng(2)
    for _ in range(200):
        options = [
            Tier(str(i), 10 ** rng.uniform(11, 14), 10 ** rng.uniform(8, 13), 10 ** rng.uniform(-7, -3))
            for i in range(5)
        ]
        options += [Recompute(10 ** rng.uniform(-9, -6))]
        found = envelope(options, 1e5)
        assert [t for t, _ in found] == sorted({t for t, _ in found})
        assert found[0][0] == 0
        for tau in 10 ** rng.uniform(-4, 9, 20):
            here = [o for start, o in found if start <= tau][-1]
            assert float(total_cost(here, 1e5, tau)) == pytest.approx(
                min(float(total_cost(o, 1e5, tau)) for o in options), rel=1e-9
            )


def test_catalogue_devices_are_bought_at_the_catalogues_prices():
    """Each real row's purchase price stands in memory_prices, with a source; rents are price x size over the years."""
    from headway.catalog import catalogue

    known = [
        (float(r["usd_per_GB_low"]), float(r["usd_per_GB_high"]))
        for r in catalogue().table("memory_prices").rows
        if r["usd_per_GB_low"]
    ]
    found = {d.name: d for d in devices()}
    assert set(found) == {"HBM", "DDR", "flash", "disk"}
    for d in found.values():
        assert all((d.source, d.date, d.licence))
        assert d.rent or any(
            low <= d.price * 1e9 * (1 + 1e-9) and d.price * 1e9 <= high * (1 + 1e-9) for low, high in known
        )
    flash = found["flash"]
    assert flash.dollars == pytest.approx(0.365 * 25600 / (5 * YEAR))
    assert flash.option().wear == pytest.approx(0.365 * 25600 / 140160e12)
    assert flash.option().drain == pytest.approx(25600 / 14)


HEAD = "name,kind,capacity_GB,bandwidth_GBps,usd_per_h,usd_per_GB,years,seconds_per_token"


@pytest.mark.parametrize(("rows", "says"), [
    ("", "has no rows"), ("x,flash,,7,0.01,,,", "line 2: a device of kind flash needs capacity_GB"),
    ("x,flash,4000,7,,,,", "usd_per_h, or usd_per_GB and years"), ("x,flash,4000,7,,0.3,,", "usd_per_h, or usd_per_GB and years"),
    ("x,recompute,,,2,,,", "needs seconds_per_token"), ("x,recompute,,,,3,5,1e-5", "needs usd_per_h"),
    ("x,flash,4000,7,0.01,,,\nx,disk,4000,7,0.01,,,", "line 3: a second 'x'"),
    ("x,hbm,80,3350,2,,,\ny,HBM,80,3350,2,,,", "a second row of kind hbm"),
    ("x,flash,-4,7,0.01,,,", "line 2: column 'capacity_GB'"), ("x,flash,4 TB,7,0.01,,,", "not a number in GB"),
    (",flash,4000,7,0.01,,,", "needs a value for name"),
])  # fmt: skip
def test_tables_are_refused_in_one_line(tmp_path, rows, says):
    file = tmp_path / "mine.csv"
    file.write_text(f"{HEAD}\n{rows}\n" if rows else f"{HEAD}\n")
    with pytest.raises(InputError, match=says.replace("(", r"\(")) as told:
        devices(file)
    assert "\n" not in str(told.value)


def test_what_the_market_asks():
    """SYS-F8: 0.0041667 and 0.0013889 $/s per Mtok; a rent says how far apart hits may be; unknown prices stay unknown."""
    found = {(m.provider, m.ttl): m for m in economics.sold_caches()}
    five, hour = found["Anthropic", "5 min"], found["Anthropic", "1 h"]
    assert (five.premium, hour.premium) == pytest.approx((0.0041667, 0.0013889), abs=1e-7)
    assert five.premium / hour.premium == pytest.approx(3.0)
    assert (five.hits, hour.hits, five.longest_gap, hour.longest_gap) == (1, 2, 300, 3600)
    google = found["Google Gemini 2.5 Pro explicit cache", "any TTL"]
    assert google.longest_gap == pytest.approx((1.25 - 0.125) / 4.5 * 3600)
    assert google.premium == pytest.approx(4.5 / 3600)
    assert math.isnan(found["Bedrock Kimi/GLM", "30 min"].hits)
    assert math.isnan(found["Bedrock Kimi/GLM", "30 min"].premium)
