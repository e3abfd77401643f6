"""The verb that says what fits on a machine."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from headway.cli.options import Csv, Folder, Json
from headway.cli.output import emit, emit_csv, names
from headway.cli.terminal import show
from headway.questions import FIELDS

_Share = Annotated[float | None, Parameter(name=list(FIELDS["memory_share"].flags), help=FIELDS["memory_share"].about)]
_Formats = Annotated[
    str | None,
    Parameter(help="Formats by comma (q4_k_m, q8_0, fp8, ...); default: what people run on such a machine."),
]
_Offload = Annotated[
    bool | None,
    Parameter(
        help="List models, too, with experts or layers in the host's memory; default: on consumer machines.",
        negative="--no-offload",
    ),
]
_Host = Annotated[str | None, Parameter(help=FIELDS["host"].about)]
_Memory = Annotated[str | None, Parameter(help=FIELDS["ram"].about)]


def fit(
    words: Annotated[
        str, Parameter(help="Words that a model's name must contain, like qwen3.", show_default=False)
    ] = "",
    *,
    on: Annotated[str, Parameter(help="System or chip, or CHIPxN: rtx4090, h100x8, m4-max.")],
    context: Annotated[
        str | None, Parameter(help="Context that must fit, and that the speed is for; default 8192.")
    ] = None,
    precision: _Formats = None,
    engine: Annotated[
        str | None, Parameter(help="Default: llama.cpp on consumer machines, else the pooled one.")
    ] = None,
    memory_share: _Share = None,
    offload: _Offload = None,
    host: _Host = None,
    ram: _Memory = None,
    json: Json = False,
    csv: Csv = False,
    catalog: Folder = (),
) -> None:
    """Say what fits on a machine: models x formats, the longest context of each, and its speed."""
    from headway import units
    from headway.catalog import use
    from headway.plan.fits import what_fits
    from headway.records.fits import fit_record
    from headway.report.fits import fits_text, nothing_fits

    use(catalog)
    length = None if context is None else units.parse(context, units.TOKENS, "--context")
    found = what_fits(
        on,
        context=length,
        words=words.split(),
        formats=names(precision or ""),
        engine=engine,
        memory_share=memory_share,
        offload=offload,
        host=host,
        ram=None if ram is None else units.parse(ram, units.BYTES, "--ram"),
    )
    if not found:
        raise nothing_fits(on, words.split(), length)
    if json:
        emit([fit_record(f) for f in found])
    elif csv:
        emit_csv([fit_record(f) for f in found])
    else:
        show(fits_text(on, found))
