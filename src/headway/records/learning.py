"""Cards, grades and progress as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headway.learn import Card, Drawn, Graded, draw_card
from headway.learn.claims import Claim, claim
from headway.learn.lessons import Block, Lesson
from headway.learn.schedule import Standing
from headway.learn.typed import typed
from headway.records.equations import asked_record, derivation, plain_value


def card_record(c: Card) -> dict[str, Any]:
    """Return a card without its numbers."""
    return {
        "id": c.id, "deck": c.deck, "place": c.place, "chapter": c.chapter, "kind": c.kind, "equation": c.equation, "unit": c.unit,
        "tolerance": c.tolerance,
    }  # fmt: skip


def drawn_record(d: Drawn) -> dict[str, Any]:
    """Return a card with its numbers, without the answer."""
    return {
        "card": card_record(d.card), "seed": d.seed, "question": d.question, "hints": [d.told(h) for h in d.card.hints],
        "letters": sorted(d.letters()),
        "parameters": [] if d.asked is None else [
            {"name": p.name, "value": plain_value(d.asked.values[p.name]), "unit": p.unit, "from": d.asked.sources[p.name]}
            for p in d.asked.equation.parameters if p.name not in d.asked.idle
        ],
    }  # fmt: skip


def graded_record(g: Graded) -> dict[str, Any]:
    """Return a graded answer, with the answer and its derivation."""
    d = g.drawn
    return {
        **drawn_record(d), "answered": g.answered, "credit": g.credit, "verdict": g.verdict, "says": g.says,
        "answer": plain_value(d.answer), "answer_text": d.said, "why": d.why,
        "formula": "" if d.asked is None else d.asked.equation.formula,
        "derivation": [] if d.asked is None else derivation(d.asked.equation),
    }  # fmt: skip


def standing_records(found: Sequence[Standing]) -> list[dict[str, Any]]:
    """Return every card with when it is due."""
    return [
        {**card_record(s.card), "reviews": s.reviews, "due": None if s.due is None else s.due.isoformat(),
         "stability_days": s.stability, "last_credit": s.credit}
        for s in found
    ]  # fmt: skip


def claim_record(c: Claim) -> dict[str, Any]:
    """Return a claim with its calculations and what leans on it."""
    return {
        "id": c.id, "topic": c.topic, "kind": c.kind, "versions": c.versions, "used": c.used, "reason": c.reason, "source": c.source,
        "date": c.date, "equations": [e.id for e in c.equations], "functions": c.functions, "defaults": c.defaults,
        "calculations": [
            {"command": command, **{k: v for k, v in asked_record(a).items() if k in ("id", "title", "results")}}
            for command, a in c.calculations
        ],
    }  # fmt: skip


def lesson_record(x: Lesson) -> dict[str, Any]:
    """Return a lesson as sections of blocks; directives with what the library says of them."""
    return {
        "id": x.id, "place": x.place, "title": x.title, "chapter": x.chapter,
        "sections": [{"heading": h, "blocks": [_block(b) for b in blocks]} for h, blocks in x.sections],
    }  # fmt: skip


def _block(b: Block) -> dict[str, Any]:
    said: dict[str, Any] = {"sort": b.sort, "text": b.text}
    match b.sort:
        case "guess":
            return {**said, "drawn": drawn_record(draw_card(b.text))}
        case "ask":
            return {**said, "asked": asked_record(typed(b.text))}
        case "claim":
            return {**said, "claim": claim_record(claim(b.text))}
        case _:
            return said
