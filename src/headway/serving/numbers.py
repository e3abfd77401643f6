"""An engine's calibration on a chip, with the budget per pass and the rounds that a question has."""

from __future__ import annotations

import dataclasses
import functools
import math

from headway.catalog import Catalogue, catalogue, default
from headway.hardware import Chip, System
from headway.roofline import Calibration, Profile, profile
from headway.serving.engines import Engine


def numbers_on(
    found: Profile, habits: Engine, system: System, release: str = "", rounds: float | None = None
) -> Calibration:
    """Return the calibration of an engine on a chip, with its budget per pass and the rounds of the run.

    Parameters
    ----------
    found : Profile
    habits : Engine
    system : System
    release : str
        Date of the engine; "" for the latest.
    rounds : float or None
        Requests per slot of the run; None takes the profile's. [requests]
    """
    return _numbers_on(catalogue(), found.name, system.chip, release, habits.prompt_piece, rounds)


@functools.lru_cache(maxsize=4096)
def _numbers_on(
    facts: Catalogue, name: str, chip: Chip, release: str, piece: float, rounds: float | None
) -> Calibration:
    fitted = profile(name).on(chip, release)
    return budgeted(dataclasses.replace(fitted, run_rounds=fitted.run_rounds if rounds is None else rounds), piece)


def budgeted(numbers: Calibration, piece: float = math.inf) -> Calibration:
    """Return a calibration whose budget of prompt tokens per pass is finite: the catalogue's where it states none.

    Parameters
    ----------
    numbers : Calibration
    piece : float
        The longest piece of a prompt that the engine puts in one pass. [tokens]
    """
    stated = float(numbers.chunk_tokens)
    return dataclasses.replace(
        numbers, chunk_tokens=min(default("prefill_tokens") if math.isinf(stated) else stated, piece)
    )
