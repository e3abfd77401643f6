"""The rules of design.md section 3 as property tests over all catalogue models and chips; each carries its number."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogued import BATCHES, CHIPS, CONTEXTS, MODELS, load, model_ids, steps_of, wired
from headway.errors import InputError, PhysicsError
from headway.hardware import chip, system
from headway.models import kv_bytes_read, kv_bytes_stored, touched_experts
from headway.parallel import Layout, build_step, candidates, kv_per_chip, weights_per_chip
from headway.roofline import NUMBERS, Calibration, Load, Work, step_time
from headway.serving import memory_account, require_fit

CONVENTION = st.sampled_from(["kernels", "machine"])
PICK = st.integers(0, 10**6)
MANY = settings(max_examples=150, deadline=None)


def _between(field):
    """Every number of the record, over its range: shares from 5 %, times up to a tenth of a millisecond."""
    low, high, unit = (field.metadata[k] for k in ("low", "high", "unit"))
    if field.name == "chunk_tokens":
        return st.sampled_from([512.0, 8192.0])
    top = min({"s": 1e-4, "times": 4.0, "bytes": 1e6, "ranks": 64.0}.get(unit, high), high)
    return st.floats(max(low, 0.05) if unit == "share" and low > 0 else low, top)


CALIBRATIONS = st.builds(Calibration, **{f.name: _between(f) for f in NUMBERS})


def pick(name, number):
    options = steps_of(name)
    return options[number % len(options)]


@MANY
@given(MODELS, CHIPS, BATCHES, CONTEXTS, CALIBRATIONS, CONVENTION, PICK)
def test_rule_1_no_prediction_is_below_its_floor(name, on, batch, context, calibration, convention, number):
    _, step = pick(name, number)
    c = wired(on)
    load = Load.decode(batch, context)
    real, ideal = step_time(step, load, c, calibration, convention), step_time(step, load, c, convention=convention)
    assert real.seconds >= ideal.seconds * (1 - 1e-12)
    work = ideal.work
    fastest = max(r for r in (c.bf16, c.fp8, c.fp4, c.int8) if r)
    assert ideal.seconds >= work.flops / fastest * (1 - 1e-12)
    assert ideal.seconds >= work.bytes / c.bandwidth * (1 - 1e-12)
    assert ideal.seconds >= work.sent / c.link * (1 - 1e-12)


@MANY
@given(MODELS, CHIPS, BATCHES, CONTEXTS, CALIBRATIONS, st.floats(1, 10), CONVENTION, PICK)
def test_rule_2_time_is_monotone(name, on, batch, context, calibration, more, convention, number):
    _, step = pick(name, number)
    c = wired(on)

    def seconds(b, ctx, machine=c):
        return float(step_time(step, Load.decode(b, ctx), machine, calibration, convention).seconds)

    base = seconds(batch, context)
    slack = 1 + 1e-9
    assert seconds(batch * more, context) * slack >= base
    assert seconds(batch, context * more) * slack >= base
    slower = dataclasses.replace(
        c, bandwidth=c.bandwidth / more, bf16=c.bf16 / more, fp8=(c.fp8 or 0) / more or None,
        fp4=(c.fp4 or 0) / more or None, int8=(c.int8 or 0) / more or None, link=c.link / more, scale_out=c.scale_out / more,
    )  # fmt: skip
    assert seconds(batch, context, slower) * slack >= base


@MANY
@given(MODELS, CHIPS, st.floats(1, 1e4), st.floats(1, 1e5), st.floats(1, 8), PICK)
def test_rule_2_prefill_is_monotone(name, on, prompts, prompt, more, number):
    _, step = pick(name, number)
    c = wired(on)

    def seconds(n, p, cached=0.0):
        return float(step_time(step, Load.prefill(n, p, cached=cached), c).seconds)

    base = seconds(prompts, prompt) / (1 + 1e-9)
    assert seconds(prompts * more, prompt) >= base
    assert seconds(prompts, prompt * more) >= base
    assert seconds(prompts, prompt, prompt * more) >= base


@MANY
@given(MODELS, CHIPS, st.floats(1, 1e5), CONTEXTS, st.floats(1, 10), PICK)
def test_rule_2_cost_per_token_does_not_rise_with_batch(name, on, batch, context, more, number):
    _, step = pick(name, number)
    c = wired(on)

    def per_token(b):
        return float(step_time(step, Load.decode(b, context), c, convention="machine").seconds) / b

    assert per_token(batch * more) <= per_token(batch) * (1 + 1e-9)


@pytest.mark.parametrize("name", model_ids())
def test_rule_3_small_batch_reads_only_what_it_uses(name):
    """At batch 1 on one chip the weights read are the multiplied ones: k of E experts, no embedding table."""
    arch = load(name)
    (_, step), *_ = steps_of(name, 1)
    c = chip("h200")
    read = step_time(step, Load.decode(1, 0), c, convention="machine").memory * c.bandwidth
    state = sum(2 * x.count * x.state.bytes for x in arch.layers if x.state)
    used = sum(x.count * m.bytes * x.used_share(m.role) for x in arch.layers for m in x.linears) + arch.head.bytes
    appended = sum(n * a.entry_bytes / a.reach.ratio for n, a in arch.attends() if a.stores)
    lookup = arch.hidden * arch.embedding.format.bytes
    assert read == pytest.approx(used + state + appended + lookup, rel=1e-9)


@MANY
@given(st.integers(1, 1024), st.data(), st.floats(0, 1e6), st.floats(0, 3))
def test_rule_3_expert_coverage(experts, data, tokens, skew):
    active = data.draw(st.integers(1, experts))
    found = float(touched_experts(experts, active, max(tokens, 1.0), skew))
    assert active * (1 - 1e-9) <= found <= experts * (1 + 1e-9)
    assert float(touched_experts(experts, active, 1.0, skew)) == pytest.approx(active, rel=1e-6)
    assert float(touched_experts(experts, active, 0.0, skew)) == pytest.approx(0, abs=1e-9)
    assert float(touched_experts(experts, active, max(tokens, 1.0) * 2, skew)) >= found * (1 - 1e-9)
    if not skew:
        assert found == pytest.approx(experts * (1 - (1 - active / experts) ** max(tokens, 1.0)), rel=1e-6)


@MANY
@given(MODELS, st.floats(0, 2e6), st.floats(1, 100))
def test_rule_4_kv_is_a_function_of_context(name, context, more):
    arch = load(name)
    stored, longer = float(kv_bytes_stored(arch, context)), float(kv_bytes_stored(arch, context * more))
    assert longer >= stored * (1 - 1e-12)
    assert longer <= stored * more * (1 + 1e-9) + 1
    assert float(kv_bytes_read(arch, context)) >= 0
    # the same function serves capacity: one chip holds exactly this
    assert float(kv_per_chip(arch, Layout(), context)) == pytest.approx(stored, rel=1e-12)


def test_rule_4_windows_fill_and_sparse_reads_do_not_free_memory():
    oss = load("openai/gpt-oss-120b")
    full = 18 * 2 * 8 * 64 * 2  # bytes per token of the 18 full layers
    assert kv_bytes_stored(oss, 100_000.0) - kv_bytes_stored(oss, 50_000.0) == pytest.approx(full * 50_000)
    dsa = load("deepseek-ai/DeepSeek-V3.2")
    latent_read = 61 * 2048 * 576 * 2
    index_read = 61 * 100_000 * 132  # FP8 keys with a 32-bit scale, whatever the cache's format
    assert kv_bytes_read(dsa, 100_000.0) == pytest.approx(latent_read + index_read)
    assert kv_bytes_stored(dsa, 100_000.0) == pytest.approx(61 * 100_000 * (576 * 2 + 132))


@MANY
@given(MODELS, st.integers(1, 72), st.sampled_from(["h100x8", "h200x8", "gb200-nvl72", "mi300x-x8", "tpu-v5e-8"]),
       st.floats(1, 1e5))  # fmt: skip
def test_rule_6_layouts_close_and_refusals_name_the_shortfall(name, most, on, context):
    arch, machine = load(name), system(on)
    for layout in candidates(arch, most):
        assert layout.tp * layout.dp == layout.chips <= most
        assert layout.ep * layout.slices == layout.chips
        held = memory_account(arch, layout, machine, context)
        if held.fits >= 1 and math.isfinite(held.fits):
            fixed = held.weights + held.reserve + held.engine + held.activations
            used = fixed + held.per_sequence * held.fits / layout.dp
            assert used <= held.capacity * (1 + 1e-9)
            over = fixed + held.per_sequence * (held.fits / layout.dp + 1)
            assert over > held.capacity
            require_fit(arch, layout, machine, context)
        elif held.fits < 1:
            with pytest.raises(PhysicsError, match=r"by [\d,.]+ [GMk]?B per chip; (.* on this system fits|more chips)"):
                require_fit(arch, layout, machine, context)


@pytest.mark.parametrize("name", model_ids())
def test_rule_6_shards_add_up_to_the_model(name):
    """Splitting over tensor ranks loses nothing: sharded weights times chips is at least the model, equal on one chip."""
    arch = load(name)
    assert weights_per_chip(arch, Layout()) == pytest.approx(arch.loaded_bytes, rel=1e-9)
    bare = arch.loaded(towers=False, mtp=False)
    assert (
        weights_per_chip(bare, Layout())
        == pytest.approx(arch.weight_bytes, rel=1e-9)
        == pytest.approx(bare.loaded_bytes)
    )
    for layout in candidates(arch, 16):
        assert weights_per_chip(arch, layout) * layout.chips >= arch.loaded_bytes * (1 - 1e-9)


@MANY
@given(MODELS, CHIPS, BATCHES, CONTEXTS, CALIBRATIONS, PICK)
def test_rule_7_sums_equal_totals(name, on, batch, context, calibration, number):
    _, step = pick(name, number)
    calibration = dataclasses.replace(calibration, network_overlap=0.0)
    found = step_time(step, Load.decode(batch, context), wired(on), calibration)
    beside = calibration.step_seconds + max(batch / step.groups, min(batch, 1)) * calibration.sequence_seconds
    assert sum(float(r.seconds) for r in found.rows) + beside == pytest.approx(float(found.seconds))
    total = sum((r.work for r in found.rows), Work())
    assert (total.flops, total.bytes) == (pytest.approx(found.work.flops), pytest.approx(found.work.bytes))


@MANY
@given(MODELS, st.integers(1, 64), st.floats(0, 1e5), st.integers(1, 64), st.floats(1, 1e4), PICK)
def test_rule_7_loads_add(name, batch, context, prompts, prompt, number):
    """Sequences counted one by one or together make the same pass; a mixed pass does at least each part's work."""
    _, step = pick(name, number)
    c = chip("h200")
    together = step_time(step, Load.decode(batch, context), c)
    apart = sum((Load.decode(1, context) for _ in range(batch - 1)), Load.decode(1, context))
    assert float(step_time(step, apart, c).seconds) == pytest.approx(float(together.seconds))
    prefill = step_time(step, Load.prefill(prompts, prompt), c)
    mixed = step_time(step, Load.decode(batch, context) + Load.prefill(prompts, prompt), c)
    assert mixed.work.flops >= max(together.work.flops, prefill.work.flops) * (1 - 1e-9)
    assert mixed.seconds <= (together.seconds + prefill.seconds) * (1 + 1e-9)


