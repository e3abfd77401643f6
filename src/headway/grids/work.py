"""What runners run: cells that solve themselves in whatever process they are, and results that a journal knows again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from headway._version import __version__
from headway.catalog import use
from headway.errors import HeadwayError

Result = dict[str, Any]
KEPT = "the results so far are kept, and a rerun goes on from them"


class Cell(Protocol):
    """One question of many; travels to workers as it is."""

    @property
    def key(self) -> str:
        """Return what names its result: the same question to the same version has the same key."""
        ...

    @property
    def label(self) -> str:
        """Return what a reader calls it."""
        ...

    def solve(self) -> Result:
        """Answer it; what refuses it is its result."""
        ...


def solved(cell: Cell) -> Result:
    """Answer a cell: what workers call."""
    return cell.solve()


def answered(cell: Cell, catalog: Sequence[str], answer: Callable[[], Result]) -> Result:
    """Return the result of a cell: its answer, or why there is none.

    Parameters
    ----------
    cell : Cell
    catalog : sequence of str
        Catalogue folders of the user.
    answer : callable
        Computes it.
    """
    use(catalog)
    found: Result = {"key": cell.key, "label": cell.label, "version": __version__}
    try:
        return found | {"answer": answer(), "refused": None}
    except HeadwayError as error:
        return found | {"answer": None, "refused": str(error)}
    except Exception as error:  # a fault of our own in one cell must not cost the others; it is no result to keep
        said = " ".join(f"{error.__class__.__name__}: {error}".split())
        return found | {"answer": None, "refused": f"a fault in headway itself ({said})", "fault": True}


def fingerprint(catalog: Sequence[str]) -> str:
    """Name the contents of the user's folders: an edited fact is a new question."""
    found = hashlib.sha256()
    for folder in catalog:
        for path in sorted(Path(folder).rglob("*")):
            if path.suffix in (".csv", ".json", ".toml") and path.is_file():
                found.update(f"{path.relative_to(folder)} {path.stat().st_size}".encode() + path.read_bytes())
    return found.hexdigest()[:20] if catalog else ""
