"""The verb about a service's fleet and its money."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json, Out
from headway.cli.simulated import LaterLimit, Limit, Seed
from headway.questions import Request

_OTHERS = ("arrivals", "batch", "concurrency", "overlap", "load", "rounds")
_Users = Annotated[str, Parameter(help="Of the service. [1M]")]
_PerDay = Annotated[str, Parameter(help="Requests of each user per day. [10]")]
_Curve = Annotated[
    str,
    Parameter(help="When they come: flat, conversation, office, or a CSV file with a row per hour (`headway catalog load_curves`)."),
]  # fmt: skip
_Within = Annotated[str | None, Parameter(help="Share of requests that must meet both limits; default 90%. [99%]")]
_Spare = Annotated[int, Parameter(help="Systems beyond those that carry the busiest hour, for when one fails.")]
_Elastic = Annotated[
    bool, Parameter(negative="", show_default=False, help="Pay for each hour's own fleet, not for the busiest hour's all day.")
]  # fmt: skip
_Owned = Annotated[
    bool, Parameter(negative="", show_default=False, help="The chips are owned: capex, hall, power and failures instead of a rent.")
]  # fmt: skip
_Assume = Annotated[
    str | None, Parameter(help="Inputs of the owned price instead of the catalogue's (`headway catalog owned`). [capex=25k,life=4]")
]  # fmt: skip
_Sell = Annotated[
    str,
    Parameter(help="What it sells at: tiers (as `headway tiers` designs), input=0.5,output=2 ($/Mtok), or a price list: [PROVIDER/]MODEL."),
]  # fmt: skip
_Margin = Annotated[str, Parameter(help="Of the sheet that tiers designs, at full load. [60%]")]
_Seeds = Annotated[int, Parameter(help="Repeats of one replica's simulation.")]
_Years = Annotated[int | None, Parameter(help="Years ahead: which systems to add when, bought or rented. [5]")]
_Growth = Annotated[str | None, Parameter(help="Of demand, per year. [50%]")]
_Generations = Annotated[
    str | None, Parameter(help="Systems that may be added, by comma, with a rent where the catalogue's is not meant. [h200x8,b200x8@4/h]")
]  # fmt: skip
_Fall = Annotated[
    str | None, Parameter(help="Share by which rents and prices of a given system fall per year; default none. [20%]")
]
_Start = Annotated[int | None, Parameter(help="First year; default: the catalogue's newest rental price's. [2027]")]


@asks(Request, leave_out=_OTHERS)
def fleet(
    asked: dict[str, Any],
    *,
    users: _Users,
    requests_per_day: _PerDay,
    load_curve: _Curve = "flat",
    ttft: Limit = None,
    tpot: LaterLimit = None,
    within: _Within = None,
    spare: _Spare = 0,
    elastic: _Elastic = False,
    owned: _Owned = False,
    assume: _Assume = None,
    sell: _Sell = "tiers",
    margin: _Margin = "50%",
    years: _Years = None,
    growth: _Growth = None,
    generations: _Generations = None,
    price_fall: _Fall = None,
    start: _Start = None,
    seeds: _Seeds = 2,
    seed: Seed = 0,
    json: Json = False,
    csv: Csv = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Size and price a service: users and their day to chips, $ a month, margin, the scale that pays, and the years ahead.

    --csv is cost and fleet against scale. -o draws that and the day.
    """
    from headway import units
    from headway.catalog import use
    from headway.cli.fleeting import Ahead, look
    from headway.plan.fleets import Money
    from headway.plan.operations import margin as read_margin
    from headway.plan.slo import share_of

    use(catalog)
    many = units.parse(users, units.COUNT, "--users"), units.parse(requests_per_day, units.COUNT, "--requests-per-day")
    ahead = Ahead(years, growth, generations, price_fall, start)
    limits = {"ttft": ttft, "tpot": tpot, "within": share_of(within), "curve": load_curve, "seeds": seeds, "seed": seed}
    money = Money(None, sell, read_margin(margin), elastic, spare)
    look(Request(**given(asked)), many, limits, money, (owned, assume), ahead, json=json, csv=csv, out=out)
