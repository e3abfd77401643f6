"""Load models: closed loops, static batches, split pools, and the queues in them."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

import reference_loop
from cases import closed_loop, disaggregated, measured, predict_cases, static_batch
from headway.evidence import case_of as case
from headway.questions import Request
from headway.roofline import (
    IDEAL,
    Calibration,
    profile,
)
from headway.serving import Workload, servers, setting
from headway.serving.loops import work
from headway.serving.loops.workload import queue as _queue


@pytest.mark.parametrize(
    ("slots", "extra", "output"), list(itertools.product((4, 64, 256), (0.002, 0.02), (200, 1000)))
)
def test_closed_loop_agrees_with_the_loop_step_by_step(slots, extra, output):
    step, most = 0.01, 8
    ttft, _, tpot = reference_loop.run(slots, output, step, extra, most)
    found = _closed(slots, output, step, extra, most)
    assert found.tpot == pytest.approx(tpot, rel=0.05)
    assert found.ttft == pytest.approx(ttft, rel=0.15, abs=0.6 * step)  # an arrival meets half a step


def test_a_saturated_closed_loop_is_full_of_prompts():
    """Prompts come faster than passes carry them: the loop's rate is that of full passes, and prompts wait."""
    ttft, median, tpot = reference_loop.run(256, 200, 0.01, 0.08, 1)
    found = _closed(256, 200, 0.01, 0.08, 1)
    assert found.tpot == pytest.approx(tpot, rel=0.08)
    assert found.ttft == pytest.approx(ttft, rel=0.15)
    assert found.ttft_median == pytest.approx(median, rel=0.15)


@pytest.mark.parametrize("spread", [0.0, 0.11, 0.5])
@pytest.mark.parametrize(
    ("slots", "extra", "output"), list(itertools.product((4, 64, 256), (0.002, 0.02), (200, 1000)))
)
def test_prompts_in_passes_of_their_own_agree_with_the_loop_step_by_step(slots, extra, output, spread):
    """Equal lengths travel in waves, to 3 %; unequal ones come apart round by round."""
    step, most = 0.01, 8
    ttft, _, tpot = reference_loop.run(slots, output, step, extra, most, spread=spread, apart=True)
    found = _closed(slots, output, step, extra, most, spread=spread, apart=1.0)
    assert found.tpot == pytest.approx(tpot, rel=0.05 if spread else 0.03)
    if not spread:
        assert found.ttft == pytest.approx(ttft, rel=0.03, abs=0.6 * step)
    else:
        assert found.ttft == pytest.approx(ttft, rel=0.25, abs=0.6 * step)


@pytest.mark.parametrize(("slots", "extra", "output"), [(64, 0.002, 200), (64, 0.02, 1000), (16, 0.02, 500)])
def test_waves_that_share_passes_agree_with_the_loop_step_by_step(slots, extra, output):
    """Requests of one length that shared a pass come back together and share the next."""
    step, most = 0.01, 8
    ttft, _, tpot = reference_loop.run(slots, output, step, extra, most, spread=0.0)
    found = _closed(slots, output, step, extra, most, spread=0.0)
    assert found.tpot == pytest.approx(tpot, rel=0.03)
    assert found.ttft == pytest.approx(ttft, rel=0.06, abs=0.6 * step)


def _closed(slots, output, step, extra, most, **kind):
    w = Workload("closed_loop", float(slots), 1000.0, float(output), **kind)
    passes = {"decode": step, "mixed": step + extra, "prefill": step + extra, "burst": step + extra * min(most, slots)}
    return closed_loop(w, passes, Calibration(chunk_tokens=1000.0 * most, run_rounds=10.0))


def test_closed_loop_limits():
    alone = _closed(1, 500, 0.01, 0.02, 8)
    assert alone.tpot == pytest.approx(0.01)  # nobody else's prompt
    free = _closed(64, 500, 0.01, 0.0, 8)
    assert free.tpot == pytest.approx(0.01)
    w = Workload("closed_loop", 100.0, 1000.0, 500.0, slots=40.0)
    found = closed_loop(
        w, {"decode": 0.01, "mixed": 0.03, "prefill": 0.03, "burst": 0.17}, Calibration(chunk_tokens=8000.0)
    )
    rate = found.output_rate / 500
    assert rate * (found.ttft + 499 * found.tpot) == pytest.approx(100)  # Little's law over all that are in flight
    assert found.waiting == pytest.approx(60 / 40 * (found.ttft - found.waiting + 500 * found.tpot), rel=0.02)
    assert found.ttft_p90 >= found.ttft_median
    assert found.tpot_p90 >= found.tpot


