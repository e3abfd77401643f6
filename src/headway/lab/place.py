"""Where a network runs: alone, or as one of several chips that share it; every collective of the lab is here.

A layout cuts one way at a time: tensor (tp), context (cp), data (dp) or pipeline (pp) parallelism. The chips of a stage form
`ep` groups of `slices`: experts spread over groups, and the chips of a group slice each expert.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax
from jax.ad_checkpoint import checkpoint_name

from headway.errors import InputError
from headway.parallel import Layout

Array = Any
AXES = ("ep", "sl")
KEPT = "kept"
CHIPS = (1, 2, 4, 8)  # what divides the lab's heads, experts, prompts and batches
Way = Literal["alone", "tp", "cp", "dp", "pp"]


@dataclass(frozen=True, slots=True)
class Place:
    """One way of cutting a network over chips.

    Attributes
    ----------
    way : str
        ``alone``, ``tp``, ``cp``, ``dp`` or ``pp``.
    ep, slices : int
        Groups over which experts are spread; chips that slice each expert. Of a pipeline: 1 and its stages. [groups, chips]
    forgets : str
        A collective that a mutation leaves out, to see that the audit notices; "" for none.
    keeps : bool
        What training keeps for its backward pass is named (`kept`).
    """

    way: Way = "alone"
    ep: int = 1
    slices: int = 1
    forgets: str = ""
    keeps: bool = False

    def kept(self, x: Array) -> Array:
        """Name what training keeps for its backward pass; what has no name is computed again from what has.

        Parameters
        ----------
        x : array
            [1]
        """
        return checkpoint_name(x, KEPT) if self.keeps else x

    @property
    def chips(self) -> int:
        """Chips in all."""
        return self.ep * self.slices

    @property
    def tp(self) -> int:
        """Chips that slice attention and dense matrices."""
        return self.chips if self.way == "tp" else 1

    @property
    def cp(self) -> int:
        """Chips that share each sequence."""
        return self.chips if self.way == "cp" else 1

    @property
    def dp(self) -> int:
        """Chips with sequences of their own."""
        return self.chips if self.way == "dp" else 1

    def index(self) -> Array:
        """Number of this chip."""
        return lax.axis_index(AXES) if self.way != "alone" else jnp.int32(0)

    def add(self, x: Array, name: str = "all-reduce") -> Array:
        """Add up the partial results of chips that slice a matrix.

        Parameters
        ----------
        x : array
            Of this chip. [1]
        name : str
            Of the step's send.
        """
        return self._sum(x, AXES, name) if self.way == "tp" else x

    def add_shares(self, x: Array, name: str = "context sum") -> Array:
        """Add up what chips that share a sequence contribute.

        Parameters
        ----------
        x : array
            Of this chip. [1]
        name : str
            Of the step's send.
        """
        return self._sum(x, AXES, name) if self.way == "cp" else x

    def add_slices(self, x: Array) -> Array:
        """Add up the partial results of chips that slice each expert.

        Parameters
        ----------
        x : array
            Of this chip. [1]
        """
        return self._sum(x, "sl", "expert all-reduce") if self.slices > 1 else x

    def _sum(self, x: Array, axes: Any, name: str) -> Array:
        with send(name):
            return x if self.forgets == name else lax.psum(x, axes)

    def most(self, x: Array, name: str) -> Array:
        """The largest over the chips that share a sequence.

        Parameters
        ----------
        x : array
            Of this chip. [1]
        name : str
            Of the step's send.
        """
        with send(name):
            return lax.pmax(x, AXES) if self.way == "cp" else x

    def gather(self, x: Array, axis: int, name: str) -> Array:
        """Put together what chips of a sequence, or of a sliced matrix, have.

        Parameters
        ----------
        x : array
            Of this chip. [1]
        axis : int
            Along which they lie one after another. [1]
        name : str
            Of the step's send.
        """
        if self.way not in ("tp", "cp"):
            return x
        with send(name):
            if self.forgets == name:
                return jnp.concatenate([x] * self.chips, axis=axis)
            return lax.all_gather(x, AXES, axis=axis, tiled=True)

    def dispatched(self, x: Array) -> Array:
        """Send row i to chip i of all; row i of the result came from there. [chips, ...]

        Parameters
        ----------
        x : array
            [chips, ...] [1]
        """
        with send("dispatch"):
            return x if self.forgets == "dispatch" else lax.all_to_all(x, AXES, 0, 0)

    def combined(self, x: Array) -> Array:
        """Send row i to the chip of the same number in group i. [groups, ...]

        Parameters
        ----------
        x : array
            [groups, ...] [1]
        """
        with send("combine"):
            return x if self.forgets == "combine" else lax.all_to_all(x, "ep", 0, 0)

    def hand_on(self, x: Array, name: str) -> Array:
        """Receive what the chip before has; the first receives zeros.

        Parameters
        ----------
        x : array
            Of this chip. [1]
        name : str
            Of the step's send.
        """
        with send(name):
            return lax.ppermute(x, AXES, [(i, i + 1) for i in range(self.chips - 1)])

    def hand_over(self, x: Array, stage: int) -> Array:
        """Receive what a stage of a pipeline has, on the next one; others receive zeros.

        Parameters
        ----------
        x : array
            Of this chip. [1]
        stage : int
            Who sends. [1]
        """
        with send("stage hand-over"):
            return lax.ppermute(x, AXES, [(stage, stage + 1)])


def mapped(f: Callable[[Any], Any], tree: Any) -> Any:
    """Return a tree with f of each leaf."""
    return jax.tree.map(f, tree)


def send(name: str) -> Any:
    """Name the collectives inside after a step's send; the compiled program keeps the name."""
    return jax.named_scope(f"send[{name}]")


ALONE = Place()


def place_of(layout: Layout) -> Place:
    """Return how the lab cuts a layout.

    Parameters
    ----------
    layout : Layout

    Raises
    ------
    InputError
        For what it does not run: other numbers of chips, several ways at a time, second copies, shared experts whole, layers on the host.
    """
    ways = [w for w in ("tp", "cp", "dp", "pp") if getattr(layout, w) > 1]
    if len(ways) > 1 or (layout.pp > 1 and layout.ep > 1):
        raise InputError(f"layout {layout}: the lab cuts one way at a time: tp, cp, dp (each with ep) or pp")
    if layout.redundant or layout.shared_copies or layout.offloads:
        raise InputError(f"layout {layout}: the lab runs no second copies of experts and nothing on the host")
    if layout.chips not in CHIPS:
        raise InputError(
            f"layout {layout}: {layout.chips} chips; the lab divides the host into {', '.join(map(str, CHIPS[1:]))}"
        )
    if not ways:
        return ALONE
    way: Any = ways[0]
    return Place(way, 1, layout.pp) if way == "pp" else Place(way, layout.ep, layout.slices)
