"""Processes of arrivals: mean rate, coefficient of variation, bunches, hours, repeatability."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.errors import InputError
from headway.simulation.traffic import Constant, Diurnal, Gamma, OnOff, Poisson, Weibull, weibull_cv, weibull_shape

PROCESSES = [
    Constant(20),
    Poisson(20),
    Gamma(20, 3),
    Gamma(20, 0.4),
    Weibull(20, 2.5),
    Weibull(20, 0.4),
    OnOff.of_mean(20, on=2, off=6),
    OnOff.of_mean(20, on=2, off=6, off_rate=10),
    Diurnal(20, swing=0.8, day=50),
    Diurnal(20, weights=(1, 0, 3), day=50),
]


def rng(seed=0):
    return np.random.default_rng(seed)


def kind(process):
    return type(process).__name__


@pytest.mark.parametrize("process", PROCESSES, ids=kind)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mean_rate_and_order(process, seed):
    """Over 5,000 s the count is the rate times that, but for five standard errors: those of the process's own dispersion."""
    times = process.until(5000, rng(seed))
    assert process.mean_rate == pytest.approx(20)
    assert np.all(np.diff(times) >= 0)
    assert times[0] >= 0
    assert times[-1] < 5000
    counts = np.histogram(times, bins=50, range=(0, 5000))[
        0
    ]  # windows of 100 s are long against the memory of all of these
    error = counts.std() / math.sqrt(50)
    assert len(times) / 50 == pytest.approx(2000, abs=max(5 * error, 1))
    drawn = process.draw(100_000, rng(seed))
    assert len(drawn) == 100_000
    assert 100_000 / drawn[-1] == pytest.approx(20, rel=5 * counts.std() / 2000 / math.sqrt(50) + 1e-9)
    assert np.all(np.diff(drawn) >= 0)


@given(rate=st.floats(1e-3, 1e4), cv=st.floats(0.1, 3), kind=st.sampled_from([Gamma, Weibull]))
@settings(max_examples=40, deadline=None)
def test_gaps_have_their_mean_and_variation(rate, cv, kind):
    count = 40_000
    gaps = np.diff(kind(rate, cv).draw(count, rng(7)), prepend=0)
    assert gaps.mean() == pytest.approx(1 / rate, rel=6 * cv / math.sqrt(count))
    spread = gaps - gaps.mean()
    error = np.std(spread**2) / math.sqrt(count) / (2 * gaps.std())  # of a standard deviation, by the fourth moment
    assert gaps.std() * rate == pytest.approx(cv, abs=8 * error * rate)


def test_cv_one_is_poisson():
    assert weibull_cv(1) == pytest.approx(1)
    assert weibull_shape(1) == pytest.approx(1)
    for shape in (0.3, 0.5, 2, 30):
        assert weibull_shape(weibull_cv(shape)) == pytest.approx(shape)
    assert weibull_cv(0.5) == pytest.approx(math.sqrt(5))  # gaps are squares of exponential ones: variance 20, mean 2
    for process in (Gamma(5, 1), Weibull(5, 1), Poisson(5)):
        gaps = np.diff(process.draw(50_000, rng(1)))
        assert np.mean(gaps > 0.2) == pytest.approx(math.exp(-1), abs=0.01)


def test_on_off_bursts():
    """Arrivals bunch by just as much as a Markov-modulated process does (index of dispersion of counts, long windows)."""
    process = OnOff.of_mean(20, on=2, off=6)
    assert process.on_rate == pytest.approx(80)
    times = process.until(40_000, rng(4))
    counts = np.histogram(times, bins=400, range=(0, 40_000))[0]
    a, b = 1 / 2, 1 / 6  # rates at which bursts end and begin
    expected = 1 + 2 * (80 - 0) ** 2 * a * b / ((a + b) ** 3) / 20
    assert counts.var() / counts.mean() == pytest.approx(expected, rel=0.35)
    gaps = np.diff(times)
    assert np.mean(gaps > 1) * len(gaps) == pytest.approx(
        40_000 / 8 * math.exp(-1 / 6), rel=0.1
    )  # one pause in each cycle


def test_on_off_between_bursts():
    quiet = OnOff(on_rate=100, on=1, off=9, off_rate=5)
    assert quiet.mean_rate == pytest.approx(14.5)
    assert OnOff.of_mean(14.5, 1, 9, 5).on_rate == pytest.approx(100)
    same = np.diff(OnOff(20, 3, 3, 20).draw(40_000, rng(0)))  # the same rate in both: Poisson
    assert same.std() / same.mean() == pytest.approx(1, abs=0.03)


def test_hours_of_a_day():
    weights = tuple(float(h) for h in range(24))
    process = Diurnal(2.0, weights=weights)
    times = process.until(4 * 86_400, rng(5))
    hours = np.bincount((times % 86_400 // 3600).astype(int), minlength=24)
    expected = np.array(weights) / sum(weights) * 2.0 * 4 * 86_400
    assert hours[0] == 0
    assert np.all(np.abs(hours - expected) <= 5 * np.sqrt(expected))
    cosine = Diurnal(2.0, swing=1, peak=0)
    assert cosine.rate_at(np.array([0, 43_200, 86_400])) == pytest.approx([4, 0, 4])
    later = Diurnal(2.0, weights=weights, start=86_400 / 2)
    assert later.rate_at(np.array([0.0])) == pytest.approx(2 * 12 / 11.5)


@pytest.mark.parametrize("process", PROCESSES, ids=kind)
def test_seeds_repeat(process):
    assert np.array_equal(process.draw(500, rng(3)), process.draw(500, rng(3)))
    assert np.array_equal(process.until(30, rng(3)), process.until(30, rng(3)))
    if not isinstance(process, Constant):
        assert not np.array_equal(process.draw(500, rng(3)), process.draw(500, rng(4)))
    assert len(process.draw(0, rng())) == 0
    assert len(process.until(0, rng())) == 0


@pytest.mark.parametrize("make", [
    lambda: Poisson(0), lambda: Poisson(float("nan")), lambda: Constant(-1), lambda: Gamma(1, 0), lambda: Gamma(1, 51),
    lambda: Weibull(1, float("nan")), lambda: weibull_cv(0.01), lambda: OnOff(1, 0, 1), lambda: OnOff(1, 1, 1, -1),
    lambda: OnOff.of_mean(1, 1, 1, 2), lambda: Diurnal(1, swing=1.1), lambda: Diurnal(1, weights=(0.0, 0.0)),
    lambda: Diurnal(1, weights=(1.0, -1.0)), lambda: Diurnal(1, peak=float("inf")), lambda: Poisson(1).draw(10**9, rng()),
    lambda: Poisson(1e9).until(1e9, rng()), lambda: OnOff(1e-9, 1e-6, 1e-6).until(1e6, rng()), lambda: Poisson(1).until(math.inf, rng()),
])  # fmt: skip
def test_what_is_refused(make):
    with pytest.raises(InputError) as caught:
        make()
    assert "\n" not in str(caught.value)
