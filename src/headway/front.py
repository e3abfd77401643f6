"""The library's front door: the verbs that take more than one room, as functions. `import headway as hw` offers them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from headway.errors import InputError
from headway.evidence import COLUMNS, read_file, read_mappings, read_rows
from headway.hardware import Chip
from headway.hardware import chip as _chip
from headway.hardware import drain_time as _drain_time
from headway.predictions import predicted_rows
from headway.questions import Request, parsed
from headway.roofline import Calibration
from headway.roofline import profile as _profile
from headway.serving import Answer, answer, case, checked_layout, numbers_on, setting, system_of
from headway.serving import engine as _engine

if TYPE_CHECKING:
    from headway.fitting.own import Own
    from headway.validation.out_of_fold import Validation

Rows = str | Path | Iterable[Mapping[str, Any]]


@overload
def predict(question: Request, engine: str | None = None) -> Answer: ...


@overload
def predict(question: Rows, engine: str | None = None) -> list[dict[str, str]]: ...


def predict(question: Request | Rows, engine: str | None = None) -> Answer | list[dict[str, str]]:
    """Predict TTFT, TPOT and throughput: of one request, or of every row of a table.

    Parameters
    ----------
    question : Request, path, or iterable of mappings
        A request whose layout and load are given (``batch`` or ``concurrency``), a table in the schema of serving benchmarks
        (docs/predict.md), or its rows as dictionaries.
    engine : str or None
        Engine or profile instead of the rows' own.

    Returns
    -------
    Answer or list of dict
        Of a request, an `Answer` (seconds, tokens/s); of a table, its rows with the columns that ``headway predict`` adds
        (milliseconds), refused ones saying why.

    Raises
    ------
    InputError
        When the table cannot be read, a name does not resolve, or the request leaves its layout or load open.
    PhysicsError
        When the request does not fit.
    """
    if isinstance(question, Request):
        return _predicted(question if engine is None else dataclasses.replace(question, engine=engine))
    if isinstance(question, str | Path):
        return list(predicted_rows(read_rows(question), engine))
    return list(predicted_rows(read_mappings(question, COLUMNS), engine))


def _predicted(request: Request) -> Answer:
    s = setting(request)
    if s.only is None or (request.batch is None and request.concurrency is None):
        raise InputError(
            "predict needs a layout and a load: give layout (or tp, dp, ep) and batch or concurrency; make_plan chooses them"
        )
    layout = checked_layout(s, s.only)
    return answer(case(s, layout, batch=request.batch, concurrency=request.concurrency))


def validate() -> Validation:
    """Predict all shipped evidence out of fold: leave-one-(model, chip)-out. Takes a minute of CPU time.

    Raises
    ------
    InputError
        When SciPy is missing (the ``[fit]`` extra).
    """
    from headway.fitting.data import evidence
    from headway.fitting.refits import Refits
    from headway.validation.out_of_fold import validate as run

    return run(Refits(evidence()))


def calibrate(table: str | Path, name: str, engine: str | None = None) -> Own:
    """Fit a profile to your own measurements (the ``[fit]`` extra); `headway.fitting.profiles.write` saves it.

    Parameters
    ----------
    table : path
        In the schema of serving benchmarks (docs/predict.md).
    name : str
        Of the new profile.
    engine : str or None
        Profile to start from; default: that of the engine that most rows name.

    Raises
    ------
    InputError
        When no row can be used, or the name is taken.
    """
    from headway.fitting.own import own_profile

    return own_profile(name, read_file(table)[0], engine)


def calibration(name: str, chip: Chip | str | None = None, release: str = "") -> Calibration:
    """Return the calibration of an engine on a chip: the fourth argument of `step_time`.

    Parameters
    ----------
    name : str
        ``ideal``, ``modern``, an engine, or a profile of your own.
    chip : Chip or str
        Machines differ: only ``ideal`` is the same on all of them.
    release : str
        Date of the engine (``2026-05``); "" for the latest.

    Raises
    ------
    InputError
        Unknown name, no chip for an engine, or a release that is no date.
    """
    found, release = _engine(name), parsed("release", release) if release else ""
    if chip is None:
        if found.profile == "ideal":
            return Calibration.ideal()
        raise InputError(
            f"calibration({name!r}) differs from chip to chip: give one, like calibration({name!r}, 'h200')"
        )
    system = system_of(chip if isinstance(chip, str) else chip.name, 1, None)
    return numbers_on(_profile(found.profile), found, system, release)


def drain_time(memory: Chip | str | float, bandwidth: float | None = None) -> float:
    """Return the seconds to read a memory once (lecture E9): of a chip, or of a capacity and a bandwidth.

    Parameters
    ----------
    memory : Chip, str or float
        A chip or its name, or a capacity. [bytes]
    bandwidth : float or None
        With a capacity. [bytes/s]
    """
    if isinstance(memory, Chip | str):
        return (_chip(memory) if isinstance(memory, str) else memory).drain_time
    if bandwidth is None:
        raise InputError("drain_time takes a chip, or a capacity in bytes and a bandwidth in bytes/s")
    return float(_drain_time(memory, bandwidth))
