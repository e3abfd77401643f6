"""Trains with random riders in closed form: against chains iterated by hand, limits, and trains run one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.batching import (
    continuous,
    departures,
    fills,
    held,
    held_share,
    left_behind,
    mean_left_behind,
    mean_wait,
    timetable,
    worst_wait,
)
from headway.simulation import run_continuous, run_held, run_timetable

T = 0.02  # lecture 1.4


def poisson(rate, count, seed):
    return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, count))


def mean_and_error(values, batches=20):
    """Mean of a run and its standard error, from the means of stretches that are long against what they remember."""
    parts = values[: len(values) // batches * batches].reshape(batches, -1).mean(axis=1)
    return values.mean(), parts.std(ddof=1) / math.sqrt(batches)


def agrees(values, expected):
    """A run of this length strays so far from its mean: four and a half standard errors, one run in 10^4 (t, 19 degrees)."""
    mean, error = mean_and_error(values)
    assert abs(mean - expected) < 4.5 * error + 1e-12, (mean, expected, error)
    assert error < 0.1 * max(mean, 1e-12), "a run too short to show anything"


def iterated(arrivals, seats, size=500):
    """The embedded chain L -> max(L + A - c, 0), applied until it stays."""
    k = np.arange(size)
    poisson_law = np.exp(-arrivals + k * math.log(arrivals) - [math.lgamma(i + 1) for i in k])
    law = np.eye(1, size)[0]
    for _ in range(20_000):
        present = np.convolve(law, poisson_law)[: size + seats]
        after = np.concatenate([[present[: seats + 1].sum()], present[seats + 1 :]])
        after = np.pad(after, (0, size - len(after)))
        if np.abs(after - law).max() < 1e-16:
            break
        law = after
    return law / law.sum()


@pytest.mark.parametrize(
    ("arrivals", "seats"),
    [(0.3, 1), (0.5, 1), (0.9, 1), (1.6, 2), (7.0, 8), (9.5, 10), (20.0, 64), (50.0, 64), (57.0, 64), (59.0, 64)],
)
def test_those_left_behind_are_the_iterated_chains(arrivals, seats):
    """Both ways to the answer (a sum over steps, the unit circle) on both sides of where they take over."""
    chain, found = iterated(arrivals, seats), left_behind(arrivals, seats)
    n = min(len(chain), len(found))
    np.testing.assert_allclose(found[:n], chain[:n], atol=1e-11)
    assert mean_left_behind(arrivals, seats) == pytest.approx(float(chain @ np.arange(len(chain))), rel=1e-9, abs=1e-12)


def roots_mean(arrivals, seats):
    """Bailey's mean from the roots of z^c = exp(a(z - 1)) inside the unit circle."""
    unit = np.exp(2j * np.pi * np.arange(1, seats) / seats)
    z = np.zeros(seats - 1, dtype=complex)
    for _ in range(100_000):
        z, before = unit * np.exp(arrivals * (z - 1) / seats), z
        if not len(z) or np.abs(z - before).max() < 1e-15:
            break
    rest = (seats * (seats - 1) - arrivals**2) / (2 * (seats - arrivals))
    return float((1 / (1 - z)).sum().real) - rest


@pytest.mark.parametrize("seats", [1, 2, 10, 100, 1000])
@pytest.mark.parametrize("load", [0.5, 0.9, 0.99, 0.999])
def test_the_mean_is_baileys_by_roots(seats, load):
    """Bailey 1954; the roots' sum loses digits that the size of its terms costs."""
    found, roots = mean_left_behind(load * seats, seats), roots_mean(load * seats, seats)
    assert found == pytest.approx(roots, rel=1e-6, abs=1e-9 * seats**2)


def test_one_seat_is_a_queue_for_one_server():
    """Pollaczek and Khinchine: M/D/1 leaves a^2 / (2 (1 - a)) waiting."""
    for a in (0.1, 0.5, 0.9, 0.999):
        assert mean_left_behind(a, 1) == pytest.approx(a**2 / (2 * (1 - a)), rel=1e-8)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.floats(0.01, 0.99))
def test_waits_grow_with_load_and_shrink_with_seats(seats, load):
    a = load * seats
    found = left_behind(a, seats)
    assert found.sum() == pytest.approx(1)
    assert mean_left_behind(a, seats) <= mean_left_behind(a + 0.005 * seats, seats) + 1e-9
    assert mean_left_behind(a, seats + 1) <= mean_left_behind(a, seats) + 1e-9
    more = load / (2 * (1 - load))  # Kingman's bound: variance over twice the drift
    assert mean_left_behind(a, seats) <= more + 1e-9


def test_light_load_is_the_lectures_timetable():
    """Lecture 1.4: mean 1.5 T = 30 ms, worst 2 T = 40 ms at 20 ms."""
    found = timetable(T, 2000, 10.0)
    assert found.token == pytest.approx(0.030) == mean_wait(T)
    assert worst_wait(T) == pytest.approx(0.040)
    alone = departures(T, 2000, 10.0)
    assert (found.token, found.riders) == pytest.approx((alone.mean, alone.fill * 2000))
    assert timetable(T, 2000, 0.0).token == pytest.approx(0.030)
    assert timetable(T, 2000, 10.0, passes=100).request == pytest.approx(0.01 + 2.0)  # n T and the wait


