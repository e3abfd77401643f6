"""The verb about the machine at hand."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from headway.cli.options import Csv, Folder, Json, to_write


def machine(
    *,
    runs: Annotated[int, Parameter(help="Whole runs, each in processes of its own.")] = 3,
    spend: Annotated[str | None, Parameter(help="On each thing in each run; default: 300ms. [1s]")] = None,
    as_: Annotated[
        str | None, Parameter(name="--as", help="What it is called in the catalogue, to compare with the datasheet. [h100]")
    ] = None,
    name: Annotated[str, Parameter(help="With -o: what the chip is called, for --on NAME.")] = "mine",
    out: Annotated[
        str | None, to_write("Write it as a chip to chips.csv of this folder, for --catalog FOLDER.")
    ] = None,
    json: Json = False,
    csv: Csv = False,
    catalog: Folder = (),
) -> None:  # fmt: skip
    """Measure this machine: memory bandwidth and matrix products by precision, over several runs, beside its datasheet."""
    from headway import units
    from headway.catalog import use
    from headway.cli.output import emit, emit_csv
    from headway.cli.progress import Progress
    from headway.cli.terminal import show
    from headway.errors import InputError
    from headway.measure.machine import LIBRARIES, measure_machine
    from headway.measure.machine_file import checked_folder, write_chip
    from headway.records.machine import machine_rows

    use(catalog)
    if not 1 <= runs <= 1000:
        raise InputError(f"--runs: {runs} must be 1 to 1,000")
    if out is not None:
        checked_folder(out)
    each = 0.3 if spend is None else units.parse(spend, units.SECONDS, "--spend")
    with Progress(runs * len(LIBRARIES), "measuring") as told:
        found = measure_machine(runs, each, as_ or "", told)
    said: list[str] = []
    if out is not None:
        for m in found:
            called = name if len(found) == 1 else f"{name}-{'cpu' if m.device == 'cpu' else 'gpu'}"
            file = write_chip(m.row(called), out)
            said.append(f"written to {file}; use it: --on {called} --catalog {out}")
    if csv:
        emit_csv(machine_rows(found))
    elif json:
        emit([m.to_dict() for m in found])
    else:
        show("\n\n".join([*(m.text() for m in found), *said]))
