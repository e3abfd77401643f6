"""Price lists of the catalogue: rows to dated sheets, by provider and model."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from headway.catalog import catalogue
from headway.catalog.loader import Catalogue
from headway.catalog.schema import column, from_row
from headway.economics.bills import ContextStep, Prices, PriceSheet, exact
from headway.errors import InputError, quoted

TABLES = ("api_prices", "open_model_prices")
_SHIPPED = re.compile(r"\w+\.csv line \d+")


@dataclass(frozen=True)
class ApiPrice:
    """A row of ``api_prices``: cells as they are written, prices per million tokens."""

    provider: str = column("", "who bills")
    model: str = column("", "as its API names it")
    input: str = column("$/Mtok", "prompt tokens outside the cache")
    output: str = column("$/Mtok", "tokens made")
    date: str = column("", "when it was looked up", default="")
    source: str = column("", "where", default="")
    licence: str = column("", "of the source", default="")
    context_window: str = column("tokens", "longest request", default="")
    valid_from: str = column("", "first day of the price; empty: before all others", default="")
    valid_to: str = column("", "last day; empty: until the next", default="")
    hours_utc: str = column("", "time of day, like 01:00-04:00; empty: all other times", default="")
    currency: str = column("", "USD where empty", default="")
    cache_read: str = column("$/Mtok", "read from the cache", default="")
    cache_write_5m: str = column("$/Mtok", "kept for 5 minutes", default="")
    cache_write_30m: str = column("$/Mtok", "kept for 30 minutes", default="")
    cache_write_1h: str = column("$/Mtok", "kept for an hour", default="")
    cache_write_12h: str = column("$/Mtok", "kept for 12 hours", default="")
    storage_hour: str = column("$/Mtok and hour", "rent of an explicit cache", default="")
    threshold_tokens: str = column("tokens", "longer prompts are repriced as a whole; several by |", default="")
    input_above: str = column("$/Mtok", "beyond each threshold", default="")
    output_above: str = column("$/Mtok", "beyond each threshold", default="")
    cache_read_above: str = column("$/Mtok", "beyond each threshold", default="")
    batch_input: str = column("$/Mtok", "batch tier", default="")
    batch_output: str = column("$/Mtok", "batch tier", default="")
    batch_cache_read: str = column("$/Mtok", "batch tier", default="")
    flex_input: str = column("$/Mtok", "flex tier", default="")
    flex_output: str = column("$/Mtok", "flex tier", default="")
    priority_input: str = column("$/Mtok", "priority tier", default="")
    priority_output: str = column("$/Mtok", "priority tier", default="")
    fast_input: str = column("$/Mtok", "fast tier", default="")
    fast_output: str = column("$/Mtok", "fast tier", default="")
    fast_mult: str = column("times", "fast tier as a multiple", default="")
    ultrafast_input: str = column("$/Mtok", "ultrafast tier", default="")
    ultrafast_output: str = column("$/Mtok", "ultrafast tier", default="")


@dataclass(frozen=True)
class OpenPrice:
    """A row of ``open_model_prices``: an open-weight model at one provider."""

    model: str = column("", "the open-weight model")
    provider: str = column("", "who bills")
    provider_model_id: str = column("", "as its API names it")
    input: str = column("$/Mtok", "prompt tokens outside the cache")
    output: str = column("$/Mtok", "tokens made")
    cache_read: str = column("$/Mtok", "read from the cache", default="")
    cache_write: str = column("$/Mtok", "written to the cache", default="")
    source: str = column("", "where", default="")
    licence: str = column("", "of the source", default="")
    date: str = column("", "when it was looked up", default="")


@dataclass(frozen=True)
class Hours:
    """A time of day, in minutes after midnight UTC; it may cross midnight.

    Attributes
    ----------
    begin, end : int
        [min]
    """

    begin: int
    end: int

    def __str__(self) -> str:
        return f"{self.begin // 60:02}:{self.begin % 60:02}-{self.end // 60:02}:{self.end % 60:02} UTC"

    def hold(self, minute: int) -> bool:
        """Say whether a minute of the day lies within.

        Parameters
        ----------
        minute : int
            After midnight UTC. [min]
        """
        inside = self.begin <= minute < self.end
        return inside if self.begin < self.end else minute >= self.begin or minute < self.end


@dataclass(frozen=True)
class Listed:
    """A price sheet with who bills it, and since when.

    Attributes
    ----------
    provider, model : str
        As the list names them.
    sheet : PriceSheet
    begin, end : date or None
        First and last day; None: open.
    hours : Hours or None
        Time of day; None: all that no other row of the model claims.
    looked_up : date or None
        When the list was read: of a month the first day.
    window : int or None
        Longest request. [tokens]
    source, place : str
        Where the price is from, and the row.
    open_model : str
        The open-weight model that it is; "" for a model of an API.
    own : bool
        Whether the user wrote it.
    order : int
        Rows before it. [1]
    """

    provider: str
    model: str
    sheet: PriceSheet
    begin: datetime.date | None
    end: datetime.date | None
    hours: Hours | None
    looked_up: datetime.date | None
    window: int | None
    source: str
    place: str
    open_model: str
    own: bool
    order: int

    def covers(self, day: datetime.date) -> bool:
        """Say whether it holds on a day."""
        return (self.begin is None or self.begin <= day) and (self.end is None or day <= self.end)


def day_of(text: str, where: str) -> datetime.date | None:
    """Read a day (2026-08-21), a month or a year, which begin on their first; None for an empty text.

    Raises
    ------
    InputError
        When it is none of them.
    """
    said = text.strip()
    if not said:
        return None
    parts = said.split("-")
    try:
        numbers = [int(p) for p in parts]
        return datetime.date(*numbers, *[1] * (3 - len(numbers)))
    except (ValueError, TypeError):
        raise InputError(f"{where}: {quoted(text)} is no date; it reads like 2026-08-21 or 2026-10") from None


def _hours(text: str, where: str) -> Hours | None:
    if not text:
        return None
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", text.strip())
    if match is None:
        raise InputError(f"{where}: hours_utc is {quoted(text)}; it reads like 01:00-04:00")
    a, b, c, d = (int(x) for x in match.groups())
    return Hours(60 * a + b, 60 * c + d)


def _money(text: str, name: str, where: str) -> Decimal | None:
    if not text:
        return None
    value = exact(text, f"{where}: column {name!r}")
    if value < 0:
        raise InputError(f"{where}: column {name!r} is {quoted(text)}; a price is zero or more")
    return value


def _steps(row: ApiPrice, where: str) -> tuple[ContextStep, ...]:
    """Thresholds and the prices beyond each, by |."""
    names = ("threshold_tokens", "input_above", "output_above", "cache_read_above")
    columns = [getattr(row, n).split("|") if getattr(row, n) else [] for n in names]
    for name, cells in zip(names[1:], columns[1:], strict=True):
        if cells and len(cells) != len(columns[0]):
            raise InputError(
                f"{where}: {len(cells)} of {name} for {len(columns[0])} of threshold_tokens; as many are needed"
            )
    found: list[ContextStep] = []
    for i, text in enumerate(columns[0]):
        prices = [_money(c[i].strip(), n, where) if c else None for n, c in zip(names[1:], columns[1:], strict=True)]
        found.append(ContextStep(exact(text, f"{where}: column 'threshold_tokens'"), Prices(*prices)))
    return tuple(sorted(found, key=lambda s: s.threshold))


def _sheet(row: ApiPrice, where: str) -> PriceSheet:
    def money(name: str) -> Decimal | None:
        return _money(getattr(row, name).strip(), name, where)

    tiers: dict[str, Prices] = {}
    for tier in ("batch", "flex", "priority", "fast", "ultrafast"):
        made, answered = money(f"{tier}_input"), money(f"{tier}_output")
        if made is not None or answered is not None:
            tiers[tier] = Prices(made, answered, money("batch_cache_read") if tier == "batch" else None)
    times = money("fast_mult")
    speed = {} if times is None or "fast" in tiers else {"fast": times}
    return PriceSheet(
        money("input") or Decimal(0), money("output") or Decimal(0), money("cache_read"), money("cache_write_5m"),
        money("cache_write_1h"), speed=speed, cache_write_30m=money("cache_write_30m"), cache_write_12h=money("cache_write_12h"),
        storage=money("storage_hour"), steps=_steps(row, where), tiers=tiers,
    )  # fmt: skip


def _api(cells: dict[str, str], place: str, order: int) -> Listed | str:
    row = from_row(ApiPrice, cells, place)
    if row.currency.strip().upper() not in ("", "USD", "$"):
        return f"{place}: {row.provider} {row.model} is priced in {row.currency}; bills are in USD, so it is left out: convert the row"
    begin, end = (day_of(getattr(row, n), f"{place}: column {n!r}") for n in ("valid_from", "valid_to"))
    if begin and end and end < begin:
        raise InputError(f"{place}: valid_to {end} is before valid_from {begin}")
    window = int(exact(row.context_window, f"{place}: column 'context_window'")) if row.context_window else None
    return Listed(
        row.provider, row.model, _sheet(row, place), begin, end, _hours(row.hours_utc, place), day_of(row.date, place),
        window, row.source, place, "", not _SHIPPED.fullmatch(place), order,
    )  # fmt: skip


def _open(cells: dict[str, str], place: str, order: int) -> Listed | str:
    row = from_row(OpenPrice, cells, place)
    prices = {n: _money(getattr(row, n), n, place) for n in ("input", "output", "cache_read", "cache_write")}
    sheet = PriceSheet(
        prices["input"] or Decimal(0), prices["output"] or Decimal(0), prices["cache_read"], prices["cache_write"]
    )
    return Listed(
        row.provider, row.provider_model_id, sheet, None, None, None, day_of(row.date, place), None, row.source, place,
        row.model, not _SHIPPED.fullmatch(place), order,
    )  # fmt: skip


_READ: dict[str, Callable[[dict[str, str], str, int], Listed | str]] = {"api_prices": _api, "open_model_prices": _open}


def listed() -> tuple[tuple[Listed, ...], tuple[str, ...]]:
    """Return all price sheets of the catalogue in use, and what is said of rows that were left out."""
    return _listed(catalogue())


@functools.lru_cache(maxsize=8)
def _listed(facts: Catalogue) -> tuple[tuple[Listed, ...], tuple[str, ...]]:
    found: list[Listed] = []
    left: list[str] = []
    for name in TABLES:
        table = facts.table(name)
        for row, place in zip(table.rows, table.places, strict=True):
            one = _READ[name](dict(row), place, len(found))
            if isinstance(one, str):
                left.append(one)
            else:
                found.append(one)
    return tuple(found), tuple(left)