@pytest.mark.parametrize(("cells", "slack"), [
    ({}, 1e-9), ({"attention_dp": "true", "ep": 8}, 1e-9), ({"disaggregated": "true", "chips": 16}, 1e-9),
    ({"disaggregated": "true", "chips": 16, "isl": 100_000}, 1e-3), ({"isl": 100, "osl": 8000}, 1e-9),
    ({"isl": 32_000}, 1e-9), ({"isl": 100_000, "osl": 100}, 0.05), ({"chips": 16, "pp": 2}, 1e-9),
    ({"speculative": "mtp"}, 1e-9), ({"model": "Mixtral-8x7B", "weights_dtype": "bf16", "ep": 8}, 1e-9),
    ({"chips": 64, "disaggregated": "true", "isl": 8000, "osl": 200}, 1e-9), ({"load": "static_batch", "chips": 16, "pp": 2}, 1e-9),
])  # fmt: skip
def test_more_requests_in_flight_never_speed_anyone_up(cells, slack):
    """Mean values may lose a few per cent of throughput where a pool begins to be saturated by very long prompts."""
    batches = [1.0, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256, 512]
    r = measured(**cells)
    cases = [case(dataclasses.replace(r, batch=float(b))) for b in batches]
    found = predict_cases(cases)
    for earlier, later in itertools.pairwise(found):
        assert later.tpot >= earlier.tpot * (1 - 1e-9)
        assert later.ttft >= earlier.ttft * (1 - 1e-9)
        assert later.output_rate >= earlier.output_rate * (1 - slack)


def test_requests_that_start_together_are_taken_in_one_by_one():
    """The i-th of n waits for i - 1 others: in a tenth of the requests, the first round, (n - 1)/2 in the mean."""
    seconds = {"decode": 0.01, "mixed": 0.03, "prefill": 0.03, "burst": 0.17}
    c = Calibration(chunk_tokens=8000.0, run_rounds=10.0)
    for n in (1.0, 2.0, 64.0):
        w = Workload("closed_loop", n, 1000.0, 500.0)
        none, some = (closed_loop(w, seconds, dataclasses.replace(c, accept_seconds=a)) for a in (0.0, 0.005))
        assert some.ttft - none.ttft == pytest.approx((n - 1) / 2 * 0.005 / 10, abs=1e-12)
        assert some.ttft_median == none.ttft_median
        assert some.tpot == none.tpot


def test_the_first_round_waits_for_its_own_pass():
    """Prompts that fit in one pass all wait for all of it; of many passes, half and half a pass."""
    seconds = {"decode": 0.01, "mixed": 0.012, "prefill": 0.012, "burst": 0.4}
    few, many = Workload("closed_loop", 40.0, 100.0, 500.0), Workload("closed_loop", 400.0, 100.0, 500.0)
    for w, first in ((few, 0.4), (many, 10 * 0.4 * (1 + 1 / 10) / 2)):  # 40 prompts a pass
        c = Calibration(chunk_tokens=4000.0, run_rounds=10.0)
        found = closed_loop(w, seconds, c)
        assert found.ttft - found.ttft_median == pytest.approx((first - found.ttft_median) / 10, rel=1e-6)


def test_static_batches_fill_a_pipeline_with_micro_batches():
    plain, staged = (
        case(measured(load="static_batch", chips=c, pp=p, batch_or_concurrency=64)) for c, p in ((8, 1), (16, 2))
    )
    assert [c.passes["early"].sequences for c in (plain, staged)] == [64, 32]
    w = Workload("static_batch", 8.0, 1000.0, 101.0, stages=4.0)
    found = static_batch(w, {"prefill": 0.4, "early": 0.02, "late": 0.02}, IDEAL)
    assert found.ttft == pytest.approx(0.4 * 7 / 4)  # four micro-batches fill and drain four stages
    assert found.tpot == pytest.approx(0.02)  # each token passes all stages; all stages are busy
    one = static_batch(dataclasses.replace(w, batch=1.0), {"prefill": 0.4, "early": 0.02, "late": 0.02}, IDEAL)
    assert one.ttft == pytest.approx(0.4)


def test_long_prompts_take_a_pass_per_chunk():
    w = Workload("closed_loop", 1.0, 4000.0, 100.0)  # alone: no step of others is under way
    passes = {"decode": 0.01, "mixed": 0.05, "prefill": 0.05, "burst": 0.05}
    steady = closed_loop(w, passes, Calibration(chunk_tokens=1000.0))
    assert steady.ttft == pytest.approx(4 * 0.05)
    started = closed_loop(w, passes, Calibration(chunk_tokens=1000.0, run_rounds=10.0))
    assert started.ttft == pytest.approx(steady.ttft)  # nobody before it in the first round either
    two = closed_loop(dataclasses.replace(w, batch=2.0), passes, Calibration(chunk_tokens=1000.0, run_rounds=10.0))
    assert two.ttft - two.ttft_median == pytest.approx((0.3 - two.ttft_median) / 10)  # one after 4 passes, one after 8
    (chunk,) = case(measured(isl=32_768)).passes["prefill"].groups
    assert (chunk.new, chunk.context, chunk.logits) == (8192, (32_768 - 8192) / 2, 0.25)


