"""The verb about running servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks
from headway.cli.options import Folder, Json, to_write
from headway.questions import Request

_OTHERS = ("model", "arrivals", "batch", "concurrency", "load", "rounds", "length_spread", "hits")
_Url = Annotated[
    str,
    Parameter(
        help="The server's metrics: http://127.0.0.1:8000/metrics; without a path /metrics is taken.",
        show_default=False,
    ),
]
_Model = Annotated[
    str | None, Parameter(help="Model that it serves: name, path to config.json or its folder, or hub id.")
]


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


_USUAL = How()


@asks(Request, leave_out=_OTHERS, optional=("system",))
def watch(
    asked: dict[str, Any],
    url: _Url = "",
    *,
    model: _Model = None,
    how: How = _USUAL,
    json: Json = False,
    catalog: Folder = (),
) -> None:
    """Read a running server's metrics (vLLM, SGLang, TensorRT-LLM, TGI, llama.cpp) and set it beside its roofline, live.

    No load is added. A token in HEADWAY_METRICS_TOKEN is sent along. With --dashboard alone nothing is read.
    """
    from headway.catalog import use
    from headway.cli import scraping

    use(catalog)
    if how.dashboard is not None:
        scraping.write_dashboard(how.dashboard)
        if not url:
            return
    scraping.watched(url, model, asked, how, json=json)
