"""Verbs' options made from the questions' schema: one declaration serves the command line, grids, tables and documents."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING
from typing import Annotated, Any, Literal, get_type_hints

from cyclopts import Parameter

from headway.questions import Field, fields_of

Verb = Callable[..., None]
_TYPES = {"text": str, "date": str, "names": str, "quantity": str, "whole": int, "number": float}


def asks(
    question: type[Any],
    *,
    leave_out: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    as_text: tuple[str, ...] = (),
) -> Callable[[Verb], Verb]:
    """Give a verb an option for every field of a question; it gets them as a dictionary, ``asked``.

    Parameters
    ----------
    question : type
        `Request` or `Query`.
    leave_out : tuple of str
        Fields that this verb does not take.
    optional : tuple of str
        Fields that may be left out here although the question needs them.
    as_text : tuple of str
        Fields whose text the verb reads itself.
    """

    def decorate(verb: Verb) -> Verb:
        hints = get_type_hints(verb, include_extras=True)
        known = {k: v for k, v in fields_of(question).items() if k not in leave_out}
        own = [
            p.replace(annotation=hints[p.name])
            for p in inspect.signature(verb).parameters.values()
            if p.name != "asked"
        ]
        mine = [_option(n, f, None if n in optional else default, n in as_text) for n, (f, default) in known.items()]
        everything = sorted(
            [*mine, *own], key=lambda p: p.kind
        )  # what is positional comes first, everything else is an option

        @functools.wraps(verb)
        def run(*given: Any, **options: Any) -> None:
            bound = dict(zip((p.name for p in everything), given, strict=False)) | options
            asked = {
                name: bound.pop(name, None if p.default is p.empty else p.default)
                for name, p in ((q.name, q) for q in mine)
            }
            verb(asked, **bound)

        signature = inspect.Signature(everything)
        run.__signature__ = signature  # pyright: ignore[reportAttributeAccessIssue] - read by `inspect`
        run.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
        return run

    return decorate


def _option(name: str, f: Field, default: Any, text: bool) -> inspect.Parameter:
    given = inspect.Parameter.empty if default is MISSING else default
    options: dict[str, Any] = {"help": f.about + (f" [{f.example}]" if f.example and f.kind == "quantity" else "")}
    if f.flags:
        options["name"] = list(f.flags)
    if f.kind == "flag" and not default:
        options |= {"negative": "", "show_default": False}
    if f.kind == "choice":
        kind: Any = Literal[f.choices]  # pyright: ignore[reportInvalidTypeForm] - made of data
    elif f.kind == "flag":
        kind = bool
    else:
        kind = str if text else _TYPES[f.kind]
        if f.kind == "quantity":  # written with its unit: a default in SI would read like nothing that anyone types
            given = None if given is not inspect.Parameter.empty else given
    if given is None:
        kind = kind | None
    at = inspect.Parameter.POSITIONAL_OR_KEYWORD if name == "model" else inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, at, default=given, annotation=Annotated[kind, Parameter(**options)])


def given(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what was given, without the options that were left out."""
    return {k: v for k, v in asked.items() if v is not None}
