"""An equation asked: with the user's numbers, a model's and a machine's, and swept over one of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from headway.equations.declared import TOKENS, Equation, Parameter, Row, Value
from headway.equations.facts import Facts, facts_of
from headway.equations.listed import find
from headway.errors import HeadwayError, InputError, PhysicsError, quoted
from headway.numeric import number
from headway.shown import Shown

_POINTS, _MOST_POINTS = 13, 1000
_SPAN = re.compile(r"(?P<low>.+?)\.\.(?P<high>[^:]+)(?::(?P<points>\d+))?")


@dataclass(frozen=True, repr=False)
class Asked(Shown):
    """An equation with numbers, and what it says.

    Attributes
    ----------
    equation : Equation
    values : dict
        Of every parameter, in its unit; None where it was left out.
    sources : dict
        Where each came from.
    results : dict
        By name, in the units of `Equation.results`.
    table : list of dict
        Rows that belong to the answer.
    swept : str
        The parameter that was swept; "" for none.
    rows : list of dict
        Of the sweep: the parameter, the results, and ``note`` where there is no answer.
    idle : set of str
        Parameters that are not looked at with these values.
    """

    equation: Equation
    values: dict[str, Value]
    sources: dict[str, str]
    results: dict[str, Value]
    table: list[Row] = field(default_factory=list[Row])
    swept: str = ""
    rows: list[Row] = field(default_factory=list[Row])
    idle: set[str] = field(default_factory=set[str])

    RECORD: ClassVar[str] = "headway.records.equations:asked_record"
    TEXT: ClassVar[str] = "headway.report.equations:asked_text"

    def brief(self) -> str:
        """Return id, title and formula."""
        return f"{self.equation.id}, {self.equation.title}: {self.equation.formula}"


def ask(
    equation: str,
    given: Mapping[str, str | float] | None = None,
    *,
    model: str | None = None,
    kv_bytes: str | float | None = None,
    system: str | None = None,
    precision: str | None = None,
    sweep: str | None = None,
) -> Asked:
    """Evaluate an equation of the lecture with one's own numbers.

    Parameters
    ----------
    equation : str
        Its id: ``E5``, ``SYS-A4`` or ``A4``, ``what-if``.
    given : mapping
        Parameters by name or symbol, as people write them or as numbers in their unit.
    model : str or None
        ``37B/700B`` (active/total parameters) or a model's name.
    kv_bytes : str, float or None
        KV cache per token, e.g. ``70k``. [bytes]
    system : str or None
        A machine: rates, memory, chips, price, H.
    precision : str or None
        Format of the weights; default: the model's own, FP8 for one of counts.
    sweep : str or None
        ``name=a..b`` (in equal ratios, 13 points), ``name=a..b:25``, or ``name=a,b,c``.

    Raises
    ------
    InputError
        Unknown id, parameter or name; a number that is none; nothing of the equation is a model's or a machine's.
    PhysicsError
        When there is no answer: a speed-up beyond the floor.
    """
    found = find(equation)
    values, sources = _filled(found, given or {}, facts_of(found, model, kv_bytes, system, precision))
    name, points = _points(found, sweep) if sweep else ("", [])
    if name:
        values[name], sources[name] = points[0], "swept"
    idle = _idle(found, values, sources, name, points)
    rows = [_row(found, values, name, x) for x in points]
    if name and all(r["note"] for r in rows):
        raise PhysicsError(rows[-1]["note"])
    if name:
        return Asked(found, values, sources, {}, [], name, rows, idle)
    table = found.table(**values) if found.table else []
    return Asked(found, values, sources, _evaluated(found, values), table, idle=idle)


def _filled(e: Equation, given: Mapping[str, str | float], facts: Facts) -> tuple[dict[str, Value], dict[str, str]]:
    own: dict[str, Value] = {}
    for name, text in given.items():
        p = e.parameter(name)
        if p.name in own:
            raise InputError(f"{e.id}: {p.name} is given twice")
        own[p.name] = p.read(text)
    values: dict[str, Value] = {}
    sources: dict[str, str] = {}
    for p in e.parameters:
        if p.name in own:
            values[p.name], sources[p.name] = own[p.name], "given"
        elif p.name in facts:
            values[p.name], sources[p.name] = facts[p.name]
        else:
            values[p.name], sources[p.name] = p.default, p.source
    return values, sources


def _idle(e: Equation, values: dict[str, Value], sources: dict[str, str], name: str, points: list[Value]) -> set[str]:
    """What no point looks at; of that nothing may have been given."""
    if e.idle is None:
        return set()
    idle = set.intersection(*(e.idle({**values, name: x}) for x in points)) if points else e.idle(values)
    for p in e.parameters:
        if p.name in idle and sources[p.name] in ("given", "swept"):
            raise InputError(f"{e.id}: {p.name} is not looked at with the other numbers; leave it or them out")
    return idle


def _evaluated(e: Equation, values: Mapping[str, Value]) -> dict[str, Value]:
    try:
        with np.errstate(all="ignore"):
            found = e.compute(**values)
    except (ZeroDivisionError, OverflowError, ValueError):
        raise InputError(f"{e.id}: no answer with these numbers; one of them is 0, or far from anything real") from None
    return {r.name: _plain(v) for r, v in zip(e.results, found, strict=True)}


def _plain(value: Any) -> Value:
    return value if isinstance(value, str) else number(value)


def _row(e: Equation, values: Mapping[str, Value], name: str, x: Value) -> Row:
    try:
        return {name: x, **_evaluated(e, {**values, name: x}), "note": ""}
    except HeadwayError as error:
        return {name: x, **{r.name: None for r in e.results}, "note": str(error)}


def _points(e: Equation, sweep: str) -> tuple[str, list[Value]]:
    """The parameter that is swept, and its values: words, a list, or from end to end in equal ratios."""
    name, sign, text = sweep.partition("=")
    if not sign or not text.strip():
        raise InputError(f"--sweep {quoted(sweep)} must look like name=a..b or name=a,b,c, e.g. context=1k..1M")
    p = e.parameter(name.strip())
    span = _SPAN.fullmatch(text.strip())
    if span is None:
        values = list(dict.fromkeys(p.read(x) for x in text.split(",") if x.strip()))
        if len(values) < 2:
            raise InputError(f"--sweep {quoted(sweep)}: give at least two values, like {p.name}=a..b")
        return p.name, values
    return p.name, _spread(p, span["low"], span["high"], int(span["points"] or _POINTS), sweep)


def _spread(p: Parameter, first: str, last: str, points: int, sweep: str) -> list[Value]:
    if p.choices:
        raise InputError(f"--sweep {quoted(sweep)}: {p.name} is a word; list some of {', '.join(p.choices)}")
    low, high = float(p.read(first)), float(p.read(last))
    if low <= 0 or low >= high:
        raise InputError(
            f"--sweep {quoted(sweep)}: the first end must be above 0 and below the second; steps are equal ratios"
        )
    if not 2 <= points <= _MOST_POINTS:
        raise InputError(f"--sweep {quoted(sweep)}: {points} points; it may be 2 to {_MOST_POINTS}")
    values = [float(x) for x in np.geomspace(low, high, points)]
    if p.whole or p.kind is TOKENS:
        return list(dict.fromkeys(float(round(x)) for x in values if round(x) > 0))
    return [values[0], *(_rounded(x) for x in values[1:-1]), high]


def _rounded(x: float) -> float:
    return float(f"{x:.4g}") if math.isfinite(x) else x
