"""Where `-o` goes: to a chart; of some verbs and as .html to the page's own view of the answer, in one file."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headway.figures import Spec
    from headway.web.report_file import View

_typed: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())


def typed(arguments: Sequence[str]) -> None:
    """Take note of the command line: a page that is mailed says what made it."""
    _typed.set(tuple(arguments))


def draw(file: str, view: View, figure: Callable[[], Spec], answer: Callable[[], Any]) -> None:
    """Write a chart, or a page with the chart and the answer.

    Parameters
    ----------
    file : str
        The ending decides.
    view : str
        The page's, of this answer.
    figure, answer : callable
        Make them; the answer is asked for by a page alone.
    """
    from headway import figures

    path = figures.check(file)
    if path.suffix.lower() != ".html":
        figures.write_figure(figure(), file)
        return
    from headway.web.report_file import write_report

    write_report(view, answer(), figure(), shlex.join(["headway", *_typed.get()]), Path(file))
