"""The verb about racks."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Folder, Json, Out
from headway.cli.output import emit
from headway.cli.terminal import show
from headway.questions import Request

_RACKS = ("model", "system", "context", "batch", "precision", "kv_precision", "engine")


@asks(Request, leave_out=tuple(k for k in Request.__dataclass_fields__ if k not in _RACKS))
def racks(
    asked: dict[str, Any],
    *,
    racks: Annotated[
        str, Parameter(help="Numbers of racks by comma; one rack is the system's scale-up domain.")
    ] = "1,2,4,8",
    hop: Annotated[str | None, Parameter(help="Latency from a rack to the next; default 2.5ms.")] = None,
    training: Annotated[
        bool, Parameter(negative="", show_default=False, help="Advise for training instead of inference.")
    ] = False,
    json: Json = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Lay a model over racks: all-to-all across them, pipeline depth, memory, latency, schedules, and what to cut.

    --context defaults to 100k tokens, --batch to the balance batch of a micro-batch (E5) or what memory holds of it.
    """
    from headway import units
    from headway.catalog import use
    from headway.plan.racks import racks as racks_of
    from headway.records.racks import racks_record
    from headway.report.racks import racks_text

    use(catalog)
    if out:
        from headway.figures.style import check

        check(out)
    r = Request(**given(asked))
    found = racks_of(
        r.model, r.system, _numbers(racks), context=100e3 if r.context is None else r.context, batch=r.batch,
        hop=None if hop is None else units.parse(hop, units.SECONDS, "--hop"), engine=r.engine, precision=r.precision,
        kv_precision=r.kv_precision, training=training,
    )  # fmt: skip
    if out:
        from headway import figures

        figures.write_figure(figures.racks_figure(found), out)
    if json:
        emit(racks_record(found))
        return
    show(racks_text(found))
    if out:
        show(f"\nchart written to {out}")


def _numbers(text: str) -> list[int]:
    from headway.errors import InputError, quoted

    parts = [p.strip() for p in text.split(",") if p.strip()]
    if not parts or not all(p.isdigit() and int(p) > 0 for p in parts):
        raise InputError(f"--racks: {quoted(text)} must be numbers of racks by comma, like 1,2,4,8")
    return sorted({int(p) for p in parts})
