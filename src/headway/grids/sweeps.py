"""Sweeps of simulations: models, systems, layouts, schedulers, routers, traffic and rates, each cell a few repeats of one run."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from headway import units
from headway._version import __version__
from headway.errors import InputError
from headway.grids.work import answered, fingerprint
from headway.plan.operations import Words
from headway.plan.repeats import repeated
from headway.questions import Request
from headway.records.repeats import repeated_record

_MOST = 100_000
AXES = ("model", "system", "layout", "traffic", "rate", "policy", "router")


@dataclass(frozen=True)
class Runs:
    """What every cell of a sweep has in common.

    Attributes
    ----------
    window : tuple of (str, str or None)
        ``count``, ``duration``, ``start``, ``scale``: as of `headway.plan.simulated.asked_for`.
    seeds, seed : int
        Repeats, and the seed of the first. [1]
    words : Words
        How replicas are run; scheduler and router are the cell's.
    ttft, tpot : float or None
        Limits of which the share of requests within them is told. [s]
    """

    window: tuple[tuple[str, str | None], ...]
    seeds: int
    seed: int
    words: Words
    ttft: float | None
    tpot: float | None


@dataclass(frozen=True)
class SweepCell:
    """One deployment under one traffic.

    Attributes
    ----------
    label : str
        What a reader calls it.
    at : tuple of str
        Where it lies on each of `AXES`; "" where nothing is said.
    request : Request
    runs : Runs
    catalog : tuple of str
        Catalogue folders of the user.
    facts : str
        What names the contents of those folders.
    """

    label: str
    at: tuple[str, ...]
    request: Request
    runs: Runs
    catalog: tuple[str, ...] = ()
    facts: str = ""

    @property
    def key(self) -> str:
        """Return what names the cell's result: the same question to the same version, of the same files, has the same key."""
        asked = {f.name: getattr(self.request, f.name) for f in fields(self.request)}
        how = asdict(self.runs)
        files = [_contents(self.at[AXES.index(name)]) for name in ("model", "traffic")]
        text = json.dumps(
            ["sweep", __version__, asked, self.at, how, files, list(self.catalog), self.facts], sort_keys=True
        )
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def solve(self) -> dict[str, Any]:
        """Simulate it; what refuses it is its result. Runs in workers: nothing but the cell is needed."""
        return answered(self, self.catalog, self._answer)

    def _answer(self) -> dict[str, Any]:
        at, runs = dict(zip(AXES, self.at, strict=True)), self.runs
        words = replace(runs.words, policy=at["policy"], router=at["router"])
        window = {"rate": at["rate"] or None, **dict(runs.window)}
        found = repeated(
            self.request, at["traffic"], seeds=runs.seeds, seed=runs.seed, words=words, once=True, window=window
        )
        return repeated_record(found, runs.ttft, runs.tpot)


def swept(answer: Any) -> bool:
    """Whether an answer is a sweep's."""
    return isinstance(answer, dict) and "repeats" in answer and "ttft_s" in answer


def _contents(name: str) -> str:
    """Name what is in a file, or in the JSON of a folder: edited, it is another question; "" of a name that is no path."""
    path = Path(name)
    try:
        files = [path] if path.is_file() else sorted(path.glob("*.json")) if path.is_dir() else []
        return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:20] if files else ""
    except (OSError, ValueError):
        return ""


def sweep_cells(
    asked: Mapping[str, Any], axes: Mapping[str, Sequence[str]], runs: Runs, catalog: Sequence[str] = ()
) -> list[SweepCell]:
    """Return the cells of a sweep: every combination of what its axes hold.

    Parameters
    ----------
    asked : mapping
        Fields of `Request` that all cells share.
    axes : mapping
        Of `AXES`: values as people write them; an axis that holds nothing is left open.
    runs : Runs
    catalog : sequence of str
        Catalogue folders that cells are looked up in.

    Raises
    ------
    InputError
        For what no cell can be asked, and too many cells.
    """
    lists = [list(dict.fromkeys(axes.get(name, ()))) or [""] for name in AXES]
    total = 1
    for values in lists:
        total *= len(values)
    if total > _MOST:
        raise InputError(f"sweep: {total:,} cells; at most {_MOST:,}")
    for rate in axes.get("rate", ()):
        units.parse(rate, units.PER_SECOND, "--rate")
    facts, found = fingerprint(catalog), list[SweepCell]()
    varied = [len(values) > 1 for values in lists]
    for at in itertools.product(*lists):
        place = dict(zip(AXES, at, strict=True))
        question: dict[str, Any] = {**asked, "model": place["model"], "system": place["system"]}
        question |= {"layout": place["layout"]} if place["layout"] else {}
        label = ", ".join(x for x, many in zip(at, varied, strict=True) if many) or at[0]
        found.append(SweepCell(label, at, Request(**question), runs, tuple(catalog), facts))
    return found


def sweep_rows(cells: Sequence[SweepCell], results: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row per finished cell, in the sweep's order: where it lies, and what its repeats say; or why it was refused."""
    rows: list[dict[str, Any]] = []
    for cell in cells:
        found = results.get(cell.key)
        if found is None:
            continue
        answer = found["answer"] or {}
        row: dict[str, Any] = dict(zip(AXES, cell.at, strict=True))
        row["layout"] = answer.get("layout", row["layout"])
        row |= {"repeats": answer.get("repeats"), "saturated_repeats": answer.get("saturated_repeats")}
        for name in (
            "offered_requests_per_s",
            "carried_requests_per_s",
            "output_tokens_per_s",
            "dollars_per_mtok",
            "within",
        ):
            row |= _ends(name, answer.get(name))
        for what in ("ttft", "tpot", "request"):
            for share in ("p50", "p90", "p99"):
                row |= _ends(f"{what}_{share}_s", answer.get(f"{what}_s", {}).get(share))
        rows.append(row | {"refused": found["refused"] or ""})
    return rows


def _ends(name: str, o: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: o and o["value"], f"{name}_low": o and o["low"], f"{name}_high": o and o["high"]}
