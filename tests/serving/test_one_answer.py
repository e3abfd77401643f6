"""One question has one answer: 500 random questions put to plan, search, predict (as a table and as a call) and the library."""

from __future__ import annotations

import dataclasses
import functools
import math
import random
from collections import Counter

import pytest

import headway as hw
from catalogued import load, model_ids
from headway.errors import HeadwayError, InputError, PhysicsError
from headway.hardware import system
from headway.models import model
from headway.plan import make_plan
from headway.predictions import predicted_rows
from headway.questions import Query, Request
from headway.search import layouts, search_layouts
from headway.serving import LOOPS, Workload, beat, setting

MACHINES = (
    "h100x8",
    "h200x8",
    "b200x8",
    "h200x16",
    "gb200-nvl72",
    "mi300x-x8",
    "mi355x-x8",
    "a100-80gb-x8",
    "tpu-v5e-8",
    "l40sx8",
)
ENGINES = ("modern", "vllm", "sglang", "trtllm", "ideal", "transformers")
QUESTIONS = 500


@functools.cache
def options(name, on):
    box = system(on)
    found = list(layouts(load(name), box.chips, box.domain))
    return [x for x in found if x.cp == 1 and not x.redundant and not x.shared_copies]  # what a table can say


def question(seed):
    """A random question, as a mapping; the layout among those that divide."""
    rng = random.Random(seed)
    name, on = rng.choice(model_ids()), rng.choice(MACHINES)
    places = options(name, on)
    layout = rng.choice(places)
    return {
        "model": name, "system": on, "layout": layout, "engine": rng.choice(ENGINES),
        "precision": rng.choice([None, None, "fp8", "bf16", "fp4", "int8"]),
        "kv_precision": rng.choice([None, None, "fp8", "bf16"]), "prompt": float(rng.choice([128, 1000, 2048, 8192, 30_000])),
        "output": float(rng.choice([2, 128, 256, 1024])), "batch": float(rng.choice([1, 3, 16, 64, 200])),
    }  # fmt: skip


def ask(q, verb):
    """(TPOT, TTFT, output tokens/s of the system, memory's largest batch or None) as a verb says them, or why it refuses."""
    same = {k: q[k] for k in ("model", "engine", "precision", "kv_precision", "prompt", "output")}
    try:
        return VERBS[verb](q, same)
    except HeadwayError as error:
        return type(error)


def _plan(q, same):
    p = make_plan(Request(system=q["system"], layout=str(q["layout"]), batch=q["batch"], **same))
    return p.loaded.tpot, p.loaded.ttft, p.loaded.output_rate, p.max_batch


def _search(q, same):
    found = search_layouts(
        Query(systems=(q["system"],), layout=str(q["layout"]), batch=q["batch"], split=False, **same)
    ).best
    return found.tpot[1], found.ttft[1], found.rate, found.account.holds


def _predict(q, same):
    a = hw.predict(Request(system=q["system"], layout=str(q["layout"]), batch=q["batch"], **same))
    return a.tpot, a.ttft, a.output_rate, a.case.account.holds


def _table(q, same):
    x, box = q["layout"], system(q["system"])
    copies = setting(Request(system=q["system"], **same)).replicas(x.chips)
    row = {
        "system": q["system"], "chips": box.chips, "model": q["model"], "weights_dtype": q["precision"], "kv_dtype": q["kv_precision"],
        "engine": q["engine"], "tp": x.tp, "ep": x.ep, "pp": x.pp, "attention_dp": x.dp, "load": "closed_loop",
        "batch_or_concurrency": q["batch"] * copies, "isl": q["prompt"], "osl": q["output"],
    }  # fmt: skip
    (found,) = predicted_rows([("row 1", {k: "" if v is None else str(v) for k, v in row.items()})])
    if found["refused"]:
        raise InputError(found["refused"])
    tpot, ttft = (float(found[k]) / 1e3 for k in ("predicted_tpot_ms", "predicted_ttft_ms"))
    return tpot, ttft, float(found["predicted_output_tok_s"]), None


