"""What a provider asks for a model: one price list, from the catalogue's tables or from a user's own words."""

from __future__ import annotations

import datetime
import functools
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from headway.catalog import Catalogue, Row, catalogue, normal
from headway.economics.offers import latest
from headway.economics.price_rows import Listed, listed
from headway.errors import InputError, unknown

_FAST = {"anthropic": ("claude-", "Claude Opus 4.8"), "openai": ("gpt-", "OpenAI Fast mode (ex")}


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices of one model.

    Attributes
    ----------
    name, provider : str
    input, output : float
        Below the first context step. [$/Mtok]
    cached, write_5m, write_1h : float or None
        Of a cache hit, and of writes for 5 minutes and for an hour. [$/Mtok]
    edges : tuple of float
        Upper edges of the context tiers, the longest context last; () without steps. [tokens]
    inputs, outputs : tuple of float
        Prices of each tier. [$/Mtok]
    fast : (float, float) or None
        Price and speed of a fast tier over the standard one. [times]
    model : str
        Open model of this catalogue that is sold, "" where that is not public.
    shape : str
        Name of the shape that it shares with others in `open_models`.
    sellers : int
        Whose median the prices are; 1 of a provider's own list. [providers]
    source : str
    """

    name: str
    input: float
    output: float
    provider: str = ""
    cached: float | None = None
    write_5m: float | None = None
    write_1h: float | None = None
    edges: tuple[float, ...] = ()
    inputs: tuple[float, ...] = ()
    outputs: tuple[float, ...] = ()
    fast: tuple[float, float] | None = None
    model: str = ""
    shape: str = ""
    sellers: int = 1
    source: str = ""


def _number(row: Row, key: str) -> float | None:
    """A positive number of a price table, None where there is none."""
    text = row.get(key) or ""
    try:
        value = float(text) if text else 0.0
    except ValueError:
        raise InputError(f"{row.get('model', '')}: column {key!r} is {text!r}, not a number") from None
    return value if value > 0 else None


def _known(name: str) -> tuple[str, str]:
    """Open model, and shape, that a hosted name is known or taken to be."""
    table = catalogue().table("price_steps")
    number = table.find(name)
    row = {} if number is None else table.rows[number]
    return row.get("model", ""), row.get("shape", "")


def price_list(name: str) -> PriceList:
    """Return the price list called ``MODEL`` or ``PROVIDER/MODEL``.

    Looked for among closed providers' prices (`api_prices`), prices of open models (`open_model_prices`: the median of
    all sellers, or one of them), and prices with context steps that are gone (`price_steps`).

    Raises
    ------
    InputError
        When no list has that name, or several have it at different prices.
    """
    provider, sign, model = name.partition("/")
    for seller, wanted in ((provider, model), ("", name)) if sign and model else (("", name),):
        for found in (_hosted(seller, wanted), _open(seller, wanted), _stepped(seller, wanted)):
            if found is not None:
                return found
    rows = catalogue().table("api_prices").rows
    opened = [r["name"] for r in catalogue().table("open_models").rows]
    listed = [f"{r['provider']}/{r['model']}" for r in rows]
    raise unknown("priced model", name, [*opened, *listed, *(r["model"] for r in rows)],
                  "`headway catalog api_prices` and `headway catalog open_model_prices` list them.")  # fmt: skip


def _hosted(provider: str, model: str) -> PriceList | None:
    found = [
        r for r in listed()[0]
        if not r.open_model and normal(r.model) == normal(model) and provider.lower() in ("", r.provider.lower())
        and r.sheet.input and r.sheet.output
    ]  # fmt: skip
    current = {s: _current([r for r in found if r.provider == s]) for s in dict.fromkeys(r.provider for r in found)}
    sold = {s: r for s, r in current.items() if r is not None}
    if not sold:
        return None
    first = next(iter(sold.values()))
    if len({(r.sheet.input, r.sheet.output) for r in sold.values()}) > 1:
        raise InputError(
            f"{model} is sold by {', '.join(sold)} at different prices; name one, like {first.provider}/{model}"
        )
    return _of(first)


def _current(rows: list[Listed]) -> Listed | None:
    """A seller's row for the whole day, else of some hours, that held when it was looked up."""
    whole = [r for r in rows if r.hours is None] or rows
    day = max((r.looked_up for r in whole if r.looked_up), default=datetime.date.max)
    return latest(whole, day, [])


