"""Amounts as people answer them: a number, perhaps after some words, and a unit; and which units an answer may have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from headway import units
from headway.learn.formulas import Formula

_PREFIX = {
    "": 1.0,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "m": 1e6,
    "G": 1e9,
    "B": 1e9,
    "b": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
}
_LONG = {
    "seconds": 1.0,
    "second": 1.0,
    "sec": 1.0,
    "milliseconds": 1e-3,
    "minutes": 60.0,
    "hours": 3600.0,
    "days": 86400.0,
}
_SECONDS = {**units.SECONDS.suffixes, **_LONG}
_BYTES = {**units.BYTES.suffixes, "bytes": 1.0, "byte": 1.0}
_RATIO = {"": 1.0, "x": 1.0, "times": 1.0, "%": 0.01, "percent": 0.01}
_MONEY: dict[str, float] = dict.fromkeys(
    ("", "/Mtok", "/M", "per Mtok", "per million tokens", "per million", "Mtok"), 1.0
)
_OF_WORDS = {"multiply-adds per parameter": "", "per token": "", "in all": ""}
_TRAILING = re.compile(
    r"(?P<money>\$?)\s*(?P<number>[+-]?(?:\d[\d,_]*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(?P<unit>[^\d=;]*)$"
)


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that was answered, and its unit as it was written.

    Attributes
    ----------
    number : float
        [`unit`]
    unit : str
    """

    number: float
    unit: str


def _rates(*words: str) -> dict[str, float]:
    prefixes = {k: v for k, v in _PREFIX.items() if k != "m"}
    return {p + w: f for p, f in prefixes.items() for w in words}


def readings(unit: str) -> Mapping[str, float]:
    """Return the suffixes that an answer in a unit may have -> factor to that unit.

    Parameters
    ----------
    unit : str
        Of an equation's result.
    """
    match unit:
        case "s":
            return _SECONDS
        case "bytes":
            return _BYTES
        case "bytes/s":
            return units.BYTES_PER_SECOND.suffixes
        case "FLOP/s":
            return units.FLOPS.suffixes
        case "FLOP":
            return _rates("FLOP", "FLOPs", " FLOP", " FLOPs") | {"": 1.0}
        case "tok/s":
            return _rates(
                "tok/s", "tokens/s", "token/s", "tokens per second", " tok/s", " tokens/s", " tokens per second"
            )
        case "pJ":
            return {"pJ": 1.0, "nJ": 1e3, "": 1.0}
        case "" | "x":
            return _RATIO | {k: v for k, v in _PREFIX.items() if k}
        case _ if unit.startswith("$"):
            return _MONEY
        case _:
            one = unit.removesuffix("s") if not unit.endswith("ches") else unit.removesuffix("es")
            return {p + w: f for p, f in _PREFIX.items() for w in ("", unit, one, f" {unit}", f" {one}")}


def needs_unit(unit: str) -> bool:
    """Whether a bare number is no answer in this unit: it could be ms or s, kB or MB."""
    return "" not in readings(unit)


def amount(text: str) -> Amount | None:
    """Return the last number of an answer with what stands after it; None when there is none."""
    last = re.split(r"[;]|,\s", text.strip().rstrip(".)"))[-1].strip()
    found = _TRAILING.search(last)
    if found is None:
        return None
    number = found["number"].replace("_", "")
    if "," in number and not re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", number):
        return None
    before = last[: found.start()].rstrip()
    if before and before[-1] in "/*^+-":  # the end of a sum
        return None
    return Amount(float(number.replace(",", "")), _tidy(found["unit"]))


def _tidy(unit: str) -> str:
    text = " ".join(unit.replace("$", "").split())
    for words in _OF_WORDS:
        text = text.replace(words, "").strip()
    return re.sub(r"^(k|K|M|G|T|P)\s+(?=B\b|B/s|FLOP|tok)", r"\1", text)


def said_in(found: Amount, unit: str) -> float | None:
    """Return an answered amount in a unit; None when what was written is no such unit.

    Parameters
    ----------
    found : Amount
    unit : str
        Of an equation's result.
    """
    known = readings(unit)
    for written in (found.unit, found.unit.removesuffix(" per token").strip()):
        if written in known:
            return found.number * known[written]
    if unit in ("", "x") and re.fullmatch(r"[A-Za-z]+_\w+", found.unit):  # 1.5 D_RL
        return found.number
    return None


def computed(text: str) -> float | None:
    """Return what a sum without letters gives (``2 + 4``, ``300 * 256 / 32``), after any words before it; None when it is none."""
    bare = re.sub(r"^[^\d(.+-]*?(?=[\d(.+-])", "", text.strip())
    try:
        found = Formula(bare)
        return None if found.letters else found.value({})
    except Exception:  # no sum
        return None
