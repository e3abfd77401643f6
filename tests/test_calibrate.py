"""Calibration: evidence with its traps, load models, fits that recover what made their data, intervals, names."""

from __future__ import annotations

import ast
import dataclasses
import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import reference_loop
from headway.errors import InputError, PhysicsError
from headway.evidence import case_of as case
from headway.evidence import measurements as evidence
from headway.fitting import own
from headway.fitting.compare import accuracy, ratios, truth
from headway.fitting.data import evidence as shipped
from headway.fitting.data import prior_policy, usable
from headway.fitting.estimate import Batch, estimate, numbers_of
from headway.fitting.fit import fit, priors
from headway.fitting.floors import batch_floors as floors
from headway.fitting.folds import out_of_fold
from headway.fitting.intervals import covered, spread_of
from headway.fitting.kernels import kernel_differences, kernel_fits
from headway.front import calibration
from headway.roofline import (
    IDEAL,
    NUMBERS,
    Calibration,
    Load,
    Transfer,
    profile,
    profile_names,
    read_profile,
    step_time,
    wire,
)
from headway.serving import LOOPS, Workload, answer, engine, machine, served_model, stated_chips
from headway.serving.loops.workload import queue as _queue
from headway.validation import anchors

ROOT = Path(__file__).parent.parent


def closed_loop(w, seconds, c):
    return LOOPS["closed_loop"].served(w, seconds, c, 0.0)


def static_batch(w, seconds, c):
    return LOOPS["static_batch"].served(w, seconds, c, 0.0)


def disaggregated(w, seconds, c, transfer):
    return LOOPS["disaggregated"].served(w, seconds, c, transfer)


def loads(w, chunk):
    return LOOPS[w.kind].passes(w, chunk)


def predict_cases(cases, _dates=()):
    return [answer(c) for c in cases]


@pytest.fixture(scope="module")
def data():
    return shipped()


def row(**cells):
    base = {"system": "H200-SXM", "chips": "8", "model": "DeepSeek-R1-0528", "weights_dtype": "fp8", "engine": "sglang",
            "tp": "8", "load": "closed_loop", "batch_or_concurrency": "16", "isl": "1024", "osl": "1024"}  # fmt: skip
    return base | {k: str(v) for k, v in cells.items()}


def measured(**cells):
    return evidence.measurement("here", row(**cells))


# --- A: the evidence and its traps ---


def test_the_evidence_is_shipped_whole(data):
    rows, refused = evidence.read(evidence.read_rows(evidence.SHIPPED / "evidence" / "serving.csv.gz"))
    assert (len(rows), len(refused)) == (2693, 2)  # two published facts have no batch
    assert all("batch" in reason for _, _, reason in refused)
    assert len(data.rows) == 2693
    size = sum(f.stat().st_size for f in (evidence.SHIPPED / "evidence").iterdir())
    assert size < 2e6


def test_traps_of_the_sources():
    name = "inferencex run 2026_04_06_gpt_oss_120b_h200_sxm_trtllm_fp4_agg_8192x1024_c4_tp8_ep8_933"
    trap = measured(source="InferenceX (SemiAnalysis) dumps", source_path=name, chips=64, tp=64, ep=8, attention_dp=1)
    assert (trap.chips, trap.tp, trap.ep, trap.dp) == (8, 8, 8, 1)
    name = "inferencex run 2026_04_06_gpt_oss_120b_b200_sxm_trtllm_fp4_agg_1024x1024_c64_tp4_ep4_1904"
    trap = measured(source="InferenceX (SemiAnalysis) dumps", source_path=name, chips=16, tp=1, ep=4, attention_dp=16)
    assert (trap.chips, trap.tp, trap.ep, trap.dp) == (4, 1, 4, 4)
    assert measured(attention_dp="true").dp == 8
    assert measured(attention_dp="1").dp == 1
    assert measured(system="TPU7x (Ironwood)", chips=4, tp=8).tp == 4  # cores, two to a chip
    assert measured(engine="gpt-fast (torch.compile)", osl="").output == 200
    assert measured(speculative="mtp").drafts == 3
    assert measured(speculative="mtp2").drafts == 2
    assert measured(output_tok_s_per_chip=50).measured["output_tok_s"] == 400


def test_duplicates_under_two_labels_agree(data):
    """The rows whose ranks were multiplied in their source predict like the same runs labelled plainly."""
    cases = {}
    for r, c in zip(data.rows, data.cases, strict=True):
        if r.row["source_path"].startswith("inferencex") and "gpt_oss" in r.row["source_path"] and r.ep > 1:
            key = (c.chip.name, c.layout, r.batch, r.prompt, r.output, r.measured["tpot_mean"])
            cases.setdefault(key, set()).add(r.row["chips"])
    assert any(len(v) > 1 for v in cases.values())


