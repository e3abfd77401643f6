"""Setting: everything that a question resolves to and that does not change from layout to layout; resolved once, here."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from headway import units
from headway.catalog import Catalogue, catalogue, default
from headway.errors import InputError, PhysicsError
from headway.hardware import Chip, System, with_host
from headway.models import Architecture
from headway.parallel import Layout, build_step, check, completed, read_layout
from headway.questions import ENGINE, LoadKind, Query, Request
from headway.roofline import (
    IDEAL,
    Calibration,
    CompiledStep,
    Convention,
    Profile,
    Spread,
    Step,
    compiled,
    profile,
)
from headway.serving.capacity import Account, Pool, kv_pool, memory_account
from headway.serving.engines import Engine, engine_on
from headway.serving.kinds import kinds_of
from headway.serving.lengths import lengths
from headway.serving.names import is_bare_chip, named_system, served_model
from headway.serving.numbers import numbers_on

Real = Any  # a float or a NumPy array; everything broadcasts
Array = NDArray[np.float64]


def step_of(model: Architecture, layout: Layout, adds_in_network: bool) -> Step:
    """Return the forward pass of a model under a layout; built once for each, and for each catalogue."""
    return _step_of(catalogue(), model, layout, adds_in_network)


@functools.lru_cache(maxsize=2048)
def _step_of(_: Catalogue, model: Architecture, layout: Layout, adds_in_network: bool) -> Step:
    return build_step(model, layout, adds_in_network)


def compiled_of(
    model: Architecture, layout: Layout, adds_in_network: bool, chip: Chip, numbers: Calibration, convention: Convention
) -> CompiledStep:
    """Return the pass function of a model under a layout on a chip; compiled once for each, and for each catalogue."""
    return _compiled_of(catalogue(), model, layout, adds_in_network, chip, numbers, convention)


@functools.lru_cache(maxsize=1024)
def _compiled_of(
    facts: Catalogue, model: Architecture, layout: Layout, adds_in_network: bool, chip: Chip, numbers: Calibration,
    convention: Convention,
) -> CompiledStep:  # fmt: skip
    return compiled(_step_of(facts, model, layout, adds_in_network), chip, numbers, convention)


@dataclass(frozen=True)
class Setting:
    """A model on a system, served by an engine, under one kind of load.

    Attributes
    ----------
    model : Architecture
        With the formats of weights and cache that the question, the checkpoint and the engine lead to.
    system : System
    engine : Engine
        Its habits.
    profile : Profile
        Its evidence; `numbers` is its calibration on the chip, with the budget of prompt tokens per pass that holds here
        and the rounds of the run.
    numbers : Calibration
    prompt, output : float
        Of each request. [tokens]
    kind : str
        ``closed_loop`` or ``static_batch``.
    drafts : int
        Per step. [tokens]
    skew : float
        Zipf exponent of expert popularity. [1]
    overlap : bool
        Two-batch overlap where it is faster.
    reserve : float or None
        Share of memory kept free, if not the engine's. [share]
    convention : str
    pays_all : bool
        Whether chips that no replica uses are paid.
    only : Layout or None
        The layout asked for.
    length_spread : float
        Half-width of the lengths' uniform spread around their means. [share]
    hits : float
        Of each prompt, what a prefix cache holds already. [share]
    question, named : Request, Query or None; str
        What it was resolved from, and the system's name there: a refusal tries what would fit.
    """

    model: Architecture
    system: System
    engine: Engine
    profile: Profile
    numbers: Calibration
    prompt: float
    output: float
    kind: LoadKind = "closed_loop"
    drafts: int = 0
    skew: float = 0.0
    overlap: bool = False
    reserve: float | None = None
    convention: Convention = "kernels"
    pays_all: bool = True
    only: Layout | None = None
    length_spread: float = 0.0
    hits: float = 0.0
    question: Request | Query | None = field(default=None, compare=False, repr=False)
    named: str = field(default="", compare=False, repr=False)

    @property
    def chunk(self) -> float:
        """Prompt tokens that one pass of a data-parallel group carries, at the most. [tokens]"""
        return float(self.numbers.chunk_tokens)

    @property
    def found(self) -> float:
        """Of each prompt, what a prefix cache holds: all but the last token at the most, which must be computed. [tokens]"""
        return min(self.hits * self.prompt, max(self.prompt - 1.0, 0.0))

    @property
    def new_tokens(self) -> float:
        """Tokens of each sequence in a decode pass: 1, and the drafts that it checks."""
        return 1.0 + self.drafts

    @property
    def reach(self) -> int:
        """Chips over which one replica may span: all of them where a network joins their domains."""
        s = self.system
        return s.chips if s.scale_out > 0 and s.link > 0 else s.joined

    def replicas(self, chips: int) -> int:
        """Return how many replicas of so many chips the system holds; one that fills whole domains may span several.

        Parameters
        ----------
        chips : int
            Of one replica. [chips]
        """
        if chips <= self.system.joined:
            return self.system.replicas(chips)
        return self.system.chips // chips

    def paid(self, used: Array) -> Array:
        """Return the chips to pay where so many are in use: all of the system, or those.

        Parameters
        ----------
        used : array
            In use. [chips]
        """
        return np.full_like(used, float(self.system.chips)) if self.pays_all else used

    def account(self, layout: Layout) -> Account:
        """Return the memory account of a layout: sequences count as the engine admits them."""
        kept = self.reserve if self.reserve is not None else float(self.numbers.memory_reserve) or None
        return memory_account(
            self.model, layout, self.system, self.prompt, self.output, reserve=kept, chunk_tokens=self.chunk,
            policy="as run" if self.kind == "static_batch" else self.engine.admission, habits=self.engine.memory,
            drafting=self.drafts > 0,
        )  # fmt: skip

    def pool(self, layout: Layout, account: Account) -> Pool:
        """Return the KV pool of a layout as the engine's log counts it, by sequences at half their answers."""
        return kv_pool(
            self.model, layout, account, self.engine.memory, context=max(self.prompt + self.output / 2, 1.0),
            chunk=self.chunk, drafting=self.drafts > 0,
        )  # fmt: skip

    def step(self, layout: Layout) -> Step:
        """Return the forward pass of a replica."""
        return step_of(self.model, layout, self.system.adds_in_network)

    def passes(self, step: Step, ideal: bool = False) -> CompiledStep:
        """Return a step as a pass function under the engine's calibration, or of the ideal machine."""
        return compiled(step, self.system.chip, IDEAL if ideal else self.numbers, self.convention)

    def passes_of(self, layout: Layout, ideal: bool = False) -> CompiledStep:
        """Return the pass function of a layout; compiled once for each."""
        numbers = IDEAL if ideal else self.numbers
        return compiled_of(self.model, layout, self.system.adds_in_network, self.system.chip, numbers, self.convention)

    def covers(self, batch: Real, ranks: Real) -> NDArray[np.bool_]:
        """Return whether requests in flight and chips of a replica lie inside the engine's evidence.

        Parameters
        ----------
        batch, ranks : float or array
            Requests in flight on all replicas, chips of one replica. [requests, chips]
        """
        return np.asarray(self.profile.within("batch", batch) & self.profile.within("ranks", ranks))

    def outside(
        self, batch: float | None = None, ranks: float | None = None, kind: LoadKind | None = None
    ) -> tuple[str, ...]:
        """Name what of this setting the engine's evidence does not cover.

        Parameters
        ----------
        batch, ranks : float or None
            Requests in flight on all replicas, chips of one replica; None leaves them out. [requests, chips]
        kind : str or None
            Of the load whose evidence is asked; None: the setting's.
        """
        if self.profile.name == "ideal":
            return ()
        numbers = {"batch": batch, "prompt": self.prompt, "output": self.output, "ranks": ranks}
        loaded = (kind or self.kind) != "static_batch"
        found = self.profile.uncovered(self.system.chip, loaded, **{k: v for k, v in numbers.items() if v is not None})
        if self.profile.name == ENGINE and self.engine.name not in (
            self.profile.name,
            *self.profile.covers.get("engines", ()),
        ):
            found = (*found, "engine")
        if self.system.chip.cpu is not None:
            found = (*found, "host")
        if self.hits and loaded:
            found = (*found, "hits")
        return (*found, "context") if self.prompt + self.output > self.model.max_context else found

    @property
    def kinds(self) -> tuple[str, ...]:
        """What it is that predictions err on differently."""
        return kinds_of(self.model, self.system.chip, self.prompt, self.output, self.profile)

    def spread(self, what: str, things: tuple[str, ...], kind: str | None = None) -> Spread | None:
        """Return the 80 % interval of ``tpot`` or ``ttft`` under this kind of load (or another); None for the ideal machine.

        `things` are what lies outside the evidence, and what a case is beside the setting's own `kinds`.
        """
        return self.profile.spread(kind or self.kind, what, (*self.kinds, *things))


