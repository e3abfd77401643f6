"""What a chip keeps, by hand: pages of hybrid models, what sliding layers set aside, the workspace of a pass."""

from __future__ import annotations

import math

import pytest

from cases import measured
from catalogued import load
from headway.evidence import case_of as case
from headway.parallel import (
    Layout,
    activations_per_chip,
    capacity_per_chip,
    kv_per_chip,
    pooled_per_chip,
    reserved_per_chip,
    weights_per_chip,
)
from headway.serving.engine_memory import kept

LLAMA, DEEPSEEK, HYBRID, SLIDING = "llama-3.1-70b", "deepseek-ai/DeepSeek-V3", "qwen3.5-27b", "gemma-3-27b-it"


@pytest.mark.parametrize(
    ("layout", "share", "stage"), [(Layout(), 1, 1), (Layout(tp=8), 8, 1), (Layout(tp=2, pp=3), 2, 3)]
)
def test_pages_of_a_plain_model(layout, share, stage):
    """80 layers x 2 x 8 heads x 128 x 2 bytes a token, in whole pages of 16; of three stages the fullest has 27 layers."""
    layers = math.ceil(80 / stage)
    found = reserved_per_chip(load(LLAMA), layout, 1001.0, 0.0, 16.0)
    assert found == pytest.approx(1008 * layers * 2 * 8 * 128 * 2 / share)
    assert float(kv_per_chip(load(LLAMA), layout, 1001.0)) == pytest.approx(1001 * layers * 2 * 8 * 128 * 2 / share)


def test_pages_of_a_hybrid_are_as_large_as_its_states():
    """One page size: as many tokens of attention as fill a state, and a page for every state (vLLM)."""
    m = load(HYBRID)
    states = [(x.count, x.state.bytes) for x in m.layers if x.state]
    entry = max(a.entry_bytes for _, a in m.attends())
    page = math.ceil(max(b for _, b in states) / entry / 16) * 16
    assert page > 16
    attention = sum(n for n, _ in m.attends())
    recurrent = sum(n for n, _ in states)
    context = 10_000
    whole = math.ceil(context / page) * page
    assert reserved_per_chip(m, Layout(), context, 0.0, 16.0) == pytest.approx(
        (whole * attention + page * recurrent) * entry
    )
    # with pages larger than any state, states still take one each
    assert reserved_per_chip(m, Layout(), 1.0, 0.0, 1e6) == pytest.approx(1e6 * (attention + recurrent) * entry)
    # both are sliced over four chips alike: the page stays
    assert reserved_per_chip(m, Layout(tp=4), context, 0.0, 16.0) == pytest.approx(
        (whole * attention + page * recurrent) * entry / 4
    )


def test_sliding_layers_keep_a_pass_beside_their_window():
    m = load(SLIDING)
    far = sum(n * a.entry_bytes for n, a in m.attends() if a.reach.kind == "full")
    near = sum(n * a.entry_bytes for n, a in m.attends() if a.reach.kind == "window")
    width = next(a.reach.width for _, a in m.attends() if a.reach.kind == "window")
    assert reserved_per_chip(m, Layout(), 32_000.0, 8192.0, 16.0) == pytest.approx(32_000 * far + (width + 8192) * near)
    assert reserved_per_chip(m, Layout(), 2_000.0, 8192.0, 16.0) == pytest.approx(2_000 * (far + near))


def test_pools_of_deepseek_v4_are_cut_as_sglang_cuts_them():
    """7,705.45 bytes a token: `_get_bytes_per_full_token` of SGLang's DSV4PoolConfigurator for the Flash model, a tenth for the window.

    0.1 x 584 x 43 + 584 x 21/4 + 584 x 20/128 + 132 x 21/4 + 0.1 x 8/128 x 4 x (2 x 2 x 512 + 2 x 2 x 128) x 21; and for each request
    128 rows of 2 x 512 32-bit numbers in 20 layers.
    """
    m = case(measured(model="deepseek-v4-flash", kv_dtype="fp8", system="H200-SXM", engine="sglang")).setting.model
    one, two = (pooled_per_chip(m, Layout(), x, 0.1) for x in (1e5, 2e5))
    assert two - one == pytest.approx(7_705.45 * 1e5)
    assert one - 7_705.45 * 1e5 == pytest.approx(128 * 2 * 512 * 4 * 20)


def test_a_pool_of_windows_is_a_share_of_the_full_layers():
    m = load(SLIDING)
    far = sum(n * a.entry_bytes for n, a in m.attends() if a.reach.kind == "full")
    near = sum(n * a.entry_bytes for n, a in m.attends() if a.reach.kind == "window")
    assert pooled_per_chip(m, Layout(), 32_000.0, 0.8) == pytest.approx(32_000 * (far + 0.8 * near))
    assert pooled_per_chip(m, Layout(), 200.0, 0.8) == pytest.approx(
        200 / 0.8 * (far + 0.8 * near)
    )  # its window fills first
    assert pooled_per_chip(m, Layout(), 2_000.0, 0.1) == pytest.approx(1024 / 0.1 * (far + 0.1 * near))
    plain = load(LLAMA)
    assert pooled_per_chip(plain, Layout(tp=2), 3_000.0, 0.8) == pytest.approx(
        float(kv_per_chip(plain, Layout(tp=2), 3_000.0))
    )


