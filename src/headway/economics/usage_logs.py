"""A usage log billed row by row: good rows count, bad ones are named by their line."""

from __future__ import annotations

import csv
import datetime
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from headway import units
from headway.catalog import catalogue
from headway.catalog.loader import normal
from headway.economics.bills import STANDARD, WRITES, Usage, bill
from headway.economics.offers import Offer, Offers, offers, plain_name, price_warnings
from headway.economics.quotes import TTL_NAMES, as_sold
from headway.economics.spending import Entry
from headway.economics.usage_rows import Used, used
from headway.errors import HeadwayError, InputError, visible
from headway.shown import Shown


@dataclass(frozen=True)
class Bad:
    """A row that was not billed.

    Attributes
    ----------
    line : int
        In the file. [1]
    why : str
    """

    line: int
    why: str


@dataclass
class Total:
    """What one model used at one provider.

    Attributes
    ----------
    offer : Offer
        Price of the last request.
    requests : int
        [requests]
    usage : Usage
        Of all of them.
    tiers : Counter
        Requests by the tier that served them.
    dollars : Decimal
        [$]
    """

    offer: Offer
    requests: int = 0
    usage: Usage = field(default_factory=Usage)
    tiers: Counter[str] = field(default_factory=Counter[str])
    dollars: Decimal = Decimal(0)


