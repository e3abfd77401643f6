"""Traces as JSON: Mooncake's and AIPerf's lines (timestamp, input_length, output_length, hash_ids), and others' names for these."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from headway.errors import InputError
from headway.simulation.traffic.lines import Text
from headway.simulation.traffic.records import Record
from headway.simulation.traffic.times import Clock
from headway.simulation.traffic.titles import Found, find
from headway.simulation.traffic.traces import Builder


def read_log(text: Text, rows: Iterable[tuple[int, Record]], unit: str, most: int, drop_empty: bool) -> Builder:
    """Read records of requests.

    Parameters
    ----------
    text : Text
        The file, for its name and faults.
    rows : iterable of (line, record)
    unit : str
        Of numbers of arrival where the key says none: s, ms, us, ns; "": ms under the key `timestamp`, as Mooncake and AIPerf
        write it, else seconds (or what their size tells: `Clock`).
    most : int
        Requests after which reading ends. [1]
    drop_empty : bool
        Whether requests with an answer of 0 tokens are left out.

    Raises
    ------
    InputError
        When the first record lacks what is needed, or five are bad.
    """
    stream = iter(rows)
    start = next(stream, None)
    if start is None:
        text.faults.raise_any()
        raise InputError(f"{text.name}: is empty; one JSON object per line is needed")
    found = find(f"{text.name} line {start[0]}", list(start[1]))
    key = found.titles.get("arrival", "")
    clock = Clock(found.unit or unit, "ms" if key.lower() == "timestamp" else "s") if key else None
    builder = Builder(text.faults, clock, "hash_ids" in found.titles, drop_empty)
    good = _complete(text, itertools.chain([start], stream), found)

    def cells(chunk: list[Record]) -> dict[str, list[Any]]:
        return {c: [record.get(title) for record in chunk] for c, title in found.titles.items()}

    builder.gather(good, most, cells)
    return builder


def _complete(text: Text, rows: Iterable[tuple[int, Record]], found: Found) -> Iterator[tuple[int, Record]]:
    """Records that have the keys of the first, but for identities of blocks, which a prompt may lack."""
    needed = {title for column, title in found.titles.items() if column != "hash_ids"}
    for line, record in rows:
        if needed <= record.keys():
            yield line, record
        else:
            lacking = sorted(needed - record.keys())
            text.faults.add(line, f"has no {' and no '.join(lacking)}; the first request does")
