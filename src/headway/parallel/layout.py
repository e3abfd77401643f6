"""Layout: how one copy of a model is cut over chips, written as people write it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headway import units
from headway.errors import InputError, quoted
from headway.models import Architecture
from headway.parallel.racks import largest_divisor, nearest_divisor

Column = NDArray[np.float64]
_NAMES = ("tp", "cp", "dp", "ep", "pp")
_PART = re.compile(r"(tp|cp|dp|ep|pp|r)[ =]*(\d+)", re.IGNORECASE)
_ON_CPU = {"cpu": "cpu_layers", "cpumoe": "cpu_experts"}  # as written after a plus
_FLAG = re.compile(r"(cpumoe|cpu)(\d+)|(shared|sharedcopies)")


class Dimensions(NamedTuple):
    """Which ways of cutting a layout uses.

    Attributes
    ----------
    sliced : bool
        tp: attention and dense matrices.
    shared_sequences : bool
        cp: each sequence lies on several chips.
    groups : bool
        dp: chips hold different sequences.
    spread_experts, sliced_experts : bool
        ep, and the chips that share each expert.
    staged : bool
        pp.
    shared_copies : bool
        Shared experts whole on every chip.
    cpu_layers, cpu_experts : int
        Layers, and experts of layers, on the host. [layers]
    """

    sliced: bool
    shared_sequences: bool
    groups: bool
    spread_experts: bool
    sliced_experts: bool
    staged: bool
    shared_copies: bool
    cpu_layers: int = 0
    cpu_experts: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """How one replica lies on chips: tensor, context, attention-data, expert and pipeline parallelism.

    Chips of one stage = tp x cp x dp; of the replica, that times pp.

    Attributes
    ----------
    tp : int
        Chips that slice each attention and dense matrix (and the KV heads). [chips]
    dp : int
        Attention-data-parallel groups: each has its own sequences and copy of attention and dense weights. [groups]
    ep : int
        Groups of chips over which the experts are spread; it divides the stage's chips, and the chips of a group slice
        each expert. [groups]
    pp : int
        Pipeline stages, each with its share of the layers. [stages]
    cp : int
        Chips that share each sequence: its prompt's tokens and its cache. [chips]
    redundant : int
        Experts with a second copy: the busiest chip has less to do (DeepSeek: 32 of 256 on 144 chips). [experts]
    shared_copies : bool
        Keep shared experts whole on every chip instead of slicing them over tp.
    cpu_layers : int
        Layers, counted from the first, that lie in the host's memory with their cache and run on its processor. [layers]
    cpu_experts : int
        MoE layers, counted from the first, whose routed experts do. [layers]
    padded : bool
        Heads that tp does not divide are padded, as some engines do, not refused.
    """

    tp: int = 1
    dp: int = 1
    ep: int = 1
    pp: int = 1
    cp: int = 1
    redundant: int = 0
    shared_copies: bool = False
    cpu_layers: int = 0
    cpu_experts: int = 0
    padded: bool = False

    def __post_init__(self) -> None:
        for name in _NAMES:
            if getattr(self, name) < 1:
                raise InputError(f"--{name}: {getattr(self, name)} must be at least 1")
        if self.redundant < 0:
            raise InputError(f"layout {self}: {self.redundant} redundant experts must not be negative")
        if self.redundant and self.ep == 1:
            raise InputError(f"layout {self}: redundant experts need experts spread over chips (ep)")
        if self.stage_chips % self.ep:
            cut = "tp x dp" if self.cp == 1 else "tp x cp x dp"
            raise InputError(f"layout {self}: ep{self.ep} must divide the {self.stage_chips} chips of {cut}")
        if min(self.cpu_layers, self.cpu_experts) < 0:
            raise InputError(f"layout {self}: layers on the host's processor must not be negative")
        if self.offloads and self.chips > self.tp:
            raise InputError(f"layout {self}: layers or experts on the host's processor go with tp only")

    @property
    def stage_chips(self) -> int:
        """Chips of one pipeline stage."""
        return self.tp * self.cp * self.dp

    @property
    def chips(self) -> int:
        """Chips used by one replica (design rule 6: the product closes)."""
        return self.stage_chips * self.pp

    @property
    def slices(self) -> int:
        """Chips that share each expert."""
        return self.stage_chips // self.ep

    @property
    def tensor_only(self) -> bool:
        """Whether chips slice everything, experts too: what can leave layers to a host."""
        return self.chips == self.tp and self.ep == 1

    @property
    def offloads(self) -> bool:
        """Whether something lies in the host's memory and runs on its processor."""
        return self.cpu_layers > 0 or self.cpu_experts > 0

    @property
    def dimensions(self) -> Dimensions:
        """Which dimensions it uses: they decide which kernels and collectives a pass has."""
        return Dimensions(
            sliced=self.tp > 1, shared_sequences=self.cp > 1, groups=self.dp > 1, spread_experts=self.ep > 1,
            sliced_experts=self.slices > 1, staged=self.pp > 1, shared_copies=self.shared_copies,
            cpu_layers=self.cpu_layers, cpu_experts=self.cpu_experts,
        )  # fmt: skip

    def __str__(self) -> str:
        parts = [f"{k}{getattr(self, k)}" for k in _NAMES if getattr(self, k) > 1]
        text = "".join(parts) or "tp1"
        text += (f"r{self.redundant}" if self.redundant else "") + ("+shared" if self.shared_copies else "")
        return text + "".join(f"+{word}{n}" for word, name in _ON_CPU.items() if (n := getattr(self, name)))


