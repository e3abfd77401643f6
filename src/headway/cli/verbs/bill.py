"""The verb about what APIs charge."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from headway.cli.options import Csv, Folder, Json, Out, Why
from headway.cli.renting import ANY, NOTHING, Renting, Work

_Models = Annotated[
    str, Parameter(help="Models by comma, as APIs name them, or open-weight models; none with --usage.")
]
_Usage = Annotated[
    str | None,
    Parameter(help="Bill this log: JSON lines of OpenAI, Anthropic or Gemini answers, or CSV. [LOG.jsonl]"),
]
_Cap = Annotated[
    str | None,
    Parameter(help="With --usage: what of the log a cap on spending, for each provider, lets through. [$100]"),
]
_Against = Annotated[
    str | None, Parameter(help="Say where renting this system for an open-weight model pays instead. [h200x8]")
]


def bill(
    models: _Models = "",
    *,
    work: Work = ANY,
    provider: Annotated[str | None, Parameter(help="These providers alone, by comma.")] = None,
    date: Annotated[str | None, Parameter(help="Day of the prices; default: today. [2026-11-27]")] = None,
    at: Annotated[str | None, Parameter(help="Time of day in UTC, where prices have hours. [02:30]")] = None,
    usage: _Usage = None,
    cap: _Cap = None,
    against: _Against = None,
    renting: Renting = NOTHING,
    json: Json = False,
    csv: Csv = False,
    why: Why = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Bill a workload, or a usage log, at API price lists of a day; with --against, say where renting a system instead pays."""
    from headway.catalog import use
    from headway.cli import billing
    from headway.cli.renting import typed
    from headway.errors import InputError

    use(catalog)
    common, answer = billing.Common(models, provider, date, at), billing.Answer(json, csv, out, why)
    if cap is not None and usage is None:
        raise InputError("--cap: only with --usage LOG, whose requests it stops")
    if against is not None and usage is None:
        billing.self_hosted(work, common, answer, against, renting)
        return
    extra = [*typed(renting), *(["-o"] if out else []), *(["--why"] if why else [])]
    if usage is None:
        if extra:
            raise InputError(f"{', '.join(extra)}: only with --against SYSTEM")
        billing.workloads(work, common, answer)
        return
    extra += [
        *typed(work),
        *(["--against"] if against else []),
        *(["--at"] if at else []),
        *(["MODEL"] if models else []),
    ]
    if extra:
        raise InputError(f"{', '.join(extra)}: not with --usage, whose rows say what was used")
    billing.log(usage, common, answer, cap)
