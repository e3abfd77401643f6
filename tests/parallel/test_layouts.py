"""Layouts as people write them, and what each dimension does to memory, work and traffic."""

from __future__ import annotations

import numpy as np
import pytest

from catalogued import load
from headway.errors import InputError
from headway.hardware import chip
from headway.models import group_reached
from headway.parallel import (
    Layout,
    build_step,
    candidates,
    check,
    kv_per_chip,
    read_deployment,
    read_layout,
    weights_per_chip,
)
from headway.roofline import Load, compiled, profile, send_amounts, step_time

DEEPSEEK, LLAMA = "deepseek-ai/DeepSeek-V3", "meta-llama/Llama-3.1-70B"


@pytest.mark.parametrize(("text", "layout", "chips"), [
    ("tp8", "tp8", 8), ("TP8", "tp8", 8), ("tp4pp2", "tp4pp2", 8), ("dp8ep64", "tp8dp8ep64", 64), ("ep8", "tp8ep8", 8),
    ("tp2ep8", "tp2dp4ep8", 8), ("dp32ep32", "dp32ep32", 32), ("tp=8, pp=2", "tp8pp2", 16), ("tp4 cp2", "tp4cp2", 8),
    ("dp144ep144r32", "dp144ep144r32", 144), ("tp8+shared", "tp8+shared", 8), ("tp1", "tp1", 1),
    ("tp1+cpu12", "tp1+cpu12", 1), ("TP2 + cpumoe40", "tp2+cpumoe40", 2), ("tp1+cpumoe9+cpu3", "tp1+cpu3+cpumoe9", 1),
])  # fmt: skip
def test_layouts_as_people_write_them(text, layout, chips):
    found = read_layout(text)
    assert (str(found), found.chips) == (layout, chips)
    assert read_layout(str(found)) == found


@pytest.mark.parametrize(("text", "written", "chips"), [
    ("tp8", "tp8", 8), ("tp4pp2 x 3", "tp4pp2 x 3", 24), ("dp8ep8x3", "dp8ep8 x 3", 24),
    ("prefill: tp4 x 2, decode: dp32ep32", "prefill: tp4 x 2, decode: dp32ep32", 40),
    ("decode: tp8, prefill: tp4", "prefill: tp4, decode: tp8", 12),
])  # fmt: skip
def test_deployments_as_people_write_them(text, written, chips):
    found = read_deployment(text)
    assert (str(found), found.chips) == (written, chips)


@pytest.mark.parametrize(("text", "says"), [
    ("", "empty"), ("tq8", "not understood"), ("tp8tp4", "twice"), ("prefill: tp8", "both pools"), ("tp8+foo", "foo"),
    ("tp0", "at least 1"), ("tp4ep3", "divide"), ("tp8r4", "redundant"), ("tp8 x 0", "at least one replica"),
])  # fmt: skip
def test_what_is_no_layout(text, says):
    with pytest.raises(InputError, match=says):
        read_deployment(text)


@pytest.mark.parametrize(("layout", "says"), [
    (Layout(tp=8, pp=62), "61 layers"), (Layout(dp=144, ep=144, redundant=31), "r32 does"), (Layout(dp=72, ep=72), "ep64"),
    (Layout(tp=3), "tp4"),
])  # fmt: skip
def test_what_does_not_divide_names_the_nearest(layout, says):
    with pytest.raises(InputError, match=says):
        check(load(DEEPSEEK), layout)


def test_rule_6_a_layouts_memory_sums_to_the_models():
    """Sliced everywhere: chips x weights = the model's; second copies, groups and stages add what they say."""
    arch = load(LLAMA)
    whole = weights_per_chip(arch, Layout())
    vectors = whole - 8 * weights_per_chip(arch, Layout(tp=8))  # norms are on every chip
    assert abs(vectors) < 1e-3 * whole
    assert weights_per_chip(arch, Layout(tp=2, dp=4)) == weights_per_chip(arch, Layout(tp=2))
    assert weights_per_chip(arch, Layout(tp=4, cp=2)) == weights_per_chip(arch, Layout(tp=4))
    assert weights_per_chip(arch, Layout(pp=4), even=True) == pytest.approx(whole / 4)
    assert whole / 4 < weights_per_chip(arch, Layout(pp=4)) < whole / 3  # one end of the model on a full stage
    moe = load(DEEPSEEK)
    plain, more = (weights_per_chip(moe, Layout(dp=64, ep=64, redundant=r)) for r in (0, 64))
    expert = sum(m.bytes * x.count for x in (*moe.layers, *moe.mtp) for m in x.linears if m.role == "expert") / 256
    assert more - plain == pytest.approx(expert)  # each of 64 chips holds one expert more, of all layers
    assert weights_per_chip(moe, Layout(tp=8, shared_copies=True)) > weights_per_chip(moe, Layout(tp=8))


