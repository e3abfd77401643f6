"""What a fit is made of: priors of the catalogue, factors by level, and what they came to."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headway.catalog import Catalogue, catalogue
from headway.roofline import NUMBERS

Array = NDArray[np.float64]
LEVELS = ("pooled", "engine", "vendor", "generation", "chip", "release", "engine_release")
TRENDS = ("release", "engine_release")  # their factors are per year
SHARES = frozenset(f.name for f in NUMBERS if f.metadata["unit"] in ("share", "") and f.metadata["high"] == 1.0)


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of a number before any serving evidence.

    Attributes
    ----------
    value : float
        Where the number is expected. [the number's unit]
    widths : mapping
        Level -> standard deviation of the logarithm of that level's factor; 0 fixes it. [1]
    """

    value: float
    widths: Mapping[str, float]


def priors() -> dict[str, Prior]:
    """Return the priors of the catalogue."""
    return _priors(catalogue())


@functools.lru_cache(maxsize=8)
def _priors(facts: Catalogue) -> dict[str, Prior]:
    columns = (*LEVELS, "old_engine")
    return {
        r["name"]: Prior(float(r["value"]), {c: float(r[c] or 0) for c in columns})
        for r in facts.table("fit_priors").rows
    }


def present_engines() -> frozenset[str]:
    """Return the engines of the present, alike in kernels and graphs: they share one pooled value and differ little."""
    return frozenset(r["name"] for r in catalogue().table("engines").rows if r["cohort"] == "present")


def of_the_present() -> frozenset[str]:
    """Return the numbers that stand for kernels of present engines alone: ideal (0) for all others."""
    return frozenset(r["name"] for r in catalogue().table("fit_priors").rows if r["cohort"] == "present")


@dataclass(frozen=True)
class Factor:
    """One unknown: a level, who it belongs to, and which number it multiplies."""

    level: str
    who: str
    name: str
    width: float


@dataclass(frozen=True)
class Fitted:
    """Result of a fit.

    Attributes
    ----------
    factors : tuple of Factor
    values : array
        Logarithm of each factor. [1]
    spread : array
        Posterior standard deviation of each. [1]
    base : mapping
        Values that the pooled factors multiply. [each number's unit]
    """

    factors: tuple[Factor, ...]
    values: Array
    spread: Array
    base: Mapping[str, float]

    @property
    def _index(self) -> dict[tuple[str, str, str], float]:
        return {(f.level, f.who, f.name): float(v) for f, v in zip(self.factors, self.values, strict=True)}

    def numbers(self, engine: str) -> dict[str, float]:
        """Return the numbers of an engine on a machine about which nothing is known."""
        index, present = self._index, engine in present_engines()
        found = {
            n: (b if present or n not in of_the_present() else 0.0)
            * float(np.exp(index.get(("pooled", "", n), 0.0) + index.get(("engine", engine, n), 0.0)))
            for n, b in self.base.items()
        }
        return {n: min(v, 1.0) if n in SHARES else v for n, v in found.items()}

    def machines(self) -> dict[str, dict[str, float]]:
        """Return multipliers by vendor, generation and chip."""
        found: dict[str, dict[str, float]] = {}
        for f, v in zip(self.factors, self.values, strict=True):
            if f.level in ("vendor", "generation", "chip") and abs(v) > 5e-4:
                found.setdefault(f.who, {})[f.name] = found.get(f.who, {}).get(f.name, 1.0) * float(np.exp(v))
        return found

    def releases(self, engine: str) -> dict[str, float]:
        """Return the change per year of each number's logarithm over the releases of an engine."""
        index = self._index
        names = dict.fromkeys(f.name for f in self.factors if f.level in TRENDS)
        return {n: index.get(("release", "", n), 0.0) + index.get(("engine_release", engine, n), 0.0) for n in names}

    def undetermined(self, level: str) -> list[str]:
        """Name the numbers of a level that the data left where their priors put them."""
        at_prior = {
            f.name
            for f, s in zip(self.factors, self.spread, strict=True)
            if f.level == level and f.width and s > 0.9 * f.width
        }
        moved = {
            f.name
            for f, s in zip(self.factors, self.spread, strict=True)
            if f.level == level and f.width and s <= 0.9 * f.width
        }
        return sorted(at_prior - moved)
