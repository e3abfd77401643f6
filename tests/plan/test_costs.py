"""Costs of input, cached input and output: the rent shared out, floors, energy; the mean field beside a run."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from headway.economics import owned_price
from headway.errors import InputError, PhysicsError
from headway.hardware import chip
from headway.parallel import Layout
from headway.plan.costs import AXES, costs, costs_against, occupied
from headway.plan.costs_checked import checked
from headway.plan.energies import joules
from headway.plan.make import make_plan
from headway.questions import Request
from headway.roofline import IDEAL, Energy, Load, Rates, energy_rates, pass_energy, step_time
from headway.serving import answer, case, setting
from headway.serving.loops import step_of
from headway.serving.loops.workload import decoding

LLAMA = Request("llama-3.1-70b", "h200x8", prompt=4096, output=512)
REQUESTS = [
    LLAMA,
    dataclasses.replace(LLAMA, hits=0.75),
    dataclasses.replace(LLAMA, arrivals=0.4, hits=0.5),
    Request("deepseek-v3", "h200x8", prompt=4096, output=512, hits=0.5),
    Request("gpt-oss-20b", "h100x1", prompt=2048, output=256, batch=7),
    Request("llama-3.1-70b", "h100x8", layout="tp4pp2", prompt=2048, output=256, hits=0.3),
    Request("qwen3-8b", "rtx4090", prompt=2048, output=256),
    Request("llama-3.1-8b", "h100x1", engine="ideal", prompt=2048, output=256, drafts=2),
]
RUN = [
    REQUESTS[1], REQUESTS[2], REQUESTS[4], dataclasses.replace(LLAMA, arrivals=2.0), dataclasses.replace(LLAMA, arrivals=0.05),
    Request("deepseek-v3", "h200x8", layout="tp8", prompt=4096, output=512, hits=0.5),
]  # fmt: skip
NAMES = [f"{r.model}-{r.system}-{i}" for i, r in enumerate(REQUESTS)]


@pytest.mark.parametrize("request_", REQUESTS, ids=NAMES)
def test_average_times_volume_is_the_rent(request_):
    c = costs(request_)
    assert sum(k.average * k.rate for k in c.kinds if k.rate) == pytest.approx(1e6 * c.rent, rel=1e-9)
    assert sum(k.share for k in c.kinds) == pytest.approx(1, rel=1e-12)
    assert c.rent == pytest.approx(c.setting.system.chips * c.setting.system.price, rel=1e-12)
    assert 0 < c.busy <= 1


@pytest.mark.parametrize("request_", REQUESTS, ids=NAMES)
def test_what_one_more_adds_never_exceeds_its_share(request_):
    for k in costs(request_).kinds:
        if k.rate:
            assert k.marginal <= k.average * (1 + 1e-9)
            assert k.floor <= k.average * (1 + 1e-9)
            assert k.floor > 0


@pytest.mark.parametrize("request_", [r for r in REQUESTS if not r.hits], ids=str)
def test_without_hits_nothing_is_cached(request_):
    k = costs(request_).kind("cached input")
    assert k.rate == 0
    assert k.share == 0
    assert math.isnan(k.average)


def test_cached_input_pays_for_being_read():
    """The time by which attention over the found part makes a prompt's passes longer, by hand."""
    request = Request("llama-3.1-8b", "h100x1", prompt=2048, output=256, hits=0.5, batch=16, layout="tp1")
    c, s = costs(request), setting(request)
    passes = s.passes_of(s.only)
    read = float(passes.seconds(Load.prefill(1.0, 1024.0, cached=1024.0)) - passes.seconds(Load.prefill(1.0, 1024.0)))
    by_hand = read / 1024 * s.system.price * 1e6
    assert c.kind("cached input").marginal == pytest.approx(by_hand, rel=1e-9)
    assert c.kind("cached input").average < 0.2 * c.kind("input").average


@pytest.mark.parametrize("request_", RUN, ids=str)
def test_the_run_says_the_same(request_):
    c = costs(request_)
    run = checked(c, arrivals=request_.arrivals is not None)
    for k, seen in zip(c.kinds, run.averages, strict=True):
        if k.rate:
            assert seen == pytest.approx(k.average, rel=0.08 if k.name == "output" else 0.15), k.name
    if c.energy is not None:
        assert run.run.joules_per_token == pytest.approx(c.energy.per_output, rel=0.12)


