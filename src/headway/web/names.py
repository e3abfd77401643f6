"""Names from the page: of the catalogue, never of a file or a folder of the server's."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from headway.catalog import catalogue
from headway.catalog.loader import Row
from headway.errors import InputError, quoted, unknown

PASTED = "pasted/config.json"  # where a pasted config lies, in the process's own empty folder
PASTED_TABLE = "pasted/cases.csv"  # and a table of cases
_COUNTS = re.compile(r"\d+(\.\d+)?[kMGBTmb]/\d+(\.\d+)?[kMGBTmb]")
_VALUE = r"\w[\w.%~+-]*?(/(s|min|h|d|M|Mtok))?"
_DRAWN = re.compile(rf"[a-z-]+:{_VALUE}(,[a-z_]+={_VALUE})*")  # no value of it can be a path
_SWEEP = re.compile(rf"[A-Za-z]\w*=[$]?{_VALUE}(\.\.[$]?{_VALUE}(:\d+)?|(,[$]?{_VALUE})*)")
_FILE = re.compile(r"^[.~/]|\\|:|\.(json|gguf|csv)$", re.IGNORECASE)
_PATH = re.compile(
    r"^[.~/]|\\|/(?!(s|min|h|hr|hour|d|day|M|Mtok)\b)|\.(json|gguf|toml|csv|jsonl|gz|parquet)$", re.IGNORECASE
)
_CELL = re.compile(
    r"^([~/]|\.\.?/)|\\|(^|/)\.\.(/|$)|\.(json|gguf|toml|csv|jsonl|gz|parquet|safetensors)$", re.IGNORECASE
)
_WORD = re.compile(r"[A-Za-z][\w-]*")


def model_name(text: str, pasted: bool, counts: bool = False) -> str:
    """Return names of models by comma that the catalogue has; the pasted config where one is given and no name.

    Parameters
    ----------
    text : str
    pasted : bool
        Whether a config came with the question: it answers to the name ``pasted``.
    counts : bool
        Whether ACTIVE/TOTAL parameters will do, too.

    Raises
    ------
    InputError
        For a name that the catalogue has not: paths and hub ids stay on the command line.
    """
    return ",".join(_one(part.strip(), pasted, counts) for part in text.split(",") if part.strip())


def _one(name: str, pasted: bool, counts: bool) -> str:
    if name == "pasted":
        if not pasted:
            raise InputError("model 'pasted' is a config.json of yours: paste it on the page")
        return PASTED
    if counts and _COUNTS.fullmatch(name):
        return name
    table = catalogue().table("models")
    if _FILE.search(name) or ".." in name or table.find(name) is None:
        raise unknown("model", name, table.names(), "The page takes the catalogue's, or a config.json that you paste.")
    return name


def traffic_name(text: str, option: str) -> str:
    """Return traffic that is drawn or that ships with headway.

    Raises
    ------
    InputError
        For anything else: it would be a file.
    """
    traces = [r["name"] for r in catalogue().table("traces").rows]
    if text in traces or (_DRAWN.fullmatch(text) and ".." not in text):
        return text
    raise InputError(
        f"{option}: {quoted(text)} is not known; the page takes poisson:20/s, closed:64, {', '.join(traces)}"
    )


def seller_name(text: str) -> str:
    """Return MODEL or PROVIDER/MODEL of the price lists.

    Raises
    ------
    InputError
        When it looks like a file.
    """
    if _FILE.search(text) or ".." in text or text.count("/") > 1 or "//" in text:
        raise InputError(
            f"{quoted(text)} looks like a file; the page takes a model of the price lists, like openai/gpt-5.5"
        )
    return text


def sweep_text(text: str) -> str:
    """Return what an equation is swept over: ``name=a..b`` or ``name=a,b,c``.

    Raises
    ------
    InputError
        When it is neither.
    """
    if not _SWEEP.fullmatch(text):
        raise InputError(f"--sweep {quoted(text)} must look like name=a..b or name=a,b,c, e.g. context=1k..1M")
    return text


def plain_text(text: str, option: str) -> str:
    """Return a text that is no path.

    Raises
    ------
    InputError
        When it looks like one.
    """
    if _PATH.search(text) or ".." in text:
        raise InputError(f"{option}: {quoted(text)} looks like a file; the page takes names only")
    return text


def answer_text(text: str) -> str:
    """Return an answer to a card: an amount or a formula, which may divide by a letter.

    Raises
    ------
    InputError
        When it looks like a path.
    """
    return text if not _CELL.search(text) and " / " in text else plain_text(text, "--answer")


def word(text: str, what: str) -> str:
    """Return a word that is safe in a command's place.

    Raises
    ------
    InputError
        When it is none.
    """
    if not _WORD.fullmatch(text):
        raise InputError(f"{what} {quoted(text)} is no name; it must be a word, like E5 or active")
    return text


def harmless_table(text: str) -> str:
    """Return the text of a table none of whose cells can name a file.

    Raises
    ------
    InputError
        When one looks like a path.
    """
    for line, row in enumerate(csv.reader(io.StringIO(text)), 1):
        for cell in row:
            if _CELL.search(cell.strip()):
                raise InputError(f"cases, line {line}: {quoted(cell)} looks like a file; the page takes names only")
    return text


def known_names() -> dict[str, Any]:
    """Return what forms suggest: models by their shortest name, systems, engines, traces, tables."""
    from headway.roofline.profiles import profile_names

    facts = catalogue()
    models = [_typed(r["id"].split("/")[-1].lower(), r) for r in facts.table("models").rows if r["id"]]
    chips = [min([r["name"], *_aliases(r)], key=len) for r in facts.table("chips").rows]
    return {
        "model": sorted(dict.fromkeys(models)), "system": [r["name"] for r in facts.table("systems").rows], "chip": chips,
        "engine": ["auto", "ideal", *profile_names()], "traffic": [r["name"] for r in facts.table("traces").rows],
        "precision": [r["name"] for r in facts.table("formats").rows], "table": facts.names(),
    }  # fmt: skip


def _aliases(row: Row) -> list[str]:
    return [a for a in (row.get("aliases") or "").split("|") if a]


def _typed(tail: str, row: Row) -> str:
    """A model's name as people type it: the tail of its hub id where that is one of its names."""
    return tail if tail in _aliases(row) or not _aliases(row) else _aliases(row)[0]
