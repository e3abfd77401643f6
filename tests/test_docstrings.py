"""Public docstrings: every numeric parameter and attribute says its unit in brackets, and none is left out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "headway"
FILES = [f for f in sorted(SOURCE.rglob("*.py")) if "cli" not in f.relative_to(SOURCE).parts]
NUMBER = re.compile(r"\b(float|array|int|number)\b")


def sections(node):
    """Entries of the sections of a numpydoc docstring: section -> [(names, type, text)]."""
    parts = re.split(r"\n(\w+)\n-{3,}\n", "\n" + (ast.get_docstring(node) or ""))
    found = {}
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        entries = re.split(r"\n(?=\S)", body.strip("\n"))
        found[title] = [(*e.split("\n")[0].split(" : ", 1), e) for e in entries if " : " in e.split("\n")[0]]
    return found


def public(tree):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (m for m in node.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("_"))


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.relative_to(SOURCE).as_posix())
def test_numbers_have_units(file):
    for node in public(ast.parse(file.read_text(encoding="utf-8"))):
        told = sections(node)
        for names, kind, text in [e for title in ("Parameters", "Attributes") for e in told.get(title, [])]:
            if NUMBER.search(kind) and "array of" not in kind and "str" not in kind:
                assert re.search(r"\[[^\]]+\]", text), f"{node.name}: {names} has no unit"
        if isinstance(node, ast.FunctionDef):
            listed = {n.strip() for names, _, _ in told.get("Parameters", []) for n in names.split(",")}
            for a in [*node.args.args, *node.args.kwonlyargs]:
                if a.annotation is not None and re.search(r"\b(float|Real|int|Array)\b", ast.unparse(a.annotation)):
                    assert a.arg in listed, f"{node.name}: {a.arg} is not documented"
