"""What a model costs on a day, provider by provider: prices in force, how old the lists are, which sources disagree, which are odd."""

from __future__ import annotations

import datetime
import functools
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from headway.catalog import catalogue, default
from headway.catalog.loader import Catalogue, normal
from headway.economics.bills import PriceSheet
from headway.economics.price_rows import Listed, listed
from headway.errors import InputError, quoted, unknown

_SCOPE = re.compile(r"^(global|regional|us|eu|apac|jp)\.")
_VENDOR = re.compile(
    r"^(amazon|anthropic|openai|moonshotai?|zai|minimax|deepseek|meta|mistral|qwen|google|cohere|nvidia|writer)\."
)
_TAIL = re.compile(r"(-v\d+:\d+|:[a-z0-9]+|[-@](latest|preview|versatile|instruct|maas|it))$")
_DAY = re.compile(r"[-@](20\d{6}|20\d{2}-\d{2}-\d{2})$")


def _stripped(name: str, dated: bool) -> str:
    said = _SCOPE.sub("", name.strip().lower().rpartition("/")[2])
    said = _VENDOR.sub("", said)
    before = ""
    while before != said:
        before, said = said, _TAIL.sub("", said)
        said = said if dated else _DAY.sub("", said)
    return said


@functools.lru_cache(maxsize=8192)
def plain_name(name: str, dated: bool = True) -> str:
    """Return a model's name without what APIs put around it: scopes, publishers, versions of the API.

    Parameters
    ----------
    name : str
    dated : bool
        Whether a release's day stays.
    """
    return normal(_stripped(name, dated))


@dataclass(frozen=True)
class Offer:
    """A price in force.

    Attributes
    ----------
    listed : Listed
    age : int or None
        Days since the list was read; None where it does not say. [days]
    odd : str
        How far it lies off its peers, in words; "" where it does not.
    """

    listed: Listed
    age: int | None
    odd: str = ""

    @property
    def sheet(self) -> PriceSheet:
        """Its prices."""
        return self.listed.sheet

    @property
    def name(self) -> str:
        """Provider, model and hours."""
        hours = f" {self.listed.hours}" if self.listed.hours else ""
        return f"{self.listed.provider} {self.listed.model}{hours}"

    @property
    def stale(self) -> bool:
        """Whether its list was read too long ago (catalogue default ``price_stale_days``)."""
        return self.age is not None and self.age > default("price_stale_days")


@dataclass(frozen=True)
class Offers:
    """All prices of a model in force on a day.

    Attributes
    ----------
    model : str
        As it was asked for.
    found : tuple of Offer
    notes : tuple of str
        Sources that disagree, dates that overlap, rows that were left out.
    """

    model: str
    found: tuple[Offer, ...]
    notes: tuple[str, ...]


def offers(model: str, day: datetime.date, *, providers: Sequence[str] = (), minute: int | None = None) -> Offers:
    """Return the prices of a model that are in force on a day.

    Parameters
    ----------
    model : str
        As an API names it, or the name of an open-weight model.
    day : date
        Of the bill.
    providers : sequence of str
        These alone; empty: all.
    minute : int or None
        Time of day, in minutes after midnight UTC; None: a price for every time of day that has its own. [min]

    Raises
    ------
    InputError
        For a model that no list has, a provider that does not have it, or a day before all its prices.
    """
    left = listed()[1]
    mine = _mine(catalogue(), model)
    notes = list(left)
    groups: dict[tuple[str, str], list[Listed]] = {}
    for row in mine:
        groups.setdefault((normal(row.provider), _own_name(row)), []).append(row)
    found: list[Offer] = []
    for group in groups.values():
        found += _in_force(group, day, minute, notes)
    if not found:
        first = min(r.begin for r in mine if r.begin)
        raise InputError(f"{quoted(model)} has no price on {day}: its first one begins on {first}")
    found = _checked(_distinct(found))
    if providers:
        found = _only(found, providers, model)
    said = [n for n in notes if n in left or not providers or any(normal(n).startswith(normal(p)) for p in providers)]
    return Offers(model, tuple(found), tuple(said))


