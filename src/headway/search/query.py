"""What is asked of a search, and what it resolves to on one system."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headway.catalog import default
from headway.errors import InputError
from headway.hardware import System, system
from headway.models import Architecture, model
from headway.parallel import Layout, read_layout
from headway.roofline import DEFAULT, Calibration, Profile, profile

Real = Any  # a float or a NumPy array; everything broadcasts
Array = NDArray[np.float64]
Goal = Literal["cost", "chips", "latency"]
GOALS: tuple[Goal, ...] = ("cost", "chips", "latency")


@dataclass(frozen=True)
class Query:
    """What is asked.

    Attributes
    ----------
    model : str
        Name, path or hub id.
    systems : tuple of str
        Systems or ``CHIPxN``; several are ranked by dollars.
    chips : int or None
        Chips instead of each system's; with `at_most`, as many of them as a layout uses: what it leaves is not paid.
    prompt, output : float
        Tokens per request.
    ttft, tpot : float or None
        Limits on the mean time to first token and per output token. [s]
    sure : bool
        The upper ends of the 80 % intervals must meet the limits, not only the estimates.
    rate : float or None
        Requests per second: find the cheapest fleet that carries them.
    minimise : str
        ``cost``, ``chips`` or ``latency`` (of a whole request).
    split : bool
        Look also at separate pools for prompts and answers.
    prefill_on : str or None
        System of the pool for prompts, when another.
    overlap : bool
        Hide communication behind a second half of the batch where that is faster.
    drafts : int
        Tokens drafted per step (speculative decoding, multi-token prediction).
    layout : str or None
        Look at this layout alone.
    precision, kv_precision, price, engine, reserve, skew
        As of a plan.
    """

    model: str
    systems: tuple[str, ...]
    chips: int | None = None
    at_most: bool = False
    prompt: float = 8192.0
    output: float = 1024.0
    ttft: float | None = None
    tpot: float | None = None
    sure: bool = False
    rate: float | None = None
    minimise: Goal = "cost"
    split: bool = True
    prefill_on: str | None = None
    overlap: bool = False
    drafts: int = 0
    layout: str | None = None
    precision: str | None = None
    kv_precision: str | None = None
    price: float | None = None
    engine: str = DEFAULT
    reserve: float | None = None
    skew: float = 0.0

    def __post_init__(self) -> None:
        if self.minimise not in GOALS:
            raise InputError(f"--minimise: {self.minimise!r} is not known; accepted: {', '.join(GOALS)}")
        if not self.systems:
            raise InputError("search needs --on SYSTEM, like --on gb200-nvl72 or --on h200x8,b200x8")
        for name, value, least in (
            ("prompt", self.prompt, 1), ("output", self.output, 2), ("drafts", self.drafts, 0), ("skew", self.skew, 0),
        ):  # fmt: skip
            if value < least:
                raise InputError(f"--{name}: {value:g} must be at least {least}")
        longest = default("longest_draft")
        if self.drafts > longest:
            raise InputError(f"--drafts: {self.drafts} must be at most {longest:g}")
        if self.reserve is not None and not 0 <= self.reserve < 1:
            raise InputError(f"--reserve: {self.reserve:g} must be zero or more and below 1")
        if self.skew >= 100:
            raise InputError(f"--skew: {self.skew:g} must be zero or more and below 100")
        for name, value in (("ttft", self.ttft), ("tpot", self.tpot), ("rate", self.rate)):
            if value is not None and value <= 0:
                raise InputError(f"--{name}: {value:g} must be positive")


@dataclass(frozen=True)
class Place:
    """A query on one system: everything that does not change from layout to layout.

    Attributes
    ----------
    model : Architecture
    system : System
    profile : Profile
    numbers : Calibration
        Of the engine on the chip, in steady state: no first round in which all requests start at once, and passes of
        at most the catalogue's `prefill_tokens` where the engine has no budget of its own.
    prompt, output, drafts, skew : float
    overlap : bool
    reserve : float or None
    pays_all : bool
        Whether chips that no replica uses are paid.
    only : Layout or None
    """

    model: Architecture
    system: System
    profile: Profile
    numbers: Calibration
    prompt: float
    output: float
    drafts: int
    skew: float
    overlap: bool
    reserve: float | None
    pays_all: bool
    only: Layout | None

    @property
    def chunk(self) -> float:
        """New tokens of prompts that one pass of a data-parallel group carries, at the most."""
        return float(self.numbers.chunk_tokens)

    @property
    def reach(self) -> int:
        """Chips over which one replica may span: all of them where a network joins their domains."""
        s = self.system
        return s.chips if s.scale_out > 0 and s.link > 0 else s.joined

    def paid(self, used: Array) -> Array:
        """Return the chips to pay where so many are in use: all of the system, or those."""
        return np.full_like(used, float(self.system.chips)) if self.pays_all else used

    def covers(self, batch: Real, ranks: Real) -> NDArray[np.bool_]:
        """Return whether batches and ranks lie inside the engine's evidence."""
        return np.asarray(self.profile.within("batch", batch) & self.profile.within("ranks", ranks))

    def replicas(self, chips: int) -> int:
        """Return how many replicas of so many chips the system holds; one that fills whole domains may span several."""
        if chips <= self.system.joined:
            return self.system.replicas(chips)
        return self.system.chips // chips


def place(query: Query, name: str) -> Place:
    """Resolve a query on one of its systems.

    Raises
    ------
    InputError
        Unknown names.
    """
    arch = model(query.model, precision=query.precision, kv_precision=query.kv_precision)
    box = system(name).priced(query.price)
    if query.chips is not None:
        box = box.resized(query.chips)
    found = profile(query.engine)
    fitted = found.on(box.chip)
    chunk = default("prefill_tokens") if fitted.chunk_tokens == float("inf") else fitted.chunk_tokens
    numbers = dataclasses.replace(fitted, run_rounds=float("inf"), chunk_tokens=chunk)
    return Place(
        arch, box, found, numbers, query.prompt, query.output, query.drafts, query.skew, query.overlap, query.reserve,
        not query.at_most, read_layout(query.layout) if query.layout else None,
    )  # fmt: skip
