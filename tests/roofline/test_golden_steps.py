"""Step times checked against two independent closed forms: everything sharded evenly, and MLA parts replicated."""

from __future__ import annotations

import pytest

from catalogued import load
from headway.hardware import chip
from headway.parallel import Layout, build_step
from headway.roofline import Load, step_time


@pytest.mark.parametrize(
    ("batch", "low", "high"), [(1, 0.95, 1.25), (8, 4.2, 4.7), (32, 11.2, 12.1), (128, 17.3, 19.5)]
)
def test_deepseek_v3_fp8_on_8_h200(batch, low, high):
    step = build_step(load("deepseek-ai/DeepSeek-V3"), Layout(tp=8))
    found = step_time(step, Load.decode(batch, 1024), chip("h200"))
    assert low <= float(found.seconds) * 1e3 <= high


def test_deepseek_v3_equals_the_replicated_closed_form_by_hand():
    """Batch 32: experts touched 256 (1 - (31/32)^32), all rest sharded by 8 but latents, router and KV."""
    bandwidth, hidden = 4.8e12, 7168
    experts = 58 * 256 * (1 - (31 / 32) ** 32) * 3 * hidden * 2048 * (1 + 4 / 128**2) / 8
    latents = 61 * hidden * (1536 + 576) * (1 + 4 / 128**2)
    rest = 61 * (1536 * 128 * 192 + 512 * 128 * 256 + 128 * 128 * hidden)
    rest = (rest + 3 * 3 * hidden * 18432 + 58 * 3 * hidden * 2048) * (1 + 4 / 128**2) / 8
    router, head = 58 * 256 * hidden * 2, hidden * 129280 * 2 / 8
    cache = 32 * (1024 + 1) * 61 * 576 * 2 + 32 * hidden * 2
    step = build_step(load("deepseek-ai/DeepSeek-V3"), Layout(tp=8))
    found = step_time(step, Load.decode(32, 1024), chip("h200"))
    assert float(found.seconds) == pytest.approx(
        (experts + latents + rest + router + head + cache) / bandwidth, rel=1e-3
    )


@pytest.mark.parametrize(
    ("work", "milliseconds"),
    [(Load.decode(1, 1024), 5.2), (Load.decode(128, 8192), 18.0), (Load.prefill(1, 8192), 153)],
)
def test_llama_70b_bf16_on_8_h100(work, milliseconds):
    step = build_step(load("meta-llama/Meta-Llama-3.1-70B"), Layout(tp=8))
    assert float(step_time(step, work, chip("h100")).seconds) * 1e3 == pytest.approx(milliseconds, rel=0.01)


def test_kv_is_read_once_and_the_third_matrix_counted():
    """anchors.md: KV read twice, attention at length 1, the gate matrix forgotten."""
    arch = load("meta-llama/Meta-Llama-3.1-70B")
    found = step_time(build_step(arch, Layout()), Load.decode(1, 8192), chip("h100"), convention="machine")
    rows = {r.name: r for r in found.rows}
    assert rows["attention: every earlier token"].work.bytes == pytest.approx((8192 + 1) * 327_680)
    assert rows["attention: every earlier token"].work.flops == pytest.approx(8193 * 80 * 4 * 64 * 128)
    assert rows["dense FFN"].work.bytes == pytest.approx(80 * 3 * 8192 * 28672 * 2)


def test_moe_reads_neither_k_nor_all_experts():
    arch = load("deepseek-ai/DeepSeek-V3")
    step = build_step(arch, Layout())
    per_expert = 58 * 3 * 7168 * 2048 * (1 + 4 / 128**2)
    for batch, wanted in ((1, 8), (32, 163), (64, 222)):
        rows = {r.name: r for r in step_time(step, Load.decode(batch, 0), chip("h200")).rows}
        assert rows["routed experts"].work.bytes / per_expert == pytest.approx(wanted, abs=1)
