"""Energy of a pass by term: reading memory, sending over links, arithmetic, and being awake. Of the chips alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import NamedTuple

from headway.catalog import Catalogue, catalogue
from headway.roofline.calibration import IDEAL
from headway.roofline.load import Load
from headway.roofline.machine import Machine
from headway.roofline.step import Step
from headway.roofline.time import step_time


class Rates(NamedTuple):
    """What moving a byte and being awake take.

    Attributes
    ----------
    static : float
        Of the rated power, by a chip that is awake and does nothing. [share]
    memory, link : float
        [J/byte]
    """

    static: float
    memory: float
    link: float


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy by term. [J]

    Attributes
    ----------
    memory, link, arithmetic, awake : float
        Reading and writing memory; sending; multiplying; the static power over the time. [J]
    """

    memory: float = 0.0
    link: float = 0.0
    arithmetic: float = 0.0
    awake: float = 0.0

    @property
    def total(self) -> float:
        """[J]"""
        return self.memory + self.link + self.arithmetic + self.awake

    def __add__(self, other: Energy) -> Energy:
        return Energy(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Energy)))

    def __mul__(self, times: float) -> Energy:
        return Energy(*(getattr(self, f.name) * times for f in fields(Energy)))

    def __sub__(self, other: Energy) -> Energy:
        return self + other * -1.0

    def within(self, joules: float) -> Energy:
        """Return it with no more than so much in all: what moves and multiplies slows down, being awake does not.

        Parameters
        ----------
        joules : float
            Rated power x time. [J]
        """
        busy = self.total - self.awake
        if self.total <= joules or busy <= 0:
            return self
        less = max(joules - self.awake, 0.0) / busy
        return Energy(self.memory * less, self.link * less, self.arithmetic * less, self.awake)


def energy_rates(end: str = "value") -> Rates:
    """Return the rates of the catalogue's table `energy`.

    Parameters
    ----------
    end : str
        ``value``, or an end of their ranges: ``low``, ``high``.
    """
    return _rates(catalogue(), end)


@functools.lru_cache(maxsize=16)
def _rates(facts: Catalogue, end: str) -> Rates:
    found = {r["name"]: float(r[end]) for r in facts.table("energy").rows}
    return Rates(found["static"], found["memory"] * 8e-12, found["link"] * 8e-12)  # pJ/bit


def pass_energy(step: Step, load: Load, chip: Machine, power: float, seconds: float, rates: Rates) -> Energy:
    """Return the energy that a pass takes on each chip of a replica. [J]

    Parameters
    ----------
    step : Step
    load : Load
    chip : Machine
    power : float
        Rated power of the chip. [W]
    seconds : float
        How long the pass takes. [s]
    rates : Rates

    Notes
    -----
    Bytes and sends at the rates of the table; arithmetic at (rated - static power) x the time that an ideal machine multiplies,
    for a chip draws its rated power when its dense peak is reached, or before. What would exceed the rated power for the
    time of the pass is held there: clocks fall.
    """
    ideal = step_time(step, load, chip, IDEAL)
    work = ideal.work
    awake = rates.static * power * seconds
    arithmetic = (1 - rates.static) * power * float(ideal.compute)
    found = Energy(rates.memory * float(work.bytes), rates.link * float(work.sent), arithmetic, awake)
    return found.within(power * seconds)
