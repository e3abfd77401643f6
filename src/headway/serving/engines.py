"""Engines: what a serving engine does by itself, from the catalogue's `engines`; the same for every verb."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass, replace
from typing import Literal

from headway.catalog import Catalogue, Row, catalogue
from headway.errors import unknown
from headway.hardware import Chip
from headway.questions import AUTO, ENGINE
from headway.roofline import profile, profile_names
from headway.serving.engine_memory import MemoryHabits, habits_of

Admission = Literal["whole", "growing"]


@dataclass(frozen=True, slots=True)
class Engine:
    """The habits of an engine.

    Attributes
    ----------
    name : str
    profile : str
        Calibration that its passes are timed with.
    admission : str
        ``whole``: a request is admitted when its last token will fit. ``growing``: memory is given out as sequences grow,
        and the latest is put off when none is left.
    memory : MemoryHabits
        What it takes of a chip's memory, and what it makes of the share that its users type.
    loaded : bool
        Whether the evidence has rows of it under load; else intervals under load are those of engines that have.
    prompt_piece : float
        Tokens of a prompt that it computes at a time, whatever its budget per pass; infinite for whole prompts. [tokens]
    narrow_states : bool
        Recurrent states are kept in the model's own 16 bits unless its config says otherwise; else in 32.
    apart : bool
        Prompts run in passes of their own, before any decode step; else they share passes with answers.
    gather : float
        Passes for which prompts wait until every data-parallel group has one; 0: none does. [passes]
    """

    name: str
    profile: str
    admission: Admission
    memory: MemoryHabits
    loaded: bool = True
    prompt_piece: float = math.inf
    apart: bool = False
    narrow_states: bool = False
    gather: float = 0.0


def engine(name: str) -> Engine:
    """Return the engine called `name` (``vllm``, ``dynamo-trt``, ``vllm/vllm-openai:v0.18.0``, a profile of your own, ``ideal``).

    Raises
    ------
    InputError
        When there is no such engine; the message names the nearest.
    """
    return _engine(catalogue(), name.strip())


def engine_on(name: str, chip: Chip) -> Engine:
    """Return the engine called `name`; ``auto`` is the one that people run on such a chip.

    Parameters
    ----------
    name : str
    chip : Chip

    Raises
    ------
    InputError
        When there is no such engine.
    """
    at_home = "llama.cpp" if chip.status == "consumer" else ENGINE
    return engine(at_home if name.strip().lower() == AUTO else name)


@functools.lru_cache(maxsize=512)
def _engine(facts: Catalogue, name: str) -> Engine:
    table = facts.table("engines")
    number = table.find(name)
    own = number is None and name in profile_names()
    if own:  # a profile of the user's: its base says what the engine does
        habits = _engine(facts, str(profile(name).about.get("base", "modern")))
        return replace(habits, name=name, profile=name)
    parts = re.split(r"[:@ ]", name)[0].split("/")  # an image: registry, owner, repository
    for text in (*parts, re.sub(r"[-_ ]?v?\d[\d.]*\w*$", "", name)):
        if text and number is None:
            number = table.find(text)
    if number is None:
        known = list(dict.fromkeys([*profile_names(), *table.names()]))
        raise unknown(
            "engine", name, known, f"Accepted: {', '.join(profile_names())}; `headway catalog engines` lists more."
        )
    row: Row = table.rows[number]
    admission: Admission = "whole" if row["holds"] == "whole" else "growing"
    piece = float(row["prompt_piece"] or math.inf)
    # other engines on the same row, which has no numbers of its own, keep their names
    called = row["name"] if row["name"] == row["profile"] or "/" in name or ":" in name else name.lower()
    return Engine(
        called, row["profile"], admission, habits_of(row), row["cohort"] == "present", piece,
        row["prompts"] == "apart", row["states"] == "16 bits", float(row["gather_passes"] or 0.0),
    )  # fmt: skip
