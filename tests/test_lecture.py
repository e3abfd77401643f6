"""SYS-H6 and the acceptance rows of the lecture's checklist, each citing its id. Tolerance 1e-3 unless the row says."""

from __future__ import annotations

import dataclasses
import json
import math
from decimal import Decimal

import numpy as np
import pytest

from headway import batching, economics, lecture, parallel, training
from headway.catalog import catalogue
from headway.cli.app import run
from headway.equations import equations
from headway.errors import InputError, PhysicsError
from headway.hardware import chip, drain_time, hardware_ratio, weights_read_time
from headway.learn import cards
from headway.learn.claims import KINDS, claim, claims, defaults
from headway.models import Reach, bytes_per_token_closed_form, fraction_touched, touched_experts
from headway.models.quality import effective_dense_parameters
from headway.roofline import Load, dense_step, movement_energy, roofline, roofline_lecture_units, step_time


def near(value, relative=1e-3):
    return pytest.approx(value, rel=relative)


# --- A. roofline and batching


def test_sys_a1_roofline_exact_mode():
    r = roofline(2400, 8192, 2048, 37e9, 700e9, 0.5, 64 * 10e15, 64 * 8e12)
    assert r.compute == near(0.2775e-3)
    assert r.weights == near(0.68359e-3)
    assert r.kv == near(0.07864e-3)
    assert r.seconds == near(0.76224e-3)
    assert r.bound == "memory"
    big = roofline(20000, 8192, 2048, 37e9, 700e9, 0.5, 64 * 10e15, 64 * 8e12)
    assert big.seconds == near(2.3125e-3)
    assert big.bound == "compute"
    assert big.mfu == near(1.0)


def test_sys_a1_lecture_mode_has_no_factor_two():
    """H = 300, parameters are bytes: at B = 300 s the two times meet (E5)."""
    r = roofline_lecture_units(2400, 0, 0, 1e11, 8e11, 300, 1e12)
    assert r.compute == near(float(r.weights))


class _Machine:
    """64 GB200 at the lecture's rates, as one machine."""

    bandwidth = 64 * 8e12
    link = 1.0
    joined = 64

    def beyond(self, ranks):
        return 1.0

    def peak(self, chain):
        return 64 * 10e15

    def rate_kind(self, chain):
        return chain[0]


@pytest.mark.parametrize("convention", ["kernels", "machine"])
def test_closed_form_equals_step_time_on_one_row(convention):
    """design.md section 1: the closed form is `step_time` on a one-row Step, ideal, both conventions."""
    batch, context = np.array([1.0, 100.0, 2400.0, 20000.0])[:, None], np.array([0.0, 8192.0, 2e5])
    step = dense_step(700e9, 37e9, 0.5, 2048)
    found = step_time(step, Load.decode(batch, context), _Machine(), convention=convention)
    wanted = roofline(batch, context, 2048, 37e9, 700e9, 0.5, 64 * 10e15, 64 * 8e12)
    np.testing.assert_allclose(found.seconds, np.broadcast_to(wanted.seconds, found.seconds.shape), rtol=1e-12)
    assert (found.bound == wanted.bound).all()


def test_sys_a2_curve_limits_and_knee():
    step = dense_step(700e9, 37e9, 0.5, 2048)
    scene = batching.Scene(step, _Machine(), __import__("headway.roofline", fromlist=["x"]).Calibration.ideal())
    curve = batching.against_batch(scene, np.geomspace(1e-3, 1e6, 200), 0.0, 1, 1.0)
    weights = 700e9 * 0.5 / (64 * 8e12)
    assert curve.seconds[0] == near(weights)  # latency at B -> 0
    assert curve.cost[0] * curve.x[0] == near(weights)  # cost x B -> t_weights
    assert curve.cost[-1] == near(2 * 37e9 / (64 * 10e15))  # cost floor: compute per token
    knee = curve.x[np.argmax(curve.bound == "compute")]
    exact = batching.balance_batch(hardware_ratio(10e15, 8e12, 0.5), 700 / 37)
    assert batching.lines(scene, 0.0).balance_batch == near(exact)  # knee matches SYS-A3
    assert exact <= knee <= exact * 1.12


