"""Limits with known answers: queues in closed form, the mean field of closed loops, a request alone."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from catalogued import load
from headway.hardware import chip
from headway.parallel import Layout, build_step, read_layout
from headway.plan.simulated import simulate as on_plan
from headway.questions import Request
from headway.report.simulations import simulation_text
from headway.roofline import PassClock, compiled, profile
from headway.serving import answer, case, setting
from headway.simulation import Requests
from headway.simulation.deployment import deployment
from headway.simulation.limits import Limits
from headway.simulation.policies import Chunked, DecodeFirst, PrefillFirst
from headway.simulation.results import quantiles
from headway.simulation.run import simulate
from headway.simulation.traffic.lengths import around
from headway.simulation.traffic.sessions import ClosedLoop
from headway.simulation.traffic.sizes import Independent

H100 = chip("H100 SXM")
CLOCK = PassClock(compiled(build_step(load("llama-3.1-8b"), Layout()), H100, profile("vllm").on(H100)))
ONE_SEAT = Limits(1 << 30, 1, 1 << 30)


def waits(rate, prompt, output, seed):
    """Queueing times behind one seat: mean, its standard error from batches, and service times."""
    rng = np.random.default_rng(seed)
    requests = Requests(np.cumsum(rng.exponential(1 / rate, len(prompt))), prompt, output)
    log = simulate(CLOCK, ONE_SEAT, DecodeFirst(), requests)
    batches = log.queued[: len(prompt) // 40 * 40].reshape(40, -1).mean(axis=1)
    return float(log.queued.mean()), float(batches.std(ddof=1) / 40**0.5), log.end - log.start


@pytest.mark.parametrize("load_of", [0.3, 0.7, 0.85])
def test_one_length_is_m_d_1(load_of):
    """Wait = rho D / (2 (1 - rho)) (Khinchine 1932)."""
    count = 40_000
    service = CLOCK.seconds(CLOCK.amounts_of(500, 0), 500.0)
    found, sure, _ = waits(load_of / service, np.full(count, 500), np.ones(count, dtype=int), 1)
    assert found == pytest.approx(load_of * service / (2 * (1 - load_of)), abs=4 * sure)
    assert sure < 0.05 * found


def test_exponential_lengths_are_m_g_1():
    """Wait = rate E[S^2] / (2 (1 - rho)) (Pollaczek 1930, Khinchine 1932): with exponential answers nearly M/M/1."""
    rng = np.random.default_rng(2)
    count = 30_000
    output = np.maximum(rng.exponential(100, count), 2).astype(int)
    rate = 0.7 / 0.72  # some 0.7 of a seat that takes 0.7 s a request
    found, sure, service = waits(rate, np.full(count, 20), output, 3)
    rho = rate * float(service.mean())
    assert 0.5 < rho < 0.9
    assert found == pytest.approx(rate * float((service**2).mean()) / (2 * (1 - rho)), abs=4 * sure)
    m_m_1 = rho * float(service.mean()) / (1 - rho)
    assert found == pytest.approx(m_m_1, rel=0.2)


def closed(users, rounds, prompt, output, spread, seed=1):
    rng, n = np.random.default_rng(seed), users * rounds

    def lengths(mean):
        return np.maximum(np.rint(mean * (1 + spread * (2 * rng.random(n) - 1))), 1).astype(int)

    return Requests(np.zeros(n), lengths(prompt), lengths(output), after=np.maximum(np.arange(n) - users, -1))


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm"])
@pytest.mark.parametrize("users", [1, 4, 16, 64])
@pytest.mark.parametrize(("prompt", "output"), [(1024, 1024), (512, 256), (4096, 512)])
def test_closed_loops_are_their_mean_field(engine, users, prompt, output):
    """TPOT within 5 % where lengths are spread as benchmarks spread them; the time of a request, too."""
    s = setting(Request("llama-3.1-70b", "h100x4", prompt=prompt, output=output, engine=engine, length_spread=0.111))
    s = dataclasses.replace(s, numbers=dataclasses.replace(s.numbers, cold_seconds=0.0))
    field = answer(case(s, Layout(tp=4), concurrency=users, copies=1))
    log = deployment(s, Layout(tp=4)).run(closed(users, 10, prompt, output, 0.111))
    assert field.tpot == pytest.approx(float(np.nanmean(log.tpot)), rel=0.05)
    took = field.ttft + (output - 1) * field.tpot
    assert took == pytest.approx(float((log.end - log.arrival).mean()), rel=0.05)


@pytest.mark.parametrize("users", [4, 16, 64])
@pytest.mark.parametrize("prompt", [64, 256, 1024])
def test_first_tokens_of_closed_loops_are_their_mean_field(users, prompt):
    """A prompt's own pass carries the answers of others; the first round shares full passes, all of it one where it fits."""
    s = setting(Request("llama-3.1-70b", "h100x4", prompt=prompt, output=512, engine="vllm", length_spread=0.111))
    s = dataclasses.replace(s, numbers=dataclasses.replace(s.numbers, cold_seconds=0.0, accept_seconds=0.0))
    field = answer(case(s, Layout(tp=4), concurrency=users, copies=1)).served
    log = deployment(s, Layout(tp=4)).run(closed(users, 10, prompt, 512, 0.111))
    assert field.ttft == pytest.approx(float(np.nanmean(log.ttft)), rel=0.07)
    later = float(np.nanmean(log.ttft[users:]))
    assert field.ttft_median == pytest.approx(later, rel=0.15)