@functools.lru_cache(maxsize=256)
def _mine(_: Catalogue, model: str) -> list[Listed]:
    return _rows_of(model, listed()[0])


def _own_name(row: Listed) -> str:
    """A model's name at its provider; some lists put the provider before it."""
    first, sign, rest = row.model.partition("/")
    return normal(rest if sign and normal(first) == normal(row.provider) else row.model)


def _scope(row: Listed) -> str:
    """Where a provider computes, as far as its price depends on it: ``global.``, ``regional.``."""
    match = _SCOPE.match(row.model.lower())
    return match[0] if match else ""


def _rows_of(model: str, rows: Iterable[Listed]) -> list[Listed]:
    """The rows of a model: by its own name, else undated, of each provider the nearest; of an open-weight model all."""
    every = list(rows)
    wanted = _open_name(model, every)
    keys = {plain_name(model), *(plain_name(n) for n in _spelled(wanted))} if wanted else {plain_name(model)}
    bare = plain_name(model, False)
    best: dict[str, tuple[int, list[Listed]]] = {}
    for row in every:
        if row.open_model:
            level = 0 if row.open_model == wanted else 9
        elif plain_name(row.model) in keys:
            level = 0
        elif plain_name(row.model) == bare:
            level = 1
        else:
            level = 2 if plain_name(row.model, False) == bare else 9
        if level == 9:
            continue
        scope = normal(row.provider) + _scope(row)
        known = best.setdefault(scope, (level, []))
        if level < known[0]:
            best[scope] = (level, [row])
        elif level == known[0]:
            known[1].append(row)
    if not best:
        names = sorted({r.open_model or _stripped(r.model, True) for r in every})
        raise unknown("priced model", model, names, "`headway catalog api_prices` and `open_model_prices` list them.")
    return [row for _, some in best.values() for row in some]


def _spelled(name: str) -> list[str]:
    """The names in one cell: ``DeepSeek-V3/V3-0324``, ``Kimi-K2 (0711/0905)``."""
    head = name.partition(" (")[0]
    return [name, *head.split("/")]


def _open_name(model: str, rows: list[Listed]) -> str:
    """The open-weight model of that name, or of another name that the catalogue knows of the same; "" where there is none."""
    known = {plain_name(part): r.open_model for r in rows if r.open_model for part in _spelled(r.open_model)}
    known |= {normal(r.open_model): r.open_model for r in rows if r.open_model}
    for name in (model, model.rpartition("/")[2]):
        if normal(name) in known:
            return known[normal(name)]
    if plain_name(model) in known:
        return known[plain_name(model)]
    models = catalogue().table("models")
    number = models.find(model)
    row = {} if number is None else models.rows[number]
    for alias in [row.get("id", ""), *row.get("aliases", "").split("|")]:
        if alias and (found := known.get(normal(alias)) or known.get(plain_name(alias))):
            return found
    return ""


def _in_force(group: list[Listed], day: datetime.date, minute: int | None, notes: list[str]) -> list[Offer]:
    """Of one model at one provider: the price of each time of day, or of the one that is asked for."""
    by_hours: dict[str, list[Listed]] = {}
    for row in group:
        by_hours.setdefault(str(row.hours or ""), []).append(row)
    chosen = {h: one for h, some in by_hours.items() if (one := latest(some, day, notes))}
    if minute is not None:
        inside = [one for one in chosen.values() if one.hours and one.hours.hold(minute)]
        chosen = {"": inside[-1]} if inside else {"": chosen[""]} if "" in chosen else {}
    return [Offer(one, None if one.looked_up is None else (day - one.looked_up).days) for one in chosen.values()]


