"""Learning: cards whose answers the library computes, graded; when each is due; the register of claims; lessons."""

from headway.learn.deck import DECKS, Card, card, cards
from headway.learn.drawing import Drawn, draw_card
from headway.learn.grading import Graded, grade_answer

__all__ = ["DECKS", "Card", "Drawn", "Graded", "card", "cards", "draw_card", "grade_answer"]
