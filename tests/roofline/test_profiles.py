"""Profiles by hand: multipliers of vendor, generation and chip, trends over releases, intervals that widen by what is unseen."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from headway.hardware import chip
from headway.roofline import Profile, Spread
from headway.roofline.join import together
from headway.roofline.profiles import years_since
from headway.roofline.work import Work

SPREAD = Spread(-0.2, 0.3, 100)
FOUND = Profile(
    "mine", {"memory_efficiency": 0.8, "kernel_seconds": 2e-6},
    machines={"NVIDIA": {"kernel_seconds": 2.0}, "Hopper": {"memory_efficiency": 0.9}, "H200 SXM": {"memory_efficiency": 2.0}},
    releases={"kernel_seconds": -0.5}, spreads={"static_batch": {"tpot": SPREAD}},
    more={"static_batch": {"tpot": {"chip": 0.21, "vendor": 1.25, "range": 0.44, "waiting": 3.0, "experts": 0.0}}},
    covers={"vendors": ["NVIDIA"], "generations": ["Hopper"], "chips": ["H100 SXM"], "engines": ["mine"], "batch": [1, 64],
            "release": [-1.0, 0.0]},
)  # fmt: skip


def test_a_chip_takes_the_multipliers_of_its_vendor_generation_and_name():
    h100, h200, amd = (FOUND.on(chip(x)) for x in ("H100 SXM", "H200 SXM", "MI300X"))
    assert (h100.memory_efficiency, h100.kernel_seconds) == pytest.approx((0.72, 4e-6))
    assert h200.memory_efficiency == 1.0  # 0.8 x 0.9 x 2, and no share is above one
    assert (amd.memory_efficiency, amd.kernel_seconds) == (0.8, 2e-6)
    assert FOUND.on().memory_efficiency == 0.8


@pytest.mark.parametrize(
    ("date", "years"), [("2025-07-01", -0.5), ("2024", -1.0), ("2027-01-01", 0.0), ("", 0.0), ("soon", 0.0)]
)
def test_a_release_moves_what_has_a_trend(date, years):
    """Inside the dates of the evidence; the latest of them where none is given."""
    assert FOUND.on(date=date).kernel_seconds == pytest.approx(2e-6 * math.exp(-0.5 * years), rel=0.01)


@pytest.mark.parametrize(
    ("date", "years"), [("2026", 0.537), ("2026-01", 0.038), ("2025-12-31", -0.001), ("2026-13", None), ("x", None)]
)
def test_dates_as_years(date, years):
    assert years_since(date) == (None if years is None else pytest.approx(years, abs=0.01))


def test_what_the_evidence_does_not_cover():
    h100, h200, b200, amd = (chip(x) for x in ("H100 SXM", "H200 SXM", "B200", "MI300X"))
    assert FOUND.uncovered(h100, batch=64) == ()
    assert FOUND.uncovered(h200, batch=65, ranks=99) == ("chip", "batch")
    assert FOUND.uncovered(b200) == ("generation",)
    assert FOUND.uncovered(amd, batch=0.5) == ("vendor", "batch")
    pooled = dataclasses.replace(FOUND, name="other")
    assert pooled.uncovered(h100) == ("engine",)
    assert dataclasses.replace(pooled, about={"own": True}).uncovered(h100) == ()


def test_intervals_widen_by_what_is_unseen():
    """Variances add: each level its own, numbers out of range once however many, layers on a host as an unseen vendor, a
    kind never seen the largest."""
    assert FOUND.spread("closed_loop", "tpot") is None
    assert FOUND.spread("static_batch", "ttft") is None
    for unseen, factor in (((), 1), (("chip",), 1.1), (("batch",), 1.2), (("batch", "ranks"), 1.2), (("chip", "batch"), 1.65**0.5),
                           (("host",), 1.5), (("vendor", "host"), 1.5), (("generation",), 2.0), (("experts",), 1),
                           (("waiting", "chip"), 4.21**0.5)):  # fmt: skip
        found = FOUND.spread("static_batch", "tpot", unseen)
        assert (found.low, found.high, found.rows) == pytest.approx((-0.2 * factor, 0.3 * factor, 100))
        assert found.around(2.0) == pytest.approx((2 * math.exp(-0.2 * factor), 2 * math.exp(0.3 * factor)))
    assert SPREAD.widened(0.5) == SPREAD
    assert FOUND.within("batch", 64)
    assert not FOUND.within("batch", 65)
    assert FOUND.within("prompt", 1e9)


def test_a_profile_says_what_it_was_fitted_on():
    about = {"rows": 1234, "fitted_on": "a table", "residual": 0.123, "date": "2026-11"}
    said = dataclasses.replace(FOUND, about=about).sentence()
    assert said == "fitted on 1,234 rows (a table), median error out of fold 12.3%; 2026-11"
    assert "in sample" in dataclasses.replace(FOUND, about=about | {"in_sample": True}).sentence()
    calibration = dataclasses.replace(FOUND, about=about).on()
    assert (calibration.name, calibration.rows, calibration.residual) == ("mine", 1234, 0.123)


def test_knees_and_work_of_many_at_once():
    """One formula for numbers and arrays: sharp corners among soft ones; every amount of a work grows alike."""
    knees = np.array([0.0, 0.4, 1.0])
    found = together(np.array([2.0, 2.0, 2.0]), np.array([1.0, 2.0, 1.0]), knees)
    assert list(found) == pytest.approx([2.0, 2 * 2**0.4, 3.0])
    assert list(found) == pytest.approx(
        [together(2.0, m, k) for m, k in zip((1.0, 2.0, 1.0), (0.0, 0.4, 1.0), strict=True)]
    )
    assert Work(1.0, 2.0, 3.0) * 4 == Work(4.0, 8.0, 12.0)
