"""Text fitted to the terminal: nothing is lost, nothing is wider."""

from __future__ import annotations

import json
import re

import pytest

from cases import TINY_LLAMA
from headway.cli import terminal
from headway.cli.app import run

VERBS = [
    "plan deepseek-v3 --on gb200-nvl72 --context 32k --why",
    "plan llama-3.1-8b,llama-3.1-70b --on h100x8,b200x8",
    "racks deepseek-v3 --on gb200-nvl72",
    "search llama-3.1-8b --on h100x8 --rate 50/s",
    "curve llama-3.1-8b --on h100x1 --against context",
    "speculate llama-3.1-70b --on h100x8",
    "trains llama-3.1-70b --on h100x8 --rate 2/s --why",
    "lecture",
    "ask",
    "ask E17",
    "ask what-if --sweep batch=1,100",
    "catalog chips",
    "catalog models qwen",
]


def printed(capsys, monkeypatch, verb, wide):
    if wide:
        monkeypatch.setenv("COLUMNS", str(wide))
    else:
        monkeypatch.delenv("COLUMNS", raising=False)
    assert run(verb.split()) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_fits(capsys, monkeypatch, verb):
    whole = printed(capsys, monkeypatch, verb, 0)
    for wide in (80, 100, 120, 300):
        text = printed(capsys, monkeypatch, verb, wide)
        assert max(len(x) for x in text.split("\n")) <= wide
        if "search" not in verb and "plan" not in verb:  # charts are drawn to the terminal
            squeezed = set(re.findall(r"[^\s-]+", text))
            assert {w for w in re.findall(r"[^\s-]+", whole) if len(w) < 9} <= squeezed


def test_a_remark_wraps_under_itself_and_a_table_by_columns():
    line = "  label   value   " + "word " * 30
    wrapped = terminal.fitted(line, 60).split("\n")
    assert all(x.startswith(" " * 18) for x in wrapped[1:])
    assert " ".join(" ".join(wrapped).split()) == " ".join(line.split())
    table = "name  bytes  words\n----  -----  " + "-" * 60 + "\none       1  " + "text " * 12
    fitted = terminal.fitted(table, 40).split("\n")
    assert fitted[1].startswith("----  -----  ---")
    assert fitted[2].startswith("one       1  text")
    assert all(x.startswith(" " * 13) and set(x.split()) == {"text"} for x in fitted[3:])


def test_a_table_of_too_many_columns_becomes_several():
    heads = "  ".join(f"col{i:07}" for i in range(10))
    table = f"{heads}\n{'  '.join(['-' * 10] * 10)}\n{'  '.join(f'{i:>10}' for i in range(10))}"
    fitted = terminal.fitted(table, 50)
    assert max(map(len, fitted.split("\n"))) <= 50
    assert fitted.count("col0000000") == fitted.count("\n\n") + 1
    assert all(f"col{i:07}" in fitted for i in range(10))


def test_an_ascii_terminal_gets_ascii(capsys, monkeypatch):
    import io
    import sys

    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    monkeypatch.setattr(sys, "stdout", out)
    terminal.show("a ⠁⠀⢄ 4 µs — b")
    out.flush()
    assert out.buffer.getvalue() == b"a * * 4 us - b\n"


def test_a_name_wider_than_the_terminal_is_broken(capsys, monkeypatch, tmp_path):
    name = "x" * 200
    (tmp_path / f"{name}.json").write_text(json.dumps(TINY_LLAMA))
    text = printed(capsys, monkeypatch, f"plan {tmp_path / name}.json --on h100", 80)
    assert max(map(len, text.split("\n"))) <= 80
    assert name in "".join(text.split("\n")[:8]).replace(" ", "")
