"""The one loader of facts: CSV tables and model configs that ship with headway, then the user's own on top."""

from __future__ import annotations

import contextlib
import csv
import functools
import os
import re
from collections.abc import Generator, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from headway.errors import InputError, unknown

SHIPPED = Path(__file__).parent / "data"
Row = dict[str, str]


def normal(name: str) -> str:
    """Fold a name for look-up: case, spaces and punctuation do not matter (``"H100-SXM 80GB"`` -> ``"h100sxm80gb"``)."""
    return "".join(c for c in name.lower() if c.isalnum() or c == "+")


@dataclass(frozen=True)
class Table:
    """One CSV table: its rows (each with the file and line it came from) and an index by name and alias."""

    name: str
    rows: tuple[Row, ...]
    places: tuple[str, ...]
    index: Mapping[str, int] = field(repr=False)

    def find(self, name: str) -> int | None:
        """Return the row number of `name` (name or alias), or None."""
        return self.index.get(normal(name))

    def names(self) -> list[str]:
        """Return every name and alias, for near-miss suggestions."""
        found: list[str] = []
        for row in self.rows:
            found += [_key(row), *_aliases(row)]
        return [n for n in found if n]


def _key(row: Row) -> str:
    return row.get("name") or row.get("id") or row.get("chip") or row.get("model") or next(iter(row.values()), "")


def _aliases(row: Row) -> list[str]:
    return [a.strip() for a in (row.get("aliases") or "").split("|") if a.strip()]


def _is_config(file: Path) -> bool:
    """Whether a file of the user's reads like a model's config: other JSON may lie beside it."""
    try:
        return b'"model_type"' in file.read_bytes()[:1_000_000]
    except OSError:
        return False


def user_folder() -> Path:
    """Return the platform's folder for the user's own catalogue files."""
    import platformdirs

    return Path(platformdirs.user_config_dir("headway", appauthor=False)) / "catalog"


class Catalogue:
    """Facts from the shipped folder and any number of the user's, the later ones winning.

    Parameters
    ----------
    folders : paths
        Extra folders. Each may hold ``chips.csv``, ``systems.csv``, ``models.csv``, any other shipped table, a
        ``models/`` folder of config files, or config files directly.
    """

    def __init__(self, folders: Iterable[str | os.PathLike[str]] = ()) -> None:
        extra = [Path(os.path.expanduser(f)) for f in folders]
        for folder in extra:
            if not os.path.isdir(folder):  # False, not an error, for a name that no folder can have
                raise InputError(
                    f"--catalog: {folder} is not a folder; name one that holds chips.csv, systems.csv, ..."
                )
        mine = user_folder()
        self.folders = [SHIPPED, *([mine] if mine.is_dir() else []), *extra]
        self._tables: dict[str, Table] = {}

    def table(self, name: str) -> Table:
        """Return the table `name` (``"chips"``, ``"systems"``, ...), rows of later folders replacing earlier ones."""
        if name not in self._tables:
            self._tables[name] = self._read(name)
        return self._tables[name]

    def names(self) -> list[str]:
        """Return the names of all tables."""
        return sorted({f.stem for folder in self.folders for f in folder.glob("*.csv")})

    def _read(self, name: str) -> Table:
        rows: list[Row] = []
        places: list[str] = []
        index: dict[str, int] = {}
        inside = name.replace("_", "").isalnum()  # a table's name is no path
        files = [f for folder in self.folders if inside and os.path.isfile(f := folder / f"{name}.csv")]
        if not files:
            raise unknown("catalogue table", name, self.names(), f"Tables: {', '.join(self.names())}.")
        for file in files:
            for line, row in read_csv(file):
                place = f"{file.name if file.parent == SHIPPED else file} line {line}"
                if file.parent != SHIPPED and _key(row) == "":
                    raise InputError(f"{place}: the first column is empty; each row needs its name")
                number = index.get(normal(_key(row)), -1) if row.get("name") or row.get("id") else -1
                if number >= 0 and file.parent != SHIPPED:  # the user's row replaces the shipped one
                    rows[number], places[number] = row, place
                else:
                    number = len(rows)
                    rows.append(row)
                    places.append(place)
                for alias in [_key(row), *_aliases(row)]:
                    index[normal(alias)] = number
        if name == "models":
            self._add_own(rows, places, index)
        return Table(name, tuple(rows), tuple(places), index)

    def _add_own(self, rows: list[Row], places: list[str], index: dict[str, int]) -> None:
        """Give a row to every model that the user dropped as a file without one."""
        for folder in self.folders[1:]:
            for file in sorted({*(folder / "models").glob("*.json"), *folder.glob("*.json")}):
                label = file.stem.replace("--", "/")
                if normal(label) not in index and file.is_file() and _is_config(file):
                    index[normal(label)] = len(rows)
                    rows.append(dict.fromkeys(rows[0], "") | {"file": file.name, "id": label, "source": str(file)})
                    places.append(str(file))

    def row(self, table: str, name: str, what: str) -> tuple[Row, str]:
        """Return the row called `name` and the place it came from; an unknown name is an error with near misses."""
        found = self.table(table)
        number = found.find(name)
        if number is None:
            raise unknown(what, name, found.names(), f"`headway catalog {table}` lists them.")
        return found.rows[number], found.places[number]

    def model_file(self, name: str) -> tuple[Path, Row] | None:
        """Return the config file and the table row of the catalogue model `name`, or None when there is none."""
        table = self.table("models")
        number = table.find(name)
        row = table.rows[number] if number is not None else {}
        stems = [row["file"]] if row.get("file") else [f"{name.replace('/', '--')}.json", f"{name}.json"]
        for folder in reversed(self.folders):
            for place in (folder / "models", folder):
                for stem in stems:
                    if os.path.isfile(place / stem):  # False, not an error, for a name that no file can have
                        return place / stem, row
        if row:
            raise InputError(
                f"{table.places[number or 0]}: the config file {row.get('file')!r} is not in the catalogue"
            )
        return None


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # they would move the cursor of a terminal


