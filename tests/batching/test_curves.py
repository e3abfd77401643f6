"""Curves and their lines against sums done by hand: micro-batches, drafts, what memory time is made of, where contexts bind."""

from __future__ import annotations

import math

import numpy as np
import pytest

from catalogued import load
from headway.batching import Scene, against_batch, against_context, against_pass_length, goldilocks, lines, split_memory
from headway.hardware import chip
from headway.models import kv_bytes_read
from headway.parallel import Layout, build_step
from headway.roofline import IDEAL, Load, dense_step, profile, step_time

H100 = chip("H100 SXM")
LLAMA, DEEPSEEK = "llama-3.1-70b", "deepseek-ai/DeepSeek-V3"


def scene(name=LLAMA, layout=None, **more):
    numbers = profile("vllm").on(H100)
    return Scene(build_step(load(name), layout or Layout(tp=8)), H100, numbers, **more)


def test_memory_time_is_weights_and_caches():
    """Llama 70B on one ideal chip: 141 GB of weights, and the cache of every sequence, over the bandwidth."""
    m = load(LLAMA)
    found = step_time(build_step(m, Layout()), Load.decode(16, 8000), H100, IDEAL)
    weights, kv = split_memory(found)
    assert weights + kv == pytest.approx(found.memory, rel=1e-12)
    assert kv == pytest.approx(16 * kv_bytes_read(m, 8000) / H100.bandwidth, rel=0.01)
    assert weights == pytest.approx(2 * (m.total_parameters - m.embedding.parameters) / H100.bandwidth, rel=0.01)


def test_a_pass_is_timed_under_the_scene_s_convention():
    """The lecture's machine overlaps everything: shorter than kernels one after another, and the largest of its sums."""
    kernels, machine = (scene(convention=c).decode(64, 4000) for c in ("kernels", "machine"))
    assert float(machine.seconds) < float(kernels.seconds)
    assert machine.convention == "machine"
    assert float(machine.seconds) == pytest.approx(
        float(scene(convention="machine").passes.seconds(Load.decode(64, 4000)))
    )


def test_a_curve_holds_what_its_points_are():
    at = scene()
    batches = np.array([1.0, 8.0, 64.0])
    found = against_batch(at, batches, 4000.0, 8.0, 1e-3)
    assert found.axis == "batch"
    for i, batch in enumerate(batches):
        t = step_time(at.step, Load.decode(batch, 4000), H100, at.calibration)
        weights, kv = split_memory(t)
        here = [
            float(getattr(found, k)[i]) for k in ("batch", "seconds", "compute", "weights", "kv", "network", "overhead")
        ]
        assert here == pytest.approx(
            [batch, *(float(x) for x in (t.seconds, t.compute, weights, kv, t.network, t.overhead))]
        )
        assert float(found.cost[i]) == pytest.approx(float(t.seconds) * 8 * 1e-3 / batch)
        assert found.bound[i] == t.bound
    assert np.isnan(against_batch(at, batches, 4000.0, 8.0, None).cost).all()


def test_curves_against_context_and_tokens():
    at = scene()
    found = against_context(at, np.array([1e3, 1e4]), np.array([32.0, 4.0]), 8.0, 1e-3)
    assert (found.axis, list(found.batch)) == ("context", [32.0, 4.0])
    for context, batch, seconds in zip(found.x, found.batch, found.seconds, strict=True):
        assert seconds == pytest.approx(float(at.seconds(batch, context)))
    found = against_pass_length(at, np.array([1.0, 100.0]), np.array([32.0, 4.0]), 1e3, 8.0, 1e-3)
    assert found.axis == "tokens per sequence"
    one = step_time(at.step, Load.prefill(4.0, 100.0, cached=1e3), H100, at.calibration)
    assert found.seconds[1] == pytest.approx(float(one.seconds))
    assert found.cost[1] == pytest.approx(float(one.seconds) * 8 * 1e-3 / 400)


