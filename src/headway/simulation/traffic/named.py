"""Traffic by name: a process, a kind of sessions, a trace of the catalogue, or a file."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, TypeVar, Unpack

import numpy as np

from headway import units
from headway.errors import InputError, quoted, seeded, unknown
from headway.simulation.requests import Requests
from headway.simulation.traffic import slices, specs, traces
from headway.simulation.traffic.arrivals import Process
from headway.simulation.traffic.chats import Chats
from headway.simulation.traffic.files import read
from headway.simulation.traffic.lengths import ACCEPTED, Lengths, lengths
from headway.simulation.traffic.sessions import BLOCK
from headway.simulation.traffic.shipped import is_trace, shipped, trace_names
from headway.simulation.traffic.sizes import Independent, Observed, Sizes
from headway.simulation.traffic.specs import Spec
from headway.simulation.traffic.traces import HASH_TOKENS, Trace

COUNT = 1000  # requests that are drawn where nothing is said
_FILES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".gz")
T = TypeVar("T")


class Options(TypedDict, total=False):
    """What can be said about traffic beside its name; text is read as of `headway.units`, numbers are SI.

    Attributes
    ----------
    prompt, output : str, int or Lengths
        Lengths of what is drawn: ``1024``, ``"800-1024"``, ``"1k~0.8"``, ... (`lengths`). [tokens]
    lengths : str
        A trace or file whose pairs of prompt and answer are drawn instead.
    arrivals : str or Process
        When the requests of a trace or file come, instead of its own times: ``"poisson:20/s"``.
    count : str or int
        Of what is drawn, so many requests, of sessions about so many (1000 where nothing is said); of a trace or file, or beside a
        duration, the first so many; of conversations of a file, so many of these. [1]
    duration, start : str or float
        Window in the traffic's own time, before it is scaled. [s]
    scale : str or float
        Requests arrive so many times as fast. [times]
    rate : str or float
        Requests arrive as fast as makes this mean rate. [1/s]
    seed : int
        Of all that is drawn: the same seed, the same traffic; 0 where nothing is said. [1]
    turns : int
        Turns of each conversation of a file that are played; 1 where nothing is said. [1]
    think : str or float
        Mean time between the turns of a file's conversations; 0 where nothing is said. [s]
    sort, drop_empty : bool
        As of `read`.
    unit : str
        As of `read`.
    hash_tokens : int
        Tokens of a block that an identity of a file stands for, 512 where nothing is said; of conversations 64. [tokens]
    """

    prompt: str | int | Lengths
    output: str | int | Lengths
    lengths: str | Path
    arrivals: str | Process
    count: str | int | None
    duration: str | float | None
    start: str | float | None
    scale: str | float | None
    rate: str | float | None
    seed: int
    turns: int
    think: str | float
    sort: bool
    drop_empty: bool
    unit: str
    hash_tokens: int | None


def traffic(what: str | os.PathLike[str], **options: Unpack[Options]) -> Requests:
    """Return traffic by name.

    Parameters
    ----------
    what : str or path
        A process (``"poisson:20/s"``, ``"gamma:20/s,cv=3"``, ``"weibull:20/s,cv=3"``, ``"on-off:20/s,on=10s,off=30s"``,
        ``"diurnal:20/s,swing=0.6"``, ``"constant:20/s"``), sessions (``"closed:64,think=2s"``, ``"sessions:2/s,turns=5,..."``,
        ``"agents:0.5/s,shared=20k,..."``), a trace of the catalogue (``"azure-conv"``), or a file (`read`). Lengths, count,
        duration, ... may stand in the text of a process, too: ``"poisson:20/s,prompt=1k,output=200,duration=10min"``.
    **options
        As of `Options`.

    Raises
    ------
    InputError
        For an unknown name (with near misses), what cannot be read, and options that do not go together.

    Examples
    --------
    >>> found = traffic("poisson:20/s", prompt="1k~0.8", output=200, count=500, seed=1)
    >>> len(found), found.closed
    (500, False)
    >>> len(traffic("azure-conv", start="10min", duration="5min", scale=2))
    1557
    """
    text = os.fspath(what)
    seed = options.get("seed", 0)
    streams = generators(seed)
    if not isinstance(what, os.PathLike) and not is_trace(text) and specs.is_spec(text):
        spec = Spec(text)
        said = merged(spec, options)
        found = _drawn(spec, said, *streams)
        found = dataclasses.replace(found, name=text, source=f"drawn with seed {seed}")
    else:
        said = options
        found = _replayed(what, options, *streams)
    return _scaled(found, said)


def generators(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Return what arrivals are drawn with, and what the rest is: lengths stay the same under other arrivals, and the reverse.

    Parameters
    ----------
    seed : int
        At least 0. [1]
    """
    times, rest = np.random.default_rng(seeded(seed)).spawn(2)
    return times, rest


