"""A plan's own numbers by hand: who pays, what is read, what waits, and rows that sum to the step."""

from __future__ import annotations

import re

import pytest

import headway as hw
from catalogued import load
from headway.batching import split_memory
from headway.catalog import catalogue
from headway.hardware import with_host
from headway.models import kv_bytes_stored
from headway.parallel import Layout, build_step
from headway.plan import make_plan
from headway.questions import Request
from headway.report.plans import plan_text
from headway.report.why import why_rows
from headway.roofline import IDEAL, Load, step_time

H100 = hw.chip("H100 SXM")


def test_idle_chips_are_paid():
    """64 of 72 chips work; the rent is of 72."""
    p = make_plan(Request("deepseek-v3", "gb200-nvl72", layout="dp64ep64", batch=1024.0))
    assert (p.layout.chips, p.idle_chips, p.replicas) == (64, 8, 1)
    assert p.point.dollars_per_mtok == pytest.approx(p.point.seconds * 72 * p.system.price / 1024 * 1e6, rel=1e-12)
    assert p.point.tokens_per_second_chip == pytest.approx(1024 / p.point.seconds / 72, rel=1e-12)
    assert p.loaded.dollars_per_mtok == pytest.approx(72 * p.system.price / p.loaded.output_rate * 1e6, rel=1e-12)


def test_a_window_is_all_that_is_read():
    """Gemma 3 at 100,000 tokens: one layer in six reads all, the others 1,024."""
    m = load("gemma-3-27b-it")
    far = sum(n * a.entry_bytes for n, a in m.attends() if a.reach.kind == "full")
    near = sum(n * a.entry_bytes for n, a in m.attends() if a.reach.kind == "window")
    assert near > 4 * far
    t = step_time(build_step(m, Layout()), Load.decode(1, 100_000), H100, IDEAL)
    read = sum(float(r.work.bytes) for r in t.rows if r.kind == "attention")
    assert read == pytest.approx(100_000 * far + 1024 * near, rel=0.002)  # and what the token itself appends


def test_recurrent_states_are_drawn_as_caches():
    """Qwen3.5-27B with one token of context: what is no weight is its states, in and out."""
    m = load("qwen3.5-27b")
    states = sum(x.count * x.state.bytes for x in m.layers if x.state)
    weights, kv = split_memory(step_time(build_step(m, Layout()), Load.decode(64, 1), H100, IDEAL))
    assert kv == pytest.approx(64 * 2 * states / H100.bandwidth, rel=0.01)
    assert weights == pytest.approx(2 * (m.total_parameters - m.embedding.parameters) / H100.bandwidth, rel=0.02)


def test_cached_input_pays_for_being_kept():
    """Lecture E25: to hold for five minutes and to bring back, in the cheapest place, the prompt's recomputation among them."""
    p = make_plan(Request("llama-3.1-70b", "h200x8", context=32_000.0))
    name, dollars = p.cached
    k = float(kv_bytes_stored(p.model, p.context)) / p.context
    chip, price = p.system.chip, p.system.price
    costs = {"HBM": 300 * k / chip.memory * price, "recompute": p.prefill_dollars_per_mtok / 1e6}
    host = with_host(p.system).chip
    for r in catalogue().table("memory_devices").rows:
        if r["kind"] == "hbm":
            continue
        size, rate = float(r["capacity_GB"]) * 1e9, float(r["bandwidth_GBps"]) * 1e9
        if r["kind"] == "ddr":
            size, rate = host.cpu.memory, min(host.cpu_link, host.cpu.bandwidth)
        rent = float(r["usd_per_GB"]) * size / 1e9 / (float(r["years"]) * 365.25 * 86400)
        costs[r["name"]] = k / rate * rent + 300 * k / size * rent
    assert dollars == pytest.approx(min(costs.values()) * 1e6, rel=1e-9)
    assert name == min(costs, key=lambda n: costs[n])


def test_money_follows_the_traffic():
    """0.1 requests/s of 1,024 tokens on 8 H200 at $4.45: $35.60/h over 102.4 tokens/s is $96.57/Mtok, not the price when full."""
    plan = make_plan(Request("llama-3.1-70b", "h200x8", arrivals=0.1))
    at = plan.arriving
    assert at.dollars_per_mtok == pytest.approx(8 * 4.45 / 3600 / 102.4 * 1e6, rel=1e-3)
    assert at.in_flight == pytest.approx(0.1 * float(at.answer.served.request), rel=0.05)  # Little's law
    assert at.answer.case.in_flight == plan.replicas  # an empty machine: nobody else is there
    assert "$96.57/Mtok" in plan_text(plan)
    busy = make_plan(Request("llama-3.1-70b", "h200x8", arrivals=0.95 * plan.capacity)).arriving
    assert busy.dollars_per_mtok == pytest.approx(plan.loaded.dollars_per_mtok / 0.95, rel=1e-6)
    assert busy.answer.output_rate == pytest.approx(0.95 * plan.loaded.output_rate, rel=2e-3)
    assert at.answer.tpot < busy.answer.tpot < plan.loaded.tpot
    assert make_plan(Request("llama-3.1-70b", "h200x8", arrivals=1.01 * plan.capacity)).arriving is None


def test_one_number_is_called_ttft():
    text = plan_text(make_plan(Request("llama-3.1-70b", "h200x8")))
    assert [line.split()[0] for line in text.splitlines() if "TTFT" in line] == ["TTFT"]
    assert "first token" not in text