def test_rule_9_both_conventions_and_their_order():
    """One maximum over summed work is never above the sum of per-kernel maxima."""
    step = build_step(load("deepseek-ai/DeepSeek-V3"), Layout(tp=8))
    for batch in (1, 32, 512, 8192):
        load_ = Load.decode(batch, 4096)
        machine = step_time(step, load_, chip("h200"), convention="machine").seconds
        assert machine <= step_time(step, load_, chip("h200"), convention="kernels").seconds


def test_calibration_refuses_what_would_beat_physics():
    for bad in (
        {"memory_efficiency": 1.2},
        {"expert_imbalance": -0.5},
        {"expert_imbalance": 1.5},
        {"kernel_seconds": -1e-6},
        {"network_overlap": 1.5},
    ):
        with pytest.raises(InputError):
            Calibration(**bad)


def test_loads_refuse_nonsense():
    for bad in (
        lambda: Load.decode(0, 10),
        lambda: Load.decode(-1, 10),
        lambda: Load.decode(1, -1),
        lambda: Load.prefill(1, 0),
    ):
        with pytest.raises(InputError):
            bad()


def test_mla_takes_the_cheaper_form():
    """Decode absorbs the up-projections; a long prompt expands them (fewer multiplications per pair)."""
    attend = next(a for _, a in load("deepseek-ai/DeepSeek-V3").attends())
    assert attend.pair_flops(1.0, 10_000.0) == pytest.approx(10_001 * 2 * 128 * (2 * 512 + 64))
    long = attend.pair_flops(8192.0, 0.0)
    assert long == pytest.approx(8192 * 8193 / 2 * 2 * 128 * (128 + 64 + 128))
    split = attend.pair_flops(4096.0, 0.0) + attend.pair_flops(4096.0, 4096.0)
    assert split >= long  # chunked prefill expands cached latents again


