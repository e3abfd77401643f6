"""What training keeps on a chip, and what failures cost a long run."""

from __future__ import annotations

import dataclasses

import pytest

from headway.errors import InputError, PhysicsError
from headway.models import model
from headway.parallel import Layout
from headway.training.evidence import gpt
from headway.training.iterations import trainable
from headway.training.memory import layer_bytes, training_memory
from headway.training.passes import FUSED, Attention
from headway.training.recipes import Recipe, states
from headway.training.runs import best_interval, goodput, reliability, run

ADAM, BARE = states("adam"), states("deepspeed")
UNFUSED = Attention(10.0)


@pytest.mark.parametrize(("hidden", "heads", "sequence", "micro"), [(3072, 32, 2048, 1), (12288, 96, 2048, 4)])
def test_a_gpt_layer_keeps_what_korthikanti_counts(hidden, heads, sequence, micro):
    """s b h (34 + 5 a s/h) bytes (arXiv 2205.05198, equation 1); 34 with attention computed again; 2 s b h with all of it."""
    arch = gpt(hidden, 4, heads, sequence)
    r = Recipe(Layout(), sequence=sequence, batch=micro, micro_batch=micro)
    each = sequence * micro * hidden
    found = {
        again: layer_bytes(arch, arch.layers[0], dataclasses.replace(r, recompute=again), UNFUSED, dropout=True)
        for again in ("none", "selective", "full")
    }
    assert found["none"] == pytest.approx(each * (34 + 5 * heads * sequence / hidden), rel=1e-3)
    assert found["selective"] == pytest.approx(each * 34, rel=2e-3)
    assert found["full"] == pytest.approx(each * 2)


@pytest.mark.parametrize("tp", [2, 8])
def test_tensor_parallelism_slices_24_of_34_and_sequence_parallelism_the_rest(tp):
    """s b h (10 + 24/t + ...) without sequence parallelism, all over t with it (equations 2 and 4)."""
    arch = gpt(4096, 4, 32, 2048)
    each = 2048 * 4096
    plain = Recipe(Layout(tp=tp), sequence=2048, batch=1, sequence_parallel=False, recompute="selective")
    found = layer_bytes(arch, arch.layers[0], plain, UNFUSED, dropout=True)
    assert found == pytest.approx(each * (10 + 24 / tp), rel=3e-3)
    both = layer_bytes(arch, arch.layers[0], dataclasses.replace(plain, sequence_parallel=True), UNFUSED, dropout=True)
    assert both == pytest.approx(each * 34 / tp, rel=3e-3)


def test_zero_shrinks_memory_by_its_factors():
    """Rajbhandari et al. 2020, figure 1: 2 + 2 + 12 bytes a parameter; 4 + 12/N, 2 + 14/N, 16/N."""
    arch = gpt(1024, 24, 16, 1024)
    n, size = 64, gpt(1024, 24, 16, 1024).total_parameters
    parts = []
    for zero in range(4):
        m = training_memory(arch, Recipe(Layout(), n, 512, n, zero=zero), BARE, FUSED)
        parts.append((m.weights + m.gradients + m.optimizer) / size)
    assert parts == pytest.approx([16, 4 + 12 / n, 2 + 14 / n, 16 / n], rel=1e-3)


def test_stages_hold_the_micro_batches_that_fly():
    arch = gpt(2048, 24, 16, 1024)
    base = Recipe(Layout(pp=4), 1, 1024, 16)

    def held(**changes):
        return training_memory(arch, dataclasses.replace(base, **changes), ADAM, FUSED)

    assert held().held == 4  # as many as stages
    assert held(batch=2).held == 2
    assert held(schedule="gpipe").held == 16  # all
    assert held(schedule="interleaved", parts=2).held == pytest.approx(4 * (1 + 3 / 8))
    assert held(schedule="gpipe").activations == pytest.approx(4 * held().activations)
    assert held(recompute="full").activations < held().activations
    last = training_memory(
        trainable(model("gemma-3-27b")), Recipe(Layout(pp=2), 1, 4096, 1, recompute="full"), ADAM, FUSED
    )
    assert last.stage == 1  # logits of 262,208 words weigh more than the inputs of 31 layers
    assert last.logits == 4096 * 262_208 * 6


def test_parts_sum_and_context_parallelism_shares():
    arch = trainable(model("llama-3.1-8b"))
    m = training_memory(arch, Recipe(Layout(), 8, 8192, 8), ADAM, FUSED)
    assert sum(m.parts().values()) == pytest.approx(m.total)
    half = training_memory(arch, Recipe(Layout(cp=2), 4, 8192, 4), ADAM, FUSED)
    assert half.activations == pytest.approx(m.activations / 2)


def test_experts_keep_their_tokens():
    """With experts spread evenly a chip keeps as many routed tokens as it sends: k copies of each of its own."""
    moe = trainable(model("mixtral-8x7b"))
    one, spread = (layer_bytes(moe, moe.layers[0], Recipe(Layout(dp=d, ep=d), 1, 4096, d), FUSED) for d in (1, 8))
    assert one == pytest.approx(spread)
    dense = sum(m.inputs for m in moe.layers[0].linears if m.role == "expert")
    assert one > 4096 * 2 * dense  # two of eight experts


def test_young_and_daly():
    between, write = 10_800.0, 30.0
    best = best_interval(write, between)
    assert best == pytest.approx((2 * write * between) ** 0.5)

    def lost(t):
        g = goodput(1, dataclasses.replace(reliability(1, 1e12, mtbf=between, checkpoint=write), interval=t))
        return 1 - g.share

    assert lost(best) < min(lost(best * 0.5), lost(best * 2))
    assert lost(best) == pytest.approx(write / (write + best) + (best / 2 + 600) / between)


def test_llama_3s_run_meets_its_failures():
    """419 unexpected interruptions of 16,384 chips in 54 days, and more than 90 % of the time effective (arXiv 2407.21783)."""
    r = reliability(16_384, 405e9 * 14)
    g = goodput(16_384, r)
    assert 54 * 86400 / g.between == pytest.approx(419, rel=0.01)
    assert 0.9 < g.share < 0.95
    found = run(1e12, 1e6, 2.0, 16_384, g, 405e9 * 14, price=1e-3, power=700.0)
    assert found.seconds == pytest.approx(2e6 / g.share)
    assert found.dollars == pytest.approx(1e-3 * 16_384 * found.seconds)
    assert found.joules == pytest.approx(700 * 16_384 * found.seconds)
    assert found.failures == pytest.approx(found.seconds / g.between)
    more = run(2e12, 1e6, 2.0, 16_384, g, 405e9 * 14, price=1e-3, power=None)
    assert (more.dollars, more.joules) == (pytest.approx(2 * found.dollars), None)


def test_runs_that_cannot_be():
    with pytest.raises(PhysicsError, match="leave no time for progress"):
        goodput(10**7, reliability(10**7, 1e12))
    with pytest.raises(InputError, match="--mtbf: 0 s must be positive"):
        reliability(8, 1e12, mtbf=0.0)
    with pytest.raises(InputError, match="--tokens: 0"):
        run(0, 1, 1, 1, goodput(1, reliability(1, 1e9)), 1e9, price=None, power=None)