def test_a_pipeline_carries_micro_batches():
    """Four stages: a pass carries a quarter of the batch, and lasts longer where the fullest stage makes the others wait."""
    plain, piped = scene(layout=Layout(tp=2, pp=4)), scene(layout=Layout(tp=2, pp=4), stages=4.0)
    assert piped.seconds(64.0, 4000) == pytest.approx(float(plain.seconds(16.0, 4000)), rel=1e-12)
    assert piped.seconds(2.0, 4000) == pytest.approx(float(plain.seconds(1.0, 4000)), rel=1e-12)  # never less than one
    uneven = scene(layout=Layout(tp=2, pp=4), stages=4.0, share=0.3)
    assert uneven.seconds(64.0, 4000) == pytest.approx(1.2 * float(piped.seconds(64.0, 4000)), rel=1e-12)  # 4 x 0.3
    assert uneven.seconds(3.0, 4000) == pytest.approx(
        float(piped.seconds(3.0, 4000)), rel=1e-12
    )  # three are in flight: 0.9
    assert uneven.ideal.seconds(64.0, 4000) < float(piped.seconds(64.0, 4000))
    itemised = uneven.decode(64.0, 4000)
    assert float(itemised.seconds) == pytest.approx(float(uneven.seconds(64.0, 4000)), rel=1e-12)
    assert float(itemised.resources.total) == pytest.approx(float(itemised.seconds), rel=1e-12)
    prompt = uneven.prefill(2.0, 1000)
    alone = step_time(uneven.step, Load.prefill(2.0, 1000), H100, uneven.calibration)
    assert float(prompt.seconds) == pytest.approx(1.2 * float(alone.seconds), rel=1e-12)


def test_new_tokens_and_skew_reach_the_pass():
    at = scene(DEEPSEEK, Layout(dp=8, ep=8), new=4.0, skew=0.8)
    drafted = step_time(at.step, Load.decode(64, 4000, new=4.0, skew=0.8), H100, at.calibration)
    assert at.seconds(64, 4000) == pytest.approx(float(drafted.seconds), rel=1e-12)
    assert at.seconds(64, 4000, 1.0) < float(drafted.seconds)
    assert float(at.decode(64, 4000, 1.0).seconds) == pytest.approx(float(at.seconds(64, 4000, 1.0)), rel=1e-12)
    prompts = step_time(at.step, Load.prefill(4, 500, skew=0.8), H100, at.calibration)
    assert float(at.prefill(4, 500).seconds) == pytest.approx(float(prompts.seconds), rel=1e-12)
    assert float(prompts.seconds) > float(step_time(at.step, Load.prefill(4, 500), H100, at.calibration).seconds)


@pytest.mark.parametrize("kv", [1e3, 1e5])
def test_goldilocks_is_where_reading_takes_as_long_as_multiplying(kv):
    """Lecture E11: 2 N_active / peak = k L / bandwidth."""
    at = Scene(dense_step(1e11, 4e10, 1.0, kv), H100, IDEAL)
    expected = 2 * 4e10 / H100.bf16 * H100.bandwidth / kv
    assert goldilocks(at) == pytest.approx(expected, rel=1e-6)
    assert goldilocks(at, longest=expected * 0.99) == math.inf
    found = lines(at, expected)
    assert found.kv_slope == pytest.approx(found.compute_slope, rel=1e-6)
    assert found.weights == pytest.approx(1e11 / H100.bandwidth, rel=1e-6)
    assert found.balance_batch == pytest.approx(1e11 / H100.bandwidth / (2 * 4e10 / H100.bf16), rel=1e-6)
    assert lines(at, expected / 2).balance_batch_with_kv == pytest.approx(2 * found.balance_batch, rel=1e-6)
    assert lines(at, expected * 1.01).balance_batch_with_kv == math.inf


def test_goldilocks_of_a_cache_that_binds_at_once_and_of_none():
    assert goldilocks(Scene(dense_step(1e9, 1e6, 1.0, 1e9), H100, IDEAL)) == 0.0
    assert goldilocks(Scene(dense_step(1e9, 1e9, 1.0, 0.0), H100, IDEAL)) == math.inf


def test_two_batch_overlap_is_two_halves_that_hide_the_network():
    """By hand: each half's network behind the other's kernels, overheads of both, scheduling once."""
    at = scene(DEEPSEEK, Layout(dp=8, ep=8))
    whole = Load.decode(256, 4000)
    half = step_time(at.step, Load.decode(128, 4000), H100, at.calibration)
    busy, network = sum(float(r.busy) for r in half.rows), float(half.network)
    expected = 2 * (max(busy, network) + float(half.overhead)) - at.calibration.step_seconds
    assert float(at.passes.half_and_half(whole)) == pytest.approx(expected, rel=1e-11)
    few = Load.decode(8, 4000)  # one sequence a group has no halves
    assert float(at.passes.half_and_half(few)) == pytest.approx(float(at.passes.seconds(few)), rel=1e-12)
    assert float(at.passes.shortest(whole, True)) == min(expected, float(at.passes.seconds(whole)))
    assert float(at.passes.shortest(whole, False)) == float(at.passes.seconds(whole))


def test_accepted_drafts_share_the_cost():
    at = scene(new=4.0, made=2.5)
    found = against_batch(at, np.array([8.0]), 4000.0, 8.0, 1e-3)
    assert float(found.cost[0]) == pytest.approx(float(at.seconds(8.0, 4000)) * 8 * 1e-3 / (8 * 2.5))
