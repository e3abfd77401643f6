"""The deck: cards as data. A card names an equation and the unknown that is wanted; no card holds an answer."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from headway.equations import Equation
from headway.equations.declared import Result
from headway.equations.listed import find
from headway.errors import unknown

Kind = Literal["number", "formula", "choice", "words"]
DECKS = {"lecture": "the lecture's practice deck", "quiz": "the quiz", "drill": "drills", "more": "more"}


@dataclass(frozen=True, slots=True)
class Slip:
    """A known mistake: the formula that makes it, in the card's letters, and what to say of it."""

    formula: str
    hint: str


@dataclass(frozen=True, slots=True)
class Card:
    """A question whose answer the library computes.

    Attributes
    ----------
    id : str
        It stays the same as long as the card asks the same.
    deck : str
        ``lecture`` (its practice deck), ``quiz``, ``drill`` or ``more``.
    place : int
        In its deck. [1, from 1]
    chapter : str
    kind : str
        What is wanted: a ``number``, a ``formula``, a ``choice`` of words, or ``words`` of one's own.
    question : str
        With ``{parameter}`` where a number of the draw goes.
    equation : str
        Id of the equation that answers, or that the numbers of the solution are from; "" for none.
    wanted : str
        What of its results is asked for, as a formula of them.
    unit : str
        Of the answer.
    draw : dict
        Parameter -> what it may be, the lecture's own first; ``model``, ``system`` and ``precision`` draw facts of the catalogue.
    symbols : dict
        Further letters that a formula may use -> what they stand for, in parameters and results.
    words : tuple of tuple of str
        What an answer in words must name: one of each group.
    slips : tuple of Slip
    hints : tuple of str
    why : str
        The derivation, with ``{parameter}``, ``{out.result}`` and ``{answer}``.
    tolerance : float
        Relative difference that still counts as right. [1]
    """

    id: str
    deck: str
    place: int
    chapter: str
    kind: Kind
    question: str
    equation: str = ""
    wanted: str = ""
    unit: str = ""
    draw: Mapping[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])
    symbols: Mapping[str, str] = field(default_factory=dict[str, str])
    words: tuple[tuple[str, ...], ...] = ()
    slips: tuple[Slip, ...] = ()
    hints: tuple[str, ...] = ()
    why: str = ""
    tolerance: float = 0.02

    @property
    def formula(self) -> Equation | None:
        """The equation that answers; None of a card of words alone."""
        return find(self.equation) if self.equation else None

    @property
    def result(self) -> Result | None:
        """The result that is wanted, where it is one."""
        e = self.formula
        return next((r for r in e.results if r.name == self.wanted), None) if e else None


def _read(row: Mapping[str, Any], deck: str, place: int) -> Card:
    known = {**row}
    draw = {k: tuple(v) if isinstance(v, list) else (v,) for k, v in known.pop("draw", {}).items()}
    words = tuple(tuple(str(w) for w in group) for group in known.pop("words", ()))
    slips = tuple(Slip(**s) for s in known.pop("slips", ()))
    hints = tuple(known.pop("hints", ()))
    card = Card(deck=deck, place=place, draw=draw, words=words, slips=slips, hints=hints, **known)
    if card.unit or card.result is None:
        return card
    return Card(**{n: getattr(card, n) for n in Card.__dataclass_fields__ if n != "unit"}, unit=card.result.unit)


@cache
def cards() -> tuple[Card, ...]:
    """Return every card, the lecture's practice deck first."""
    found: list[Card] = []
    for deck in DECKS:
        text = (Path(__file__).parent / "data" / f"{deck}.toml").read_text(encoding="utf-8")
        found += [_read(row, deck, n) for n, row in enumerate(tomllib.loads(text)["card"], 1)]
    return tuple(found)


def card(name: str) -> Card:
    """Return the card of that id; ``lecture 8`` and ``quiz 3`` go by the place in a deck.

    Raises
    ------
    InputError
        When there is none; the message says what is near.
    """
    deck, _, place = name.strip().lower().partition(" ")
    for c in cards():
        if c.id == name.strip().lower() or (c.deck == deck and place == str(c.place)):
            return c
    raise unknown("card", name, [c.id for c in cards()], "`headway learn --list` lists them.")