def test_sys_a3_balance_batch():
    assert batching.balance_batch(300, 8) == 2400
    assert batching.recommended_range(2400, 2, 3) == (4800, 7200)
    assert batching.balance_batch_with_kv(2400, 100e3, 200e3) == near(4800)  # L = L*/2
    assert math.isinf(batching.balance_batch_with_kv(2400, 200e3, 200e3))  # no solution
    assert math.isinf(batching.balance_batch_with_kv(2400, 300e3, 200e3))


@pytest.mark.parametrize("call", [lambda: batching.balance_batch(300, 0.125), lambda: batching.sparsity(37e9, 671e9)])
def test_sys_a3_inverted_sparsity_is_refused_with_the_hint(call):
    """DIS-1: 0.125 must never give 37.5."""
    with pytest.raises(InputError, match=r"total over active.*37\.5"):
        call()


def test_sys_a4_hardware_table():
    assert hardware_ratio(989.5e12, 3.35e12, 2) == near(295.4)
    assert hardware_ratio(1979e12, 3.35e12, 1) == near(295.4)
    assert hardware_ratio(10e15, 8e12, 0.5) == near(312.5)
    assert hardware_ratio(np.array([312e12, 312e12]), np.array([1.555e12, 2.039e12]), 2) == near(
        np.array([200.6, 153.0])
    )
    assert drain_time(288e9, 20e12) == near(14.4e-3)
    assert chip("h100").drain_time == near(23.88e-3)
    assert drain_time(192e9, 8e12) == near(24.0e-3)
    assert chip("h100").peak(("bf16",)) / 2 * 2 / chip("h100").bandwidth == near(295.4)


def test_sys_a5_dollars():
    rent = 2 / 3600
    assert batching.per_million(batching.cost_per_token(0.020, 2000, 72, rent)) == near(0.40)
    assert batching.per_million(batching.cost_per_token(0.020, 1, 72, rent)) == near(800)


def test_sys_a6_batching_penalty():
    assert batching.batching_penalty(2400, np.array([1, 1200, 2400, 9600])) == near(np.array([2400, 2, 1, 1]))


def test_sys_a8_throughput_and_scale():
    assert batching.throughput(2000, 1 / 64) == 128_000
    assert batching.throughput(2000, 0.020) == near(100_000)
    assert batching.throughput(2000, 0.015) == near(133_333)
    assert batching.share_of_traffic(128e3, 128e6) == near(1 / 1000)
    assert batching.systems_needed(500e6, 128e3) == 3907


def test_trains_e8_and_departures():
    assert batching.worst_wait(0.020) == near(0.040)
    assert batching.mean_wait(0.020) == near(0.030)
    assert batching.completion_window(0.020, 5) == (near(0.1), near(0.12))
    light = batching.departures(0.020, 2000, 10, 100)
    assert (light.mean, light.worst) == (near(0.030), near(0.040))
    assert light.fill == near(10 * 100 * 0.020 / 2000)
    full = batching.departures(0.020, 2, 1000)
    assert full.saturated
    assert math.isinf(full.mean)


def test_sys_a9_tiers():
    assert economics.implied_batch_cut(6, 2.5) == 15
    # memory: weights 1 ms; 1 us of compute and 0.4 us of KV per sequence: balance at 1667
    tier = economics.tier_at(2.0, 5000, 1e-3, 0.4e-6, 1e-6)
    assert tier.step_seconds == near(2.5e-3)
    assert tier.batch == near(2500)
    assert tier.price_multiple == near(1.0)  # both batches sit on the compute floor
    fast = economics.tier_at(4.0, 5000, 1e-3, 0.4e-6, 1e-6)
    assert fast.batch == near((1.25e-3 - 1e-3) / 0.4e-6)
    assert fast.price_multiple > 1.5
    slow = economics.tier_at(0.5, 5000, 1e-3, 0.4e-6, 1e-6)
    assert slow.price_multiple == near(1.0)  # a slow tier past B* saves 0 %
    with pytest.raises(PhysicsError, match="floor"):
        economics.tier_at(5.1, 5000, 1e-3, 0.4e-6, 1e-6)


def test_sys_a10_expert_coverage():
    assert fraction_touched(32, 1) == near(0.03125)
    assert fraction_touched(32, 100) == near(0.958)
    assert touched_experts(256, 8, 1) == near(8)
    # anchors.md: measured 164 and 226 of 256 at batch 32 and 64, the formula gives 163 and 222
    assert touched_experts(256, 8, np.array([32, 64])) == pytest.approx(np.array([163, 222]), abs=1)


