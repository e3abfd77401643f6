"""A KV pool that counts gives what a pool that hands out blocks one by one gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import InputError
from headway.simulation.blocks import Blocks


@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 30)), min_size=1, max_size=12),
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
)
def test_counting_is_handing_out(size, sequences, runs):
    """Sequences (tokens cached, pass at which they join) grow by a token a pass."""
    pool, passed, plain = Blocks(10**6, size), 0, {}
    waiting = sorted(enumerate(sequences), key=lambda x: x[1][1])
    for run in runs:
        while waiting and waiting[0][1][1] <= passed:
            i, (cached, _) = waiting.pop(0)
            pool.free -= pool.of(cached)
            pool.join(cached, passed)
            plain[i] = cached
        now = {i: c + 1 for i, c in plain.items()}
        assert pool.needed(passed) == sum(-(-now[i] // size) - -(-plain[i] // size) for i in plain)
        lasts = pool.lasting(passed, run)
        assert lasts == run
        pool.grow(passed, run)
        passed += run
        plain = {i: c + run for i, c in plain.items()}
        assert 10**6 - pool.free == sum(-(-c // size) for c in plain.values())
    for cached in plain.values():
        pool.leave(cached, passed)
        pool.free += pool.of(cached)
    assert pool.free == 10**6
    assert pool.needed(passed) == 0


@given(
    st.integers(1, 16), st.lists(st.integers(1, 50), min_size=1, max_size=10), st.integers(0, 40), st.integers(1, 100)
)
def test_free_blocks_last_so_long(size, cached, spare, most):
    pool = Blocks(sum(-(-c // size) for c in cached) + spare, size)
    for c in cached:
        pool.free -= pool.of(c)
        pool.join(c, 0)
    lasts = pool.lasting(0, most)
    taken = [sum(-(-(c + j) // size) - -(-c // size) for c in cached) for j in range(most + 1)]
    assert lasts == max(j for j in range(most + 1) if taken[j] <= spare)


def test_a_pool_without_blocks():
    with pytest.raises(InputError, match="at least 1 token"):
        Blocks(0, 16)
