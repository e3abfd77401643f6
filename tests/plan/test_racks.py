"""`headway racks`: the lecture's second and third chapters as code and as a report; the parallelism advisor (SYS-D6)."""

from __future__ import annotations

import json

import pytest

from headway.cli import app
from headway.hardware import chip, system
from headway.models import model
from headway.parallel.advisor import Subject, advise, widest_slicing
from headway.plan.racks import racks

DEEPSEEK = "deepseek-v3"


def run(capsys, *arguments):
    code = app.run(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def verdicts(advice, dimension):
    return {r.verdict for r in advice.remarks if r.dimension == dimension}


def test_sys_d6_a_model_that_fits_its_rack():
    """SYS-D6: E is the domain, P = 1."""
    box = system("gb200-nvl72")
    found = advise(Subject.of(model(DEEPSEEK), 8192), box.chip, 72, 0.1)
    assert (found.experts_over, found.stages) == (64, 1)
    assert verdicts(found, "pipeline") == {"leave"}
    assert "P = 1" in next(r.says for r in found.remarks if r.dimension == "pipeline")


def test_sys_d6_weights_beyond_the_domain():
    """SYS-D6: 20 TB of weights on 64 chips of 192 GB (12.3 TB) take two stages."""
    found = advise(Subject(20e12, layers=100), chip("b100"), 64, 0.1)
    assert chip("b100").memory * 64 == pytest.approx(12.3e12, rel=2e-3)
    assert found.stages == 2
    assert verdicts(found, "pipeline") == {"cut"}


def test_sys_d6_huge_and_sparse():
    """SYS-D6: Kimi-K2 on boxes of 8 H100: capacity asks for a pipeline, and the advice says so."""
    found = advise(Subject.of(model("kimi-k2"), 8192), chip("h100"), 8, 0.1)
    assert found.stages > 1
    assert "sparse" in next(r.says for r in found.remarks if r.dimension == "pipeline")


def test_sys_d6_tensor_parallelism_inside_small_experts():
    """SYS-D6, lecture 4.1: not advised for experts of width 2,048; advised for a dense block of 28,672."""
    small, big = Subject.of(model(DEEPSEEK), 8192), Subject.of(model("llama-3.1-70b"), 8192)
    one = chip("gb200")
    found = advise(small, one, 72, 0.1)
    assert found.tensor == 1
    assert any(r.dimension == "tensor" and "not advised" in r.says for r in found.remarks)
    assert advise(big, chip("h100"), 8, 0.1).tensor == 8
    # by hand: 6 h i FLOP over the FP8 peak, against 2 h bytes over the link
    assert widest_slicing(small, one) == pytest.approx(3 * 2048 * one.link / one.fp8)


def test_sys_d6_training_may_pipeline():
    found = advise(Subject.of(model(DEEPSEEK), 8192), chip("h100"), 8, 0.1, training=True)
    says = next(r.says for r in found.remarks if "training" in r.says)
    assert "zero-bubble" in says
    assert found.stages == 2


def test_sys_d6_warnings():
    """SYS-D6, lecture 5.4: residuals or caches across layers, and windows beside full attention."""
    back = advise(Subject(1e12, layers=60, reaches_back=True), chip("h100"), 8, 0.1)
    assert any("across layers" in w for w in back.warnings)
    mixed = advise(Subject.of(model("gemma-3-27b"), 8192), chip("h100"), 8, 0.1)
    assert any("not equally loaded" in w for w in mixed.warnings)
    assert not advise(Subject.of(model("llama-3.1-70b"), 8192), chip("h100"), 8, 0.1).warnings


def test_a_sequence_that_fills_a_chip_is_shared():
    found = advise(Subject.of(model("llama-3.1-70b"), 400e3), chip("h100"), 8, 0.1)
    assert verdicts(found, "context") == {"cut"}


def test_the_report_has_the_lectures_numbers():
    """SYS-C2, C4, C5, D1, D4, D5: 64 used and 8 idle; 4.0, 6.0, 7.0; KV that does not shrink; 37.3 and 1.74 ms; hops."""
    r = racks(DEEPSEEK, "gb200-nvl72", [1, 2, 4, 8], context=32e3)
    assert (r.placement.used, r.placement.idle, r.placement.per_chip) == (64, 8, 4)
    assert str(r.filled) == "dp72ep72r32"
    assert [round(a.lecture, 1) for a in r.across] == [1.0, 4.0, 6.0, 7.0]
    assert all(a.once <= a.own for a in r.across)  # copies that cross together are at most all copies
    weights = [d.weights for d in r.depths]
    assert weights == sorted(weights, reverse=True)
    assert all(r.depths[0].cache * 0.9 < d.cache < r.depths[0].cache * 1.25 for d in r.depths)  # the fullest stage
    assert [d.batch for d in r.depths] == [r.micro_batch * p for p in (1, 2, 4, 8)]
    four = r.depths[2]
    assert four.hopped[1] - four.step == pytest.approx(4 * 2.5e-3)
    assert four.hopped[0] - four.step == pytest.approx(1e-3)
    assert four.hopped[2] - four.step == pytest.approx(0.1)
    reads = {g.name: g.terabyte_read for g in r.generations}
    assert reads["Hopper box"] == pytest.approx(37.3e-3, rel=1e-3)
    assert reads["Blackwell rack"] == pytest.approx(1.736e-3, rel=1e-3)
    assert next(g for g in r.generations if g.name == "Blackwell rack").cables == 72 * 72
    assert [p.idle for p in r.decode] == pytest.approx([0.75, 0.5, 0.25, 0, 0], abs=1e-12)
    assert r.fewest_layers == 1


def test_the_report_prints_and_draws(capsys, tmp_path):
    code, out, _ = run(
        capsys, "racks", DEEPSEEK, "--on", "gb200-nvl72", "--racks", "1,2,4,8", "-o", str(tmp_path / "g.json")
    )
    assert code == 0
    for word in ("64 used", "4.0x", "6.0x", "7.0x", "37.3 ms", "1.74 ms", "75%", "zero-bubble", "P = 1", "30 ms"):
        assert word in out
    spec = json.loads((tmp_path / "g.json").read_text())
    bars = spec["hconcat"][0]["vconcat"][0]["data"]["values"]
    assert {b["stage"] for b in bars} == {0, 1, 2, 3}
    _, out, _ = run(capsys, "racks", DEEPSEEK, "--on", "h200x8", "--json")
    data = json.loads(out)
    assert data["bandwidth_ratio"] == pytest.approx(9)
    assert {p["schedule"] for p in data["schedules"]} == {"decode", "gpipe", "1f1b", "interleaved", "zero-bubble"}


@pytest.mark.parametrize("case", [
    (["racks", DEEPSEEK, "--on", "h200x8", "--racks", "0"], "--racks"),
    (["racks", DEEPSEEK, "--on", "h200x8", "--racks", "1,x"], "--racks"),
    (["racks", DEEPSEEK, "--on", "h200x8", "--racks", "99"], "1..61"),
    (["racks", DEEPSEEK, "--on", "h200x8", "--hop", "3"], "--hop"),
    (["racks", DEEPSEEK, "--on", "h200x8", "-o", "x.doc"], "ending"),
    (["racks", DEEPSEEK, "--on", "h999x8"], "h999x8"),
])  # fmt: skip
def test_bad_input(capsys, case):
    code, out, err = run(capsys, *case[0])
    assert code == 2
    assert not out
    assert case[1] in err
    assert len(err.strip().split("\n")) == 1


@pytest.mark.parametrize("on", ["h100", "llama", "rtx4090x8", "tpu-v5e-8", "mi300x-x8"])
def test_any_machine_gets_an_answer(capsys, on):
    name = "llama-3.1-8b"
    code, out, _ = run(capsys, "racks", name, "--on", "h100x8" if on == "llama" else on, "--racks", "1,2")
    assert code == 0
    assert "what to cut" in out