def _of(row: Listed) -> PriceList:
    """A dated sheet as the price list that is read backwards: the standard tier, its context steps, a fast tier of known speed."""
    sheet, base = row.sheet, (float(row.sheet.input), float(row.sheet.output))
    steps = [s for s in sheet.steps if s.prices.output is not None]
    edges = [float(s.threshold) for s in steps]
    if row.window and edges and row.window > edges[-1]:
        edges.append(float(row.window))
    known = _known(row.model)
    return PriceList(
        row.model, *base, provider=row.provider, cached=_price(sheet.cache_hit), write_5m=_price(sheet.cache_write_5m),
        write_1h=_price(sheet.cache_write_1h), edges=tuple(edges),
        inputs=(base[0], *(_price(s.prices.input) or base[0] for s in steps)),
        outputs=(base[1], *(_price(s.prices.output) or base[1] for s in steps)), fast=_fast(row), model=known[0], shape=known[1],
        source=f"{row.source}, {row.looked_up:%Y-%m}" if row.looked_up else row.source,
    )  # fmt: skip


def _price(money: Decimal | None) -> float | None:
    return float(money) if money else None


def _fast(row: Listed) -> tuple[float, float] | None:
    """Price and speed of a fast tier, where the catalogue knows the speed."""
    start, tier = _FAST.get(row.provider, ("", ""))
    fast = row.sheet.tiers.get("fast")
    if fast is None or not fast.output or not tier or not row.model.startswith(start) or row.model.startswith("gpt-4"):
        return None
    speeds = [_number(r, "speed_mult") for r in catalogue().table("speed_tiers").rows if r["tier"].startswith(tier)]
    return (float(fast.output / row.sheet.output), speeds[0]) if speeds and speeds[0] else None


def _open(provider: str, model: str) -> PriceList | None:
    row = next((r for r in catalogue().table("open_models").rows
                if normal(model) in (normal(r["name"]), normal(r["model"]))), None)  # fmt: skip
    if row is None:
        return None
    every = [r for r in catalogue().table("open_model_prices").rows if r["model"] == row["name"]]
    rows = [r for r in every if provider.lower() in ("", r["provider"].lower())]
    if not rows:
        names = sorted({r["provider"] for r in every})
        raise unknown(f"seller of {row['name']}", provider, names, f"It is sold by {', '.join(names[:8])}, ...")
    return _median(row, rows, provider)


def _median(row: Row, rows: list[Row], provider: str) -> PriceList:
    """The median of some rows of one open model."""
    columns = {k: [v for r in rows if (v := _number(r, k)) is not None] for k in ("input", "output", "cache_read")}
    middle = {k: float(np.median(v)) if v else None for k, v in columns.items()}
    if middle["input"] is None or middle["output"] is None:
        raise InputError(f"{row['name']} of {provider or 'all sellers'} has no price of input and output")
    sellers = len({r["provider"] for r in rows})
    return PriceList(
        row["name"], middle["input"], middle["output"], provider=provider if sellers == 1 else "", cached=middle["cache_read"],
        model=row["model"], shape=row["shape"], sellers=sellers, source=f"{rows[0]['source']}, {rows[0]['date']}",
    )  # fmt: skip


def _stepped(provider: str, model: str) -> PriceList | None:
    table = catalogue().table("price_steps")
    number = table.find(model)
    if number is None or provider.lower() not in ("", table.rows[number]["provider"]):
        return None
    return stepped(table.rows[number])


def stepped(row: Row) -> PriceList:
    """Return a row of `price_steps` as a price list."""
    parts = {k: tuple(float(x) for x in row[k].split("|")) for k in ("edges_k", "output", "input")}
    known = _known(row["name"])
    return PriceList(
        row["name"], parts["input"][0], parts["output"][0], provider=row["provider"], edges=tuple(1e3 * e for e in parts["edges_k"]),
        inputs=parts["input"], outputs=parts["output"], model=known[0], shape=known[1], source=f"{row['source']}, {row['date']}",
    )  # fmt: skip


def open_lists(*, single: bool = False) -> list[PriceList]:
    """Return the price lists of all open models: the median of all sellers, or every seller's own (`single`)."""
    found: list[PriceList] = []
    rows = catalogue().table("open_model_prices").rows
    for row in catalogue().table("open_models").rows:
        mine = [r for r in rows if r["model"] == row["name"] and _number(r, "input") and _number(r, "output")]
        if not single:
            found.append(_median(row, mine, ""))
            continue
        sellers = dict.fromkeys(r["provider"] for r in mine)
        found += [_median(row, [r for r in mine if r["provider"] == s], s) for s in sellers]
    return found


@functools.lru_cache(maxsize=4)
def _opened(_: Catalogue, single: bool) -> tuple[PriceList, ...]:
    return tuple(open_lists(single=single))


def opened(*, single: bool = False) -> tuple[PriceList, ...]:
    """Return `open_lists` of the catalogue in use, read once."""
    return _opened(catalogue(), single)


def stepped_known() -> list[PriceList]:
    """Return the current lists with context steps of hosted models whose shape is public, with all prices that they have."""
    return [price_list(f"{r['provider']}/{r['name']}") for r in catalogue().table("price_steps").rows if r["model"]]
