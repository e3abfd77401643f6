"""What `headway sweep` does: cells, runs, a table; what is finished when somebody stops it is not lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from headway import catalog as facts
from headway import units
from headway.cli.gridding import Ran, check_place, run_cells
from headway.cli.output import emit, emit_csv
from headway.cli.terminal import show
from headway.errors import InputError, LostWorkerError, PhysicsError
from headway.grids.sweeps import Runs, SweepCell, sweep_cells, sweep_rows, swept
from headway.plan.operations import policy, router
from headway.report.sweeps import sweep_text


class Place(NamedTuple):
    """Where cells run and are kept: a journal, local processes, or a Ray cluster's address."""

    results: str | None
    workers: int | None
    ray: str | None


def _check(axes: Mapping[str, Sequence[str]]) -> None:
    """Refuse names that no cell can be asked, before the first runs."""
    for name in axes["policy"]:
        policy(name)
    for name in axes["router"]:
        router(name)
    for what, option in (
        ("model", "MODEL"),
        ("system", "--on"),
        ("traffic", "--traffic"),
        ("policy", "--policy"),
        ("router", "--router"),
    ):
        if not axes[what]:
            raise InputError(f"{option}: nothing is named")


def sweep(
    asked: dict[str, Any],
    axes: dict[str, Sequence[str]],
    runs: Runs,
    where: Place,
    *,
    json: bool,
    csv: bool,
    catalog: tuple[str, ...],
) -> None:
    """Run what is not in the journal yet, and print a row per cell."""
    folders = tuple(str(Path(c).resolve()) for c in catalog)
    facts.use(folders)
    check_place(where.workers, where.ray)
    _check(axes)
    results = where.results
    cells, ran = sweep_cells(asked, axes, runs, folders), Ran()
    try:
        run_cells(cells, results, swept, where.workers, where.ray, ran)
    except BaseException as ended:
        if results is None and ran.found:
            _print(cells, ran, results, json=json, csv=csv)
            if isinstance(ended, LostWorkerError):
                raise LostWorkerError("; ".join(["a worker was lost", *ended.__notes__])) from None
        raise
    rows = _print(cells, ran, results, json=json, csv=csv)
    if all(r["refused"] for r in rows):
        raise PhysicsError(f"sweep: no cell has an answer; the first says: {rows[0]['refused']}")


def _print(cells: list[SweepCell], ran: Ran, results: str | None, *, json: bool, csv: bool) -> list[dict[str, Any]]:
    rows = sweep_rows(cells, ran.found)
    left = len(cells) - len(rows)
    if json:
        done = [ran.found[c.key] for c in cells if c.key in ran.found]
        emit({"cells": done, "computed": ran.computed, "from_journal": ran.known, "unfinished": left})
    elif csv:
        emit_csv(rows)
    else:
        show(sweep_text(rows))
        kept = f", {ran.known} from {results}" if results else ""
        open_ = f", {left} unfinished" if left else ""
        show(f"\n{units.some(len(cells), 'cell')}, {ran.computed} computed now{kept}{open_}")
    return rows