def test_at_saturation_the_wait_is_infinite():
    for rate in (50.0 * 2, 500.0):
        full = timetable(T, 2, rate)
        assert (full.wait, full.token, full.left, full.riders, full.saturated) == (
            math.inf,
            math.inf,
            math.inf,
            2,
            True,
        )
    assert not timetable(T, 2, 99.9).saturated
    assert timetable(T, 2, 99.9).wait > 20 * timetable(T, 2, 95.0).wait


@pytest.mark.parametrize(
    ("seats", "load", "passes"), [(1, 0.5, 1), (2, 0.8, 1), (16, 0.9, 1), (4, 0.7, 5), (10, 0.8, 10)]
)
def test_bulk_service_waits_are_those_of_trains_run_one_by_one(seats, load, passes):
    rate = load * seats / (T * passes)
    ran = run_timetable(poisson(rate, 300_000, 3), T, seats, passes)
    found = timetable(T, seats, rate, passes)
    agrees(ran.waits, found.wait)
    agrees(ran.ends - ran.arrivals, found.request)
    assert ran.mean_riders == pytest.approx(found.riders, rel=4.5 / math.sqrt(len(ran.arrivals)) + 1e-3)


def test_i2_limits():
    """SYS-I2: rate -> infinity: the full train; rate -> 0: the wait is the timeout."""
    fast, slow = held(1e9, 0.2, 64), held(1e-12, 0.2, 64)
    assert (fast.fill, fast.wait) == pytest.approx((64, 63 / 2e9))
    assert (slow.fill, slow.wait, slow.departures) == pytest.approx((1, 0.2, 1e-12))
    waits = held(np.geomspace(1e-6, 1e6, 25), 0.2, 64)
    assert (np.diff(waits.fill) >= 0).all()
    assert (waits.wait <= 0.2).all()
    assert held(5.0, 0.0, 64).wait == 0
    assert held(5.0, 0.0, 64).fill == 1
    alone = held(5.0, 0.2, 1)
    assert (alone.fill, alone.wait) == (1, 0)


@pytest.mark.parametrize(("rate", "timeout", "seats"), [(40.0, 0.2, 64), (40.0, 0.2, 8), (5.0, 0.2, 2), (1.0, 3.0, 5)])
def test_held_trains_are_those_run_one_by_one(rate, timeout, seats):
    ran = run_held(poisson(rate, 100_000, 5), np.full(seats, T), timeout)
    found = held(rate, timeout, seats)
    agrees(ran.waits, float(found.wait))
    agrees(ran.riders.astype(float), float(found.fill))
    chances = fills(rate, timeout, seats)
    counted = np.bincount(ran.riders, minlength=seats + 1)[1:] / len(ran.riders)
    np.testing.assert_allclose(counted, chances, atol=4.5 * 0.5 / math.sqrt(len(ran.riders)))
    assert chances.sum() == pytest.approx(1)
    assert chances @ np.arange(1, seats + 1) == pytest.approx(float(found.fill))
    assert ran.waits.max() <= timeout * (1 + 1e-9)


def test_a_pass_is_spread_over_its_riders():
    """A pass whose weights take all its time costs each of 64 a 64th; one that is all KV costs everybody the same."""
    certain = np.eye(64)[63]
    assert held_share(np.full(64, T), certain) == pytest.approx(T / 64)
    assert held_share(T * np.arange(1, 65), fills(40.0, 0.2, 64)) == pytest.approx(T)
    cheaper = [held_share(np.full(64, T), fills(40.0, tau, 64)) for tau in (0.0, 0.1, 0.2, 1.0, 10.0)]
    assert cheaper[0] == pytest.approx(T)
    assert (np.diff(cheaper) < 0).all()
    assert cheaper[-1] == pytest.approx(T / 64)


SECONDS = T + 0.0005 * np.arange(1, 65)


@pytest.mark.parametrize("rate", [0.5, 5.0, 15.0])
def test_continuous_batching_is_that_run_one_by_one(rate):
    """Below 70 % of what the seats carry; requests of 50 passes: the law of many passes is within a pass in 50."""
    ran = run_continuous(poisson(rate, 100_000, 7), SECONDS, 50)
    found = continuous(SECONDS, rate, 50)
    mean, error = mean_and_error(ran.ends - ran.arrivals)
    assert abs(mean - found.request) < 4.5 * error + found.request / 50 / 10
    mean, error = mean_and_error(ran.waits)
    assert abs(mean - found.wait) < 4.5 * error + found.wait / 50
    assert ran.busy / ran.ends[-1] == pytest.approx(found.busy, rel=0.01)


def test_continuous_batching_fills_as_traffic_does():
    quiet, full = continuous(SECONDS, 1e-9, 50), continuous(SECONDS, 64 / (50 * SECONDS[-1]), 50)
    assert (quiet.riders, quiet.token, quiet.request) == pytest.approx((1, SECONDS[0], 50 * SECONDS[0]))
    assert quiet.busy == pytest.approx(1e-9 * 50 * SECONDS[0])
    assert (full.saturated, full.wait, full.riders, full.busy) == (True, math.inf, 64, 1)
    rates = np.linspace(0.1, 24, 20)
    assert (np.diff([continuous(SECONDS, r, 50).riders for r in rates]) > 0).all()
