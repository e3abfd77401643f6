"""What the lab finds: audits line by line, and systems of the lecture with their checks, tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from headway.models import Architecture
from headway.parallel import Layout
from headway.parallel.schedules import Play
from headway.shown import Shown


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison.

    Attributes
    ----------
    phase, kind, name : str
        ``prefill``, ``chunk``, ``decode`` or ""; what is compared (``FLOPs``, ``collectives``, ``sent``, ``parameters``, ``cache``,
        ``entries``, ``products``, ``other FLOPs``, ``bytes``, ``temporaries``, ``outputs``); of which row or send.
    unit : str
        ``FLOP``, ``B`` or "".
    step, program : float
        What the formulas say, and what was counted. [the unit]
    known : tuple of (str, float)
        Differences that are explained, by name in the catalogue's `lab_differences`. [the unit]
    least, most : float
        The program less what is known may be so many times the step's. [times]
    """

    phase: str
    kind: str
    name: str
    unit: str
    step: float
    program: float
    known: tuple[tuple[str, float], ...] = ()
    least: float = 1.0
    most: float = 1.0

    @property
    def left(self) -> float:
        """The program's count less what is known."""
        return self.program - sum(amount for _, amount in self.known)

    @property
    def agrees(self) -> bool:
        """Whether nothing unexplained is left, up to rounding."""
        slack = 1e-6 * max(abs(self.step), abs(self.program), 1.0)
        return self.least * self.step - slack <= self.left <= self.most * self.step + slack


@dataclass(frozen=True, slots=True)
class Audit(Shown):
    """A model under a layout, audited.

    Attributes
    ----------
    model : Architecture
        At tiny widths.
    layout : Layout
    batch, prompt : int
        Sequences, and tokens of each prompt. [sequences, tokens]
    lines : tuple of Line
    mutation : str
        What was left out on purpose; "" for nothing.
    """

    RECORD: ClassVar[str] = "headway.records.lab:audit_record"
    TEXT: ClassVar[str] = "headway.report.lab:audit_text"

    model: Architecture
    layout: Layout
    batch: int
    prompt: int
    lines: tuple[Line, ...]
    mutation: str = ""

    @property
    def agrees(self) -> bool:
        """Whether every line does."""
        return all(x.agrees for x in self.lines)

    def brief(self) -> str:
        """Return what it says, in one line."""
        said = "agrees" if self.agrees else f"{len(self.disagreements)} of {len(self.lines)} lines disagree"
        return f"{self.model.name} as {self.layout}: {said}"

    @property
    def disagreements(self) -> tuple[Line, ...]:
        """The lines that do not."""
        return tuple(x for x in self.lines if not x.agrees)

    @property
    def known(self) -> tuple[str, ...]:
        """Names of the explained differences that were met."""
        return tuple(dict.fromkeys(name for x in self.lines for name, amount in x.known if amount))


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a system must do.

    Attributes
    ----------
    what, wanted, found : str
        In words, with the number.
    passes : bool
    """

    what: str
    wanted: str
    found: str
    passes: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """Lines over one axis, or a map.

    Attributes
    ----------
    x, y : str
        Titles of the axes, with units.
    points : tuple of (str, float, float)
        Line, and where its points lie; of a map row, column and amount. [as the titles say]
    kind : str
        ``powers`` (both axes logarithmic), ``plain`` (neither) or ``map``.
    """

    x: str
    y: str
    points: tuple[tuple[str, float, float], ...]
    kind: Literal["powers", "plain", "map"] = "powers"


@dataclass(frozen=True, slots=True)
class Demonstration(Shown):
    """A system of the lecture that ran.

    Attributes
    ----------
    name, system, title : str
        As the verb is asked for it; its id in the lecture's list of systems; what it is.
    model : str
        Which network ran.
    checks : tuple of Check
    rows : tuple of dict
        A table, all rows with the same columns; a column's name ends in its unit.
    picture : Picture
    notes : tuple of str
        What to do with it, a line each.
    plays : tuple of Play
        Schedules as they ran, drawn instead of the picture. [mean times of a stage, or of a forward]
    """

    RECORD: ClassVar[str] = "headway.records.lab:demonstration_record"
    TEXT: ClassVar[str] = "headway.report.lab:demonstration_text"

    name: str
    system: str
    title: str
    model: str
    checks: tuple[Check, ...]
    rows: tuple[dict[str, Any], ...]
    picture: Picture
    notes: tuple[str, ...] = ()
    plays: tuple[Play, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether every check does."""
        return all(c.passes for c in self.checks)

    def brief(self) -> str:
        """Return what it says, in one line."""
        return f"{self.system} on {self.model}: {sum(c.passes for c in self.checks)} of {len(self.checks)} checks pass"
