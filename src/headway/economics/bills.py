"""A bill from token counts and a price sheet: context steps, cache writes and hits, speed tiers (SYS-F7)."""

from __future__ import annotations

from dataclasses import dataclass, field

from headway.errors import InputError


@dataclass(frozen=True, slots=True)
class PriceSheet:
    """Prices per million tokens. [$/Mtok]

    Attributes
    ----------
    input, output : float
        Of prompt tokens outside the cache, and of tokens made. [$/Mtok]
    cache_hit, cache_write_5m, cache_write_1h : float or None
        Of prompt tokens read from the cache, and of those written to it for 5 minutes or an hour. [$/Mtok]
    threshold : float or None
        Prompt tokens above which every token of the request takes the higher prices. [tokens]
    input_above, output_above, cache_hit_above : float or None
        The higher prices. [$/Mtok]
    speed : dict
        Price multiple by speed tier (``{"fast": 6}``). [times]
    """

    input: float
    output: float
    cache_hit: float | None = None
    cache_write_5m: float | None = None
    cache_write_1h: float | None = None
    threshold: float | None = None
    input_above: float | None = None
    output_above: float | None = None
    cache_hit_above: float | None = None
    speed: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request."""

    input: float = 0.0
    output: float = 0.0
    cache_hit: float = 0.0
    cache_write_5m: float = 0.0
    cache_write_1h: float = 0.0

    @property
    def prompt(self) -> float:
        """All tokens of the prompt, cached or not: what a context threshold looks at."""
        return self.input + self.cache_hit + self.cache_write_5m + self.cache_write_1h


@dataclass(frozen=True, slots=True)
class Bill:
    """Lines in dollars; they add to the total."""

    lines: dict[str, float]

    @property
    def total(self) -> float:
        """Dollars."""
        return sum(self.lines.values())


def bill(usage: Usage, sheet: PriceSheet, speed: str = "standard") -> Bill:
    """Return the bill of one request (lecture 7.1, 7.4; SYS-F7).

    Crossing the context threshold reprices all tokens of the request, not only those above it.

    Raises
    ------
    InputError
        When the sheet has no price for something that was used, or no such speed tier.
    """
    if speed != "standard" and speed not in sheet.speed:
        raise InputError(
            f"speed tier {speed!r} is not on the sheet; it has standard, {', '.join(sheet.speed) or 'only'}"
        )
    times = sheet.speed.get(speed, 1.0)
    above = sheet.threshold is not None and usage.prompt > sheet.threshold
    prices = {
        "input": sheet.input_above if above and sheet.input_above is not None else sheet.input,
        "output": sheet.output_above if above and sheet.output_above is not None else sheet.output,
        "cache_hit": sheet.cache_hit_above if above and sheet.cache_hit_above is not None else sheet.cache_hit,
        "cache_write_5m": sheet.cache_write_5m,
        "cache_write_1h": sheet.cache_write_1h,
    }
    lines: dict[str, float] = {}
    for name, price in prices.items():
        tokens = float(getattr(usage, name))
        if tokens < 0:
            raise InputError(f"usage: {name} is {tokens:g} tokens; it must not be negative")
        if tokens and price is None:
            raise InputError(f"usage has {tokens:,.0f} {name} tokens, but the sheet has no price for them")
        lines[name] = tokens * (price or 0.0) * times / 1e6
    return Bill(lines)
