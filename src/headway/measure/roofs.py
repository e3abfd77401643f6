"""The roofline of what is measured: floor and estimate of a pass at any batch and context, by the same `step_time` as every verb's."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from headway.parallel import Layout, check
from headway.questions import Request
from headway.roofline import Load, Spread
from headway.serving import Setting, setting


@dataclass(frozen=True)
class Roof:
    """A model on a machine, to set measured times beside.

    Attributes
    ----------
    setting : Setting
    layout : Layout
        Of one replica.
    copies : int
        Replicas that share the sequences. [replicas]
    """

    setting: Setting
    layout: Layout
    copies: int

    def reading(self, bandwidth: float) -> Roof:
        """Return the roofline of a machine whose memory gives another bandwidth.

        Parameters
        ----------
        bandwidth : float
            Of a chip's memory. [bytes/s]
        """
        system = self.setting.system
        read = replace(system, chip=replace(system.chip, bandwidth=bandwidth))
        return replace(self, setting=replace(self.setting, system=read))

    def _load(self, batch: float, context: float) -> Load:
        each = max(batch / self.copies, 1.0)
        return Load.decode(each, context, new=self.setting.new_tokens, skew=self.setting.skew)

    def floor(self, batch: float, context: float) -> float:
        """Return the time that no machine like this beats, of a decode pass. [s]

        Parameters
        ----------
        batch, context : float
            On all replicas; in each cache. [sequences, tokens]
        """
        return float(self.setting.passes_of(self.layout, True).seconds(self._load(batch, context)))

    def estimate(self, batch: float, context: float) -> float:
        """Return headway's estimate of a decode pass under its engine's calibration. [s]

        Parameters
        ----------
        batch, context : float
            On all replicas; in each cache. [sequences, tokens]
        """
        return float(self.setting.passes_of(self.layout).seconds(self._load(batch, context)))

    def prompt(self, tokens: float, ideal: bool) -> float:
        """Return the time of a prompt alone, piece by piece as the engine takes it. [s]

        Parameters
        ----------
        tokens : float
            [tokens]
        ideal : bool
            Of the ideal machine, whole.
        """
        passes = self.setting.passes_of(self.layout, ideal)
        piece = tokens if ideal else min(self.setting.chunk, tokens)
        done, spent = 0.0, 0.0
        while done < tokens:
            new = min(piece, tokens - done)
            spent += float(passes.seconds(Load.prefill(1.0, new, cached=done, skew=self.setting.skew)))
            done += new
        return spent

    def terms(self, batch: float, context: float) -> tuple[float, float]:
        """Return what memory and what arithmetic alone take of a decode pass on the ideal machine. [s]

        Parameters
        ----------
        batch, context : float
            On all replicas; in each cache. [sequences, tokens]
        """
        parts = self.setting.passes_of(self.layout, True).parts(self._load(batch, context))
        return float(parts.memory), float(parts.compute)

    def read_bytes(self, batch: float, context: float) -> float:
        """Return what a decode pass reads from memory on a chip: weights and caches. [bytes]

        Parameters
        ----------
        batch, context : float
            On all replicas; in each cache. [sequences, tokens]
        """
        return self.terms(batch, context)[0] * self.bandwidth

    @property
    def at_hand(self) -> bool:
        """Whether its chip is the processor of the machine that headway runs on."""
        return self.setting.system.chip.name == "cpu"

    @property
    def bandwidth(self) -> float:
        """Of a chip's memory. [bytes/s]"""
        return float(self.setting.system.chip.bandwidth)

    def spread(self, batch: float) -> Spread | None:
        """Return the 80 % interval of such estimates; None for the ideal machine.

        Parameters
        ----------
        batch : float
            [sequences]
        """
        s = self.setting
        return s.spread("tpot", s.outside(batch, float(self.layout.chips), "static_batch"), "static_batch")

    @property
    def cap(self) -> float:
        """Sequences that memory holds by headway's account, on all replicas. [sequences]"""
        holds = float(self.setting.account(self.layout).holds)
        return holds * self.copies if math.isfinite(holds) else math.inf


def roof_of(request: Request) -> Roof:
    """Return the roofline of a question; a layout left open means all chips in one replica, by tensor parallelism.

    Parameters
    ----------
    request : Request

    Raises
    ------
    InputError
        Unknown names; a layout that does not divide the model.
    """
    s = setting(request)
    layout = s.only or Layout(tp=s.system.chips)
    check(s.model, layout)
    return Roof(s, layout, max(s.system.chips // layout.chips, 1))
