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
)

Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print the answer as JSON.")]
Csv = Annotated[bool, Parameter(name="--csv", negative="", show_default=False, help="Print the table as CSV.")]
Why = Annotated[
    bool, Parameter(name="--why", negative="", show_default=False, help="Say where each number comes from.")
]
Out = Annotated[str | None, Parameter(name=["-o", "--out"], help="Write a chart: FILE.svg, .png, .pdf, .html, .json.")]
Folder = Annotated[
    tuple[str, ...],
    Parameter(
        name="--catalog", negative="", show_default=False, help="A folder with your own chips.csv, systems.csv, models."
    ),
]