@pytest.mark.parametrize(("cells", "says"), [
    ({"isl": "nan"}, "isl"), ({"osl": "-5"}, "osl"), ({"batch_or_concurrency": ""}, "batch_or_concurrency"),
    ({"batch_or_concurrency": "0"}, "positive"), ({"tp": "1.5"}, "tp"), ({"chips": "none at all"}, "chips"),
    ({"load": "open_loop"}, "static_batch"), ({"attention_dp": "maybe"}, "attention_dp"), ({"isl": "1e30"}, "isl"),
    ({"speculative": "yes please"}, "speculative"), ({"disaggregated": "perhaps"}, "disaggregated"),
])  # fmt: skip
def test_malformed_cells_are_named(cells, says):
    with pytest.raises(InputError, match=says):
        measured(**cells)


# --- names ---


@pytest.mark.parametrize(("said", "found"), [
    ("H100-SXM-80GB", "H100 SXM"), ("H200-SXM", "H200 SXM"), ("MI355X", "MI355X"), ("8xMI355X", "MI355X"), ("dgx b200", "B200 SXM"),
    ("nvidia-h200", "H200 SXM"), ("GB200-NVL72", "GB200"), ("b300_sxm", "B300 SXM"), ("amd instinct mi325x", "MI325X"),
    ("TPU7x (Ironwood)", "TPU v7"), ("4090 24GB", "RTX 4090"), ("A100-SXM4-80GB", "A100 SXM 80GB"),
])  # fmt: skip
def test_chips_as_people_write_them(said, found):
    assert machine(said).chip.name == found


@pytest.mark.parametrize(("said", "weights", "found", "stored"), [
    ("nvidia/DeepSeek-R1-NVFP4", "", "DeepSeek-V3.1-NVFP4", "nvfp4"), ("DeepSeek-R1-0528", "fp8", "DeepSeek-R1", "fp8"),
    ("DeepSeek-R1-0528", "fp4", "DeepSeek-V3.1-NVFP4", "nvfp4"), ("llama2-7b", "", "Llama-2-7b-hf", "bf16"),
    ("GLM-5-FP8", "", "GLM-5-FP8", "fp8"), ("zai-org/GLM-5", "fp8", "GLM-5-FP8", "fp8"),
    ("openai/gpt-oss-120b", "fp4", "gpt-oss-120b", "mxfp4"),
    ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "", "Llama-3.3-70B-Instruct", "fp8-tensor"),
    ("Qwen/Qwen3-32B-FP8", "", "Qwen3-32B-FP8", "fp8"), ("Qwen3-32B-AWQ", "", "Qwen3-32B", "int4"),
    ("amd/DeepSeek-R1-0528-MXFP4-Preview", "", "DeepSeek-R1", "mxfp4"), ("Kimi-K2.5", "int4", "Kimi-K2.5", "int4-g32"),
    ("Kimi-K2.5", "fp4", "Kimi-K2.5-NVFP4", "nvfp4"), ("Qwen/Qwen3.5-397B-A17B-FP8", "", "Qwen3.5-397B-A17B", "fp8"),
    ("MiniMax-M2.5", "fp8", "MiniMax-M2.5", "fp8"), ("Llama-3-8B", "q4_k_m", "Meta-Llama-3-8B", "q4_k_m"),
])  # fmt: skip
def test_models_as_people_write_them(said, weights, found, stored):
    arch = served_model(said, weights, "")
    assert arch.name.endswith(found)
    assert arch.precision.weights.name == stored


@pytest.mark.parametrize(("said", "found"), [
    ("dynamo-trt", "trtllm"), ("trt", "trtllm"), ("TensorRT-LLM", "trtllm"), ("vllm/vllm-openai:v0.18.0", "vllm"),
    ("sglang", "sglang"), ("dynamo-sglang", "sglang"), ("vllm 0.9.1", "vllm"), ("llama.cpp", "llama.cpp"), ("HF", "transformers"),
])  # fmt: skip
def test_engines_as_people_write_them(said, found):
    assert engine(said).profile == found


@pytest.mark.parametrize(("what", "call"), [
    ("chip", lambda: machine("H900")), ("model", lambda: served_model("DeepSeek-R9")),
    ("engine", lambda: engine("sgling")), ("precision", lambda: served_model("llama-3-8b", "fp3")),
])  # fmt: skip
def test_what_does_not_resolve_is_refused_by_name(what, call):
    with pytest.raises(InputError, match=what):
        call()


def test_the_cache_format_is_what_is_asked_then_the_sources_recipe_then_the_checkpoints():
    """16 bits unless something says otherwise (vLLM and SGLang document `auto` as the model's own format)."""
    assert served_model("DeepSeek-R1", "fp8").kv_format.name == "bf16"
    assert served_model("DeepSeek-R1", "fp8", "fp8").kv_format.bytes < 1.1
    assert served_model("Qwen3-235B-A22B-NVFP4").kv_format.bytes < 1.1  # stated by the checkpoint
    said = {"engine": "vllm", "weights_dtype": "fp8"}
    assert case(measured(**said)).model.kv_format.name == "bf16"
    assert case(measured(**said, source="InferenceX (SemiAnalysis) dump")).model.kv_format.bytes < 1.1
    assert (
        case(measured(**said, source="InferenceX (SemiAnalysis) dump", kv_dtype="bf16")).model.kv_format.name == "bf16"
    )
    assert case(measured(source="InferenceX (SemiAnalysis) dump")).model.kv_format.name == "bf16"  # SGLang's recipes


