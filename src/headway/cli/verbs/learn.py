"""The verb that teaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from headway.cli.options import Folder, Json, to_write
from headway.cli.output import emit
from headway.cli.terminal import show

if TYPE_CHECKING:
    import datetime

    from headway.learn import Graded

_Lesson = Annotated[
    str, Parameter(help="A lesson to go through, by id or place: batch, 2; `lessons` lists them.", show_default=False)
]
_Card = Annotated[
    str | None,
    Parameter(help="One card, by id or place: balance-batch, lecture 8; it changes no progress without --keep."),
]
_Answer = Annotated[str | None, Parameter(help="Grade this answer to --card: '40 ms', 'H * N_total / N_active'.")]
_Seed = Annotated[int | None, Parameter(help="Numbers of --card; without it the lecture's own.")]
_Hints = Annotated[
    int, Parameter(help="Hints of --card that were looked at: a right answer then counts as a hard one.")
]
_Keep = Annotated[
    bool,
    Parameter(
        name="--keep",
        negative="",
        show_default=False,
        help="Keep the graded answer as a review of --card in the progress.",
    ),
]
_List = Annotated[
    bool, Parameter(name="--list", negative="", show_default=False, help="List every card, and when it is due.")
]
_Deck = Annotated[str, Parameter(help="Only these: lecture, quiz, drill, more.", show_default=False)]
_Anki = Annotated[str | None, to_write("Write every card for Anki: FILE.apkg.", "--anki")]
_Variants = Annotated[int, Parameter(help="Of each card with numbers in --anki: the lecture's own and others.")]
_Progress = Annotated[str | None, to_write("Keep progress in this file instead of the user's folder.", "--progress")]
_Notebook = Annotated[str | None, to_write("Write the lesson as a notebook: FILE.ipynb.", "--notebook")]


def learn(
    lesson: _Lesson = "",
    *,
    card: _Card = None,
    answer: _Answer = None,
    seed: _Seed = None,
    hints: _Hints = 0,
    keep: _Keep = False,
    list_: _List = False,
    deck: _Deck = "",
    new: Annotated[int, Parameter(help="New cards in a session, at the most.")] = 10,
    anki: _Anki = None,
    variants: _Variants = 1,
    progress: _Progress = None,
    notebook: _Notebook = None,
    json: Json = False,
    catalog: Folder = (),
) -> None:
    """Learn the lecture: lessons, and cards with new numbers at each review, graded with units, repeated when they are due."""
    from headway.catalog import use
    from headway.cli.learning import practise
    from headway.errors import InputError, unknown
    from headway.learn import DECKS
    from headway.learn.progress import progress_file

    use(catalog)
    if deck and deck not in DECKS:
        raise unknown("deck", deck, DECKS, f"Decks: {', '.join(DECKS)}.")
    if new < 0 or not 1 <= variants <= 100:
        raise InputError("--new must be 0 or more, --variants 1 to 100")
    if card is None and (answer is not None or seed is not None):
        raise InputError("--answer and --seed are about one card: name it with --card, like --card balance-batch")
    if hints < 0 or ((keep or hints) and answer is None):
        raise InputError("--keep and --hints are about an answer: give --card and --answer, and 0 hints or more")
    if notebook is not None and lesson in ("", "lessons"):
        raise InputError("--notebook writes one lesson: name it, like `headway learn batch --notebook batch.ipynb`")
    file = progress or str(progress_file())
    if lesson:
        _lesson(lesson, notebook, json)
    elif anki is not None:
        from headway.learn.anki import write_anki

        show(f"{write_anki(anki, variants)} cards written to {anki}")
    elif card is not None:
        _card(card, seed, answer, hints, file if keep else None, json)
    elif list_ or json:
        _list(file, json)
    else:
        practise(file, deck, new)


def _lesson(name: str, notebook: str | None, json: bool) -> None:
    from pathlib import Path

    from headway.cli.learning import go_through
    from headway.learn.lessons import lesson, lessons
    from headway.report.lessons import lesson_notebook, lessons_text
    from headway.writing import replacing

    if name == "lessons":
        if json:
            emit([{"id": x.id, "place": x.place, "title": x.title, "chapter": x.chapter} for x in lessons()])
        else:
            show(lessons_text())
        return
    found = lesson(name)
    if notebook is not None:
        with replacing(Path(notebook), f"--notebook {notebook}") as half:
            half.write_text(lesson_notebook(found), encoding="utf-8")
        show(f"{found.title} written to {notebook}")
    elif json:
        emit(found.to_dict())
    else:
        go_through(found)


def _card(name: str, seed: int | None, answer: str | None, hints: int, keep: str | None, json: bool) -> None:
    from headway.learn import card as find
    from headway.learn import draw_card, grade_answer

    drawn = draw_card(find(name), seed)
    if answer is None:
        emit(drawn.to_dict()) if json else show(drawn.text())
        return
    graded = grade_answer(drawn, answer)
    due = None if keep is None else _kept(graded, hints, keep)
    if json:
        emit(graded.to_dict() | ({} if due is None else {"due": due.isoformat()}))
    else:
        show(graded.text() + ("" if due is None else f"\n\nkept in {keep}; due again {due:%Y-%m-%d %H:%M} UTC"))


def _kept(graded: Graded, hints: int, file: str) -> datetime.datetime:
    """Write a review, and say when the card is due again."""
    import datetime

    from headway.learn.progress import reviews, save
    from headway.learn.schedule import reviewed, standings

    standings(())  # without the scheduler nothing is written
    save(file, reviewed(graded, datetime.datetime.now(datetime.UTC), hints))
    found = next(s.due for s in standings(reviews(file)) if s.card.id == graded.drawn.card.id)
    assert found is not None
    return found


def _list(file: str, json: bool) -> None:
    import importlib.util

    from headway.learn.progress import reviews
    from headway.learn.schedule import standings
    from headway.records.learning import standing_records
    from headway.report.learning import list_text

    found = standings(reviews(file)) if importlib.util.find_spec("fsrs") or json else []
    if json:
        emit(standing_records(found))
    else:
        show(list_text(found))
