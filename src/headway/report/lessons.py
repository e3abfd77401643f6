"""Lessons as text, as markdown and as notebooks."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from headway.learn import draw_card
from headway.learn.claims import claim
from headway.learn.lessons import Block, Lesson, lessons
from headway.learn.typed import options, typed
from headway.report.claims import results_text
from headway.report.equations import sweep_text
from headway.tables import table_text


def lessons_text() -> str:
    """Return the list of lessons."""
    rows = [[str(x.place), x.id, x.title, x.chapter] for x in lessons()]
    return (
        table_text(["", "lesson", "question", "lecture"], rows, left=True) + "\n\nheadway learn LESSON goes through one"
    )


def lesson_text(x: Lesson) -> str:
    """Return a lesson as the terminal shows it."""
    return "\n\n".join([heading(x), *(section_text(h, blocks) for h, blocks in x.sections)])


def heading(x: Lesson) -> str:
    """Return a lesson's question, underlined."""
    return f"{x.place}. {x.title}\n{'=' * len(f'{x.place}. {x.title}')}"


def section_text(title: str, blocks: Sequence[Block]) -> str:
    """Return a section as the terminal shows it."""
    return "\n\n".join([f"-- {title.lower()}", *(_block_text(b) for b in blocks)])


def _block_text(b: Block) -> str:
    match b.sort:
        case "guess":
            return draw_card(b.text).question
        case "ask":
            return answered_text(b.text)
        case "claim":
            c = claim(b.text)
            return f"{c.id}, {c.topic}. Said: {c.versions} Holds: {c.used}"
        case "try":
            return f"    headway {b.text}"
        case _:
            return b.text if b.text.startswith("    ") else " ".join(b.text.split("\n"))


def answered_text(question: str) -> str:
    """Return a question to an equation and its answer: one line of results, or the table of a sweep."""
    a = typed(question)
    return f"$ headway ask {question}\n" + (sweep_text(a) if a.swept else f"  {results_text(a)}")


def lesson_markdown(x: Lesson) -> str:
    """Return a lesson as a page."""
    out = [f"# {x.title}", "", f"Lesson {x.place}; {_chapter(x)}. In the terminal: `headway learn {x.id}`.", ""]
    for title, blocks in x.sections:
        out += [f"## {title}", ""]
        for b in blocks:
            out += [_block_markdown(b), ""]
    return "\n".join(out).rstrip() + "\n"


def _chapter(x: Lesson) -> str:
    return f"section {x.chapter} of the lecture"


def _block_markdown(b: Block) -> str:
    match b.sort:
        case "guess":
            return f"> {draw_card(b.text).question}\n\nYour guess is graded by `headway learn --card {b.text} --answer YOURS`."
        case "ask":
            return f"```\n{answered_text(b.text)}\n```"
        case "claim":
            c = claim(b.text)
            return f"**[{c.id}](../claims.md), {c.topic}.** {c.versions} *Here:* {c.used}"
        case "try":
            return f"    headway {b.text}"
        case _:
            return b.text


def lesson_notebook(x: Lesson) -> str:
    """Return a lesson as a notebook (JSON): its questions are cells that can be changed and run."""
    cells = [
        _cell("markdown", f"# {x.title}\n\nLesson {x.place} of headway; {_chapter(x)}."),
        _cell("code", "import headway as hw"),
    ]
    for title, blocks in x.sections:
        cells.append(_cell("markdown", f"## {title}"))
        for b in blocks:
            cells += _cells(b)
    for number, cell in enumerate(cells):
        cell["id"] = f"{x.id}-{number}"
    meta = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return (
        json.dumps({"cells": cells, "metadata": meta, "nbformat": 4, "nbformat_minor": 5}, indent=1, ensure_ascii=False)
        + "\n"
    )


def _cells(b: Block) -> list[dict[str, Any]]:
    match b.sort:
        case "guess":
            question = f"> {draw_card(b.text).question}"
            return [
                _cell("markdown", question),
                _cell("code", f'hw.grade_answer(hw.draw_card("{b.text}"), "")  # your guess'),
            ]
        case "ask":
            return [_cell("code", _call(b.text))]
        case "claim":
            return [_cell("markdown", re.sub(r"\[(\S+)\]\(\S+\)", r"\1", _block_markdown(b)))]
        case "try" if b.text.startswith("ask "):
            return [_cell("code", _call(b.text.removeprefix("ask ")))]
        case _:
            return [_cell("markdown", _block_markdown(b))]


def _call(question: str) -> str:
    """The call of Python that asks the same."""
    equation, numbers, found = options(question)
    named = [f"{k}={json.dumps(v)}" for k, v in found.items()]
    return f"hw.ask({', '.join([json.dumps(equation), *([json.dumps(numbers)] if numbers else []), *named])})"


def _cell(kind: str, text: str) -> dict[str, Any]:
    lines = text.splitlines(keepends=True)
    more: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, "source": lines, **more}