@pytest.mark.parametrize("engine", ["modern", "vllm", "sglang"])
@pytest.mark.parametrize(("model", "on", "layout", "users"), [
    ("deepseek-v3", "h200x8", Layout(dp=8, ep=8), 64), ("deepseek-v3", "h200x8", Layout(dp=8, ep=8), 304),
    ("gpt-oss-120b", "h100x4", Layout(dp=4, ep=4), 64),
])  # fmt: skip
def test_data_parallel_groups_are_held_up_alike(engine, model, on, layout, users):
    """A prompt of one group holds all of them up: the mean field says how many share a pass by chance, the loop has them."""
    s = setting(Request(model, on, prompt=2048, output=512, engine=engine, length_spread=0.111))
    s = dataclasses.replace(s, numbers=dataclasses.replace(s.numbers, cold_seconds=0.0))
    field = answer(case(s, layout, concurrency=users, copies=1))
    log = deployment(s, layout).run(closed(users, 10, 2048, 512, 0.111))
    near = 0.08 if users < 100 else 0.22  # of a full machine the mean field says too few share a pass
    assert field.tpot == pytest.approx(float(np.nanmean(log.tpot)), rel=near)
    took = field.ttft + 511 * field.tpot
    assert took == pytest.approx(float((log.end - log.arrival).mean()), rel=near)


def test_an_engine_that_gathers_makes_prompts_wait():
    """TensorRT-LLM's attention_dp_config: longer to the first token, fewer pauses of the others."""
    s = setting(Request("deepseek-r1", "h200x8", prompt=1024, output=1024, engine="trtllm"))
    waits, not_ = (
        answer(
            case(
                dataclasses.replace(s, engine=dataclasses.replace(s.engine, gather=g)),
                Layout(dp=8, ep=8),
                concurrency=64,
            )
        )
        for g in (60.0, 0.0)
    )
    step = waits.seconds["decode"]
    assert 30 * step < waits.ttft_median - not_.ttft_median < 60 * step
    assert waits.tpot < not_.tpot
    one = [answer(case(dataclasses.replace(s, engine=dataclasses.replace(s.engine, gather=g)), Layout(tp=8), concurrency=64))
           for g in (60.0, 0.0)]  # fmt: skip
    assert one[0].ttft == one[1].ttft  # nothing to wait for


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_request_alone_sees_what_the_plan_says(engine):
    s = setting(Request("llama-3.1-70b", "h100x4", prompt=1000, output=100, engine=engine))
    alone = answer(case(s, Layout(tp=4), concurrency=1, copies=1))
    log = deployment(s, Layout(tp=4)).run(Requests(np.zeros(1), np.array([1000]), np.array([100])))
    assert log.ttft[0] == pytest.approx(alone.ttft_median, rel=1e-6)
    assert log.tpot[0] == pytest.approx(alone.tpot, rel=1e-3)


@pytest.mark.parametrize("policy", [Chunked(), PrefillFirst(), DecodeFirst()])
def test_saturation_is_said(policy):
    rng = np.random.default_rng(4)

    def at(rate, count=1500):
        return Requests(np.cumsum(rng.exponential(1 / rate, count)), np.full(count, 500), np.full(count, 100))

    asked = Request("llama-3.1-8b", "h100x1", prompt=500, output=100, batch=None)
    calm, full = (on_plan(asked, at(rate), policy=policy) for rate in (5.0, 500.0))
    assert not calm.saturated
    assert calm.carried == pytest.approx(calm.offered, rel=0.02)
    assert full.saturated
    assert "the queue grows without bound" in simulation_text(full)
    assert full.carried < 100
    assert full.dollars_per_mtok < calm.dollars_per_mtok


def test_money_is_the_rent_over_the_tokens():
    requests = Requests(np.arange(50) * 1.0, np.full(50, 500), np.full(50, 100))
    found = on_plan(Request("llama-3.1-8b", "h100x1", price=3.6 / 3600), requests)
    assert found.dollars_per_mtok == pytest.approx(1e-3 * found.span / 5000 * 1e6)
    assert found.goodput() == pytest.approx(found.carried)
    assert found.goodput(ttft=1e-6) == 0
    assert found.goodput(tpot=1e-6) == 0


