"""Norms of queries and keys: a kernel each, and over all heads a sum across the slices of a layer."""

from __future__ import annotations

from catalogued import load
from headway.parallel import Layout, build_step


def test_norms_cost_kernels_and_wide_ones_a_sum_of_eight_bytes():
    wide, narrow = load("minimax-m2.5"), load("qwen3-8b")
    assert {a.norms for _, a in wide.attends()} == {"row"}
    assert {a.norms for _, a in narrow.attends()} == {"head"}
    assert {a.norms for _, a in load("llama-3.1-8b").attends()} == {""}
    sums = [s for s in build_step(wide, Layout(tp=4)).sends if s.name == "norms' sums"]
    assert [(s.messages, s.payload) for s in sums] == [(wide.layer_count, wide.layer_count * 8)]
    for model, layout in ((wide, Layout()), (narrow, Layout(tp=4))):
        assert not [s for s in build_step(model, layout).sends if s.name == "norms' sums"]


def test_norms_by_head_are_one_kernel_a_layer():
    normed, plain = (build_step(load(n), Layout()) for n in ("qwen3-8b", "llama-3.1-8b"))
    each = [sum(r.kernels for r in s.rows if r.kind == "attention") / n for s, n in ((normed, 36), (plain, 32))]
    assert each[0] - each[1] == 1
