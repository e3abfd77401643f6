"""Documentation is executed: the tour shows real output, its example runs, and the index of formulas is complete."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import headway
from headway.catalog import catalogue
from headway.cli import app

ROOT = Path(__file__).parent.parent


def test_generated_documents_are_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_module_example_runs():
    assert doctest.testmod(headway).attempted >= 2
    assert doctest.testmod(headway).failed == 0


def test_every_equation_of_the_lecture_has_a_home():
    text = (ROOT / "docs" / "formulas.md").read_text()
    ranges = [(int(a), int(b)) for a, b in re.findall(r"E(\d+) to E(\d+)", text)]
    cited = {int(n) for n in re.findall(r"\bE(\d+)\b", text)} | {n for a, b in ranges for n in range(a, b + 1)}
    assert cited >= set(range(1, 27))
    systems = {"A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10", "A11", "B1", "B2", "B3", "B4", "B5", "B6", "C2", "C4", "C5",
               "D1", "D2", "D3", "D4", "D5", "D6", "E1", "E2", "E3", "E4", "E5", "E7", "F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "G1",
               "G4", "H4", "H5", "H6", "I2"}  # fmt: skip
    everything = text + "".join(p.read_text() for p in (ROOT / "src").rglob("*.py"))
    assert {s for s in systems if f"SYS-{s}" not in everything} == set()


def test_readme_commands_parse(capsys):
    """The commands that the README and the tour show are answered, but for those that name the reader's own files."""
    text = (ROOT / "README.md").read_text() + (ROOT / "docs" / "tour.md").read_text()
    commands = [c.split("#")[0].split()[1:] for c in re.findall(r"^    (headway .*)$", text, re.M)]
    assert len(commands) >= 5
    for command in commands:
        if "./my" in " ".join(command) or "-o" in command:
            continue
        assert app.run(command) == 0, command
        capsys.readouterr()


def fields(value):
    """Every name of a record, however deep."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from fields(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from fields(inner)


@pytest.mark.parametrize("verb", [
    "plan deepseek-v3 --on gb200-nvl72 --why", "plan llama-3.1-8b,deepseek-v3 --on h100",
    "curve deepseek-v3 --on h200x8 --why",
    "plan gpt-oss-120b --on rtx4090 --cpu-experts 30 --engine llama.cpp",
    "search gpt-oss-120b --on h200x8 --rate 2/s --why",
    "racks gpt-oss-120b --on h200x8 --racks 1,2", "speculate gpt-oss-120b --on h200x8",
    "trains gpt-oss-120b --on h200 --rate 1/s --why",
    "fit --on rtx4090 qwen3-8b", "lecture", "ask", "ask E5",
    "learn --progress /nowhere.jsonl", "learn --card balance-batch --answer 3",
    "simulate llama-3.1-8b --on h100x1 --traffic closed:4 --requests 20 --prompt 1k --output 64",
    "capacity llama-3.1-8b --on h100x1 --prompt 512 --output 128 --tpot 20ms --seeds 2 --readers 100",
    "simulate llama-3.1-8b --on h100x1 --prompt 512 --output 64 --seeds 2", "sweep llama-3.1-8b --on h100x1 --prompt 512 --output 64",
    "cache llama-3.1-8b --on h100x1 --requests 100", "tiers llama-3.1-8b --on h100x1 --prompt 500 --output 100 --fill poisson:5/s",
    "cost llama-3.1-8b --on h100x1 --prompt 500 --output 100 --hits 0.5 --owned --check",
    "train llama-3.1-8b --on h100x16 --tokens 1T",
    "rl llama-3.1-8b --on h100x16 --prompts 8 --group 4 --way ahead --why",
    "lifetime llama-3.1-8b --on h100x1 --train-on h100x16 --tokens 15T --demand 10T --rl-tokens 1T --why",
    "bill gpt-oss-120b --prompt 1k --output 10", "bill --usage docs/examples/usage.jsonl",
    "bill llama-3.1-8b --prompt 512 --output 32 --against h100x1 --tpot 30ms --hits 0",
    "fleet llama-3.1-8b --on h100x1 --users 1k --requests-per-day 5 --prompt 500 --output 100 --tpot 20ms --seeds 1 --owned --years 2",
])  # fmt: skip
def test_every_json_field_is_documented(capsys, verb):
    text = (ROOT / "docs" / "json.md").read_text()
    assert app.run([*verb.split(), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {n for n in fields(found) if f"`{n}`" not in text} == set()


def test_nothing_reads_outside_the_repository():
    """Nothing at run time or in tests depends on folders that a fresh clone does not have."""
    for file in [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "src").rglob("*.csv")]:
        text = file.read_text()
        assert ".." + "/shared" not in text, file
        assert "/" + "work/" not in text, file
    assert catalogue().folders[0].is_relative_to(ROOT / "src")