def test_expert_coverage_with_skew():
    even, uneven = touched_experts(256, 8, 64.0), touched_experts(256, 8, 64.0, 1.0)
    assert uneven < even
    assert touched_experts(256, 8, 1.0, 1.0) == near(8)  # still k at one token
    assert touched_experts(256, 8, 1e9, 1.0) == near(256)


def test_sys_a11_routed_scaling_law():
    assert effective_dense_parameters(370e6, 64) == near(1.3686e9)
    assert effective_dense_parameters(5e6, 128) == near(51.8e6)
    assert effective_dense_parameters(370e6, 64, "HASH") == near(1116e6)
    assert effective_dense_parameters(370e6, 64, "RL-R") == near(998e6)
    assert effective_dense_parameters(np.array([1e8, 1e9]), 1) == near(np.array([1e8, 1e9]))


# --- B. context and attention


def test_sys_b1_goldilocks():
    assert batching.goldilocks_context(1e11, 300, 1666.67) == near(200_000)
    assert batching.mfu_at_context(np.array([50e3, 100e3, 200e3]), 100e3) == near(np.array([1.0, 1.0, 0.5]))


def test_sys_b3_kv_bytes():
    assert bytes_per_token_closed_form(1, 128, 8, 1) == 2048
    assert bytes_per_token_closed_form(8, 128, 1, 1) == 2048
    assert bytes_per_token_closed_form(61, 576 / 2, 1, 2) == 70_272


def test_sys_b4_read_laws():
    assert Reach("sqrt").entries(1e8) == near(1e4)
    assert Reach("top-k", 2048).entries(1000.0) == 1000  # k >= L is dense
    assert Reach("top-k", 2048).entries(5000.0) == 2048
    assert Reach("top-k", 2048).stored(5000.0) == 5000  # sparse reading frees no memory
    assert Reach("window", 128).stored(5000.0) == 128
    assert Reach("fraction", scale=1 / 8).entries(8000.0) == near(1000)
    assert Reach("full", ratio=4).entries(8000.0) == near(2000)
    assert bytes_per_token_closed_form(10 / 2.5, 128, 8) == near(bytes_per_token_closed_form(10, 128, 8) / 2.5)


def test_sys_b5_quadratic_context():
    assert batching.quadratic_context(1e11, 1666.67, 1, 8) == near(7.5e6)
    crossing = batching.attention_flops_per_token(7.5e6, 1666.67, 1, 8)
    assert crossing == near(2 * 1e11)


# --- C. MoE and rack


def test_sys_c2_placement():
    p = parallel.place_experts(256, 72)
    assert (p.used, p.idle, p.per_chip) == (64, 8, 4)
    assert p.idle_share == near(0.111, 2e-3)
    with pytest.raises(InputError):
        parallel.place_experts(0, 8)


def test_sys_c4_all_to_all():
    assert parallel.all_to_all_slowdown(np.array([2, 4, 8])) == near(np.array([4.0, 6.0, 7.0]))
    assert parallel.crossing_fraction(2) == 0.5
    assert parallel.hops(False, True) == 2
    assert parallel.hops(True, True) == 0
    assert parallel.hops(False, False) == 4  # to the rack's switch, out, in, and down again


def test_sys_c5_domains():
    assert parallel.Domain(8, 80e9, 3.35e12, 18).memory == 640e9
    assert parallel.Domain(72, 192e9, 8e12, 18).memory == near(13.8e12, 5e-3)
    assert parallel.Domain(72, 192e9, 8e12, 18).bandwidth == near(
        21.5 * parallel.Domain(8, 80e9, 3.35e12, 18).bandwidth
    )
    assert parallel.Domain(144, 192e9, 8e12, 18).cables == 2 * parallel.Domain(72, 192e9, 8e12, 18).cables


# --- D. pipelining and capacity


def test_sys_d1_rack_boundary():
    ratio = parallel.scale_up_over_scale_out(np.array([32, 16, 8, 4, 2, 2]), np.array([1, 1, 1, 1, 1, 2]))
    assert ratio == near(np.array([8.0, 4.0, 2.0, 1.0, 0.5, 1.0]))
    assert parallel.fewest_layers_per_stage(2) == 2
    assert parallel.fewest_layers_per_stage(1) == 4  # drill c
    assert parallel.scale_up_over_scale_out(8, 1, both_ways=False) == 1.0


