"""Collectives by algorithm: how many rounds they take and what each chip sends, on one level of the network or over several.

A step's own collectives (`build_step`) are timed by `step_time` with what engines measured; here is the algebra behind
them, for comparing algorithms and for what no engine was measured on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from headway.catalog import catalogue
from headway.errors import InputError, unknown
from headway.hardware import System

Real = Any  # a float or a NumPy array; everything broadcasts
Algorithm = Literal["ring", "tree", "one-shot", "two-shot", "in-network", "direct"]

NUMBERS = ("launch_s", "round_s", "efficiency", "ramp_bytes")
ALGORITHMS: dict[str, tuple[Algorithm, ...]] = {
    "all-reduce": ("ring", "tree", "one-shot", "two-shot", "in-network"),
    "all-gather": ("ring", "direct"),
    "reduce-scatter": ("ring", "direct"),
    "all-to-all": ("direct", "ring"),
    "send": ("direct",),
}


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one collective does on one chip: rounds one after another, and bytes sent in one direction."""

    rounds: Real
    sent: Real


def traffic(kind: str, algorithm: str, size: Real, ranks: Real) -> Traffic:
    """Return rounds and bytes of a collective.

    Parameters
    ----------
    kind : str
        ``all-reduce``, ``all-gather``, ``reduce-scatter``, ``all-to-all`` or ``send``.
    algorithm : str
        One of ``ALGORITHMS[kind]``.
    size : float or array
        Of the whole vector: of an all-gather the result, of a reduce-scatter the input, of an all-to-all what one chip
        has for all. [bytes]
    ranks : int or array
        n.

    Raises
    ------
    InputError
        Unknown kind or algorithm.

    Notes
    -----
    Ring all-reduce: 2 (n-1) rounds, 2 (n-1)/n s (Patarasuk and Yuan 2009). Double binary tree: 2 log2 n rounds, 2 s (Sanders
    et al. 2009; each chip is a leaf in one tree). One-shot: everyone sends all to everyone, (n-1) s in one round. Two-shot:
    reduce-scatter and all-gather, each in one round. In-network: the switch adds, s up and the sum down. Ring all-gather and
    reduce-scatter: n-1 rounds, (n-1)/n s; direct: the same in one. All-to-all: (n-1)/n s.
    """
    if kind not in ALGORITHMS:
        raise unknown("collective", kind, list(ALGORITHMS), f"Accepted: {', '.join(ALGORITHMS)}.")
    if algorithm not in ALGORITHMS[kind]:
        raise unknown(
            f"{kind} algorithm", algorithm, list(ALGORITHMS[kind]), f"Accepted: {', '.join(ALGORITHMS[kind])}."
        )
    n = np.asarray(ranks, dtype=float)
    if np.any(n < 1):
        raise InputError(f"{kind}: {ranks} ranks; it takes at least 1")
    others, several = n - 1, np.where(n > 1, 1.0, 0.0)
    if kind == "send":
        return Traffic(several, size * several)
    part = others / n * size
    if kind == "all-reduce":
        rounds: dict[str, Real] = {
            "ring": 2 * others, "tree": 2 * np.ceil(np.log2(n)), "one-shot": several, "two-shot": 2 * several,
            "in-network": 2 * several,
        }  # fmt: skip
        sent: dict[str, Real] = {
            "ring": 2 * part, "tree": 2 * size * several, "one-shot": others * size, "two-shot": 2 * part,
            "in-network": size * several,
        }  # fmt: skip
        return Traffic(rounds[algorithm], sent[algorithm])
    return Traffic(others if algorithm == "ring" else several, part)


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the network.

    Attributes
    ----------
    name : str
        ``box`` or ``rack`` (the scale-up domain), ``across``.
    ranks : int
        Chips that it joins on this level (of the level below: groups).
    bandwidth : float
        Per chip and direction. [bytes/s]
    latency : float
        Of one round. [s]
    launch : float
        Once per collective. [s]
    efficiency : float
        Share of the bandwidth that large messages reach.
    ramp : float
        Bytes sent at which the square-root term, of messages neither small nor large, equals the linear one. [bytes]
    """

    name: str
    ranks: int
    bandwidth: Real
    latency: Real = 0.0
    launch: Real = 0.0
    efficiency: Real = 1.0
    ramp: Real = 0.0


def seconds(kind: str, algorithm: str, size: Real, level: Level) -> Real:
    """Return the time of a collective on one level. [s]

    Notes
    -----
    launch + rounds x latency + (b + sqrt(b b0))/(bandwidth x efficiency) for b bytes sent; b0 is the level's `ramp`.
    """
    return taken(traffic(kind, algorithm, size, level.ranks), level)


def taken(t: Traffic, level: Level) -> Real:
    """Return the time that some traffic takes on a level (arrays of ranks have traffic of their own). [s]"""
    wire = (t.sent + np.sqrt(t.sent * level.ramp)) / (level.bandwidth * level.efficiency)
    return level.launch * (t.rounds > 0) + t.rounds * level.latency + wire


def best(kind: str, size: float, level: Level, allowed: Sequence[str] | None = None) -> tuple[str, float]:
    """Return the fastest algorithm on a level and its time. [s]"""
    options = allowed or list(ALGORITHMS[kind])
    times = {a: float(seconds(kind, a, size, level)) for a in options}
    name = min(times, key=lambda a: times[a])
    return name, times[name]


def over_levels(kind: str, size: float, levels: Sequence[Level], allowed: Sequence[str] | None = None) -> float:
    """Return the time of a collective over several levels, innermost first, each with its fastest algorithm. [s]

    Raises
    ------
    InputError
        When no level is given.

    Notes
    -----
    All-reduce: reduce-scatter inside, all-reduce of each chip's share outside, all-gather inside. All-gather and
    reduce-scatter: all of it inside, each chip's share outside. All-to-all: what goes to chips of other
    groups, (R-1)/R of it, crosses (lecture 3.3); both levels at once, the slower decides. Send: the outermost level.
    """
    if not levels:
        raise InputError("a collective needs at least one level of the network")
    inner, outer = levels[0], levels[1:]
    if not outer or all(x.ranks <= 1 for x in outer):
        return best(kind, size, inner, allowed)[1]
    if kind == "send":
        return best(kind, size, levels[-1])[1]
    if kind == "all-to-all":
        groups = outer[0].ranks
        away = size * (groups - 1) / groups
        across = taken(Traffic(1.0, away), outer[0])
        return max(best(kind, size / groups, inner, allowed)[1], float(across))
    share = size / inner.ranks
    if kind == "all-reduce":
        inside = best("reduce-scatter", size, inner)[1] + best("all-gather", size, inner)[1]
        return inside + over_levels(kind, share, outer, allowed)
    return best(kind, size, inner)[1] + over_levels(kind, share, outer)


def dispatch_bytes(tokens: Real, hidden: Real, active: Real, bytes_per_element: Real = 1.0) -> Real:
    """Return what a chip sends to have its tokens reach their experts, each copy by itself (lecture E12): T k h bytes.

    Parameters
    ----------
    tokens, hidden, active : float or array
        New tokens of the chip; width; activated experts per token.
    bytes_per_element : float or array
        1 for FP8 dispatch, 2 for 16-bit; combine is 16-bit. [bytes]
    """
    return tokens * active * hidden * bytes_per_element


def levels_of(system: System, chips: int, kind: str = "all-reduce") -> list[Level]:
    """Return the levels that join so many chips of a system, with what the collective evidence says of each.

    Raises
    ------
    InputError
        When the system has no link, or none beyond its scale-up domain and the chips need one.
    """
    if chips > 1 and not system.link:
        raise InputError(f"{system.name} has no link in the catalogue")
    inside = min(chips, max(system.domain, 1))
    name = "rack" if system.domain > 8 else "box"
    found = [_level(name, inside, system.link, kind)]
    if chips > inside:
        if not system.scale_out:
            raise InputError(
                f"{system.name}: {chips} chips span several scale-up domains, and it has no scale-out network"
            )
        found.append(_level("across", -(-chips // inside), system.scale_out, "across"))
    return found


def _level(name: str, ranks: int, bandwidth: float, kind: str) -> Level:
    n = fitted_numbers(kind)
    return Level(name, ranks, bandwidth, n["round_s"], n["launch_s"], n["efficiency"], n["ramp_bytes"])


def fitted_numbers(kind: str) -> dict[str, float]:
    """Return what the kernel evidence says of a collective: launch, latency per round, efficiency, ramp (`collectives`).

    Raises
    ------
    InputError
        Unknown collective.
    """
    row, _ = catalogue().row("collectives", kind, "collective")
    return {k: float(row[k]) for k in NUMBERS}
