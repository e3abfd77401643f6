"""The verb about the lab."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.options import Csv, Folder, Json, Out
from headway.cli.output import emit, emit_csv, names
from headway.cli.terminal import show


def lab(
    name: Annotated[
        str,
        Parameter(help="audit, or a system (decode, ..., or its id, B2); none lists them.", show_default=False),
    ] = "",
    model: Annotated[
        str,
        Parameter(
            help="Whose network runs at tiny widths, by comma for audit: a name or config.json.", show_default=False
        ),
    ] = "",
    *,
    layout: Annotated[
        str | None,
        Parameter(
            help="Of audit, by comma: a way of cutting over up to 8 host devices (tp8, cp4, pp2); of dispatch dpNepN."
        ),
    ] = None,
    leave_out: Annotated[
        str | None,
        Parameter(help="Of audit: what the program forgets, to see it noticed: shared, window, all-reduce, combine."),
    ] = None,
    steps: Annotated[int | None, Parameter(help="Of reversible and rl: steps of training.")] = None,
    keep: Annotated[
        str | None, Parameter(help="Of reversible: a file to keep the training in, and to go on from.")
    ] = None,
    json: Json = False,
    csv: Csv = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Run the lecture's systems for real, small, and audit the formulas with the programs that ran (needs the [lab] extra).

    `headway lab audit` compares seven families under five layouts each; with MODEL or --layout those named.
    """
    from headway.catalog import use

    use(catalog)
    if out:
        from headway.figures.style import check

        check(out)
    if not name:
        _listed(json)
    elif name.lower() == "audit":
        _refuse(steps=steps, keep=keep)
        _audit(names(model), names(layout or ""), leave_out or "", json, csv, out)
    else:
        options = {"layout": layout, "leave-out": leave_out, "steps": steps, "keep": keep}
        _demonstrate(name, model, options, json, csv, out)


def _refuse(**options: Any) -> None:
    from headway.errors import InputError

    for option, value in options.items():
        if value is not None:
            raise InputError(
                f"--{option}: belongs to `headway lab {'reversible or rl' if option == 'steps' else 'reversible'}`"
            )


def _listed(json: bool) -> None:
    from headway.lab import listed
    from headway.report.lab import list_text

    rows = listed()
    if json:
        emit([{"name": n, "system": i, "title": t} for n, i, t in rows])
    else:
        show(list_text(rows))


def _audit(models: list[str], layouts: list[str], leave_out: str, json: bool, csv: bool, out: str | None) -> None:
    from headway.cli.progress import Progress
    from headway.errors import InputError
    from headway.lab import audit, planned
    from headway.records.lab import audit_record, audit_rows
    from headway.report.lab import audits_text

    cells = planned(models, layouts)
    if out and len(cells) > 1:
        raise InputError("-o: draws one audit; name one MODEL and one --layout")
    audits: list[Any] = []
    with Progress(len(cells), "audit") as done:
        for one, layout in cells:
            audits.append(audit(one, layout, mutation=leave_out))
            done(f"{one} as {layout}")
    if out:
        from headway import figures

        figures.write_figure(figures.audit_figure(audits[0]), out)
    if json:
        emit(audit_record(audits[0]) if len(audits) == 1 else [audit_record(a) for a in audits])
    elif csv:
        emit_csv(audit_rows(audits))
    else:
        text = audits[0].text() if len(audits) == 1 else audits_text(audits)
        show(text + (f"\n\nchart written to {out}" if out else ""))


def _demonstrate(name: str, model: str, options: dict[str, Any], json: bool, csv: bool, out: str | None) -> None:
    from headway.lab import demonstrate

    d = demonstrate(name, model, **options)
    if out:
        from headway import figures

        figures.write_figure(figures.lab_figure(d), out)
    if json:
        emit(d.to_dict())
    elif csv:
        emit_csv(d.rows)
    else:
        show(d.text() + (f"\n\nchart written to {out}" if out else ""))
