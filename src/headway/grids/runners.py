"""Where the cells of a grid run: in this process, on local processes, or on Ray. Results come as they finish, the same each way."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from headway.errors import InputError, LostWorkerError
from headway.grids.processes import solved_by
from headway.grids.work import KEPT, Cell, Result, solved


def run_here(cells: Sequence[Cell]) -> Iterator[Result]:
    """Run cells one after another in this process."""
    for cell in cells:
        yield solved(cell)


def run_local(cells: Sequence[Cell], workers: int | None = None) -> Iterator[Result]:
    """Run cells on local processes, as many as the machine has cores unless told.

    Parameters
    ----------
    cells : sequence of Cell
    workers : int or None
        Processes; None: one per core. [1]

    Raises
    ------
    LostWorkerError
        When a process was killed.
    """
    count = min(workers or os.cpu_count() or 1, len(cells))
    if count <= 1:
        yield from run_here(cells)
        return
    yield from solved_by(count, cells)


def run_ray(cells: Sequence[Cell], address: str) -> Iterator[Result]:
    """Run cells on Ray.

    Parameters
    ----------
    address : str
        Of a cluster (``ray://host:10001``, ``host:6379``); ``auto``: the one that runs on this machine, else a new local one.

    Raises
    ------
    InputError
        When Ray is not installed or the cluster cannot be reached.
    LostWorkerError
        When a cell's worker died for good.
    """
    # Ray's own new default, said now to keep it quiet
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address != "auto":
        _reach(address)
    try:
        import ray
        from ray.exceptions import RayError
    except ImportError:
        raise InputError("--ray: needs the [cluster] extra: pip install 'headway[cluster]'") from None
    mine = not ray.is_initialized()
    if mine:
        _connect(ray, address)
    try:
        remote = ray.remote(max_retries=3)(solved)
        waiting = [remote.remote(c) for c in cells]
        while waiting:
            done, waiting = ray.wait(waiting, num_returns=1)
            yield ray.get(done[0])
    except RayError as error:
        said = str(error).strip().split("\n")[0]
        raise LostWorkerError(f"Ray lost a worker ({said}); {KEPT}") from None
    finally:
        if mine:
            ray.shutdown()


def _reach(address: str) -> None:
    """Knock at the address first: Ray itself tries for a minute, and noisily."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise InputError(
            f"--ray {address}: an address reads like host:6379 or ray://host:10001; auto is this machine's"
        )
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or "no answer"
        raise InputError(
            f"--ray {address}: no cluster answers there ({said}); --ray auto starts one on this machine"
        ) from None


def _connect(ray: Any, address: str) -> None:
    """Connect, or start a local one where ``auto`` finds none."""
    quiet = {"logging_level": "ERROR", "log_to_driver": False}
    try:
        ray.init(address=address, **quiet)
    except ConnectionError:
        if address != "auto":
            raise InputError(
                f"--ray {address}: Ray cannot join that cluster (another version, or it wants a token)"
            ) from None
        ray.init(include_dashboard=False, **quiet)
    except (ValueError, RuntimeError, OSError) as error:
        said = str(error).strip().split("\n")[0]
        raise InputError(f"--ray {address}: cannot connect ({said})") from None
