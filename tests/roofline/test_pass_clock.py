"""A pass clock gives the compiled step's seconds, and a run of passes is what a loop adds up to."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogued import load
from headway.errors import InputError
from headway.hardware import chip
from headway.parallel import Layout, build_step
from headway.roofline import IDEAL, Load, compiled, profile
from headway.roofline.load import Group
from headway.roofline.pass_clock import PassClock

H100 = chip("H100 SXM")
SCENES = {
    "dense": ("llama-3.1-70b", Layout(tp=4), "modern"),
    "windows": ("gpt-oss-120b", Layout(), "vllm"),
    "latent, groups": ("deepseek-ai/DeepSeek-V3", Layout(dp=16, ep=16), "sglang"),
    "states": ("Qwen/Qwen3.5-397B-A17B", Layout(tp=8), "sglang"),
    "ideal": ("llama-3.1-70b", Layout(tp=8), "ideal"),
}


def clock(name):
    model, layout, engine = SCENES[name]
    numbers = IDEAL if engine == "ideal" else profile(engine).on(H100)
    step = compiled(build_step(load(model), layout), H100, numbers)
    return step, PassClock(step)


CLOCKS = {name: clock(name) for name in SCENES}


def summed(clocked, groups):
    each = [clocked.amounts_of(g.new, g.context, g.logits) for g in groups]
    totals = [math.fsum(column) for column in zip(*each, strict=True)]
    return totals, [max(column) for column in zip(*each, strict=True)]


@given(
    st.sampled_from(sorted(SCENES)),
    st.lists(st.integers(1, 20_000), min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(1, 4000), st.integers(0, 9000)), max_size=3),
)
def test_it_is_the_compiled_step(name, contexts, chunks):
    step, clocked = CLOCKS[name]
    groups = [Group(1.0, 1.0, float(c)) for c in contexts] + [Group(1.0, float(n), float(c)) for n, c in chunks]
    totals, singles = summed(clocked, groups)
    tokens = sum(g.new for g in groups)
    assert clocked.seconds(totals, tokens, singles) == pytest.approx(
        float(step.seconds(Load(tuple(groups)))), rel=1e-12
    )


@given(
    st.sampled_from(sorted(SCENES)),
    st.integers(1, 3000),
    st.lists(st.integers(1, 30_000), min_size=1, max_size=30),
    st.lists(st.floats(0, 1), min_size=8, max_size=8),
)
def test_a_run_is_the_sum_of_its_passes(name, count, contexts, shares):
    """To rounding: 1e-12 of the whole, whatever share of the sequences still grows."""
    _, clocked = CLOCKS[name]
    groups = [Group(1.0, 1.0, float(c)) for c in contexts]
    totals, singles = summed(clocked, groups)
    slopes, steps = [0.0] * clocked.meters, [0.0] * clocked.meters
    for share, meter in zip(shares, clocked.growing, strict=False):
        slopes[meter], steps[meter] = share * len(contexts), 1.0

    def grown(sums, by, i):
        return [t + i * d for t, d in zip(sums, by, strict=True)]

    one_by_one = math.fsum(
        clocked.seconds(grown(totals, slopes, i), len(contexts), grown(singles, steps, i)) for i in range(count)
    )
    found = clocked.run(count, totals, slopes, len(contexts), singles, steps)
    assert found == pytest.approx(one_by_one, rel=1e-12)


def test_groups_take_the_busiest():
    _, clocked = CLOCKS["latent, groups"]
    assert not clocked.alone
    one = clocked.amounts_of(1, 5000)
    with pytest.raises(InputError, match="largest single"):
        clocked.seconds(one, 1)
    assert clocked.seconds(one, 1, one) > 0
    more = [2 * v for v in one]
    assert clocked.run(3, more, [0.0] * len(one), 2, one, [0.0] * len(one)) == pytest.approx(
        3 * clocked.seconds(more, 2, one)
    )


def test_tables_are_what_sequences_add():
    _, clocked = CLOCKS["windows"]
    tables = clocked.decode_tables(400)
    for c in (0, 1, 127, 128, 129, 400):
        here = clocked.amounts_of(1, c)
        assert [t[c] for t in tables] == [here[i] for i in clocked.growing]


def test_columns_are_refused():
    step = compiled(build_step(load("llama-3.1-70b"), Layout(tp=4)), H100, IDEAL, "machine")
    with pytest.raises(InputError, match="one after another"):
        PassClock(step)


@pytest.mark.parametrize("name", ["dense", "windows"])
def test_a_decode_pass_by_its_count_is_the_pass(name):
    """What counts alone decide is remembered by the count; caches come on top: the same seconds, and the same short runs."""
    clock = CLOCKS[name][1]
    assert clock.quick
    rng = np.random.default_rng(7)
    for new in (1, 3):
        for count in (1, 2, 17, 300):
            each = [clock.amounts_of(new, int(c), new) for c in rng.integers(1, 5000, count)]
            totals = [float(sum(x)) for x in zip(*each, strict=True)]
            caches = [t if i in clock.growing else 0.0 for i, t in enumerate(totals)]
            assert clock.decode(count, caches, new) == pytest.approx(clock.seconds(totals, count * new), rel=1e-13)
        slopes = [count * 0.5 if i in clock.growing else 0.0 for i in range(clock.meters)]
    totals = [
        float(sum(x)) for x in zip(*[clock.amounts_of(1, int(c)) for c in rng.integers(1, 5000, 300)], strict=True)
    ]
    first = clock.seconds(totals, 300)
    for gap in (1.5 * first, 4.2 * first, 100 * first):
        found = clock.decode_until(gap, 8, first, 300, totals, slopes)
        wanted = clock.until(gap, 8, first, totals, slopes, 300)
        assert found[0] == wanted[0]
        assert found[1] == pytest.approx(wanted[1], rel=1e-13)
