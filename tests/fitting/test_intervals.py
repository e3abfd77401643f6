"""Intervals, floors and statistics of predictions."""

from __future__ import annotations

import numpy as np
import pytest

from cases import measured
from headway.fitting.compare import accuracy, ratios, truth
from headway.fitting.data import usable
from headway.fitting.estimate import estimate, numbers_of
from headway.fitting.floors import batch_floors as floors
from headway.fitting.intervals import Residuals, bounds, score, widths
from headway.roofline import (
    profile,
    profile_names,
)


def test_spreads_cover_four_in_five():
    rng = np.random.default_rng(0)
    fold = np.repeat([f"f{i}" for i in range(40)], 50)
    log = rng.normal(0, 0.2, fold.size) + np.repeat(rng.normal(0, 0.1, 40), 50)
    every = np.ones(fold.size, dtype=bool)
    rows = Residuals(log, fold, [frozenset()] * fold.size)
    s = widths(rows).plain
    assert s.low == pytest.approx(-1.2816 * 0.05**0.5, rel=0.1)
    low, high = bounds(rows, fold, {"all": every})
    assert np.mean((-log >= low) & (-log <= high)) == pytest.approx(0.8, abs=0.02)
    assert widths(rows.of(np.arange(fold.size) < 5)) is None
    wide = s.widened(1.5)
    assert wide.low < s.low < 0 < s.high < wide.high


def test_variances_add_up_over_kinds():
    """A kind of a quarter of the cells with twice the spread has its own width; one of nearly all cells is the rule."""
    rng = np.random.default_rng(1)
    cell = np.repeat([f"c{i}" for i in range(80)], 20)
    odd = np.repeat(np.arange(80) % 4 == 0, 20)
    log = rng.normal(0, 0.1, cell.size) * np.where(odd, 2.0, 1.0)
    rows = Residuals(log, cell, [frozenset({"odd", "all"} if o else {"all"}) for o in odd])
    found = widths(rows)
    assert found.factor(frozenset({"odd"})) == pytest.approx(2.0, rel=0.15)
    assert found.factor(frozenset({"all"})) == 1.0
    low, high = bounds(rows, cell, {"all": np.ones(cell.size, dtype=bool)})
    for some in (odd, ~odd):
        assert np.mean(((-log >= low) & (-log <= high))[some]) == pytest.approx(0.8, abs=0.04)
    assert score(np.array([0.0, 0.3]), np.array([-0.2, -0.2]), np.array([0.2, 0.2])) == pytest.approx([0.4, 1.4])


@pytest.mark.parametrize("name", [n for n in profile_names() if n != "ideal"])
def test_no_prediction_is_below_its_floor(data, name):
    """design.md rule 1, for every row of the evidence under every profile: TPOT, TTFT, end to end and rate."""
    least = floors(data.batch)
    numbers = numbers_of([profile(name).on(c.chip, r.date) for r, c in zip(data.rows, data.cases, strict=True)])
    found = estimate(data.batch, numbers)
    for values, floor in (
        (found.served.tpot, least.tpot),
        (found.served.ttft, least.ttft),
        (found.served.request, least.request),
    ):
        assert (floor[np.isfinite(floor)] > 0).mean() > 0.6
        assert (values >= floor * (1 - 1e-9)).all()
    batch, output = (np.array([getattr(r, f) for r in data.rows]) for f in ("batch", "output"))
    assert (found.output_rate <= np.maximum(batch, 1) * output / least.request * (1 + 1e-9)).all()


def test_statistics():
    found = accuracy(np.log([1.1, 0.9, 1.5, 1.0]), np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 0.0, 1.0]))
    assert (found.n, found.within, found.coverage) == (4, 0.75, 0.75)
    assert found.median == pytest.approx(0.1)
    assert found.mean == pytest.approx(0.175)
    assert found.rank == pytest.approx(0.8)
    assert accuracy(np.array([np.nan])) is None


def test_ratios_are_of_each_rows_own_measure():
    rows = [measured(tpot_ms_mean=10, ttft_ms_mean=100), measured(load="static_batch", output_tok_s=500),
            measured(ttft_ms_median=80), measured(load="static_batch", e2e_ms_mean=9000)]  # fmt: skip
    data, _ = usable(rows)
    found = estimate(data.batch, numbers_of([c.profile.on(c.chip) for c in data.cases]))
    log, first = ratios(truth(rows), found)
    assert log[0] == pytest.approx(np.log(found.served.tpot[0] / 0.01))
    assert log[1] == pytest.approx(np.log(500 / found.output_rate[1]))  # positive: predicted too slow
    assert np.isnan(log[2])
    assert first[2] == pytest.approx(np.log(found.served.ttft_median[2] / 0.08))
    assert log[3] == pytest.approx(np.log(found.served.request[3] / 9))
