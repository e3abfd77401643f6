"""Collectives by algorithm: hand calculations, a simulation that moves real data, and the kernel evidence."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.catalog import catalogue
from headway.errors import InputError
from headway.hardware import chip, system
from headway.models import Crowding, group_reached, model
from headway.parallel import Layout, build_step
from headway.parallel.collectives import (
    ALGORITHMS,
    Level,
    best,
    dispatch_bytes,
    levels_of,
    over_levels,
    seconds,
    traffic,
)
from headway.roofline import Load, step_time, two_batch_seconds

BOX = Level("box", 8, 450e9, 1e-6, 5e-6, 0.8)


@pytest.mark.parametrize(("kind", "algorithm", "rounds", "sent"), [
    ("all-reduce", "ring", 14, 2 * 7 / 8), ("all-reduce", "tree", 6, 2), ("all-reduce", "one-shot", 1, 7),
    ("all-reduce", "two-shot", 2, 2 * 7 / 8), ("all-reduce", "in-network", 2, 1), ("all-gather", "ring", 7, 7 / 8),
    ("all-gather", "direct", 1, 7 / 8), ("reduce-scatter", "ring", 7, 7 / 8), ("all-to-all", "direct", 1, 7 / 8),
    ("send", "direct", 1, 1),
])  # fmt: skip
def test_rounds_and_bytes_over_eight_chips(kind, algorithm, rounds, sent):
    t = traffic(kind, algorithm, 1000.0, 8)
    assert (t.rounds, t.sent) == (rounds, pytest.approx(1000 * sent))
    assert float(traffic(kind, algorithm, 1000.0, 1).sent) == 0
    assert seconds(kind, algorithm, 1000.0, dataclasses.replace(BOX, ranks=1)) == 0


def _ring_all_reduce(vectors):
    """Move chunks around a ring for real, counting what each rank sends."""
    n = len(vectors)
    chunks = [list(np.split(v.copy(), n)) for v in vectors]
    sent, rounds = [0.0] * n, 0
    for phase in range(2):
        for r in range(n - 1):
            moving = [(i, (i - r + (1 if phase else 0)) % n) for i in range(n)]
            payload = [chunks[i][c].copy() for i, c in moving]
            for (i, c), data in zip(moving, payload, strict=True):
                to = (i + 1) % n
                chunks[to][c] = data if phase else chunks[to][c] + data
                sent[i] += data.nbytes
            rounds += 1
    return [np.concatenate(c) for c in chunks], sent, rounds


@pytest.mark.parametrize("n", [2, 3, 8])
def test_a_ring_run_for_real_sends_what_the_formula_says(n):
    rng = np.random.default_rng(n)
    vectors = [rng.normal(size=24 * n) for _ in range(n)]
    found, sent, rounds = _ring_all_reduce(vectors)
    for x in found:
        np.testing.assert_allclose(x, sum(vectors))
    t = traffic("all-reduce", "ring", vectors[0].nbytes, n)
    assert max(sent) == pytest.approx(float(t.sent))
    assert rounds == t.rounds


@given(st.sampled_from(list(ALGORITHMS)), st.floats(1e3, 1e9), st.integers(2, 64), st.floats(1.01, 10))
def test_more_bandwidth_never_slows_and_more_bytes_never_speed_up(kind, size, ranks, factor):
    level = dataclasses.replace(BOX, ranks=ranks, ramp=1e6)
    faster = dataclasses.replace(level, bandwidth=level.bandwidth * factor)
    for a in ALGORITHMS[kind]:
        assert seconds(kind, a, size, faster) <= seconds(kind, a, size, level)
        assert seconds(kind, a, size * factor, level) >= seconds(kind, a, size, level)


def test_small_messages_take_few_rounds_and_large_ones_few_bytes():
    wide = dataclasses.replace(BOX, ranks=32)
    plain = ("ring", "tree", "one-shot")
    assert best("all-reduce", 1e3, wide, plain)[0] == "one-shot"
    assert best("all-reduce", 1e9, wide, plain)[0] == "ring"
    assert best("all-reduce", 1e6, wide, plain)[0] == "tree"


def test_levels_add_up():
    """All-reduce over 2 boxes: reduce-scatter and all-gather inside, each chip's eighth outside."""
    inner, outer = Level("box", 8, 400e9), Level("across", 2, 50e9)
    inside = 2 * 7 / 8 * 1e9 / 400e9
    assert over_levels("all-reduce", 1e9, [inner, outer], ["ring"]) == pytest.approx(inside + 1e9 / 8 / 50e9)
    assert over_levels("all-gather", 1e9, [inner, outer]) == pytest.approx(7 / 8 * 1e9 / 400e9 + 1e9 / 8 / 2 / 50e9)
    assert over_levels("all-to-all", 1e9, [inner, outer]) == pytest.approx(0.5e9 / 50e9)  # the crossing half decides
    assert over_levels("send", 1e9, [inner, outer]) == pytest.approx(1e9 / 50e9)


