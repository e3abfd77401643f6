"""The verb about running servers."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks
from headway.cli.endpoints import USUAL, How
from headway.cli.options import Folder, Json
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


@asks(Request, leave_out=_OTHERS, optional=("system",))
def watch(
    asked: dict[str, Any],
    url: _Url = "",
    *,
    model: _Model = None,
    how: How = USUAL,
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
