"""Files of traffic: what they hold is told by their content, not their name."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

from headway.errors import InputError
from headway.simulation.traffic import traces
from headway.simulation.traffic.chats import KEYS, Chats, read_chats
from headway.simulation.traffic.lines import Text
from headway.simulation.traffic.logs import read_log
from headway.simulation.traffic.records import records
from headway.simulation.traffic.tables import read_csv
from headway.simulation.traffic.traces import HASH_TOKENS, Trace


def read(
    file: str | Path,
    *,
    sort: bool = False,
    unit: str = "",
    hash_tokens: int = HASH_TOKENS,
    most: int = traces.MOST,
    drop_empty: bool = False,
) -> Trace | Chats:
    """Read a file of traffic, compressed (gzip) or not, of any size and in bounded memory.

    - CSV with a header: Azure's (TIMESTAMP, ContextTokens, GeneratedTokens), BurstGPT's, or any that names prompts and answers in
      a way that the catalogue's `trace_columns` knows;
    - JSON lines (or one JSON list) of requests: timestamp, input_length, output_length, hash_ids, as Mooncake and AIPerf write
      them, or other names of the same;
    - JSON lines or one JSON list of conversations, as ShareGPT has them.

    Parameters
    ----------
    file : str or Path
    sort : bool
        Whether times that fall are sorted; else the first one is an error.
    unit : str
        Of times that are numbers and whose title says no unit: s, ms, us, ns; "": seconds in CSV, ms under the key `timestamp` of
        JSON lines; a first time of 10^9 or more counts from 1970, in the unit that makes it a date of our days.
    hash_tokens : int
        Tokens of a block that one of the hash_ids stands for. [tokens]
    most : int
        Requests (or conversations) that are read, the first of the file. [1]
    drop_empty : bool
        Whether requests with an answer of 0 tokens are left out; else they are an error.

    Returns
    -------
    Trace or Chats
        Times that count from a date count from the earliest.

    Raises
    ------
    InputError
        With the file and the numbers of up to five bad lines.
    """
    if hash_tokens < 1 or most < 1:
        raise InputError(f"{hash_tokens} tokens of a block, at most {most} requests; at least 1 of each is needed")
    with Text(file) as text:
        found = _read(text, sort, unit, hash_tokens, most, drop_empty)
    return found if isinstance(found, Chats) else dataclasses.replace(found, name=text.name, source=text.name)


def _read(text: Text, sort: bool, unit: str, hash_tokens: int, most: int, drop_empty: bool) -> Trace | Chats:
    first = text.next()
    while first and first.isspace():
        first = text.next()
    if not first:
        raise InputError(
            f"{text.name}: is empty; a header like arrival,prompt,output and one request per line are needed"
        )
    if first.lstrip()[:1] not in ("{", "["):
        return read_csv(text, first, unit, most, drop_empty).trace(sort, hash_tokens, most)
    rows = records(text, first)
    start = next(rows, None)
    every = itertools.chain([start] if start else [], rows)
    if start and any(key in start[1] for key in KEYS):
        return read_chats(text, every, most)
    return read_log(text, every, unit, most, drop_empty).trace(sort, hash_tokens, most)
