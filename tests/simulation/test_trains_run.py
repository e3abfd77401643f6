"""Trains one by one: the lecture's cases worked by hand (SYS-A7), speed, and what must hold of every run."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.errors import InputError
from headway.simulation import run_continuous, run_held, run_timetable

T = 0.02  # lecture 1.4


def test_just_missed_one_takes_two_headways():
    """Lecture E8: just after a departure -> 40 ms; at the very moment -> 20 ms."""
    ran = run_timetable([1e-9, 0.04], T, 2000)
    assert (ran.ends - ran.arrivals).tolist() == pytest.approx([0.04, 0.02], abs=1e-8)


def test_arrivals_spread_evenly_take_one_and_a_half():
    """Lecture 1.4 [D]: mean 1.5 T = 30 ms; the grid of 1,000 arrivals is off by half its spacing at the most."""
    ran = run_timetable((np.arange(1000) + 0.5) / 1000 * 50 * T, T, 2000)
    assert (ran.ends - ran.arrivals).mean() == pytest.approx(0.030, abs=0.5 * 50 * T / 1000)
    assert (ran.ends - ran.arrivals).max() <= 0.040 * (1 + 1e-9)


def test_the_third_of_two_boards_the_next():
    """SYS-A7: capacity 2 with 3 waiting -> the third boards the next, which leaves part-empty."""
    ran = run_timetable([0.001, 0.002, 0.003], T, 2)
    assert ran.boards.tolist() == pytest.approx([0.02, 0.02, 0.04])
    left = ran.each(0.0, 10)
    assert [x[2] for x in left] == [0, 2, 1]  # an empty one, a full one, a part-full one
    assert [x[0] for x in left] == pytest.approx([0.0, 0.02, 0.04])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.floats(0, 1), st.integers(1, 8))
def test_n_tokens_take_between_n_and_n_plus_one_headways(n, moment, seats):
    """SYS-A7: n tokens finish in [n T, (n+1) T] where nobody waits for a seat."""
    ran = run_timetable([moment], T, seats, n)
    assert n * T * (1 - 1e-9) <= ran.ends[0] - moment <= (n + 1) * T * (1 + 1e-9)


def test_riders_of_several_passes_keep_their_seats():
    """Two seats, three passes each: the third boards when the first two get off."""
    ran = run_timetable([0.0, 0.0, 0.01], T, 2, 3)
    assert ran.boards.tolist() == pytest.approx([0.0, 0.0, 0.06])
    assert ran.ends.tolist() == pytest.approx([0.06, 0.06, 0.12])
    assert [(x[2], x[3]) for x in ran.each(0.0, 6)] == [(2, 2), (2, 0), (2, 0), (1, 1), (1, 0), (1, 0)]


def test_a_pass_starts_for_who_comes_to_an_empty_platform():
    """By hand: 10 ms alone, 20 ms of two. The second comes during a pass, boards the next, and slows it."""
    ran = run_continuous([1.0, 1.005, 5.0], [0.01, 0.02], 3)
    assert ran.boards.tolist() == pytest.approx([1.0, 1.01, 5.0])
    assert ran.ends.tolist() == pytest.approx([1.05, 1.06, 5.03])  # 10 + 20 + 20; 20 + 20 + 10; 3 x 10
    assert ran.busy == pytest.approx(0.06 + 0.03)


def test_held_trains_leave_full_or_when_the_first_has_waited():
    """By hand, 3 seats, 100 ms: full at the third; timed out with one; who comes at the last moment is taken."""
    ran = run_held([0.0, 0.01, 0.02, 0.05, 0.5, 0.6], [1.0, 1.0, 1.0], 0.1)
    assert ran.departs.tolist() == pytest.approx([0.02, 0.15, 0.6])
    assert ran.riders.tolist() == [3, 1, 2]
    assert ran.ends.tolist() == pytest.approx([1.02, 1.02, 1.02, 1.15, 1.6, 1.6])


def test_a_held_train_without_a_machine_goes_on_taking_riders():
    ran = run_held([0.0, 0.2, 0.3, 0.4, 0.5], [1.0, 1.0, 1.0], 0.1, machines=1)
    assert ran.departs.tolist() == pytest.approx([0.1, 1.1, 2.1])
    assert ran.riders.tolist() == [1, 3, 1]
    two = run_held([0.0, 0.2, 0.3, 0.4, 0.5], [1.0, 1.0, 1.0], 0.1, machines=2)
    assert two.departs.tolist() == pytest.approx([0.1, 0.3, 1.1])


def test_alike_trains_are_told_one_by_one():
    ran = run_timetable([0.0, 0.05], T, 4, 100)
    one = ran.each(0.03, 3)
    assert [x[0] for x in one] == pytest.approx([0.04, 0.06, 0.08])
    assert [x[2:] for x in one] == [(1, 0), (2, 1), (2, 0)]
    assert ran.each(100.0, 3) == []


arrivals = st.lists(st.floats(0, 2), min_size=0, max_size=40).map(sorted)


@settings(max_examples=120, deadline=None)
@given(arrivals, st.integers(1, 5), st.integers(1, 6), st.integers(0, 2))
def test_every_run_takes_everybody_once_in_order(when, seats, passes, way):
    """First come, first aboard; never more than the seats; every seat of every pass is somebody's."""
    if way == 0:
        ran = run_timetable(when, T, seats, passes)
    elif way == 1:
        ran = run_continuous(when, T + 0.01 * np.arange(seats), passes)
    else:
        ran, passes = run_held(when, T + 0.01 * np.arange(seats), 0.1, machines=2), 1
    assert (ran.boards >= ran.arrivals).all()
    assert (np.diff(ran.boards) >= 0).all()
    assert (ran.ends > ran.boards).all()
    assert ran.riders.max(initial=0) <= seats
    assert int((ran.riders * ran.count).sum()) == passes * len(when)
    assert int(ran.boarded.sum()) == len(when)


