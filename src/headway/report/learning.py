"""Cards, grades and progress as text."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from headway import units
from headway.learn import DECKS, Drawn, Graded, cards
from headway.learn.amounts import needs_unit
from headway.learn.progress import Review
from headway.learn.schedule import Standing
from headway.tables import table_text

_WANTED = {"number": "a number", "formula": "a formula", "choice": "a word", "words": "your own words"}


def drawn_text(d: Drawn) -> str:
    """Return a card's question, and what an answer may be."""
    c = d.card
    lines = [f"{DECKS[c.deck]}, {c.place}: {c.id}", "", d.question, ""]
    wanted = _WANTED[c.kind] + (" with its unit" if c.kind == "number" and needs_unit(c.unit) else "")
    letters = f", or a formula in {', '.join(sorted(d.letters()))}" if c.kind == "number" else ""
    if c.kind == "formula":
        letters = f" in {', '.join(sorted(d.letters()))}"
    return "\n".join([*lines, f"answer: {wanted}{letters}"])


def graded_text(g: Graded) -> str:
    """Return a verdict with the worked solution."""
    d = g.drawn
    share = f"{units.per_cent(g.credit)} " if 0 < g.credit < 1 else ""
    lines = [f"{share}{g.says}", "", d.why]
    if d.asked is not None:
        e = d.asked.equation
        lines += ["", f"{e.id}: {e.formula}", f"computed by {', '.join('headway.' + f for f in e.functions)}"]
        lines.append(f"your own numbers: headway ask {e.id}")
    return "\n".join(lines)


def list_text(found: Sequence[Standing] = ()) -> str:
    """Return the decks; with standings, when each card is due."""
    seen = {s.card.id: s for s in found}
    rows: list[list[str]] = []
    for c in cards():
        s = seen.get(c.id)
        due = "" if s is None else "new" if s.due is None else f"{s.due:%Y-%m-%d %H:%M}"
        rows.append([f"{c.deck} {c.place}", c.id, c.chapter, _WANTED[c.kind], c.equation, *([due] if found else [])])
    heads = ["card", "id", "chapter", "wants", "equation", *(["due (UTC)"] if found else [])]
    counts = ", ".join(f"{sum(c.deck == k for c in cards())} of {what}" for k, what in DECKS.items())
    return f"{table_text(heads, rows, left=True)}\n\n{units.some(len(rows), 'card')}: {counts}"


def ended_text(done: Sequence[Review], found: Sequence[Standing], now: datetime.datetime, file: str) -> str:
    """Return what a session did, and when the next card is due."""
    right = sum(r.credit >= 1 for r in done)
    coming = sorted(s.due for s in found if s.due is not None and s.due > now)
    lines = [f"{units.some(len(done), 'card')}, {right} right; progress in {file}"]
    if coming:
        lines.append(f"the next is due in {units.seconds((coming[0] - now).total_seconds())}")
    return "\n".join(lines)
