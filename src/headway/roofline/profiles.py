"""Profiles: calibrations by engine, as catalogue data (TOML) that `headway calibrate` writes.

A profile holds one set of numbers, what machines differ in as multipliers (vendor, generation, chip), and the spread
of its own out-of-fold errors, from which every interval is drawn.
"""

from __future__ import annotations

import functools
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from headway.catalog import Catalogue, catalogue
from headway.errors import InputError, unknown
from headway.questions.fields import ENGINE
from headway.roofline.calibration import NUMBERS, Calibration

_SHARES = {f.name for f in NUMBERS if f.metadata["unit"] == "share" and f.metadata["high"] == 1.0}
_KNOWN = {f.name for f in NUMBERS}
DEFAULT = ENGINE
RANGES = (
    "hits",
    "batch",
    "prompt",
    "output",
    "ranks",
    "context",
    "memory",
    "pools",
)  # what is out of range, or never measured so


@runtime_checkable
class Named(Protocol):
    """What a profile needs to know of a chip; `headway.hardware.Chip` is one."""

    @property
    def name(self) -> str:
        """Name of the chip."""
        ...

    @property
    def vendor(self) -> str:
        """Who makes it."""
        ...

    @property
    def generation(self) -> str:
        """Family of chips that share a design."""
        ...


@dataclass(frozen=True, slots=True)
class Spread:
    """Distribution of log(measured/predicted) out of fold: its quantiles and from how many rows.

    Attributes
    ----------
    low, high : float
        10 % and 90 % quantiles: an 80 % interval is predicted x exp(low) to predicted x exp(high). [1]
    rows : int
        Measurements behind them. [rows]
    """

    low: float
    high: float
    rows: int = 0

    def around(self, value: float) -> tuple[float, float]:
        """Return the 80 % interval of a prediction.

        Parameters
        ----------
        value : float
            The prediction, in any unit; both ends have the same. [s, tokens/s, ...]
        """
        return value * math.exp(self.low), value * math.exp(self.high)

    def widened(self, factor: float) -> Spread:
        """Return the spread with both ends further out, for what the evidence does not cover.

        Parameters
        ----------
        factor : float
            On both logarithms; below 1 changes nothing. [times]
        """
        return Spread(min(self.low * factor, self.low), max(self.high * factor, self.high), self.rows)


@dataclass(frozen=True)
class Profile:
    """A calibration by engine, for any chip.

    Attributes
    ----------
    name : str
    numbers : mapping
        Fields of `Calibration`; what is left out is ideal.
    machines : mapping
        Vendor, generation or chip -> field -> multiplier.
    releases : mapping
        Field -> change of its logarithm per year of engine releases.
    spreads : mapping
        ``static_batch`` or ``closed_loop`` -> ``tpot`` or ``ttft`` -> Spread.
    more : mapping
        Kind of load -> quantity -> what a case is (``disaggregated``, ``waiting``, ...) or has no evidence of (``chip``,
        ``generation``, ``vendor``, ``engine``, ``range``) -> variance that it adds, in units of the plain one.
    covers : mapping
        ``chips``, ``generations``, ``vendors``, ``engines``, and ranges such as ``batch`` -> [low, high] of the evidence.
    about : mapping
        Provenance: what it was fitted on, rows, residual, date, what could not be determined.
    """

    name: str
    numbers: Mapping[str, float]
    machines: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    releases: Mapping[str, float] = field(default_factory=dict[str, float])
    spreads: Mapping[str, Mapping[str, Spread]] = field(default_factory=dict[str, Mapping[str, Spread]])
    more: Mapping[str, Mapping[str, Mapping[str, float]]] = field(
        default_factory=dict[str, Mapping[str, Mapping[str, float]]]
    )
    covers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def on(self, chip: Named | None = None, date: str = "") -> Calibration:
        """Return the calibration of this engine on a chip.

        Parameters
        ----------
        chip : Chip
            Takes its own multipliers, its generation's and its vendor's, whichever there are.
        date : str
            Release of the engine (``2026-05-18``, ``2025``); default: the latest that the evidence has.
        """
        values = dict(self.numbers)
        if chip is not None:
            for level in (chip.vendor, chip.generation, chip.name):
                for name, factor in self.machines.get(level, {}).items():
                    values[name] = values[name] * factor
        years = self._years(date)
        for name, trend in self.releases.items():
            values[name] = values[name] * math.exp(trend * years)
        for name in _SHARES & values.keys():
            values[name] = min(values[name], 1.0)
        residual = self.about.get("residual")
        return Calibration(
            name=self.name, provenance=self.sentence(), rows=int(self.about.get("rows", 0)), residual=residual, **values
        )

    def _years(self, date: str) -> float:
        """Years from the reference date to a release, held inside the evidence's own dates."""
        first, last = self.covers.get("release", (0.0, 0.0))
        found = years_since(date)
        return last if found is None else min(max(found, first), last)

    def sentence(self) -> str:
        """Say in one line what the numbers were fitted on."""
        about = self.about
        if not about:
            return Calibration().provenance
        how = "in sample" if about.get("in_sample") else "out of fold"
        error = f", median error {how} {about['residual']:.1%}" if about.get("residual") is not None else ""
        return f"fitted on {about.get('rows', 0):,} rows ({about.get('fitted_on', 'not stated')}){error}; {about.get('date', '')}"

    def spread(self, load: str, what: str, things: tuple[str, ...] = ()) -> Spread | None:
        """Return the spread for a kind of load and a quantity: variances add up over what a case is and what is unseen.

        No profile has measurements with layers on a host's processor: that is as if the chips were of an unseen vendor.
        Numbers out of their range count once, however many; prompts found in a cache, which no evidence has, are as a generation
        of chips that was never seen. A kind never seen takes the largest.
        """
        found, more = self.spreads.get(load, {}).get(what), self.more.get(load, {}).get(what, {})
        if found is None:
            return None
        named = dict.fromkeys(_UNSEEN.get(t, "range" if t in RANGES else t) for t in things)
        largest = max(more.values(), default=0.0)
        return found.widened((1 + sum(more.get(t, largest) for t in named)) ** 0.5)

    def uncovered(self, chip: Named | None = None, loaded: bool = False, **numbers: float) -> tuple[str, ...]:
        """Name what lies outside the evidence: the vendor, generation or chip (`loaded`: under load), and numbers."""
        found: list[str] = []
        under = "loaded_" if loaded and "loaded_vendors" in self.covers else ""
        if chip is not None:
            for level, value in (("vendor", chip.vendor), ("generation", chip.generation), ("chip", chip.name)):
                if value not in self.covers.get(f"{under}{level}s", ()):
                    found.append(level)
                    break
        if self.name not in ("ideal", DEFAULT, *self.covers.get("engines", ())) and self.about.get("own") is None:
            found.append("engine")
        found += [name for name, value in numbers.items() if not self.within(name, value)]
        return tuple(found)

    def within(self, name: str, values: Any) -> Any:
        """Return whether numbers (arrays, too) lie inside the range that the evidence has of them; True where it states none."""
        low, high = self.covers.get(name, (-math.inf, math.inf))
        return (values >= low) & (values <= high)