def test_sys_d2_decode_pipeline_closed_form():
    assert parallel.decode_idle_fraction(4, np.array([1, 2, 3, 4, 5])) == near(np.array([0.75, 0.5, 0.25, 0, 0]))
    assert parallel.decode_token_latency(4, np.array([1, 4, 5])) == near(np.array([4, 4, 5]))


def test_sys_d3_bubbles_closed_form():
    assert parallel.training_bubble(4, np.array([1, 4, 8, 16])) == near(np.array([0.75, 0.4286, 0.2727, 0.1579]))
    assert parallel.activations_held(4, 16, "gpipe") == 16
    assert parallel.activations_held(4, 16) == 4


def test_sys_d4_capacity_and_the_cancelling_p():
    c = parallel.capacity_per_chip(1e12, 1, 2400, 100e3, 2000, 64, np.array([1, 2, 4, 8]))
    assert c.weights == near(np.array([15.625e9, 7.8125e9, 3.90625e9, 1.953e9]))
    assert c.kv == near(np.full(4, 7.5e9))
    assert c.global_batch[2] == 9600
    assert c.total[0] == near(23.125e9)


def test_sys_d5_latency():
    assert weights_read_time(1e12, 1, 8, 3.35e12) == near(37.3e-3)
    assert weights_read_time(1e12, 1, 72, 8e12) == near(1.736e-3)
    assert parallel.latency_with_hops(0.020, 4, 2.5e-3) == near(0.030)
    assert parallel.latency_with_hops(0.020, 4, np.array([0.25e-3, 25e-3])) == near(np.array([0.021, 0.120]))


# --- E. training economics


def test_sys_e1_cost_balance():
    best = training.balance_power_laws(9, 1, 4, 1)
    assert (best.x, best.first, best.second) == (near(1.5), near(6), near(6))
    assert best.equal_costs
    many = training.balance_power_laws(np.array([9.0, 1.0]), 1, np.array([4.0, 1.0]), np.array([1.0, 2.0]))
    assert many.equal_costs.tolist() == [True, False]
    e = training.balance_costs(lambda x: math.exp(-x), math.exp, -3, 3)
    assert e.x == pytest.approx(0, abs=1e-6)
    assert e.equal_costs
    skewed = training.balance_power_laws(1, 1, 1, 2)
    assert skewed.first / skewed.second == near(2)
    assert not skewed.equal_costs
    numeric = training.balance_costs(lambda x: 1 / x, lambda x: x**2, 0.01, 10)
    assert numeric.x == near(skewed.x)


def test_sys_e2_flops():
    cost = training.lifetime(1e11, 2e14, 1.3333e14, 2e14, 3, 1 / 3)
    assert (cost.pretraining, cost.reinforcement, cost.inference) == (near(1.2e26), near(1.2e26), near(1.2e26))
    assert sum(cost.shares) == near(1)
    ranged = training.lifetime(1e11, 2e14, 1.3333e14, 2e14, np.array([2.0, 6.0]), np.array([0.3, 1 / 3]))
    assert ranged.reinforcement == near(np.array([2 * 1e11 * 1.3333e14 / 0.3, 2.4e26]))
    with pytest.raises(InputError):
        training.lifetime(1e11, 1, 1, 1, factor=9)
    assert training.rollout_factor(np.array([0, 0.25, 1])) == near(np.array([2, 3, 6]))
    assert training.rollout_factor(1, rerun_forward=True) == 8


def test_sys_e3_token_balance():
    b = training.token_balance(3, 1 / 3)
    assert (b.over_reinforcement, b.over_inference) == (near(1.5), near(1.0))
    b = training.token_balance(3, 0.3)
    assert (b.over_reinforcement, b.over_inference) == (near(1.667), near(1.111))
    assert training.token_balance(2, 1 / 3).over_reinforcement == near(1.0)
    assert training.token_balance(6, 1 / 3).over_reinforcement == near(3.0)
    half = training.token_balance(3, 1 / 3, (1, 1, 2))
    assert 1 / half.over_inference == near(2)  # 25/25/50: D_inf = 2 D_pre
    drill = training.token_balance(6, 0.25)
    assert (drill.over_reinforcement, drill.over_inference) == (near(4), near(1.333))