def test_an_idle_fleet_is_paid_by_what_flows():
    """SYS-I1: 0.1 requests/s of 1,024 tokens on 8 x $4.45/h."""
    c = costs(Request("llama-3.1-70b", "h200x8", output=1024, arrivals=0.1))
    assert c.all_output == pytest.approx(96.57, abs=0.005)  # SYS-I1
    assert sum(k.average * k.rate for k in c.kinds if k.rate) == pytest.approx(1e6 * c.rent, rel=1e-9)


def test_more_arrivals_than_it_carries():
    with pytest.raises(PhysicsError, match="the queue grows"):
        costs(dataclasses.replace(LLAMA, arrivals=1000))


def test_no_price_is_said():
    with pytest.raises(InputError, match=r"--price 2\.5/h, or --owned"):
        costs(Request("llama-3.1-8b", "gb10"))


def test_own_chips_instead_of_a_rent():
    own = owned_price(chip("H200 SXM"), capex=30000.0)
    rented, owned = costs(LLAMA), costs(LLAMA, owned=own)
    assert owned.rent == pytest.approx(8 * own.per_hour / 3600, rel=1e-12)
    for a, b in zip(rented.kinds, owned.kinds, strict=True):
        if a.rate:
            assert b.average / a.average == pytest.approx(owned.rent / rented.rent, rel=1e-9)


@pytest.mark.parametrize("axis", AXES)
def test_axes(axis):
    found = costs_against(dataclasses.replace(LLAMA, hits=0.5), axis, 5)
    assert len(found) >= 4
    out = [c.kind("output").average for _, c in found]
    falls = axis in ("batch", "load")
    if axis != "hits":
        assert all((b < a) == falls for a, b in itertools.pairwise(out))
    else:  # prompts cost less, what answers cost hardly moves
        per = [c.all_output for _, c in found]
        assert per == sorted(per, reverse=True)
        assert max(out) < 1.1 * min(out)
    for _, c in found:
        assert sum(k.average * k.rate for k in c.kinds if k.rate) == pytest.approx(1e6 * c.rent, rel=1e-9)


def test_unknown_axis():
    with pytest.raises(InputError, match="batch, context, hits, load"):
        costs_against(LLAMA, "moon", 5)


def test_energy_of_a_pass_by_hand():
    request = Request("llama-3.1-8b", "h100x1", layout="tp1")
    s = setting(request)
    step, load, watts = s.step(s.only), Load.decode(8, 1024.0), 700.0
    ideal = step_time(step, load, s.system.chip, IDEAL)
    seconds = 2 * float(ideal.seconds)
    found = pass_energy(step, load, s.system.chip, watts, seconds, Rates(0.1, 4e-11, 8e-11))
    assert found.awake == pytest.approx(0.1 * 700 * seconds)
    assert found.memory == pytest.approx(4e-11 * float(ideal.work.bytes))
    assert found.arithmetic == pytest.approx(0.9 * 700 * float(ideal.compute))
    assert found.total < watts * seconds


def test_no_pass_draws_more_than_the_rated_power():
    s = setting(Request("llama-3.1-8b", "h100x1", layout="tp1"))
    for rates in map(energy_rates, ("low", "value", "high")):
        for load in (Load.prefill(8, 4096.0), Load.decode(256, 512.0)):
            seconds = float(step_time(s.step(s.only), load, s.system.chip, IDEAL).seconds)
            found = pass_energy(s.step(s.only), load, s.system.chip, 700.0, seconds, rates)
            assert found.total <= 700.0 * seconds * (1 + 1e-12)
    held = Energy(2.0, 1.0, 3.0, 1.0).within(4.0)
    assert (held.total, held.awake) == (pytest.approx(4.0), 1.0)
    assert held.memory / held.arithmetic == pytest.approx(2 / 3)


@pytest.mark.parametrize("request_", [r for r in REQUESTS if r.system != "rtx4090"], ids=str)
def test_chips_draw_between_awake_and_rated(request_):
    j = costs(request_).energy
    least = energy_rates().static * j.rated
    assert least < j.decode_watts <= j.rated
    assert least < j.watts <= j.rated
    assert j.low < j.per_output < j.high


