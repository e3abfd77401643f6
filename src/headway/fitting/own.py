"""A user's own profile: what their measurements say beyond a shipped one, and what they cannot say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.catalog import catalogue
from headway.errors import InputError
from headway.evidence.measurements import Measurement
from headway.fitting.compare import Accuracy, accuracy, ratios
from headway.fitting.data import usable
from headway.fitting.estimate import Batch, estimate, numbers_of
from headway.fitting.factors import SHARES, Fitted, Prior, priors
from headway.fitting.fit import Data, fit
from headway.fitting.floors import batch_floors, below_floors
from headway.fitting.folds import labels, out_of_fold
from headway.fitting.intervals import widths
from headway.fitting.profiles import covers_of, today
from headway.fitting.refits import Refits
from headway.roofline import Profile, profile, profile_names

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ABSURD = np.log(100.0)  # beyond a factor of a hundred a number is in another unit, not a slow machine
_LEAST = 10  # rows, and configurations, below which residuals say nothing about an interval


@dataclass(frozen=True)
class Own:
    """A profile fitted to a user's rows.

    Attributes
    ----------
    profile : dict
        As written to TOML.
    base : str
        The profile that it starts from.
    before, after : Accuracy or None
        Errors of the base and of the fit (out of fold where there are rows enough, else in sample) on these rows.
    determined : dict
        Number -> (before, after) of what the rows determined.
    undetermined : list of str
        Numbers that the rows say nothing about: they keep the base's values.
    refused : list of (Measurement, reason)
    """

    profile: dict[str, Any]
    base: str
    before: Accuracy | None
    after: Accuracy | None
    determined: dict[str, tuple[float, float]]
    undetermined: list[str]
    refused: list[tuple[Measurement, str]]


def own_profile(name: str, rows: Sequence[Measurement], base: str | None = None) -> Own:
    """Fit a user's rows on top of a shipped profile.

    Parameters
    ----------
    name : str
        Of the new profile.
    rows : sequence of Measurement
    base : str
        Profile to start from; default: that of the engine that most rows name.

    Raises
    ------
    InputError
        A name that cannot be a file's or is a shipped profile's; no row that can be used, or none with a measurement.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"--name {name!r}: use letters, digits, dots, dashes and underscores, at most 64")
    if name in ("ideal", "modern") or name in _shipped():
        raise InputError(f"--name {name!r} is a profile that ships with headway; choose another")
    if catalogue().table("engines").find(name) is not None:
        raise InputError(f"--name {name!r} is an engine that headway knows; choose another, like {name}-mine")
    if base == "ideal":
        raise InputError("--engine ideal: nothing can be fitted on top of it; start from modern or an engine")
    data, refused = usable(rows, base)
    data, absurd = _believable(data)
    refused += absurd
    if not data.rows:
        why = f": {refused[0][0].place}: {refused[0][1]}" if refused else ""
        raise InputError(f"no row can be used{why}")
    start = profile(base or Counter(c.engine.profile for c in data.cases).most_common(1)[0][0])
    if start.name == name:
        raise InputError(f"--name {name!r} is the profile to start from too; choose another name or --engine")
    known = _around(start, data)
    first = fit(data, known)
    unsure = first.undetermined("pooled")
    sure = {n: p if n not in unsure else Prior(p.value, {}) for n, p in known.items()}
    fitted = fit(data, sure)
    return _own(name, start, data, fitted, sure, unsure, refused)


def _believable(data: Data) -> tuple[Data, list[tuple[Measurement, str]]]:
    """Leave out rows that measured nothing readable, beat physics, or are further off than any machine of the evidence."""
    if not data.rows:
        return data, []
    known = data.truth
    beaten = below_floors(data, np.zeros(len(data.rows)), np.zeros(len(data.rows)))
    floor = batch_floors(data.batch).tpot
    own, first = ratios(known, estimate(data.batch, numbers_of([c.profile.on(c.chip) for c in data.cases])))
    good: list[int] = []
    left: list[tuple[Measurement, str]] = []
    for i, row in enumerate(data.rows):
        tpot = row.measured.get("tpot_mean") or row.measured.get("tpot_median")
        far = max(abs(own[i]) if np.isfinite(own[i]) else 0.0, abs(first[i]) if np.isfinite(first[i]) else 0.0)
        if not np.isfinite([own[i], first[i]]).any():
            left.append((row, "no readable measurement: give tpot_ms_mean, ttft_ms_mean, e2e_ms_mean or output_tok_s"))
        elif tpot and tpot < floor[i]:
            left.append((row, f"TPOT of {tpot * 1e3:.4g} ms is below the physical floor of {floor[i] * 1e3:.4g} ms"))
        elif beaten[i]:
            left.append((row, "a measurement beats the physical floor of its case: check units, chips and batch"))
        elif far > _ABSURD:
            left.append(
                (row, f"measured {np.exp(far):,.3g} times away from {data.cases[i].engine.profile}: check the units")
            )
        else:
            good.append(i)
    if len(good) == len(data.rows):
        return data, []
    return Data([data.rows[i] for i in good], Batch.of([data.cases[i] for i in good])), left


def _shipped() -> list[str]:
    return [n for n in profile_names() if n == "ideal" or not _is_own(n)]


