"""Requests written down as they end, and what a streamed run adds up to as plain data."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np

from headway.errors import InputError
from headway.numeric import finite
from headway.records.requests import Columns, check_parquet, log_columns
from headway.records.simulations import quantiles_record
from headway.simulation.streamed import Streamed
from headway.simulation.streaming import Piece


def check_stream(file: str | Path) -> Path:
    """Return the path of a file for records, before anything is computed for it.

    Raises
    ------
    InputError
        For another ending than .csv and .parquet, a folder that is not there, a file that is.
    """
    path = Path(file)
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(f"--stream {path}: the ending must be .csv or .parquet")
    if path.suffix.lower() == ".parquet":
        check_parquet(path)
    if not path.parent.is_dir():
        raise InputError(f"--stream {path}: there is no folder {path.parent}")
    if path.exists():
        raise InputError(f"--stream {path}: is there already, and records are written as they come; name another file")
    return path


class Records:
    """A file that takes the records of pieces as they come: what is written stays, whatever happens later.

    Parameters
    ----------
    path : Path
        As of `check_stream`.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, 0
        self._text: TextIO | None = None
        self._table: Any = None

    def __enter__(self) -> Records:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._text is not None:
            self._text.close()
        if self._table is not None:
            self._table.close()

    def take(self, piece: Piece) -> None:
        """Write the requests of a piece.

        Parameters
        ----------
        piece : Piece

        Raises
        ------
        InputError
            When it cannot be written.
        """
        columns = _columns(piece)
        try:
            if self.path.suffix.lower() == ".csv":
                self._rows(columns)
            else:
                self._group(columns)
        except OSError as error:
            said = f"{self.count:,} requests are in it"
            raise InputError(f"--stream {self.path}: cannot be written ({error.strerror}); {said}") from None
        self.count += len(piece.number)

    def _rows(self, columns: Columns) -> None:
        if self._text is None:
            self._text = self.path.open("x", encoding="utf-8", newline="")
            csv.writer(self._text).writerow(columns)
        lists = [
            ["" if math.isnan(x) else x for x in v.tolist()]
            if np.issubdtype(v.dtype, np.floating)
            else v.tolist()  # NaN: has not come
            for v in columns.values()
        ]
        csv.writer(self._text).writerows(zip(*lists, strict=True))
        self._text.flush()

    def _group(self, columns: Columns) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_arrays([pa.array(v, from_pandas=True) for v in columns.values()], names=list(columns))
        if self._table is None:
            self._table = pq.ParquetWriter(self.path, table.schema)
        if table.num_rows:
            self._table.write_table(table)


def _columns(piece: Piece) -> Columns:
    return log_columns(piece.log) | {"request": piece.number}


def streamed_record(s: Streamed) -> dict[str, Any]:
    """Return a streamed run as plain data for ``--json``."""
    t, mfu_mbu = s.tally, s.used
    return {
        "model": s.deployment.setting.model.name, "system": s.deployment.setting.system.name, "layout": str(s.deployment.layout),
        "replicas": s.replicas, "traffic": s.name, "interrupted": s.stopped, "requests": t.come, "ended": t.ended, "rejected": t.rejected,
        "turned_away": t.turned_away, "preemptions": t.preempted, "under_way": t.left, "most_under_way": t.most, "seconds": s.span,
        "offered_requests_per_s": finite(s.offered), "carried_requests_per_s": finite(s.carried),
        "output_tokens_per_s": finite(s.output_rate), "busy": s.busy, "decoding_sequences": s.batch, "mfu": finite(mfu_mbu[0]),
        "mbu": finite(mfu_mbu[1]), "dollars_per_mtok": s.dollars_per_mtok, "joules_per_token": s.joules_per_token,
        **{f"{name}_s": quantiles_record(found) for name, found in s.quantiles.items()},
    }  # fmt: skip
