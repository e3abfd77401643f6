"""Lengths: their means and spreads, and how people write them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import InputError
from headway.simulation.traffic import Empirical, Fixed, Independent, LogNormal, Observed, Uniform, lengths, spread


def rng(seed=0):
    return np.random.default_rng(seed)


def test_fixed_and_uniform():
    assert Fixed(7).draw(3, rng()).tolist() == [7, 7, 7]
    drawn = spread(1000).draw(20_000, rng())
    assert (drawn.min(), drawn.max()) == (800, 1000)  # both ends: 201 values, a miss of either has a chance of e^-100
    assert drawn.mean() == pytest.approx(900, abs=5 * 58 / math.sqrt(20_000))


@given(mean=st.floats(200, 50_000), cv=st.floats(0.05, 1.5))
def test_log_normal(mean, cv):
    drawn = LogNormal(mean, cv).draw(20_000, rng(1))
    assert drawn.mean() == pytest.approx(mean, rel=7 * cv / math.sqrt(20_000) + 1e-3)
    median = mean / math.sqrt(1 + cv**2)
    sigma = math.sqrt(math.log(1 + cv**2))
    assert np.median(drawn) == pytest.approx(median, rel=7 * 1.2533 * sigma / math.sqrt(20_000) + 5e-3)


def test_log_normal_by_quantiles():
    found = LogNormal.of_quantiles(500, 4000)
    drawn = found.draw(200_000, rng(2))
    assert np.quantile(drawn, [0.5, 0.95]) == pytest.approx([500, 4000], rel=0.03)
    assert LogNormal(1000, 2, most=1500).draw(10_000, rng()).max() == 1500
    assert LogNormal(1.2, 5).draw(10_000, rng()).min() == 1


def test_pairs_stay_together():
    prompt = np.array([10, 20, 30])
    p, o = Observed(prompt, prompt * 7).draw(500, rng())
    assert set(p.tolist()) == {10, 20, 30}
    assert np.array_equal(o, 7 * p)
    a, _ = Independent(Uniform(1, 99), Fixed(1)).draw(50, rng(1))
    b, _ = Independent(Uniform(1, 99), Uniform(5, 500)).draw(50, rng(1))
    assert np.array_equal(a, b)  # other answers, the same prompts
    assert Empirical(prompt).mean == 20


@pytest.mark.parametrize(("text", "found"), [
    ("1024", Fixed(1024)), (512, Fixed(512)), ("2k", Fixed(2000)), ("800-1k", Uniform(800, 1000)), ("spread:1k", Uniform(800, 1000)),
    ("1k~0.8", LogNormal(1000, 0.8)), ("lognormal:1k,cv=0.8", LogNormal(1000, 0.8)),
    ("lognormal:mean=1k,cv=0.8,most=8k", LogNormal(1000, 0.8, 8000)), ("lognormal:median=500,p95=4k", LogNormal.of_quantiles(500, 4000)),
])  # fmt: skip
def test_as_people_write_them(text, found):
    assert lengths(text) == found


@pytest.mark.parametrize("text", [
    "", "0", "-5", "1.5", "banana", "100-50", "1k~", "1k~0", "~2", "lognormal:1k", "lognormal:median=4k,p95=500", "spread:0", "2T",
    "lognormal:1k,cv=1,p95=3", 0, float("nan"), 2.5,
])  # fmt: skip
def test_what_is_no_length(text):
    with pytest.raises(InputError) as caught:
        lengths(text, "prompt")
    assert "\n" not in str(caught.value)


def test_what_is_refused():
    for make in (
        lambda: Empirical(np.zeros(0, dtype=np.int64)),
        lambda: Empirical(np.array([3, 0])),
        lambda: Observed(np.array([1, 2]), np.array([1])),
        lambda: spread(100, 0),
        lambda: LogNormal(100, 21),
    ):
        with pytest.raises(InputError):
            make()
