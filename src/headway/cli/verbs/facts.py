"""The verbs about facts: lecture and catalog. Nothing heavy is imported until one runs."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from headway.cli.options import Folder, Json
from headway.cli.output import emit, emit_csv
from headway.cli.terminal import show


def lecture(
    *,
    set_: Annotated[
        tuple[str, ...],
        Parameter(name="--set", negative="", show_default=False, help="Override an input: --set n_active=37e9."),
    ] = (),
    json: Json = False,
    why: Annotated[
        bool, Parameter(name="--why", negative="", show_default=False, help="List the inputs and what they are.")
    ] = False,
    catalog: Folder = (),
) -> None:
    """Reproduce every headline of the lecture from about a dozen inputs, ours beside the lecture's."""
    import dataclasses

    from headway import lecture as proof
    from headway.catalog import use
    from headway.errors import InputError, quoted
    from headway.report.lecture import lecture_text

    use(catalog)
    given: dict[str, str] = {}
    for text in set_:
        name, sign, value = text.partition("=")
        if not sign:
            raise InputError(f"--set {quoted(text)} must look like name=value, e.g. n_active=37e9")
        given[name.strip()] = value.strip()
    chosen = proof.inputs(given)
    rows = proof.headlines(chosen)
    if json:
        emit([r.record() for r in rows])
        return
    show(lecture_text(rows, changed=bool(given)))
    if why:
        show("\ninputs")
        for f in dataclasses.fields(chosen):
            show(f"  {f.name:<18} {getattr(chosen, f.name):<12g} {f.metadata['about']}")


def catalog(
    table: Annotated[
        str, Parameter(help="chips, systems, models, prices, claims, formats, ...", show_default=False)
    ] = "",
    query: Annotated[str, Parameter(help="Words that a row must contain.", show_default=False)] = "",
    *,
    json: Json = False,
    csv: Annotated[
        bool, Parameter(name="--csv", negative="", show_default=False, help="Print the rows as CSV.")
    ] = False,
    folder: Folder = (),
) -> None:
    """List or search the facts that headway knows, each with source and date."""
    from headway import tables
    from headway.catalog import use, user_folder

    known = use(folder)
    if not table:
        names = known.names()
        rows = [{"table": n, "rows": len(known.table(n).rows)} for n in names]
        if json:
            emit(rows)
        else:
            show(tables.table_text(["table", "rows"], [[r["table"], r["rows"]] for r in rows]))
            show("\nheadway catalog TABLE [WORDS] lists one; your own files go to " + str(user_folder()))
        return
    found = tables.catalogue_rows(table, query)
    if not found and query and table in ("chips", "systems", "models"):
        known.row(table, query, table[:-1])  # an unknown name: say what is near
    if json:
        emit(found)
    elif csv:
        emit_csv(found)
    else:
        shown = "measurements" if table == "evidence" and query else tables.TABLES.get(table, table)
        show(tables.catalogue_text(shown, found))
