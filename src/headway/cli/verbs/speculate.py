"""The verb about drafting."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json
from headway.cli.output import emit, emit_csv
from headway.cli.terminal import show
from headway.questions import Request


@asks(Request, leave_out=("arrivals", "drafts", "overlap", "load", "rounds"))
def speculate(
    asked: dict[str, Any],
    *,
    draft: Annotated[
        str | None,
        Parameter(
            help="What drafts: a small model, mtp (the model's own module) or lookup (costs nothing); default: mtp where there is one."
        ),
    ] = None,
    acceptance: Annotated[
        float | None,
        Parameter(help="Chance that a drafted token is accepted (0.8); default: the engine's, from runs with MTP."),
    ] = None,
    length: Annotated[int | None, Parameter(help="Drafted tokens per pass; default 3.")] = None,
    json: Json = False,
    csv: Csv = False,
    catalog: Folder = (),
) -> None:
    """Say where drafting tokens helps (speculative decoding, MTP), and the batch from which it hurts."""
    from headway.catalog import use
    from headway.plan.speculate import speculate as drafting
    from headway.records.drafting import drafting_record, drafting_rows
    from headway.report.speculation import speculation_text

    use(catalog)
    found = drafting(Request(**given(asked)), acceptance, length, draft)
    if json:
        emit(drafting_record(found))
    elif csv:
        emit_csv(drafting_rows(found))
    else:
        show(speculation_text(found))