def test_energy_adds_up():
    c = costs(dataclasses.replace(LLAMA, hits=0.5))
    j, rates = c.energy, [k.rate for k in c.kinds]
    watts = sum(e.total * r for e, r in zip((j.fresh, j.cached, j.output), rates, strict=True)) + j.idle * rates[2]
    assert watts == pytest.approx(j.per_output * rates[2], rel=1e-9)
    assert watts / c.setting.system.chips == pytest.approx(j.watts, rel=1e-9)


@pytest.mark.parametrize(("flying", "places"), [(0.1, 1), (3.0, 2), (40.0, 64), (480.0, 500), (520.0, 500), (900.0, 1)])
def test_places_taken_by_chance(flying, places):
    drawn = np.minimum(np.random.default_rng(0).poisson(flying, 200_000), places)
    assert occupied(flying, places) == pytest.approx(float(drawn.mean()), rel=0.02)


def test_idle_chips_are_paid_by_those_that_serve():
    """64 of a rack's 72 chips serve: the rent, and the load's own cost, are those of all."""
    c = costs(Request("deepseek-v3", "gb200-nvl72", layout="dp64ep64", prompt=4096, output=512))
    price = c.setting.system.price
    assert c.answer.case.layout.chips * c.answer.case.copies == 64
    assert c.rent == pytest.approx(72 * price)
    assert c.answer.dollars_per_mtok * c.answer.output_rate == pytest.approx(1e6 * 72 * price)


def test_what_keeping_a_cached_prompt_costs_stands_beside():
    request = dataclasses.replace(LLAMA, hits=0.5)
    kept = make_plan(request).cached
    assert kept is not None
    assert costs(request).hold == kept
    assert [c.hold for _, c in costs_against(request, "batch", 2)] == [kept, kept]


def test_reading_what_was_found_costs_by_the_prompt_that_reads_it():
    """Attention over the found part is read by every computed token, in however many pieces they come: twice them, twice the cost."""
    r = Request("llama-3.1-8b", "h100x1", output=256, hits=0.5, batch=2, layout="tp1")
    assert setting(r).chunk == 8192
    found = {n: costs(dataclasses.replace(r, prompt=float(n))).kind("cached input") for n in (8192, 16384, 65536)}
    for n in (16384, 65536):  # 8,192 computed in one piece; 32,768 in four
        assert found[n].marginal / found[8192].marginal == pytest.approx(n / 8192, rel=0.01)


def test_the_floor_of_a_pipeline_is_that_of_full_stages():
    """32 layers on 3 stages: the fullest takes 11 of them as long as a pass waits for; a lone sequence leaves two stages empty."""
    asked = Request("llama-3.1-8b", "h100x3", layout="tp1pp3", prompt=2048, output=256)
    one, two, many = (costs(dataclasses.replace(asked, batch=b)) for b in (1, 2, 30))
    assert many.answer.case.waits > 1
    floor = many.kind("output").floor
    for c in (one, two):
        assert c.kind("output").floor == pytest.approx(floor)
        assert c.kind("output").average > floor
    s = many.setting  # a further sequence in each of three micro-batches of ten
    more = answer(case(s, s.only, batch=33.0)).seconds["decode"] - many.answer.seconds["decode"]
    assert many.kind("output").marginal == pytest.approx(1e6 * more * many.rent / 3, rel=1e-6)


def test_rates_of_energy_are_those_of_the_table():
    """3.92 and 11 pJ a bit, eight bits a byte; their ranges' ends below and above."""
    low, rates, high = map(energy_rates, ("low", "value", "high"))
    assert (rates.memory, rates.link) == pytest.approx((31.36e-12, 88e-12))
    assert (low.memory, high.link) == pytest.approx((20e-12, 176e-12))
    assert all(a < b < c for a, b, c in zip(low, rates, high, strict=True))


def test_an_answers_energy_is_of_those_that_decode():
    """Where most wait for their prompt a pass reads the weights for few: an answer's token costs what the pass does over those few."""
    s = setting(Request("llama-3.1-8b", "h100x1", prompt=8000, output=10))
    a = answer(case(s, Layout(), batch=50))
    w, decode = a.case.workload, float(a.served.decoding)
    assert decode < 0.5 * float(w.running)
    load = decoding(decode, w.prompt, w.output, 1.0)
    chip, rates = a.case.chip, energy_rates()
    alone = pass_energy(a.case.step, load, chip, chip.power, float(step_of(w, a.seconds, decode)), rates)
    rate = float(a.output_rate) / 10
    assert joules(a, rate, 1.0).output.total == pytest.approx(alone.total / decode, rel=0.02)
