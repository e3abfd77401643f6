"""What `headway fleet` does: read its own options, size, look ahead, and print."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from headway.cli.output import emit, emit_csv
from headway.cli.progress import Stages
from headway.cli.terminal import show
from headway.economics.owned import read_assumed
from headway.errors import InputError
from headway.plan.fleet_years import Years, read_growth, with_years
from headway.plan.fleets import Money, plan_fleet
from headway.plan.operations import share
from headway.questions import Request
from headway.records.fleets import fleet_record, fleet_row


class Ahead(NamedTuple):
    """Options about the years ahead, as they were typed."""

    years: int | None
    growth: str | None
    generations: str | None
    fall: str | None
    start: int | None


def look(
    request: Request, many: tuple[float, float], limits: dict[str, Any], money: Money, owned: tuple[bool, str | None], ahead: Ahead, *,
    json: bool, csv: bool, out: str | None,
) -> None:  # fmt: skip
    """Size a service and print it, draw it where that is asked for."""
    if out:
        from headway.figures.style import check

        check(out)
    assumed = {} if owned[1] is None else read_assumed(owned[1])
    later = _ahead(ahead, assumed)
    if owned[1] is not None and not owned[0] and later is None:
        raise InputError("--assume is for chips that are owned: give --owned, or --years, too")
    money = dataclasses.replace(money, owned=assumed if owned[0] else None)
    with Stages() as tell:
        found = plan_fleet(request, *many, money=money, tell=tell, **limits)
        if later is not None:
            found = with_years(found, request, later, limits["seed"], tell)
    if out:
        from headway import figures

        figures.write_figure(figures.fleet_figure(found), out)
    if json:
        emit(fleet_record(found))
    elif csv:
        emit_csv([_flat(fleet_row(s, found.revenue)) for s in found.scales])
    else:
        show(found.text())
        if out:
            show(f"\nchart written to {out}")


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k != "factors"} | {
        f"times_{k.replace(' ', '_')}": v for k, v in row["factors"].items()
    }


def _ahead(said: Ahead, assumed: dict[str, float]) -> Years | None:
    """The years ahead; None where nobody asks for them."""
    if said.years is None:
        given = [
            n for n, x in zip(("growth", "generations", "price-fall", "start"), said[1:], strict=True) if x is not None
        ]
        if given:
            raise InputError(f"--{given[0]} is for the years ahead: give --years, too, like --years 5")
        return None
    names = tuple(x.strip() for x in (said.generations or "").split(",") if x.strip())
    growth = 1.0 if said.growth is None else read_growth(said.growth)
    fall = 0.0 if said.fall in (None, "0", "0%") else share(said.fall or "", "--price-fall")
    return Years(said.years, growth, names, fall, said.start, assumed)
