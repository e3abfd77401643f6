"""The whole lesson as one markdown file, to give to a chat model or to read: every number is the code's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headway import units
from headway.equations import SAID, Equation, ask, equations
from headway.equations.values import value_text
from headway.learn import DECKS, cards, draw_card
from headway.learn.claims import KINDS, claims
from headway.learn.lessons import lessons
from headway.lecture import Headline
from headway.records.equations import derivation
from headway.report.claims import results_text
from headway.report.lessons import lesson_markdown

_HEAD = """# What an LLM token costs, and why: the whole lesson

This is Reiner Pope's blackboard lecture on how LLMs are trained and served (Dwarkesh Podcast, 29 April 2026) as equations,
numbers, disputes and questions, written by headway. Results are computed by its code at the moment of writing. *Said* marks
what the lecture says, *derived* what follows from it, *beyond* what it leaves out.

To the model that is given this file: teach from it. Ask one thing at a time, let the learner guess first, then derive; take
numbers from here or compute them by the formulas, with units; say where the lecture is loose. An answer is right within two
per cent and with its unit."""


def whole_lesson(rows: Sequence[Headline]) -> str:
    """Return the lesson as markdown.

    Parameters
    ----------
    rows : sequence of Headline
    """
    parts = [[_HEAD, ""], _lessons(), _symbols(), _equations(), _headlines(rows), _claims(), _cards()]
    return "\n".join(line for part in parts for line in part).rstrip()


def _lessons() -> Iterator[str]:
    yield "## Lessons\n"
    for x in lessons():
        page = lesson_markdown(x).replace("](../claims.md)", "]")
        yield "\n".join(
            f"###{line[1:]}" if line.startswith("# ") else f"##{line}" if line.startswith("## ") else line
            for line in page.split("\n")
        )


def _symbols() -> Iterator[str]:
    yield "## Letters\n"
    seen: dict[str, list[str]] = {}
    for e in equations():
        for p in (p for p in e.parameters if p.symbol):
            about = f"{p.name.replace('_', ' ')}, {p.about}{f' [{p.unit}]' if p.unit else ''}"
            known = seen.setdefault(p.symbol, [])
            if not any(k.startswith(f"{p.name.replace('_', ' ')}, ") for k in known):
                known.append(about)
    yield from (
        f"- `{symbol}`: {'; or '.join(abouts)}" for symbol, abouts in sorted(seen.items(), key=lambda x: x[0].lower())
    )
    yield ""


def _equations() -> Iterator[str]:
    for section in dict.fromkeys(e.section for e in equations()):
        yield f"## Chapter {section}\n" if section[0].isdigit() else f"## {section[0].upper()}{section[1:]}\n"
        for e in (e for e in equations() if e.section == section):
            yield from _equation(e)


def _equation(e: Equation) -> Iterator[str]:
    a = ask(e.id)
    also = f" ({', '.join(e.aliases)})" if e.aliases else ""
    yield f"### {e.id}{also}: {e.title}\n\n`{e.formula}`\n"
    yield f"{SAID[e.said].capitalize()}{'; ' + e.note if e.note else ''}.\n"
    given = [
        f"{p.symbol or p.name} = {value_text(a.values[p.name], p.unit)} ({a.sources[p.name]})"
        for p in e.parameters
        if p.name not in a.idle and a.values[p.name] is not None
    ]
    yield f"With {'; '.join(given)}: **{results_text(a)}**.\n"
    for d in derivation(e):
        if d["notes"]:
            yield f"How: {' '.join(d['notes'].split())}\n"
    ids = {e.id, *e.aliases}
    if disputed := [f"{c.used} ({c.id})" for c in claims() if ids & set(c.about)]:
        yield f"Loose: {' '.join(disputed)}\n"


def _headlines(rows: Sequence[Headline]) -> Iterator[str]:
    yield "## Every headline, the lecture's number beside the code's\n"
    yield "| chapter | equation | what | is | lecture | computed |\n| --- | --- | --- | --- | --- | --- |"
    who = {"T": "said", "D": "derived", "X": "beyond"}
    for h in rows:
        cells = [h.chapter, h.id, h.what, who[h.said], value_text(h.lecture, h.unit), value_text(h.computed, h.unit)]
        yield f"| {' | '.join(cells)} |"
    good = sum(h.holds for h in rows)
    yield f"\n{good} of {units.some(len(rows), 'headline')} agree within the lecture's own rounding.\n"


def _claims() -> Iterator[str]:
    yield "## What was said, and what holds\n"
    for kind, title in KINDS.items():
        yield f"### {title[0].upper()}{title[1:]}\n"
        for c in (c for c in claims() if c.kind == kind):
            yield f"- **{c.id}, {c.topic}.** Said: {c.versions} Holds: {c.used} Why: {c.reason}"
        yield ""


def _cards() -> Iterator[str]:
    yield "## Questions to practise, with answers\n"
    yield "With the lecture's own numbers; ask them with others and compute the answer by the equation.\n"
    for deck, what in DECKS.items():
        yield f"### {what[0].upper()}{what[1:]}\n"
        for c in (c for c in cards() if c.deck == deck):
            d = draw_card(c)
            by = f" ({c.equation})" if c.equation else ""
            answer = "" if d.answer is None else f"**{d.said}**. "
            yield f"{c.place}. {d.question} — {answer}{d.why}{by}"
        yield ""