def test_sys_e4_lifetime_tokens():
    assert training.lifetime_tokens(500e6, 60) == near(2.592e15)
    assert training.lifetime_tokens(50e6, 60) == near(2.592e14)
    assert training.lifetime_tokens(50e6, 60, used=0.5) == near(1.296e14)


def test_sys_e5_over_training():
    assert training.over_training(200e12, 100e9).chinchilla_tokens == near(2e12)
    assert training.over_training(np.array([200e12, 150e12, 2.592e14]), 100e9).ratio == near(np.array([100, 75, 129.6]))


def test_sys_e7_ranges():
    r = training.over_training_range((20e6, 100e6), (50e9, 200e9), (30, 90))
    assert (r.low, r.high) == (near(13, 5e-3), near(778, 1e-3))
    assert sum(r.drivers.values()) == near(1)
    whole = math.log(5 * 4 * 3)
    assert r.drivers == near(
        {"tokens_per_second": math.log(5) / whole, "n_active": math.log(4) / whole, "days": math.log(3) / whole}
    )


def test_chinchilla_refit():
    """Besiroglu et al. 2024: 18.4 tokens per parameter at 5.76e23 FLOP; the constants printed in 2022 give 93."""
    assert training.scaling_law("besiroglu2024").optimal_tokens_per_parameter(5.76e23) == near(18.4, 5e-3)
    assert training.scaling_law("hoffmann2022").optimal_tokens_per_parameter(5.76e23) == near(93, 1e-2)


def test_scaling_law_at_chinchilla():
    """Hoffmann et al. 2022, 70B parameters and 1.4T tokens: 1.69 + 0.083 for the model's size + 0.163 for the data's."""
    law = training.scaling_law("hoffmann2022")
    assert law.loss(70e9, 1.4e12) == near(1.936)
    assert law.loss(math.inf, 1.4e12) - law.e == near(0.163, 1e-2)
    assert law.loss(70e9, math.inf) - law.e == near(0.083, 1e-2)
    best = min(np.geomspace(1e8, 1e12, 4001), key=lambda n: law.loss(n, 1e23 / 6 / n))  # the optimum is the loss's own
    assert 1e23 / 6 / best**2 == near(law.optimal_tokens_per_parameter(1e23), 1e-2)


# --- F. prices and memory tiers


def test_sys_f1_price_step():
    k = economics.kv_bytes_from_step(100e9, 200e3, 300)
    assert k == near(1666.7)
    assert economics.kv_bytes_from_step(100e9, 200e3, 300, 0.5) == near(833, 1e-3)
    shapes = economics.candidate_shapes(k)
    assert any((s.layers, s.head_dim, s.kv_heads) == (1, 128, 8) for s in shapes)
    assert abs(shapes[0].relative) <= abs(shapes[-1].relative)
    assert batching.goldilocks_context(100e9, 300, 2048) == near(162_760)


def test_sys_f2_two_price_tariff():
    assert economics.covered_context(1.5, 200e3) == near(300e3)
    assert economics.mean_context_cost(200e3, 400e3, 200e3) == near(1.5)
    assert economics.mean_context_cost(400e3, 400e3, 200e3) == near(2.0)  # of one context its own
    at_million = economics.check_tariff(1e6, 200e3, 1.5, 200e3)
    assert at_million.cost == near(5.0)
    assert at_million.loses
    assert not economics.check_tariff(250e3, 200e3, 1.5, 200e3).loses


def test_sys_f3_price_ratio():
    r = economics.read_price_ratio(5, 1)
    assert (r.memory_over_compute, r.decode_mfu, r.crossover_tokens) == (5, near(0.2), 5)
    assert economics.read_price_ratio(3, 1).decode_mfu == near(1 / 3)
    # E24: t_mem = 5 t_compute at p = 1, so passes of 5 and more tokens per sequence are compute bound
    cost = batching.pass_cost(np.array([1, 5, 10]), 100, 1e-6, 5e-4)
    assert cost / 1e-6 == near(np.array([5, 1, 1]))