def test_the_workspace_of_a_pass():
    """Residual and norm, and the widest part of a layer with its inputs and outputs, in 16 bits: gate, up and down of Llama."""
    tokens, hidden, inner = 4096, 8192, 28_672
    dense = 3 * (hidden + inner)
    assert activations_per_chip(load(LLAMA), Layout(), tokens) == pytest.approx(2 * tokens * (2 * hidden + dense))
    assert activations_per_chip(load(LLAMA), Layout(tp=8), tokens) == pytest.approx(
        2 * tokens * (2 * hidden + dense / 8)
    )
    assert activations_per_chip(load(LLAMA), Layout(tp=2, cp=4), tokens) == pytest.approx(
        2 * tokens / 4 * (2 * hidden + dense / 2)
    )
    assert activations_per_chip(load(LLAMA), Layout(), 0.0) == pytest.approx(
        2 * (2 * hidden + dense)
    )  # a token at least


def test_the_workspace_of_experts():
    """DeepSeek-V3 spread over 8 groups: each chip has an even share of all groups' tokens times 8 of 256 experts."""
    tokens, hidden, inner = 4096, 7168, 2048
    routed = tokens * 8 * 8 / 8 * 3 * (hidden + inner)
    found = activations_per_chip(load(DEEPSEEK), Layout(dp=8, ep=8), tokens)
    assert found == pytest.approx(2 * (2 * tokens * hidden + routed))
    sliced = activations_per_chip(load(DEEPSEEK), Layout(tp=8), tokens)
    assert sliced == pytest.approx(2 * (2 * tokens * hidden + routed / 8))


def test_weights_of_the_fullest_stage():
    """27 of 80 layers, a third of the norms that they have, and the larger of embedding and head."""
    m = load(LLAMA)
    (one,) = m.layers
    per_layer = sum(x.bytes for x in one.linears)
    rest = (80 * one.vector_parameters + m.final_parameters) * 2
    ends = 128_256 * 8192 * 2
    assert weights_per_chip(m, Layout(pp=3)) == pytest.approx(27 * per_layer + rest * 27 / 80 + ends, rel=1e-9)
    assert weights_per_chip(m, Layout()) == pytest.approx(m.weight_bytes)
    assert weights_per_chip(m, Layout(pp=3), even=True) == pytest.approx(m.weight_bytes / 3)


def test_the_lectures_algebra():
    """E14 to E17: weights shrink with both, the cache of a full pipeline with the experts' ways only."""
    found = capacity_per_chip(1e12, 2.0, 32, 1e5, 2e3, 64, 4)
    assert found.weights == 2e12 / 256
    assert found.global_batch == 128
    assert found.kv == 32 * 1e5 * 2e3 / 64
    assert found.total == found.weights + found.kv


def test_drafting_layers_keep_a_cache():
    """DeepSeek-V3's one layer of multi-token prediction has a latent of its own: 576 values a token in 16 bits."""
    m = load(DEEPSEEK)
    plain, drafting = (float(kv_per_chip(m, Layout(dp=8, ep=8), 5000.0, d)) for d in (False, True))
    assert plain == 5000 * 61 * 576 * 2
    assert drafting - plain == 5000 * 576 * 2


def test_copies_of_a_matrix_count():
    """DeepSeek-V3's shared expert and Qwen3-30B's eight of 128: the wider of both, its copies together."""
    m = load("Qwen/Qwen3-30B-A3B")
    (one,) = m.layers
    parts: dict[str, float] = {}
    for x in one.linears:
        share = x.copies if x.role != "expert" else 8
        parts[x.role] = parts.get(x.role, 0.0) + (x.inputs + x.outputs) * share
    assert activations_per_chip(m, Layout(), 100.0) == pytest.approx(2 * 100 * (2 * m.hidden + max(parts.values())))


@pytest.mark.parametrize(("model", "share"), [("deepseek-v4-flash", 0.1), ("gemma-4-26b", 0.15), ("gpt-oss-120b", 0.8)])
def test_sglang_cuts_the_windows_pool_by_family(model, share):
    s = case(measured(model=model, kv_dtype="bf16", system="B200-SXM", engine="sglang", chips=8, tp=8)).setting
    x = Layout(tp=8)
    assert kept(s.engine.memory, s.model, x, 50_000.0) == pytest.approx(pooled_per_chip(s.model, x, 50_000.0, share))
    assert kept(s.engine.memory, s.model, x, 50_000.0) > float(kv_per_chip(s.model, x, 50_000.0))