def latest(rows: list[Listed], day: datetime.date, notes: list[str]) -> Listed | None:
    """Return the row that counts: the user's before the shipped ones, the latest to begin, of the provider's own list, looked up last.

    Parameters
    ----------
    rows : list of Listed
        Of one model at one provider, for one time of day.
    day : date
        On which it must hold.
    notes : list of str
        What is to be said of the others is added.
    """
    live = [r for r in rows if r.covers(day)]
    if not live:
        return None
    first = datetime.date.min
    live.sort(key=lambda r: (r.own, r.begin or first, not r.open_model, r.looked_up or first, r.order))
    best = live[-1]
    label = f"{best.provider} {best.model}"
    for row in live[:-1]:
        if not _differ(row.sheet, best.sheet):
            continue
        if row.begin == best.begin:
            notes.append(f"{label}: sources disagree: {_said(best)}, which is billed, and {_said(row)}")
        elif row.end is not None and row.own == best.own:
            notes.append(
                f"{label}: overlapping dates: {row.place} holds until {row.end}, {best.place} from {best.begin or 'ever'}; "
                "the later one is billed"
            )
    return best


def _differ(one: PriceSheet, other: PriceSheet) -> bool:
    """Whether two sheets say different things; what one of them does not say is no difference."""
    names = ("input", "output", "cache_hit")
    pairs = [(getattr(one, n), getattr(other, n)) for n in names]
    return any(a is not None and b is not None and a != b for a, b in pairs)


def _said(row: Listed) -> str:
    hit = "" if row.sheet.cache_hit is None else f", ${row.sheet.cache_hit} cached"
    seen = f" of {row.looked_up:%Y-%m}" if row.looked_up else ""
    return f"${row.sheet.input} in, ${row.sheet.output} out{hit} ({row.source}{seen}, {row.place})"


def _distinct(found: list[Offer]) -> list[Offer]:
    """Without names of one provider that cost the same: the shortest stays."""
    seen: dict[tuple[object, ...], Offer] = {}
    for one in sorted(found, key=lambda o: len(o.listed.model)):
        row = one.listed
        s = row.sheet
        key = (normal(row.provider), _scope(row), str(row.hours), s.input, s.output, s.cache_hit, s.steps)
        seen.setdefault(key, one)
    return list(seen.values())


def _checked(found: list[Offer]) -> list[Offer]:
    """Each with how far it lies off the median of the others."""
    limit = default("price_odd_times")
    checked: list[Offer] = []
    for i, one in enumerate(found):
        said: list[str] = []
        for name in ("input", "output"):
            peers = [float(getattr(o.sheet, name)) for j, o in enumerate(found) if j != i]
            price, middle = float(getattr(one.sheet, name)), statistics.median(peers) if peers else 0.0
            if not middle or middle / limit <= price <= middle * limit:
                continue
            ratio = f"1/{middle / price:,.0f}" if 0 < price < middle else f"{price / middle:,.0f}x" if price else "none"
            said.append(
                f"{name} ${getattr(one.sheet, name)}/Mtok is {ratio} of ${middle:.4g}, the median of {len(peers)} others"
            )
        checked.append(replace(one, odd="; ".join(said)))
    return checked


def _only(found: list[Offer], providers: Sequence[str], model: str) -> list[Offer]:
    known = sorted({o.listed.provider for o in found})
    for name in providers:
        if normal(name) not in {normal(p) for p in known}:
            raise unknown("provider", name, known, f"{model} is priced at: {', '.join(known)}.")
    wanted = {normal(p) for p in providers}
    return [o for o in found if normal(o.listed.provider) in wanted]


def price_warnings(some: Sequence[Offer], day: datetime.date) -> list[str]:
    """Return what must be known of prices before they bill: those far off their peers, lists that are old, days that no list knows.

    Parameters
    ----------
    some : sequence of Offer
    day : date
        Of the bill.
    """
    found = [f"{o.name}: {o.odd}: check it before you trust the bill" for o in some if o.odd]
    limit = default("price_stale_days")
    said: set[str] = set()
    for row in (o.listed for o in some):
        age = 0 if row.looked_up is None else (day - row.looked_up).days
        if age > limit:
            said.add(f"prices of {row.source} are of {row.looked_up}: {age} days old")
        elif -age > limit and row.begin is None:
            said.add(
                f"prices of {row.source} are of {row.looked_up}: what held {-age} days before, without a date of its own, is a guess"
            )
    return found + sorted(said)