def test_sys_f4_tiers():
    tiers = {t.name: t for t in economics.catalogue_tiers()}
    hbm, ddr, flash, disk = (tiers[n] for n in ("HBM", "DDR", "flash", "disk"))
    again = economics.Recompute(economics.recompute_cost(1e11, 5e15, 2 / 3600))
    assert economics.crossover(hbm, ddr, 2048) == near(0.01913)
    assert economics.crossover(ddr, flash, 2048) == near(5.99)
    assert economics.crossover(flash, disk, 2048) == near(2738)
    assert economics.crossover(disk, again, 2048) == near(3.9e8, 1e-2)
    assert economics.crossover(hbm, again, 2048) == near(3750)
    assert economics.hbm_against_recompute(1e11, 5e15, 192e9, 2048) == near(3750)
    options = [hbm, ddr, flash, disk, again]
    chosen = [economics.cheapest(options, 2048, t).name for t in (0.001, 1.0, 100, 1e4, 1e9)]
    assert chosen == ["HBM", "DDR", "flash", "disk", "recompute"]


def test_sys_f5_drain_rule():
    wanted = {0.02: "HBM", 5: "DDR", 300: "flash", 3600: "disk"}
    assert {t: economics.tier_of_ttl(t)[0] for t in wanted} == wanted
    assert economics.tier_of_ttl(300)[1] == near(5)


def test_sys_f5_nearest_is_by_ratio():
    """1,000 s is 3.6 times less than an hour and 17 times more than a minute, though nearer to it in seconds."""
    assert economics.tier_of_ttl(1000)[0] == "disk"
    assert economics.tier_of_ttl(1000, {"a": 1.0, "b": 1e5})[0] == "b"


def test_sys_f7_bill():
    sheet = economics.PriceSheet(5, 25, 0.5, 6.25, 10, speed={"fast": 6})
    assert economics.bill(economics.Usage(cache_hit=1e6), sheet).total == Decimal("0.50")
    assert economics.bill(economics.Usage(input=1e6, output=1e6), sheet, "fast").total == 180
    gemini = economics.PriceSheet(2, 12, threshold=200e3, input_above=4, output_above=18)
    above = economics.bill(economics.Usage(input=201e3, output=1000), gemini)
    assert above.lines["input"] == Decimal(201000) * 4 / 10**6  # all tokens are repriced
    assert above.lines["output"] == Decimal("0.018")
    assert above.total == sum(above.lines.values())  # rule 7
    at = economics.bill(economics.Usage(input=200e3, output=1000), gemini)
    assert at.lines["input"] == Decimal("0.4")
    with pytest.raises(InputError, match="no price"):
        economics.bill(economics.Usage(cache_hit=10), gemini)
    with pytest.raises(InputError, match="speed tier"):
        economics.bill(economics.Usage(input=10), gemini, "warp")


def test_sys_f8_cache_premium():
    five, hour = economics.cache_premium(5, 6.25, 0.5, 300), economics.cache_premium(5, 10, 0.5, 3600)
    assert (five.per_second, hour.per_second) == (near(0.0041667), near(0.0013889))
    assert five.per_second / hour.per_second == near(3.0)
    assert (five.break_even_hits, hour.break_even_hits) == (1, 2)


# --- G, H. reversibility, speculation, energy


def test_sys_g1_feistel():
    z = training.feistel_round(3, 5, lambda x: x * x)
    assert z == (14, 3)
    assert training.feistel_inverse(*z, lambda x: x * x) == (3, 5)
    rounds = [lambda x, r=r: (x * 2654435761 + r) & 0xFFFFFFFF for r in range(16)]
    there = training.feistel_bits(0xDEADBEEF, 0x01234567, rounds)
    assert there != (0xDEADBEEF, 0x01234567)
    assert training.feistel_bits_inverse(*there, rounds) == (0xDEADBEEF, 0x01234567)


def test_sys_g4_trade():
    plain, reversible = training.training_trade(100, 1.0, False), training.training_trade(100, 1.0, True)
    assert (plain.stored, plain.flops_per_parameter) == (100, 6)
    assert (reversible.stored, reversible.flops_per_parameter) == (2, 8)
    assert reversible.flops_per_parameter / plain.flops_per_parameter == near(4 / 3)
    assert training.decode_recompute_factor(9) == 5


def test_sys_h3_register():
    table = catalogue().table("claims")
    ids = {r["id"] for r in table.rows}
    assert {f"DIS-{i}" for i in range(1, 20)} <= ids
    assert all(r["used"] and r["source"] and r["date"] for r in table.rows)