def _library(q, same):
    """By hand, from the rooms below: setting, passes, the loop."""
    s = setting(Request(system=q["system"], **same))
    account = s.account(q["layout"])
    if account.holds < q["batch"]:
        raise PhysicsError("does not fit")
    step = hw.build_step(s.model, q["layout"], s.system.adds_in_network)
    stages = min(q["layout"].pp, q["batch"], account.holds)
    share = q["batch"] / stages
    w = Workload("closed_loop", share, q["prompt"], q["output"], slots=math.inf, groups=q["layout"].dp,
        spread=s.length_spread, apart=float(s.engine.apart), gather=s.engine.gather,
    )  # fmt: skip
    slowest = beat(s, q["layout"], stages)
    seconds = {
        name: float(hw.step_time(step, passed, s.system.chip, s.numbers).seconds)
        * (1.0 if name == "prefill" else slowest)
        for name, passed in LOOPS["closed_loop"].passes(w, s.chunk).items()
    }
    found = LOOPS["closed_loop"].served(w, seconds, s.numbers, 0.0)
    rate = float(found.output_rate) * stages * s.replicas(q["layout"].chips)
    return float(found.tpot), float(found.ttft), rate, account.holds


VERBS = {"plan": _plan, "search": _search, "predict": _predict, "table": _table, "library": _library}
_PRINTED = 2e-5  # a table's cells have six digits


def waits(q, same):
    """The same with the batch as requests in flight: those beyond what memory holds wait."""
    copies = setting(Request(system=q["system"], **same)).replicas(q["layout"].chips)
    request = Request(system=q["system"], layout=str(q["layout"]), concurrency=q["batch"] * copies, **same)
    plan, said = make_plan(request).loaded, hw.predict(request)
    return (plan.tpot, plan.ttft, plan.output_rate), (said.tpot, said.ttft, said.output_rate), _table(q, same)[:3]


