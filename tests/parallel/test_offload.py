"""Layers and experts in the host's memory: every byte lies somewhere, the processor sets the pace, every verb says the same."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import headway as hw
from catalogued import MODELS, load
from headway.cli.app import run
from headway.errors import InputError, PhysicsError
from headway.hardware import chip, system, with_host
from headway.parallel import Layout, build_step, host_bytes, kv_per_chip, least_offload, places, weights_per_chip
from headway.plan import make_plan
from headway.plan.fits import what_fits
from headway.questions import Query, Request
from headway.roofline import IDEAL, Load, compiled, profile, step_time
from headway.search import search_layouts

QWEN, OSS, LLAMA, DEEPSEEK = "Qwen/Qwen3-30B-A3B", "openai/gpt-oss-120b", "llama-3.1-8b", "deepseek-ai/DeepSeek-V3"
CARD = with_host(system("rtx4090")).chip


def _split(data):
    m = load(data.draw(MODELS))
    routed = sum(x.count for x in m.layers if x.experts)
    return m, Layout(cpu_layers=data.draw(st.integers(0, m.layer_count)), cpu_experts=data.draw(st.integers(0, routed)))


@settings(max_examples=150, deadline=None)
@given(st.data(), st.floats(1, 1e5))
def test_every_byte_lies_somewhere(data, context):
    """Weights, caches and FLOPs of chip and host are those of the whole model."""
    m, layout = _split(data)
    weights, cache = host_bytes(m, layout, context)
    assert weights_per_chip(m, layout) + weights == pytest.approx(weights_per_chip(m, Layout()), rel=1e-12)
    assert kv_per_chip(m, layout, context) + cache == pytest.approx(kv_per_chip(m, Layout(), context), rel=1e-12)
    passed = Load.decode(3, context)
    split, whole = (step_time(build_step(m, x), passed, CARD).work for x in (layout, Layout()))
    assert split.flops == pytest.approx(whole.flops, rel=1e-12)
    assert split.bytes == pytest.approx(whole.bytes, rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(["ideal", "llama.cpp"]), st.floats(1, 300), st.floats(1, 3e4))
def test_the_compiled_pass_is_the_step(data, engine, batch, context):
    m, layout = _split(data)
    numbers = profile(engine).on(CARD)
    step = build_step(m, layout)
    found = compiled(step, CARD, numbers)
    for carried in (Load.decode(batch, context), Load.prefill(1, context)):
        whole = step_time(step, carried, CARD, numbers)
        assert float(found.seconds(carried)) == pytest.approx(float(whole.seconds), rel=1e-11)
        assert float(whole.resources.total) == pytest.approx(float(whole.seconds), rel=1e-11)


@pytest.mark.parametrize("name", [LLAMA, QWEN])
def test_the_processor_sets_the_pace(name):
    """All layers on the host: one token takes as long as its memory takes to give the weights that are touched."""
    m = load(name)
    layout = Layout(cpu_layers=m.layer_count)
    t = step_time(build_step(m, layout), Load.decode(1, 1), CARD)
    on_host = [r for r in t.rows if "on the CPU" in r.name]
    touched = sum(x.count * (x.active_parameters - x.vector_parameters) for x in m.layers) * 2.0
    moved = sum(r.work.bytes for r in on_host)
    assert moved == pytest.approx(touched, rel=0.01)
    assert sum(float(r.seconds) for r in on_host) == pytest.approx(moved / CARD.cpu.bandwidth, rel=0.01)
    assert CARD.cpu.bandwidth == chip("ryzen 9 7950x").bandwidth


def test_large_passes_bring_the_weights_to_the_chip():
    """A prompt of 100,000 tokens: the card multiplies, at its own rate; a token: the processor does."""
    m, layout = load(LLAMA), Layout(cpu_layers=32)
    step = build_step(m, layout)

    def ffn(new):
        t = step_time(step, Load.prefill(1, new), CARD)
        return next(r for r in t.rows if r.name == "dense FFN on the CPU")

    many, one = ffn(100_000), ffn(1)
    assert float(many.seconds) == pytest.approx(float(many.work.flops) / CARD.bf16, rel=1e-9)
    assert float(one.seconds) == pytest.approx(float(one.work.bytes) / CARD.cpu.bandwidth, rel=1e-9)
    between = ffn(600)  # the weights come over the link meanwhile
    assert float(between.seconds) == pytest.approx(float(between.work.bytes) / CARD.cpu_link, rel=1e-6)


def test_layers_are_counted_from_the_first():
    """DeepSeek-V3 has three dense layers before the mixtures: 5 layers are those and two more."""
    m = load(DEEPSEEK)
    _, host, crossings = places(m, Layout(cpu_layers=5))
    assert [(x.experts is None, x.count) for x in host] == [(True, 3), (False, 2)]
    assert crossings == 1
    chip_part, host, crossings = places(m, Layout(cpu_experts=4))
    assert [(x.experts is not None, x.count) for x in host] == [(True, 4)]
    assert crossings == 8
    assert sum(x.count for x in chip_part.layers) == 61
    assert places(m, Layout(cpu_layers=5, cpu_experts=2)).host == places(m, Layout(cpu_layers=5)).host


def test_chips_share_their_host():
    """Two cards have half a processor each; eight server cards share two sockets, however many are asked for."""
    one, two = (with_host(system(x)).chip.cpu for x in ("rtx3090", "rtx3090x2"))
    assert two.bandwidth == one.bandwidth / 2
    assert two.memory == one.memory / 2
    server = with_host(system("h100")).chip
    assert server.cpu.bandwidth == pytest.approx(2 * 307e9 / 8)
    assert server.cpu_link == 64e9
    own = with_host(system("rtx4090"), "epyc 9654 x2", 512e9).chip.cpu
    assert own.bandwidth == 2 * 460.8e9
    assert own.memory == 512e9 - 2**33


def test_all_verbs_say_the_same():
    asked = {"model": QWEN, "precision": "q8_0", "engine": "llama.cpp", "prompt": 2000.0, "output": 200.0, "batch": 2.0}
    layout = "tp1+cpumoe30"
    plan = make_plan(Request(system="rtx4090", layout=layout, **asked))
    by_options = make_plan(Request(system="rtx4090", cpu_experts=30, **asked))
    found = search_layouts(Query(systems=("rtx4090",), layout=layout, split=False, **asked)).best
    said = hw.predict(Request(system="rtx4090", layout=layout, **asked))
    assert found.tpot[1] == pytest.approx(plan.loaded.tpot, rel=1e-9)
    assert (said.tpot, said.ttft) == (plan.loaded.tpot, plan.loaded.ttft)
    assert (by_options.loaded.tpot, str(by_options.layout)) == (plan.loaded.tpot, layout)
    assert (
        plan.loaded.tpot > 1.5 * make_plan(Request(system="rtx4090", **(asked | {"precision": "q4_k_m"}))).loaded.tpot
    )
    assert "host" in plan.outside


def test_what_does_not_fit_is_told_what_would():
    with pytest.raises(PhysicsError, match="--cpu-experts 25 fits"):
        make_plan(Request(model=OSS, system="rtx4090", engine="llama.cpp", context=8000.0, batch=1.0))
    fits = Request(model=OSS, system="rtx4090", engine="llama.cpp", context=8000.0, batch=1.0, cpu_experts=25)
    assert make_plan(fits).max_batch >= 1
    with pytest.raises(PhysicsError, match="does not fit"):
        make_plan(Request(model=OSS, system="rtx4090", engine="llama.cpp", context=8000.0, batch=1.0, cpu_experts=15))
    with pytest.raises(PhysicsError, match=r"left to the host exceed the 55\.4 GB"):
        make_plan(Request(model=OSS, system="rtx4090", engine="llama.cpp", context=8000.0, cpu_experts=36))


def test_the_least_that_fits():
    m = load(OSS)
    found = least_offload(m, Layout(), lambda x: weights_per_chip(m, x) < 30e9)
    assert found is not None
    assert weights_per_chip(m, found) < 30e9 <= weights_per_chip(m, Layout(cpu_experts=found.cpu_experts - 1))
    assert least_offload(m, Layout(), lambda x: False) is None


def test_what_fits_on_a_card_with_its_host():
    found = {f.model.rsplit("/", 1)[-1]: f for f in what_fits("rtx4090", words=["gpt-oss"])}
    assert found["gpt-oss-120b"].layout == Layout(cpu_experts=25)
    assert found["gpt-oss-20b"].on_host == 0
    more = what_fits("rtx4090", words=["gpt-oss-120b"], host="epyc 9654")
    assert more[0].seconds < found["gpt-oss-120b"].seconds
    assert what_fits("rtx4090", words=["gpt-oss-120b"], offload=False) == []
    assert math.isfinite(more[0].sequences)


@pytest.mark.parametrize(("options", "says"), [
    ({"cpu_layers": 33}, "32 layers"), ({"cpu_experts": 1}, "no experts"), ({"cpu_layers": 3, "dp": 2}, "tp only"),
    ({"host": "epyc 9654"}, "left to the host"), ({"cpu_layers": 3, "host": "foo"}, "foo"), ({"layout": "tp1+cpu"}, "not known"),
    ({"layout": "tp1+cpu99"}, "32 layers"), ({"layout": "tp1", "cpu_layers": 2}, "leave out"), ({"cpu_layers": -1}, "zero or more"),
])  # fmt: skip
def test_what_cannot_be_left_to_a_host(options, says):
    with pytest.raises(InputError, match=says):
        make_plan(Request(model=LLAMA, system="rtx3090x2", **options))


def test_memory_that_is_the_hosts_own():
    with pytest.raises(InputError, match="the host's own"):
        make_plan(Request(model=LLAMA, system="m3-max", cpu_layers=3))
    step = build_step(load(LLAMA), Layout(cpu_layers=1))
    with pytest.raises(InputError, match="no host processor"):
        step_time(step, Load.decode(1, 1), chip("rtx4090"), IDEAL)


def test_the_command_line_says_it(capsys):
    assert (
        run(
            [
                "plan",
                QWEN,
                "--on",
                "rtx4090",
                "--precision",
                "q8_0",
                "--n-cpu-moe",
                "20",
                "--ram",
                "96GB",
                "--batch",
                "1",
                "--why",
            ]
        )
        == 0
    )
    said = capsys.readouterr().out
    assert "tp1+cpumoe20" in said
    assert "left to the host" in said
    assert "Ryzen 9 7950X" in said
    assert "routed experts on the CPU" in said


def test_more_expert_layers_than_there_are_means_all():
    """`--n-cpu-moe 99`, as users of llama.cpp type it; of a dense model there are none to leave."""
    routed = sum(x.count for x in load(OSS).layers if x.experts)
    asked = {"model": OSS, "system": "rtx4090", "engine": "llama.cpp", "context": 8000.0, "batch": 1.0, "ram": "96GB"}
    for more in ({"cpu_experts": 99}, {"layout": "tp1+cpumoe99"}):
        assert make_plan(Request(**asked, **more)).layout.cpu_experts == routed
    with pytest.raises(InputError, match="no experts; use --cpu-layers"):
        make_plan(Request(model="llama-3.1-8b", system="rtx4090", cpu_experts=99))
