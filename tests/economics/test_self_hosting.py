"""Rent in whole systems against an API's straight line: crossings by hand and by trying every rate."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.economics import Rent, break_even, margin
from headway.economics.self_hosting import systems_for
from headway.errors import InputError


def test_by_hand():
    """A system at $3/s carries 4 requests/s, the API takes $1: it pays from 3/s to 4/s, then again from 6/s, and from 9/s always."""
    found = break_even(D(1), D(4), D(3))
    assert (found.first, found.always, found.systems) == (
        3,
        9,
        3,
    )  # 3 systems from 9/s; a fourth begins at 12/s, where 12 = 4 x 3
    assert margin(D(4), D(1), D(4), D(3)) == 1
    assert margin(D("4.5"), D(1), D(4), D(3)) == D("-1.5")
    assert margin(D(0), D(1), D(4), D(3)) == -3  # a system without work is paid
    assert break_even(D(1), D(4), D(5)) == (found.__class__(None, None, 0))
    full = break_even(D(1), D(4), D(4))
    assert (full.first, full.always) == (4, None)
    with pytest.raises(InputError, match="carries nothing"):
        systems_for(D(1), D(0))


def test_reserved_hours_are_paid_when_nobody_comes():
    """$10/h, requests in 8 hours of the day: on demand pays those, a reservation three times as much for each busy second."""
    busy = D(8)
    assert Rent("on demand", D(36), busy).per_busy_second(busy) == D("0.01")
    assert Rent("reserved", D(36), D(24)).per_busy_second(busy) == D("0.03")


_MONEY = st.integers(1, 60).map(lambda n: D(n) / 10)


@given(api=_MONEY, capacity=_MONEY, rent=_MONEY)
def test_beside_every_rate(api, capacity, rent):
    """Before `first` nothing pays, at it rent and bill are equal, and beyond `always` nothing loses."""
    found = break_even(api, capacity, rent)
    rates = [capacity * n / 40 for n in range(1, 40 * 12)]
    pays = [r for r in rates if margin(r, api, capacity, rent) >= 0]
    if found.first is None:
        assert not pays
        return
    assert not [r for r in pays if r < found.first]
    assert abs(margin(found.first, api, capacity, rent)) < D("1e-20") * rent or systems_for(found.first, capacity) > 1
    if found.always is not None:
        assert all(margin(r, api, capacity, rent) > -D("1e-20") for r in rates if r >= found.always)
        if found.systems > 1:  # just before it, something loses
            below = found.always - (found.always - (found.systems - 1) * capacity) / 2
            assert margin(below, api, capacity, rent) <= 0
