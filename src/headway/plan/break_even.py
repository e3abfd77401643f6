"""Self-hosting an open-weight model against its API prices: capacity within an SLO is simulated, not typed in."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from headway import units
from headway.catalog import catalogue
from headway.economics.bills import exact
from headway.economics.offers import Offer, offers
from headway.economics.quotes import Quote, Workload, quote
from headway.economics.self_hosting import Crossing, Rent, break_even, margin
from headway.errors import InputError, quoted
from headway.hardware import System
from headway.plan.benches import Window
from headway.plan.capacity import Capacity, find_capacity
from headway.questions import Request
from headway.shown import Shown

BLOCK = 128  # tokens that a simulated cache is told apart by
_COUNT = "2000"  # requests of a run
_SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)  # of a system's capacity, for the table of loads

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Limits:
    """An SLO as it is asked for.

    Attributes
    ----------
    ttft, tpot : float or None
        Longest time to the first token, and per token after it. [s]
    within : float or None
        Share of requests that must meet both. [share]
    """

    ttft: float | None = None
    tpot: float | None = None
    within: float | None = None


@dataclass(frozen=True)
class Cell:
    """Self-hosting within one SLO, at one share of cache hits.

    Attributes
    ----------
    hits : float
        Of the prompt's tokens. [share]
    limits : Limits
    capacity : Capacity
        Of one system.
    cheapest : Quote
        Of the quotes that lie not far off their peers.
    median : Decimal
        Bill of a request at the median provider. [$/request]
    quotes : tuple of Quote
        Of all providers, the cheapest first.
    """

    hits: float
    limits: Limits
    capacity: Capacity
    cheapest: Quote
    median: Decimal
    quotes: tuple[Quote, ...]

    @property
    def carried(self) -> Decimal:
        """Requests per second of one system. [requests/s]"""
        return exact(self.capacity.most.value.value)

    @property
    def least(self) -> Decimal:
        """Bill of a request at the cheapest provider. [$/request]"""
        return _total(self.cheapest)


@dataclass(frozen=True, repr=False)
class BreakEven(Shown):
    """Self-hosting against API prices.

    Attributes
    ----------
    model : str
    work : Workload
    day : date
    rents : tuple of Rent
    busy : Decimal
        Hours of a day in which requests come. [h]
    cells : tuple of Cell
        By SLO, then by share of cache hits.
    notes : tuple of str
    """

    RECORD = "headway.records.bills:break_even_record"
    TEXT = "headway.report.break_even:break_even_text"

    model: str
    work: Workload
    day: datetime.date
    rents: tuple[Rent, ...]
    busy: Decimal
    cells: tuple[Cell, ...]
    notes: tuple[str, ...]

    @property
    def system(self) -> System:
        """What is rented."""
        return self.cells[0].capacity.setting.system

    def crossing(self, cell: Cell, rent: Rent, api: Decimal) -> Crossing:
        """Return where a rent and a price meet.

        Parameters
        ----------
        cell : Cell
        rent : Rent
        api : Decimal
            Bill of a request. [$/request]
        """
        if cell.carried <= 0:
            return Crossing(None, None, 0)
        return break_even(api, cell.carried, rent.per_busy_second(self.busy))

    def loads(self, cell: Cell) -> list[tuple[float, Decimal, list[tuple[Decimal, Decimal]]]]:
        """Return shares of a system's capacity: the rate, and for each rent what a request costs and what is saved. [1, requests/s, $]

        Parameters
        ----------
        cell : Cell
        """
        found: list[tuple[float, Decimal, list[tuple[Decimal, Decimal]]]] = []
        for share in _SHARES if cell.carried > 0 else ():
            rate = cell.carried * exact(share)
            each = [r.per_busy_second(self.busy) for r in self.rents]
            found.append((share, rate, [(e / rate, margin(rate, cell.least, cell.carried, e)) for e in each]))
        return found

    def brief(self) -> str:
        """Return the first cell in one line."""
        cell, rent = self.cells[0], self.rents[0]
        at = self.crossing(cell, rent, cell.least).first
        said = "never" if at is None else f"from {units.rate(float(at))} requests/s"
        return f"{self.model} on {self.system.name}, {rent.name}: pays {said} against {cell.cheapest.offer.name}"


def _total(q: Quote) -> Decimal:
    return q.bill.total if q.bill else Decimal(0)


def read_hits(text: str | None, work: Workload) -> list[float]:
    """Read shares of cache hits by comma; without them that of the workload, or none, half and nine tenths. [share]

    Raises
    ------
    InputError
        For what is no share below 1.
    """
    if text is None:
        return [float(work.cached / work.prompt)] if work.cached else [0.0, 0.5, 0.9]
    found: list[float] = []
    for part in text.split(","):
        said = part.strip()
        try:
            share = float(said.rstrip("%")) / (100 if said.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 <= share < 1:
            raise InputError(f"--hits: {quoted(part)}; shares below 1 are needed, like 0,50%,90%")
        found.append(share)
    return found


def rents_of(system: System, on_demand: float | None, reserved: float | None, busy: Decimal) -> tuple[Rent, ...]:
    """Return the rents of a whole system: on demand for the hours that it is busy, reserved for all of them.

    Parameters
    ----------
    system : System
    on_demand, reserved : float or None
        Rent of a chip instead of the catalogue's. [$/s]
    busy : Decimal
        Hours of a day in which requests come. [h]

    Raises
    ------
    InputError
        When nobody knows a price.
    """
    found: list[Rent] = []
    many = units.some(system.chips, "chip")
    price = on_demand if on_demand is not None else system.price
    if price is not None:
        per_chip = _per_hour(price)
        note = "given by the user" if on_demand is not None else system.price_note
        found.append(Rent("on demand", per_chip * system.chips, busy, f"{many} at ${per_chip}/h; {note}"))
    table = catalogue().table("rental_medians")
    known = [n for name in (system.chip.name, system.name) if (n := table.find(name)) is not None]
    row = table.rows[known[0]] if known else {}
    if reserved is not None:
        per_chip, note = _per_hour(reserved), "given by the user"
    else:
        per_chip = exact(row["three_year_rental_usd_h"]) if row.get("three_year_rental_usd_h") else None
        note = f"rental_medians, {row.get('date', '')}: three years"
    if per_chip is not None:
        found.append(Rent("reserved", per_chip * system.chips, Decimal(24), f"{many} at ${per_chip}/h; {note}"))
    if not found:
        raise InputError(
            f"{system.name} has no price in the catalogue: give --price 2.5/h, --reserved-price 1.6/h, or both"
        )
    return tuple(found)


def _per_hour(per_second: float) -> Decimal:
    """A price as somebody wrote it: SI made a fraction of it. [$/h]"""
    return exact(f"{per_second * 3600:.10g}")


def against_api(
    request: Request,
    work: Workload,
    day: datetime.date,
    *,
    providers: Sequence[str] = (),
    limits: Sequence[Limits],
    hits: Sequence[float],
    reserved: float | None = None,
    busy: Decimal = Decimal(24),
    seeds: int = 2,
    tell: Tell | None = None,
) -> BreakEven:
    """Return where self-hosting a model costs as much as its API prices, by SLO and share of cache hits.

    Parameters
    ----------
    request : Request
        The model and the system, without lengths: those are the workload's.
    work : Workload
        Its prompt and output; the share of cache hits replaces its own.
    day : date
        Of the prices.
    providers : sequence of str
        Whose prices; empty: all.
    limits : sequence of Limits
    hits : sequence of float
        Of the prompt's tokens. [share]
    reserved : float or None
        Rent of a reserved chip instead of the catalogue's. [$/s]
    busy : Decimal
        Hours of a day in which requests come. [h]
    seeds : int
        Repeats of each simulation. [1]
    tell : callable or None
        Told how far it is.

    Raises
    ------
    InputError
        Unknown names, no price, no limit.
    PhysicsError
        When the model does not fit.
    """
    if not 0 < busy <= 24:
        raise InputError(f"--hours: {busy} must be more than 0 and at most 24")
    found = offers(request.model, day, providers=providers)
    cells = [_cell(request, work, share, limit, found.found, seeds, tell) for limit in limits for share in hits]
    rents = rents_of(cells[0].capacity.setting.system, request.price, reserved, busy)
    return BreakEven(request.model, work, day, rents, busy, tuple(cells), found.notes)


def _cell(
    request: Request, work: Workload, share: float, limits: Limits, prices: Sequence[Offer], seeds: int, tell: Tell | None
) -> Cell:  # fmt: skip
    shared = round(int(work.prompt) * share / BLOCK) * BLOCK
    hit = replace(work, cached=Decimal(shared), writes={})
    quotes = [quote(hit, o) for o in prices]
    billed = sorted((q for q in quotes if q.bill and q.bill.total > 0), key=_total)
    sound = [q for q in billed if not q.offer.odd]
    if not sound:
        why = next((n for q in quotes for n in q.notes), "all prices lie far off their peers")
        raise InputError(f"{request.model}: no provider bills such a request: {why}")
    capacity = find_capacity(
        request, _traffic(int(work.prompt), int(work.output), shared), ttft=limits.ttft, tpot=limits.tpot, within=limits.within,
        seeds=seeds, window=Window(_COUNT), speeds=(), tell=tell,
    )  # fmt: skip
    median = exact(statistics.median([_total(q) for q in sound]))
    return Cell(
        shared / float(work.prompt),
        limits,
        capacity,
        sound[0],
        median,
        (*billed, *(q for q in quotes if q not in billed)),
    )


def _traffic(prompt: int, output: int, shared: int) -> str:
    """Requests at random moments whose prompts begin alike: what they share is computed once, then read from the cache."""
    return f"sessions:1/s,turns=1,shared={shared},prompt={prompt - shared},new=1,output={output},block={BLOCK}"
