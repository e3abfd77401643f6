"""Files that `headway logs` writes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from headway import units
from headway.errors import InputError
from headway.measure.logs import Bench, request_lines
from headway.records.logs import bench_rows
from headway.writing import plain_cell, replacing


def write_table(benches: Sequence[Bench], file: str | None) -> list[str]:
    """Write the table of cases; return what is said of it."""
    if file is None:
        return []
    rows = bench_rows(benches)
    if not rows:
        raise InputError(f"-o {file}: none of these runs makes a row")
    with replacing(Path(file), file) as half, half.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: plain_cell(v) for k, v in row.items()} for row in rows)
    return [
        f"{units.some(len(rows), 'row')} written to {file}: headway predict {file}, headway calibrate {file} --name NAME"
    ]


def write_requests(benches: Sequence[Bench], file: str | None) -> list[str]:
    """Write the requests of all runs; return what is said of them."""
    if file is None:
        return []
    count = 0
    with replacing(Path(file), file) as half, half.open("w", encoding="utf-8") as stream:
        for line in request_lines(benches):
            stream.write(line + "\n")
            count += 1
    return [f"{units.some(count, 'request')} written to {file}: headway simulate MODEL --on CHIP --compare {file}"]
