"""The house itself: no circle between files, modules and functions of a size that one can read."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
FILES = sorted((SOURCE / "headway").rglob("*.py"))


def name_of(file):
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(f): f for f in FILES}


def imports(file):
    """Every module of headway's that a file imports, at the top or inside a function; for type checkers alone left out."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    idle = {
        id(inner) for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"
        for inner in ast.walk(n)
    }  # fmt: skip
    for n in ast.walk(tree):
        if id(n) in idle:
            continue
        if isinstance(n, ast.Import):
            yield from (a.name for a in n.names if a.name in NAMES)
        elif isinstance(n, ast.ImportFrom) and n.module and n.module.split(".")[0] == "headway":
            for a in n.names:
                yield f"{n.module}.{a.name}" if f"{n.module}.{a.name}" in NAMES else n.module


def test_no_circle_between_files():
    graph = {name: sorted(set(imports(file)) - {name}) for name, file in NAMES.items()}
    done, path = set(), []

    def visit(name):
        if name in path:
            pytest.fail(" -> ".join([*path[path.index(name) :], name]))
        if name in done:
            return
        path.append(name)
        for other in graph[name]:
            visit(other)
        path.pop()
        done.add(name)

    for name in graph:
        visit(name)
    assert len(done) == len(NAMES) > 100


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_sizes(file):
    text = file.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    for n in ast.walk(ast.parse(text)):
        if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef):
            assert n.end_lineno - n.lineno + 1 <= 50, n.name
