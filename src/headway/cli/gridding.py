"""What `headway search --grid` does: run what is not in the journal yet, then print every cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headway import catalog as facts
from headway import units
from headway.cli.commands import emit, emit_csv
from headway.cli.progress import Progress
from headway.errors import InputError, PhysicsError
from headway.search.grid import Cell, read_grid, summary
from headway.search.journal import Journal
from headway.search.runners import run_local, run_ray
from headway.tables import table_text


def grid(
    file: str,
    results: str | None,
    workers: int | None,
    ray: str | None,
    *,
    json: bool,
    csv: bool,
    catalog: tuple[str, ...],
) -> None:
    """Run a grid and print a row per cell."""
    folders = tuple(str(Path(c).resolve()) for c in catalog)
    facts.use(folders)
    if workers is not None and workers < 1:
        raise InputError(f"--workers: {workers} must be at least 1")
    if ray is not None and workers is not None:
        raise InputError("--workers is for local processes; with --ray the cluster decides")
    cells = read_grid(file, folders)
    with Journal(results or str(Path(file).with_suffix(".results.jsonl"))) as journal:
        left = [c for c in cells if c.key not in journal.results]
        known = len(cells) - len(left)
        found = dict(journal.results)
        with Progress(len(left), "cells") as say:
            runs = run_ray(left, ray) if ray is not None and left else run_local(left, workers)
            for result in runs:
                found[result["key"]] = result
                if not result.get("fault"):
                    journal.add(result)
                say(result["label"])
    rows = summary(cells, found)
    if json:
        emit({"cells": [found[c.key] for c in cells], "computed": len(left), "from_journal": known})
    elif csv:
        emit_csv(rows)
    else:
        print(_text(cells, rows))
        print(f"\n{len(cells)} cells, {len(left)} computed now, {known} from {journal.path}")
    if all(r["refused"] for r in rows):
        raise PhysicsError(f"--grid {file}: no cell has an answer; the first says: {rows[0]['refused']}")


def _text(cells: list[Cell], rows: list[dict[str, Any]]) -> str:
    heads = ["cell", "tok/s/user", "tok/s/chip", "$/Mtok", "TTFT", "layout"]
    fleets = any(r["fleet"] for r in rows)
    body: list[list[str]] = []
    for cell, r in zip(cells, rows, strict=True):
        if r["refused"]:
            body.append([cell.label, "", "", "", "", r["refused"]] + ([""] if fleets else []))
            continue
        cost = units.dollars(r["dollars_per_mtok"]) if r["dollars_per_mtok"] is not None else "—"
        line = [
            cell.label,
            f"{r['tok_s_per_user']:,.1f}",
            f"{r['tok_s_per_chip']:,.0f}",
            cost,
            units.seconds(r["ttft_s"]),
            r["layout"],
        ]
        body.append(line + ([f"{r['fleet']} ({r['fleet_chips']:,.0f} chips)" if r["fleet"] else ""] if fleets else []))
    return table_text([*heads, "fleet"] if fleets else heads, body)