@pytest.mark.parametrize("part", range(10))
def test_one_question_has_one_answer(part):
    seen = Counter()
    for seed in range(part * QUESTIONS // 10, (part + 1) * QUESTIONS // 10):
        q = question(seed)
        said = {verb: ask(q, verb) for verb in VERBS}
        about = (seed, {**q, "layout": str(q["layout"])}, said)
        answered = {verb: a for verb, a in said.items() if isinstance(a, tuple)}
        if set(answered) == set(VERBS):
            seen["answered"] += 1
            for i in range(3):
                values = [a[i] for a in answered.values()]
                assert max(values) <= min(values) * (1 + _PRINTED), about
                assert said["plan"][i] == pytest.approx(said["search"][i], rel=1e-9), about
            assert len({a[3] for a in answered.values() if a[3] is not None}) == 1, about  # what memory holds
        elif set(answered) == {"table"}:  # a table's load is requests in flight
            seen["waiting"] += 1
            assert {said[v] for v in VERBS if v != "table"} == {PhysicsError}, about
            same = {k: q[k] for k in ("model", "engine", "precision", "kv_precision", "prompt", "output")}
            for values in zip(*waits(q, same), strict=True):
                assert max(values) <= min(values) * (1 + _PRINTED), about
        else:
            seen["refused"] += 1
            assert not answered, about
    assert seen["answered"] >= QUESTIONS // 20


def test_the_three_numbers_became_one(capsys):
    """Llama-70B, tp8, vllm, 64 in flight, 2,048 in, 256 out: TPOT and TTFT of plan, search and predict as printed."""
    q = {
        "model": "llama-3.1-70b", "system": "h200x8", "layout": "tp8", "engine": "vllm", "precision": None, "kv_precision": None,
        "prompt": 2048.0, "output": 256.0, "batch": 64.0,
    }  # fmt: skip
    q["layout"] = next(x for x in options(q["model"], q["system"]) if str(x) == "tp8")
    said = [ask(q, verb) for verb in VERBS]
    for i in range(3):
        assert [a[i] for a in said] == pytest.approx([said[0][i]] * len(said), rel=_PRINTED)


def test_one_number_of_sequences_fits():
    """DeepSeek-V3 dp8ep8, 8,192 in, 1,024 out on 8 H200: every verb holds the same, growing or whole as the engine admits."""
    request = Request(model="deepseek-v3", system="h200x8", layout="dp8ep8", prompt=8192.0, output=1024.0)
    query = Query("deepseek-v3", ("h200x8",), layout="dp8ep8", prompt=8192.0, output=1024.0, split=False)
    held = {
        make_plan(request).max_batch,
        search_layouts(query).best.account.holds,
        hw.predict(dataclasses.replace(request, batch=8.0)).case.account.holds,
        hw.memory_account(
            hw.model("deepseek-v3"), hw.Layout(dp=8, ep=8), hw.system("h200x8"), 8192.0, 1024.0, policy="growing",
            chunk_tokens=setting(request).chunk, habits=setting(request).engine.memory,
        ).holds,
    }  # fmt: skip
    assert len(held) == 1
    whole = make_plan(dataclasses.replace(request, engine="trtllm"))
    assert whole.account.policy == "whole"
    grown = dataclasses.replace(whole.setting, engine=dataclasses.replace(whole.setting.engine, admission="growing"))
    assert whole.max_batch < grown.account(whole.layout).holds


@pytest.mark.parametrize("name", ["llama-3.1-70b", "mosaicml/mpt-30b", "mistralai/Mistral-7B-v0.1"])
def test_fp8_of_a_dense_model_is_per_tensor(name):
    """No released block FP8, so no pass to quantise activations: faster than 16 bit in every verb."""
    wide, narrow = (
        make_plan(Request(model=name, system="h200x8", layout="tp8", batch=16.0, precision=p)) for p in ("bf16", "fp8")
    )
    assert narrow.model.precision.weights.name == "fp8-tensor"
    assert narrow.point.seconds < wide.point.seconds
    assert narrow.loaded.tpot < wide.loaded.tpot
    assert model(name).precision.weights.name != "fp8-tensor"


@pytest.mark.parametrize("engine", ["modern", "vllm", "ideal"])
@pytest.mark.parametrize(
    ("name", "on"), [("deepseek-v3", "gb200-nvl72"), ("gpt-oss-120b", "h200x16"), ("llama-3.1-70b", "h100x8")]
)
def test_racks_and_speculate_are_the_plan(name, on, engine):
    """The step of a pipeline's stage and of a step without drafts is plan's decode step; what memory holds is plan's too."""
    asked = Request(model=name, system=on, context=8e3, batch=8, engine=engine)
    report = hw.racks(name, on, [1], context=8e3, engine=engine)
    chips = system(on).domain
    layout = f"dp{report.placement.used}ep{report.placement.used}" if report.placement else f"tp{min(chips, 8)}"
    plan = make_plan(
        Request(model=name, system=on, context=8e3, batch=report.micro_batch, layout=layout, engine=engine)
    )
    (only,) = report.depths
    assert only.step == pytest.approx(plan.to_dict()["decode"]["step_s"], rel=1e-9)
    assert only.weights == plan.to_dict()["memory"]["weight_bytes_per_chip"]
    assert only.shortfall == 0
    drafted = hw.speculate(asked).to_dict()
    for row in drafted["batches"]:
        same = dataclasses.replace(asked, batch=row["batch"], layout=drafted["layout"])
        assert row["plain_s"] == pytest.approx(make_plan(same).to_dict()["decode"]["step_s"], rel=1e-9)


def test_an_answer_of_one_token_is_refused_by_every_verb_that_plans_a_service():
    """Its only token comes with the prompt: no step decodes anything. A prediction times the prompt and leaves TPOT out."""
    for verb in (make_plan, hw.speculate):
        for lengths in ({"prompt": "1k", "output": 1}, {"context": 0}):
            with pytest.raises(InputError, match="nothing is left to decode"):
                verb(Request("llama-3.1-8b", "h100", **lengths))
    with pytest.raises(InputError, match="nothing is left to decode"):
        Query("llama-3.1-8b", "h100", output=1)
    found = hw.predict(Request("llama-3.1-8b", "h100", prompt="1k", output=1, tp=1, batch=4))
    assert math.isnan(found.tpot)
    assert "TPOT —" in found.brief()
    assert found.ttft > 0