def test_e17_a_pipelines_cache_shrinks_by_layers_and_a_shared_sequence_by_chips():
    arch = load(LLAMA)
    assert kv_per_chip(arch, Layout(tp=2, pp=4), 8192) == pytest.approx(kv_per_chip(arch, Layout(tp=2), 8192) / 4)
    assert kv_per_chip(arch, Layout(tp=2, cp=4), 8192) == pytest.approx(kv_per_chip(arch, Layout(tp=2), 8192) / 4)


def test_context_parallelism_shares_a_prompt_not_a_token():
    arch, one = load(LLAMA), chip("h200")

    def work(layout, load_):
        return step_time(build_step(arch, layout), load_, one).work

    prompt, token = Load.prefill(1, 32_768), Load.decode(1, 32_768)
    assert work(Layout(tp=2, cp=4), prompt).flops == pytest.approx(work(Layout(tp=2), prompt).flops / 4, rel=0.01)
    assert work(Layout(tp=2, cp=4), token).flops < work(Layout(tp=2), token).flops  # the cache's part of it
    dense = 2 * 69e9 / 2
    assert work(Layout(tp=2, cp=4), token).flops > dense  # a token's products are not shared
    ring = next(s for s in build_step(arch, Layout(cp=4)).sends if s.name == "context ring")
    assert ring.payload * 3 / 4 == 3 * 2 * 80 * 8 * 128 * 2  # each chip's share of the cache goes to three others


def _sent(arch, layout, load_):
    """Collectives and bytes by name, at the step's own prices."""
    one, step = chip("h200"), build_step(arch, layout)
    found = {s.name: send_amounts(s, load_, one) for s in step.sends}
    return {name: (float(x.messages), float(x.sent + x.outside)) for name, x in found.items()}


def test_chips_that_share_a_sequence_send_what_one_of_them_alone_has():
    """A prompt's entries go around, a decode's are everywhere; shares of older entries are added up where there are any."""
    arch = load(LLAMA)
    heads = 80 * 64 * 128 * 2  # bytes of a token's heads in all layers
    prompt, later, token = Load.prefill(2, 4096), Load.prefill(2, 4096, cached=512), Load.decode(2, 4096)
    sent = [_sent(arch, Layout(cp=4), x) for x in (prompt, later, token)]
    assert [x["context ring"][0] for x in sent] == [80, 80, 0]
    assert [x["context sum"][0] for x in sent] == [0, 80, 80]
    assert sent[2]["context ring"][1] == 0 == sent[0]["context sum"][1]
    assert sent[2]["context sum"][1] == 2 * heads  # switches add: each payload goes up once
    assert sent[1]["context sum"][1] == 2 * 1024 * heads
    both = _sent(arch, Layout(cp=4), prompt + token)
    assert (both["context ring"][0], both["context sum"][0]) == (80, 80)
    assert both["context ring"][1] == sent[0]["context ring"][1]
    queries = next(m for m in arch.layers[0].linears if m.path.endswith("q_proj"))
    assert queries.outputs == arch.hidden  # as wide as the model, and yet nobody adds queries up


def test_experts_of_a_shared_token_are_added_up_not_dispatched():
    moe = load(DEEPSEEK)
    width, routed = moe.hidden * 2, 58
    token, prompt = Load.decode(3, 4096), Load.prefill(3, 4096)
    alike, apart = (_sent(moe, Layout(tp=2, cp=4, ep=8), x) for x in (token, prompt))
    assert alike["expert sum"] == (routed, 3 * routed * width)
    assert alike["dispatch"] == alike["combine"] == (0, 0)
    assert apart["expert sum"] == (0, 0)
    assert apart["dispatch"][0] == apart["combine"][0] == routed
    sliced = (_sent(moe, Layout(tp=2, cp=4, ep=2), x)["expert all-reduce"] for x in (token, prompt))
    reached = group_reached(256, 8, 2)
    assert next(sliced) == (0, 0)
    assert next(sliced)[1] == pytest.approx(3 * 4096 * routed * reached * width)  # of all chips' tokens
    grouped = _sent(moe, Layout(dp=2, cp=4, ep=8), token)
    assert grouped["dispatch"][0] == routed  # groups have tokens of their own
    assert "expert sum" not in grouped


