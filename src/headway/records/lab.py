"""What the lab found as plain data: audits with a row per comparison, and systems with their checks and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from headway.catalog import catalogue
from headway.lab.findings import Audit, Demonstration, Line
from headway.numeric import finite


def line_record(x: Line) -> dict[str, Any]:
    """Return one comparison."""
    return {
        "phase": x.phase, "kind": x.kind, "name": x.name, "unit": x.unit, "step": finite(x.step), "program": finite(x.program),
        "known": [{"name": name, "amount": finite(amount)} for name, amount in x.known], "left": finite(x.left),
        "least": x.least, "most": x.most, "agrees": x.agrees,
    }  # fmt: skip


def audit_record(a: Audit) -> dict[str, Any]:
    """Return an audit."""
    return {
        "model": a.model.name, "layout": str(a.layout), "chips": a.layout.chips, "sequences": a.batch, "prompt_tokens": a.prompt,
        "left_out": a.mutation or None, "agrees": a.agrees, "lines": [line_record(x) for x in a.lines],
        "known": [{"name": name, **difference(name)} for name in a.known],
    }  # fmt: skip


def audit_rows(audits: Sequence[Audit]) -> list[dict[str, Any]]:
    """Return the comparisons of several audits, as ``--csv`` has them."""
    return [
        {"model": a.model.name, "layout": str(a.layout)} | line_record(x) | {"known": "; ".join(name for name, _ in x.known)}
        for a in audits for x in a.lines
    ]  # fmt: skip


def difference(name: str) -> dict[str, str]:
    """Return why program and formulas differ, by the difference's name: whose doing it is, in words, and where it is seen."""
    row = catalogue().row("lab_differences", name, "difference")[0]
    return {"whose": row["kind"], "says": row["says"], "source": row["source"]}


def demonstration_record(d: Demonstration) -> dict[str, Any]:
    """Return a system that ran."""
    return {
        "name": d.name, "system": d.system, "title": d.title, "model": d.model, "passes": d.passes,
        "checks": [{"what": c.what, "wanted": c.wanted, "found": c.found, "passes": c.passes} for c in d.checks],
        "rows": list(d.rows), "notes": list(d.notes), "picture": {
            "x": d.picture.x, "y": d.picture.y, "kind": d.picture.kind,
            "points": [{"line": a, "x": b, "y": c} for a, b, c in d.picture.points],
        },
        "schedules": [
            {"name": p.name, "stages": p.stages, "micro_batches": p.micro_batches, "idle": p.idle, "tasks": [asdict(t) for t in p.tasks]}
            for p in d.plays
        ],
    }  # fmt: skip
