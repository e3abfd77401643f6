"""From what the page sends to the words of a command line: checked against the schema, with no way to a file."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headway.errors import InputError, near_misses, quoted
from headway.questions import FIELDS, option_of
from headway.web.limits import MOST_NUMBERS, MOST_POINTS, MOST_TEXT
from headway.web.names import (
    PASTED,
    PASTED_TABLE,
    answer_text,
    harmless_table,
    model_name,
    plain_text,
    seller_name,
    sweep_text,
    traffic_name,
    word,
)
from headway.web.offered import OFFERED, Offered, Option, options_of
from headway.web.own import FOLDER, chip_table

_FILES = {"config": "config.json", "own_chip": "chip of your own", "cases": "table of cases"}
_SYSTEMS = {"system", "systems", "on", "against"}
_TRAFFIC = ("traffic", "fill")
_WORDS = ("equation", "table")
_GRADED = "answer"  # of a card
_READABLE = {PASTED: "./config.json", PASTED_TABLE: "./cases.csv"}  # as whoever pasted it has it


@dataclass(frozen=True)
class Asked:
    """A question of the page.

    Attributes
    ----------
    offered : Offered
    values : dict
        What was given, by option: checked, names resolved.
    placed, options : list of str
        Words of the command line: those that stand in their place, and the options.
    config : dict or None
        A config.json that came with it.
    chip : str or None
        The ``chips.csv`` of a chip that came with it.
    table : str or None
        The cases that came with it.
    """

    offered: Offered
    values: dict[str, Any]
    placed: list[str] = field(default_factory=list[str])
    options: list[str] = field(default_factory=list[str])
    config: dict[str, Any] | None = None
    chip: str | None = None
    table: str | None = None

    def words(self, *more: str) -> list[str]:
        """Return the words of the command line, and some more."""
        return [self.offered.name, *self.placed, *self.options, *more]

    def command(self) -> str:
        """Return the command line as people type it."""
        said = [*self.placed, *(part for o in self.options for part in o.split("=", 1))]
        said += ["--catalog", f"./{FOLDER}"] if self.chip is not None else []
        return " ".join(["headway", self.offered.name, *(shlex.quote(_READABLE.get(x, x)) for x in said)])


def read(verb: str, body: Any) -> Asked:
    """Return the question that a body asks.

    Parameters
    ----------
    verb : str
    body : Any
        Parsed JSON: an object of the verb's schema.

    Raises
    ------
    InputError
        For another verb, another form, an option that the page has not, a value that is none, a path.
    """
    if verb not in OFFERED:
        raise InputError(f"{quoted(verb)} is no verb of the page; it has {', '.join(OFFERED)}")
    if not isinstance(body, dict):
        raise InputError('the body must be a JSON object of options, like {"model": "deepseek-v3", "system": "h200x8"}')
    offered = OFFERED[verb]
    known = options_of(offered)
    found = _with_files(offered, known, body)
    for name in body:
        if name not in known and name not in _FILES:
            close = near_misses(str(name), known)
            raise InputError(
                f"{verb}: {quoted(name)} is no option of the page{f'; did you mean {close[0]}?' if close else ''}"
            )
    given = {"model": "pasted", **body} if found.config is not None else body
    for name, o in known.items():  # words stand in the order of the command line
        if given.get(name) is not None:
            _add(found, o, given[name])
    missing = [n for n, o in known.items() if o.needed and n not in found.values]
    if missing:
        raise InputError(f"{verb} needs {' and '.join(missing)}")
    return found


def _with_files(offered: Offered, known: Mapping[str, Option], body: Mapping[str, Any]) -> Asked:
    """The question with what came instead of names: nothing that it does not take."""
    takes = files_of(offered, known)
    for name, said in _FILES.items():
        if name in body and name not in takes:
            raise InputError(f"{offered.name} takes no {said}")
    config, chip, table = (body.get(name) for name in _FILES)
    if config is not None and not isinstance(config, dict):
        raise InputError("config must be the object of a config.json")
    if table is not None and not isinstance(table, str):
        raise InputError("cases must be the text of a CSV")
    table = None if table is None else harmless_table(table)
    found = Asked(offered, {}, config=config, chip=None if chip is None else chip_table(chip), table=table)
    if "cases" in takes:
        if table is None:
            raise InputError(f"{offered.name} needs cases: the text of a CSV")
        found.placed.append(PASTED_TABLE)
    return found


def files_of(offered: Offered, known: Mapping[str, Option]) -> tuple[str, ...]:
    """Return what of one's own a verb takes: a config, a chip, a table.

    Parameters
    ----------
    offered : Offered
    known : mapping
        Its options.
    """
    if offered.cases:
        return ("own_chip", "cases")
    model = known.get("model")
    takes = [
        n for n, yes in (("config", model and offered.name != "infer"), ("own_chip", _SYSTEMS & known.keys())) if yes
    ]
    return tuple(takes)


def _add(found: Asked, o: Option, value: Any) -> None:
    """Add one option to the question: its value, and its words."""
    if o.kind == "object":
        found.values[o.name] = _numbers(value)
        found.placed.extend(f"{k}={v}" for k, v in found.values[o.name].items())
        return
    if o.kind == "boolean":
        if not isinstance(value, bool):
            raise InputError(f"{_said(o)} is {quoted(value)}; it must be true or false")
        if value != bool(o.default):
            found.options.append(o.said if value else f"--no-{o.said.removeprefix('--')}")
        found.values[o.name] = value
        return
    text = _text(o, value)
    if text == "":
        return
    text = _harmless(found, o, text)
    found.values[o.name] = text
    if not o.said and text.startswith("-"):
        raise InputError(f"{o.name}: {quoted(text)} is an option; the page takes a name there")
    if o.said:
        found.options.append(f"{o.said}={text}")
    else:
        found.placed.append(text)


def _text(o: Option, value: Any) -> str:
    """The words of a value; an empty one is left out."""
    if (
        o.asked
        and FIELDS[o.name].kind == "names"
        and isinstance(value, list)
        and all(isinstance(x, str) for x in value)
    ):
        value = ",".join(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{_said(o)} is {quoted(value)}; it must be text or a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{_said(o)} is {quoted(value)}; it must be a number")
    text = (f"{value:.12g}" if isinstance(value, float) else str(value)).strip()
    if len(text) > MOST_TEXT or not text.isprintable():
        raise InputError(f"{_said(o)}: at most {MOST_TEXT} printable characters")
    if o.choices and text not in o.choices:
        raise InputError(f"{_said(o)}: {quoted(text)} is not known; accepted: {', '.join(o.choices)}")
    if text and o.name == "points" and not (text.isdigit() and 2 <= int(text) <= MOST_POINTS):
        raise InputError(f"--points: {quoted(text)} must be in 2..{MOST_POINTS} on the page")
    return text


def _harmless(found: Asked, o: Option, text: str) -> str:
    """A text that cannot name a file."""
    if o.name == "model":
        return (
            seller_name(text)
            if found.offered.name == "infer"
            else model_name(text, found.config is not None, counts=not o.asked)
        )
    if o.name in _TRAFFIC and found.offered.name != "lifetime":  # there it is a rate
        return traffic_name(text, _said(o))
    if o.name == "sweep":
        return sweep_text(text)
    if o.name in _WORDS:
        return word(text, o.name)
    if o.name == _GRADED:
        return answer_text(text)
    f = FIELDS.get(o.name) if o.asked else None
    if f is None or f.kind in ("text", "names", "date"):
        return plain_text(text, _said(o))
    return text


def _numbers(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > MOST_NUMBERS:
        raise InputError('numbers must be an object like {"active": "37e9"}')
    found: dict[str, str] = {}
    for name, x in value.items():
        if isinstance(x, bool) or not isinstance(x, str | int | float):
            raise InputError(f"{quoted(name)} is {quoted(x)}; it must be a number or text")
        text = f"{x:.12g}" if isinstance(x, float) else str(x).strip()
        if len(text) > MOST_TEXT or not text.isprintable():
            raise InputError(f"{quoted(name)}: at most {MOST_TEXT} printable characters")
        if text:
            found[word(str(name), "the number")] = text
    return found


def _said(o: Option) -> str:
    return option_of(o.name) if o.asked else o.said or o.name
