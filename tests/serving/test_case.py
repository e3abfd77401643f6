"""Cases: how requests in flight lie on replicas, stages and pools."""

from __future__ import annotations

import dataclasses

import pytest

from cases import loads, measured, predict_cases
from headway.evidence import case_of as case
from headway.serving import Workload


def test_data_parallel_groups_do_not_split_one_sequence():
    """One request on eight groups decodes on one of them, at its mean context: the same cache reads as on that group."""
    cells = {"attention_dp": "true", "ep": 8, "batch_or_concurrency": 1}
    (load,) = [case(measured(**cells)).passes["decode"]]
    assert [(g.sequences, g.context) for g in load.groups] == [(1, 1024 + 512)]
    two = case(measured(**cells | {"batch_or_concurrency": 2})).passes["decode"]
    assert [g.sequences for g in two.groups] == [1, 1]


def test_split_deployments_balance_their_pools():
    """Long prompts take most replicas, long answers leave one."""
    prompts = case(measured(disaggregated="true", chips=64, isl=60_000, osl=200, batch_or_concurrency=64))
    answers = case(measured(disaggregated="true", chips=64, isl=200, osl=8000, batch_or_concurrency=64))
    assert prompts.shares <= 3  # of eight
    assert answers.shares == 7
    assert prompts.workload.prefill_pool == pytest.approx((8 - prompts.shares) / prompts.shares)


def test_experts_that_do_not_divide_get_second_copies():
    rack = case(measured(system="GB200-NVL72", tp=72, chips=72, attention_dp="true", ep=72, batch_or_concurrency=2048))
    assert str(rack.layout) == "dp72ep72r32"
    fewer = case(measured(system="GB200-NVL72", tp=64, chips=64, attention_dp="true", ep=64, batch_or_concurrency=2048))
    a, b = predict_cases([rack, fewer])
    assert a.tpot == pytest.approx(b.tpot, rel=0.15)


def test_a_split_of_one_replica_is_told(data):
    (found,) = predict_cases([case(measured(disaggregated="true"))])
    assert "pools" in found.outside


def test_a_sequence_is_never_split_over_copies():
    one = predict_cases([case(measured(chips=c, batch_or_concurrency=1)) for c in (8, 16, 72)])
    assert one[0].tpot == one[1].tpot == one[2].tpot
    assert one[0].tpot_floor == one[1].tpot_floor == one[2].tpot_floor
    many = predict_cases([case(measured(chips=c, batch_or_concurrency=64)) for c in (8, 16)])
    assert many[1].output_rate > many[0].output_rate


def test_pipeline_stages_work_on_micro_batches():
    plain, staged = (case(measured(chips=c, pp=p, batch_or_concurrency=64)) for c, p in ((8, 1), (16, 2)))
    assert staged.workload.batch == 32
    assert staged.workload.slots > plain.workload.slots / 2  # each chip holds half of the weights
    assert measured(chips="", pp=2).chips == 16


def test_passes_carry_at_most_the_budget():
    w = Workload("closed_loop", 8.0, 100_000.0, 100.0)
    assert float(loads(w, 8192.0)["mixed"].tokens) == pytest.approx(8 + 8192)
    assert float(loads(dataclasses.replace(w, prompt=1000.0), 8192.0)["burst"].tokens) == pytest.approx(8000)
