"""What `headway search` does: read limits, look, print, and show how far it is when that takes long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from headway import catalog as facts
from headway import units
from headway.cli.commands import emit, emit_csv
from headway.cli.progress import Progress
from headway.errors import InputError
from headway.search import STAGES, Answer, Query, search_layouts
from headway.search.grid import QUANTITIES


def query(model: str, on: str, chips: str | None, typed: Mapping[str, str | None], words: Mapping[str, Any]) -> Query:
    """Return the query that the options ask for.

    Raises
    ------
    InputError
        When an option is not the quantity that it should be.
    """
    read = {k: units.parse(v, QUANTITIES[k], f"--{k}") for k, v in typed.items() if v is not None}
    count, at_most = _chips(chips)
    systems = tuple(part.strip() for part in on.split(",") if part.strip())
    given = {k: v for k, v in words.items() if v is not None}
    return Query(model=model, systems=systems, chips=count, at_most=at_most, **cast(dict[str, Any], {**read, **given}))


def _chips(text: str | None) -> tuple[int | None, bool]:
    """Read ``72`` (all paid) or ``..72`` (as many as a layout uses)."""
    if text is None:
        return None, False
    at_most = text.strip().startswith("..")
    number = text.strip().removeprefix("..")
    if not number.isdigit() or int(number) < 1:
        raise InputError(f"--chips: {text!r} is not a number of chips; write 72, or ..72 for at most 72")
    return int(number), at_most


def run(asked: Query, *, json: bool, csv: bool, why: bool, out: str | None, catalog: tuple[str, ...]) -> None:
    """Search and print."""
    from headway import figures, report
    from headway.search import records

    facts.use(catalog)
    if out:
        figures.check(out)
    with Progress(len(asked.systems) * len(STAGES)) as shown:
        answer = search_layouts(asked, shown)
    if out:
        figures.write(figures.search_figure(answer), out)
    if json:
        emit(records.record(answer) | ({"why": why_rows(answer)} if why else {}))
        return
    if csv:
        emit_csv(records.rows(answer))
        return
    print(report.search_text(answer))
    if why:
        print("\nwhere the numbers come from")
        print("\n".join(f"  {r['what']:<12} {r['value']}  [{r['source']}]" for r in why_rows(answer)))
    if out:
        print(f"\nchart written to {out}")


def why_rows(answer: Answer) -> list[dict[str, str]]:
    """Return where the numbers of a search come from."""
    best = answer.best
    where, numbers = best.found.where, best.found.where.numbers
    chip, m = where.system.chip, where.model
    price = "none" if where.system.price is None else f"${where.system.price * 3600:.2f} per chip-hour"
    return [
        {"what": "model", "value": f"{m.total_parameters:,} parameters from config.json", "source": m.source},
        {"what": "chip", "value": f"{chip.name}: {units.si(chip.bandwidth, 'B/s')}, {units.si(chip.memory, 'B')}",
         "source": f"{chip.source} ({chip.date})"},
        {"what": "price", "value": price, "source": where.system.price_note or "no price in the catalogue"},
        {"what": "engine", "value": numbers.name, "source": numbers.provenance},
        {"what": "passes", "value": "step_time of every layout and batch, kernels one after another", "source": "lecture E1 to E3"},
        {"what": "load", "value": "closed loop in mean values; pools for prompts by rate matching",
         "source": "Schweitzer 1979; Allen and Cunneen"},
        {"what": "queue", "value": "chance that a request finds every seat taken", "source": "Erlang 1917; Halfin and Whitt 1981"},
        {"what": "intervals", "value": "80 % of out-of-fold errors of the engine's evidence", "source": numbers.provenance},
    ]  # fmt: skip
