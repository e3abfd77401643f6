"""Answers graded: a number with its unit and tolerance, a formula, a word, or words of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from headway.equations.values import value_text
from headway.errors import HeadwayError, InputError, quoted
from headway.learn import formulas
from headway.learn.amounts import Amount, amount, computed, needs_unit, readings, said_in
from headway.learn.drawing import Drawn, draw_card
from headway.shown import Shown

Verdict = Literal["right", "unit", "formula", "partly", "slip", "wrong", "none"]
_HALF = 0.5
_REDRAWS = 8  # a formula must give the library's answer with as many other numbers
_EXACT = 1e-6


@dataclass(frozen=True, repr=False)
class Graded(Shown):
    """An answer graded.

    Attributes
    ----------
    drawn : Drawn
    answered : str
        What was answered.
    credit : float
        1 right, 0 wrong. [share]
    verdict : str
        ``right``; ``unit``: a right number in a wrong unit; ``formula``: the formula without the number; ``partly``: some of the
        words; ``slip``: a known mistake; ``wrong``; ``none``: nothing that can be read.
    says : str
        One line for who answered.
    """

    drawn: Drawn
    answered: str
    credit: float
    verdict: Verdict
    says: str

    RECORD: ClassVar[str] = "headway.records.learning:graded_record"
    TEXT: ClassVar[str] = "headway.report.learning:graded_text"

    def brief(self) -> str:
        """Return the verdict."""
        return f"{self.drawn.card.id}: {self.says}"


def grade_answer(drawn: Drawn, text: str) -> Graded:
    """Grade an answer to a drawn card.

    Parameters
    ----------
    drawn : Drawn
    text : str
        As typed: ``40 ms``, ``2,400 sequences``, ``300 * N_total / N_active``, ``N_total * 300 / N_active = 2400``, or words.
    """
    said = text.strip()
    if not said:
        return Graded(drawn, text, 0.0, "none", f"it is {drawn.said}")
    kind = drawn.card.kind
    if kind == "words":
        found = _words(drawn, said)
    elif kind == "choice":
        found = _choice(drawn, said)
    else:
        found = _number(drawn, said) if kind == "number" else _formula(drawn, said)
        if found[1] == "none" and drawn.card.words:  # neither a number nor a formula
            found = _words(drawn, said)
    credit, verdict, says = found
    return Graded(drawn, text, credit, verdict, says)


_Found = tuple[float, Verdict, str]


def _words(drawn: Drawn, text: str) -> _Found:
    low = " ".join(text.lower().split())
    missing = [g for g in drawn.card.words if not any(w.lower() in low for w in g)]
    share = 1 - len(missing) / len(drawn.card.words)
    if not missing:
        return 1.0, "right", "right"
    wanted = "; ".join(g[0] for g in missing)
    if share >= _HALF:
        return share, "partly", f"partly: it also wants {wanted}"
    return 0.0, "wrong", f"not that: it wants {drawn.said}"


def _choice(drawn: Drawn, text: str) -> _Found:
    if re.search(rf"\b{re.escape(str(drawn.answer).lower())}\b", text.lower()):
        return 1.0, "right", "right"
    return 0.0, "wrong", f"not that: it is {drawn.answer}"


def _value(drawn: Drawn) -> float:
    if not isinstance(drawn.answer, int | float):
        raise InputError(f"card {drawn.card.id} wants no number")
    return float(drawn.answer)


def _number(drawn: Drawn, text: str) -> _Found:
    wanted, card = _value(drawn), drawn.card
    pieces = _pieces(text)
    formula = _formula_of(drawn, pieces)
    found = None if formula is not None and formula.text.strip() == pieces[-1].strip() else _amount_of(pieces)
    right = formula is not None and _always(drawn, formula)
    if found is None:
        if right:
            return _HALF, "formula", f"the formula is right; with these numbers it gives {drawn.said}"
        return 0.0, "none", f"{quoted(text)} is no number with a unit, like {_example(card.unit)}"
    value = said_in(found, card.unit)
    if value is not None and _near(value, wanted, card.tolerance):
        return 1.0, "right", "right" if _near(value, wanted, 1e-3) else f"right: exactly {drawn.said}"
    if right:
        return _HALF, "formula", f"the formula is right, the number is not: it gives {drawn.said}"
    if value is not None and (hint := _slip(drawn, value)):
        return 0.0, "slip", hint
    if told := _unit(drawn, found, value, wanted):
        return _HALF, "unit", told
    return 0.0, "wrong", f"not that: it is {drawn.said}"


def _amount_of(pieces: list[str]) -> Amount | None:
    """The number of the last part that has one."""
    for piece in reversed(pieces):
        found = amount(piece)
        if found is None and (value := computed(piece)) is not None:
            found = Amount(value, "")
        if found is not None:
            return found
    return None


def _pieces(text: str) -> list[str]:
    return [p for p in re.split(r">=|≥|=|;", text) if p.strip()] or [text]


def _formula(drawn: Drawn, text: str) -> _Found:
    pieces = _pieces(text)
    formula = _formula_of(drawn, pieces)
    if formula is None:
        found = _amount_of(pieces)
        if found is not None and _near(said_in(found, drawn.card.unit) or 0.0, _value(drawn), drawn.card.tolerance):
            return _HALF, "partly", "the number is right; a formula is wanted"
        letters = ", ".join(sorted(drawn.letters()))
        return 0.0, "none", f"{quoted(text)} is no formula in its letters: {letters}"
    if _always(drawn, formula):
        return 1.0, "right", "right: it gives the library's number at every draw"
    return 0.0, "wrong", "not that: with other numbers it gives something else than the library"


def _formula_of(drawn: Drawn, pieces: list[str]) -> formulas.Formula | None:
    """The last part of `B = H * s = 2400` that is a formula in the card's letters; a name before a sign is none."""
    letters = tuple(drawn.letters())
    for n, piece in reversed(list(enumerate(pieces))):
        found = formulas.read(piece, letters)
        if found is not None and found.letters and not (n == 0 and len(pieces) > 1 and piece.strip().isidentifier()):
            return found
    return None