def test_sys_h3_every_claim_is_computed_and_leaned_on():
    """Each names equations that are there, calculations that run, and the functions that compute them."""
    for c in claims():
        assert c.asks, c.id
        assert {command for command, _ in c.calculations} == {f"headway ask {a}" for a in c.asks}
        assert all(a.results for _, a in c.calculations)
        assert c.equations, c.id
        assert c.functions, c.id
        assert c.kind in KINDS
        assert c.to_dict()["calculations"][0]["results"], c.id


def test_sys_h3_defaults_cite_the_register():
    """What the lecture alone says is a claim; every default has a source; every citation is in the register."""
    known, cited = {c.id for c in claims()}, defaults()
    assert {c for names in cited.values() for c in names} <= known
    for row in catalogue().table("defaults").rows:
        assert row["source"], row["name"]
        if row["source"].startswith("Reiner Pope"):
            assert cited[row["name"]], row["name"]
    for e in equations():
        for p in e.parameters:
            assert p.source or p.default is None, f"{e.id}.{p.name}"
    assert "recommended_low" in claim("DIS-6").defaults
    assert "E5.ratio" in claim("LIM-2").defaults
    assert "lecture.model_tokens" in claim("DIS-18").defaults


def test_a_changed_formula_changes_a_claim(monkeypatch):
    before = claim("DIS-1").calculations[0][1].results["balance"]
    monkeypatch.setattr(batching, "balance_batch", lambda ratio, sparsity: 3 * ratio * sparsity)
    assert claim("DIS-1").calculations[0][1].results["balance"] == 3 * before
    assert "7,200" in claim("DIS-1").text()


def test_one_claim_is_shown_whole(capsys):
    assert run(["catalog", "claims", "dis-1"]) == 0
    told = capsys.readouterr().out
    assert "37.5" in told
    assert "balance 2,400 sequences" in told


def test_sys_h4_speculation():
    assert batching.expected_tokens(0.8, 4) == near(3.3616)
    assert batching.expected_tokens(np.array([0.0, 1.0]), 4) == near(np.array([1, 5]))


def test_sys_h5_energy():
    assert movement_energy(np.array([1, 256, 1000])) == near(np.array([1001, 4.91, 2.0]), 2e-3)


# --- H6: the reproducer


def test_sys_h6_every_headline_is_within_rounding():
    rows = lecture.headlines()
    assert len(rows) >= 45
    assert [r.what for r in rows if not r.holds] == []
    computed = [r.computed for r in rows]
    for wanted in (
        2400,
        0.040,
        128e3,
        1 / 1000,
        8.0,
        7.5e9,
        0.030,
        1.5,
        1.0,
        2.592e14,
        100,
        5000 / 3,
        0.2,
        "flash, disk",
    ):
        assert any(c == wanted or (not isinstance(c, str | type(None)) and not isinstance(wanted, str)
                                   and math.isclose(c, wanted, rel_tol=1e-6)) for c in computed), wanted  # fmt: skip


