"""Cards drawn: numbers chosen by a seed, the answer computed by the equation's own functions."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headway.equations import Asked, ask
from headway.equations.values import value_text
from headway.errors import HeadwayError, InputError
from headway.learn.deck import Card
from headway.learn.deck import card as find_card
from headway.learn.formulas import Formula
from headway.shown import Shown

_FACTS = ("model", "system", "precision")
_TRIES = 50
_FIELD = re.compile(r"\{([\w.]+)(#?)\}")  # with a #: without the word of its unit


@dataclass(frozen=True, repr=False)
class Drawn(Shown):
    """A card with numbers.

    Attributes
    ----------
    card : Card
    seed : int or None
        None: the lecture's own numbers. [1]
    facts : dict
        The model, the machine and the format that were drawn.
    asked : Asked or None
        The equation with these numbers; None of a card of words alone.
    answer : float, str or None
        [`Card.unit`]
    """

    card: Card
    seed: int | None
    facts: dict[str, str]
    asked: Asked | None
    answer: float | str | None

    RECORD: ClassVar[str] = "headway.records.learning:drawn_record"
    TEXT: ClassVar[str] = "headway.report.learning:drawn_text"

    def brief(self) -> str:
        """Return the card and its question."""
        return f"{self.card.id}: {self.question}"

    @property
    def question(self) -> str:
        """The question with its numbers."""
        return self.told(self.card.question)

    @property
    def said(self) -> str:
        """The answer with its unit; of words, the words that it must name."""
        if self.answer is not None:
            return value_text(self.answer, self.card.unit)
        return "; ".join(" or ".join(group[:2]) for group in self.card.words)

    @property
    def why(self) -> str:
        """The derivation with its numbers."""
        return self.told(self.card.why)

    def told(self, text: str) -> str:
        """Return a text of the card with its numbers filled in."""
        return _FIELD.sub(lambda m: _bare(self._filled(m[1])) if m[2] else self._filled(m[1]), text)

    def _filled(self, name: str) -> str:
        if name in self.facts:
            return self.facts[name]
        if name == "answer":
            return self.said
        if self.asked is None:
            raise KeyError(name)
        e = self.asked.equation
        if name.startswith("out."):
            found = next(r for r in e.results if r.name == name[4:])
            return value_text(self.asked.results[found.name], found.unit)
        p = e.parameter(name)
        return value_text(self.asked.values[p.name], p.unit)

    def letters(self) -> dict[str, float]:
        """Return what a formula for this card may use: parameters by name and symbol, and the card's own letters."""
        if self.asked is None:
            return {}
        found: dict[str, float] = {}
        for p in self.asked.equation.parameters:
            value = self.asked.values[p.name]
            if isinstance(value, int | float):
                found |= {n: float(value) for n in (p.name, p.symbol) if n.isidentifier()}
        every = {**_numbers(self.asked.results), **found}
        return found | {name: Formula(text).value(every) for name, text in self.card.symbols.items()}


def _bare(text: str) -> str:
    number, _, word = text.rpartition(" ")
    return number if number and ((word.isalpha() and len(word) > 3) or word in ("x", "tokens/parameter")) else text


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {k: float(v) for k, v in values.items() if isinstance(v, int | float)}


def draw_card(card: Card | str, seed: int | None = None) -> Drawn:
    """Draw a card: the same seed gives the same numbers.

    Parameters
    ----------
    card : Card or str
        Or its id.
    seed : int or None
        None: the lecture's own numbers. [1]

    Raises
    ------
    InputError
        When there is no such card.
    """
    chosen = find_card(card) if isinstance(card, str) else card
    dice = random.Random(f"{chosen.id} {seed}")
    error: HeadwayError | None = None
    for _ in range(_TRIES if seed is not None else 1):
        try:
            return _drawn(chosen, seed, {k: v[0] if seed is None else dice.choice(v) for k, v in chosen.draw.items()})
        except HeadwayError as refused:  # numbers that do not go together
            error = refused
    raise error or InputError(f"card {chosen.id}: cannot be drawn")


def _drawn(card: Card, seed: int | None, picked: dict[str, Any]) -> Drawn:
    facts = {k: str(picked.pop(k)) for k in _FACTS if k in picked}
    if not card.equation:
        return Drawn(card, seed, facts, None, None)
    asked = ask(card.equation, picked, **facts)
    if not card.wanted:
        return Drawn(card, seed, facts, asked, None)
    if card.kind == "choice":
        return Drawn(card, seed, facts, asked, str(asked.results[card.wanted]))
    answer = Formula(card.wanted).value(_numbers(asked.results))
    if not math.isfinite(answer):
        raise InputError(f"card {card.id}: no finite answer with these numbers")
    return Drawn(card, seed, facts, asked, answer)