def _others(drawn: Drawn) -> Iterator[Drawn]:
    yield drawn
    for seed in range(_REDRAWS):
        try:
            yield draw_card(drawn.card, seed)
        except HeadwayError:
            continue


def _always(drawn: Drawn, formula: formulas.Formula) -> bool:
    """Whether a formula gives the library's answer with these numbers and with others."""
    try:
        return all(_near(formula.value(d.letters()), _value(d), _EXACT) for d in _others(drawn))
    except InputError:
        return False


def _near(value: float, wanted: float, tolerance: float) -> bool:
    return abs(value - wanted) <= tolerance * abs(wanted) + 1e-300


def _unit(drawn: Drawn, found: Amount, value: float | None, wanted: float) -> str:
    """What is said of a right number in a wrong unit, or without one; "" when the number is wrong in any."""
    factors = set(readings(drawn.card.unit).values())
    fits = any(_near(found.number * f, wanted, drawn.card.tolerance) for f in factors)
    if value is None and fits:
        if not found.unit:
            return f"the number is right, its unit is missing: {drawn.said}"
        return f"the number is right, its unit is not: {drawn.said}, not {found.unit}"
    if value is None or not fits:
        return ""
    if not found.unit and not needs_unit(drawn.card.unit):
        return f"the number is right but for its unit or prefix: it is {drawn.said}"
    return f"a right number in a wrong unit: it is {drawn.said}, not {value_text(value, drawn.card.unit)}"


def _slip(drawn: Drawn, value: float) -> str:
    """What is said of a known mistake; "" of an unknown one."""
    letters = drawn.letters()
    for slip in drawn.card.slips:
        try:
            made = formulas.Formula(slip.formula).value(letters | {"answer": _value(drawn)})
        except InputError:
            continue
        if _near(value, made, drawn.card.tolerance):
            return f"not that: {drawn.told(slip.hint)}"
    wanted = _value(drawn)
    if wanted and value and _near(value * wanted, 1.0, drawn.card.tolerance) and not _near(wanted, 1.0, 0.2):
        return "not that: it is upside down"
    for factor, what in ((2.0, "twice"), (0.5, "half of")):
        if _near(value, factor * wanted, drawn.card.tolerance):
            return f"not that: it is {what} what it should be; a factor 2 was counted wrongly"
    return ""


def _example(unit: str) -> str:
    return {"s": "20 ms", "bytes": "15 GB", "tok/s": "128k tok/s", "FLOP": "1.2e26 FLOP"}.get(
        unit, f"2,400 {unit}".strip()
    )
