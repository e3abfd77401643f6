"""Make the catalogue's compact traces from the files that their authors publish: `python docs/traces.py FOLDER`.

FOLDER holds AzureLLMInferenceTrace_conv.csv, AzureLLMInferenceTrace_code.csv (github.com/Azure/AzurePublicDataset, data/) and
conversation_trace.jsonl (github.com/kvcache-ai/Mooncake, FAST25-release/traces/), each also as .gz and in any folder below.
Nothing is left out: an arrival counts from the trace's first request, and block identities that follow each other are written
as 46-57. Writing them again gives the same bytes.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO, cast

TRACES = Path(__file__).parent.parent / "src" / "headway" / "catalog" / "data" / "traces"
AZURE = {"AzureLLMInferenceTrace_conv.csv": "azure-conv.csv.gz", "AzureLLMInferenceTrace_code.csv": "azure-code.csv.gz"}
MOONCAKE = {"conversation_trace.jsonl": "mooncake-conv.csv.gz"}


def opened(folder: Path, name: str) -> TextIO:
    """Open a published file, plain or compressed."""
    found = next(file for end in ("", ".gz") for file in folder.rglob(name + end))
    return cast(TextIO, gzip.open(found, "rt") if found.suffix == ".gz" else found.open())


def azure(lines: TextIO) -> Iterator[tuple[object, ...]]:
    """Yield arrival [us], prompt and output [tokens] of Azure's rows; their clock ticks in microseconds."""
    first: datetime | None = None
    for row in csv.DictReader(lines):
        stamp = row["TIMESTAMP"]
        assert stamp.endswith("0"), f"{stamp} is finer than a microsecond"
        time = datetime.fromisoformat(stamp[:-1])
        first = first or time
        yield (time - first) // timedelta(microseconds=1), row["ContextTokens"], row["GeneratedTokens"]


def mooncake(lines: TextIO) -> Iterator[tuple[object, ...]]:
    """Yield arrival [ms], prompt and output [tokens] and runs of block identities of Mooncake's rows."""
    for line in lines:
        row = json.loads(line)
        yield row["timestamp"], row["input_length"], row["output_length"], runs(row["hash_ids"])


def runs(numbers: Iterable[int]) -> str:
    """Return whole numbers as runs: [0, 46, 47, 48] -> "0 46-48"."""
    found: list[str] = []
    for _, run in itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        values = [value for _, value in run]
        found.append(f"{values[0]}-{values[-1]}" if len(values) > 1 else str(values[0]))
    return " ".join(found)


def write(name: str, heads: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Write a compact trace."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([heads.split(","), *rows])
    (TRACES / name).write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))


def main(folder: Path) -> None:
    """Write all of them."""
    for name, compact in AZURE.items():
        with opened(folder, name) as lines:
            write(compact, "arrival_us,prompt,output", azure(lines))
    for name, compact in MOONCAKE.items():
        with opened(folder, name) as lines:
            write(compact, "arrival_ms,prompt,output,hash_ids", mooncake(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
