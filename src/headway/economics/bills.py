"""A bill from token counts and a price sheet, in Decimal: context steps, cache writes and hits, storage, speed tiers (SYS-F7)."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any, NamedTuple

from headway.errors import InputError, quoted

_MILLION = Decimal(1_000_000)
_DIGITS = 50  # of a bill: prices and tokens have far fewer, so that products and sums are exact
STANDARD = "standard"
WRITES = {"cache_write_5m": 300, "cache_write_30m": 1800, "cache_write_1h": 3600, "cache_write_12h": 43200}  # [s]


def exact(value: Any, where: str = "amount") -> Decimal:
    """Return a number of any kind as it is written: 0.1 is a tenth.

    Parameters
    ----------
    value : Decimal, int, float or str
        [1]
    where : str
        What it is, for the message.

    Raises
    ------
    InputError
        When it is no finite number.
    """
    try:
        found = value if isinstance(value, Decimal) else Decimal(str(value).strip())
    except InvalidOperation:
        found = Decimal("NaN")
    if isinstance(value, bool) or not found.is_finite():
        raise InputError(f"{where} is {quoted(value)}; a finite number is needed, like 1.25")
    return found


class Prices(NamedTuple):
    """One column of a sheet; None where nothing is said. [$/Mtok]"""

    input: Decimal | None = None
    output: Decimal | None = None
    cache_hit: Decimal | None = None


class ContextStep(NamedTuple):
    """Prices from a length of prompt on.

    Attributes
    ----------
    threshold : Decimal
        Prompts longer than that take them, for every token. [tokens]
    prices : Prices
    """

    threshold: Decimal
    prices: Prices


@dataclass(frozen=True, slots=True)
class PriceSheet:
    """Prices per million tokens; numbers of any kind, kept as they are written. [$/Mtok]

    Attributes
    ----------
    input, output : Decimal
        Of prompt tokens outside the cache, and of tokens made. [$/Mtok]
    cache_hit, cache_write_5m, cache_write_1h : Decimal or None
        Of prompt tokens read from the cache, and of those written to it for 5 minutes or an hour. [$/Mtok]
    threshold : Decimal or None
        Prompt tokens above which every token of the request takes the higher prices. [tokens]
    input_above, output_above, cache_hit_above : Decimal or None
        The higher prices. Without one of its own, a hit rises as input does; writes always do. [$/Mtok]
    speed : dict
        Price multiple by speed tier (``{"fast": 6}``), of all lines. [times]
    cache_write_30m, cache_write_12h : Decimal or None
        For half an hour, and for half a day. [$/Mtok]
    storage : Decimal or None
        Rent of what is kept by its time. [$/Mtok and hour]
    steps : tuple of ContextStep
        Further thresholds, from the lowest.
    tiers : dict
        Prices of a tier in dollars instead of a multiple; hits and writes without one move as its input does. [$/Mtok]
    """

    input: Decimal
    output: Decimal
    cache_hit: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None
    threshold: Decimal | None = None
    input_above: Decimal | None = None
    output_above: Decimal | None = None
    cache_hit_above: Decimal | None = None
    speed: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    cache_write_30m: Decimal | None = None
    cache_write_12h: Decimal | None = None
    storage: Decimal | None = None
    steps: tuple[ContextStep, ...] = ()
    tiers: dict[str, Prices] = field(default_factory=dict[str, Prices])

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name == "speed":
                object.__setattr__(self, "speed", {k: _price(v, k) for k, v in value.items()})
            elif f.name not in ("steps", "tiers") and value is not None:
                object.__setattr__(self, f.name, _price(value, f.name))

    @property
    def names(self) -> list[str]:
        """Speed tiers beside the standard one."""
        return sorted({*self.speed, *self.tiers})

    def at(self, prompt: Decimal) -> Prices:
        """Return the standard prices of a request; the prompt's length decides, cached tokens counted.

        Parameters
        ----------
        prompt : Decimal
            All its tokens. [tokens]
        """
        found = Prices(self.input, self.output, self.cache_hit)
        steps = list(self.steps)
        if self.threshold is not None:
            steps.append(ContextStep(self.threshold, Prices(self.input_above, self.output_above, self.cache_hit_above)))
        for step in sorted(steps, key=lambda s: s.threshold):
            if prompt > step.threshold:
                above = Prices(*(b if a is None else a for a, b in zip(step.prices, found, strict=True)))
                hit = step.prices.cache_hit
                found = above._replace(
                    cache_hit=_moved(found.cache_hit, above.input, found.input) if hit is None else hit
                )
        return found


def _price(value: Any, name: str) -> Decimal:
    found = exact(value, f"price sheet: {name}")
    if found < 0:
        raise InputError(f"price sheet: {name} is {found}; it must not be negative")
    return found


def _moved(price: Decimal | None, up: Decimal | None, down: Decimal | None) -> Decimal | None:
    """A price that moves as another one does; multiplied first, since ratios may not end."""
    if price is None or not up or not down or up == down:
        return price
    return price * up / down


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request.

    Attributes
    ----------
    input, output : Decimal
        Prompt tokens that are neither read from the cache nor written to it, and tokens made. [tokens]
    cache_hit : Decimal
        Read from the cache. [tokens]
    cache_write_5m, cache_write_1h, cache_write_30m, cache_write_12h : Decimal
        Written to it, by the time that they are kept. [tokens]
    stored : Decimal
        Kept in an explicit cache, times the hours. [tokens x hours]
    """

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)
    cache_hit: Decimal = Decimal(0)
    cache_write_5m: Decimal = Decimal(0)
    cache_write_1h: Decimal = Decimal(0)
    cache_write_30m: Decimal = Decimal(0)
    cache_write_12h: Decimal = Decimal(0)
    stored: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        for f in fields(self):
            value = exact(getattr(self, f.name), f"usage: {f.name}")
            if value < 0:
                raise InputError(f"usage: {f.name} is {value:f} tokens; it must not be negative")
            object.__setattr__(self, f.name, value)

    @property
    def writes(self) -> Decimal:
        """Tokens written to the cache, of all times to live. [tokens]"""
        return sum((getattr(self, name) for name in WRITES), Decimal(0))

    @property
    def prompt(self) -> Decimal:
        """All tokens of the prompt, cached or not: what a context threshold looks at. [tokens]"""
        return self.input + self.cache_hit + self.writes