def test_slices_of_the_vocabulary_are_added_up_and_gathered():
    arch = load(LLAMA)
    assert "logits" not in _sent(arch, Layout(cp=4), Load.decode(2, 10))
    for carried, tokens, logits in ((Load.decode(5, 100), 5, 5), (Load.prefill(3, 100), 300, 3)):
        sent = _sent(arch, Layout(tp=4), carried)
        assert sent["embedding rows"] == (1, tokens * arch.hidden * 2)
        assert sent["logits"] == (1, logits * arch.vocabulary * 2 * 3 / 4)  # three quarters come from elsewhere


@pytest.mark.parametrize(
    "layout", [Layout(cp=4, ep=4), Layout(tp=2, cp=4, ep=8), Layout(tp=2, cp=2, ep=2), Layout(dp=2, cp=2, ep=4)]
)
def test_what_not_every_pass_sends_is_compiled_alike(layout):
    step, one = build_step(load(DEEPSEEK), layout), chip("h200")
    numbers = profile("modern").on(one)
    fast = compiled(step, one, numbers)
    loads = (
        Load.prefill(2, 300),
        Load.decode(8, 500),
        Load.prefill(1, 300, cached=20) + Load.decode(8, 500),
        Load.decode(4, 9, new=3),
    )
    for carried in loads:
        assert fast.seconds(carried) == pytest.approx(float(step_time(step, carried, one, numbers).seconds), rel=1e-12)
    swept = Load.decode(np.array([1.0, 8.0]), np.array([0.0, 64.0]))
    want = [float(step_time(step, Load.decode(b, c), one, numbers).seconds) for b, c in ((1, 0), (8, 64))]
    assert fast.seconds(swept) == pytest.approx(want)
    assert step_time(step, swept, one, numbers).seconds == pytest.approx(want)


def test_hand_overs_between_stages_cross_domains_where_they_must():
    arch = load(LLAMA)
    for pp, crossings in ((2, 0), (4, 1), (8, 3)):
        step = build_step(arch, Layout(tp=4, pp=pp))
        found = step_time(step, Load.decode(8, 1024), chip("h200"))
        assert next(s for s in step.sends if s.kind == "send").messages == pp - 1
        sent = send_amounts(next(s for s in step.sends if s.kind == "send"), Load.decode(8, 1024), chip("h200"))
        assert sent.leaving == crossings  # boxes of 8 hold two stages of 4
        assert found.seconds > 0


def test_second_copies_are_touched_by_half_the_tokens_each():
    arch = load(DEEPSEEK)
    steps = [build_step(arch, Layout(dp=64, ep=64, redundant=r)) for r in (0, 256)]
    rows = [next(r for r in s.rows if r.experts) for s in steps]
    assert (rows[0].on_chip, rows[1].on_chip, rows[1].copies) == (4, 8, 2)
    times = [step_time(s, Load.decode(64, 1024), chip("gb200")) for s in steps]
    read = [next(r.work.bytes for r in t.rows if r.name == "routed experts") for t in times]
    law = [256 * (1 - (1 - 8 / 256) ** 64) / 64, 2 * 256 * (1 - (1 - 8 / 256) ** 32) / 64]
    assert read[1] / read[0] == pytest.approx(law[1] / law[0], rel=1e-6)
    large = [step_time(s, Load.decode(1e6, 1), chip("gb200")) for s in steps]
    flops = [next(r.work.flops for r in t.rows if r.name == "routed experts") for t in large]
    assert flops[0] == pytest.approx(flops[1])  # the same tokens in all


def test_candidates_close_to_their_chips():
    for name in (DEEPSEEK, LLAMA):
        for layout in candidates(load(name), 72):
            assert layout.chips == layout.tp * layout.dp * layout.pp * layout.cp <= 72