def _is_own(name: str) -> bool:
    try:
        return profile(name).about.get("own") is not None
    except InputError:  # a broken file of the user's is not one that ships
        return True


def _around(start: Profile, data: Data) -> dict[str, Prior]:
    """Return priors around a profile's own numbers on each row's machine, as wide as engines differ."""
    used = [start.on(c.chip, r.date) for r, c in zip(data.rows, data.cases, strict=True)]
    values = numbers_of(used)
    widths = {n: max(p.widths["old_engine"], p.widths["engine"], p.widths["pooled"]) for n, p in priors().items()}
    return {n: Prior(values[n], {"pooled": widths[n]} if widths[n] else {}) for n in values if n in widths}


def _own(
    name: str,
    start: Profile,
    data: Data,
    fitted: Fitted,
    known: dict[str, Prior],
    unsure: list[str],
    refused: list[tuple[Measurement, str]],
) -> Own:
    latest = start.on()
    moved = {f.name: float(np.exp(v)) for f, v in zip(fitted.factors, fitted.values, strict=True)}
    numbers = {n: _held(n, v * moved[n]) for n, v in start.numbers.items() if n in moved}
    before = ratios(data.truth, estimate(data.batch, {n: p.value for n, p in known.items()}))
    spots = [
        f"{r.model} {c.layout} {r.batch:g} {r.prompt:g} {r.output:g}"
        for r, c in zip(data.rows, data.cases, strict=True)
    ]
    order = {s: i % 5 for i, s in enumerate(sorted(set(spots)))}
    fold = labels(f"fold {order[s]}" for s in spots)
    enough = len(order) >= _LEAST
    if enough:
        found = out_of_fold(Refits(data, known), fold)
        own, ttft = found.own, found.ttft
    else:
        own, ttft = ratios(data.truth, estimate(data.batch, _numbers(known, moved)))
    error = accuracy(own)
    written: dict[str, Any] = {
        "base": start.name, "own": True, "about": f"{name}: fitted to your measurements on top of {start.name}",
        "fitted_on": f"{len(data.rows):,} rows of your own", "rows": len(data.rows),
        "residual": round(error.median, 4) if error else 1.0, "date": today(), "undetermined": unsure,
        "numbers": {n: float(f"{v:.4g}") for n, v in numbers.items()},
    }  # fmt: skip
    if enough:
        written |= _spreads(start, data, own, ttft)
    else:
        written["in_sample"] = True
        written["spreads"] = _at_least(start, data, own, ttft)
    written["covers"] = _covers(start, data)
    return Own(
        written, start.name, accuracy(before[0]), error,
        {n: (float(getattr(latest, n)), float(getattr(latest, n)) * moved[n]) for n in numbers},
        unsure, refused,
    )  # fmt: skip


def _covers(start: Profile, data: Data) -> dict[str, Any]:
    """What the base's evidence covers, and these rows' machines and ranges beside it."""
    mine = covers_of(list(zip(data.rows, data.cases, strict=True)))
    found = {k: sorted({*start.covers.get(k, ()), *v}) for k, v in mine.items() if isinstance(v[0], str)}
    for name, (low, high) in ((k, v) for k, v in mine.items() if not isinstance(v[0], str)):
        known = start.covers.get(name, (low, high))
        found[name] = [min(low, known[0]), max(high, known[1])]
    return found


def _at_least(start: Profile, data: Data, own: Any, ttft: Any) -> dict[str, Any]:
    """The base's spreads, stretched to reach every one of too few rows."""
    found: dict[str, Any] = {}
    for load, what, values in (
        ("closed_loop", "tpot", own),
        ("closed_loop", "ttft", ttft),
        ("static_batch", "tpot", own),
    ):
        s = start.spread(load, what)
        mine = -values[np.array([r.load == load for r in data.rows]) & np.isfinite(values)]
        if s is not None and mine.size:
            low, high = min(s.low, float(mine.min())), max(s.high, float(mine.max()))
            found.setdefault(load, {})[what] = {"low": round(low, 4), "high": round(high, 4), "rows": s.rows}
    return found


def _numbers(known: dict[str, Prior], moved: dict[str, float]) -> dict[str, Any]:
    return {n: np.asarray(p.value) * moved.get(n, 1.0) for n, p in known.items()}


def _held(name: str, value: float) -> float:
    """Keep a share at most 1."""
    return min(value, 1.0) if name in SHARES else value


def _spreads(start: Profile, data: Data, own: Any, ttft: Any) -> dict[str, Any]:
    """Spreads of the rows' own residuals and what their kinds add to them; what these rows cannot say stays the base's."""
    spreads: dict[str, Any] = {}
    more: dict[str, Any] = {}
    closed = np.array([r.load == "closed_loop" for r in data.rows])
    for load, chosen in (("closed_loop", closed), ("static_batch", ~closed)):
        for what, values in (("tpot", own), ("ttft", ttft)):
            w = widths(data.residuals(values).of(chosen))
            if w:
                low, high = round(w.plain.low, 4), round(w.plain.high, 4)
                spreads.setdefault(load, {})[what] = {"low": low, "high": high, "rows": w.plain.rows}
                base = start.more.get(load, {}).get(what, {})
                more.setdefault(load, {})[what] = {**base, **{k: round(v, 3) for k, v in w.more.items()}}
    return {"spreads": spreads, "more": more}
