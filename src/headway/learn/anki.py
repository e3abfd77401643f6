"""The deck as a file for Anki."""

from __future__ import annotations

import html
import importlib
import zlib
from pathlib import Path
from typing import Any

from headway.errors import InputError
from headway.learn.deck import DECKS, Card, cards
from headway.learn.drawing import Drawn, draw_card
from headway.writing import replacing

_STYLE = ".card { font-family: sans-serif; font-size: 18px; text-align: left; } .why { color: #555; } .nightMode .why { color: #bbb; }"


def _number(name: str) -> int:
    """A number that stays the same for a name: Anki knows decks, models and cards by it."""
    return (1 << 30) + zlib.crc32(f"headway {name}".encode())


def _sides(d: Drawn) -> list[str]:
    e = None if d.asked is None else d.asked.equation
    formula = "" if e is None else f"{e.id}: {e.formula}"
    return [html.escape(x) for x in (d.question, d.said, d.why, formula)]


def _note(genanki: Any, model: Any, c: Card, variant: int) -> Any:
    d = draw_card(c, None if variant == 0 else variant)
    guid = genanki.guid_for("headway", c.id, variant)
    return genanki.Note(model=model, fields=_sides(d), tags=[f"headway::{c.deck}", f"headway::{c.chapter}"], guid=guid)


def write_anki(file: str, variants: int = 1) -> int:
    """Write every card to an Anki package and return how many there are.

    Parameters
    ----------
    file : str
        FILE.apkg
    variants : int
        Of each card that has numbers: the lecture's own and others. [1]

    Raises
    ------
    InputError
        Without the [learn] extra, or when the file cannot be written.
    """
    if not file.endswith(".apkg"):
        raise InputError(f"--anki {file}: Anki's packages end in .apkg")
    try:
        genanki = importlib.import_module("genanki")
    except ImportError:
        raise InputError("Anki packages need the [learn] extra: pip install 'headway[learn]'") from None
    sides = {
        "qfmt": "{{Question}}",
        "afmt": "{{FrontSide}}<hr id=answer>{{Answer}}<p class=why>{{Why}}</p><p>{{Formula}}</p>",
    }
    fields = [{"name": n} for n in ("Question", "Answer", "Why", "Formula")]
    model = genanki.Model(_number("model"), "headway", fields=fields, templates=[{"name": "card", **sides}], css=_STYLE)
    decks: list[Any] = []
    count = 0
    for deck, what in DECKS.items():
        made = genanki.Deck(_number(deck), f"headway::{what}")
        for c in (c for c in cards() if c.deck == deck):
            for variant in range(variants if c.draw else 1):
                made.add_note(_note(genanki, model, c, variant))
                count += 1
        decks.append(made)
    with replacing(Path(file), f"--anki {file}") as half:
        genanki.Package(decks).write_to_file(str(half), timestamp=0.0)
    return count
