"""Requests as columns: what is refused, and what of them can be read."""

from __future__ import annotations

import numpy as np
import pytest

from headway.errors import InputError
from headway.simulation import Requests


def some(**more):
    columns = {"arrival": [0.0, 1.0, 3.0], "prompt": [10, 20, 30], "output": [1, 2, 3]} | more
    return Requests(**{k: np.array(v) if isinstance(v, list) else v for k, v in columns.items()})


def test_rate_and_scaling():
    found = some()
    assert found.rate == pytest.approx(2 / 3)
    assert found.scaled(4).rate == pytest.approx(8 / 3)
    assert np.isnan(some(after=[-1, 0, 1]).rate)
    assert some(after=[-1, 0, 1]).closed
    assert not some(after=[-1, -1, -1]).closed


def test_blocks():
    found = some(hashes=[7, 8, 7], first_hash=[0, 2, 3, 3])
    assert [found.blocks_of(i).tolist() for i in range(3)] == [[7, 8], [7], []]
    assert some().blocks_of(1).tolist() == []


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"prompt": [10, 20]}, "2 entries of prompt for 3 arrivals"),
        ({"output": [1, 0, 3]}, "at least 1 token"),
        ({"arrival": [0.0, 2.0, 1.0]}, "in order"),
        ({"arrival": [0.0, np.nan, 1.0]}, "finite"),
        ({"after": [-1, 1, -1]}, "stand before"),
        ({"think": [1.0]}, "think"),
        ({"first_hash": [0, 1]}, "4 are needed"),
    ],
)
def test_what_is_refused(columns, says):
    with pytest.raises(InputError, match=says):
        some(**columns)
    with pytest.raises(InputError, match="above 0"):
        some().scaled(0)


def test_turns_need_no_order():
    assert len(some(arrival=[0.0, 5.0, 1.0], after=[-1, 0, -1])) == 3
