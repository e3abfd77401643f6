"""Lessons as data: markdown with front matter; numbers, tables and disputes are directives that the library fills.

``{{E5 active=32 total=256: balance}}`` inside a sentence is a result; a line of its own may be ``{{guess CARD}}``,
``{{ask E5 ...}}`` (a question, with ``--sweep`` a table), ``{{claim DIS-6}}`` or ``{{try E5 --model ...}}`` (a command to change).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal

from headway.equations.values import value_text
from headway.errors import InputError, unknown
from headway.learn.typed import typed
from headway.shown import Shown

SECTIONS = ("Guess", "Slide", "Derive", "The number", "A real model", "Where the lecture is loose", "Your own")
Sort = Literal["text", "guess", "ask", "claim", "try"]
_INLINE = re.compile(r"\{\{([^{}]+?): (\w+)\}\}")
_LINE = re.compile(r"\{\{(guess|ask|claim|try) ([^{}]+)\}\}")


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a section.

    Attributes
    ----------
    sort : str
        ``text``, or a directive: ``guess`` (a card), ``ask``, ``claim``, ``try``.
    text : str
        Of a text with its numbers; of a directive what it names.
    """

    sort: Sort
    text: str


@dataclass(frozen=True, repr=False)
class Lesson(Shown):
    """A lesson: one question, a guess first, then a sweep, the derivation, the number, a real model's, what is loose, one's own.

    Attributes
    ----------
    id : str
    place : int
        In the order of the lecture. [1, from 1]
    title : str
        The question.
    chapter : str
        Of the lecture.
    source : str
        The body, directives unfilled.
    """

    id: str
    place: int
    title: str
    chapter: str
    source: str

    RECORD: ClassVar[str] = "headway.records.learning:lesson_record"
    TEXT: ClassVar[str] = "headway.report.lessons:lesson_text"

    def brief(self) -> str:
        """Return its place and question."""
        return f"{self.place}. {self.title}"

    @property
    def sections(self) -> list[tuple[str, list[Block]]]:
        """Heading and blocks, numbers filled in."""
        parts = re.split(r"^## (.+)$", self.source, flags=re.MULTILINE)
        return [(h.strip(), _blocks(body)) for h, body in zip(parts[1::2], parts[2::2], strict=True)]


def _blocks(body: str) -> list[Block]:
    found: list[Block] = []
    for part in re.split(r"\n{2,}", body.strip()):
        whole = _LINE.fullmatch(part.strip())
        if whole:
            found.append(Block(whole[1], whole[2].strip()))  # pyright: ignore[reportArgumentType] - one of them: the pattern
        else:
            found.append(Block("text", _INLINE.sub(_result, part)))
    return found


def _result(match: re.Match[str]) -> str:
    a = typed(match[1])
    r = next((r for r in a.equation.results if r.name == match[2]), None)
    if r is None:
        raise InputError(
            f"{a.equation.id} has no result {match[2]!r}; it has {', '.join(x.name for x in a.equation.results)}"
        )
    return value_text(a.results[r.name], r.unit)


@cache
def lessons() -> tuple[Lesson, ...]:
    """Return the lessons in the order of the lecture."""
    found: list[Lesson] = []
    for place, file in enumerate(sorted((Path(__file__).parent / "lessons_text").glob("*.md")), 1):
        _, head, body = file.read_text(encoding="utf-8").split("---\n", 2)
        told = dict(line.split(": ", 1) for line in head.strip().split("\n"))
        found.append(Lesson(file.stem.partition("-")[2], place, told["title"], told["chapter"], body))
    return tuple(found)


def lesson(name: str) -> Lesson:
    """Return the lesson of that id or place.

    Raises
    ------
    InputError
        When there is none; the message says what is near.
    """
    for found in lessons():
        if name.strip().lower() in (found.id, str(found.place)):
            return found
    raise unknown("lesson", name, [x.id for x in lessons()], f"Lessons: {', '.join(x.id for x in lessons())}.")