_UNSEEN = {"host": "vendor", "hits": "generation"}  # as what they count where no evidence has them
REFERENCE_YEAR = 2026.0


def years_since(date: str) -> float | None:
    """Return years from the start of 2026 to `date` (``2026-05-18``, ``2026-05``, ``2026``); None where there is none."""
    match = re.match(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?", date.strip())
    if not match:
        return None
    month, day = (int(match[i] or middle) for i, middle in ((2, 7), (3, 15)))
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return int(match[1]) + (month - 1 + day / 30.4) / 12 - REFERENCE_YEAR


IDEAL_PROFILE = Profile("ideal", {})


def profile_names() -> list[str]:
    """Return the names of all profiles: ``ideal``, the shipped ones and the user's."""
    return ["ideal", *sorted(_files(catalogue()))]


def _files(facts: Catalogue) -> dict[str, Path]:
    return {f.stem: f for folder in facts.folders for f in sorted((folder / "profiles").glob("*.toml"))}


def profile(name: str) -> Profile:
    """Return the profile called `name`: ``ideal``, an engine (``sglang``, ``vllm``, ...), or one that you fitted.

    Raises
    ------
    InputError
        Unknown name (with near misses), or a malformed file.
    """
    return _profile(catalogue(), name.strip())


@functools.lru_cache(maxsize=64)
def _profile(facts: Catalogue, name: str) -> Profile:
    if name == "ideal":
        return IDEAL_PROFILE
    files = _files(facts)
    if name in files:
        return read_profile(files[name])
    table = facts.table("engines")
    number = table.find(name)
    if number is not None and table.rows[number]["profile"] in files:
        return read_profile(files[table.rows[number]["profile"]])
    known = [*profile_names(), *table.names()]
    raise unknown("engine", name, list(dict.fromkeys(known)), f"Accepted: {', '.join(profile_names())}.")


_TABLES = ("numbers", "machines", "releases", "spreads", "more", "covers")


def read_profile(file: Path, depth: int = 0) -> Profile:
    """Read one profile, on top of its base when it names one.

    Parameters
    ----------
    file : Path
        The TOML file; its stem is the profile's name.
    depth : int
        Bases already followed on the way here: more than 5 are a circle. [1]

    Raises
    ------
    InputError
        When the file is not TOML, its base is unknown, or a number is unknown, missing its type, or outside its range.
    """
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read ({error.__class__.__name__})") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{file}: not valid TOML: {error}") from None
    tables = {key: data.pop(key, {}) for key in _TABLES}
    for key, value in tables.items():
        if not isinstance(value, dict):
            raise InputError(f"{file}: [{key}] must be a table")
    numbers = _values(tables["numbers"], f"{file}: [numbers]")
    machines = {k: _values(v, f"{file}: [machines.{k}]") for k, v in tables["machines"].items()}
    releases = _values(tables["releases"], f"{file}: [releases]")
    try:
        spreads = {
            load: {what: Spread(**values) for what, values in kinds.items()}
            for load, kinds in tables["spreads"].items()
        }
    except (AttributeError, TypeError):
        raise InputError(f"{file}: [spreads.LOAD.WHAT] needs low, high and rows") from None
    Calibration(name=str(file), **cast(dict[str, Any], numbers))  # refuses a value outside its range
    _check(file, tables["more"], tables["covers"], data)
    _check_numbers(file, spreads, machines, releases)
    found = Profile(file.stem, numbers, machines, releases, spreads, tables["more"], tables["covers"], data)
    if "base" in data:
        found = _on_top(_base(file, str(data["base"]), depth), found)
    for where, names in (
        {f"machines.{k}": v for k, v in found.machines.items()} | {"releases": found.releases}
    ).items():
        missing = sorted(names.keys() - found.numbers.keys())
        if missing:
            raise InputError(f"{file}: [{where}] changes {missing[0]}, which [numbers] does not have")
    return found


