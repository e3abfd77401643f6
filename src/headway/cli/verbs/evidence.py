"""The verbs about evidence: predict, validate, calibrate. Nothing heavy is imported until one runs."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from headway.cli.options import Folder, Json, to_write


def predict(
    file: Annotated[
        str,
        Parameter(
            help="CSV with a row per case: what serving benchmarks write (docs/predict.md; names of columns: headway catalog columns)."
        ),
    ],
    *,
    out: Annotated[
        str | None,
        to_write(
            "Write the table with predictions here, or the chart (.svg, .png, .pdf, .html, .json); else it is printed."
        ),
    ] = None,
    engine: Annotated[str | None, Parameter(help="Take this engine or profile for every row.")] = None,
    json: Json = False,
    catalog: Folder = (),
) -> None:
    """Predict TTFT, TPOT and throughput for every row of a table, each with its 80 % interval and its floor.

    A row that cannot be answered says why in the column `refused`; the others are answered.
    """
    from headway.cli import evidence

    evidence.predict(file, out, engine, json=json, catalog=catalog)


def validate(
    *,
    by: Annotated[
        Literal["chip", "model", "engine", "layout", "set"] | None, Parameter(help="Split the tables.")
    ] = None,
    out: Annotated[
        str | None,
        to_write("Write the report: FILE.html, or its chart: .svg, .png, .pdf, .json."),
    ] = None,
    leave_out: Annotated[
        Literal["pair", "generation", "engine", "family", "load", "measurer"],
        Parameter(help="What the fit of a prediction has not seen: its (model, chip), or the whole of one of these."),
    ] = "pair",
    training: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Of measured training steps instead; takes three CPU minutes."),
    ] = False,
    json: Json = False,
    csv: Annotated[
        bool, Parameter(name="--csv", negative="", show_default=False, help="Print the table as CSV.")
    ] = False,
    catalog: Folder = (),
) -> None:
    """Predict all shipped evidence out of fold and say how wrong that is, beside two simpler models. Takes a CPU minute."""
    from headway.cli import evidence

    if training:
        evidence.validate_training(json=json, csv=csv, catalog=catalog)
        return
    evidence.validate(by, out, leave_out, json=json, csv=csv, catalog=catalog)


def calibrate(
    file: Annotated[
        str | None,
        Parameter(help="Your measurements, in the schema of docs/predict.md; none refits the shipped evidence."),
    ] = None,
    *,
    name: Annotated[str | None, Parameter(help="Name of your profile, used as --engine NAME.")] = None,
    engine: Annotated[str | None, Parameter(help="Profile to start from; default: the engine of most rows.")] = None,
    out: Annotated[
        str | None,
        to_write("Catalogue folder that gets profiles/NAME.toml; default: yours."),
    ] = None,
    replace: Annotated[bool, Parameter(negative="", help="Write over a profile of that name.")] = False,
    show: Annotated[str | None, Parameter(help="Print a profile's numbers instead: --show sglang.")] = None,
    json: Json = False,
    catalog: Folder = (),
) -> None:
    """Fit a profile to your own measurements; it says which numbers they could not determine."""
    from headway.cli import evidence

    evidence.calibrate(file, name, engine, out, show, replace=replace, json=json, catalog=catalog)
