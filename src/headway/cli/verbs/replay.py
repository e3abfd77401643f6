"""The verb about logs of the lab engine."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from headway.cli.options import Csv, Json, Out


def replay(
    log: Annotated[str, Parameter(help="What `headway serve --trace FILE` wrote.")],
    *,
    json: Json = False,
    csv: Csv = False,
    out: Out = None,
) -> None:
    """Read a log of the lab engine's passes, and put the simulator beside it: same policy, requests and costs must depart alike."""
    from headway.cli.output import emit, emit_csv
    from headway.cli.terminal import show
    from headway.lab.engine.checked import checked
    from headway.lab.engine.tracing import recorded
    from headway.records.engine import pass_rows

    if out:
        from headway.figures.style import check

        check(out)
    run = recorded(log)
    if csv:
        emit_csv(pass_rows(run))
        return
    c = checked(run)
    if out:
        from headway import figures

        figures.write_figure(figures.engine_figure(c), out)
    if json:
        emit(c.to_dict())
    else:
        show(c.text() + (f"\n\nchart written to {out}" if out else ""))