def test_replicas_share_the_arrivals():
    """Two replicas of four chips: each gets half of the requests, and they carry twice as many."""
    one, two = (
        make_plan(Request("llama-3.1-70b", s, layout="tp4", batch=32.0, arrivals=0.2)) for s in ("h200x4", "h200x8")
    )
    assert two.replicas == 2
    assert one.departures.fill == pytest.approx(0.2 / one.capacity, rel=1e-9)
    assert two.departures.fill == pytest.approx(one.departures.fill / 2, rel=1e-9)
    assert two.capacity == pytest.approx(2 * one.capacity, rel=1e-9)
    assert not make_plan(
        Request("llama-3.1-70b", "h200x8", layout="tp4", batch=32.0, arrivals=two.capacity * 0.99)
    ).departures.saturated
    assert make_plan(
        Request("llama-3.1-70b", "h200x8", layout="tp4", batch=32.0, arrivals=two.capacity * 1.01)
    ).departures.saturated


_UNITS = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}


def _seconds(text):
    number, unit = re.search(r"(-?[\d.,]+) (s|ms|µs|ns)\b", text.split("->")[-1]).groups()
    return float(number.replace(",", "")) * _UNITS[unit]


@pytest.mark.parametrize(("model", "system", "layout"), [
    ("deepseek-v3", "h200x8", "dp8ep8"), ("deepseek-v3", "gb200-nvl72", "dp64ep64"), ("llama-3.1-70b", "h100x8", "tp8"),
    ("llama-3.1-70b", "h200x16", "tp4pp4"), ("qwen3-30b-a3b", "rtx4090", "tp1+cpumoe36"),
])  # fmt: skip
@pytest.mark.parametrize("engine", ["vllm", "ideal"])
def test_the_rows_of_why_sum_to_the_step(model, system, layout, engine):
    """Kernels, collectives, the constant of the pass, less what is hidden: as printed."""
    p = make_plan(Request(model, system, layout=layout, batch=4.0, engine=engine))
    rows = {r["what"]: r["how"] for r in why_rows(p)}
    printed = [_seconds(how) for what, how in rows.items() if what.startswith("row: ")]
    assert sum(printed) == pytest.approx(p.point.seconds, rel=0.01)
    assert _seconds(rows["sum of rows"]) == pytest.approx(p.point.seconds, rel=0.005)
    if p.layout.chips > 1:
        network = [how for what, how in rows.items() if "sent" in how]
        assert sum(map(_seconds, network)) == pytest.approx(
            sum(float(r.seconds) for r in p.point.time.rows if r.kind == "collective"), rel=0.01
        )


def test_a_cache_grows_by_its_parts():
    """GLM-5.2 in 8 bits: 656 bytes a layer (512 + 16 of scales + 128 of 16-bit rope), 132 for each index key (a public case)."""
    p = make_plan(Request("glm-5.2-fp8", "h200x8", tp=8, context=100_000.0, kv_precision="fp8"))
    said = p.to_dict()["model"]
    assert said["kv_bytes_per_further_token"] == 78 * 656 + 21 * 132 == 53_940
    assert said["kv_bytes_per_sequence"] == pytest.approx(53_940 * 100_000)
    assert "53,940 bytes per token" in p.text()


def said(plan, what):
    return next(r["how"] for r in why_rows(plan) if r["what"] == what)


def test_the_share_that_binds_is_of_the_step():
    """Not of the kernels alone: collectives and the constant of a pass are in the step, too."""
    plan = make_plan(Request("deepseek-v3", "h200x8", batch=64))
    t = plan.point.time
    bound = sum(float(r.seconds) for r in t.rows if r.kind != "collective" and r.bound == t.bound)
    share = float(re.search(r"kernels take ([\d.]+) % of it", plan_text(plan, chart=False))[1])
    assert share == pytest.approx(100 * bound / plan.point.seconds, rel=0.01)
    assert sum(float(r.seconds) for r in t.rows if r.kind != "collective") < 0.95 * plan.point.seconds


def test_why_says_the_waits_that_the_plan_prints():
    piped = make_plan(Request("deepseek-v3", "h200x16", layout="tp8pp2"))
    stages = int(
        re.search(r"T = step / (\d+) stages; mean T / 2 \+ \1 T, worst T \+ \1 T", said(piped, "departures"))[1]
    )
    d = piped.departures
    assert d.headway == pytest.approx(piped.point.seconds / stages)
    assert (d.mean, d.worst) == (pytest.approx((0.5 + stages) * d.headway), pytest.approx((1 + stages) * d.headway))
    plain = make_plan(Request("deepseek-v3", "h200x8"))
    assert said(plain, "departures") == "mean 1.5 T, worst 2 T"
    assert plain.departures.mean == pytest.approx(1.5 * plain.departures.headway)


def test_why_divides_the_cost_by_the_tokens_that_a_pass_makes():
    for drafts in (0, 3):
        plan = make_plan(Request("deepseek-v3", "h200x8", batch=64, drafts=drafts))
        formula = said(plan, "cost")
        replicas, batch, made = re.search(r"/ \((\d+) x ([\d,]+)(?: x ([\d.]+))? tokens", formula).groups()
        tokens = float(replicas) * float(batch) * float(made or 1)
        spent = plan.point.seconds * plan.system.chips * plan.system.price
        assert plan.point.dollars_per_mtok == pytest.approx(1e6 * spent / tokens, rel=1e-3)
        assert bool(made) == bool(drafts)


def test_a_further_token_while_windows_have_room():
    """gpt-oss: half of 36 layers have windows of 128. A hundred tokens still grow in all of them, 8,000 in half."""
    whole = 36 * 2 * 8 * 64 * 2
    for context, said in (
        (100.0, f"{whole:,} bytes per further token, {whole // 2:,} once its windows are full"),
        (8000.0, f"{whole // 2:,} bytes per further token and"),
    ):
        found = make_plan(Request("gpt-oss-120b", "h200x8", context=context, output=2.0))
        assert said in " ".join(plan_text(found).split())