def system_of(name: str, chips: int | None, layout: Layout | None, price: float | None = None) -> System:
    """Return the system that a question means: as named, with so many chips as are given, or as the layout takes.

    Parameters
    ----------
    name : str
    chips : int or None
        Of the system. [chips]
    layout : Layout or None
    price : float or None
        None keeps the catalogue's. [$/s per chip]

    Notes
    -----
    One rule for every verb: the number given; else the one that the name states (``h200x8``, ``8xMI355X``) or the
    catalogue has; else, for a bare chip, as many as the layout takes.
    """
    system = named_system(name).priced(price)
    if chips is not None:
        return system.resized(chips)
    return system.resized(layout.chips) if layout is not None and is_bare_chip(name) else system


def asked_layout(request: Request | Query, model: Architecture) -> Layout | None:
    """Return the layout that a question names in full, or None where something is left open."""
    if request.layout is not None:
        found = read_layout(request.layout)
        return dataclasses.replace(found, cpu_experts=_all_at_most(found.cpu_experts, model))
    ways = {**completed(given_ways(request)), **left_to_host(request, model)}
    return Layout(**cast(dict[str, Any], ways)) if ways else None


def given_ways(request: Request | Query) -> dict[str, int]:
    """Return the dimensions that a request gives one by one."""
    if isinstance(request, Query):
        return {}
    return {k: v for k in ("tp", "dp", "ep", "pp") if (v := getattr(request, k)) is not None}


