"""Money by hand: tariffs, tiers, where to keep a cache, prices read backwards."""

from __future__ import annotations

import math

import numpy as np
import pytest

from headway.economics import (
    Recompute,
    Tier,
    cache_premium,
    candidate_shapes,
    cheapest,
    check_tariff,
    context_cost,
    covered_context,
    crossover,
    mean_context_cost,
    read_price_ratio,
    tier_at,
    total_cost,
)
from headway.errors import PhysicsError


def test_a_tariff_and_its_margin():
    """1 up to 100k, 2 above; cost max(1, L/80k): loses between 80k and 100k, and from 160k; a margin of a tenth loses sooner."""
    contexts = np.array([10e3, 90e3, 100e3, 150e3, 170e3])
    found = check_tariff(contexts, 100e3, 2.0, 80e3)
    assert list(found.price) == [1, 1, 1, 2, 2]
    assert list(found.cost) == pytest.approx([1, 1.125, 1.25, 1.875, 2.125])
    assert list(found.loses) == [False, True, True, False, True]
    assert list(check_tariff(contexts, 100e3, 2.0, 80e3, margin=0.1).price) == pytest.approx([0.9, 0.9, 0.9, 1.8, 1.8])
    assert covered_context(2.0, 80e3) == 160e3
    grid = np.linspace(20e3, 200e3, 200_001)
    assert float(mean_context_cost(20e3, 200e3, 80e3)) == pytest.approx(
        float(context_cost(grid, 80e3).mean()), rel=1e-4
    )
    assert float(mean_context_cost(100e3, 200e3, 80e3)) == pytest.approx(150 / 80)
    assert float(mean_context_cost(10e3, 50e3, 80e3)) == 1.0


def test_a_faster_tier_takes_a_smaller_batch():
    """Weights 10 ms, 20 us of cache and 10 us of compute a sequence: 1,000 take 30 ms; twice as fast leaves 5 ms for caches."""
    found = tier_at(2.0, 1000, 0.010, 20e-6, 10e-6)
    assert (found.batch, found.step_seconds, found.speed_up) == pytest.approx((250, 0.015, 2.0))
    assert found.price_multiple == pytest.approx((0.015 / 250) / (0.030 / 1000))
    slow = tier_at(0.5, 1000, 0.010, 20e-6, 10e-6)
    assert (slow.batch, slow.price_multiple) == pytest.approx((2500, (0.060 / 2500) / 3e-5))
    assert tier_at(0.5, 1000, 0.010, 1e-6, 10e-6).batch == pytest.approx(2 * 0.011 / 10e-6)  # compute binds
    with pytest.raises(PhysicsError, match=r"needs a step of 7\.5 ms, below the floor of 10 ms .* at most 3x"):
        tier_at(4.0, 1000, 0.010, 20e-6, 10e-6)


NEAR, FAR = Tier("near", 1e12, 1e11, 2e-3), Tier("far", 1e13, 1e10, 1e-3)


def test_where_to_keep_a_cache():
    """Lecture E25: what it costs to bring back, and to hold."""
    k = 1e5
    assert total_cost(NEAR, k, 100) == pytest.approx(k / 1e11 * 2e-3 + 100 * k / 1e12 * 2e-3)
    assert NEAR.drain == pytest.approx(10.0)
    assert total_cost(Recompute(1e-6), k, 1e9) == 1e-6
    hold = (k / 1e10 * 1e-3 - k / 1e11 * 2e-3) / (k / 1e12 * 2e-3 - k / 1e13 * 1e-3)
    assert crossover(NEAR, FAR, k) == pytest.approx(hold)
    assert crossover(FAR, NEAR, k) == math.inf  # it never saves to move nearer for longer
    assert cheapest([NEAR, FAR], k, hold * 0.9) is NEAR
    assert cheapest([NEAR, FAR], k, hold * 1.1) is FAR
    assert total_cost(Tier("own", 1e12, 1e11, 2e-3, own_memory=True), k, 0) == 0


def test_prices_read_backwards():
    found = read_price_ratio(np.array([15.0, 0.5]), 1.0)
    assert list(found.memory_over_compute) == [15.0, 0.5]
    assert list(found.decode_mfu) == pytest.approx([1 / 15, 1.0])
    assert isinstance(read_price_ratio(15.0, 3.0).memory_over_compute, float)
    premium = cache_premium(3.0, 3.75, 0.3, 300.0)
    assert (premium.per_second, premium.break_even_hits) == pytest.approx((0.75 / 300, 1))
    assert cache_premium(3.0, 6.0, 0.3, 3600.0).break_even_hits == 2
    assert cache_premium(5.0, 6.25, np.array([5.0, 6.0, 0.5]), 300.0).break_even_hits == pytest.approx(
        [np.inf, np.inf, 1]
    )
    assert cache_premium(5.0, 5.0, 0.5, 300.0).break_even_hits == 1  # none is paid back before the first


def test_shapes_that_give_so_many_bytes():
    """2 x layers x head dimension x heads x bytes; nearest first, with how far they lie off."""
    found = candidate_shapes(2048.0, bytes_per_element=2.0, tolerance=0.01)
    assert found
    for s in found:
        assert s.kv_bytes == 2 * s.layers * s.head_dim * s.kv_heads * 2.0
        assert s.relative == pytest.approx(s.kv_bytes / 2048 - 1)
        assert abs(s.relative) <= 0.01
    wide = candidate_shapes(2000.0, tolerance=0.5)
    assert [abs(s.relative) for s in wide] == sorted(abs(s.relative) for s in wide)
    assert len(wide) > len(candidate_shapes(2000.0, tolerance=0.1))