@dataclass(frozen=True, slots=True)
class LayoutColumns:
    """Many layouts that use the same dimensions, as columns [layouts, 1]: one Step then stands for all of them."""

    tp: Column
    dp: Column
    ep: Column
    pp: Column
    cp: Column
    redundant: Column
    shared_copies: bool
    cpu_layers: int = 0
    cpu_experts: int = 0

    @classmethod
    def of(cls, layouts: Sequence[Layout]) -> LayoutColumns:
        """Return the columns of layouts of one `dimensions`.

        Raises
        ------
        InputError
            When they use different dimensions: their passes have different kernels and collectives.
        """
        if len({x.dimensions for x in layouts}) != 1:
            raise InputError("only layouts that use the same dimensions can be built together")
        numbers = {k: np.array([getattr(x, k) for x in layouts], dtype=float)[:, None] for k in (*_NAMES, "redundant")}
        first = layouts[0]
        return cls(
            **numbers, shared_copies=first.shared_copies, cpu_layers=first.cpu_layers, cpu_experts=first.cpu_experts
        )

    @property
    def stage_chips(self) -> Column:
        """Chips of one pipeline stage."""
        return self.tp * self.cp * self.dp

    @property
    def chips(self) -> Column:
        """Chips of one replica."""
        return self.stage_chips * self.pp

    @property
    def slices(self) -> Column:
        """Chips that share each expert."""
        return self.stage_chips / self.ep

    @property
    def dimensions(self) -> Dimensions:
        """Which dimensions they use (see `Layout.dimensions`)."""
        tp, cp, dp, ep, slices, pp = (
            bool(np.all(x > 1)) for x in (self.tp, self.cp, self.dp, self.ep, self.slices, self.pp)
        )
        return Dimensions(tp, cp, dp, ep, slices, pp, self.shared_copies, self.cpu_layers, self.cpu_experts)

    @property
    def offloads(self) -> bool:
        """Whether something lies in the host's memory and runs on its processor."""
        return self.cpu_layers > 0 or self.cpu_experts > 0

    def __str__(self) -> str:
        return f"{len(self.tp)} layouts"


AnyLayout = Layout | LayoutColumns


def read_layout(text: str) -> Layout:
    """Read a layout as people write it: ``tp8``, ``tp4pp2``, ``dp8ep64`` (tp8 follows), ``dp144ep144r32``.

    Raises
    ------
    InputError
        When something in it is not a dimension with its number, or one is there twice.

    Notes
    -----
    ``r32`` gives 32 experts a second copy; ``+shared`` keeps shared experts whole on every chip; ``+cpu12`` leaves the first 12
    layers to the host's processor, ``+cpumoe40`` the routed experts of the first 40 that have any. Where ep is larger than
    tp x cp x dp, the missing ways are data-parallel groups when dp is not given, else tensor-parallel.
    """
    plain = text.strip().lower().replace("tensor", "tp").replace(" ", "")
    body, *flags = plain.split("+")
    beside: dict[str, Any] = {}
    for flag in flags:
        match = _FLAG.fullmatch(flag)
        if not match:
            raise InputError(f"layout {quoted(text)}: +{flag} is not known; accepted: +shared, +cpu12, +cpumoe40")
        beside |= {"shared_copies": True} if match[3] else {_ON_CPU[match[1]]: int(match[2])}
    rest = re.sub(r"[-_,x/;]", "", body)
    found: dict[str, int] = {}
    while rest:
        match = _PART.match(rest)
        if not match:
            raise InputError(
                f"layout {quoted(text)}: {quoted(rest)} is not understood; write it like tp8, tp4pp2 or dp8ep64"
            )
        if match[1] in found:
            raise InputError(f"layout {quoted(text)}: {match[1]} is there twice")
        found[match[1]] = int(match[2])
        rest = rest[match.end() :]
    if not found:
        raise InputError("a layout is empty; write it like tp8, tp4pp2 or dp8ep64")
    redundant = found.pop("r", 0)
    return Layout(**completed(found), redundant=redundant, **beside)


