"""Equations and their answers as plain data."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from headway.catalog import catalogue
from headway.equations import Asked, Equation, equations
from headway.numeric import finite


def equation_record(e: Equation) -> dict[str, Any]:
    """Return what an equation is: ids, formula, parameters and results with units, who says it, what computes it."""
    return {
        "id": e.id, "aliases": list(e.aliases), "section": e.section, "title": e.title, "formula": e.formula,
        "said": e.said,
        "parameters": [
            {"name": p.name, "symbol": p.symbol, "unit": p.unit, "about": p.about, "default": p.default,
            "default_from": p.source,
             "choices": list(p.choices)} for p in e.parameters
        ],
        "results": [{"name": r.name, "unit": r.unit, "about": r.about} for r in e.results],
        "functions": [f"headway.{f}" for f in e.functions], "better": e.better, "note": e.note,
        "derivation": derivation(e), "disputed": disputed(e),
    }  # fmt: skip


def derivation(e: Equation) -> list[dict[str, str]]:
    """Return what each function behind an equation says of itself: its first line, and the notes that derive the formula."""
    found: list[dict[str, str]] = []
    for name in e.functions:
        text = inspect.getdoc(_named(name)) or ""
        notes = text.partition("\nNotes\n-----\n")[2].split("\n\nExamples\n")[0].split("\n>>>")[0]
        found.append(
            {"function": f"headway.{name}", "says": text.split("\n\n")[0].replace("\n", " "), "notes": notes.strip()}
        )
    return found


def _named(name: str) -> Any:
    """A function or a class, or a method of one, by its place in headway."""
    room, _, last = name.rpartition(".")
    try:
        return getattr(importlib.import_module(f"headway.{room}"), last)
    except ModuleNotFoundError:
        return getattr(_named(room), last)


def disputed(e: Equation) -> list[dict[str, str]]:
    """Return the claims of the register on which sources disagree about an equation, or that limit it."""
    ids = {e.id, *e.aliases}
    rows = [r for r in catalogue().table("claims").rows if ids & set(r["equations"].split("|"))]
    return [{k: r[k] for k in ("id", "topic", "versions", "used", "reason")} for r in rows]


def listed_records() -> list[dict[str, Any]]:
    """Return every equation that can be asked."""
    return [equation_record(e) for e in equations()]


def plain_value(value: Any) -> Any:
    """Return a number that JSON has, a word, or None."""
    return value if value is None or isinstance(value, str) else finite(float(value))


def asked_record(a: Asked) -> dict[str, Any]:
    """Return an answer as plain data: numbers in the units named."""
    e = a.equation
    return {
        "id": e.id, "aliases": list(e.aliases), "title": e.title, "formula": e.formula, "said": e.said,
        "parameters": [
            {"name": p.name, "value": None if p.name == a.swept else plain_value(a.values[p.name]), "unit": p.unit,
             "from": a.sources[p.name]} for p in e.parameters if p.name not in a.idle
        ],
        "results": [
            {"name": r.name, "value": plain_value(a.results[r.name]), "unit": r.unit, "about": r.about}
            for r in e.results if a.results
        ],
        "table": [{k: plain_value(v) for k, v in row.items()} for row in a.table], "swept": a.swept,
        "sweep": swept_rows(a),
        "functions": [f"headway.{f}" for f in e.functions], "better": e.better, "note": e.note,
        "derivation": derivation(e), "disputed": disputed(e),
    }  # fmt: skip


def swept_rows(a: Asked) -> list[dict[str, Any]]:
    """Return the rows of a sweep; None where there is no finite answer, and why in ``note``."""
    return [{k: plain_value(v) for k, v in row.items()} for row in a.rows]


def csv_rows(a: Asked) -> list[dict[str, Any]]:
    """Return the rows of ``--csv``: the sweep, else the table that belongs to the answer, else the results."""
    if a.swept:
        return swept_rows(a)
    record = asked_record(a)
    return record["table"] or record["results"]
