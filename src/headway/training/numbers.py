"""How far from ideal training runs: a few numbers on top of what kernels reach on a chip, and on what they were fitted."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields, replace
from typing import Any

from headway.catalog import Catalogue, catalogue
from headway.errors import InputError
from headway.hardware import Chip
from headway.roofline import IDEAL, Calibration, profile
from headway.training.passes import Attention

_KERNELS = "modern"  # the profile whose efficiencies of kernels, chip by chip, training starts from


@dataclass(frozen=True, slots=True)
class Numbers:
    """A training engine's departures from the ideal machine.

    Attributes
    ----------
    name : str
    compute : float
        Efficiency of matrix products, over what kernels reach on that chip of its generation (`headway.roofline.profile`). [times]
    attention : float
        Of the dense 16-bit peak, in attention. [share]
    activation_traffic : float
        That temporaries between kernels go through memory. [times]
    score_bytes : float
        Moved for each score of a forward pass; 0 of fused attention. [bytes]
    launch_seconds : float
        Of the host, for each kernel: hidden while kernels run, so small passes wait for it. [s]
    launch_knee : float
        Softness of the corner between launches and kernels: 0 is the longer of the two, 1 both. [1]
    step_seconds : float
        Per step, whatever it does: data, logging, the optimizer's launches. [s]
    network : float
        Efficiency of collectives, over what they reach in kernels' evidence. [times]
    outside : float
        Of the scale-out network's bandwidth, in exchanges between replicas. [share]
    hidden : float
        Share of exchanges and gathers that hides behind passes. [share]
    low, high : float
        80 % interval of a step's time out of fold, over the prediction, less 1. [share]
    rows : int
        That it was fitted on; 0 of the ideal one. [rows]
    about, source : str
    """

    name: str = "ideal"
    compute: float = 1.0
    attention: float = 1.0
    activation_traffic: float = 0.0
    score_bytes: float = 0.0
    launch_seconds: float = 0.0
    launch_knee: float = 0.0
    step_seconds: float = 0.0
    network: float = 1.0
    outside: float = 1.0
    hidden: float = 1.0
    low: float = 0.0
    high: float = 0.0
    rows: int = 0
    about: str = "every efficiency 1, every overhead 0: a lower bound on time"
    source: str = ""

    @property
    def ideal(self) -> bool:
        """Whether it departs from nothing."""
        return self.rows == 0 and self.name == "ideal"

    @property
    def scores(self) -> Attention:
        """How attention is computed."""
        return Attention(self.score_bytes)

    def on(self, chip: Chip) -> Calibration:
        """Return the calibration of a chip's passes: kernels' efficiencies there, times training's.

        Parameters
        ----------
        chip : Chip
        """
        return _on(self, chip)


@functools.lru_cache(maxsize=256)
def _on(n: Numbers, chip: Chip) -> Calibration:
    if n.ideal:
        return IDEAL
    # of its generation: what serving engines of a chip's day left undone is not the chip's
    c = profile(_KERNELS).on(replace(chip, name=""))
    shares = {
        name: min(float(getattr(c, name)) * n.compute, 1.0)
        for name in ("compute_efficiency", "fp8_efficiency", "fp4_efficiency", "int8_efficiency")
    }
    return replace(
        c, name=n.name, **shares, attention_compute_efficiency=n.attention, activation_traffic=n.activation_traffic,
        network_efficiency=min(float(c.network_efficiency) * n.network, 1.0), network_overlap=0.0, kernel_seconds=0.0,
        expert_compute_efficiency=1.0,  # experts meet hundreds of tokens at a time, which serving's kernels do not; no row says otherwise

        attention_seconds=0.0, step_seconds=0.0, sequence_seconds=0.0, provenance=n.source,
    )  # fmt: skip


IDEAL_NUMBERS = Numbers()
FITTED = (
    "compute", "attention", "activation_traffic", "score_bytes", "launch_seconds", "launch_knee", "step_seconds", "network", "outside",
    "hidden",
)  # fmt: skip


def training_numbers(name: str = "modern") -> Numbers:
    """Return a training engine's numbers: ``ideal``, or one of the catalogue's `training_engines`.

    Raises
    ------
    InputError
        Unknown name, or a row that cannot be read.
    """
    return _numbers(catalogue(), name.strip().lower())


@functools.lru_cache(maxsize=64)
def _numbers(facts: Catalogue, name: str) -> Numbers:
    if name == "ideal":
        return IDEAL_NUMBERS
    row, place = facts.row("training_engines", name, "training engine")
    found: dict[str, Any] = {}
    for f in fields(Numbers):
        text = row.get(f.name, "")
        try:
            found[f.name] = (
                text if f.name in ("name", "about", "source") else int(text) if f.name == "rows" else float(text)
            )
        except ValueError:
            raise InputError(f"{place}: {f.name} {text!r} is no number") from None
    return Numbers(**found)
