"""Options of how an endpoint is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from headway.cli.options import to_write


@Parameter(name="*")
@dataclass(frozen=True)
class How:
    """What to run, in words."""

    batches: Annotated[str, Parameter(help="Sequences that decode at once.")] = "1,2,4,8"
    contexts: Annotated[str, Parameter(help="Tokens of their prompts.")] = "64,384"
    prompts: Annotated[str | None, Parameter(help="Prompts computed alone; default: the contexts and between.")] = None
    answer: Annotated[int, Parameter(help="Tokens of each answer.")] = 48
    runs: Annotated[int, Parameter(help="Whole rounds over everything, at the most.")] = 5
    spend: Annotated[str, Parameter(help="Time for all of it.")] = "60s"
    load: Annotated[
        str | None, Parameter(help="Loads as users bring them: closed:8 (requests in flight), poisson:2 (a second).")
    ] = None
    requests: Annotated[int, Parameter(help="Requests of each load; 100 for a 99th percentile.")] = 32
    served: Annotated[str, Parameter(help="Its name on the server, where that has several.", show_default=False)] = ""
    pid: Annotated[int, Parameter(help="Process that must listen there: an old server is not the new one.")] = 0
    patience: Annotated[str, Parameter(help="Longest silence in an answer.")] = "30s"
    insecure: Annotated[
        bool, Parameter(negative="", show_default=False, help="Take a certificate that nobody vouches for.")
    ] = False
    chat: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Ask chat/completions; else only where it is all there is."),
    ] = False
    journal: Annotated[
        str | None, to_write("Keep every run as it comes, and go on from what is there: FILE.jsonl.", "--journal")
    ] = None
    save: Annotated[str | None, to_write("Fit a profile to it: --engine NAME then predicts the rest.", "--save")] = None
    profiles: Annotated[
        str | None, to_write("Catalogue folder that gets profiles/NAME.toml; default: yours.", "--profiles")
    ] = None
    replace: Annotated[bool, Parameter(negative="", show_default=False, help="Write over a profile of that name.")] = (
        False
    )


USUAL = How()
