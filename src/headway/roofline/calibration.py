"""Calibration: every departure from the ideal machine, in one frozen record with its provenance.

No other constant in headway may make a prediction slower or faster.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from headway.errors import InputError

_SHARES = ("memory_efficiency", "compute_efficiency", "network_efficiency")


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far from ideal a machine and its engine run.

    Attributes
    ----------
    name : str
        What it describes.
    memory_efficiency : float
        Share of the datasheet's memory bandwidth that a kernel reaches.
    compute_efficiency : float
        Share of the dense peak that a kernel reaches.
    network_efficiency : float
        Share of the link's per-direction bandwidth that a collective reaches.
    network_overlap : float
        Share of the communication hidden behind kernels: 1 hides all it can, 0 none.
    activation_traffic : float
        How often temporaries between kernels go through memory: 0 when they stay on chip (lecture E24), 1 when every
        kernel reads its input from and writes its output to memory.
    expert_imbalance : float
        Load of the busiest chip in the experts over the mean, at least 1.
    kernel_seconds : float
        Added per kernel: launch and tail. [s]
    step_seconds : float
        Added per forward pass: scheduling, sampling, input preparation. [s]
    message_seconds : float
        Latency of one message of a collective. [s]
    provenance : str
        What it was fitted on or taken from, field by field.
    rows : int
        How many measurements it was fitted on; 0 for none.
    residual : float or None
        Median relative error on them.
    """

    name: str = "ideal"
    memory_efficiency: float = 1.0
    compute_efficiency: float = 1.0
    network_efficiency: float = 1.0
    network_overlap: float = 1.0
    activation_traffic: float = 0.0
    expert_imbalance: float = 1.0
    kernel_seconds: float = 0.0
    step_seconds: float = 0.0
    message_seconds: float = 0.0
    provenance: str = "no fit: every efficiency 1, every overhead 0 (the lecture's lower bound)"
    rows: int = 0
    residual: float | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, float):
                continue
            if field.name in _SHARES and not 0 < value <= 1:
                raise InputError(f"calibration {self.name!r}: {field.name} is {value}; it must be in (0, 1]")
            if field.name == "network_overlap" and value > 1:
                raise InputError(f"calibration {self.name!r}: network_overlap is {value}; it must be in 0..1")
            if field.name == "expert_imbalance" and value < 1:
                raise InputError(f"calibration {self.name!r}: expert_imbalance is {value}; it must be at least 1")
            if value < 0:
                raise InputError(f"calibration {self.name!r}: {field.name} is {value}; it must not be negative")

    @classmethod
    def ideal(cls) -> Calibration:
        """Return the ideal machine: the result is a lower bound on time, the lecture's."""
        return cls()


def calibration(name: str) -> Calibration:
    """Return the catalogue's calibration called `name`: ``ideal``, or ``typical`` (each field cites its source)."""
    from headway.catalog import catalogue

    table = catalogue().table("calibrations")
    names = list(dict.fromkeys(r["name"] for r in table.rows))
    if name == "ideal":
        return Calibration.ideal()
    rows = [r for r in table.rows if r["name"] == name]
    if not rows:
        from headway.errors import unknown

        raise unknown("calibration", name, ["ideal", *names], f"Accepted: ideal, {', '.join(names)}.")
    values = {r["field"]: float(r["value"]) for r in rows}
    provenance = "; ".join(f"{r['field']} {r['value']}: {r['source']} ({r['date']})" for r in rows)
    return Calibration(name=name, provenance=provenance, rows=0, residual=None, **values)
