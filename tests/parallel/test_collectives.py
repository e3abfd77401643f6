"""Collectives by algorithm: hand calculations, a simulation that moves real data, and the kernel evidence."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import InputError
from headway.hardware import chip, system
from headway.models import Crowding, group_reached, model
from headway.parallel import Layout, build_step
from headway.parallel.racks import dispatch_bytes
from headway.plan.racks import collective_table
from headway.roofline import (
    ALGORITHMS,
    IDEAL,
    Load,
    Send,
    Step,
    collective_seconds,
    compiled,
    fastest_algorithm,
    profile,
    step_time,
    traffic,
)

BOX = dataclasses.replace(chip("h100"), link=400e9, domain=8, scale_out=50e9, host=0.0)


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
    numbers = profile("modern").on(BOX)
    faster = dataclasses.replace(BOX, link=BOX.link * factor, scale_out=BOX.scale_out * factor)
    for a in ALGORITHMS[kind]:
        time = collective_seconds(kind, size, ranks, BOX, numbers, a)
        assert collective_seconds(kind, size, ranks, faster, numbers, a) <= time
        assert collective_seconds(kind, size * factor, ranks, BOX, numbers, a) >= time
        assert time >= collective_seconds(kind, size, ranks, BOX, IDEAL, a)  # rule 1


def test_the_algorithm_that_sends_least_is_taken():
    assert fastest_algorithm("all-reduce", 1e6, 8, BOX, IDEAL, adds_in_network=True) == "in-network"
    assert (
        fastest_algorithm("all-reduce", 1e6, 8, BOX, IDEAL, adds_in_network=False) == "two-shot"
    )  # as a ring, in 2 rounds
    assert fastest_algorithm("all-gather", 1e6, 8, BOX, IDEAL, adds_in_network=False) == "direct"


def test_domains_add_up():
    """All-reduce over 2 boxes: reduce-scatter and all-gather inside, each chip's eighth outside."""
    inside = 2 * 7 / 8 * 1e9 / 400e9
    assert collective_seconds("all-reduce", 1e9, 16, BOX, IDEAL, "ring") == pytest.approx(inside + 1e9 / 8 / 50e9)
    assert collective_seconds("all-gather", 1e9, 16, BOX, IDEAL, "ring") == pytest.approx(15 / 16 * 1e9 / 50e9)
    assert collective_seconds("all-to-all", 1e9, 16, BOX, IDEAL) == pytest.approx(
        8 / 16 * 1e9 / 50e9
    )  # the crossing half decides
    assert collective_seconds("send", 1e9, 16, BOX, IDEAL) == pytest.approx(1e9 / 50e9)
    with pytest.raises(InputError, match="scale-out"):
        collective_seconds("all-reduce", 1e9, 16, dataclasses.replace(BOX, scale_out=0.0), IDEAL)


def test_sys_c4_the_slow_down_is_that_of_the_lecture():
    """SYS-C4, lecture 3.3: half of an all-to-all over two racks crosses at an eighth of the rate; 4.0x, 6.0x, 7.0x."""
    wide = dataclasses.replace(BOX, domain=10**6, link=8.0, scale_out=1.0)
    one = collective_seconds("all-to-all", 1.0, 10**6, wide, IDEAL)
    for racks, slow in ((2, 4.0), (4, 6.0), (8, 7.0)):
        assert collective_seconds("all-to-all", 1.0, racks * 10**6, wide, IDEAL) / one == pytest.approx(slow, rel=1e-5)


def test_names_of_algorithms():
    with pytest.raises(InputError, match="one-shot"):
        traffic("all-reduce", "one shot", 1, 8)
    with pytest.raises(InputError, match="did you mean"):
        traffic("all-reduc", "ring", 1, 8)


@pytest.mark.parametrize("on", ["h200x8", "mi300x-x8", "gb200-nvl72"])
@pytest.mark.parametrize("engine", ["vllm", "ideal"])
def test_the_table_of_racks_is_what_a_step_takes(on, engine):
    """One law: 64 MB summed by 8 H200 takes as long in the table of `headway racks` as in a step of the same engine."""
    box = system(on)
    numbers = profile(engine).on(box.chip)
    rows = {(c.kind, c.size): c for c in collective_table(box, numbers)}
    ranks = min(box.domain, box.chips)
    for size in (64e3, 64e6):
        row = rows["all-reduce", size]
        send = Send("sum", "all-reduce", size, 1.0, ranks=ranks, algorithm=row.algorithm)
        t = step_time(Step((), (send,)), Load.decode(1, 0), box.chip, numbers)
        assert row.inside == pytest.approx(float(t.network + t.rows[0].overhead), rel=1e-12)
        layout = Layout(tp=8)
        sends = build_step(model("llama-3.1-70b"), layout, box.adds_in_network).sends
        own = {s.algorithm for s in sends if s.kind == "all-reduce"}
        assert (own == {"in-network"}) == (row.algorithm == "in-network") == box.adds_in_network


def test_dispatch_in_fp8_sends_half_of_combine():
    """Lecture E12: 2 x n_activated messages per token and layer; DeepSeek dispatches FP8 and combines 16-bit."""
    arch = model("deepseek-v3")
    step = build_step(arch, Layout(dp=64, ep=64))
    sends = {s.name: s for s in step.sends}
    assert sends["combine"].payload == pytest.approx(2 * sends["dispatch"].payload)
    most = 58 * dispatch_bytes(1, 7168, 8)
    assert 0.9 * most < sends["dispatch"].payload < most  # at most a copy per expert; some share a chip


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
    engine, ideal = compiled(step, one, profile("modern").on(one)), compiled(step, one)
    prefill = Load.prefill(128, 4096.0)
    assert engine.half_and_half(prefill) < 0.9 * engine.seconds(prefill)
    small = Load.decode(64, 4096.0)
    assert engine.half_and_half(small) > engine.seconds(small)
    alone = Load.decode(32, 4096.0)  # one sequence per chip has no halves
    assert float(engine.half_and_half(alone)) == float(engine.seconds(alone))
    assert ideal.half_and_half(prefill) >= ideal.seconds(prefill) * (1 - 1e-12)