# --- B: load models ---


def test_flat_passes_are_step_time(data):
    """design.md section 1: the fit's arrays go through the same lines; a sample of every kind of row is compared."""
    flat = data.batch.flat
    numbers = numbers_of([c.profile.on(c.chip, r.date) for r, c in zip(data.rows, data.cases, strict=True)])
    seconds = flat.seconds(numbers)
    for i in range(0, len(data.cases), 61):
        c = data.cases[i]
        real = Calibration(**{n: float(v[i]) for n, v in numbers.items()})
        for name, load in c.passes.items():
            assert seconds[flat.names[name][i]] == pytest.approx(float(step_time(c.step, load, c.chip, real).seconds))


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


def _closed(slots, output, step, extra, most):
    w = Workload("closed_loop", float(slots), 1000.0, float(output))
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
    found = predict_cases(cases, [""] * len(cases))
    for earlier, later in itertools.pairwise(found):
        assert later.tpot >= earlier.tpot * (1 - 1e-9)
        assert later.ttft >= earlier.ttft * (1 - 1e-9)
        assert later.output_rate >= earlier.output_rate * (1 - slack)


def test_data_parallel_groups_do_not_split_one_sequence():
    """One request on eight groups decodes on one of them, at its mean context: the same cache reads as on that group."""
    cells = {"attention_dp": "true", "ep": 8, "batch_or_concurrency": 1}
    (load,) = [case(measured(**cells)).passes["decode"]]
    assert [(g.sequences, g.context) for g in load.groups] == [(1, 1024 + 512)]
    two = case(measured(**cells | {"batch_or_concurrency": 2})).passes["decode"]
    assert [g.sequences for g in two.groups] == [1, 1]


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
    w = Workload("closed_loop", 1.0, 4000.0, 100.0)
    passes = {"decode": 0.01, "mixed": 0.05, "prefill": 0.05, "burst": 0.05}
    steady = closed_loop(w, passes, Calibration(chunk_tokens=1000.0))
    assert steady.ttft == pytest.approx(4 * 0.05 + 0.01 / 2)  # own chunks, half a step
    started = closed_loop(w, passes, Calibration(chunk_tokens=1000.0, run_rounds=10.0))
    assert started.ttft == pytest.approx(steady.ttft + 4 * 0.05 / 20)  # and half of the first of ten rounds
    (chunk,) = case(measured(isl=32_768)).passes["prefill"].groups
    assert (chunk.new, chunk.context, chunk.logits) == (8192, (32_768 - 8192) / 2, 0.25)


def test_queues_of_one_server():
    """Between the bounds of every closed queue: no wait alone, all others' service at saturation."""
    wait, busy = _queue(np.array([1.0, 100.0]), 0.1, np.array([1.0, 1e-6]))
    assert wait == pytest.approx([0.0, 9.9], rel=1e-3, abs=1e-12)
    assert busy == pytest.approx([0.1 / 1.1, 1.0], rel=1e-3)


def test_split_deployments_balance_their_pools():
    """Long prompts take most replicas, long answers leave one."""
    prompts = case(measured(disaggregated="true", chips=64, isl=60_000, osl=200, batch_or_concurrency=64))
    answers = case(measured(disaggregated="true", chips=64, isl=200, osl=8000, batch_or_concurrency=64))
    assert prompts.shares <= 3  # of eight
    assert answers.shares == 7
    assert prompts.workload.prefill_pool == pytest.approx((8 - prompts.shares) / prompts.shares)


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
    found = case(measured(disaggregated="true", chips=16))
    assert (found.workload.kind, found.shares, found.workload.batch) == ("disaggregated", 1, 16)
    assert found.transfer_bytes > 0


@pytest.mark.parametrize(("name", "chips"), [
    ("RTX 4090", 1), ("rtx4090", 1), ("GeForce RTX 3090", 1), ("RTX 6000 Ada", 1), ("H200-SXM", 1), ("8xMI355X", 8),
    ("H200x8", 8), ("h200x8", 8), ("4 x H100", 4), ("GB200-NVL72", 1), ("gb200-nvl72", 1), ("8x H200-SXM-141GB", 8),
])  # fmt: skip
def test_chips_that_a_name_states(name, chips):
    assert stated_chips(name) == chips


@pytest.mark.parametrize("cells", [
    {"system": "4xH200", "chips": ""}, {"system": "0xH200"}, {"system": "8x8xH200"}, {"system": "H200x8x2"}, {"pp": 62},
    {"date": "27/03/2026"}, {"date": "2026-13-40"}, {"model": "unsloth/DeepSeek-R1-GGUF", "weights_dtype": ""},
])  # fmt: skip
def test_contradictions_are_refused(cells):
    with pytest.raises(InputError):
        assert case(measured(**{"chips": 999 if "pp" in cells else 8, **cells})).step