def test_skew_never_speeds_up_the_busiest_chip():
    """Skewed routing touches fewer experts, and one chip holds the most popular: it gets at least that one's tokens."""
    step = build_step(load("deepseek-ai/DeepSeek-V3"), Layout(dp=64, ep=64))
    flops = [
        next(
            r for r in step_time(step, Load.decode(16384, 1024, skew=z), chip("gb200")).rows if r.kind == "experts"
        ).work.flops
        for z in (0.0, 0.5, 1.0, 2.0)
    ]
    assert flops == sorted(flops)
    assert (
        flops[2] >= 8 * flops[0] * 0.99
    )  # the hottest of 256 is in every token's choice; the mean chip sees 1/8 of it


def test_a_drafted_token_needs_its_logits_too():
    step = build_step(load("meta-llama/Meta-Llama-3.1-8B"), Layout())
    head = [
        next(r for r in step_time(step, work, chip("h100")).rows if r.kind == "head").work.flops
        for work in (Load.decode(256, 1024), Load.decode(256, 1024, new=4), Load.prefill(256, 1024))
    ]
    assert head == [head[0], 4 * head[0], head[0]]


def test_sliced_experts_under_data_parallelism_pay_for_their_sums():
    """With every expert cut over all chips, each chip receives all tokens and reduces partial sums of all of them."""
    arch, tokens = load("deepseek-ai/DeepSeek-V3"), 4096
    sent = {}
    for ep in (1, 2, 8):
        step = build_step(arch, Layout(dp=8, ep=ep))
        sent[ep] = {s.name: s for s in step.sends}
    assert sent[1]["expert all-reduce"].payload * tokens == pytest.approx(58 * tokens * 7168 * 2)
    assert sent[1]["dispatch"].payload == pytest.approx(58 * 7168 * 7)  # to the seven other chips, one byte each
    assert "expert all-reduce" not in sent[8]
    reached = 1 - math.comb(256 - 32, 8) / math.comb(256, 8)
    assert sent[8]["combine"].payload == pytest.approx(58 * 7168 * 7 * reached * 2)