def left_to_host(request: Request | Query, model: Architecture) -> dict[str, int]:
    """Return what a request leaves to the host's processor, as fields of a layout."""
    if isinstance(request, Query):
        return {}
    left = {"cpu_layers": request.cpu_layers or 0, "cpu_experts": _all_at_most(request.cpu_experts or 0, model)}
    return {k: v for k, v in left.items() if v}


def _all_at_most(layers: int, model: Architecture) -> int:
    """Layers whose experts are on the host: a number beyond all (``--n-cpu-moe 99``) means all, as llama.cpp takes it."""
    routed = sum(x.count for x in model.layers if x.experts)
    return min(layers, routed) if routed else layers


def setting(request: Request) -> Setting:
    """Resolve a request, layout and batch left open.

    Raises
    ------
    InputError
        Unknown names, layouts that do not divide, lengths that contradict each other.
    """
    arch = _loaded(request)
    prompt, output = lengths(request, arch.max_context)
    return _setting(request, request.system, arch, prompt, output, request.load, request.convention)


def place(query: Query, name: str) -> Setting:
    """Resolve a query on one of its systems.

    Raises
    ------
    InputError
        Unknown names.
    """
    arch = _loaded(query)
    found = _setting(query, name, arch, query.prompt, query.output, "closed_loop", "kernels")
    return dataclasses.replace(found, pays_all=not query.at_most)


def _loaded(asked: Request | Query) -> Architecture:
    """The model as the question has it loaded."""
    return served_model(asked.model, asked.precision, asked.kv_precision, asked.family).loaded(
        towers=asked.towers, mtp=asked.mtp
    )


def _setting(
    asked: Request | Query, name: str, arch: Architecture, prompt: float, output: float, kind: LoadKind,
    convention: Convention,
) -> Setting:  # fmt: skip
    longest = default("longest_draft")
    if asked.drafts > longest:
        raise InputError(f"--drafts: {asked.drafts} must be at most {longest:g}")
    only = asked_layout(asked, arch)
    system = system_of(name, asked.chips, only, asked.price)
    habits = engine_on(asked.engine, system.chip)
    if only is not None and only.offloads:
        system = with_host(system, asked.host, asked.ram)
    elif asked.host is not None or asked.ram is not None:
        raise InputError("--host and --ram are for what is left to the host: give --cpu-layers or --cpu-experts, too")
    if habits.narrow_states and any(x.state for x in arch.layers):
        arch = arch.narrow_states()
    found = profile(habits.profile)
    numbers = numbers_on(found, habits, system, asked.release or "", asked.rounds)
    return Setting(
        arch, system, habits, found, numbers, prompt, output, kind, asked.drafts, asked.skew, asked.overlap,
        asked.reserve if asked.memory_share is None else 1 - min(asked.memory_share, 1.0),
        convention, True, only, default("length_spread") if asked.length_spread is None else asked.length_spread, asked.hits,
        asked, name,
    )  # fmt: skip


def checked_layout(s: Setting, layout: Layout) -> Layout:
    """Return a layout if it divides the model and the system can hold it.

    Raises
    ------
    InputError
        When it does not divide the model.
    PhysicsError
        When a replica cannot span so many chips.
    """
    check(s.model, layout)
    if layout.chips > s.reach:
        raise PhysicsError(
            f"--layout {layout}: needs {units.some(layout.chips, 'chip')}; one replica can span {s.reach} of {s.system.name}"
        )
    return layout