def test_sys_h6_json_schema_and_overrides(capsys):
    assert run(["lecture", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert list(rows[0]) == [
        "id",
        "chapter",
        "what",
        "lecture",
        "computed",
        "said",
        "unit",
        "relative_difference",
        "note",
    ]
    assert run(["lecture", "--json", "--set", "active_experts=8"]) == 0
    changed = {r["what"]: r for r in json.loads(capsys.readouterr().out)}["balance batch"]
    assert changed["computed"] == 9600  # DIS-2: 8 of 256
    assert changed["lecture"] == 2400


def test_a_headline_that_differs_does_not_hold():
    def row(ours, theirs, rounding=1e-3):
        return lecture.Headline("E5", "1", "balance batch", theirs, ours, "T", rounding=rounding)

    assert row(2400, 2400).holds
    assert row(2402, 2400).holds
    assert not row(2403, 2400).holds
    assert not row(2397, 2400).holds
    assert row(2403, 2400, 2e-3).holds
    assert not row("disk", "flash").holds
    assert row("flash", "flash").holds
    assert not row(1, 0).holds
    assert row(0, 0).holds
    doubled = {r.what: r.holds for r in lecture.headlines(lecture.inputs({"hardware_ratio": 600}))}
    assert not doubled["balance batch"]
    assert doubled["worst wait for a token"]


def test_every_headline_follows_some_input_and_every_input_moves_one():
    rows, still = lecture.headlines(), set()
    for f in dataclasses.fields(lecture.Inputs):
        moved = set()
        for times in (0.5, 2, 3, 9):
            try:
                other = lecture.headlines(dataclasses.replace(lecture.Inputs(), **{f.name: times * f.default}))
            except InputError:  # an RL factor of 1.5, more active experts than there are
                continue
            moved |= {n for n, (a, b) in enumerate(zip(rows, other, strict=True)) if a.computed != b.computed}
        assert moved, f"{f.name} moves nothing"
        still |= moved
    assert [r.what for n, r in enumerate(rows) if n not in still] == []


def test_no_headline_echoes_an_input():
    """With inputs of which no two are alike, nothing that is computed is one of them."""
    fields = [
        f for f in dataclasses.fields(lecture.Inputs) if f.name not in ("experts", "rack_chips", "active_experts")
    ]
    changed = dataclasses.replace(
        lecture.Inputs(), **{f.name: (1.1 + 0.0137 * n) * f.default for n, f in enumerate(fields)}
    )
    given = {getattr(changed, f.name) for f in fields}
    assert [r.what for r in lecture.headlines(changed) if not isinstance(r.computed, str) and r.computed in given] == []


def test_headlines_say_who_says_them(capsys):
    said = {r.what: r.said for r in lecture.headlines()}
    assert (
        said["balance batch"] == said["worst wait for a token"] == said["KV bytes per token from the 200k step"] == "T"
    )
    assert (
        said["mean wait for a token"]
        == said["cost at batch 1 over the floor"]
        == said["over-training, unrounded"]
        == "D"
    )
    assert said["DeepSeek-V3 cache per token (BF16)"] == said["hardware ratio of A100-80"] == "X"
    assert run(["lecture"]) == 0
    out = capsys.readouterr().out
    counts = [list(said.values()).count(k) for k in "TDX"]
    assert f"{counts[0]} said in the lecture, {counts[1]} derived from it, {counts[2]} beyond it" in out
    assert "derived" in next(line for line in out.splitlines() if "mean wait" in line)


def test_lecture_inconsistency_is_exposed():
    """1.6: 2,000 sequences, 20 ms and a full rack are not tight together: at 128k tok/s the rack's MFU is 1.3 %."""
    found = roofline(2000, 0, 0, 37e9, 700e9, 0.5, 72 * 10e15, 72 * 8e12)
    assert found.compute / (1 / 64) == near(0.013, 2e-2)
    rows = {r.what: r for r in lecture.headlines()}
    assert "floor, not a peak" in rows["tokens per second of one rack (T = 1/64 s)"].note


def test_the_register_says_what_the_library_computes():
    """DIS-21: the numbers beside a claim are those of the code, not typed twice without looking."""
    from headway.hardware import chip
    from headway.plan import make_plan
    from headway.questions import Request

    rows = {r["id"]: r["reason"] for r in catalogue().table("claims").rows}
    p = make_plan(Request("llama-3.1-70b", "h200x8", layout="tp8"))
    assert f"takes {1e3 * p.all_weights_seconds:.1f} ms" in rows["DIS-21"]
    for name, said in (("H100 SXM", "24 ms of an H100"), ("H200 SXM", "29 ms of an H200")):
        assert said in rows["DIS-21"]
        assert f"{1e3 * chip(name).drain_time:.0f} ms" in said


def test_sys_i10_the_whole_lesson_is_one_file(capsys, monkeypatch):
    """Every equation, headline, claim and card is in it, with the code's numbers."""
    assert run(["lecture", "--markdown"]) == 0
    text = capsys.readouterr().out
    for named in [*(e.id for e in equations()), *(c.id for c in claims()), *(h.what for h in lecture.headlines())]:
        assert named in text, named
    assert sum(line[0].isdigit() and " — " in line for line in text.split("\n") if line) == len(cards())
    assert "**sparsity 8, balance 2,400 sequences" in text
    monkeypatch.setattr(batching, "worst_wait", lambda t: 5 * t)
    assert run(["lecture", "--markdown"]) == 0
    changed = capsys.readouterr().out
    assert "100 ms" in next(line for line in changed.split("\n") if "worst wait for a token" in line)
