"""The catalogue's traces: real traffic that ships with headway, and the user's own rows of `traces.csv`."""

from __future__ import annotations

import dataclasses
import functools

from headway.catalog import Catalogue, catalogue
from headway.errors import InputError
from headway.simulation.traffic.files import read
from headway.simulation.traffic.traces import HASH_TOKENS, Trace, whole


def trace_names() -> list[str]:
    """Return the names of the catalogue's traces."""
    return [row["name"] for row in catalogue().table("traces").rows]


def is_trace(name: str) -> bool:
    """Say whether a trace of the catalogue has this name, or as another name."""
    return catalogue().table("traces").find(name) is not None


def shipped(name: str) -> Trace:
    """Return a trace of the catalogue, e.g. ``"azure-conv"``; its source says whose it is and under which licence.

    Raises
    ------
    InputError
        For an unknown name, with near misses.
    """
    return _shipped(catalogue(), name)


@functools.lru_cache(maxsize=4)
def _shipped(facts: Catalogue, name: str) -> Trace:
    row, place = facts.row("traces", name, "trace")
    folders = [f / "traces" / row["file"] for f in reversed(facts.folders)]
    file = next((f for f in folders if f.is_file()), None)
    if file is None:
        raise InputError(f"{place}: no folder of the catalogue has traces/{row['file']}")
    size = whole(row["hash_tokens"], f"{place}: hash_tokens") if row.get("hash_tokens") else HASH_TOKENS
    found = read(file, hash_tokens=size)
    if not isinstance(found, Trace):
        raise InputError(f"{place}: {row['file']} holds conversations; a trace of requests is needed")
    stated = whole(row["requests"], f"{place}: requests") if row.get("requests") else len(found)
    if stated != len(found):
        raise InputError(f"{place}: {row['file']} has {len(found):,} requests, not {stated:,}")
    for column in (found.arrival, found.prompt, found.output, found.hashes, found.first_hash):
        column.flags.writeable = False  # shared by all who ask for it
    about = f"{row.get('attribution') or row['source']} ({row.get('licence') or 'licence not stated'})"
    return dataclasses.replace(found, name=row["name"], source=about)