def merged(spec: Spec, options: Options) -> Options:
    """Return options with those that stand in the spec's text.

    Parameters
    ----------
    spec : Spec
    options : Options
    """
    found = options.copy()
    for key in ("prompt", "output", "lengths", "count", "duration", "start", "scale", "rate"):
        if spec.given(key):
            if options.get(key) is not None:
                raise InputError(f"traffic {quoted(spec.text)}: {key} is given twice")
            found[key] = spec.take(key, lambda text, _: text)
    return found


def quantity(options: Options, key: str, read_as: Callable[[str | float, str], T]) -> T | None:
    """Return an option as a number; None where nothing is said.

    Parameters
    ----------
    options : Options
    key : str
    read_as : callable
        (value, where) -> number.
    """
    value = options.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{key}: {quoted(value)}; a number or text like 10 is needed")
    return read_as(value, key)


def _drawn(spec: Spec, options: Options, times: np.random.Generator, rest: np.random.Generator) -> Requests:
    for key in ("arrivals", "turns", "think", "sort", "drop_empty", "unit", "hash_tokens"):
        if options.get(key) is not None:
            raise InputError(f"{key}: is for files and traces; {quoted(spec.text)} is drawn")
    count = quantity(options, "count", specs.whole)
    length, start = quantity(options, "duration", specs.duration), quantity(options, "start", specs.duration) or 0.0
    if spec.kind == "closed":
        if length is not None or start:
            raise InputError(
                "a closed loop goes as fast as it is served: say rounds= or a count, not a duration or start"
            )
        users = spec.leading(specs.whole, "number of users")
        loop = specs.closed(spec, None if count is None else math.ceil(count / users))
        spec.done()
        return loop.draw(given_sizes(spec, options), rest)
    if spec.kind in specs.SESSIONS:
        talks = specs.sessions(spec, *_own_lengths(spec, options))
        spec.done()
        if length is not None and count is not None:
            raise InputError(f"count and duration: {spec.kind} are drawn by one of them")
        if length is not None:
            found = talks.until(start + length, rest)
        else:
            found = talks.draw(max(round((count or COUNT) / talks.turns.mean), 1), rest)
        return _window(found, start, None, None)
    process = specs.process(spec)
    spec.done()
    arrival = process.draw(count or COUNT, times) if length is None else process.until(start + length, times)
    return _window(Requests(arrival, *given_sizes(spec, options).draw(len(arrival), rest)), start, None, count)


def _own_lengths(spec: Spec, options: Options) -> tuple[Lengths, Lengths]:
    prompt, output = options.get("prompt"), options.get("output")
    if options.get("lengths") is not None:
        raise InputError(f"lengths: {spec.kind} grow their prompts; say prompt= and output=, not those of a trace")
    if prompt is None or output is None:
        lacking = "prompt" if prompt is None else "output"
        raise InputError(f"traffic {quoted(spec.text)}: {lacking} is needed, as in {spec.example}")
    return lengths(prompt, "prompt"), lengths(output, "output")


def given_sizes(spec: Spec, options: Options) -> Sizes:
    """Return the lengths of what is drawn.

    Parameters
    ----------
    spec : Spec
    options : Options
    """
    prompt, output, other = options.get("prompt"), options.get("output"), options.get("lengths")
    if other is not None:
        if prompt is not None or output is not None:
            raise InputError("lengths: of a trace, and prompt or output beside them; one of both is enough")
        found = _opened(other, {})
        if isinstance(found, Chats):
            found = found.first_turns()
        return Observed(found.prompt, found.output)
    if prompt is None or output is None:
        raise InputError(
            f"traffic {quoted(spec.text)}: needs lengths: prompt= and output= ({ACCEPTED}), or lengths= of a trace like azure-conv"
        )
    return Independent(lengths(prompt, "prompt"), lengths(output, "output"))


