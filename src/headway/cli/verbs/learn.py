"""The verb that teaches."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from headway.cli.options import Folder, Json, to_write
from headway.cli.output import emit
from headway.cli.terminal import show


def learn(
    *,
    card: Annotated[
        str | None, Parameter(help="One card, by id or place: balance-batch, lecture 8; it changes no progress.")
    ] = None,
    answer: Annotated[
        str | None, Parameter(help="Grade this answer to --card: '40 ms', 'H * N_total / N_active'.")
    ] = None,
    seed: Annotated[int | None, Parameter(help="Numbers of --card; without it the lecture's own.")] = None,
    list_: Annotated[
        bool, Parameter(name="--list", negative="", show_default=False, help="List every card, and when it is due.")
    ] = False,
    deck: Annotated[str, Parameter(help="Only these: lecture, quiz, drill, more.", show_default=False)] = "",
    new: Annotated[int, Parameter(help="New cards in a session, at the most.")] = 10,
    anki: Annotated[str | None, to_write("Write every card for Anki: FILE.apkg.", "--anki")] = None,
    variants: Annotated[int, Parameter(help="Of each card with numbers in --anki: the lecture's own and others.")] = 1,
    progress: Annotated[
        str | None, to_write("Keep progress in this file instead of the user's folder.", "--progress")
    ] = None,
    json: Json = False,
    catalog: Folder = (),
) -> None:
    """Practise the lecture: cards with new numbers at each review, graded with units, repeated when they are due."""
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
    file = progress or str(progress_file())
    if anki is not None:
        from headway.learn.anki import write_anki

        show(f"{write_anki(anki, variants)} cards written to {anki}")
    elif card is not None:
        _card(card, seed, answer, json)
    elif list_ or json:
        _list(file, json)
    else:
        practise(file, deck, new)


def _card(name: str, seed: int | None, answer: str | None, json: bool) -> None:
    from headway.learn import card as find
    from headway.learn import draw_card, grade_answer

    drawn = draw_card(find(name), seed)
    shown = drawn if answer is None else grade_answer(drawn, answer)
    if json:
        emit(shown.to_dict())
    else:
        show(shown.text())


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
