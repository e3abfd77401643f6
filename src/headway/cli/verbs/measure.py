"""The verb about live endpoints."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks
from headway.cli.loading import USUAL, How
from headway.cli.options import Csv, Folder, Json, Out
from headway.questions import Request

_OTHERS = (
    "model", "context", "prompt", "output", "arrivals", "batch", "concurrency", "load", "rounds", "length_spread", "hits", "price",
)  # fmt: skip
_Url = Annotated[str, Parameter(help="An OpenAI-compatible server: http://127.0.0.1:8000/v1.")]
_Model = Annotated[
    str | None, Parameter(help="Model that it serves: name, path to config.json or .gguf, or hub id; with --on.")
]


@asks(Request, leave_out=_OTHERS, optional=("system",))
def measure(
    asked: dict[str, Any],
    url: _Url,
    *,
    model: _Model = None,
    how: How = USUAL,
    out: Out = None,
    json: Json = False,
    csv: Csv = False,
    catalog: Folder = (),
) -> None:
    """Load a live endpoint, and say how far it is from its roofline, and why: step = a + b C + c C L, knee, habits (docs/measure.md).

    A key in HEADWAY_API_KEY or OPENAI_API_KEY is sent along, and never shown. With --csv the rows are as `headway calibrate` reads them.
    """
    from headway.catalog import use
    from headway.cli import measuring

    use(catalog)
    measuring.measured(url, model, asked, how, out, json=json, csv=csv)