def test_queues_of_one_server():
    """Between the bounds of every closed queue: no wait alone, all others' service at saturation."""
    wait, busy = _queue(np.array([1.0, 100.0]), 0.1, np.array([1.0, 1e-6]))
    assert wait == pytest.approx([0.0, 9.9], rel=1e-3, abs=1e-12)
    assert busy == pytest.approx([0.1 / 1.1, 1.0], rel=1e-3)


def test_static_batch_is_prefill_then_decode():
    w = Workload("static_batch", 4.0, 1000.0, 101.0)
    found = static_batch(w, {"prefill": 0.5, "early": 0.01, "late": 0.03}, IDEAL)
    assert (found.ttft, found.tpot) == (pytest.approx(0.5), pytest.approx(0.02))
    assert found.request == pytest.approx(0.5 + 100 * 0.02)
    assert found.output_rate == pytest.approx(4 * 101 / 2.5)
    only = static_batch(Workload("static_batch", 1.0, 0.0, 128.0), {"early": 0.01, "late": 0.01}, IDEAL)
    assert only.output_rate == pytest.approx(100)  # decode from an empty context


def test_drafts_pay_in_proportion_to_what_is_accepted():
    passes = {"decode": 0.02}
    w = Workload("closed_loop", 8.0, 0.0, 100.0, drafts=3.0)
    assert closed_loop(w, passes, IDEAL).tpot == pytest.approx(0.02 / 4)
    half = Calibration(draft_acceptance=0.5)
    assert closed_loop(w, passes, half).tpot == pytest.approx(0.02 / (1 + 0.5 + 0.25 + 0.125))


def test_split_pools_have_no_pauses_but_a_hand_over():
    w = Workload("disaggregated", 64.0, 1000.0, 500.0)
    passes = {"decode": 0.01, "mixed": 0.05, "prefill": 0.04, "burst": 0.3}
    joined = closed_loop(dataclasses.replace(w, kind="closed_loop"), passes, Calibration(chunk_tokens=8000.0))
    split = disaggregated(w, passes, IDEAL, transfer=0.02)
    assert split.tpot == pytest.approx(0.01)
    assert split.tpot < joined.tpot
    later = disaggregated(w, passes, IDEAL, transfer=0.12)
    assert later.ttft == pytest.approx(split.ttft + 0.1, rel=0.05)
    alone = dataclasses.replace(w, batch=1.0)
    taken, free = (disaggregated(alone, passes, Calibration(request_seconds=r), 0.0) for r in (0.05, 0.0))
    assert taken.ttft - free.ttft == pytest.approx(0.1)  # by two servers
    found = case(measured(disaggregated="true", chips=16))
    assert (found.workload.kind, found.shares, found.workload.batch) == ("disaggregated", 1, 16)
    assert found.transfer_bytes > 0


def test_each_of_two_servers_takes_a_request_in():
    prompts, answers = (setting(Request("llama-3.1-8b", "h100", engine=e)) for e in ("vllm", "sglang"))
    each = [float(profile(e).on(prompts.system.chip).request_seconds) for e in ("vllm", "sglang")]
    assert each[0] != each[1]
    assert servers(prompts, answers) == pytest.approx(sum(each))


def test_prompts_alone_wait_for_each_other():
    found = predict_cases([case(measured(osl=0, batch_or_concurrency=b)) for b in (1, 64, 1024)])
    assert found[0].ttft < 4 * found[0].ttft < found[1].ttft < 8 * found[1].ttft < found[2].ttft
    assert all(np.isnan(p.tpot) and p.output_rate == 0 for p in found)


def test_the_work_of_a_prompt_alone_is_its_part_of_full_passes():
    """One token of output: nothing is decoded, and a prompt's work is a full pass over the prompts in it, however many come."""
    found = predict_cases([case(measured(osl=1, batch_or_concurrency=b)) for b in (64, 256)])
    for p in found:
        w, s = p.case.workload, p.case.setting
        each, answered = work(w, p.seconds, s.numbers)
        assert float(each) == pytest.approx(p.seconds["burst"] * float(w.pieces(s.chunk)) / float(w.at_once(s.chunk)))
        assert float(answered) == 0


def test_split_pools_saturate_like_queues():
    rows = [
        measured(disaggregated="true", chips=16, isl=100_000, osl=1000, batch_or_concurrency=b)
        for b in (1, 2, 4, 16, 64)
    ]
    found = predict_cases([case(r) for r in rows])
    for earlier, later in itertools.pairwise(found):
        assert later.ttft > earlier.ttft
        assert later.output_rate > 0.999 * earlier.output_rate