_STEEPEST = 10.0  # of a logarithm per year: a factor of 20,000


def _numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check(file: Path, more: Mapping[str, Any], covers: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Refuse tables that would fail only when they are used."""
    for load, quantities in more.items():
        for what, kinds in quantities.items() if isinstance(quantities, dict) else [("", None)]:
            if not isinstance(kinds, dict):
                raise InputError(f"{file}: [more.{load}] needs a table for tpot and ttft")
            for name, value in kinds.items():
                if not _numeric(value) or value < 0:
                    raise InputError(
                        f"{file}: [more.{load}.{what}].{name} is {value!r}; it must be a number of at least 0"
                    )
    for name, value in covers.items():
        items = cast(list[Any], value) if isinstance(value, list) else None
        names = name.removeprefix("loaded_") in ("chips", "generations", "vendors", "engines")
        good = items is not None and (
            all(isinstance(v, str) for v in items) if names else len(items) == 2 and all(map(_numeric, items))
        )
        if not good:
            raise InputError(f"{file}: [covers].{name} must be {'a list of names' if names else '[lowest, highest]'}")
    residual, rows = about.get("residual"), about.get("rows", 0)
    if not (residual is None or _numeric(residual)) or not _numeric(rows):
        raise InputError(f"{file}: residual and rows must be numbers")


def _check_numbers(
    file: Path,
    spreads: Mapping[str, Mapping[str, Spread]],
    machines: Mapping[str, Mapping[str, float]],
    releases: Mapping[str, float],
) -> None:
    for load, kinds in spreads.items():
        for what, s in kinds.items():
            if not (_numeric(s.low) and _numeric(s.high) and _numeric(s.rows) and s.low <= 0 <= s.high):
                raise InputError(
                    f"{file}: [spreads.{load}.{what}] needs low of at most 0, high of at least 0, and rows"
                )
    for machine, factors in machines.items():
        for name, factor in factors.items():
            if factor <= 0:
                raise InputError(f"{file}: [machines.{machine}].{name} is {factor:g}; a factor is positive")
    for name, trend in releases.items():
        if abs(trend) > _STEEPEST:
            raise InputError(f"{file}: [releases].{name} is {trend:g}; at most {_STEEPEST:g} per year either way")


def _base(file: Path, name: str, depth: int) -> Profile:
    files = _files(catalogue())
    if depth > 5:
        raise InputError(f"{file}: base {name!r}: profiles name each other in a circle")
    if name not in files:
        raise unknown(f"{file}: base", name, profile_names(), f"Accepted: {', '.join(profile_names())}.")
    return read_profile(files[name], depth + 1)


def _on_top(base: Profile, own: Profile) -> Profile:
    """Merge: what a profile says itself wins, number by number and machine by machine."""
    machines = {k: {**base.machines.get(k, {}), **own.machines.get(k, {})} for k in {**base.machines, **own.machines}}
    spreads = {k: {**base.spreads.get(k, {}), **own.spreads.get(k, {})} for k in {**base.spreads, **own.spreads}}
    more = {k: {**base.more.get(k, {}), **own.more.get(k, {})} for k in {**base.more, **own.more}}
    return Profile(
        own.name, {**base.numbers, **own.numbers}, machines, {**base.releases, **own.releases}, spreads,
        more, {**base.covers, **own.covers}, {**base.about, **own.about},
    )  # fmt: skip


def _values(table: Any, where: str) -> dict[str, float]:
    if not isinstance(table, dict):
        raise InputError(f"{where} must be a table of numbers")
    for name, value in table.items():
        if name not in _KNOWN:
            raise unknown(f"{where} field", str(name), sorted(_KNOWN), "See `headway calibrate --help`.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{where}.{name} is {value!r}; it must be a number")
    return {str(k): float(v) for k, v in table.items()}
