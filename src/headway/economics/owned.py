"""What an hour of a chip costs that one owns: what was paid for it and around it, the power it draws, and what breaks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from headway.catalog import Row, catalogue
from headway.errors import InputError, unknown
from headway.hardware import Chip

HOURS = 365.25 * 24  # of a year
_DAYS = 365.25


@dataclass(frozen=True, slots=True)
class Assumed:
    """An input of the owned price, as the catalogue (`owned`, `chip_purchases`) or the user has it.

    Attributes
    ----------
    name : str
    value, low, high : float
        The ends are where it may as well lie; equal to the value where the user said it. [unit]
    unit, about, source, date : str
    """

    name: str
    value: float
    low: float
    high: float
    unit: str
    about: str
    source: str
    date: str


@dataclass(frozen=True, slots=True)
class Term:
    """One part of the owned price.

    Attributes
    ----------
    name : str
    dollars : float
        [$/h per chip]
    why : str
        How it comes about, in numbers.
    """

    name: str
    dollars: float
    why: str


@dataclass(frozen=True)
class OwnedPrice:
    """What an hour of an owned chip costs, term by term.

    Attributes
    ----------
    chip : str
    terms : tuple of Term
        They add to the price.
    low, high : float
        Ends of its interval: the swings of all inputs, as ratios, added in quadrature. [$/h per chip]
    inputs : tuple of Assumed
    swings : dict
        Of each input that is a guess: the price at its low and at its high end, all others as they are. [$/h per chip]
    """

    chip: str
    terms: tuple[Term, ...]
    low: float
    high: float
    inputs: tuple[Assumed, ...]
    swings: dict[str, tuple[float, float]]

    @property
    def per_hour(self) -> float:
        """What an hour costs. [$/h per chip]"""
        return math.fsum(t.dollars for t in self.terms)

    @property
    def price(self) -> float:
        """The same as a system has it. [$/s per chip]"""
        return self.per_hour / 3600

    @property
    def capex(self) -> float:
        """Paid for a chip with its share of server and network, when it is bought. [$]"""
        v = {a.name: a.value for a in self.inputs}
        return v["capex"] * v["host"] * v["network"]


def recovery(rate: float, years: float, residual: float = 0.0) -> float:
    """Return the share of a purchase to pay every year so that it is paid off with interest (annuity).

    Parameters
    ----------
    rate : float
        Cost of capital. [share per year]
    years : float
        Life. [years]
    residual : float
        Share of the purchase that it sells for at the end. [share]

    Notes
    -----
    r / (1 - (1 + r)^-n), less the sinking-fund factor r / ((1 + r)^n - 1) of what it sells for; 1/n without interest.
    """
    if rate == 0:
        return (1 - residual) / years
    return rate / (1 - (1 + rate) ** -years) - residual * rate / ((1 + rate) ** years - 1)


def _assumed(row: Row) -> Assumed:
    value, low, high = (float(row[k]) for k in ("value", "low", "high"))
    return Assumed(row["name"], value, low, high, row["unit"], row["about"], row["source"], row["date"])


def assumptions() -> tuple[Assumed, ...]:
    """Return the inputs of the owned price that are no chip's own, from the catalogue's table `owned`."""
    return tuple(_assumed(r) for r in catalogue().table("owned").rows)


def purchase(chip: Chip) -> Assumed | None:
    """Return what a chip alone costs to buy, from the catalogue's table `chip_purchases`; None where it has none.

    Parameters
    ----------
    chip : Chip
    """
    table = catalogue().table("chip_purchases")
    number = table.find(chip.name)
    if number is None:
        return None
    row = table.rows[number]
    low, high = float(row["low_usd"]), float(row["high_usd"])
    said = f"{row['source']}{': ' + row['note'] if row['note'] else ''}"
    return Assumed("capex", math.sqrt(low * high), low, high, "$", "price of one chip", said, row["date"])


def _own(name: str, value: float, unit: str, about: str) -> Assumed:
    return Assumed(name, value, value, value, unit, about, "given by the user", "")


_BOUNDS = {  # what an input may be: least, most (both allowed)
    "capex": (0.0, 1e9), "power": (0.0, 1e6), "host": (1.0, 100.0), "network": (1.0, 100.0), "life": (0.1, 100.0), "capital": (0.0, 10.0),
    "residual": (0.0, 1.0), "host_power": (1.0, 100.0), "drawn": (0.0, 1.0), "pue": (1.0, 10.0), "electricity": (0.0, 100.0),
    "hall": (0.0, 1e4), "hall_life": (0.1, 200.0), "failures": (0.0, 100.0), "repair": (0.0, _DAYS), "replaced": (0.0, 1.0),
}  # fmt: skip


def owned_price(chip: Chip, **given: float) -> OwnedPrice:
    """Return what an hour of an owned chip costs: capital, hall, power and failures, each term shown.

    Parameters
    ----------
    chip : Chip
    given : float
        Inputs instead of the catalogue's: ``capex`` [$ per chip], ``power`` [W, the chip's thermal design power], ``host`` [times,
        servers over their chips], ``network`` [times, clusters over their servers], ``life`` [years], ``capital`` [share per year],
        ``residual`` [share], ``host_power`` [times, a chip's share of its server over its own power], ``drawn`` [share of what is
        provisioned], ``pue`` [times], ``electricity`` [$/kWh], ``hall`` [$/W], ``hall_life`` [years], ``failures`` [1/year], ``repair``
        [days], ``replaced`` [share].

    Raises
    ------
    InputError
        For unknown names and impossible values, and where neither the catalogue nor the user says what the chip costs or draws.

    Notes
    -----
    Capital is paid off as an annuity (`recovery`) over the hours of a year. Chips in repair, ``failures x repair``, are paid but
    serve nothing: every other term is divided by the share of the time that a chip serves. Staff, software, land and taxes are in
    none of the terms. The interval takes each input to its two ends in turn and adds the logarithms of what that does in quadrature:
    inputs are independent guesses.
    """
    inputs = _inputs(chip, given)
    value = {a.name: a.value for a in inputs}
    total = math.fsum(t.dollars for t in _terms(value))
    swings: dict[str, tuple[float, float]] = {}
    for a in inputs:
        if a.low < a.high:
            ends = [math.fsum(t.dollars for t in _terms(value | {a.name: x})) for x in (a.low, a.high)]
            swings[a.name] = (ends[0], ends[1])
    below = math.hypot(*(math.log(min(*s, total) / total) for s in swings.values())) if total > 0 else 0.0
    above = math.hypot(*(math.log(max(*s, total) / total) for s in swings.values())) if total > 0 else 0.0
    return OwnedPrice(chip.name, _terms(value), total * math.exp(-below), total * math.exp(above), inputs, swings)


def _inputs(chip: Chip, given: Mapping[str, float]) -> tuple[Assumed, ...]:
    for name, x in given.items():
        if name not in _BOUNDS:
            raise unknown("input of the owned price", name, list(_BOUNDS), f"It has {', '.join(_BOUNDS)}.")
        least, most = _BOUNDS[name]
        if not least <= x <= most:
            raise InputError(f"owned price: {name} is {x:g}; it must lie between {least:g} and {most:g}")
    capex = _own("capex", given["capex"], "$", "price of one chip") if "capex" in given else purchase(chip)
    if capex is None:
        known = ", ".join(r["name"] for r in catalogue().table("chip_purchases").rows)
        raise InputError(
            f"{chip.name}: no purchase price is known; give it, like --assume capex=25000 (known: {known})"
        )
    watts = given.get("power", chip.power)
    if watts is None:
        raise InputError(f"{chip.name}: no power is known; give its thermal design power, like --assume power=700")
    power = Assumed("power", watts, watts, watts, "W", "thermal design power of one chip",
                    "given by the user" if "power" in given else chip.source, "" if "power" in given else chip.date)  # fmt: skip
    rest = (_own(a.name, given[a.name], a.unit, a.about) if a.name in given else a for a in assumptions())
    return (capex, power, *rest)


def _terms(v: Mapping[str, float]) -> tuple[Term, ...]:
    """The terms of a price, from the values of its inputs."""
    yearly = recovery(v["capital"], v["life"], v["residual"])
    serves = 1 - v["failures"] * v["repair"] / _DAYS
    if serves <= 0:
        raise InputError(
            f"owned price: {v['failures']:g} failures a year of {v['repair']:g} days leave no time to serve"
        )
    watts = v["power"] * v["host_power"]
    server = v["capex"] * v["host"]
    paid = [
        ("chip", v["capex"] * yearly / HOURS,
         f"of ${v['capex']:,.0f}, {yearly:.3f} a year: {100 * v['capital']:.3g} % over {v['life']:g} years"),
        ("server", (server - v["capex"]) * yearly / HOURS, f"{v['host']:g} times the chips less the chips"),
        ("network", server * (v["network"] - 1) * yearly / HOURS, f"{v['network']:g} times the servers less the servers"),
        ("hall", v["hall"] * watts * recovery(v["capital"], v["hall_life"]) / HOURS,
         f"at ${v['hall']:g} a watt x {watts:,.0f} W over {v['hall_life']:g} years"),
        ("power", watts * v["drawn"] * v["pue"] * v["electricity"] / 1e3,
         f"of {watts:,.0f} W, {v['drawn']:g} drawn x PUE {v['pue']:g} at ${v['electricity']:g} per kWh"),
        ("replaced", v["failures"] * v["replaced"] * v["capex"] / HOURS,
         f"{v['failures']:g} failures a year, {100 * v['replaced']:.3g} % of them out of warranty"),
    ]  # fmt: skip
    out = (
        "in repair",
        math.fsum(d for _, d, _ in paid) * (1 / serves - 1),
        f"{100 * (1 - serves):.2g} % of the chips serve nothing",
    )
    return tuple(Term(*t) for t in (*paid, out))


def read_assumed(text: str) -> dict[str, float]:
    """Read inputs of the owned price as people write them: ``capex=25k,life=4,electricity=0.06,capital=8%``.

    Parameters
    ----------
    text : str

    Raises
    ------
    InputError
        When a part is no ``name=number``, or its name none of the inputs.
    """
    found: dict[str, float] = {}
    for part in (p.strip() for p in text.split(",") if p.strip()):
        name, sign, said = (x.strip() for x in part.partition("="))
        if not sign or not said:
            raise InputError(f"--assume: {part!r} must look like name=value, e.g. capex=25k, life=4, electricity=0.06")
        if name not in _BOUNDS:
            raise unknown("input of the owned price", name, list(_BOUNDS), f"It has {', '.join(_BOUNDS)}.")
        found[name] = _number(name, said)
    return found


def _number(name: str, said: str) -> float:
    text, factor = said.removeprefix("$"), 1.0
    if text.endswith("%"):
        text, factor = text[:-1], 0.01
    elif text[-1:] in ("k", "M"):
        text, factor = text[:-1], {"k": 1e3, "M": 1e6}[text[-1]]
    try:
        value = float(text) * factor
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"--assume: {name}={said!r} is no number; it reads like 25000, 25k or 8%")
    return value
