"""What `headway simulate --seeds N` does: repeats, and print."""

from __future__ import annotations

from typing import Any

from headway.cli.output import emit, emit_csv
from headway.cli.terminal import show
from headway.questions import Request


def repeat(request: Request, traffic: str, how: dict[str, Any], *, json: bool, csv: bool) -> None:
    """Run the repeats and print them; ``--csv`` has a row per request of every repeat, with its seed."""
    from headway.plan.repeats import repeated
    from headway.records.repeats import repeated_record
    from headway.records.requests import simulation_rows
    from headway.report.repeats import repeated_text

    found = repeated(request, traffic, **how)
    if json:
        emit(repeated_record(found))
    elif csv:
        emit_csv([{"seed": how["seed"] + n, **row} for n, run in enumerate(found.runs) for row in simulation_rows(run)])
    else:
        show(repeated_text(found))
