"""What `headway search` does: read limits, look, print, and show how far it is when that takes long; and whole grids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headway import catalog as facts
from headway import units
from headway.cli.asking import given
from headway.cli.output import emit, emit_csv
from headway.cli.pictures import draw
from headway.cli.progress import Progress
from headway.cli.terminal import show
from headway.errors import PhysicsError
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

        more = {"why": search_why_rows(answer)}
        draw(out, "search", lambda: figures.search_figure(answer), lambda: search_record(answer) | more)
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
    from headway.cli.gridding import Ran, check_place, run_cells
    from headway.grids import read_grid, summary
    from headway.grids.journal import searched
    from headway.report.searches import grid_text

    folders = tuple(str(Path(c).resolve()) for c in catalog)
    facts.use(folders)
    check_place(workers, ray)
    cells, ran = read_grid(file, folders), Ran()
    journal = results or str(Path(file).with_suffix(".results.jsonl"))
    run_cells(cells, journal, searched, workers, ray, ran)
    found = ran.found
    rows = summary(cells, found)
    if json:
        emit({"cells": [found[c.key] for c in cells], "computed": ran.computed, "from_journal": ran.known})
    elif csv:
        emit_csv(rows)
    else:
        show(grid_text([c.label for c in cells], rows))
        show(f"\n{units.some(len(cells), 'cell')}, {ran.computed} computed now, {ran.known} from {journal}")
    if all(r["refused"] for r in rows):
        raise PhysicsError(f"--grid {file}: no cell has an answer; the first says: {rows[0]['refused']}")
