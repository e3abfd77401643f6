"""Grids: many models, systems and workloads, each cell a search of its own, written in TOML."""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from headway._version import __version__
from headway.errors import InputError, unknown
from headway.grids.work import answered, fingerprint
from headway.questions import FIELDS, Query, fields_of, parsed
from headway.records.searches import search_record
from headway.search import search_layouts

_LISTS = ("models", "systems", "engines", "precisions", "workloads")
_WORKLOAD = ("name", "prompt", "output", "ttft", "tpot", "rate")
_COMMON = tuple(  # every other thing that a search can be asked
    name for name in fields_of(Query) if name not in ("model", "systems", "engine", "precision", *_WORKLOAD)
)
_MOST = 100_000


@dataclass(frozen=True)
class Cell:
    """One search of a grid.

    Attributes
    ----------
    number : int
        Its place in the grid, from 0. [1]
    label : str
        What a reader calls it.
    query : Query
    catalog : tuple of str
        Catalogue folders of the user.
    facts : str
        What names the contents of those folders.
    """

    number: int
    label: str
    query: Query
    catalog: tuple[str, ...] = ()
    facts: str = ""

    @property
    def key(self) -> str:
        """Return what names the cell's result: the same question to the same version has the same key."""
        asked = {f.name: getattr(self.query, f.name) for f in fields(self.query)}
        text = json.dumps([__version__, asked, list(self.catalog), self.facts], sort_keys=True, default=list)
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def solve(self) -> dict[str, Any]:
        """Search it; what refuses it is its result. Runs in workers: nothing but the cell is needed."""
        return answered(self, self.catalog, lambda: search_record(search_layouts(self.query)))


def read_grid(file: str | Path, catalog: Sequence[str] = ()) -> list[Cell]:
    """Return the cells of a grid: models x systems x engines x precisions x workloads.

    Parameters
    ----------
    file : path
        TOML with ``models`` and ``systems``; optional ``engines``, ``precisions``, ``[[workloads]]`` (prompt, output, ttft,
        tpot, rate, name) and options for all cells (minimise, overlap, chips, ...), quantities as people write them.
    catalog : sequence of str
        Catalogue folders that cells are looked up in.

    Raises
    ------
    InputError
        When the file cannot be read, a key is unknown, a value has the wrong type or the grid is empty.
    """
    path = Path(file)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error.__class__.__name__
        raise InputError(f"--grid {file}: cannot be read ({reason})") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"--grid {file}: not valid TOML: {error}") from None
    for key in data:
        if key not in (*_LISTS, *_COMMON, "output", "prompt", "ttft", "tpot", "rate"):
            raise unknown(f"--grid {file}: key", key, [*_LISTS, *_COMMON, *_WORKLOAD], "")
    lists = {name: _names(file, data, name, needed=name in ("models", "systems")) for name in _LISTS[:4]}
    workloads = _workloads(file, data)
    common = {k: _value(file, k, data[k]) for k in _COMMON if k in data}
    sizes = [len(v) or 1 for v in lists.values()]
    total = sizes[0] * sizes[1] * sizes[2] * sizes[3] * len(workloads)
    if total > _MOST:
        raise InputError(f"--grid {file}: {total:,} cells; at most {_MOST:,}")
    cells: list[Cell] = []
    facts = fingerprint(catalog)
    engines, precisions = lists["engines"] or [""], lists["precisions"] or [""]
    for m, s, e, p, w in itertools.product(lists["models"], lists["systems"], engines, precisions, workloads):
        options: dict[str, Any] = {**common, **{k: v for k, v in w.items() if k != "name"}}
        options |= {"engine": e} if e else {}
        options |= {"precision": p} if p else {}
        label = ", ".join(x for x in (m, s, e, p, str(w["name"]) if "name" in w else "") if x)
        try:
            query = Query(model=m, systems=(s,), **options)
        except InputError as error:
            raise InputError(f"--grid {file}: {error}") from None
        cells.append(Cell(len(cells), label, query, tuple(catalog), facts))
    return cells


def _names(file: str | Path, data: Mapping[str, Any], name: str, needed: bool) -> list[str]:
    value: Any = data.get(name, [])
    items = cast(list[Any], value) if isinstance(value, list) else []
    if not isinstance(value, list) or not all(isinstance(x, str) and x.strip() for x in items):
        raise InputError(f'--grid {file}: {name} must be a list of names, like {name} = ["..."]')
    if needed and not items:
        raise InputError(f'--grid {file}: needs {name}, like {name} = ["..."]')
    return [str(x) for x in items]


def _workloads(file: str | Path, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read the workloads; keys beside them are defaults of all."""
    found: Any = data.get("workloads", [{}])
    rows = cast(list[Any], found) if isinstance(found, list) else []
    if not rows or not all(isinstance(x, dict) for x in rows):
        raise InputError(f"--grid {file}: workloads must be tables, written as [[workloads]]")
    base = {k: data[k] for k in _WORKLOAD[1:] if k in data}
    for row in cast(list[dict[str, Any]], rows):
        for key in row:
            if key not in _WORKLOAD:
                raise unknown(f"--grid {file}: [[workloads]] key", key, list(_WORKLOAD), "")
    return [{k: _value(file, k, v) for k, v in {**base, **row}.items()} for row in cast(list[dict[str, Any]], rows)]


def _value(file: str | Path, key: str, value: Any) -> Any:
    """Read one value as the command line would; quantities need their unit here too."""
    if key == "name":
        return value
    quantity = FIELDS[key].kind == "quantity" and isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return parsed(key, str(value) if quantity else value)
    except InputError as error:
        raise InputError(f"--grid {file}: {str(error).removeprefix('--').replace('-', '_', key.count('_'))}") from None


def solve(cell: Cell) -> dict[str, Any]:
    """Search one cell; what refuses it is its result."""
    return cell.solve()


def summary(cells: Sequence[Cell], results: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row per finished cell, in the grid's order: its best option, or why it was refused."""
    rows: list[dict[str, Any]] = []
    for cell in cells:
        found = results.get(cell.key)
        if found is None:
            continue
        q, answer = cell.query, found["answer"]
        row: dict[str, Any] = {
            "model": q.model, "system": q.systems[0], "engine": q.engine, "precision": q.precision, "prompt": q.prompt,
            "output": q.output, "ttft_limit_s": q.ttft, "tpot_limit_s": q.tpot, "rate_per_s": q.rate,
        }  # fmt: skip
        best = answer["best"] if answer else {}
        for key in ("layout", "batch_per_replica", "tok_s_per_user", "tok_s_per_chip", "dollars_per_mtok",
                    "dollars_per_mtok_low", "dollars_per_mtok_high", "ttft_s", "tpot_s", "chips"):  # fmt: skip
            row[key] = best.get(key)
        fleet = answer["fleets"][0] if answer and answer["fleets"] else {}
        row |= {"fleet": fleet.get("deployment"), "fleet_chips": fleet.get("chips"),
                "fleet_dollars_per_hour": fleet.get("dollars_per_hour"), "refused": found["refused"] or ""}  # fmt: skip
        rows.append(row)
    return rows
