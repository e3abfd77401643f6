"""Pipelines played out and run: idle time and bubbles come from the play itself, outputs and gradients from real arithmetic."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.errors import InputError
from headway.parallel import decode_idle_fraction, decode_token_latency, training_bubble
from headway.parallel.execute import layer, run_decode, run_training
from headway.parallel.schedules import SCHEDULES, decode_play, training_play


@pytest.mark.parametrize(("m", "idle", "latency"), [(1, 0.75, 4), (2, 0.5, 4), (3, 0.25, 4), (4, 0, 4), (5, 0, 5)])
def test_sys_d2_decode_pipeline(m, idle, latency):
    """SYS-D2, lecture 4.3: four stages; a fifth micro-batch only waits."""
    play = decode_play(4, m)
    assert play.idle == pytest.approx(idle, abs=1e-12)
    assert play.token_latency == pytest.approx(latency)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 12), st.floats(0.1, 10))
def test_sys_d2_plays_agree_with_the_closed_forms(stages, m, time):
    play = decode_play(stages, m, time)
    assert play.idle == pytest.approx(float(decode_idle_fraction(stages, m)), abs=1e-9)
    assert play.token_latency == pytest.approx(float(decode_token_latency(stages, m, time)))


def test_hops_are_waited_for_unless_micro_batches_fill_them():
    """Lecture 5.3: hand-overs are sequential in decode; P micro-batches no longer fill P stages."""
    slow = decode_play(4, 4, 1.0, hop=0.25)
    assert slow.token_latency == pytest.approx(5.0)
    assert slow.idle == pytest.approx(0.2)
    assert decode_play(4, 5, 1.0, hop=0.25).idle == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("m", "bubble"), [(1, 0.75), (4, 0.4286), (8, 0.2727), (16, 0.1579)])
def test_sys_d3_hard_stop_bubbles(m, bubble):
    """SYS-D3, lecture 4.3 [D]: GPipe and 1F1B leave the same bubble; 1F1B holds P micro-batches, not M."""
    gpipe, one = training_play("gpipe", 4, m), training_play("1f1b", 4, m)
    assert gpipe.idle == pytest.approx(bubble, abs=5e-5)
    assert one.idle == pytest.approx(gpipe.idle)
    assert gpipe.peak_activations == m
    assert one.peak_activations == min(4, m)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 8), st.integers(1, 4), st.floats(0.2, 3), st.floats(0.2, 6))
def test_sys_d3_what_each_schedule_buys(stages, rounds, forward, backward):
    m = stages * rounds
    plays = {s: training_play(s, stages, m, forward, backward) for s in SCHEDULES}
    assert plays["gpipe"].idle == pytest.approx(float(training_bubble(stages, m)))
    assert plays["1f1b"].idle <= plays["gpipe"].idle + 1e-9
    assert plays["interleaved"].idle < plays["1f1b"].idle  # half as long to fill, more activations
    assert plays["zero-bubble"].idle < plays["1f1b"].idle
    assert plays["zero-bubble"].peak_activations <= stages
    work = stages * m * (forward + backward)
    for play in plays.values():
        assert sum(t.end - t.start for t in play.tasks) == pytest.approx(work)
        for stage in range(stages):
            mine = sorted((t.start, t.end) for t in play.tasks if t.stage == stage)
            assert all(b[0] >= a[1] - 1e-9 for a, b in itertools.pairwise(mine))  # one thing at a time


def network(pieces, width=6):
    rng = np.random.default_rng(5)
    return [rng.normal(0, 0.4, (width, width)) for _ in range(pieces)], rng


@pytest.mark.parametrize(("stages", "m"), [(1, 1), (4, 1), (4, 4), (4, 5), (3, 7)])
def test_sys_d2_outputs_equal_unpipelined(stages, m):
    layers, rng = network(12)
    start = rng.normal(size=(m, 2, 6))
    found = run_decode(decode_play(stages, m, tokens=6), layers, start)
    x = start
    for token in range(6):
        for weights in layers:
            x = layer(x, weights)
        np.testing.assert_allclose(found[:, token], x, rtol=1e-12)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_sys_d3_gradients_are_identical_in_all(schedule):
    """Against numerical derivatives of the loss of the whole network, and against one stage that does everything."""
    layers, rng = network(8, 4)
    inputs, targets = rng.normal(size=(2, 4, 3, 4))
    found = run_training(training_play(schedule, 4, 4), layers, inputs, targets)
    whole = run_training(training_play("gpipe", 1, 4), layers, inputs, targets)
    for a, b in zip(found, whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)

    def loss(changed):
        x = inputs
        for weights in changed:
            x = layer(x, weights)
        return np.sum((x - targets) ** 2) / 2

    for number, (i, j) in ((0, (0, 1)), (3, (2, 2)), (7, (3, 0))):
        up, down = ([w.copy() for w in layers] for _ in range(2))
        up[number][i, j] += 1e-6
        down[number][i, j] -= 1e-6
        assert found[number][i, j] == pytest.approx((loss(up) - loss(down)) / 2e-6, rel=1e-5)


@pytest.mark.parametrize(("bad", "says"), [
    (lambda: decode_play(0, 1), "stages"), (lambda: decode_play(2, 1, -1.0), "stage time"),
    (lambda: training_play("gpip", 2, 2), "gpipe"), (lambda: training_play("interleaved", 4, 6), "divide"),
    (lambda: training_play("1f1b", 2, 0), "micro batches"), (lambda: training_play("1f1b", 2, 2, 0.0), "forward"),
    (lambda: run_decode(decode_play(3, 1), network(4)[0], np.zeros((1, 1, 6))), "do not divide"),
])  # fmt: skip
def test_refusals(bad, says):
    with pytest.raises(InputError, match=says):
        bad()
