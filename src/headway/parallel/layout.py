"""Layout: how one copy of a model is cut over chips, written as people write it (``tp8``, ``dp64ep64``)."""

from __future__ import annotations

from dataclasses import dataclass

from headway.errors import InputError
from headway.models import Architecture
from headway.parallel.racks import largest_divisor


@dataclass(frozen=True, slots=True)
class Layout:
    """Tensor, attention-data and expert parallelism of one replica; chips = tp x dp.

    Attributes
    ----------
    tp : int
        Chips that slice each attention and dense matrix (and the KV heads).
    dp : int
        Attention-data-parallel groups: each holds its own sequences and its own copy of attention and dense weights.
    ep : int
        Groups of chips over which the experts are spread; it divides tp x dp, and the chips of a group slice each
        expert.
    """

    tp: int = 1
    dp: int = 1
    ep: int = 1

    def __post_init__(self) -> None:
        for name in ("tp", "dp", "ep"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name}: {getattr(self, name)} must be at least 1")
        if self.chips % self.ep:
            raise InputError(f"layout {self}: ep{self.ep} must divide the {self.chips} chips of tp x dp")

    @property
    def chips(self) -> int:
        """Chips used by one replica (design rule 6: the product closes)."""
        return self.tp * self.dp

    @property
    def slices(self) -> int:
        """Chips that share each expert."""
        return self.chips // self.ep

    def __str__(self) -> str:
        parts = [f"{k}{v}" for k, v in (("tp", self.tp), ("dp", self.dp), ("ep", self.ep)) if v > 1]
        return "".join(parts) or "tp1"


def check(model: Architecture, layout: Layout) -> None:
    """Refuse a layout that does not divide the model.

    Raises
    ------
    InputError
        When the experts do not divide over ep, or the attention heads over tp.
    """
    experts = model.experts
    if layout.ep > 1 and experts is None:
        raise InputError(f"--ep {layout.ep}: {model.name} is dense, it has no experts to spread; use --tp")
    if experts and experts.count % layout.ep:
        fit = largest_divisor(experts.count, layout.ep)
        raise InputError(f"--ep {layout.ep}: {experts.count} experts do not divide evenly; the nearest is ep{fit}")
    heads = max((m.ways for x in model.layers for m in x.linears if m.role == "attention"), default=0)
    if heads and heads % layout.tp:
        fit = largest_divisor(heads, layout.tp)
        raise InputError(f"--tp {layout.tp}: {heads} attention heads do not divide evenly; the nearest is tp{fit}")


def candidates(model: Architecture, chips: int) -> list[Layout]:
    """Return sensible layouts of one replica on up to `chips` chips of one scale-up domain.

    Dense models: tensor parallelism in powers of two (and all chips). MoE: tensor parallelism, or experts spread over
    all chips with attention in tp x dp. Chips beyond the largest divisor of the experts stay idle (lecture 3.2).
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
