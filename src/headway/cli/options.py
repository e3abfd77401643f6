"""Options that several verbs share."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from headway._version import __version__

app = App(
    name="headway",
    help="What an LLM token costs, and why: from chip and model config to latency, throughput and dollars.",
    version=__version__,
    help_format="plaintext",
)

Quantity = str | None
Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print the answer as JSON.")]
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
On = Annotated[str, Parameter(name="--on", help="System or chip, CHIPxN, or several by comma: h200x8,gb200-nvl72.")]
Convention = Annotated[
    Literal["kernels", "machine"],
    Parameter(help="kernels: one after another. machine: everything overlaps (the lecture's)."),
]

Engine = Annotated[
    str,
    Parameter(
        name=["--engine", "--calibration"],
        help="modern (pooled), sglang, trtllm, vllm, llama.cpp, transformers, your own, or ideal (the lower bound).",
    ),
]
