"""What happened to every request, as columns: rows of ``--csv`` and a Parquet file are made of them, in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.errors import InputError
from headway.numeric import finite
from headway.simulation.results import Simulated
from headway.simulation.run import Log
from headway.writing import replacing

Columns = dict[str, NDArray[Any]]
_PIECE = 1 << 16  # requests that are held as rows at a time


def request_columns(s: Simulated) -> Columns:
    """Return what happened to every request; seconds from the start of the traffic, NaN where it has not come so far.

    Parameters
    ----------
    s : Simulated
    """
    return log_columns(s.log)


def log_columns(log: Log) -> Columns:
    """Return the same of a log.

    Parameters
    ----------
    log : Log
    """
    r = log.requests
    return {
        "request": np.arange(len(r)), "prompt": r.prompt, "output": r.output, "replica": log.replica,
        "tier": r.tier if len(r.tier) else np.zeros(len(r), dtype=np.int64), "cached": log.cached,
        "preemptions": log.preempted, "rejected": log.rejected, "turned_away": log.turned_away, "arrival_s": log.arrival,
        "start_s": log.start, "first_token_s": log.first, "end_s": log.end, "ttft_s": log.ttft, "tpot_s": log.tpot,
    }  # fmt: skip


def _pieces(s: Simulated) -> Iterator[Columns]:
    columns = request_columns(s)
    for begin in range(0, len(s.log.requests), _PIECE):
        yield {name: values[begin : begin + _PIECE] for name, values in columns.items()}


def simulation_rows(s: Simulated) -> Iterator[dict[str, Any]]:
    """Return what happened to every request, row by row, for ``--csv``; None where it has not come.

    Parameters
    ----------
    s : Simulated
    """
    for piece in _pieces(s):
        lists = [
            [finite(x) for x in v.tolist()] if np.issubdtype(v.dtype, np.floating) else v.tolist()
            for v in piece.values()
        ]
        for row in zip(*lists, strict=True):
            yield dict(zip(piece, row, strict=True))


def check_parquet(file: str | Path) -> Path:
    """Return the path of a Parquet file to write, before anything is computed for it.

    Raises
    ------
    InputError
        For another ending, a folder that is not there, or when the ``[parquet]`` extra is missing.
    """
    path = Path(file)
    if path.suffix.lower() != ".parquet":
        raise InputError(f"--parquet {path}: the ending must be .parquet")
    if not path.parent.is_dir():
        raise InputError(f"--parquet {path}: there is no folder {path.parent}")
    if find_spec("pyarrow") is None:
        raise InputError(f"--parquet {path}: needs the [parquet] extra: pip install 'headway[parquet]'")
    return path


def write_parquet(s: Simulated, file: str | Path) -> Path:
    """Write what happened to every request as Parquet: the columns of ``--csv``, null where it has not come, in row groups.

    Parameters
    ----------
    s : Simulated
    file : path
        Ends in ``.parquet``.

    Raises
    ------
    InputError
        As `check_parquet`, or when it cannot be written; what was there before stays.
    """
    path = check_parquet(file)
    import pyarrow as pa
    import pyarrow.parquet as pq

    blank = {name: values[:0] for name, values in request_columns(s).items()}
    schema = pa.Table.from_pydict({name: pa.array(values) for name, values in blank.items()}).schema
    with (
        replacing(path, f"--parquet {path}") as half,
        half.open("wb") as opened,
        pq.ParquetWriter(opened, schema) as out,
    ):
        for piece in _pieces(s):
            arrays = [pa.array(values, from_pandas=True) for values in piece.values()]  # NaN becomes null
            out.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return path