@dataclass(frozen=True, slots=True)
class Bill:
    """Lines in dollars; they add to the total.

    Attributes
    ----------
    lines : dict
        By what was used. [$]
    """

    lines: dict[str, Decimal]

    @property
    def total(self) -> Decimal:
        """Dollars."""
        with localcontext(prec=_DIGITS):
            return sum(self.lines.values(), Decimal(0))


def bill(usage: Usage, sheet: PriceSheet, speed: str = STANDARD) -> Bill:
    """Return the bill of one request, exactly (lecture 7.1, 7.4; SYS-F7).

    Crossing a context threshold reprices all tokens of the request, not only those above it. A speed tier changes cache
    lines as well; rent of storage is by the hour and has no tiers.

    Raises
    ------
    InputError
        When the sheet has no price for something that was used, or no such speed tier.
    """
    if speed != STANDARD and speed not in sheet.speed and speed not in sheet.tiers:
        raise InputError(
            f"speed tier {speed!r} is not on the sheet; it has standard, {', '.join(sheet.names) or 'only'}"
        )
    with localcontext(prec=_DIGITS):
        prices = line_prices(sheet, usage.prompt, speed)
        lines = {name: _line(name, getattr(usage, name), prices[name]) for name in prices}
        if usage.stored:
            lines["storage"] = _line("storage", usage.stored, sheet.storage)
    return Bill(lines)


def _line(name: str, tokens: Decimal, price: Decimal | None) -> Decimal:
    if tokens and price is None:
        raise InputError(f"usage has {tokens:,.0f} {name} tokens, but the sheet has no price for them")
    return tokens * (price or Decimal(0)) / _MILLION


def line_prices(sheet: PriceSheet, prompt: Decimal, speed: str = STANDARD) -> dict[str, Decimal | None]:
    """Return what each line of a request's bill costs; None where the sheet says nothing. [$/Mtok]

    Parameters
    ----------
    sheet : PriceSheet
    prompt : Decimal
        All tokens of the prompt. [tokens]
    speed : str
        A tier of the sheet.
    """
    at = sheet.at(prompt)
    tier, times = sheet.tiers.get(speed), sheet.speed.get(speed, Decimal(1))
    found: dict[str, Decimal | None] = {}
    by_input = functools.partial(_moved, up=at.input, down=sheet.input)
    standard = at._asdict() | {name: by_input(getattr(sheet, name)) for name in WRITES}
    for name, price in standard.items():
        if tier is None:
            found[name] = None if price is None else price * times
            continue
        own: Decimal | None = getattr(tier, name, None)
        base: Decimal | None = getattr(sheet, name)
        if own is not None and base is not None and price == base:
            found[name] = own
        else:
            found[name] = _moved(price, own, base) if own is not None else _moved(price, tier.input, sheet.input)
    return found
