"""When a card is due: by FSRS, from its reviews alone."""

from __future__ import annotations

import datetime
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headway.errors import InputError
from headway.learn.deck import Card, cards
from headway.learn.grading import Graded
from headway.learn.progress import Review

AGAIN, HARD, GOOD, EASY = 1, 2, 3, 4


def _fsrs() -> Any:
    try:
        return importlib.import_module("fsrs")
    except ImportError:
        raise InputError("spaced repetition needs the [learn] extra: pip install 'headway[learn]'") from None


@dataclass(frozen=True, slots=True)
class Standing:
    """A card and its reviews.

    Attributes
    ----------
    card : Card
    reviews : int
        How many. [1]
    due : datetime or None
        None: it was never seen.
    stability : float or None
        Days until the chance to know it has fallen to nine in ten. [days]
    credit : float or None
        Of the last review. [share]
    """

    card: Card
    reviews: int
    due: datetime.datetime | None
    stability: float | None
    credit: float | None


def rating(graded: Graded, hints: int = 0) -> int:
    """Return how a review counts for the scheduler: 1 again, 2 hard, 3 good.

    Parameters
    ----------
    graded : Graded
    hints : int
        That were asked for. [1]
    """
    if graded.credit >= 1:
        return HARD if hints else GOOD
    return HARD if graded.credit >= 0.5 else AGAIN


def reviewed(graded: Graded, time: datetime.datetime, hints: int = 0) -> Review:
    """Return the review that a graded answer makes.

    Parameters
    ----------
    graded : Graded
    time : datetime
        With its time zone.
    hints : int
        That were asked for. [1]
    """
    d = graded.drawn
    at = time.astimezone(datetime.UTC).isoformat()
    return Review(
        d.card.id, at, round(graded.credit, 4), rating(graded, hints), d.seed, graded.answered, graded.verdict, hints
    )


def standings(reviews: Sequence[Review]) -> list[Standing]:
    """Return every card of the deck with when it is due, replaying its reviews.

    Parameters
    ----------
    reviews : sequence of Review
        Oldest first; those of cards that are gone are left alone.

    Raises
    ------
    InputError
        When the [learn] extra is not installed.
    """
    fsrs = _fsrs()
    scheduler = fsrs.Scheduler(enable_fuzzing=False)
    states: dict[str, Any] = {}
    last: dict[str, list[float]] = {}
    for number, r in enumerate(reviews):
        state = states.get(r.card) or fsrs.Card(card_id=number, due=r.when)
        states[r.card], _ = scheduler.review_card(state, fsrs.Rating(r.rating), r.when)
        last.setdefault(r.card, []).append(r.credit)
    return [
        Standing(
            c, len(last.get(c.id, ())), s.due if s else None, s.stability if s else None, last[c.id][-1] if s else None
        )
        for c in cards()
        for s in (states.get(c.id),)
    ]


def session(found: Sequence[Standing], now: datetime.datetime, new: int) -> list[Standing]:
    """Return the cards to go through: those that are due, the longest overdue first, then some that are new.

    Parameters
    ----------
    found : sequence of Standing
    now : datetime
        With its time zone.
    new : int
        Never seen ones, at the most. [1]
    """
    due = sorted((s for s in found if s.due is not None and s.due <= now), key=lambda s: str(s.due))
    return [*due, *[s for s in found if s.due is None][:new]]
