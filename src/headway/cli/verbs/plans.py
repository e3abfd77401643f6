"""The verbs about one layout: plan, curve, speculate. Names and help only, so that ``headway --help`` starts fast."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from headway.cli.asking import asks
from headway.cli.options import Csv, Folder, Json, Out, Why, app
from headway.questions import Request


@app.command
@asks(Request)
def plan(asked: dict[str, Any], *, json: Json = False, why: Why = False, out: Out = None, catalog: Folder = ()) -> None:
    """Plan a service: what batch to run, what latency to promise, what a token costs, and why.

    Several models and systems by comma stand side by side.
    """
    from headway.cli import commands

    commands.plan(asked, json=json, why=why, out=out, catalog=catalog)


@app.command
@asks(Request, leave_out=("arrivals",))
def curve(
    asked: dict[str, Any],
    *,
    against: Annotated[
        Literal["batch", "context", "tokens"],
        Parameter(help="batch, context, or tokens (new tokens per sequence and pass: 1 is decode, many is prefill)."),
    ] = "batch",
    points: Annotated[int, Parameter(help="How many points on the log scale.")] = 25,
    json: Json = False,
    csv: Csv = False,
    why: Why = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Sweep latency and cost against batch, context or tokens per pass, with the lines they are made of."""
    from headway.cli import commands

    commands.curve(asked, against=against, points=points, json=json, csv=csv, why=why, out=out, catalog=catalog)


@app.command
@asks(Request, leave_out=("arrivals", "drafts", "overlap", "load", "rounds"))
def speculate(
    asked: dict[str, Any],
    *,
    draft: Annotated[
        str | None,
        Parameter(
            help="What drafts: a small model, mtp (the model's own module) or lookup (costs nothing); default: mtp where there is one."
        ),
    ] = None,
    acceptance: Annotated[
        float | None,
        Parameter(help="Chance that a drafted token is accepted (0.8); default: the engine's, from runs with MTP."),
    ] = None,
    length: Annotated[int | None, Parameter(help="Drafted tokens per pass; default 3.")] = None,
    json: Json = False,
    csv: Csv = False,
    catalog: Folder = (),
) -> None:
    """Say where drafting tokens helps (speculative decoding, MTP), and the batch from which it hurts."""
    from headway.cli import commands

    commands.speculate(asked, draft, acceptance, length, json=json, csv=csv, catalog=catalog)
