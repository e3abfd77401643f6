"""What `headway search` does: read limits, look, print, and show how far it is when that takes long; and whole grids."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from headway import catalog as facts
from headway import units
from headway.cli.asking import given
from headway.cli.output import emit, emit_csv
from headway.cli.progress import Progress
from headway.cli.terminal import show
from headway.errors import InputError, PhysicsError
from headway.questions import Query, chips_of
from headway.search import STAGES, search_layouts


def search(
    asked: dict[str, Any], *, json: bool, csv: bool, why: bool, out: str | None, catalog: tuple[str, ...]
) -> None:
    """Search and print."""
    from headway.records.searches import search_record, search_rows
    from headway.report.searches import search_text
    from headway.report.why_search import search_why_rows, search_why_text

    facts.use(catalog)
    if out:
        from headway.figures.style import check

        check(out)
    chips, at_most = chips_of(asked["chips"])
    query = Query(**given(asked | {"chips": chips, "at_most": at_most}))
    with Progress(len(query.systems) * len(STAGES)) as shown:
        answer = search_layouts(query, shown)
    if out:
        from headway import figures

        figures.write_figure(figures.search_figure(answer), out)
    if json:
        emit(search_record(answer) | ({"why": search_why_rows(answer)} if why else {}))
        return
    if csv:
        emit_csv(search_rows(answer))
        return
    show(search_text(answer))
    if why:
        show("\n" + search_why_text(answer))
    if out:
        show(f"\nchart written to {out}")


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
    """Run what is not in the journal yet, and print a row per cell."""
    from headway.grids import Journal, read_grid, run_local, run_ray, summary
    from headway.report.searches import grid_text

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
        if journal.skipped:
            lines = ", ".join(map(str, journal.skipped[:5])) + (", ..." if len(journal.skipped) > 5 else "")
            print(f"! {journal.path}: no results on line {lines}: computed again", file=sys.stderr)
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
        show(grid_text([c.label for c in cells], rows))
        show(f"\n{units.some(len(cells), 'cell')}, {len(left)} computed now, {known} from {journal.path}")
    if all(r["refused"] for r in rows):
        raise PhysicsError(f"--grid {file}: no cell has an answer; the first says: {rows[0]['refused']}")
