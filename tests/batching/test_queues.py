"""Queues and timetables against closed forms and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from headway.batching import departures, erlang_c, mean_queue_wait, waiting_chance


def _simulated(servers, load, service, count=200_000, seed=1):
    """Mean wait of M/M/c by following every customer."""
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(service / load, count))
    works = rng.exponential(service, count)
    free, waits = np.zeros(servers), np.empty(count)
    for i, (t, w) in enumerate(zip(arrivals, works, strict=True)):
        j = int(free.argmin())
        start = max(t, free[j])
        waits[i], free[j] = start - t, start + w
    return waits.mean(), (waits > 0).mean()


@pytest.mark.parametrize(("servers", "load"), [(1, 0.7), (4, 3.2)])
def test_waits_are_those_of_a_simulated_queue(servers, load):
    wait, chance = _simulated(servers, load, 2.0)
    assert erlang_c(servers, load) == pytest.approx(chance, rel=0.05)
    assert float(mean_queue_wait(erlang_c(servers, load), servers, load, 2.0)) == pytest.approx(wait, rel=0.08)


def test_services_of_one_length_halve_the_wait():
    """Pollaczek and Khinchine: M/D/1 waits half of M/M/1."""
    chance = erlang_c(1, 0.8)
    assert float(mean_queue_wait(chance, 1, 0.8, 1.0)) == pytest.approx(0.8 / 0.2)
    assert float(mean_queue_wait(chance, 1, 0.8, 1.0, alike=True)) == pytest.approx(0.8 / 0.2 / 2)


def test_a_full_queue_waits_for_ever():
    assert float(mean_queue_wait(1.0, 4, 4.0, 1.0)) == math.inf
    assert float(mean_queue_wait(1.0, 4, 5.0, 1.0)) == math.inf
    assert erlang_c(4, 4.0) == 1.0
    assert list(waiting_chance([4, 100, 4], [4.0, 100.0, 1e-9])) == pytest.approx([1.0, 1.0, 0.0], abs=1e-9)


def test_a_train_that_stops_on_the_way():
    """Three stages of 20 ms: 30 ms on average until the first has been passed, and two more to ride."""
    found = departures(0.02, 100, 10, tokens_per_request=200, stops=3)
    assert (found.mean, found.worst) == pytest.approx((0.03 + 0.04, 0.04 + 0.04))
    assert found.fill == pytest.approx(10 * 200 * 0.02 / 100)
    alone = departures(0.02, 100, 10)
    assert (alone.mean, alone.worst, alone.fill) == pytest.approx((0.03, 0.04, 0.002))
    full = departures(0.02, 100, 5000)
    assert (full.mean, full.worst, full.fill, full.saturated) == (math.inf, math.inf, 1.0, True)


@pytest.mark.parametrize(("servers", "load"), [(64, 60.0), (65, 60.0), (200, 190.0), (500, 450.0), (1000, 999.0)])
def test_the_limit_for_many_servers_is_near_erlangs_recursion(servers, load):
    """Halfin and Whitt: beyond 64 servers the limit stands for the recursion."""
    assert float(waiting_chance(servers, load)) == pytest.approx(erlang_c(servers, load), abs=0.02)