@pytest.mark.parametrize(
    "image", ["lmsysorg/sglang:v0.5.9-cu130", "nvcr.io/nvidia/tensorrt-llm/release:1.2.0rc2", "rocm/vllm:7.0"]
)
def test_images_name_their_engine(image):
    assert engine(image).profile in ("sglang", "trtllm", "vllm")


def test_attention_dp_in_either_convention():
    """SGLang's tp counts all groups together, vLLM's each; chips tell which."""
    theirs, ours = case(measured(tp=8, attention_dp=4, chips=8)), case(measured(tp=2, attention_dp=4, chips=8))
    assert (str(theirs.layout), str(ours.layout)) == ("tp2dp4", "tp2dp4")


def test_experts_that_do_not_divide_get_second_copies():
    rack = case(measured(system="GB200-NVL72", tp=72, chips=72, attention_dp="true", ep=72, batch_or_concurrency=2048))
    assert str(rack.layout) == "dp72ep72r32"
    fewer = case(measured(system="GB200-NVL72", tp=64, chips=64, attention_dp="true", ep=64, batch_or_concurrency=2048))
    a, b = predict_cases([rack, fewer], ["", ""])
    assert a.tpot == pytest.approx(b.tpot, rel=0.15)


def test_a_split_of_one_replica_is_told(data):
    (found,) = predict_cases([case(measured(disaggregated="true"))], [""])
    assert "disaggregated" in found.outside


def test_a_sequence_is_never_split_over_copies():
    one = predict_cases([case(measured(chips=c, batch_or_concurrency=1)) for c in (8, 16, 72)], [""] * 3)
    assert one[0].tpot == one[1].tpot == one[2].tpot
    assert one[0].tpot_floor == one[1].tpot_floor == one[2].tpot_floor
    many = predict_cases([case(measured(chips=c, batch_or_concurrency=64)) for c in (8, 16)], [""] * 2)
    assert many[1].output_rate > many[0].output_rate


def test_pipeline_stages_work_on_micro_batches():
    plain, staged = (case(measured(chips=c, pp=p, batch_or_concurrency=64)) for c, p in ((8, 1), (16, 2)))
    assert staged.workload.batch == 32
    assert staged.workload.slots > plain.workload.slots / 2  # each chip holds half of the weights
    assert measured(chips="", pp=2).chips == 16


def test_prompts_alone_wait_for_each_other():
    found = predict_cases([case(measured(osl=0, batch_or_concurrency=b)) for b in (1, 64, 1024)], [""] * 3)
    assert found[0].ttft < 4 * found[0].ttft < found[1].ttft < 8 * found[1].ttft < found[2].ttft
    assert all(np.isnan(p.tpot) and p.output_rate == 0 for p in found)


def test_split_pools_saturate_like_queues():
    rows = [
        measured(disaggregated="true", chips=16, isl=100_000, osl=1000, batch_or_concurrency=b)
        for b in (1, 2, 4, 16, 64)
    ]
    found = predict_cases([case(r) for r in rows], [""] * len(rows))
    for earlier, later in itertools.pairwise(found):
        assert later.ttft > earlier.ttft
        assert later.output_rate > 0.999 * earlier.output_rate


def test_layouts_of_the_evidence():
    dp = case(measured(attention_dp="true", ep=8))
    assert str(dp.layout) == "dp8ep8"
    assert dp.workload.groups == 8
    assert case(measured(chips=16)).shares == 2
    with pytest.raises(PhysicsError, match="does not fit"):
        case(measured(tp=1, chips=1))
    # TensorRT-LLM admits what will fit to its last token, SGLang what fits now
    held = [case(measured(engine=e, kv_dtype="bf16", osl=8192)).workload.slots for e in ("trtllm", "sglang")]
    assert held[0] < held[1]


def test_passes_carry_at_most_the_budget():
    w = Workload("closed_loop", 8.0, 100_000.0, 100.0)
    assert float(loads(w, 8192.0)["mixed"].tokens) == pytest.approx(8 + 8192)
    assert float(loads(dataclasses.replace(w, prompt=1000.0), 8192.0)["burst"].tokens) == pytest.approx(8000)


# --- C: one record, few numbers ---


def test_every_number_of_the_record_changes_some_prediction(data):
    """Nothing in the record is decoration. Those about overlap and imbalance need a layout that has them."""
    batch = data.batch
    base = {n: np.full(len(batch.cases), p.value) for n, p in priors().items()}
    before = estimate(batch, base).served
    beyond = {"memory_reserve", "chunk_tokens"}  # these shape cases and passes, before any is timed
    for name in base.keys() - beyond:
        f = next(f for f in NUMBERS if f.name == name)
        moved = {
            **base,
            name: base[name] * 0.8
            if f.metadata["high"] == 1.0 and base[name][0] > 0
            else base[name] * 1.25 + 0.05 * (base[name] == 0),
        }
        after = estimate(batch, moved).served
        assert not (np.array_equal(before.tpot, after.tpot) and np.array_equal(before.ttft, after.ttft)), name
    tight = dataclasses.replace(Calibration(), memory_reserve=0.5)
    r = measured(batch_or_concurrency=512)
    assert case(r, tight).workload.slots < case(r, Calibration()).workload.slots
    small = dataclasses.replace(prior_policy(), chunk_tokens=512.0)
    assert case(r, small).passes["mixed"].tokens < case(r).passes["mixed"].tokens


