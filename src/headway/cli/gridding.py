"""Cells of grids and sweeps as the command line runs them: from the journal what is there, the rest on processes or Ray, with a bar."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from headway.cli.progress import Progress
from headway.errors import InputError
from headway.grids import Journal, run_local, run_ray
from headway.grids.work import Cell


@dataclass
class Ran:
    """What has been found, also where the run was stopped.

    Attributes
    ----------
    found : dict
        Results by key.
    known, computed : int
        From the journal, and now. [cells]
    """

    found: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    known: int = 0
    computed: int = 0


def check_place(workers: int | None, ray: str | None) -> None:
    """Refuse a place to run that is none."""
    if workers is not None and workers < 1:
        raise InputError(f"--workers: {workers} must be at least 1")
    if ray is not None and workers is not None:
        raise InputError("--workers is for local processes; with --ray the cluster decides")


def run_cells(
    cells: Sequence[Cell],
    file: str | None,
    known: Callable[[Any], bool],
    workers: int | None,
    ray: str | None,
    ran: Ran,
) -> None:
    """Run what is not in the journal yet; who is stopped on the way says how much is kept."""
    with contextlib.ExitStack() as stack:
        journal = None if file is None else stack.enter_context(Journal(file, known))
        if journal is not None:
            ran.found = dict(journal.results)
            if journal.skipped:
                lines = ", ".join(map(str, journal.skipped[:5])) + (", ..." if len(journal.skipped) > 5 else "")
                print(f"! {journal.path}: no results on line {lines}: computed again", file=sys.stderr)
        left = [c for c in cells if c.key not in ran.found]
        ran.known = len(cells) - len(left)
        say = stack.enter_context(Progress(len(left), "cells"))
        try:
            for result in run_ray(left, ray) if ray is not None and left else run_local(left, workers):
                ran.found[result["key"]] = result
                ran.computed += 1
                if journal is not None and not result.get("fault"):
                    journal.add(result)
                say(result["label"])
        except BaseException as ended:
            done = f"{ran.known + ran.computed} of {len(cells)} cells are finished"
            if journal is not None:
                ended.add_note(f"{done} and kept in {journal.path}; a rerun goes on from them")
            else:
                ended.add_note(f"{done}; --results FILE would keep them for a rerun")
            raise