def test_quantiles_know_what_they_do_not_know():
    """80 % intervals hold the true quantile in 8 of 10 samples; a p99 of 50 is only the largest."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        (q,) = quantiles(rng.exponential(1, 1000), [0.9])
        held += q.low <= -math.log(0.1) <= q.high
    assert 0.75 <= held / 400 <= 0.88
    (few,) = quantiles(rng.exponential(1, 50), [0.99])
    assert not few.known
    (none,) = quantiles(np.full(3, np.nan), [0.5])
    assert math.isnan(none.value)


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm", "llama.cpp"])
@pytest.mark.parametrize(
    "model", ["gpt-oss-120b", "gemma-3-27b", "deepseek-v4-flash", "mimo-v2-flash", "llama-4-maverick", "qwen3.5-27b"]
)
def test_the_simulated_pool_holds_as_many_as_a_plan_says(model, engine):
    """Whatever windows, states and pools a model has: pages apart (an eighth: states of V4 lie in whole pages), one memory."""
    s = setting(Request(model, "b200x8", prompt=8000, output=1000, engine=engine))
    limits = deployment(s, Layout(tp=8)).limits
    account = s.account(Layout(tp=8))
    assert limits.blocks * limits.block / account.tokens == pytest.approx(account.holds, rel=0.13)


@pytest.mark.parametrize(
    ("model", "system", "layout", "users", "prompt", "output"),
    [
        ("qwen3-0.6b", "trn3-144", "tp8", 256, 30_000, 200),
        ("llama-13b", "Ryzen 9 5950Xx4", "tp4", 256, 1000, 50),
        ("minimax-m2.5", "b300x8", "dp4ep4", 256, 8000, 50),
        ("llama-3.1-8b", "h100x1", "tp1", 64, 8000, 100),
        ("llama-3.1-8b", "h100x1", "tp1", 64, 1000, 1000),
    ],
)
def test_who_waits_for_a_prompt_does_not_decode(model, system, layout, users, prompt, output):
    """Little's law in the mean field: where prompts are the queue few decode, and a step is theirs, as in the loop itself.

    With all of them in every step the first said 1.9 times the time, the third 1.25.
    """
    s = setting(Request(model, system, prompt=prompt, output=output))
    s = dataclasses.replace(s, numbers=dataclasses.replace(s.numbers, cold_seconds=0.0))
    x = read_layout(layout)
    field = answer(case(s, x, concurrency=users, copies=1))
    rng = np.random.default_rng(2)
    sizes = Independent(around(prompt, s.length_spread), around(output, s.length_spread))
    log = deployment(s, x).run(ClosedLoop(users, 10).draw(sizes, rng))
    steady = slice(2 * users, 8 * users)
    assert field.tpot == pytest.approx(float(np.nanmean(log.tpot[steady])), rel=0.08)
    whole = float((log.end - log.arrival).mean())
    assert users / whole == pytest.approx(field.output_rate / output, rel=0.08)
    decode = users * output * field.tpot / whole
    assert field.served.decoding == pytest.approx(decode, rel=0.12)
    assert field.tpot >= field.tpot_floor


def test_a_prompt_under_way_takes_its_pass_of_the_pool():
    """DeepSeek-V4 keeps windows and inputs of compressors of a whole pass: of a small pool little is left, for a plan as in the loop."""
    s, x = (
        setting(Request("sgl-project/DeepSeek-V4-Flash-FP8", "tpu-v4-64", prompt=8000, output=1000)),
        read_layout("tp2dp8ep16"),
    )
    account, limits = s.account(x), deployment(s, x).limits
    assert account.passing > 0.8 * account.free
    assert account.holds < 0.05 * account.free / account.per_sequence * account.groups
    assert limits.blocks * limits.block / account.tokens == pytest.approx(account.holds, rel=0.5)


def test_prompts_of_several_passes_share_them_across_groups():
    """Eight groups, prompts of four passes each: those that come meanwhile ride along. Counting those of one pass alone made 1.46 of it."""
    s, x = (
        setting(Request("nvidia/DeepSeek-V3.2-NVFP4", "tpu-v5e-256", prompt=30_000, output=4000, engine="ideal")),
        read_layout("tp32dp8ep256"),
    )
    field = answer(case(s, x, concurrency=16, copies=1))
    sizes = Independent(around(30_000, s.length_spread), around(4000, s.length_spread))
    log = deployment(s, x).run(ClosedLoop(16, 10).draw(sizes, np.random.default_rng(3)))
    assert 16 / float((log.end - log.arrival).mean()) == pytest.approx(field.output_rate / 4000, rel=0.15)