# Numbers in the code that predicts: counts, halves and tolerances. Everything else must be a field of the record.
# Every number in the modules that predict, how often, and why it is no departure from ideal. 0 and 1 are left out.
_NUMBERS_IN_CODE = {
    "roofline/kernels.py": {},
    "roofline/join.py": {1e-300: 1, 1e-3: 3},  # the knee below which a corner is sharp: numerical
    "roofline/collectives.py": {2: 9, 12: 1},  # reduce-scatter and all-gather; ranks of a hand-over; ties
    "roofline/compiled.py": {
        12: 1,
        4096: 1,
        8192: 1,
        2: 4,
        3: 1,
        1e-3: 1,
    },  # sizes of blocks and caches; two halves; the knee
    "roofline/time.py": {2: 3},  # second copies; 16-bit or wider weights
    "roofline/load.py": {2: 1},  # half of a batch
    "roofline/profiles.py": {
        2: 2,
        3: 1,
        5: 1,
        7: 1,
        10: 1,
        12: 2,
        15: 1,
        30.4: 1,
        31: 1,
        64: 1,
        2026: 1,
    },  # dates, limits, caches
    "batching/speculative.py": {400: 1},  # batches looked at
    # halves (a step, a round, an answer), Schweitzer's solution, thirds of a triangle, 90 % of a normal, tolerances
    "serving/loops/workload.py": {0.5: 7, 2: 9, 3: 2, 4: 1, 0.1: 1, 1.2816: 1, 1e-9: 4, 1e-12: 2},
    "serving/loops/closed.py": {8: 1, 2: 2, 1e-9: 2, 1e-12: 1},  # iterations
    "serving/loops/static.py": {2: 1},
    "serving/loops/split.py": {2: 2, 1e-9: 1},
    "serving/handover.py": {},
    "serving/answer.py": {2: 1, 1e6: 1},  # dollars per million
    "serving/capacity.py": {
        2: 3,
        4.0: 1,
        11: 1,
        5e7: 1,
        1e6: 1,
        1e9: 6,
        1e-9: 3,
    },  # 32-bit logits; what a refusal prints
    "serving/case.py": {2: 2},  # half an answer
    "serving/setting.py": {2: 5, 0.5: 2, 1024: 1, 2048: 1, 4096: 1},  # mean contexts; caches
    "serving/engines.py": {512: 1},  # a cache
    "serving/names.py": {2.0: 1, 512: 1, 1024: 1},  # widths of formats; caches
    "evidence/cases.py": {},
    "evidence/measurements.py": {
        2: 1,
        8: 1,
        16: 1,
        200: 1,
        1e3: 1,
        1e12: 1,
    },  # limits of cells; gpt-fast's 200 tokens; ms
    "fitting/estimate.py": {},
    "fitting/flat.py": {2: 1},
    "predictions/rows.py": {1e3: 1},  # ms
    "parallel/memory.py": {2: 1},
    "parallel/steps.py": {2: 2},  # states read and written
    "models/experts.py": {0.25: 1, 0.375: 1, 2: 1, 64: 1, 1024: 1},  # caches; Blom's order statistics
    "hardware/chips.py": {8: 1, 3600: 1, 1e6: 1, 1e9: 5, 1e12: 4},  # units
    "hardware/named.py": {8: 1, 3600: 1, 1e9: 2},
}


@pytest.mark.parametrize("file", _NUMBERS_IN_CODE)
def test_no_constant_outside_the_record_changes_a_prediction(file):
    tree = ast.parse((ROOT / "src" / "headway" / file).read_text())
    values = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, int | float)]
    found = Counter(v for v in values if not isinstance(v, bool) and v not in (0, 1))
    assert found == _NUMBERS_IN_CODE[file], "a new number: put it into the calibration record or the catalogue"


def test_an_ideal_record_leaves_nothing_but_amounts_over_rates():
    """The converse: with every departure at ideal, a prediction is what a hand calculation gives."""
    c = case(measured(model="llama-3.1-70b", weights_dtype="fp8", kv_dtype="bf16", engine="vllm", tp=8, load="static_batch",
                      batch_or_concurrency=4, isl=1000, osl=2))  # fmt: skip
    batch = Batch.of([c])
    found = estimate(batch, IDEAL.numbers()).served
    weights, kv = 69.5e9 / 8, 4 * 1001 * 2 * 80 * 8 * 128 * 2 / 8
    head = 8192 * 128_256 * 2 / 8  # 16-bit, and the embedding is only looked up
    assert float(found.tpot[0]) == pytest.approx((weights - 2 * 8192 * 128_256 / 8 + head + kv) / 4.8e12, rel=0.02)
    flops = 4 * (1000 * 2 * 68.45e9 + 80 * 64 * 128 * 4 * 1000 * 1001 / 2 / 2 * 2) / 8
    attention = 4 * 80 * 64 * 128 * 4 * 1000 * 1001 / 2 / 8 / 989e12
    assert float(found.ttft[0]) == pytest.approx(4 * 1000 * 2 * 68.45e9 / 8 / 1979e12 + attention, rel=0.05)
    assert flops > 0