def _opened(what: str | os.PathLike[str], options: Options, most: int = traces.MOST) -> Trace | Chats:
    """The catalogue's trace or the file of this name."""
    text = os.fspath(what)
    if not isinstance(what, os.PathLike) and is_trace(text):
        for key in ("sort", "drop_empty", "unit", "hash_tokens"):
            if options.get(key) is not None:
                raise InputError(f"{key}: is for files; {text} is a trace of the catalogue")
        return shipped(text)
    _known(what)
    size = quantity(options, "hash_tokens", specs.whole) or HASH_TOKENS
    return read(
        text,
        sort=options.get("sort", False),
        unit=options.get("unit", ""),
        hash_tokens=size,
        most=most,
        drop_empty=options.get("drop_empty", False),
    )


def _known(what: str | os.PathLike[str]) -> None:
    """Refuse what is neither a name nor looks like a file."""
    text = os.fspath(what)
    named = isinstance(what, os.PathLike) or is_trace(text) or os.path.lexists(text)
    if not named and not text.lower().endswith(_FILES):
        listing = f"Kinds: {', '.join(specs.EXAMPLES)}; traces: {', '.join(trace_names())}; or a file."
        raise unknown("traffic", text.partition(":")[0], [*specs.EXAMPLES, *trace_names()], listing)


def _replayed(
    what: str | os.PathLike[str], options: Options, times: np.random.Generator, rest: np.random.Generator
) -> Requests:
    _known(what)
    for key in ("prompt", "output", "lengths"):
        if options.get(key) is not None:
            raise InputError(f"{key}: {os.fspath(what)} has lengths of its own; lengths are for what is drawn")
    count = quantity(options, "count", specs.whole)
    length, start = quantity(options, "duration", specs.duration), quantity(options, "start", specs.duration) or 0.0
    cut = count is None or length is not None or start > 0 or options.get("sort", False)
    found = _opened(what, options, traces.MOST if cut or count is None else count)
    given = options.get("arrivals")
    process = _process(given) if isinstance(given, str) else given
    if isinstance(found, Trace):
        if options.get("turns") is not None or options.get("think") is not None:
            raise InputError(f"turns and think are for files of conversations; {found.name} holds requests")
        return _window(found.requests(process, times), start, length, count)
    if process is None:
        raise InputError(
            f"{found.name}: conversations have no times; say how they arrive, like arrivals='poisson:20/s'"
        )
    think = quantity(options, "think", specs.duration) or 0.0
    size = quantity(options, "hash_tokens", specs.whole) or BLOCK
    chats = found if count is None else found.first(count)
    return _window(
        chats.requests(process, times, rest, options.get("turns", 1), think, hash_tokens=size), start, length, None
    )


def _process(text: str) -> Process:
    spec = Spec(text)
    found = specs.process(spec)
    spec.done()
    return found


def _window(found: Requests, start: float, length: float | None, count: int | None) -> Requests:
    if start or length is not None:
        found = slices.between(found, start, math.inf if length is None else start + length)
    return found if count is None or count >= len(found) else slices.first(found, count)


def _scaled(found: Requests, options: Options) -> Requests:
    scale, wanted = quantity(options, "scale", _times), quantity(options, "rate", specs.rate)
    if scale is not None and wanted is not None:
        raise InputError("scale and rate both say how fast requests come; one of them is enough")
    if wanted is not None:
        if math.isnan(found.rate):
            raise InputError(
                "rate: this traffic has no mean rate (its requests wait for others, or are fewer than two); say scale="
            )
        scale = wanted / found.rate
    return found if scale is None else found.scaled(scale)


def _times(text: str | float, where: str) -> float:
    return units.parse(text.rstrip("x") if isinstance(text, str) else text, units.COUNT, where)
