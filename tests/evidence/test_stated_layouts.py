"""Layouts as tables state them: flags, numbers, workers, cores, heads that do not divide; and pools with their own."""

from __future__ import annotations

import pytest

from cases import measured, predict_cases
from headway.errors import InputError
from headway.evidence import case_of
from headway.evidence.layouts import Ways
from headway.parallel import Layout, build_step, kv_per_chip, weights_per_chip
from headway.roofline import Load, step_time

SPLIT = {"model": "deepseek-r1-0528", "disaggregated": "true", "isl": 8192, "osl": 1024}


@pytest.mark.parametrize(("cells", "decode", "prefill", "replicas"), [
    # five workers of tp8, prompts on one of four chips with a group on each
    ({"chips": 44, "tp": 8, "ep": 8, "decode_chips": 40, "decode_workers": 5, "prefill_chips": 4, "prefill_workers": 1,
      "prefill_tp": 4, "prefill_ep": 4, "prefill_attention_dp": "true"}, Ways(8, 1, 8, 1), Ways(1, 1, 4, 4), (1, 5)),
    # a flag, and a worker that spans more chips than tp says: a group on each
    ({"chips": 24, "tp": 8, "ep": 8, "attention_dp": "true", "decode_chips": 16, "decode_workers": 1, "prefill_chips": 8,
      "prefill_workers": 1, "prefill_tp": 8}, Ways(1, 1, 16, 16), Ways(8, 1, 1, 1), (1, 1)),
    ({"chips": 72, "tp": 1, "ep": 1, "attention_dp": "true", "decode_chips": 32, "decode_workers": 1, "prefill_chips": 40,
      "prefill_workers": 5, "prefill_tp": 1, "prefill_attention_dp": "true"}, Ways(1, 1, 32, 32), Ways(1, 1, 8, 8), (5, 1)),
    # chips that are no multiple of the decode replica's
    ({"chips": 12, "tp": 8, "decode_chips": 8, "decode_workers": 1, "prefill_chips": 4, "prefill_workers": 1, "prefill_tp": 4},
     Ways(8, 1, 1, 1), Ways(4, 1, 1, 1), (1, 1)),
])  # fmt: skip
def test_pools_as_they_are_stated(cells, decode, prefill, replicas):
    found = measured(**SPLIT, **cells)
    assert (found.tp, found.pp, found.ep, found.dp) == (decode.tp, decode.pp, decode.ep, decode.dp)
    assert found.pools.prefill == prefill
    assert (found.pools.prefill_replicas, found.pools.decode_replicas) == replicas
    c = case_of(found)
    assert c.copies == replicas[1]
    assert c.prompts.replicas == replicas[0]
    assert c.workload.prefill_pool == pytest.approx(replicas[0] / c.shares)
    assert c.workload.prompt_groups == c.prompts.layout.dp
    assert c.transfer_bytes == pytest.approx(float(kv_per_chip(c.model, c.prompts.layout, 8192.0)))


def test_prompts_run_on_the_layout_of_their_pool():
    cells = {**SPLIT, "chips": 12, "tp": 8, "decode_chips": 8, "decode_workers": 1, "prefill_chips": 4, "prefill_tp": 4,
             "prefill_workers": 1, "system": "B200-SXM", "engine": "trtllm", "weights_dtype": "fp4", "batch_or_concurrency": 1}  # fmt: skip
    (found,) = predict_cases([case_of(measured(**cells))])
    c = found.case
    prompt = step_time(build_step(c.model, Layout(tp=4)), c.passes["prefill"], c.chip, c.setting.numbers)
    assert found.seconds["prefill"] == pytest.approx(float(prompt.seconds), rel=1e-9)
    decode = step_time(build_step(c.model, Layout(tp=8)), Load.decode(1, 8192 + 512), c.chip, c.setting.numbers)
    assert found.tpot == pytest.approx(float(decode.seconds), rel=1e-6)  # alone: nobody else decodes
    ten = cells | {"prefill_chips": 40, "prefill_workers": 10, "chips": 48}
    for batch in (64, 4096):
        few, more = predict_cases([case_of(measured(**x | {"batch_or_concurrency": batch})) for x in (cells, ten)])
        assert more.ttft < few.ttft
        assert more.output_rate > few.output_rate