def test_profiles_are_complete_and_named_for_people():
    assert {"ideal", "modern", "sglang", "trtllm", "vllm", "llama.cpp", "transformers"} <= set(profile_names())
    names = {f.name for f in NUMBERS}
    for name in profile_names():
        if name == "ideal":
            assert profile(name).on() == Calibration()
            continue
        found = profile(name)
        assert set(found.numbers) == names
        assert {"closed_loop", "static_batch"} <= set(found.spreads)
        assert found.widen["chip"] <= found.widen["vendor"]
        assert found.about["date"]
        for chip in ("h200", "mi355x", "gaudi3", "rtx 4090"):
            assert isinstance(found.on(machine(chip).chip), Calibration)


def test_a_chip_without_evidence_takes_its_generation_then_its_vendor():
    found = profile("modern")
    chip = {n: machine(n).chip for n in ("h200", "h20", "b300", "mi355x", "gaudi3")}
    assert found.uncovered(chip["h200"]) == ()
    assert found.uncovered(chip["h20"]) == ("chip",)
    assert found.uncovered(chip["mi355x"]) == ("generation",)
    assert found.uncovered(chip["gaudi3"]) == ("vendor",)
    hopper = found.machines["Hopper"]["memory_efficiency"] * found.machines["NVIDIA"]["memory_efficiency"]
    assert found.on(chip["h20"]).memory_efficiency == pytest.approx(found.numbers["memory_efficiency"] * hopper)
    amd = found.machines["AMD"]["kernel_seconds"]
    pooled = found.on(chip["gaudi3"]).kernel_seconds
    assert found.on(chip["mi355x"]).kernel_seconds == pytest.approx(pooled * amd)


def test_releases_stay_inside_the_evidences_dates():
    found = profile("sglang")
    new, old, older, now = (found.on(None, d).kernel_seconds for d in ("2030-01", "2025-12", "2019", ""))
    assert now == new < old <= older


@pytest.mark.parametrize(("text", "says"), [
    ("numbers = 3", r"\[numbers\]"), ("[numbers]\nmemory_efficiency = 1.4", "at most 1"), ("[numbers]\nspeed = 1", "speed"),
    ("[numbers]\nkernel_seconds = 'fast'", "number"), ("not toml at all [", "TOML"), ("base = 'modem'", "modern"),
    ("[spreads.closed_loop]\ntpot = 3", "low, high"), ("[machines.X]\nspeed = 2", "speed"),
])  # fmt: skip
def test_malformed_profiles_are_refused_in_one_line(tmp_path, text, says):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=says):
        read_profile(file)


def test_priors_are_what_kernels_measure():
    """Every prior that cites the kernel evidence's fits is their value, to a few per cent; GEMMs fit within 10 %."""
    found = {f.family: f for f in kernel_fits()}
    dense, low = found["GEMM bfloat16"], found["GEMM fp8"]
    assert dense.error < 0.1
    assert low.error < 0.11
    value = {n: p.value for n, p in priors().items()}
    for family, names in {
        "GEMM bfloat16": ("memory_efficiency", "compute_efficiency", "knee", "kernel_seconds"), "GEMM fp8": ("fp8_efficiency",),
        "GEMM nvfp4": ("fp4_efficiency",), "GEMM sq": ("int8_efficiency",), "decode attention over 20 MB": ("attention_memory_efficiency",),
        "prefill attention": ("attention_compute_efficiency",), "balanced MoE": ("expert_memory_efficiency", "expert_compute_efficiency"),
        "NVLink all-reduce": ("network_efficiency", "message_seconds", "message_bytes"),
    }.items():  # fmt: skip
        for name in names:
            assert value[name] == pytest.approx(found[family].numbers[name], rel=0.03), name
    for name, (seconds, rows) in kernel_differences(list(found.values())).items():
        assert rows >= 15
        assert value[name] == pytest.approx(seconds, rel=0.03), name


def test_collectives_of_the_kernel_evidence():
    """8 H200, custom all-reduce: 3.5 us at 4 kB, 17.8 at 512 kB, 30.5 at 2 MB, 563 at 128 MB (AIConfigurator database)."""
    c = calibration("modern", machine("h200").chip)
    for size, micro in ((4e3, 3.5), (5.2e5, 17.8), (2.1e6, 30.5), (1.34e8, 563)):
        law = wire("all-reduce", Transfer(size, 1.0, 8.0, 450e9), c)
        assert (law.seconds() + law.latency) * 1e6 == pytest.approx(micro, rel=0.45)


