"""Predictions change gradually: in memory, chips and batch; and split pools have the limits that they must have."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from cases import closed_loop, disaggregated
from headway.errors import PhysicsError
from headway.parallel import Layout
from headway.questions import Request
from headway.roofline import IDEAL
from headway.serving import Workload, answer, case, setting


def _with_memory(s, share):
    chip = dataclasses.replace(
        s.system.chip, memory=s.system.chip.memory * share, visible=s.system.chip.visible * share
    )
    return dataclasses.replace(s, system=dataclasses.replace(s.system, chip=chip))


@pytest.mark.parametrize("engine", ["sglang", "trtllm", "vllm", "llama.cpp"])
def test_a_per_cent_of_memory_is_no_cliff(engine):
    """From the last size that the weights leave room in, per cent by per cent: no step changes TTFT or TPOT more than threefold."""
    s = setting(Request("llama-3.1-70b", "h100x4", prompt=2000.0, output=500.0, engine=engine))
    found = []
    for share in np.geomspace(0.5, 1.2, 88):  # steps of one per cent
        try:
            found.append(answer(case(_with_memory(s, float(share)), Layout(tp=4), concurrency=64.0)))
        except PhysicsError:
            assert not found  # more memory never makes it worse
    assert len(found) > 30
    for less, more in itertools.pairwise(found):
        assert 1 / 3 < more.ttft / less.ttft <= 1 + 1e-6
        assert more.tpot / less.tpot < 3


@pytest.mark.parametrize("engine", ["sglang", "vllm"])
def test_one_more_request_changes_little(engine):
    s = setting(Request("llama-3.1-8b", "h100", prompt=1000.0, output=300.0, engine=engine))
    found = [answer(case(s, Layout(), concurrency=float(b))) for b in range(1, 200, 3)]
    for fewer, more in itertools.pairwise(found[2:]):
        assert 1 - 1e-9 <= more.tpot / fewer.tpot < 1.3
        assert 1 - 1e-9 <= more.ttft / fewer.ttft < 1.5


def test_an_infinite_pool_for_prompts_is_a_loop_without_them():
    """Split pools whose prompts take no time, and a loop whose prompts add nothing to a pass: the same answer."""
    w = Workload("disaggregated", 64.0, 1000.0, 4000.0, prefill_pool=1e9)
    passes = {
        "decode": 0.01,
        "decode 1": 0.004,
        "decode 4": 0.005,
        "decode 16": 0.007,
        "decode 64": 0.01,
        "prefill": 0.02,
        "burst": 0.02,
    }
    split = disaggregated(w, passes, IDEAL, transfer=0.0)
    one = closed_loop(dataclasses.replace(w, kind="closed_loop"), passes | {"mixed": 0.01}, IDEAL)
    assert float(split.tpot) == pytest.approx(float(one.tpot), rel=1e-3)
    assert float(split.ttft) == pytest.approx(float(one.ttft), rel=1e-3)
    assert float(split.output_rate) == pytest.approx(float(one.output_rate), rel=1e-3)
