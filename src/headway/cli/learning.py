"""A session of cards in the terminal: a question, an answer, what is right; each review is on disk before the next card."""

from __future__ import annotations

import datetime
from typing import Any

from headway.cli.terminal import show

_HELP = "your answer, ? for a hint, an empty line to see the answer, q to end"


def practise(file: str, deck: str, new: int) -> None:
    """Go through the cards that are due, and some new ones, until they are through or the input ends."""
    from headway.learn.progress import Review, reviews
    from headway.learn.schedule import session, standings
    from headway.report.learning import ended_text

    now = datetime.datetime.now(datetime.UTC)
    waiting = session([s for s in standings(reviews(file)) if not deck or s.card.deck == deck], now, new)
    if not waiting:
        show("nothing is due and nothing is new; `headway learn --list` shows every card")
        return
    show(f"{len(waiting)} cards; {_HELP}\n")
    done: list[Review] = []
    for number, s in enumerate(waiting, 1):
        show(f"[{number}/{len(waiting)}] " + _question(s.card, s.reviews))
        review = _one(s, file)
        if review is None:
            break
        done.append(review)
    show(ended_text(done, standings(reviews(file)), datetime.datetime.now(datetime.UTC), file))


def _question(card: Any, seen: int) -> str:
    from headway.learn import draw_card

    return draw_card(card, seen or None).text()


def _one(standing: Any, file: str) -> Any:
    """One card: the review that was saved, or None when whoever answers has had enough."""
    from headway.learn import draw_card, grade_answer
    from headway.learn.progress import save
    from headway.learn.schedule import reviewed

    drawn = draw_card(standing.card, standing.reviews or None)
    hints = 0
    while True:
        answer = _typed("> ")
        if answer is None:
            return None
        said = answer.strip()
        if said.lower() in ("q", "quit", "exit"):
            return None
        if said != "?":
            break
        told = [drawn.told(h) for h in drawn.card.hints]
        show(told[hints] if hints < len(told) else "there is no further hint")
        hints = min(hints + 1, len(told))
    graded = grade_answer(drawn, said)
    review = reviewed(graded, datetime.datetime.now(datetime.UTC), hints)
    save(file, review)
    show("\n" + graded.text() + "\n")
    return review


def go_through(lesson: Any) -> None:
    """Show a lesson; whoever sits at a terminal guesses before the rest is shown."""
    import sys

    from headway.learn import draw_card, grade_answer
    from headway.report.lessons import heading, section_text

    show(heading(lesson))
    for title, blocks in lesson.sections:
        show("\n" + section_text(title, blocks))
        card = next((b.text for b in blocks if b.sort == "guess"), "")
        if card and sys.stdin.isatty():
            guess = _typed("\nyour guess> ")
            if guess is None:
                return
            show("\n" + grade_answer(draw_card(card), guess).says)


def _typed(prompt: str) -> str | None:
    """A line that is typed; None at the end of the input, or where there is none."""
    try:
        return input(prompt)
    except (EOFError, OSError, RuntimeError):
        return None