# --- fits ---


def synthetic(changes, batches=(1, 4, 16, 64, 128), osl=512):
    """Rows whose measurements are the sglang profile's own predictions with some numbers changed."""
    cells = [
        row(batch_or_concurrency=b, isl=isl, osl=osl, model=m, tp=tp, chips=tp, weights_dtype="fp8", date="2026-05-20")
        for b in batches for isl in (512, 4096) for m, tp in (("llama-3.1-70b", 1), ("llama-3.1-70b", 8), ("llama-3.1-8b", 1))
    ]  # fmt: skip
    rows = [evidence.measurement(f"line {i}", c) for i, c in enumerate(cells)]
    data, _ = usable(rows)
    used = [c.profile.on(c.chip, r.date) for r, c in zip(data.rows, data.cases, strict=True)]
    real = [dataclasses.replace(u, **{n: getattr(u, n) * f for n, f in changes.items()}) for u in used]
    s = estimate(data.batch, numbers_of(real)).served
    for i, r in enumerate(rows):
        object.__setattr__(r, "measured", {"tpot_mean": float(s.tpot[i]), "ttft_mean": float(s.ttft[i])})
    return rows


@pytest.mark.parametrize(
    ("name", "factor"), [("kernel_seconds", 1.6), ("memory_efficiency", 0.8), ("request_seconds", 2.0)]
)
def test_a_fit_recovers_what_made_its_data(name, factor):
    found = own.own_profile("mine", synthetic({name: factor}), "sglang")
    change = {n: np.log(after / before) for n, (before, after) in found.determined.items()}
    # Several numbers can explain part of a change; this one must explain most of it, and the predictions all of it.
    assert np.sign(change[name]) == np.sign(np.log(factor))
    assert abs(change[name]) >= 0.6 * abs(np.log(factor))
    assert found.after.median < 0.02
    assert found.profile["spreads"]["closed_loop"]["tpot"]["rows"] == 30


def test_a_fit_says_what_it_could_not_determine_and_keeps_it():
    """One batch size of one dense model says nothing of experts, drafts or exchanges, and little of the rest."""
    rows = [r for r in synthetic({"kernel_seconds": 1.5}, batches=(16,)) if r.model == "llama-3.1-8b"]
    found = own.own_profile("few", rows, "sglang")
    kept = {
        "expert_memory_efficiency",
        "expert_dequantise_seconds",
        "exchange_seconds",
        "draft_acceptance",
        "fp4_efficiency",
    }
    assert kept <= set(found.undetermined)
    base = profile("sglang").numbers
    assert all(n not in found.profile["numbers"] or found.profile["numbers"][n] == base[n] for n in found.undetermined)
    for what, s in found.profile["spreads"]["closed_loop"].items():  # two rows can only widen an interval
        wider = profile("sglang").spread("closed_loop", what)
        assert s["low"] <= wider.low + 1e-4
        assert s["high"] >= wider.high - 1e-4
    assert found.profile["in_sample"]


@pytest.mark.parametrize(
    ("name", "says"), [("sglang", "ships"), ("a/b", "letters"), ("", "letters"), ("modern", "ships")]
)
def test_names_of_own_profiles(name, says):
    with pytest.raises(InputError, match=says):
        own.own_profile(name, [measured(tpot_ms_mean=12)])


def test_a_fit_without_measurements_is_refused():
    with pytest.raises(InputError, match=r"no row can be used.*no readable measurement"):
        own.own_profile("mine", [measured()])


def test_repeats_share_a_vote(data):
    weights = data.weights()
    assert weights.max() == 1
    assert weights.min() < 0.5
    found = fit(usable([measured(tpot_ms_mean=12, batch_or_concurrency=b) for b in (4, 16)] * 3)[0])
    assert np.isfinite(found.values).all()


def test_a_fold_knows_nothing_of_what_it_predicts(data):
    """Held rows' measurements times three: the fit without them, and so every prediction, stays the same."""
    chosen = [i for i, name in enumerate(data.pairs) if name.endswith(("H100 SXM", "MI300X"))][::3]
    rows = [data.rows[i] for i in chosen]
    wrong = [
        dataclasses.replace(r, measured={k: 3 * v for k, v in r.measured.items()}) if r.system == "MI300X" else r
        for r in rows
    ]
    predicted = []
    for some in (rows, wrong):
        found, _ = usable(some)
        out = out_of_fold(found, found.pairs)
        predicted.append(
            found.truth.values * np.exp(np.where(np.isin(found.truth.names, ("output", "input")), -1, 1) * out.own)
        )
    held = np.array([r.system == "MI300X" for r in rows])
    assert held.sum() > 20
    np.testing.assert_allclose(predicted[0][held], predicted[1][held], rtol=1e-9)
    assert not np.allclose(predicted[0][~held], predicted[1][~held], rtol=1e-3)  # the others learn from them