def test_two_ways_of_running_a_timetable_agree():
    """Jumping over trains that are alike gives what looking at every departure gives."""
    when = np.cumsum(np.random.default_rng(2).exponential(0.01, 3000))
    ran = run_timetable(when, T, 10, 7)
    aboard, boards, i, p = [], np.zeros(3000), 0, 0
    while i < 3000:
        aboard = [x for x in aboard if x > p]
        while i < 3000 and when[i] <= p * T and len(aboard) < 10:
            boards[i] = p * T
            aboard.append(p + 7)
            i += 1
        p += 1
    np.testing.assert_array_equal(ran.boards, boards)


def test_a_hundred_thousand_requests_take_less_than_a_second():
    when = np.cumsum(np.random.default_rng(1).exponential(1 / 40, 100_000))
    seconds = T + 0.0005 * np.arange(1, 65)
    for run in (
        lambda: run_timetable(when, T, 64, 60), lambda: run_continuous(when, seconds, 50),
        lambda: run_held(when, seconds, 0.2, machines=4),
    ):  # fmt: skip
        start = time.process_time()
        run()
        assert time.process_time() - start < 1


@pytest.mark.parametrize("when", [[1.0, 0.5], [-1.0], [float("nan")], [[0.0]]])
def test_arrivals_that_are_none(when):
    with pytest.raises(InputError, match="in order"):
        run_timetable(when, T, 2)
    with pytest.raises(InputError, match="at least 1"):
        run_timetable([0.0], T, 0)


def test_departures_that_nobody_can_count():
    """Nearly no traffic: 10^22 trains leave empty, and their moments are no longer different numbers."""
    with pytest.raises(InputError, match="cannot be counted"):
        run_timetable([0.0, 1e20], T, 2)
    with pytest.raises(InputError, match="cannot be counted"):
        run_timetable([0.0], 0.0, 2)
    assert run_timetable([0.0, 1e9], T, 2).boards[1] == pytest.approx(1e9)