def test_shared_experts_sliced_over_tp_are_reduced_beside_dispatch():
    step = build_step(load("deepseek-ai/DeepSeek-V3"), Layout(tp=8, dp=8, ep=64))
    reduce = next(s for s in step.sends if s.name == "all-reduce")
    assert reduce.messages == 61 + 61
    assert reduce.ranks == 8


def test_mamba_heads_shard_beyond_the_groups():
    """Only B, C and the 8 KV heads are copied at 32 ranks; everything else is cut by head (with all copied: 2.3x)."""
    arch = load("nvidia/Nemotron-H-56B-Base-8K")
    assert weights_per_chip(arch, Layout(tp=32)) == pytest.approx(arch.weight_bytes / 32, rel=0.12)


def test_replicas_never_straddle_a_scale_up_domain():
    rack = system("gb200-nvl72")
    assert rack.resized(648).replicas(64) == 9
    assert rack.resized(144).replicas(16) == 8
    assert rack.resized(100).replicas(16) == 4 + 1
    assert system("h100x8").resized(12).replicas(8) == 1


def test_mfu_counts_useful_work_only():
    """Replicated latents and idle chips are no use: MFU is the tokens' FLOPs over what all chips of a replica could do."""
    from headway.plan import make_plan
    from headway.questions import Request

    p = make_plan(Request("deepseek-v3", "gb200-nvl72", batch=1.0, prompt=1, output=2, dp=64, ep=64))
    useful = 2 * load("deepseek-ai/DeepSeek-V3").multiplied_parameters
    assert 1.0 <= p.point.mfu / (useful / (64 * p.point.seconds * 5e15)) < 1.1  # head and router run at the 16-bit rate
    dense = make_plan(Request("llama-3.1-70b", "h100x8", batch=64.0, prompt=1, output=2, tp=8))
    useful = 2 * load("meta-llama/Meta-Llama-3.1-70B").multiplied_parameters * 64
    assert dense.point.mfu == pytest.approx(useful / (8 * dense.point.seconds * 989e12), rel=1e-3)


def test_a_prompt_is_never_split_over_data_parallel_groups():
    """One prompt on eight groups keeps one group busy: the dense part takes as long as on that group alone."""
    arch = load("meta-llama/Meta-Llama-3.1-8B")
    one, eight = build_step(arch, Layout()), build_step(arch, Layout(dp=8))
    c = chip("h200")
    alone = step_time(one, Load.prefill(1, 8192), c).seconds
    assert step_time(eight, Load.prefill(1, 8192), c).seconds == pytest.approx(float(alone))
    assert step_time(eight, Load.prefill(8, 8192), c).seconds == pytest.approx(float(alone))
    assert step_time(eight, Load.prefill(16, 8192), c).seconds > 1.9 * alone


def test_step_time_broadcasts():
    step = build_step(load("openai/gpt-oss-120b"), Layout(tp=8))
    batch, context = np.geomspace(1, 4096, 7)[:, None], np.linspace(0, 1e5, 5)
    grid = step_time(step, Load.decode(batch, context), chip("h200"))
    assert grid.seconds.shape == (7, 5)
    one = step_time(step, Load.decode(float(batch[3, 0]), float(context[2])), chip("h200"))
    assert grid.seconds[3, 2] == pytest.approx(float(one.seconds), rel=1e-12)
    assert grid.bound[3, 2] == one.bound
