"""A part of traffic: a window of time, or the first of it. Who waits for others stays with them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from headway.errors import InputError
from headway.simulation.requests import Ints, Requests
from headway.simulation.traffic.blocks import picked


def between(requests: Requests, start: float = 0.0, end: float = math.inf) -> Requests:
    """Return what arrives from `start` to before `end`, counted from `start`; requests that wait for others go with these.

    Parameters
    ----------
    requests : Requests
    start, end : float
        Window in the traffic's own time. [s]

    Raises
    ------
    InputError
        When the window is none, or nothing arrives in it.
    """
    if not (0 <= start < end and math.isfinite(start)):
        raise InputError(f"a slice from {start:g} s to {end:g} s; it begins at 0 or later and ends after that")
    roots = _roots(requests)
    came = requests.arrival[roots]
    kept = np.flatnonzero((came >= start) & (came < end))
    if not len(kept):
        last = float(came.max(initial=0.0))
        until = f"to {end:g} s" if math.isfinite(end) else "on"
        raise InputError(f"nothing arrives from {start:g} s {until}; the last request comes at {last:g} s")
    found = _picked(requests, kept)
    first = found.after < 0 if len(found.after) else np.ones(len(found), dtype=bool)
    return dataclasses.replace(
        found, arrival=np.where(first, found.arrival - start, np.maximum(found.arrival - start, 0))
    )


def first(requests: Requests, count: int) -> Requests:
    """Return the first `count` requests that wait for nobody, and those that wait for them.

    Parameters
    ----------
    requests : Requests
    count : int
        How many, at least 1; all where there are fewer. [1]
    """
    if count < 1:
        raise InputError(f"the first {count} requests; at least 1 is needed")
    roots = _roots(requests)
    begin = np.flatnonzero(roots == np.arange(len(requests)))[:count]
    return _picked(requests, np.flatnonzero(np.isin(roots, begin)))


def _roots(requests: Requests) -> Ints:
    """Index of the request that each waits for in the end; its own where it waits for nobody."""
    own = np.arange(len(requests), dtype=np.int64)
    if not len(requests.after):
        return own
    found = np.where(requests.after < 0, own, requests.after)
    while True:  # each time twice as many steps up
        further = found[found]
        if np.array_equal(further, found):
            return found
        found = further


def _picked(requests: Requests, kept: Ints) -> Requests:
    place = np.full(len(requests) + 1, -1, dtype=np.int64)  # the last entry stands for no predecessor, -1
    place[kept] = np.arange(len(kept))
    hashes, first_hash = picked(requests.hashes, requests.first_hash, kept)
    return dataclasses.replace(
        requests,
        arrival=requests.arrival[kept],
        prompt=requests.prompt[kept],
        output=requests.output[kept],
        after=place[requests.after[kept]] if len(requests.after) else requests.after,
        think=requests.think[kept] if len(requests.think) else requests.think,
        tier=requests.tier[kept] if len(requests.tier) else requests.tier,
        hashes=hashes,
        first_hash=first_hash,
        line=requests.line[kept] if len(requests.line) else requests.line,
    )