def test_models_of_one_shape_are_one_fold(data):
    """Llama-3-70B and Llama-3.1-70B differ in name only: neither may teach the other's fold."""
    pairs = {(r.model, c.chip.name): p for r, c, p in zip(data.rows, data.cases, data.pairs, strict=True)}
    named = {m: p for (m, chip), p in pairs.items() if chip == "H100 SXM"}
    assert named["meta-llama/Llama-3.1-70B"] == "Llama-3-70B on H100 SXM"
    assert len(set(data.pairs)) < len(pairs)


# --- D: intervals, floors ---


def test_spreads_cover_four_in_five():
    rng = np.random.default_rng(0)
    fold = np.repeat([f"f{i}" for i in range(40)], 50)
    log = rng.normal(0, 0.2, fold.size) + np.repeat(rng.normal(0, 0.1, 40), 50)
    s = spread_of(log, fold)
    assert s.low == pytest.approx(-1.2816 * 0.05**0.5, rel=0.1)
    assert np.nanmean(covered(log, fold, {"all": np.ones(fold.size, dtype=bool)})) == pytest.approx(0.8, abs=0.02)
    assert spread_of(log[:5], fold[:5]) is None
    wide = s.widened(1.5)
    assert wide.low < s.low < 0 < s.high < wide.high


@pytest.mark.parametrize("name", [n for n in profile_names() if n != "ideal"])
def test_no_prediction_is_below_its_floor(data, name):
    """design.md rule 1, for every row of the evidence under every profile: TPOT, TTFT, end to end and rate."""
    least = floors(data.batch)
    numbers = numbers_of([profile(name).on(c.chip, r.date) for r, c in zip(data.rows, data.cases, strict=True)])
    found = estimate(data.batch, numbers)
    for values, floor in (
        (found.served.tpot, least.tpot),
        (found.served.ttft, least.ttft),
        (found.served.request, least.request),
    ):
        assert (floor[np.isfinite(floor)] > 0).mean() > 0.6
        assert (values >= floor * (1 - 1e-9)).all()
    batch, output = (np.array([getattr(r, f) for r in data.rows]) for f in ("batch", "output"))
    assert (found.output_rate <= np.maximum(batch, 1) * output / least.request * (1 + 1e-9)).all()


def test_statistics():
    found = accuracy(np.log([1.1, 0.9, 1.5, 1.0]), np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 0.0, 1.0]))
    assert (found.n, found.within, found.coverage) == (4, 0.75, 0.75)
    assert found.median == pytest.approx(0.1)
    assert found.mean == pytest.approx(0.175)
    assert found.rank == pytest.approx(0.8)
    assert accuracy(np.array([np.nan])) is None


def test_ratios_are_of_each_rows_own_measure():
    rows = [measured(tpot_ms_mean=10, ttft_ms_mean=100), measured(load="static_batch", output_tok_s=500),
            measured(ttft_ms_median=80), measured(load="static_batch", e2e_ms_mean=9000)]  # fmt: skip
    data, _ = usable(rows)
    found = estimate(data.batch, numbers_of([c.profile.on(c.chip) for c in data.cases]))
    log, first = ratios(truth(rows), found)
    assert log[0] == pytest.approx(np.log(found.served.tpot[0] / 0.01))
    assert log[1] == pytest.approx(np.log(500 / found.output_rate[1]))  # positive: predicted too slow
    assert np.isnan(log[2])
    assert first[2] == pytest.approx(np.log(found.served.ttft_median[2] / 0.08))
    assert log[3] == pytest.approx(np.log(found.served.request[3] / 9))


def test_anchors_stand_beside_what_was_published():
    found = {a.name: a for a in anchors.anchors()}
    rack = found["DeepSeek-V3 on GB200 NVL72, decode"]
    assert rack.theirs == 7583
    assert 0.7 < rack.ours / rack.theirs < 1.4
    for a in found.values():
        assert a.interval[0] <= a.ours <= a.interval[1]
        better = min if a.unit == "ms" else max
        assert better(a.ours, a.floor) == a.floor  # no estimate beats its ideal machine


def test_loads_of_the_kinds_of_kernel():
    assert float(Load.decode(8, 100).carries_prompt) == 0
    assert float(Load.decode(8, 100, new=4).carries_prompt) == 0
    assert float((Load.decode(8, 100) + Load.prefill(1, 100)).carries_prompt) == 1


def test_a_batch_of_cases_is_the_cases_one_by_one():
    rows = [
        measured(),
        measured(load="static_batch"),
        measured(engine="vllm", model="gpt-oss-120b", weights_dtype="fp4"),
    ]
    cases = [case(r) for r in rows]
    together = predict_cases(cases, ["", "", ""])
    for c, p in zip(cases, together, strict=True):
        alone = predict_cases([c], [""])[0]
        assert (alone.bound, alone.outside) == (p.bound, p.outside)
        for name in (
            "ttft",
            "tpot",
            "output_rate",
            "tpot_interval",
            "ttft_interval",
            "tpot_floor",
        ):  # sums in another order
            assert getattr(alone, name) == pytest.approx(getattr(p, name), rel=1e-12)
    assert Batch.of(cases).replicas.tolist() == [1, 1, 1]
