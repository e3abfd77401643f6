"""The verb about how large a model should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json, Out, Why
from headway.cli.telling import tell
from headway.questions import Request

if TYPE_CHECKING:
    from headway.plan.lifetime import Lifetime

_OTHERS = ("batch", "concurrency", "arrivals", "load")
_Tokens = Annotated[str, Parameter(help="That the model is trained on: with its size, how good it is. [15T]")]
_Demand = Annotated[str | None, Parameter(help="Tokens to serve in its life. [200T]")]
_Traffic = Annotated[str | None, Parameter(help="Instead: tokens per second that it serves. [50M/s]")]
_Days = Annotated[float, Parameter(help="For so many days.")]
_Rl = Annotated[str, Parameter(name="--rl-tokens", help="That reinforcement generates. [100T]")]
_Trained = Annotated[str, Parameter(help="Share of them that is trained on. [25%]")]
_Idle = Annotated[
    str | None, Parameter(name="--rl-idle", help="Share of its chips' time that idles, as `headway rl` finds it. [60%]")
]
_TrainOn = Annotated[str, Parameter(help="System that trains.")]
_TrainPrice = Annotated[str | None, Parameter(help="Of a chip of that. [2.5/h]")]
_Law = Annotated[str | None, Parameter(help="Of `headway catalog scaling_laws`; default: all.")]


@asks(Request, leave_out=_OTHERS)
def lifetime(
    asked: dict[str, Any],
    *,
    tokens: _Tokens,
    demand: _Demand = None,
    traffic: _Traffic = None,
    days: _Days = 60.0,
    rl_tokens: _Rl = "0",
    trained: _Trained = "25%",
    rl_idle: _Idle = None,
    train_on: _TrainOn = "h100x1024",
    train_price: _TrainPrice = None,
    law: _Law = None,
    json: Json = False,
    csv: Csv = False,
    why: Why = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Find the size of model that costs least over its life at equal quality: training, reinforcement and serving, from their plans.

    Released models lie beside: over-trained by how much, and the demand that justifies it. --csv is the sizes, law by law.
    """
    from headway import units
    from headway.catalog import use
    from headway.plan.lifetime import lifetime_plan
    from headway.plan.train import TrainingQuestion

    use(catalog)
    if out:
        from headway.figures.style import check

        check(out)
    request = Request(**given(asked))
    rent = None if train_price is None else units.parse(train_price, units.DOLLARS_PER_SECOND, "--train-price")
    q = TrainingQuestion(request.model, train_on, units.parse(tokens, units.TOKENS, "--tokens"), price=rent)
    found = lifetime_plan(
        request, q, _served(demand, traffic, days), rollouts=units.parse(rl_tokens, units.TOKENS, "--rl-tokens"),
        trained=units.portion(trained), idle=units.portion(rl_idle or "0"), law=law,
    )  # fmt: skip
    _tell(found, out, json=json, csv=csv, why=why)


def _tell(found: Lifetime, out: str | None, *, json: bool, csv: bool, why: bool) -> None:
    from headway.records.lifetimes import sizes
    from headway.report.why_training import lifetime_why_rows

    tell(
        found, out, json=json, csv=csv, figure="lifetime_figure", why=(lambda: lifetime_why_rows(found)) if why else None,
        rows=lambda: sizes(found),
    )  # fmt: skip


def _served(demand: str | None, traffic: str | None, days: float) -> float:
    """Tokens that the model serves in its life. [tokens]"""
    from headway import units
    from headway.errors import InputError

    if demand is not None and traffic is None:
        return units.parse(demand, units.TOKENS, "--demand")
    if traffic is not None and demand is None:
        return units.parse(traffic.removesuffix("/s"), units.TOKENS, "--traffic") * days * 86400
    raise InputError("lifetime needs --demand 200T, or --traffic 50M/s with --days 60")
