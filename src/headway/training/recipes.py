"""How a model is trained: layout, batch, what is computed again, who keeps which states, in which formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headway.catalog import catalogue
from headway.errors import InputError, unknown
from headway.models import Architecture
from headway.parallel import Layout, check
from headway.parallel.schedules import SCHEDULES
from headway.training.passes import RECOMPUTES, Recompute

Rate = Literal["bf16", "fp8", "fp4"]
RATES: tuple[Rate, ...] = ("bf16", "fp8", "fp4")


@dataclass(frozen=True, slots=True)
class States:
    """What training keeps of a parameter, and moves in its update (catalogue `optimizers`).

    Attributes
    ----------
    name : str
    weight, gradient, optimizer : float
        Kept of each parameter: the weight that is multiplied, its gradient, master copy and moments. [bytes]
    moved : float
        Read and written of each in an update. [bytes]
    wire : float
        Of a gradient when replicas exchange it. [bytes]
    """

    name: str
    weight: float
    gradient: float
    optimizer: float
    moved: float
    wire: float


def states(name: str) -> States:
    """Return an optimizer's states by name.

    Raises
    ------
    InputError
        Unknown name.
    """
    row, _ = catalogue().row("optimizers", name, "optimizer")
    return States(row["name"], *(float(row[k]) for k in ("weight", "gradient", "optimizer", "moved", "wire")))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained on so many chips.

    Attributes
    ----------
    layout : Layout
        Of one replica.
    replicas : int
        Copies of it, each with its own sequences. [replicas]
    sequence : int
        Tokens of each. [tokens]
    batch : int
        Sequences of a step, of all replicas. [sequences]
    micro_batch : int
        Sequences of a data-parallel group in one pass. [sequences]
    recompute : str
        ``none``, ``selective`` (attention) or ``full``: activations that the backward pass computes again.
    zero : int
        Stage of ZeRO: replicas share optimizer states (1), gradients (2), weights (3, FSDP). [1]
    schedule : str
        Of a pipeline: ``gpipe``, ``1f1b``, ``interleaved``, ``zero-bubble``.
    parts : int
        Parts of the model on each stage, when interleaved. [1]
    rate : str
        In which matrix products multiply: ``bf16``, ``fp8``, ``fp4``; attention, router and head stay in 16 bits.
    overlap : float
        Share of the collectives in a pass that hides behind its kernels, as DualPipe's all-to-alls do. [share]
    sequence_parallel : bool
        What tensor parallelism does not slice (norms, residual) is cut along the sequence (Korthikanti et al. 2022).

    Raises
    ------
    InputError
        For numbers below 1, an unknown choice, a batch that replicas and micro-batches do not divide.
    """

    layout: Layout
    replicas: int = 1
    sequence: int = 8192
    batch: int = 1
    micro_batch: int = 1
    recompute: Recompute = "none"
    zero: int = 1
    schedule: str = "1f1b"
    parts: int = 1
    rate: Rate = "bf16"
    overlap: float = 0.0
    sequence_parallel: bool = True

    def __post_init__(self) -> None:
        for name in ("replicas", "sequence", "batch", "micro_batch", "parts"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')}: {getattr(self, name)} must be at least 1")
        if self.recompute not in RECOMPUTES:
            raise unknown("recompute", self.recompute, RECOMPUTES, f"Accepted: {', '.join(RECOMPUTES)}.")
        if self.rate not in RATES:
            raise unknown("precision", self.rate, RATES, f"Accepted: {', '.join(RATES)}.")
        if self.schedule not in SCHEDULES:
            raise unknown("schedule", self.schedule, SCHEDULES, f"Accepted: {', '.join(SCHEDULES)}.")
        if self.zero not in (0, 1, 2, 3):
            raise InputError(f"--zero: {self.zero} is no stage of ZeRO; accepted: 0, 1, 2, 3")
        if not 0 <= self.overlap <= 1:
            raise InputError(f"--overlap: {self.overlap:g}; a share is needed, from 0 to 1")
        if self.parts > 1 and self.schedule != "interleaved":
            raise InputError("--parts: only with --schedule interleaved, whose stages have several parts of the model")
        at_once = self.ranks * self.micro_batch
        if self.batch % at_once:
            raise InputError(
                f"--global-batch: {self.batch:,} sequences do not divide over {self.ranks:,} data-parallel ranks with micro-batches of "
                f"{self.micro_batch}; the nearest is {max(round(self.batch / at_once), 1) * at_once:,}"
            )
        if self.schedule == "interleaved" and self.micro_batches % self.layout.pp:
            raise InputError(
                f"interleaved: {self.layout.pp} stages must divide the {self.micro_batches} micro-batches of a replica"
            )

    @property
    def chips(self) -> int:
        """Chips of all replicas. [chips]"""
        return self.replicas * self.layout.chips

    @property
    def ranks(self) -> int:
        """Data-parallel ranks: groups with sequences of their own. [groups]"""
        return self.replicas * self.layout.dp

    @property
    def micro_batches(self) -> int:
        """Passes of a step through each replica. [1]"""
        return self.batch // (self.ranks * self.micro_batch)

    @property
    def tokens(self) -> int:
        """Tokens of a step. [tokens]"""
        return self.batch * self.sequence

    def check(self, model: Architecture) -> None:
        """Raise where a model cannot be trained so.

        Parameters
        ----------
        model : Architecture

        Raises
        ------
        InputError
            When the layout does not divide the model, or sequences are longer than its context.
        """
        check(model, self.layout)
        if self.sequence > model.max_context:
            raise InputError(
                f"--sequence: {self.sequence:,} tokens; {model.name} has a context of {model.max_context:,}"
            )
        stages = self.layout.pp * self.parts
        if stages > model.layer_count:
            raise InputError(
                f"{self.layout}, {self.parts} parts a stage: {stages} pieces of {model.layer_count} layers; at most a layer each"
            )
