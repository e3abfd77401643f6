"""The front door: `import headway as hw` is typed, has no clashes, and two lines of it give what the command line gives."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import headway as hw
from headway.cli import app
from headway.errors import InputError

ROOT = Path(__file__).parent.parent
ASK = {"model": "llama-3.1-70b", "system": "h200x8", "prompt": "2k", "output": 256, "layout": "tp8", "batch": 64}


def test_every_name_is_there_and_typed():
    """What type checkers read (under TYPE_CHECKING) and what runs (`_HOME`) are one list."""
    tree = ast.parse((ROOT / "src" / "headway" / "__init__.py").read_text(encoding="utf-8"))
    typed = next(n for n in tree.body if isinstance(n, ast.If))
    seen = {a.asname: n.module for n in ast.walk(typed) if isinstance(n, ast.ImportFrom) for a in n.names}
    assert seen == {name: module for name, (module, _) in hw._HOME.items()}
    for name in hw.__all__:
        assert getattr(hw, name) is getattr(importlib.import_module(seen[name]), hw._HOME[name][1])
    wanted = (
        "predict",
        "validate",
        "calibrate",
        "racks",
        "speculate",
        "trains",
        "make_plan",
        "search_layouts",
        "curve_figure",
    )
    assert set(wanted) <= set(dir(hw))


def test_no_name_is_a_function_first_and_a_module_later():
    rooms = {m.name for m in pkgutil.iter_modules(hw.__path__)}
    assert not rooms & set(hw.__all__)


def test_type_checkers_see_real_types(tmp_path):
    (tmp_path / "use.py").write_text(
        "import headway as hw\n"
        'r = hw.Request("m", "s", prompt="4k", output=1000)\n'
        'q = hw.Query("m", systems="h200x8", tpot="30ms")\n'
        "reveal_type(r.prompt)\nreveal_type(q.systems)\nreveal_type(hw.predict(r).tpot)\n"
        "reveal_type(hw.make_plan(r))\nreveal_type(hw.step_time)\nhw.Query('m', systems=3)\nhw.nothing\n"
    )
    command = [
        sys.executable,
        "-m",
        "pyright",
        "--outputjson",
        "--pythonpath",
        sys.executable,
        str(tmp_path / "use.py"),
    ]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path).stdout)
    shown = [d["message"] for d in said["generalDiagnostics"] if d["severity"] == "information"]
    for kind, text in zip(("float | None", "tuple[str, ...]", "float", "Plan", "StepTime"), shown, strict=True):
        assert kind in text
        assert "Any" not in text.split('is "')[1].split("->")[0] or kind == "StepTime"
    wrong = [d["range"]["start"]["line"] for d in said["generalDiagnostics"] if d["severity"] == "error"]
    assert wrong == [8, 9]


def test_quantities_are_read_as_people_write_them():
    assert hw.Query("m", systems="h200x8, b200x8").systems == ("h200x8", "b200x8")
    assert hw.Request("m", "s", prompt="4k", price="3.6/h").prompt == 4000.0
    assert hw.Request("m", "s", price="3.6/h").price == pytest.approx(1e-3)
    assert hw.drain_time("h200") == hw.drain_time(hw.chip("h200")) == pytest.approx(141e9 / 4.8e12)
    with pytest.raises(InputError, match="--prompt"):
        hw.Request("m", "s", prompt="four")


def test_two_lines_give_what_the_command_line_gives(capsys):
    options = [
        "llama-3.1-70b",
        "--on",
        "h200x8",
        "--prompt",
        "2k",
        "--output",
        "256",
        "--layout",
        "tp8",
        "--batch",
        "64",
        "--json",
    ]
    assert app.run(["plan", *options]) == 0
    assert hw.make_plan(hw.Request(**ASK)).to_dict() == json.loads(capsys.readouterr().out)
    asked = {k: v for k, v in ASK.items() if k != "system"}
    assert app.run(["search", *options, "--no-split"]) == 0
    found = hw.search_layouts(hw.Query(systems="h200x8", split=False, **asked)).to_dict()
    assert json.loads(json.dumps(found)) == json.loads(capsys.readouterr().out)


def test_answers_show_themselves():
    plan, answer = hw.make_plan(hw.Request(**ASK)), hw.predict(hw.Request(**ASK))
    found = hw.search_layouts(hw.Query("gpt-oss-120b", systems="h200x8"))
    for x in (
        plan,
        answer,
        found,
        hw.speculate(hw.Request(**ASK)),
        hw.trains(hw.Request(**ASK, arrivals=2)),
        hw.racks("gpt-oss-120b", "h200x8"),
    ):
        assert repr(x).startswith(f"<{type(x).__name__}: ")
        assert len(repr(x)) < 250
        json.dumps(x.to_dict(), allow_nan=False)
        page = x._repr_html_()
        assert page.startswith("<details")
        assert "<pre>" in page
        assert len(x.text()) > 100
    assert "TPOT" in repr(plan)


def test_what_is_left_open_is_refused():
    with pytest.raises(InputError, match="layout"):
        hw.predict(hw.Request("llama-3.1-70b", "h200x8", batch=8))
    with pytest.raises(InputError, match="differs from chip to chip"):
        hw.calibration("modern")
    assert hw.calibration("ideal") == hw.Calibration.ideal()
    assert hw.calibration("vllm", "h200").kernel_seconds > 0


@pytest.mark.parametrize(("call", "says"), [
    (lambda: hw.Request("llama-3.1-8b", "h100", engine=None), "--engine is None; it must be text, like vllm"),
    (lambda: hw.Request(None, "h100"), "MODEL is None"), (lambda: hw.Request("llama-3.1-8b", None), "--on is None"),
    (lambda: hw.Query("llama-3.1-8b", None), "--on is None"), (lambda: hw.Request(3, "h100"), "MODEL is 3; it must be text"),
    (lambda: hw.Request("llama-3.1-8b", "h100", load=None), "accepted: closed_loop, static_batch"),
    (lambda: hw.Query("llama-3.1-8b", "h100", prompt=None), "--prompt is None; it must be a number of tokens, like 8k"),
    (lambda: hw.chip(3), "a chip is 3; it must be text, like h200"), (lambda: hw.system(None), "a system is None"),
    (lambda: hw.Request("llama-3.1-8b", "h100", release="yesterday"), "--release: 'yesterday' is no date"),
    (lambda: hw.Request("llama-3.1-8b", "h100", release="2025-13-45"), "is no date"),
    (lambda: hw.Query("llama-3.1-8b", "h100", release="99999"), "is no date"),
    (lambda: hw.Query("llama-3.1-8b", "h100", release="2025-02-30"), "is no date"),
    (lambda: hw.calibration("vllm", "h200", "soon"), "is no date"),
])  # fmt: skip
def test_the_library_refuses_as_the_command_line_does(call, says):
    with pytest.raises(InputError) as caught:
        call()
    assert says in str(caught.value)


def test_a_release_is_a_day_a_month_or_a_year():
    for text in ("2026-05-18", "2025-11", "2026"):
        assert hw.Request("llama-3.1-8b", "h100", release=text).release == text
