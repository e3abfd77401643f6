"""Lessons: every directive is answered by the library, every command runs, notebooks run from top to bottom."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

from headway import batching
from headway.cli.app import run
from headway.learn import card
from headway.learn.claims import claim
from headway.learn.lessons import SECTIONS, lesson, lessons
from headway.report.lessons import lesson_markdown, lesson_notebook, lesson_text

EVERY = lessons()


@pytest.mark.parametrize("x", EVERY, ids=lambda x: x.id)
def test_a_lesson_is_whole(x):
    assert [h for h, _ in x.sections] == list(SECTIONS)
    blocks = dict(x.sections)
    sorts = {h: {b.sort for b in bs} for h, bs in blocks.items()}
    assert "guess" in sorts["Guess"]
    assert "ask" in sorts["Slide"]
    assert "ask" in sorts["A real model"]
    assert "try" in sorts["Your own"]
    for b in (b for bs in blocks.values() for b in bs):
        if b.sort == "guess":
            card(b.text)
        elif b.sort == "claim":
            assert claim(b.text).used
    for shown in (lesson_text(x), lesson_markdown(x)):
        assert "{{" not in shown
    number = next(b.text for b in blocks["The number"] if b.sort == "text")
    assert re.search(r"\d", number)


def test_there_are_enough_and_each_has_one_question():
    assert 12 <= len(EVERY) <= 15
    assert all(x.title.endswith("?") for x in EVERY)
    assert len({x.id for x in EVERY}) == len(EVERY)


@pytest.mark.parametrize("command", [b.text for x in EVERY for _, bs in x.sections for b in bs if b.sort == "try"])
def test_commands_of_lessons_run(command, capsys):
    assert run(command.split()) == 0, capsys.readouterr().err


def cells(x):
    return [c for c in nbformat.reads(lesson_notebook(x), as_version=4).cells if c.cell_type == "code"]


@pytest.mark.parametrize("x", EVERY, ids=lambda x: x.id)
def test_cells_of_notebooks_run(x):
    book = nbformat.reads(lesson_notebook(x), as_version=4)
    nbformat.validate(book)
    names = {}
    for cell in cells(x):
        exec(cell.source, names)
    assert len(cells(x)) >= 5


def test_a_notebook_runs_in_a_kernel():
    """One kernel for the cells of every lesson: what Jupyter would show has no error and is drawn as HTML."""
    book = nbformat.v4.new_notebook(cells=[c for x in EVERY for c in cells(x)])
    done = nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
    shown = [o for c in done.cells for o in c.outputs]
    assert not [o for o in shown if o.output_type == "error"]
    assert sum("text/html" in o.get("data", {}) for o in shown) >= 40


def test_a_changed_formula_changes_a_lesson(monkeypatch):
    assert "balance batch 2,400 sequences" in " ".join(lesson_text(lesson("batch")).split())
    monkeypatch.setattr(batching, "balance_batch", lambda ratio, sparsity: 7.0 * ratio)
    assert "balance batch 2,100 sequences" in " ".join(lesson_text(lesson("2")).split())


def test_lessons_in_the_terminal(capsys, monkeypatch, tmp_path):
    assert run(["learn", "lessons"]) == 0
    told = capsys.readouterr().out
    assert all(x.title in told for x in EVERY)
    monkeypatch.setattr(
        "sys.stdin", type("Typed", (), {"isatty": lambda self: True, "readline": lambda self: "2400\n"})()
    )
    monkeypatch.setattr("builtins.input", lambda prompt="": "2400")
    assert run(["learn", "batch"]) == 0
    said = capsys.readouterr().out
    assert said.index("-- guess") < said.index("right") < said.index("-- slide")
    file = tmp_path / "b.ipynb"
    assert run(["learn", "batch", "--notebook", str(file)]) == 0
    assert nbformat.read(file, as_version=4).cells
    capsys.readouterr()
    assert run(["learn", "batch", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [s["heading"] for s in record["sections"]] == list(SECTIONS)
    documented = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    blocks = [b for s in record["sections"] for b in s["blocks"]]
    told = {*record, *(k for b in blocks for k in b), *(k for b in blocks if "claim" in b for k in b["claim"])}
    assert {k for k in told if f"`{k}`" not in documented} == set()
    for wrong in (["learn", "bach"], ["learn", "--notebook", str(file)]):
        assert run(wrong) == 2
        assert capsys.readouterr().err.count("\n") == 1
