"""How the verbs of training tell their answer: its chart, then JSON, a table, or text, with where its numbers come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from headway.cli.output import emit, emit_csv
from headway.cli.terminal import show
from headway.shown import Shown

Why = list[dict[str, str]]


def tell(
    found: Shown, out: str | None, *, json: bool, csv: bool, figure: str, why: Callable[[], Why] | None,
    rows: Callable[[], Iterable[Mapping[str, Any]]],
) -> None:  # fmt: skip
    """Print an answer, and draw it where a file is named; `figure` is of `headway.figures`, `why` and `rows` are asked for if wanted."""
    from headway.report.why import rows_text

    if out:
        from headway import figures

        figures.write_figure(getattr(figures, figure)(found), out)
    if json:
        emit(found.to_dict() | ({} if why is None else {"why": why()}))
    elif csv:
        emit_csv(rows())
    else:
        because = "" if why is None else f"\n\n{rows_text(why())}"
        show(found.text() + because + (f"\n\nchart written to {out}" if out else ""))
