"""The verb about equations."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from headway.cli.options import Csv, Folder, Json, Out
from headway.cli.output import emit, emit_csv
from headway.cli.terminal import show


def ask(
    equation: Annotated[
        str, Parameter(help="Its id: E5, SYS-A4 or A4, what-if; none lists them all.", show_default=False)
    ] = "",
    *numbers: Annotated[
        str, Parameter(show_default=False, help="Your numbers: name=value, e.g. active=37e9 total=700B.")
    ],
    model: Annotated[
        str | None,
        Parameter(help="ACTIVE/TOTAL parameters (37B/700B) or a model's name: what the equation takes of a model."),
    ] = None,
    kv_bytes: Annotated[str | None, Parameter(help="KV cache per token. [70k]")] = None,
    on: Annotated[str | None, Parameter(help="A system: its rates, memory, chips, price and H.")] = None,
    precision: Annotated[
        str | None, Parameter(help="Format of the weights; default: the model's own, fp8 for counts.")
    ] = None,
    sweep: Annotated[
        str | None,
        Parameter(help="Over one parameter: name=a..b (13 points in equal ratios), name=a..b:25, name=a,b,c."),
    ] = None,
    json: Json = False,
    csv: Csv = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Evaluate any equation of the lecture with your own numbers; without an id list them all."""
    from headway.catalog import use
    from headway.equations import ask as asked
    from headway.records import equations as records
    from headway.report import equations as report

    use(catalog)
    if not equation:
        _listed(json, csv, any(x is not None for x in (model, kv_bytes, on, precision, sweep, out)))
        return
    if out:
        from headway.figures.style import check

        check(out)
    a = asked(equation, _given(numbers), model=model, kv_bytes=kv_bytes, system=on, precision=precision, sweep=sweep)
    if out:
        from headway import figures

        figures.write_figure(figures.asked_figure(a), out)
    if json:
        emit(records.asked_record(a))
    elif csv:
        emit_csv(records.csv_rows(a))
    else:
        show(report.asked_text(a) + (f"\n\nchart written to {out}" if out else ""))


def _listed(json: bool, csv: bool, more: bool) -> None:
    from headway.errors import InputError
    from headway.records.equations import listed_records
    from headway.report.equations import list_text

    if more:
        raise InputError("ask needs an equation for that, like `headway ask E5`; `headway ask` lists them")
    if json:
        emit(listed_records())
    elif csv:
        emit_csv({k: r[k] for k in ("id", "section", "title", "formula", "said", "better")} for r in listed_records())
    else:
        show(list_text())


def _given(numbers: tuple[str, ...]) -> dict[str, str]:
    from headway.errors import InputError, quoted

    found: dict[str, str] = {}
    for text in numbers:
        name, sign, value = text.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise InputError(f"ask: {quoted(text)} must look like name=value, e.g. active=37e9")
        if name.strip() in found:
            raise InputError(f"ask: {name.strip()} is given twice")
        found[name.strip()] = value.strip()
    return found
