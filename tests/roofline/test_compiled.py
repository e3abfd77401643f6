"""The compiled pass function: the same numbers as `step_time`, sums that add, and parts that join to the pass."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogued import BATCHES, CHIPS, CONTEXTS, MODELS, load, steps_of, wired
from headway.parallel import Layout, LayoutColumns, build_step
from headway.roofline import CONVENTIONS, IDEAL, Group, Load, compiled, profile, step_time

MANY = settings(max_examples=150, deadline=None)
ENGINES = st.sampled_from(["ideal", "modern", "vllm", "llama.cpp"])
DEEPSEEK, OSS = "deepseek-ai/DeepSeek-V3", "openai/gpt-oss-120b"


def _scene(data):
    name, chip = data.draw(MODELS), wired(data.draw(CHIPS))
    _, step = data.draw(st.sampled_from(steps_of(name)))
    return step, chip, profile(data.draw(ENGINES)).on(chip), data.draw(st.sampled_from(list(CONVENTIONS)))


def _loads(data):
    group = st.builds(Group, st.floats(0.2, 500), st.floats(1, 4096), CONTEXTS, st.floats(0.1, 4))
    groups = data.draw(st.lists(group, min_size=1, max_size=15))
    return Load(tuple(groups), data.draw(st.sampled_from([0.0, 0.0, 0.8])))


@MANY
@given(st.data())
def test_the_same_numbers_as_step_time(data):
    step, chip, numbers, convention = _scene(data)
    loads = [
        Load.decode(data.draw(BATCHES), data.draw(CONTEXTS)),
        Load.prefill(2, data.draw(st.floats(1, 1e5))),
        _loads(data),
    ]
    found = compiled(step, chip, numbers, convention)
    for carried in loads:
        whole, parts = step_time(step, carried, chip, numbers, convention), found.parts(carried)
        assert float(parts.seconds) == pytest.approx(float(whole.seconds), rel=1e-11)
        for name in ("compute", "memory", "network", "overhead"):
            assert float(getattr(parts, name)) == pytest.approx(float(getattr(whole, name)), rel=1e-11, abs=1e-18)


@MANY
@given(st.data())
def test_what_a_pass_is_spent_on_sums_to_it(data):
    """Rule 7: rows, the constant of the pass and what is hidden; and the resources, under both conventions."""
    step, chip, numbers, convention = _scene(data)
    t = step_time(step, _loads(data), chip, numbers, convention)
    assert float(t.resources.total) == pytest.approx(float(t.seconds), rel=1e-11)
    assert all(float(x) >= -1e-12 * float(t.seconds) for x in t.resources)
    rows = sum(float(r.seconds) for r in t.rows) + float(t.beside)
    if convention == "kernels":
        busy = sum(float(r.busy) for r in t.rows)
        hidden = float(numbers.network_overlap) * min(busy, float(t.network))
        assert rows - hidden == pytest.approx(float(t.seconds), rel=1e-11)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_sums_add_as_loads_do(data):
    step, chip, numbers, _ = _scene(data)
    found = compiled(step, chip, numbers)
    one, two = _loads(data), _loads(data)
    two = dataclasses.replace(two, skew=one.skew)
    added = found.sums(one).together_with(found.sums(two))
    assert found.seconds(added) == pytest.approx(float(step_time(step, one + two, chip, numbers).seconds), rel=1e-11)


@pytest.mark.parametrize(
    ("name", "layout"), [(DEEPSEEK, Layout(dp=8, ep=8)), (OSS, Layout(tp=4)), (DEEPSEEK, Layout(tp=8))]
)
def test_sweeps_of_any_shape(name, layout):
    chip = wired("H200 SXM")
    step, numbers = build_step(load(name), layout), profile("vllm").on(chip)
    rng, found = np.random.default_rng(1), compiled(step, chip, numbers)
    batch, context = rng.uniform(1, 4096, 40_000), rng.uniform(0, 131_072, 40_000)
    for b, c in ((batch, context), (batch[:50, None], context[:60]), (64.0, context), (batch[:9], 100.0)):
        want = step_time(step, Load.decode(b, c), chip, numbers).seconds
        np.testing.assert_allclose(found.seconds(Load.decode(b, c)), want, rtol=1e-11)


def test_columns_of_layouts():
    chip = wired("H200 SXM")
    layouts = [Layout(dp=d, ep=d) for d in (8, 16, 32)]
    columns = build_step(load(DEEPSEEK), LayoutColumns.of(layouts))
    batch = np.array([[1.0, 32.0, 900.0]])
    found = compiled(columns, chip, profile("modern").on(chip)).seconds(Load.decode(batch, 2048))
    for i, layout in enumerate(layouts):
        own = compiled(build_step(load(DEEPSEEK), layout), chip, profile("modern").on(chip))
        for j, b in enumerate(batch[0]):
            assert own.seconds(Load.decode(float(b), 2048)) == pytest.approx(found[i, j], rel=1e-11)


def test_two_hundred_sequences_of_their_own_lengths():
    chip = wired("H200 SXM")
    step = build_step(load(OSS), Layout(tp=2))
    contexts = np.random.default_rng(2).uniform(1, 50_000, 256)
    carried = Load(tuple(Group(1.0, 1.0, float(c)) for c in contexts))
    want = step_time(step, carried, chip, IDEAL).seconds
    assert compiled(step, chip).seconds(carried) == pytest.approx(float(want), rel=1e-11)


@pytest.mark.parametrize("knee", [0.0, 0.4])
def test_a_pass_with_prompts_takes_as_long_as_its_launches(knee):
    """E1 to E3 on the chips, so many launches on the host: the longer counts. Decode steps are replayed from a graph."""
    chip, step = wired("H100 SXM"), build_step(load("llama-3.1-70b"), Layout(tp=4))
    host = dataclasses.replace(IDEAL, launch_seconds=5e-5, knee=knee)
    launches = sum(r.kernels for r in step.rows) + sum(s.messages for s in step.sends)
    assert step.launches == launches > 900
    for prompt, bound in ((64, "host"), (100_000, "chip")):
        t, free = (
            step_time(step, Load.prefill(1, prompt), chip, c) for c in (host, dataclasses.replace(IDEAL, knee=knee))
        )
        longest = launches * 5e-5 if bound == "host" else float(free.seconds)
        assert float(t.seconds) == pytest.approx(longest, rel=1e-12 if not knee else 0.1)
        assert float(t.seconds) >= longest * (1 - 1e-12)
        assert float(t.seconds - free.seconds) == pytest.approx(float(t.overhead - free.overhead), abs=1e-12)
    for new in (1.0, 4.0):  # drafts are checked in a captured pass, too
        decode = Load.decode(32, 1000, new=new)
        assert (
            step_time(step, decode, chip, host).seconds
            == step_time(step, decode, chip, dataclasses.replace(IDEAL, knee=knee)).seconds
        )
        both = Load.decode(32, 1000, new=new) + Load.prefill(1, 64)
        assert float(step_time(step, both, chip, host).seconds) >= launches * 5e-5
        assert float(compiled(step, chip, host).seconds(both)) == pytest.approx(
            float(step_time(step, both, chip, host).seconds), rel=1e-12
        )