def read_csv(file: Path) -> list[tuple[int, Row]]:
    """Return the rows of a CSV table, each with its line.

    Parameters
    ----------
    file : path

    Raises
    ------
    InputError
        When it is no such table.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read as UTF-8 text ({error.__class__.__name__})") from None
    reader = csv.DictReader(text.splitlines(), restkey="", strict=False)
    rows: list[tuple[int, Row]] = []
    suspect = _CONTROL.search(text) is not None
    try:
        for row in reader:
            if row.get("") and any(row[""]):
                raise InputError(f"{file.name} line {reader.line_num}: more cells than the header has columns")
            if suspect and any(_CONTROL.search(v or "") for k, v in row.items() if k):
                raise InputError(f"{file.name} line {reader.line_num}: a cell holds a control character")
            if any(v for v in row.values()):
                rows.append((reader.line_num, {k: v or "" for k, v in row.items() if k}))
    except csv.Error as error:
        raise InputError(f"{file} line {reader.line_num}: not CSV: {error}") from None
    return rows


@functools.lru_cache(maxsize=1)
def _shared_default() -> Catalogue:
    return Catalogue()


# A context variable, not a global: threads and tasks that look at other facts do not see each other's.
_current: ContextVar[Catalogue | None] = ContextVar("catalogue", default=None)


def catalogue() -> Catalogue:
    """Return the catalogue in use: the shipped one with the user's folder, or what `use` or `using` has set."""
    return _current.get() or _shared_default()


Folders = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def _listed(folders: Iterable[Folders]) -> list[str | os.PathLike[str]]:
    single = (str, os.PathLike)
    return [one for given in folders for one in ([given] if isinstance(given, single) else given)]


def use(*folders: Folders) -> Catalogue:
    """Make the shipped catalogue plus `folders` the one in use in this thread (or task), and return it.

    Parameters
    ----------
    folders : path, or iterable of paths
        With chips.csv, systems.csv, models.csv, profiles/, ... of your own; none takes the shipped facts alone.
    """
    found = Catalogue(_listed(folders))
    _current.set(found)
    return found


@contextlib.contextmanager
def using(*folders: Folders) -> Generator[Catalogue]:
    """Use the shipped catalogue plus `folders` (as of `use`) inside a ``with`` block; what was in use before comes back after."""
    token = _current.set(Catalogue(_listed(folders)))
    try:
        yield catalogue()
    finally:
        _current.reset(token)


def default(name: str) -> float:
    """Return a value of the table of defaults."""
    return _default(catalogue(), name)


@functools.lru_cache(maxsize=64)
def _default(facts: Catalogue, name: str) -> float:
    return float(facts.row("defaults", name, "default")[0]["value"])
