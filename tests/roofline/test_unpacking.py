"""Experts whose weights are unpacked to 16 bits come at the rate of the units that unpack them, not of the memory."""

from __future__ import annotations

import dataclasses

import pytest

from catalogued import load
from headway.hardware import chip
from headway.parallel import Layout, build_step
from headway.roofline import IDEAL, Kind, Load, compiled, kernel_rates, profile, step_time

H100, H200, B200 = chip("H100 SXM"), chip("H200 SXM"), chip("B200 SXM")
GPT_OSS = build_step(load("gpt-oss-120b"), Layout())


def experts(on, numbers, batch=64):
    return next(r for r in step_time(GPT_OSS, Load.decode(batch, 1000), on, numbers).rows if r.kind == "experts")


def test_two_memories_nearly_one_time():
    """Kernel evidence, 48 to 96 tokens of gpt-oss on half of its experts: the H100 takes 1.07 times as long as the H200."""
    numbers = profile("vllm").on(None)
    assert experts(H100, numbers).seconds / experts(H200, numbers).seconds == pytest.approx(1.07, abs=0.03)
    assert experts(H100, IDEAL).seconds / experts(H200, IDEAL).seconds == pytest.approx(4.8 / 3.35, rel=0.01)


def test_time_is_values_over_the_rate():
    numbers = dataclasses.replace(IDEAL, expert_unpack_flops=200.0)
    row = next(r for r in GPT_OSS.rows if r.kind == "experts")
    touched = GPT_OSS.touched(row.experts, row.active, 64, 0.0) / row.experts
    values = touched * row.weight_bytes / row.bytes_per_weight
    assert experts(H200, numbers).memory == pytest.approx(values * 200 / H200.peak(("bf16",)), rel=1e-9)
    assert experts(B200, numbers).seconds == experts(B200, IDEAL).seconds  # it multiplies four bits as they are


def test_activations_are_not_unpacked():
    numbers = dataclasses.replace(IDEAL, expert_unpack_flops=1e4)
    found = kernel_rates(Kind("experts", weight_only=True, width=0.5), 1e15, 1e12, numbers)
    assert found == (1e-15, 1e4 / 0.5 / 1e15, 1e-12)


@pytest.mark.parametrize("batch", [1, 64, 2048])
def test_a_compiled_step_unpacks_too(batch):
    numbers = dataclasses.replace(profile("trtllm").on(H200), expert_unpack_flops=400.0)
    carried = Load.decode(batch, 2000)
    assert compiled(GPT_OSS, H200, numbers).seconds(carried) == pytest.approx(
        float(step_time(GPT_OSS, carried, H200, numbers).seconds), rel=1e-9
    )


def test_kernels_of_other_engines_have_no_such_rate():
    """llama.cpp multiplies what is stored in 8 bits."""
    assert profile("llama.cpp").numbers["expert_unpack_flops"] == 0
    assert profile("modern").numbers["expert_unpack_flops"] > 100
