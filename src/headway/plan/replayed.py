"""A log of a real engine on what a plan would run: its requests simulated, predicted beside measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from headway.errors import InputError
from headway.questions import Request
from headway.simulation import Requests
from headway.simulation.compared import Comparison, compare
from headway.simulation.measured import Run, read_logs
from headway.simulation.results import Simulated

_OPTIONS = {"count": "requests", "scale": "rate-scale"}


def replayed(
    request: Request,
    logs: str | Path | Sequence[str | Path],
    play: Callable[[Request, Requests], Simulated],
    cut: Mapping[str, str | None] | None = None,
) -> Comparison:
    """Return logs of real engines beside the simulation of their requests, each run alone.

    Parameters
    ----------
    request : Request
        What they ran on; mean lengths come from the logs where it states none: they choose the layout.
    logs : str, Path or sequence of these
        As of `headway.simulation.measured.read_logs`; a text may name several by comma.
    play : callable
        Simulates traffic on what the request asks for.
    cut : mapping or None
        Options that do not go with logs: what arrives, and files of one simulation.

    Raises
    ------
    InputError
        For logs that cannot be read.
    """
    for name, value in (cut or {}).items():
        if value is not None:
            why = "it is of one simulation" if name in ("out", "perfetto", "parquet") else "a log is replayed as it was"
            raise InputError(f"--{_OPTIONS.get(name, name)}: {why}; leave it out beside --compare")
    runs = read_logs(logs)
    asked = _with_means(request, runs)
    return compare(runs, lambda requests: play(asked, requests))


def _with_means(request: Request, runs: Sequence[Run]) -> Request:
    if not (request.context is None and request.prompt is None and request.output is None):
        return request
    count = sum(len(r) for r in runs)
    prompt, output = (float(sum(int(getattr(r, x).sum()) for r in runs)) / count for x in ("prompt", "output"))
    return dataclasses.replace(request, prompt=prompt, output=output)
