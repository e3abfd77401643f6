"""One workload at every provider's prices."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal

from headway import units
from headway.economics.bills import STANDARD, WRITES, Bill, PriceSheet, Usage, bill, exact
from headway.economics.offers import Offer
from headway.errors import HeadwayError, InputError, quoted

DAYS = 30  # of a month
_PER_DAY = {"s": 86400, "min": 1440, "h": 24, "hour": 24, "d": 1, "day": 1}
_RATE = re.compile(r"([^/]+)/(\w+)")
_TTLS = {seconds: name for name, seconds in WRITES.items()}
TTL_NAMES = {"cache_write_5m": "5 min", "cache_write_30m": "30 min", "cache_write_1h": "1 h", "cache_write_12h": "12 h"}


@dataclass(frozen=True)
class Workload:
    """Requests that are all alike.

    Attributes
    ----------
    prompt, output : Decimal
        Tokens of a prompt, cached ones counted, and of an answer. [tokens]
    cached : Decimal
        Of the prompt, read from the cache. [tokens]
    writes : dict
        Of the prompt, written to the cache, by the name of a line. [tokens]
    stored : Decimal
        Kept in an explicit cache, times hours, of each request. [tokens x hours]
    tier : str
        That serves them.
    per_day : Decimal or None
        How many. [requests/day]
    """

    prompt: Decimal
    output: Decimal
    cached: Decimal = Decimal(0)
    writes: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    stored: Decimal = Decimal(0)
    tier: str = STANDARD
    per_day: Decimal | None = None

    @property
    def usage(self) -> Usage:
        """Tokens of one request by line.

        Raises
        ------
        InputError
            When more is cached and written than the prompt has.
        """
        rest = self.prompt - self.cached - sum(self.writes.values(), Decimal(0))
        if rest < 0:
            raise InputError(
                f"--cached and --cache-write: {self.prompt - rest:,f} tokens are more than the prompt's {self.prompt:,f}; "
                "both are part of it"
            )
        return Usage(rest, self.output, self.cached, stored=self.stored, **self.writes)


@dataclass(frozen=True)
class Quote:
    """A workload at one provider's price.

    Attributes
    ----------
    offer : Offer
    bill : Bill or None
        Of one request; None where it cannot be billed.
    notes : tuple of str
        What was billed otherwise than asked, or why nothing was.
    """

    offer: Offer
    bill: Bill | None
    notes: tuple[str, ...] = ()


def read_tokens(text: str | float, where: str) -> Decimal:
    """Read a number of tokens, whole.

    Parameters
    ----------
    text : str or number
        ``300k``. [tokens]
    where : str
        The option, for the message.

    Raises
    ------
    InputError
        When it is none.
    """
    value = units.parse(text, units.TOKENS, where)
    if value != int(value):
        raise InputError(f"{where}: {quoted(text)} is {value:g} tokens; a whole number is needed")
    return Decimal(int(value))


def read_writes(texts: tuple[str, ...]) -> dict[str, Decimal]:
    """Read ``5min:100k``: tokens written to the cache, by the time that they are kept.

    Raises
    ------
    InputError
        For another shape, or a time that no provider sells.
    """
    found: dict[str, Decimal] = {}
    for text in texts:
        ttl, sign, tokens = text.partition(":")
        seconds = units.parse(ttl, units.SECONDS, "--cache-write") if sign else 0.0
        if round(seconds) not in _TTLS:
            raise InputError(
                f"--cache-write: {quoted(text)}; it reads like 5min:100k, with a time of {', '.join(TTL_NAMES.values())}"
            )
        name = _TTLS[round(seconds)]
        found[name] = found.get(name, Decimal(0)) + read_tokens(tokens, "--cache-write")
    return found


def read_stored(text: str | None) -> Decimal:
    """Read ``100k:2h``: tokens in an explicit cache, and how long. [tokens x hours]

    Raises
    ------
    InputError
        For another shape.
    """
    if text is None:
        return Decimal(0)
    tokens, sign, time = text.partition(":")
    if not sign:
        raise InputError(f"--store: {quoted(text)}; it reads like 100k:2h")
    hours = exact(units.parse(time, units.SECONDS, "--store")) / 3600
    return read_tokens(tokens, "--store") * hours


def read_per_day(text: str | None, where: str = "--requests") -> Decimal | None:
    """Read ``1000/day``: how many requests. [requests/day]

    Parameters
    ----------
    text : str or None
    where : str
        The option, for the message.

    Raises
    ------
    InputError
        For another shape.
    """
    if text is None:
        return None
    match = _RATE.fullmatch(text.strip())
    if match is None or match[2] not in _PER_DAY:
        raise InputError(f"{where}: {quoted(text)} is no rate; it reads like 1000/day, 20/s, 500/h")
    return exact(units.parse(match[1], units.COUNT, where)) * _PER_DAY[match[2]]


def as_sold(usage: Usage, sheet: PriceSheet) -> tuple[Usage, list[str]]:
    """Return usage as a sheet can price it: without a price of its own, what is cached or written is plain input.

    Parameters
    ----------
    usage : Usage
    sheet : PriceSheet
    """
    notes: list[str] = []
    more = Decimal(0)
    if usage.cache_hit and sheet.cache_hit is None:
        notes.append("no price for cache hits: billed as input")
        more += usage.cache_hit
        usage = replace(usage, cache_hit=Decimal(0))
    if usage.writes and all(getattr(sheet, name) is None for name in WRITES):
        more += usage.writes
        usage = replace(usage, **dict.fromkeys(WRITES, Decimal(0)))
        notes.append("writes cost what input does")
    return (replace(usage, input=usage.input + more) if more else usage), notes


def quote(work: Workload, offer: Offer) -> Quote:
    """Return what one request of a workload costs at a provider's price, or why it cannot be billed there.

    Parameters
    ----------
    work : Workload
    offer : Offer
    """
    window, sheet, usage = offer.listed.window, offer.sheet, work.usage
    if window is not None and work.prompt + work.output > window:
        return Quote(offer, None, (f"longer than its {window:,} tokens",))
    missing = [TTL_NAMES[n] for n in WRITES if getattr(usage, n) and getattr(sheet, n) is None]
    sold = [TTL_NAMES[n] for n in WRITES if getattr(sheet, n) is not None]
    if missing and sold:
        return Quote(offer, None, (f"no writes for {missing[0]}; it has {', '.join(sold)}",))
    if usage.stored and sheet.storage is None:
        return Quote(offer, None, ("no price for storage",))
    usage, notes = as_sold(usage, sheet)
    if work.tier != STANDARD and work.tier not in sheet.names:
        return Quote(
            offer, None, (f"no {work.tier} tier" + (f"; it has {', '.join(sheet.names)}" if sheet.names else ""),)
        )
    try:
        return Quote(offer, bill(usage, sheet, work.tier), tuple(notes))
    except HeadwayError as error:
        return Quote(offer, None, (str(error),))
