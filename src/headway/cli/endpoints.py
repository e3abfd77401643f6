"""Options of how a running server is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from headway.cli.options import to_write


@Parameter(name="*")
@dataclass(frozen=True)
class How:
    """How somebody watches, in words."""

    served: Annotated[str, Parameter(help="Its name on the server, where that has several.", show_default=False)] = ""
    every: Annotated[str, Parameter(help="Time between two scrapes.")] = "5s"
    count: Annotated[int | None, Parameter(help="End after so many.")] = None
    once: Annotated[bool, Parameter(negative="", show_default=False, help="One reading, then end.")] = False
    ttft: Annotated[str | None, Parameter(help="Limit of the mean time to the first token. [500ms]")] = None
    tpot: Annotated[str | None, Parameter(help="Limit of the mean time between two tokens. [30ms]")] = None
    past: Annotated[
        str | None, to_write("Compare with the readings of this file, and add these: FILE.jsonl.", "--past")
    ] = None
    export: Annotated[str | None, Parameter(help="Serve own Prometheus metrics at this port. [9401]")] = None
    dashboard: Annotated[
        str | None, to_write("Write a Grafana dashboard of those metrics: FILE.json.", "--dashboard")
    ] = None
    insecure: Annotated[
        bool, Parameter(negative="", show_default=False, help="Take a certificate that nobody vouches for.")
    ] = False


USUAL = How()