def completed(given: dict[str, int]) -> dict[str, int]:
    """Fill in what expert parallelism implies: with ep larger than the other ways, dp (or tp, where dp is given).

    Parameters
    ----------
    given : dict
        Ways by dimension, like ``{"tp": 2, "ep": 8}``. [1]
    """
    known = given.get("tp", 1) * given.get("dp", 1) * given.get("cp", 1)
    ep = given.get("ep", 1)
    if known < 1 or ep <= known or ep % known:
        return given
    missing = ep // known
    if "tp" not in given and "dp" not in given:
        return {**given, "tp": missing}
    if "dp" not in given:
        return {**given, "dp": missing}
    return given if "tp" in given else {**given, "tp": missing}


def check(model: Architecture, layout: Layout) -> None:
    """Refuse a layout that does not divide the model.

    Raises
    ------
    InputError
        When the experts (with their second copies) do not divide over ep, the attention heads over tp, or there are more
        stages than layers.
    """
    experts = model.experts
    if layout.ep > 1 and experts is None:
        raise InputError(f"--ep {layout.ep}: {model.name} is dense, it has no experts to spread; use --tp")
    if experts and (experts.count + layout.redundant) % layout.ep:
        if layout.redundant:
            more = -experts.count % layout.ep
            raise InputError(
                f"layout {layout}: {experts.count} experts and {layout.redundant} second copies do not divide over ep{layout.ep}; "
                f"r{more} does"
            )
        fit = largest_divisor(experts.count, layout.ep)
        raise InputError(f"--ep {layout.ep}: {experts.count} experts do not divide evenly; the nearest is ep{fit}")
    if experts and layout.redundant > experts.count:
        raise InputError(f"layout {layout}: {layout.redundant} second copies are more than the {experts.count} experts")
    heads = model.attention_heads
    if heads and heads % layout.tp and not layout.padded:
        fit = nearest_divisor(heads, layout.tp)
        raise InputError(f"--tp {layout.tp}: {heads} attention heads do not divide evenly; the nearest is tp{fit}")
    layers = model.layer_count
    if layout.pp > layers:
        raise InputError(f"--pp {layout.pp}: {model.name} has {units.some(layers, 'layer')}; at most pp{layers}")
    if layout.cpu_layers > layers:
        raise InputError(f"--cpu-layers {layout.cpu_layers}: {model.name} has {units.some(layers, 'layer')}")
    routed = sum(x.count for x in model.layers if x.experts)
    if layout.cpu_experts > routed:
        has = f"{units.some(routed, 'layer')} with experts" if routed else "no experts; use --cpu-layers"
        raise InputError(f"--cpu-experts {layout.cpu_experts}: {model.name} has {has}")


def widest_tensor(model: Architecture, most: int) -> int:
    """Return the most slices, up to so many, into which a model's attention heads divide.

    Parameters
    ----------
    model : Architecture
    most : int
        [chips]
    """
    return largest_divisor(model.attention_heads, most) if model.attention_heads else most


def candidates(model: Architecture, chips: int) -> list[Layout]:
    """Return sensible layouts of one replica on up to `chips` chips of one scale-up domain.

    Dense models: tensor parallelism in powers of two (and all chips). MoE: tensor parallelism, or experts spread over
    all chips with attention in tp x dp. Chips beyond the largest divisor of the experts stay idle (lecture 3.2).

    Parameters
    ----------
    model : Architecture
    chips : int
        [chips]
    """
    found: list[Layout] = []
    powers = [2**i for i in range(chips.bit_length()) if 2**i <= chips]
    experts = model.experts
    for tp in dict.fromkeys([*powers, chips]):
        found.append(Layout(tp=tp))
        if experts is None:
            continue
        if experts.count % tp == 0 and tp > 1:
            found.append(Layout(tp=tp, ep=tp))
        for total in dict.fromkeys([*powers, chips, largest_divisor(experts.count, chips)]):
            if total % tp == 0 and total > tp and experts.count % total == 0:
                found.append(Layout(tp=tp, dp=total // tp, ep=total))
    allowed: list[Layout] = []
    for layout in dict.fromkeys(found):
        try:
            check(model, layout)
        except InputError:
            continue
        allowed.append(layout)
    return allowed
