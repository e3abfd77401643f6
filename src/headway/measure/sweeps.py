"""The sweep: which runs, in which order, how often, within which time; each result is kept as it comes."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from headway import units
from headway.errors import InputError
from headway.measure.endpoint import Endpoint, EndpointError
from headway.measure.journals import Lines
from headway.measure.listening import Listener, listener
from headway.measure.runs import Bench, Run, again, beside, decode, load, prefill
from headway.measure.texts import Texts

Tell = Callable[[Run, int], None]
Reading = Callable[[], float]
Place = tuple[str, str, tuple[Any, ...]]
_LEAST = 12.0  # tokens of each sequence in a window; fewer time nothing
_GROWS = 4  # times an answer may grow for it
_READS = 5.0  # seconds between two looks at what the memory gives: on shared machines it moves within a minute
_FAILURES = 3  # one after another that end a sweep
_RIDERS = 4  # answers beside which a prompt is computed, at the most
_TOO_LONG, _NO_USE = (400, 413, 422), (401, 403, 404)  # refusals of this place only; of everything
_BESIDE = 3  # answers' lengths of one that a prompt is computed beside


@dataclass(frozen=True)
class Loads:
    """A closed loop or Poisson arrivals, to be measured as users meet them.

    Attributes
    ----------
    flying : int
        In flight; 0 with a rate. [requests]
    rate : float
        Of Poisson arrivals; 0 for a closed loop. [1/s]
    """

    flying: int = 0
    rate: float = 0.0

    @property
    def key(self) -> str:
        """How runs of it are called."""
        return f"load {f'{self.rate:g}/s' if self.rate else self.flying}"


@dataclass(frozen=True)
class Sweep:
    """What to run.

    Attributes
    ----------
    batches, contexts, prompts : tuple of int
        Sequences that decode at once; tokens of their prompts; prompts computed alone. [sequences, tokens, tokens]
    answer : int
        Of each answer. [tokens]
    runs : int
        Of everything, at the most. [1]
    spend : float
        On all of it: what would take longer is left out. [s]
    loads : tuple of Loads
    requests : int
        Of each load. [requests]
    served : str
        The model's name on the server; "": the only one.
    pid : int
        Of the process that must listen; 0: any. [1]
    """

    batches: tuple[int, ...] = (1, 2, 4, 8)
    contexts: tuple[int, ...] = (64, 384)
    prompts: tuple[int, ...] = ()
    answer: int = 48
    runs: int = 5
    spend: float = 60.0
    loads: tuple[Loads, ...] = ()
    requests: int = 32
    served: str = ""
    pid: int = 0

    def __post_init__(self) -> None:
        for name, values, most in (
            ("--batches", self.batches, 4096), ("--contexts", self.contexts, 1 << 22), ("--prompts", self.prompts, 1 << 22),
            ("--answer", (self.answer,), 1 << 16), ("--runs", (self.runs,), 1000), ("--requests", (self.requests,), 1 << 20),
        ):  # fmt: skip
            if any(not 1 <= x <= most for x in values):
                raise InputError(f"{name}: each number must be in 1..{most:,}")
        if not self.batches or not self.contexts:
            raise InputError("--batches and --contexts: at least one number each, like 1,2,4,8 and 64,512")
        if not 1 <= self.spend <= 86400:
            raise InputError(f"--spend: {self.spend:g} s must be in 1 s..1 day")

    @property
    def lengths(self) -> tuple[int, ...]:
        """Prompts that are computed alone: as given, or the contexts and what lies between them. [tokens]"""
        if self.prompts:
            return tuple(sorted(set(self.prompts)))
        low, high = min(self.contexts), max(self.contexts)
        return tuple(sorted({low, (low + high) // 2, high}))

    def cells(self) -> list[Place]:
        """Return (kind, key, what) of every place of the sweep, the cheapest first."""
        found: list[Place] = [("prefill", f"prefill {n}", (n,)) for n in self.lengths]
        grid = sorted((b * c, b, c) for b in set(self.batches) for c in set(self.contexts))
        found += [("decode", f"decode {b} x {c}", (b, c)) for _, b, c in grid]
        longest = self.lengths[-2:]
        found.append(("again", f"again {longest[-1]}", (longest[-1],)))
        found += [("beside", f"beside {n}", (n,)) for n in longest]
        found += [("load", x.key, (x,)) for x in self.loads]
        return found


@dataclass
class Swept:
    """What a sweep found.

    Attributes
    ----------
    sweep : Sweep
    url, served : str
        Where; the model's name there.
    runs : list of Run
    notes : list of str
        What was met.
    skipped : list of str
        Places for which there was no time.
    stopped : str
        Why it ended early; "" where it did not.
    who : Listener or None
        The server's process, where it is on this machine.
    per_token : float
        Characters of a token. [1]
    seconds : float
        That it took. [s]
    reads : list of float
        What this machine's memory gave between the runs, where that was asked for. [bytes/s]
    """

    sweep: Sweep
    url: str
    served: str
    runs: list[Run] = field(default_factory=list[Run])
    notes: list[str] = field(default_factory=list[str])
    skipped: list[str] = field(default_factory=list[str])
    stopped: str = ""
    who: Listener | None = None
    per_token: float = 0.0
    seconds: float = 0.0
    reads: list[float] = field(default_factory=list[float])

    def of(self, kind: str) -> dict[str, list[Run]]:
        """Return runs of a kind by their place."""
        found: dict[str, list[Run]] = {}
        for r in self.runs:
            if r.kind == kind:
                found.setdefault(r.key, []).append(r)
        return found


async def sweep(
    endpoint: Endpoint,
    asked: Sweep,
    lines: Lines | None = None,
    tell: Tell | None = None,
    reading: Reading | None = None,
) -> Swept:
    """Run a sweep.

    Parameters
    ----------
    endpoint : Endpoint
    asked : Sweep
    lines : Lines or None
        Where results are kept as they come; what is there counts.
    tell : function or None
        Called with each run as it ends, and with how many there may be.
    reading : function or None
        Returns the bandwidth of this machine's memory; asked between runs, when nothing else does, if the server is here too.

    Raises
    ------
    EndpointError
        When nothing can be measured at all; what fails in the middle is said in `stopped`.
    """
    begun = time.perf_counter()
    await endpoint.choose(asked.served)
    who = _checked(endpoint, asked)
    bench = Bench(endpoint, Texts(), None if who is None else who.pid)
    found = Swept(asked, endpoint.shown, endpoint.served, who=who)
    await bench.texts.learn(endpoint)
    found.per_token = bench.texts.per_token
    if lines is not None:
        lines.head({"url": endpoint.shown, "served": endpoint.served, "sweep": _plain(asked)})
        found.runs += [Run(**r) for r in lines.rows]
    try:
        await _rounds(bench, found, begun, lines, tell, reading if found.who is not None else None)
    except EndpointError as error:
        found.stopped = str(error)
    _noted(endpoint, bench, found)
    found.seconds = time.perf_counter() - begun
    return found


def _plain(asked: Sweep) -> dict[str, Any]:
    return {k: v for k, v in dataclasses.asdict(asked).items() if k not in ("runs", "spend", "pid", "served")}


def _checked(endpoint: Endpoint, asked: Sweep) -> Listener | None:
    """Who listens; not whom somebody meant who said so."""
    who = listener(endpoint.port) if endpoint.local else None
    if asked.pid and (who is None or who.pid != asked.pid):
        there = (
            "no process that this user may see"
            if who is None
            else f"process {who.pid} ({who.name}, {who.age:,.0f} s old)"
        )
        raise EndpointError(f"--pid {asked.pid}: at {endpoint.shown} listens {there}: an old server still on the port?")
    return who


async def _rounds(
    bench: Bench, found: Swept, begun: float, lines: Lines | None, tell: Tell | None, reading: Reading | None
) -> None:
    """Whole rounds over all places, forth and back, as long as there is time."""
    asked, cells, answers = found.sweep, found.sweep.cells(), dict[str, int]()
    took: dict[str, float] = {}
    failed, refused, read = 0, set[str](), -math.inf
    for n in range(asked.runs):
        for kind, key, what in _order(cells, n):
            if key in refused or not _due(found, kind, key, n, took.get(key), time.perf_counter() - begun):
                continue
            if reading is not None and time.perf_counter() - read > _READS:
                found.reads.append(reading())
                read = time.perf_counter()
            try:
                run = await _run(bench, found, kind, key, what, answers)
            except EndpointError as error:
                bench.failed.setdefault(str(error), []).append(key)
                failed += 1
                if error.status in _TOO_LONG:
                    failed = 0
                    refused.add(key)
                elif failed >= _FAILURES or error.status in _NO_USE or "nobody listens" in str(error):
                    raise
                continue
            failed, took[key] = 0, run.seconds
            found.runs.append(run)
            if lines is not None:
                lines.append(dataclasses.asdict(run))
            if tell is not None:
                tell(run, len(cells) * asked.runs)
        _same_process(bench, found)


def _order(cells: list[Place], n: int) -> list[Place]:
    """The places of a round: the cheapest first, then the other way; what the line is drawn through before the rest."""
    if n == 0:
        return cells
    turned = cells[::-1] if n % 2 else cells
    return sorted(turned, key=lambda c: c[0] != "decode") if n % 2 else sorted(turned, key=lambda c: c[0] == "load")


def _due(found: Swept, kind: str, key: str, n: int, took: float | None, passed: float) -> bool:
    """Whether a place is run in this round: it has not been, something runs beside it where it needs that, and there is time."""
    there = sum(r.key == key for r in found.runs)
    if there > n or (kind == "beside" and _riders(found) < 1):
        return False
    late = passed + (took or 0.0) > found.sweep.spend
    if late and not there and key not in found.skipped:
        found.skipped.append(key)
    return not late


def _same_process(bench: Bench, found: Swept) -> None:
    now = listener(bench.endpoint.port) if found.who is not None else None
    if found.who is not None and now is not None and now.pid != found.who.pid:
        bench.notes["restarted"] = (
            f"process {now.pid} listens, not {found.who.pid} as at the start: the server was restarted in the middle"
        )


async def _run(bench: Bench, found: Swept, kind: str, key: str, what: tuple[Any, ...], answers: dict[str, int]) -> Run:
    asked = found.sweep
    if kind == "prefill":
        return await bench.timed(kind, key, prefill(bench, what[0]))
    if kind == "again":
        return await bench.timed(kind, key, again(bench, what[0]))
    if kind == "beside":
        return await bench.timed(kind, key, _beside(bench, asked, key, what[0], answers, _riders(found)))
    if kind == "load":
        one: Loads = what[0]
        return await bench.timed(
            kind, key, load(bench, min(asked.contexts), asked.answer, asked.requests, one.flying, one.rate)
        )
    batch, context = what
    run = await bench.timed(kind, key, decode(bench, batch, context, answers.get(key, asked.answer)))
    short = run.found["tokens"] < _LEAST and batch > 1 and not run.found["stalled"]
    if short and key not in answers:  # prompts took as long as answers: longer ones
        longer = min(round(run.found["ahead"] + asked.answer), _GROWS * asked.answer)
        answers[key] = max(longer, asked.answer)
        if longer > asked.answer:
            run = await bench.timed(kind, key, decode(bench, batch, context, answers[key]))
    return run


def _riders(found: Swept) -> int:
    """Answers beside which a prompt is computed: as many as run together, and leave it a place; 0 where none does."""
    most = max((r.found["together"] for r in found.runs if r.kind == "decode"), default=0)
    return min(_RIDERS, most - 1)


async def _beside(
    bench: Bench, asked: Sweep, key: str, prompt: int, answers: dict[str, int], riders: int
) -> dict[str, Any]:
    answer = answers.get(key, _BESIDE * asked.answer)
    found = await beside(bench, prompt, answer, riders)
    if found["passes"] is None and key not in answers:
        answers[key] = 2 * answer
        found = await beside(bench, prompt, answers[key], riders)
    return found


def _noted(endpoint: Endpoint, bench: Bench, found: Swept) -> None:
    """Everything that was met, in words."""
    if not bench.texts.counted:
        bench.notes["prompts"] = "the server does not count prompts: their lengths are guessed, at 4 characters a token"
    for option, said in endpoint.left_out.items():
        bench.notes[option] = f"the server refuses {option} ({said}): left out"
    if endpoint.waits:
        bench.notes["waits"] = (
            f"turned away {len(endpoint.waits)} times (429 or 503) and waited {sum(endpoint.waits):.3g} s as it asked"
        )
    for said, keys in bench.failed.items():
        once = "" if said == found.stopped else f": {said}"
        bench.notes[said] = f"{units.some(len(keys), 'run')} failed ({', '.join(dict.fromkeys(keys))}){once}"
    found.notes += list(bench.notes.values())
