"""Traffic piece by piece: what is drawn gap by gap is never held, anything else is cut."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from headway.simulation.requests import Floats, Ints, Requests
from headway.simulation.traffic import specs
from headway.simulation.traffic.arrivals import Renewal
from headway.simulation.traffic.named import COUNT, Options, generators, given_sizes, merged, quantity, traffic
from headway.simulation.traffic.shipped import is_trace
from headway.simulation.traffic.sizes import Independent, Sizes
from headway.simulation.traffic.specs import Spec

_WHOLE = ("start", "rate", "scale")  # options of traffic that has to be there as a whole


@dataclass(frozen=True)
class Flow:
    """Traffic piece by piece.

    Attributes
    ----------
    pieces : iterator of Requests
        In order of arrival; empty ones are left out.
    count : float
        Requests that are expected. [requests]
    name : str
    """

    pieces: Iterator[Requests]
    count: float
    name: str


def flow(what: str, size: int, **options: Unpack[Options]) -> Flow:
    """Return traffic in pieces of so many requests: the same that `traffic` returns at once.

    Parameters
    ----------
    what : str
        As of `traffic`.
    size : int
        Of a piece. [requests]
    **options
        As of `Options`.

    Notes
    -----
    Poisson, gamma, Weibull and constant arrivals are drawn as they come, however many. Traffic of any other kind, or with a window or
    a rate of its own, is made at once (24 bytes a request) and cut.
    """
    if specs.is_spec(what) and not is_trace(what):
        spec = Spec(what)
        found = None if spec.kind in specs.SESSIONS else _as_it_comes(spec, merged(spec, options), size)
        if found is not None:
            return found
    whole = traffic(what, **options)
    return Flow(_cut(whole, size), float(len(whole)), whole.name or what)


def _as_it_comes(spec: Spec, options: Options, size: int) -> Flow | None:
    """What is drawn gap by gap; None where that cannot be."""
    process = specs.process(spec)
    if not isinstance(process, Renewal) or any(options.get(k) is not None for k in _WHOLE):
        return None
    spec.done()
    count, length = quantity(options, "count", specs.whole), quantity(options, "duration", specs.duration)
    many = (COUNT if length is None else math.inf) if count is None else count
    expected = min(float(many), math.inf if length is None else process.rate * length)
    times, rest = generators(options.get("seed", 0))
    ends = (many, math.inf if length is None else length)
    drawn = _drawn(process, given_sizes(spec, options), ends, size, times, rest)
    return Flow((dataclasses.replace(p, name=spec.text) for p in drawn), expected, spec.text)


def _cut(whole: Requests, size: int) -> Iterator[Requests]:
    if whole.closed or len(whole.first_hash):
        yield whole  # who takes pieces refuses it
        return
    for at in range(0, len(whole), size):
        part = slice(at, at + size)
        tier = whole.tier[part] if len(whole.tier) else whole.tier
        yield Requests(
            whole.arrival[part], whole.prompt[part], whole.output[part], tier=tier, tiers=whole.tiers, name=whole.name
        )


def _drawn(
    process: Renewal, sizes: Sizes, ends: tuple[float, float], size: int, times: np.random.Generator, rest: np.random.Generator
) -> Iterator[Requests]:  # fmt: skip
    """Requests until there are so many, or the last moment has come."""
    left, until = ends
    lengths, reached = _lengths(sizes, rest), 0.0
    while left > 0:
        number = int(min(size, left))
        arrival: Floats = np.cumsum(np.concatenate([[reached], process.gaps(number, times)]))[1:]
        reached, left = float(arrival[-1]), left - number
        prompt, output = lengths(number)
        kept = int(np.searchsorted(arrival, until))
        if kept:
            yield Requests(arrival[:kept], prompt[:kept], output[:kept])
        if kept < number:
            return


def _lengths(sizes: Sizes, rng: np.random.Generator) -> Callable[[int], tuple[Ints, Ints]]:
    """Draws lengths again and again, as one draw of all would."""
    if isinstance(sizes, Independent):
        first, second = rng.spawn(2)
        return lambda n: (sizes.prompt.draw(n, first), sizes.output.draw(n, second))
    return lambda n: sizes.draw(n, rng)
