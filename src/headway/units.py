"""Quantities as people write them, and back. Inside headway everything is SI: seconds, bytes, FLOP, dollars.

A multiply-add is 2 FLOP. GB is 10^9 bytes; GiB is 2^30. `k` is 1000, also for tokens (128k = 128,000); `Ki` is 1024.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from headway.errors import InputError, quoted

YEAR = 365.25 * 86400  # seconds
_METRIC = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50}
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?(?:[eE][+-]?\d+)?")
_LEAST, _MOST = 1e-30, 1e30  # beyond them products of a few quantities are no numbers any more
_NUMBER = re.compile(r"\s*([+-]?(?:\d[\d_,]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A kind of quantity: what it is called, which suffixes it takes (factor to SI) and an example for messages."""

    name: str
    suffixes: Mapping[str, float]
    example: str
    zero_allowed: bool = False
    most: float = _MOST


def _suffixes(unit: str, prefixes: Mapping[str, float], *more: tuple[str, float]) -> dict[str, float]:
    return {p + unit: f for p, f in prefixes.items()} | dict(more)


_ALL = _METRIC | _BINARY
COUNT = Quantity("count", _METRIC | _BINARY | {"B": 1e9, "m": 1e6, "b": 1e9}, "64, 2k, 1.5M")
TOKENS = Quantity(
    "number of tokens", _METRIC | _BINARY | {"m": 1e6, "B": 1e9}, "8192, 32k, 128Ki, 1M", zero_allowed=True
)
BYTES = Quantity("size in bytes", _suffixes("B", _ALL), "141GB, 80GiB, 2048B")
SECONDS = Quantity(
    "duration",
    {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86400.0},
    "20ms, 1.5s, 5min, 1h",
)
DOLLARS_PER_SECOND = Quantity(
    "price per chip-hour",
    {"": 1 / 3600, "/h": 1 / 3600, "/hr": 1 / 3600, "/hour": 1 / 3600, "/s": 1.0, "/d": 1 / 86400, "/day": 1 / 86400},
    "2.5/h, $4.49/h",
    most=1e6 / 3600,
)
PER_SECOND = Quantity(
    "rate",
    {p + u: f / s for p, f in _METRIC.items() for u, s in {"": 1.0, "/s": 1.0, "/min": 60.0, "/h": 3600.0}.items()},
    "50/s, 128k/s",
)
FLOPS = Quantity("compute rate", _suffixes("FLOP/s", _METRIC) | _suffixes("FLOPS", _METRIC), "989TFLOP/s, 10PFLOP/s")
BYTES_PER_SECOND = Quantity("bandwidth", _suffixes("B/s", _ALL), "3.35TB/s, 450GB/s")


def parse(text: str | float, quantity: Quantity, where: str = "value") -> float:
    """Read `text` as a `quantity`, in SI units.

    Parameters
    ----------
    text : str or number
        What the user wrote, e.g. ``"128k"``, ``"$2.5/h"``, ``"40ms"``. A number is taken as already in SI.
    quantity : Quantity
        One of the kinds of this module.
    where : str
        The name of the option or column, for the message.

    Raises
    ------
    InputError
        When it is not a finite, positive quantity of that kind.
    """
    if isinstance(text, int | float):
        value = float(text)
    else:
        match = _NUMBER.fullmatch(text.replace("$", ""))
        factor = quantity.suffixes.get(match[2]) if match else None
        if match and factor is None and not quantity.suffixes.get("") and match[2] == "":
            wanted = quantity.example
            raise InputError(f"{where}: {quoted(text)} has no unit; a {quantity.name} reads like {wanted}")
        if match is None or factor is None:
            raise InputError(f"{where}: {quoted(text)} is not a {quantity.name}; it reads like {quantity.example}")
        if "," in match[1] and not _THOUSANDS.fullmatch(match[1]):
            raise InputError(
                f"{where}: {quoted(text)}: a comma stands before each three digits; "
                f"{quoted(text.replace(',', '.', 1))} is how headway reads a decimal"
            )
        value = float(match[1].replace(",", "").replace("_", "")) * factor
    if not math.isfinite(value) or value < 0 or (value == 0 and not quantity.zero_allowed):
        least = "zero or more" if quantity.zero_allowed else "positive"
        raise InputError(f"{where}: {quoted(text)} must be {least} and finite, like {quantity.example}")
    if value and not _LEAST <= value <= quantity.most:
        raise InputError(
            f"{where}: {quoted(text)} is no {quantity.name} that anything has; it reads like {quantity.example}"
        )
    return value


