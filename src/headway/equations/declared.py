"""How an equation is declared: parameters with units, defaults and their source; results; what computes it and who says it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from headway import units
from headway.errors import InputError, quoted, unknown
from headway.units import Quantity, parse

Said = Literal["T", "D", "X"]
SAID = {"T": "said in the lecture", "D": "derived from it", "X": "beyond it"}
Value = Any  # a number in the parameter's unit, or a word
Row = dict[str, Any]


def _bare(kind: Quantity, zero: bool = False, more: dict[str, float] | None = None) -> Quantity:
    """A quantity that may also be a plain number in its SI unit (`k`, `M`, `G` and so on allowed)."""
    plain = {p: f for p, f in units.COUNT.suffixes.items() if p not in ("B", "b", "m")}
    return dataclasses.replace(kind, suffixes={**plain, **kind.suffixes, **(more or {})}, zero_allowed=zero)


NUMBER = Quantity("number", {"": 1.0, "x": 1.0, "%": 0.01, "k": 1e3, "M": 1e6}, "3, 0.5, 30%", zero_allowed=True)
RATIO = dataclasses.replace(NUMBER, zero_allowed=False)
COUNT = units.COUNT
WHOLE = dataclasses.replace(COUNT, most=1e6)  # of what is gone through one by one
TOKENS = dataclasses.replace(units.TOKENS, suffixes={**units.TOKENS.suffixes, "B": 1e9})
BYTES = _bare(units.BYTES)
ZERO_BYTES = _bare(units.BYTES, zero=True)
SECONDS = Quantity("duration", {**units.SECONDS.suffixes, "": 1.0}, units.SECONDS.example)
PER_SECOND = units.PER_SECOND
FLOPS = _bare(units.FLOPS)
BANDWIDTH = _bare(units.BYTES_PER_SECOND)
DAYS = Quantity("number of days", {"": 1.0, "d": 1.0, "h": 1 / 24, "w": 7.0, "y": 365.0}, "60, 60d, 8w")
PER_HOUR = Quantity(
    "price per hour", {"": 1.0, "/h": 1.0, "/hr": 1.0, "/hour": 1.0, "/d": 1 / 24, "/s": 3600.0}, "2, $2.5/h"
)
PER_MTOK = Quantity("price per million tokens", {"": 1.0, "/M": 1.0, "/Mtok": 1.0}, "5, $6.25/Mtok", zero_allowed=True)
WORD = Quantity("word", {}, "")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input of an equation.

    Attributes
    ----------
    name, symbol : str
        Both can be given; the symbol is the lecture's.
    kind : Quantity
        How it is written.
    unit : str
        Of the number that the function gets.
    about : str
    default : float, str or None
        None: left out unless given. [`unit`]
    source : str
        Where the default comes from: a section of the lecture, or another fact.
    choices : tuple of str
        The words that it may be; none for a number.
    whole : bool
        Only whole numbers.
    """

    name: str
    symbol: str
    kind: Quantity
    unit: str
    about: str
    default: float | str | None
    source: str = ""
    choices: tuple[str, ...] = ()
    whole: bool = False

    def read(self, text: str | float) -> float | str:
        """Return what was given, in this parameter's unit.

        Parameters
        ----------
        text : str or float
            As people write it; a number is taken as it is. [`unit`]

        Raises
        ------
        InputError
            When it is no such quantity.
        """
        if self.choices:
            wanted = str(text).strip()
            found = next((c for c in self.choices if c.lower() == wanted.lower()), None)
            if found is None:
                raise unknown(self.name, wanted, self.choices, f"It may be {', '.join(self.choices)}.")
            return found
        value = parse(text.strip() if isinstance(text, str) else text, self.kind, self.name)
        if self.whole and value != int(value):
            raise InputError(f"{self.name}: {quoted(text)} must be a whole number, like {self.kind.example}")
        return value

    def given(self, default: float | str | None, source: str = "") -> Parameter:
        """Return the same parameter with another default.

        Parameters
        ----------
        default : float, str or None
            [`unit`]
        source : str
        """
        return dataclasses.replace(self, default=default, source=source or self.source)


@dataclass(frozen=True, slots=True)
class Result:
    """One number of an answer: its name, its unit and what it means."""

    name: str
    unit: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Equation:
    """A closed form that can be asked.

    Attributes
    ----------
    id : str
        E1 to E26 are equations of the lecture's specification, SYS-A1 and so on its systems.
    aliases : tuple of str
        Other ids that mean this one.
    section, title : str
    formula : str
        In one line, in the symbols of its parameters.
    parameters : tuple of Parameter
    results : tuple of Result
    compute : callable
        Calls the library with the parameters by name; returns the results in order.
    functions : tuple of str
        The library's functions that it calls.
    said : str
        T: said in the lecture; D: derived from what it says; X: beyond it.
    better : str
        A command that answers the same with more around it.
    note : str
    table : callable or None
        Rows that belong to the answer: chips, tiers, shapes.
    idle : callable or None
        From the values, the parameters that are not looked at with them: of a total, when a sparsity decides it.
    """

    id: str
    aliases: tuple[str, ...]
    section: str
    title: str
    formula: str
    parameters: tuple[Parameter, ...]
    results: tuple[Result, ...]
    compute: Callable[..., tuple[Value, ...]]
    functions: tuple[str, ...]
    said: Said
    better: str = ""
    note: str = ""
    table: Callable[..., list[Row]] | None = None
    idle: Callable[[dict[str, Value]], set[str]] | None = None

    def parameter(self, name: str) -> Parameter:
        """Return the parameter of that name or symbol.

        Raises
        ------
        InputError
            When there is none; the message names the nearest.
        """
        for p in self.parameters:
            if name in (p.name, p.symbol) or name.replace("-", "_").lower() == p.name:
                return p
        names = [p.name for p in self.parameters]
        raise unknown(f"parameter of {self.id}", name, names, f"It takes {', '.join(names)}.")
