"""The audit: programs of every family under every layout against the step, and what it notices when something is left out."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

from headway.catalog import catalogue
from headway.errors import InputError
from headway.lab import audit, differences, planned, tiny
from headway.lab.findings import Line
from lab_child import there

CELLS = planned([], [])
# Of each way of cutting the other widths, too.
OTHERS = [
    ("qwen3-30b-a3b", "tp2"),
    ("qwen3-30b-a3b", "tp8ep4"),
    ("deepseek-v3.2", "cp8"),
    ("qwen3.5-35b-a3b", "cp2"),
    ("gpt-oss-20b", "dp8ep2"),
    ("gemma-3-27b", "pp8"),
    ("minimax-m2.5", "tp4"),
]


def test_seven_families_under_five_layouts():
    assert len({m for m, _ in CELLS}) >= 7
    for model in {m for m, _ in CELLS}:
        assert len({x for m, x in CELLS if m == model}) >= 5
    assert {"tp", "dp", "cp", "pp"} <= {x[:2] for _, x in CELLS}
    assert sum("ep" in x for _, x in CELLS) >= 5


@pytest.mark.parametrize(("model", "layout"), CELLS + OTHERS)
def test_program_and_step_agree(model, layout):
    a = there(audit, model, layout, phases=("decode",) if (model, layout) in OTHERS else ("prefill", "decode"))
    assert a.agrees, [(x.phase, x.kind, x.name, x.step, x.program, x.known) for x in a.disagreements]
    kinds = {x.kind for x in a.lines}
    assert kinds >= {"parameters", "cache", "FLOPs", "entries", "products", "bytes", "temporaries"}
    assert ("outputs" in kinds) == (a.layout.chips > 1)
    flops = [x for x in a.lines if x.kind == "FLOPs"]
    assert all(x.left == pytest.approx(x.step, rel=1e-9) for x in flops)  # within 1 % is promised; to the FLOP it is
    sent = {x.name for x in a.lines if x.kind == "sent" and x.program}
    assert bool(sent) == (layout != "dp4" or a.model.experts is not None)
    known = {r["name"] for r in catalogue().table("lab_differences").rows}
    assert set(a.known) <= known


@pytest.mark.parametrize("model", [*dict.fromkeys(m for m, _ in CELLS), "minimax-m2.5"])
def test_one_chip_in_all_phases(model):
    """Chunks behind a cache, too: what they read and expand of it."""
    a = there(audit, model)
    assert a.agrees, [(x.phase, x.kind, x.name, x.step, x.program, x.known) for x in a.disagreements]
    assert {x.phase for x in a.lines} == {"", "prefill", "chunk", "decode"}
    assert set(a.known) <= {"masked pairs", "picked again"}  # alone, nothing of the formulas' differs


@pytest.mark.parametrize(
    ("model", "layout", "left_out", "noticed"),
    [
        ("deepseek-v3", "tp1", "shared", ("FLOPs", "shared experts")),
        ("gemma-3-27b", "tp1", "window", ("FLOPs", "attention: the last 8 tokens")),
        ("llama-3.1-8b", "tp2", "all-reduce", ("sent", "all-reduce")),
        ("qwen3-30b-a3b", "dp2ep2", "combine", ("collectives", "combine")),
        ("gpt-oss-20b", "dp2ep2", "dispatch", ("sent", "dispatch")),
        ("llama-3.1-8b", "cp2", "context ring", ("collectives", "context ring")),
        ("qwen3-30b-a3b", "dp2", "expert all-reduce", ("sent", "expert all-reduce")),
        ("llama-3.1-8b", "pp2", "stage hand-over", ("collectives", "stage hand-over")),
    ],
)
def test_what_a_program_leaves_out_is_noticed(model, layout, left_out, noticed):
    a = there(audit, model, layout, mutation=left_out, phases=("prefill",))
    assert noticed in {(x.kind, x.name) for x in a.disagreements}
    if layout != "tp1":
        assert "outputs" in {x.kind for x in a.disagreements}


def scaled(field, by):
    """An audit against a step whose rows, or sends, have so many times as much."""
    from headway.lab import auditing

    whole = auditing.build_step

    def build(model, layout):
        step = whole(model, layout)
        change = {"payload": "sends"}.get(field, "rows")
        parts = tuple(dataclasses.replace(x, **{field: getattr(x, field) * by}) for x in getattr(step, change))
        return dataclasses.replace(step, **{change: parts})

    auditing.build_step = build
    try:
        return audit("llama-3.1-8b", "tp2", phases=("decode",))
    finally:
        auditing.build_step = whole


@pytest.mark.parametrize(
    ("field", "by", "kind"),
    [
        ("flops_per_token", 1.02, "FLOPs"),
        ("flops_per_logit", 0.98, "FLOPs"),
        ("share", 1.02, "FLOPs"),
        ("weight_bytes", 40.0, "bytes"),
        ("payload", 1.0001, "sent"),
    ],
)
def test_a_wrong_formula_is_noticed(field, by, kind):
    a = there(scaled, field, by)
    assert {x.kind for x in a.disagreements} == {kind}


def test_every_explanation_is_somebodys():
    """Names in the catalogue and in the code are the same, each with what it says and where it is seen."""
    rows = catalogue().table("lab_differences").rows
    code = inspect.getsource(differences)
    for r in rows:
        assert r["says"]
        assert r["kind"] in ("program", "formula", "mended")
        assert (f'"{r["name"]}"' in code) == (r["kind"] != "mended"), r["name"]


def test_a_line_agrees_within_its_bounds():
    assert Line("", "FLOPs", "x", "FLOP", 100.0, 130.0, (("why", 30.0),)).agrees
    assert not Line("", "FLOPs", "x", "FLOP", 100.0, 130.0, (("why", 29.0),)).agrees
    assert not Line("", "collectives", "x", "", 1.0, float("nan")).agrees
    assert Line("", "bytes", "x", "B", 10.0, 35.0, (), 1.0, 4.0).agrees
    assert not Line("", "bytes", "x", "B", 10.0, 9.0, (), 1.0, 4.0).agrees


@pytest.mark.parametrize(
    ("model", "layout", "says"),
    [
        ("llama-3.1-8b", "tp2pp2", "one way at a time"),
        ("llama-3.1-8b", "dp2ep2", "dense"),
        ("qwen3-30b-a3b", "dp8ep8+shared", "no second copies"),
        ("llama-3.1-8b", "tp3", "8 attention heads do not divide"),
        ("llama-3.1-8b", "dp16", "16 chips; the lab divides the host into 2, 4, 8"),
        ("llama-3.1-8b", "cp3", "3 chips"),
        ("opt-30b", "tp1", "unknown family of the lab"),
    ],
)
def test_what_the_lab_does_not_run(model, layout, says):
    with pytest.raises(InputError, match=says):
        there(audit, model, layout)


def test_tiny_models_keep_their_kinds():
    for model in ("deepseek-v3.2", "gemma-3-27b", "qwen3.5-35b-a3b", "gpt-oss-20b"):
        assert len(tiny(model).layers) == 2
        assert tiny(model, 8).layer_count == 8