def share(text: str) -> float:
    """Read a share above 0 and up to 1, written as ``20%`` or ``0.2``; NaN of anything else. [share]

    Parameters
    ----------
    text : str
    """
    said = text.strip()
    try:
        found = float(said[:-1]) / 100 if said.endswith("%") else float(said)
    except ValueError:
        return math.nan
    return found if 0 < found <= 1 else math.nan


def portion(text: str) -> float:
    """Read a share that may be nothing: `share`, or zero; NaN of anything else. [share]

    Parameters
    ----------
    text : str
    """
    return 0.0 if text.strip().removesuffix("%").strip() in ("0", "0.0") else share(text)


def si(value: float, unit: str = "", digits: int = 3) -> str:
    """Print `value` with a metric prefix and `digits` significant figures: ``si(4.8e12, "B/s") == "4.8 TB/s"``.

    Parameters
    ----------
    value : float
        What to print. [`unit`]
    unit : str
        Its SI unit; "" for a pure number.
    digits : int
        Significant figures. [1]
    """
    if math.isnan(value):
        return "—"
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}".strip() if math.isfinite(value) else "∞"
    steps = ["p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E"]
    group = min(max(math.floor(math.log10(abs(value)) / 3), -4), 6)
    scaled = float(f"{value / 1000.0**group:.{digits}g}")
    if abs(scaled) >= 1000 and group < 6:
        group, scaled = group + 1, scaled / 1000
    return f"{scaled:.{max(digits, 4)}g} {steps[group + 4]}{unit}".strip()


def seconds(value: float) -> str:
    """Print a duration: ``seconds(0.0123) == "12.3 ms"``; minutes from 300 s, hours from 2 h, days from 48 h, years from two.

    Parameters
    ----------
    value : float
        A duration. [s]
    """
    for limit, unit, name in ((2 * YEAR, YEAR, "years"), (172800, 86400, "days"), (7200, 3600, "h"), (300, 60, "min")):
        if math.isfinite(value) and value >= limit:
            return f"{value / unit:,.3g} {name}"
    return si(value, "s")


def dollars(value: float) -> str:
    """Print an amount of money with three significant figures: ``dollars(0.4) == "$0.400"``.

    Parameters
    ----------
    value : float
        Zero or more. [$]
    """
    if not math.isfinite(value):
        return "—"
    if value >= 1000:
        return f"${value:,.0f}"
    if value == 0:
        return "$0"
    decimals = max(2, 2 - math.floor(math.log10(abs(value))))
    return f"${value:.{decimals}f}"


def large_dollars(value: float) -> str:
    """Return dollars in words where they are many: ``$1.14 billion``, ``$925 million``.

    Parameters
    ----------
    value : float
        [$]
    """
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if value >= 0.9995 * size:
            return f"${value / size:,.3g} {word}"
    return dollars(value)


def tokens(value: float) -> str:
    """Return a number of tokens as people write it: ``15T``, ``100B``, ``4M``.

    Parameters
    ----------
    value : float
        [tokens]
    """
    return si(value).replace(" ", "").replace("G", "B")


def count(value: float) -> str:
    """Print a whole number with thousands separators; from 10^7 on with a metric prefix.

    Parameters
    ----------
    value : float
        Of anything that is counted. [1]
    """
    return si(value) if abs(value) >= 1e7 else f"{value:,.0f}"


def rate(value: float) -> str:
    """Print how many per second: ``rate(0.01) == "0.01"`` (no milli, which reads like a million), ``rate(64300) == "64.3 k"``.

    Parameters
    ----------
    value : float
        Events per second, e.g. tokens or requests. [1/s]
    """
    return f"{value:.3g}" if abs(value) < 1000 else si(value)


def per_cent(value: float, digits: int = 3) -> str:
    """Print a share in per cent; what is next to nothing is said to be so: ``per_cent(2e-11) == "below 0.01 %"``.

    Parameters
    ----------
    value : float
        Zero or more. [share]
    digits : int
        Significant figures. [1]
    """
    return "below 0.01 %" if 0 < value < 1e-4 else f"{100 * value:.{digits}g} %"


def some(number: float, what: str) -> str:
    """Print a number of things: ``some(1, "chip") == "1 chip"``, ``some(8, "batch") == "8 batches"``.

    Parameters
    ----------
    number : float
        How many. [1]
    what : str
        One of them; of several words the first is counted where `of` or `per` comes after it, else the last.
    """
    shown = f"{number:,.0f}"
    return f"{shown} {what}" if shown == "1" else f"{shown} {_many(what)}"


def _many(what: str) -> str:
    first, sign, rest = next(
        ((a, s, b) for s in (" of ", " per ") for a, t, b in [what.partition(s)] if t), (what, "", "")
    )
    return f"{first}{'es' if first.endswith(('ch', 's', 'x')) else 's'}{sign}{rest}"
