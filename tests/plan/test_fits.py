"""What fits on a machine, against plans of the same models."""

from __future__ import annotations

import json

import pytest

import headway as hw
from headway.cli.app import run
from headway.errors import InputError
from headway.plan.fits import what_fits


def test_each_row_is_what_a_plan_says():
    found = what_fits("rtx4090", words=["qwen/qwen3"])
    assert {f.stored for f in found} == {"q8_0", "q4_k_m"}  # released in 16 bits
    narrow = what_fits("rtx4090", words=["nvidia/qwen3"])
    assert {f.stored for f in narrow if not f.on_host} == {
        "nvfp4a16",
        "q4_k_m",
    }  # released in four bits: as released too
    for f in found[:4]:
        plan = hw.make_plan(
            hw.Request(f.model, "rtx4090", precision=f.stored, engine="llama.cpp", context=f.context, batch=1.0,
                       layout=str(f.layout))
        )  # fmt: skip
        assert plan.max_batch == f.sequences
        assert plan.point.seconds == pytest.approx(f.seconds, rel=1e-9)
        assert plan.model.loaded_bytes == f.weights


def test_the_longest_context_fits_and_a_longer_one_does_not():
    (one,) = (f for f in what_fits("rtx4090", words=["qwen3-32b"]) if f.stored == "q4_k_m")
    arch = hw.model("qwen3-32b", precision="q4_k_m")
    assert one.context <= one.longest < arch.max_context
    for tokens, holds in ((one.longest, True), (one.longest * 1.02, False)):
        request = hw.Request(
            "qwen3-32b", "rtx4090", precision="q4_k_m", engine="llama.cpp", prompt=tokens - 1024, output=1024.0
        )
        if holds:
            assert hw.make_plan(request).max_batch >= 1
        else:
            with pytest.raises(hw.PhysicsError):
                hw.make_plan(request)


def test_formats_and_machines():
    assert {f.stored for f in what_fits("h100x8", words=["llama-3.1-70b"])} == {"bf16", "fp8-tensor", "int4"}
    own = 0.5e9  # CUDA context and compute buffer of llama.cpp
    found = what_fits("rtx4090", offload=False)
    assert max(f.weights for f in found) < hw.chip("rtx4090").usable - own
    assert len({(f.model, f.stored) for f in found}) == len(found)
    nano = [f.model for f in found if "Nemotron-3-Nano" in f.model and f.stored == "q4_k_m"]
    assert nano == ["nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"]  # not its NVFP4 release once more
    assert [f.stored for f in what_fits("rtx4090", words=["gpt-oss-20b"], formats=[""])] == ["mxfp4"]
    assert len(what_fits("m4-max", context=32_768.0)) < len(what_fits("m4-max", context=2048.0))
    with pytest.raises(InputError, match="no model of the catalogue has nonesuch"):
        what_fits("rtx4090", words=["nonesuch"])


def test_the_verb(capsys):
    assert run(["fit", "qwen3-8b", "--on", "rtx4090", "--precision", "q4_k_m,q6_k", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [r["weights_format"] for r in rows if r["model"] == "Qwen/Qwen3-8B"] == ["q6_k", "q4_k_m"]
    assert all(r["tok_s"] == pytest.approx(1 / r["tpot_s"]) for r in rows)
    assert run(["fit", "qwen3-8b", "--on", "rtx4090"]) == 0
    out = capsys.readouterr().out
    assert "fastest: Qwen/Qwen3-8B in q4_k_m" in out
    assert run(["fit", "deepseek-v3", "--on", "rtx4090"]) == 3
    assert "fits on rtx4090; a narrower --precision" in capsys.readouterr().err


def test_nothing_that_fits_is_refused_by_physics(capsys):
    """As by every verb: status 3 and one line, with --json, too."""
    for more in ([], ["--json"], ["--csv"]):
        assert run(["fit", "--on", "rtx4090", "--context", "10m", "llama-3.1-8b", *more]) == 3
        said = capsys.readouterr()
        assert said.out == ""
        assert "no model with llama-3.1-8b in its name fits on rtx4090 at a context of 10,000,000 tokens" in said.err
