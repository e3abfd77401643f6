"""Requests that wait for others: who waits for whom, how prompts grow, and that prefixes really are prefixes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from headway.errors import InputError
from headway.simulation.traffic import (
    ClosedLoop,
    Fixed,
    Independent,
    LogNormal,
    Poisson,
    Sessions,
    Uniform,
    agent_loops,
    between,
    first,
)

SIZES = Independent(Uniform(1, 500), Uniform(1, 50))


def rng(seed=0):
    return np.random.default_rng(seed)


def test_closed_loop():
    found = ClosedLoop(users=3, rounds=4, think=2.0, ramp=6.0).draw(SIZES, rng())
    assert found.arrival.tolist() == [0, 2, 4] + [0] * 9
    assert found.after.tolist() == [-1, -1, -1, *range(9)]
    assert found.think[:3].tolist() == [0, 0, 0]
    assert np.all(found.think[3:] > 0)
    many = ClosedLoop(users=100, rounds=101, think=2.0).draw(SIZES, rng()).think[100:]
    assert many.mean() == pytest.approx(2, rel=0.05)  # 10,000 exponential times: 5 standard errors
    assert many.std() == pytest.approx(2, rel=0.08)
    assert set(ClosedLoop(2, 3, think=2.0, think_cv=0).draw(SIZES, rng()).think[2:].tolist()) == {2.0}


talks = st.builds(
    Sessions,
    arrivals=st.just(Poisson(1.0)),
    turns=st.sampled_from([Fixed(1), Uniform(1, 6), Fixed(9)]),
    first=st.sampled_from([Fixed(1), Uniform(1, 900), LogNormal(300, 1)]),
    new=st.sampled_from([Fixed(1), Uniform(1, 300)]),
    output=st.sampled_from([Fixed(64), Uniform(1, 200)]),
    think=st.sampled_from([0.0, 3.0]),
    shared=st.sampled_from([0, 63, 64, 1000]),
    longest=st.sampled_from([2500, 10**9]),
    hash_tokens=st.sampled_from([1, 16, 64, 512]),
)


@given(sessions=talks, count=st.integers(1, 12), seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_prompts_grow_by_what_was_said(sessions, count, seed):
    try:
        found = sessions.draw(count, rng(seed))
    except InputError:  # the only turns drawn are longer than a conversation may be
        assume(sessions.longest > 2500)
        raise
    roots = found.after < 0
    assert 1 <= roots.sum() <= count
    assert np.all(np.flatnonzero(roots) == np.arange(roots.sum()))  # first turns stand first
    assert found.prompt.min() > sessions.shared
    assert (found.prompt + found.output).max() <= sessions.longest
    owner = np.arange(len(found))
    for i in range(len(found)):
        blocks, before = found.blocks_of(i), found.after[i]
        assert len(blocks) == found.prompt[i] // sessions.hash_tokens
        if before >= 0:
            owner[i] = owner[before]
            assert found.prompt[i] > found.prompt[before] + found.output[before]
            assert np.array_equal(blocks[: len(found.blocks_of(before))], found.blocks_of(before))
            assert found.arrival[i] == 0
    for i in range(len(found)):  # strangers share the common prefix, and nothing else
        for j in range(i):
            if owner[i] != owner[j]:
                common = np.intersect1d(found.blocks_of(i), found.blocks_of(j))
                whole = min(len(found.blocks_of(i)), len(found.blocks_of(j)), sessions.shared // sessions.hash_tokens)
                assert common.tolist() == found.blocks_of(i)[:whole].tolist()
    assert np.array_equal(found.prompt, sessions.draw(count, rng(seed)).prompt)


def test_numbers_of_a_conversation():
    talk = Sessions(Poisson(1), Fixed(3), Fixed(100), Fixed(20), Fixed(50), think=4.0, think_cv=0, shared=1000)
    found = talk.draw(2, rng())
    assert found.prompt.tolist() == [1100, 1100, 1170, 1240, 1170, 1240]
    assert found.after.tolist() == [-1, -1, 0, 2, 1, 4]
    assert found.think.tolist() == [0, 0, 4, 4, 4, 4]
    assert found.hash_tokens == 64
    assert len(talk.until(1000, rng())) == pytest.approx(3000, abs=3 * 5 * 32)
    assert len(talk.until(1e-9, rng())) == 0


def test_agents_share_a_long_prefix():
    found = agent_loops(Poisson(1), Fixed(30), 20_000, Fixed(500), Fixed(400), Fixed(100), tool=3.0).draw(20, rng())
    assert len(found) == 600
    assert found.prompt.max() == 20_500 + 29 * 500
    assert len({found.blocks_of(i)[20_000 // 64 - 1] for i in range(600)}) == 1
    assert len({found.blocks_of(i)[20_000 // 64 + 1] for i in range(600)}) == 20


def test_slices_keep_conversations_whole():
    found = Sessions(Poisson(1), Uniform(1, 5), Fixed(100), Fixed(90), Fixed(50)).draw(50, rng(3))
    part = between(found, 10, 30)
    begin = (found.after < 0) & (found.arrival >= 10) & (found.arrival < 30)
    assert np.allclose(part.arrival[part.after < 0], found.arrival[begin] - 10)
    few = first(found, 7)
    assert (few.after < 0).sum() == 7
    assert len(few) > 7
    for some in (part, few):
        for i in np.flatnonzero(some.after >= 0):
            assert some.prompt[i] == some.prompt[some.after[i]] + 50 + 90
            assert np.array_equal(some.blocks_of(i)[:1], some.blocks_of(some.after[i])[:1])
    assert len(first(found, 10**6)) == len(found)


@pytest.mark.parametrize("make", [
    lambda: ClosedLoop(0), lambda: ClosedLoop(1, 0), lambda: ClosedLoop(1, 1, ramp=-1), lambda: ClosedLoop(10**6, 10**6),
    lambda: ClosedLoop(1, 2, think=-1).draw(SIZES, rng()),
    lambda: Sessions(Poisson(1), Fixed(1), Fixed(9), Fixed(9), Fixed(9), longest=17).draw(3, rng()),
    lambda: Sessions(Poisson(1), Fixed(1), Fixed(9), Fixed(9), Fixed(9), shared=-1).draw(3, rng()),
    lambda: Sessions(Poisson(1), Fixed(1), Fixed(9), Fixed(9), Fixed(9), hash_tokens=0).draw(3, rng()),
    lambda: Sessions(Poisson(1), Fixed(99), Fixed(10**6), Fixed(9), Fixed(9), hash_tokens=1).draw(3, rng()),
    lambda: first(ClosedLoop(2).draw(SIZES, rng()), 0),
    lambda: between(ClosedLoop(2).draw(SIZES, rng()), 5, 3),
    lambda: between(ClosedLoop(2).draw(SIZES, rng()), 5),
])  # fmt: skip
def test_what_is_refused(make):
    with pytest.raises(InputError) as caught:
        make()
    assert "\n" not in str(caught.value)
