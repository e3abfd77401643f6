"""The application, and options that are no part of any question."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from headway._version import __version__

app = App(
    name="headway",
    help="What an LLM token costs, and why: from chip and model config to latency, throughput and dollars.",
    version=__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # `run` says what a stopped verb leaves
)

Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print the answer as JSON.")]
Csv = Annotated[bool, Parameter(name="--csv", negative="", show_default=False, help="Print the table as CSV.")]
Why = Annotated[
    bool, Parameter(name="--why", negative="", show_default=False, help="Say where each number comes from.")
]


def to_write(what: str, *names: str) -> Parameter:
    """Return the option that names what a verb writes; an empty name (a variable that is not set) is refused, not ignored."""
    return Parameter(name=list(names or ("-o", "--out")), help=what, validator=_named)


def _named(_: object, value: str | None) -> None:
    if value is not None and not value.strip():
        raise ValueError("an empty name; give the file or folder to write, like -o out.html")


Out = Annotated[str | None, to_write("Write a chart: FILE.svg, .png, .pdf, .html, .json.")]
Perfetto = Annotated[
    str | None, to_write("Write passes, requests and counters for ui.perfetto.dev: FILE.json, .json.gz.", "--perfetto")
]
Parquet = Annotated[str | None, to_write("Write every request's times as Parquet: FILE.parquet.", "--parquet")]
Folder = Annotated[
    tuple[str, ...],
    Parameter(
        name="--catalog", negative="", show_default=False, help="A folder with your own chips.csv, systems.csv, models."
    ),
]