def test_who_waits_for_a_prompt_does_not_decode():
    """A prefill pool that is the slower one: the decode step is that of the few whose prompts are done (Little)."""
    cells = {**SPLIT, "chips": 16, "tp": 8, "decode_chips": 8, "decode_workers": 1, "prefill_chips": 8, "prefill_tp": 8,
             "prefill_workers": 1, "isl": 30_000, "osl": 100}  # fmt: skip
    few, many = predict_cases([case_of(measured(**cells, batch_or_concurrency=b)) for b in (64, 256)])
    assert many.tpot == pytest.approx(few.tpot, rel=0.02)
    assert many.output_rate == pytest.approx(few.output_rate, rel=0.02)
    step = few.case.setting.passes_of(few.case.layout)
    decoding = few.output_rate / 100 * 99 * few.tpot  # requests that decode, by Little's law
    assert few.tpot == pytest.approx(float(step.seconds(Load.decode(1 + decoding * 63 / 64, 30_050))), rel=0.05)
    assert few.tpot < 0.7 * float(step.seconds(Load.decode(64, 30_050)))


def test_a_flag_that_cannot_be_is_read_as_tensor_parallelism():
    """Four GB200 hold DeepSeek-R1 in FP8 once, not with attention whole on each chip: the run was tp4."""
    cells = {**SPLIT, "system": "GB200-NVL72", "chips": 20, "tp": 1, "ep": 1, "attention_dp": "true", "decode_chips": 16,
             "decode_workers": 4, "prefill_chips": 4, "isl": 1024,
             "prefill_workers": 1, "prefill_tp": 1, "prefill_attention_dp": "true"}  # fmt: skip
    c = case_of(measured(**cells))
    assert str(c.layout) == str(c.prompts.layout) == "tp4ep4"
    assert c.account.fits > 32


def test_cores_are_no_chips():
    """AWS counts NeuronCores, two to a Trainium; 32 of them are 16 chips. More than that is an error."""
    same = {
        "system": "Trainium1",
        "model": "llama-3-70b",
        "weights_dtype": "bf16",
        "engine": "Transformers NeuronX",
        "load": "static_batch",
    }
    assert measured(**same, chips=16, tp=32).tp == 16
    assert measured(**same, chips=16, tp=16).tp == 16
    with pytest.raises(Exception, match="16 chips stated"):
        measured(**same, chips=16, tp=64)


def test_heads_that_do_not_divide_are_padded():
    """128 heads on 36 chips: four on the fullest, as on 32; 64 heads on 12: six, not five and a third."""
    c = case_of(measured(model="deepseek-r1-0528", system="GB200-NVL72", chips=36, tp=36, batch_or_concurrency=4))
    assert (c.layout.tp, c.layout.padded) == (36, True)
    m = c.model
    queries = next(x for x in m.layers[0].linears if x.ways == 128)
    apart = weights_per_chip(m, Layout(tp=32)) - weights_per_chip(m, c.layout)
    assert apart < weights_per_chip(m, Layout(tp=32)) * 0.11
    assert queries.ways == 128
    seven, eight, four = (case_of(measured(model="llama-3.1-70b", chips=n, tp=n)) for n in (7, 8, 4))
    times = [float(x.setting.passes_of(x.layout).seconds(Load.decode(4, 1000))) for x in (eight, seven, four)]
    assert times == sorted(times)


@pytest.mark.parametrize("key", ["prefill_chips", "decode_chips", "chips"])
def test_pools_of_a_billion_chips_are_refused_at_once(key):
    """The bound of a deployment holds for the pools of a split one, too."""
    cells = {**SPLIT, "chips": 16, "tp": 1, "attention_dp": "true", "decode_chips": 8, "decode_workers": 1, "prefill_chips": 8,
             "prefill_workers": 1, "prefill_tp": 1, "prefill_attention_dp": "true"}  # fmt: skip
    with pytest.raises(InputError, match="no machine has more"):
        measured(**cells | {key: 10**9})