@dataclass(frozen=True, repr=False)
class Ledger(Shown):
    """A log's bill.

    Attributes
    ----------
    name : str
        Of the file.
    rows : int
        That it has. [rows]
    totals : tuple of Total
        By provider and model.
    bad : tuple of Bad
    warnings : tuple of str
        Of prices: odd ones, stale ones; to be read before the bill.
    notes : tuple of str
    entries : tuple of Entry
        Every bill, in the order of the log.
    """

    RECORD = "headway.records.bills:ledger_record"
    TEXT = "headway.report.bills:ledger_text"

    name: str
    rows: int
    totals: tuple[Total, ...]
    bad: tuple[Bad, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    entries: tuple[Entry, ...] = ()

    @property
    def dollars(self) -> dict[str, Decimal]:
        """What each provider bills. [$]"""
        found: dict[str, Decimal] = {}
        for t in self.totals:
            name = t.offer.listed.provider
            found[name] = found.get(name, Decimal(0)) + t.dollars
        return found

    @property
    def missed(self) -> int:
        """Rows that are not billed, at one of their providers or at all; each counts once. [rows]"""
        return len({b.line for b in self.bad})

    def brief(self) -> str:
        """Return the bill in one line."""
        said = ", ".join(f"{p} ${d.normalize():f}" for p, d in self.dollars.items()) or "nothing"
        return f"{self.name}: {said}; {self.missed} of {self.rows} rows not billed"


def read_log(path: str | Path) -> tuple[list[Used], list[Bad], int]:
    """Read a usage log: .csv with a header, or JSON lines (one array of records, too); the last row of an answer's id counts.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    (list of Used, list of Bad, int)
        The int: rows that repeated an id.

    Raises
    ------
    InputError
        When the file cannot be read, or is empty.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--usage: {path} cannot be read as UTF-8 text ({error.__class__.__name__})") from None
    rows = _csv(text) if file.suffix.lower() == ".csv" else _json(text)
    found: list[Used] = []
    bad: list[Bad] = []
    seen: dict[str, int] = {}
    again = 0
    for line, record in rows:
        if isinstance(record, Bad):
            bad.append(record)
            continue
        try:
            one = used(record, line)
        except InputError as error:
            bad.append(Bad(line, visible(str(error))))
            continue
        if one.id and one.id in seen:  # streams are logged chunk by chunk: the last has the answer's whole length
            found[seen[one.id]] = one
            again += 1
            continue
        if one.id:
            seen[one.id] = len(found)
        found.append(one)
    if not found and not bad:
        raise InputError(f"--usage: {path} has no rows")
    return found, bad, again


def _csv(text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(text.splitlines())
    try:
        for row in reader:
            line = reader.line_num
            if None in row:
                yield line, Bad(line, "more cells than the header has columns")
            elif any(row.values()):
                yield line, {k.strip(): v for k, v in row.items() if k and v is not None}
    except csv.Error as error:
        yield reader.line_num, Bad(reader.line_num, f"not CSV: {error}")


def _json(text: str) -> Iterator[tuple[int, Any]]:
    if text.lstrip().startswith("["):
        try:
            yield from enumerate(json.loads(text, parse_float=Decimal), start=1)
        except ValueError as error:
            yield 1, Bad(1, f"not JSON: {error}")
        return
    for line, said in enumerate(text.splitlines(), start=1):
        if not said.strip():
            continue
        try:
            yield line, json.loads(said, parse_float=Decimal)
        except (ValueError, RecursionError):
            yield line, Bad(line, "not JSON")


class _Book:
    """A ledger that is being written."""

    def __init__(self, day: datetime.date, providers: Sequence[str]) -> None:
        self.day, self.providers = day, tuple(providers)
        self.known: dict[tuple[str, str, datetime.date], Offers | InputError] = {}
        self.totals: dict[tuple[str, str], Total] = {}
        self.entries: list[Entry] = []
        self.bad: list[Bad] = []
        self.notes: Counter[str] = Counter()
        self.said: dict[str, None] = {}

    def add(self, one: Used) -> None:
        """Bill a row at every provider that is asked for, or at its own."""
        day = one.when.date() if one.when else self.day
        minute = one.when.hour * 60 + one.when.minute if one.when else None
        wanted = self.providers or ((one.provider,) if one.provider else ())
        for provider in wanted or ("",):
            try:
                self._at(one, _chosen(self._offers(one.model, provider, day), provider, one.model, minute))
            except HeadwayError as error:
                self.bad.append(Bad(one.line, str(error)))

    def _offers(self, model: str, provider: str, day: datetime.date) -> Offers:
        key = (model, provider, day)
        if key not in self.known:
            try:
                self.known[key] = offers(model, day, providers=[provider] if provider else [])
            except InputError as error:
                self.known[key] = error
        found = self.known[key]
        if isinstance(found, InputError):
            raise found
        return found

    def _at(self, one: Used, chosen: tuple[Offer, Offers]) -> None:
        offer, every = chosen
        sheet = offer.sheet
        usage = _with_written(one, offer)
        usage, notes = as_sold(usage, sheet)
        for name in WRITES:
            if getattr(usage, name) and getattr(sheet, name) is None:
                raise InputError(f"{offer.name} has no price for writes of {TTL_NAMES[name]}")
        if one.tier != STANDARD and one.tier not in sheet.names:
            raise InputError(
                f"{offer.name} has no {one.tier} tier; it has standard{''.join(f', {n}' for n in sheet.names)}"
            )
        dollars = bill(usage, sheet, one.tier).total
        total = self.totals.setdefault((offer.listed.provider, offer.listed.model), Total(offer))
        total.offer, total.requests = offer, total.requests + 1
        total.usage = Usage(*(getattr(total.usage, f.name) + getattr(usage, f.name) for f in fields(Usage)))
        total.tiers[one.tier] += 1
        total.dollars += dollars
        self.entries.append(Entry(one.line, one.when, offer.listed.provider, offer.listed.model, dollars))
        self.notes.update(f"{offer.name}: {n}" for n in notes)
        self.said |= dict.fromkeys(n for n in every.notes if n.startswith(f"{offer.listed.provider} "))


def _with_written(one: Used, offer: Offer) -> Usage:
    """Usage with writes of no stated time at the shortest that the provider sells."""
    if not one.written:
        return one.usage
    name = next((n for n in WRITES if getattr(offer.sheet, n) is not None), "cache_write_5m")
    return replace(one.usage, **{name: getattr(one.usage, name) + one.written})


def _chosen(found: Offers, provider: str, model: str, minute: int | None) -> tuple[Offer, Offers]:
    """The offer of a row: its provider's, or its maker's; of the time of day where one is known."""
    some = list(found.found)
    if not provider:
        some = _home(some, model)
    timed = [o for o in some if o.listed.hours and minute is not None and o.listed.hours.hold(minute)]
    plain = [o for o in some if o.listed.hours is None]
    best = sorted(
        timed or plain or some, key=lambda o: (plain_name(o.listed.model) != plain_name(model), len(o.listed.model))
    )
    return best[0], found


def _home(some: list[Offer], model: str) -> list[Offer]:
    providers = sorted({o.listed.provider for o in some})
    if len(providers) == 1:
        return some
    makers = catalogue().table("model_makers").rows
    name = plain_name(model)
    home = {r["provider"] for r in makers if name.startswith(normal(r["name"]))}
    mine = [o for o in some if normal(o.listed.provider) in {normal(h) for h in home}]
    if not mine:
        raise InputError(
            f"{model} is sold by {len(providers)} providers; name one with --provider: {', '.join(providers[:8])}"
        )
    return mine


def bill_log(path: str | Path, day: datetime.date, providers: Sequence[str] = ()) -> Ledger:
    """Return the bill of a usage log: each row at the price of its day, its time of day, and the tier that served it.

    Parameters
    ----------
    path : str or Path
        CSV or JSON lines.
    day : date
        Of rows that do not say theirs, and of how old price lists are.
    providers : sequence of str
        Each bills all rows; empty: each row's own provider, else the maker of its model.

    Raises
    ------
    InputError
        When the file cannot be read.
    """
    rows, bad, again = read_log(path)
    book = _Book(day, providers)
    for one in rows:
        book.add(one)
    notes = [f"{n}: {units.some(c, 'row')}" for n, c in book.notes.items()]
    other = sum(1 for r in rows if r.asked and r.asked != r.tier)
    undated = sum(1 for r in rows if r.when is None)
    notes += [f"{units.some(again, 'row')} with an answer's id that stood before: its last row counts"] if again else []
    notes += (
        [f"{units.some(other, 'request')} asked for one tier and served by another: billed as served"] if other else []
    )
    notes += (
        [f"{units.some(undated, 'row')} without a time: billed at the prices of {day}, outside special hours"]
        if undated
        else []
    )
    totals = tuple(book.totals.values())
    every = sorted([*bad, *book.bad], key=lambda b: b.line)
    return Ledger(
        Path(path).name, len(rows) + again + len(bad), totals, tuple(every), tuple(price_warnings([t.offer for t in totals], day)),
        (*notes, *book.said), tuple(book.entries),
    )  # fmt: skip