def test_sys_c4_the_slow_down_is_that_of_the_lecture():
    """SYS-C4, lecture 3.3: half of an all-to-all over two racks crosses at an eighth of the rate; 4.0x, 6.0x, 7.0x."""
    one = over_levels("all-to-all", 1.0, [Level("rack", 10**9, 8.0)])
    for racks, slow in ((2, 4.0), (4, 6.0), (8, 7.0)):
        across = over_levels("all-to-all", 1.0, [Level("rack", 10**9, 8.0), Level("across", racks, 1.0)])
        assert across / one == pytest.approx(slow, rel=1e-6)


def test_levels_of_real_systems():
    assert [(x.name, x.ranks) for x in levels_of(system("gb200-nvl72"), 144)] == [("rack", 72), ("across", 2)]
    assert [(x.name, x.ranks, x.bandwidth) for x in levels_of(system("h100x8"), 8)] == [("box", 8, 450e9)]
    with pytest.raises(InputError, match="scale-out"):
        levels_of(system("rtx4090x8"), 64)
    with pytest.raises(InputError, match="one-shot"):
        traffic("all-reduce", "one shot", 1, 8)
    with pytest.raises(InputError, match="did you mean"):
        traffic("all-reduc", "ring", 1, 8)


def test_the_catalogue_holds_what_the_evidence_fits():
    """The collectives' numbers are a fit that anyone can redo: median errors below 18 %."""
    pytest.importorskip("scipy")
    from headway.calibrate.kernels import collective_fits

    for found in collective_fits():
        row, _ = catalogue().row("collectives", found.family, "collective")
        assert found.rows == int(row["rows"]) > 500
        assert found.error == pytest.approx(float(row["median_error"]), abs=2e-3)
        assert found.error < 0.18
        for name, value in found.numbers.items():
            assert float(row[name]) == pytest.approx(value, rel=0.02)


def test_dispatch_in_fp8_sends_half_of_combine():
    """Lecture E12: 2 x n_activated messages per token and layer; DeepSeek dispatches FP8 and combines 16-bit."""
    arch = model("deepseek-v3")
    step = build_step(arch, Layout(dp=64, ep=64))
    sends = {s.name: s for s in step.sends}
    assert sends["combine"].bytes_per_token == pytest.approx(2 * sends["dispatch"].bytes_per_token)
    most = 58 * dispatch_bytes(1, 7168, 8)
    assert 0.9 * most < sends["dispatch"].bytes_per_token < most  # at most a copy per expert; some share a chip


def test_the_hottest_chip_decides_under_skew():
    """Every chip sends evenly, but the one with the most popular expert receives more: the exchange lasts until it is done."""
    step, one = build_step(model("deepseek-v3"), Layout(dp=64, ep=64)), chip("gb200")

    def exchange(skew):
        t = step_time(step, Load.decode(4096, 4096, skew=skew), one)
        return sum(r.network for r in t.rows if r.name in ("dispatch", "combine"))

    times = [exchange(s) for s in (0.0, 0.5, 1.0, 1.5)]
    assert times == sorted(times)
    assert times[2] > 3 * times[0]
    assert Crowding(256, 8, 64)(0.0) == 1
    for groups, copies in ((64, 7.69), (72, 7.72), (96, 7.80), (144, 7.90)):  # random routings, second copies at random
        assert groups * float(group_reached(256, 8, groups)) == pytest.approx(copies, abs=0.03)
    assert 512 * float(group_reached(256, 8, 512)) == pytest.approx(8)  # never more copies than experts chosen
    assert group_reached(256, 8, 64) == pytest.approx(1 - np.prod([(252 - i) / (256 - i) for i in range(8)]))


def test_two_batch_overlap_pays_only_where_the_network_is_long():
    """Explicit option: weights are read twice, the network hides. It pays in prefill, not at one sequence per chip."""
    arch = model("deepseek-v3")
    step, one = build_step(arch, Layout(dp=32, ep=32)), dataclasses.replace(chip("h800"))
    from headway.roofline import profile

    numbers = profile("modern").on(one)
    prefill = Load.prefill(128, 4096.0)
    assert two_batch_seconds(step, prefill, one, numbers) < 0.9 * step_time(step, prefill, one, numbers).seconds
    small = Load.decode(64, 4096.0)
    assert two_batch_seconds(step, small, one, numbers) > step_time(step, small, one, numbers).seconds
    alone = Load.decode(32, 4096.0)  # one sequence per chip has no halves
    assert float(two_batch_seconds(step, alone, one, numbers)) == float(step_time(step, alone, one, numbers).seconds)
    floor = step_time(step, prefill, one).seconds
    assert two_batch_seconds(step, prefill, one) >= floor * (1 - 1e-12)
