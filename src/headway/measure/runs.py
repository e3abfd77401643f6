"""One run against an endpoint: decode with exactly C sequences, a prompt alone, a prompt beside an answer, a prompt twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headway.measure.endpoint import Endpoint, EndpointError
from headway.measure.machine_load import Others
from headway.measure.streams import Stream
from headway.measure.texts import Texts

_PAUSE = 0.12  # seconds before a run in which nothing is asked: what is busy then are others
_STALLED = 8.0  # times the usual gap
_WHOLE = 0.6  # of the time to a first token: one pass that takes as much computed the whole prompt
_LATE = 0.5  # of its longest gap, by which a stream ends later than the others that lost its place
_OTHERS = 8  # chunks of others in it: who waits while all wait has not lost a place


@dataclass(frozen=True)
class Run:
    """What one run said.

    Attributes
    ----------
    kind : str
        ``decode``, ``prefill``, ``beside``, ``again`` or ``load``.
    key : str
        Of its place in the sweep: runs of one key repeat each other.
    found : mapping
        Numbers, in SI units; which ones depends on the kind.
    foreign : float or None
        Cores that others kept busy just before; None where the server is elsewhere. [cores]
    client : float
        Of a core that this client took. [share]
    seconds : float
        That it lasted. [s]
    """

    kind: str
    key: str
    found: dict[str, Any]
    foreign: float | None = None
    client: float = 0.0
    seconds: float = 0.0


@dataclass
class Bench:
    """An endpoint and what is asked of it.

    Attributes
    ----------
    endpoint : Endpoint
    texts : Texts
    server : int or None
        Its process, where it runs on this machine. [1]
    notes : dict
        Key -> what was met, in words, once each.
    failed : dict
        What a failure said -> places whose runs it ended.
    """

    endpoint: Endpoint
    texts: Texts
    server: int | None = None
    notes: dict[str, str] = field(default_factory=dict[str, str])
    failed: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    async def timed(self, kind: str, key: str, work: Any) -> Run:
        """Do a run, and note who else was busy and what this client took.

        Parameters
        ----------
        kind, key : str
        work : coroutine
            Returns what the run found.
        """
        foreign = None
        if self.endpoint.local:
            with Others(self.server) as others:
                await asyncio.sleep(_PAUSE)
            foreign = others.cores
        begun, own = time.perf_counter(), time.process_time()
        found = await work
        passed = time.perf_counter() - begun
        return Run(kind, key, found, foreign, (time.process_time() - own) / passed, passed)

    def seen(self, streams: Sequence[Stream]) -> None:
        """Note how tokens were counted, and how they came."""
        if any(s.counted == "length" for s in streams):
            self.notes["usage"] = "the server counts no tokens: answers that ended at their length have that many"
        if any(s.counted == "chunks" for s in streams):
            self.notes["usage"] = (
                "the server counts no tokens, nor ended answers at their length: chunks were counted, which hides some"
            )
        pieces = [s.per_event for s in streams if len(s.events) > 8]
        if pieces and not 0.97 < float(np.mean(pieces)) < 1.03:
            self.notes["pieces"] = (
                f"chunks carry {np.mean(pieces):.2f} tokens on average (text held back, or several at a time): times are per token"
            )


async def all_of(asked: Sequence[Any]) -> list[Any]:
    """Wait for all; the first that fails ends the others.

    Parameters
    ----------
    asked : sequence of coroutines
    """
    tasks = [asyncio.ensure_future(x) for x in asked]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for t in tasks:
            t.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def decode(bench: Bench, batch: int, context: int, answer: int) -> dict[str, Any]:
    """Decode with so many sequences at once.

    Parameters
    ----------
    bench : Bench
    batch : int
        [sequences]
    context, answer : int
        Of each prompt; of each answer. [tokens]
    """
    prompts = [bench.texts.prompt(context) for _ in range(batch)]
    streams: list[Stream] = await all_of([bench.endpoint.ask(p, answer) for p in prompts])
    bench.seen(streams)
    return decoded(streams, context)


def decoded(streams: Sequence[Stream], context: float) -> dict[str, Any]:
    """Return what streams that were asked for at once say of a pass.

    Parameters
    ----------
    streams : sequence of Stream
    context : float
        Of a prompt, where the server does not count. [tokens]

    Notes
    -----
    The window is from the last first token to the first end: in it all decode, and nobody computes a prompt. Each stream counts from
    its first chunk in the window to its last, and tokens are the server's own count spread over chunks.
    """
    opens, closes = max(s.first for s in streams), min(s.last for s in streams)
    tokens = seconds = reached = 0.0
    shortest = np.inf
    for s in streams:
        inside = np.flatnonzero((s.events >= opens) & (s.events <= closes))
        if len(inside) > 1:
            a, b = int(inside[0]), int(inside[-1])
            mine = (b - a) * s.per_event
            tokens, seconds = tokens + mine, seconds + float(s.events[b] - s.events[a])
            known = context if np.isnan(s.prompt) else s.prompt
            reached += (known + (a + b) / 2 * s.per_event) * mine
            shortest = min(shortest, mine)
        else:
            shortest = 0.0
    begun = min(s.first for s in streams)
    return {
        "batch": len(streams), "together": together(streams), "stalled": stalled(streams),
        "window_s": max(closes - opens, 0.0), "tokens": float(shortest) if np.isfinite(shortest) else 0.0,
        "step_s": seconds / tokens if tokens else None, "context": reached / tokens if tokens else None,
        "prompt": float(np.nanmean([s.prompt for s in streams])) if not all(np.isnan(s.prompt) for s in streams) else context,
        "made": float(np.mean([s.made for s in streams])), "first_s": opens - min(s.sent for s in streams),
        "ahead": max(float(np.sum((s.events >= begun) & (s.events <= opens))) * s.per_event for s in streams),
    }  # fmt: skip


def together(streams: Sequence[Stream]) -> int:
    """Return how many streams decoded at once at the most. [streams]

    Parameters
    ----------
    streams : sequence of Stream
    """
    marks = sorted([(s.first, 1) for s in streams] + [(s.last, -1) for s in streams], key=lambda m: (m[0], m[1]))
    most = now = 0
    for _, change in marks:
        now += change
        most = max(most, now)
    return most


def stalled(streams: Sequence[Stream]) -> int:
    """Return how many streams stood still in the middle while others went on: they lost their places. [streams]

    Parameters
    ----------
    streams : sequence of Stream

    Notes
    -----
    Whose text was held back has the same gap, but ends with the others; who lost its place ends as much later as it stood.
    """
    opens, begun = max(s.first for s in streams), min(s.first for s in streams)
    closes = min(s.last for s in streams)
    after = [s.events[s.events >= opens] for s in streams]
    gaps = np.concatenate([np.diff(x) for x in after])
    usual, found = float(np.median(gaps)) if len(gaps) else 0.0, 0
    for i, mine in enumerate(after):
        late = (streams[i].last - closes) - (streams[i].first - begun)
        for k in np.flatnonzero(np.diff(mine) > _STALLED * usual):
            a, b = float(mine[k]), float(mine[k + 1])
            others = sum(int(np.sum((x > a) & (x < b))) for j, x in enumerate(after) if j != i)
            if others >= _OTHERS and late > _LATE * (b - a):
                found += 1
                break
    return found


async def prefill(bench: Bench, prompt: int) -> dict[str, Any]:
    """Compute a prompt, with nobody else there.

    Parameters
    ----------
    bench : Bench
    prompt : int
        [tokens]
    """
    s = await bench.endpoint.ask(bench.texts.prompt(prompt), 1)
    return {"prompt": prompt if np.isnan(s.prompt) else s.prompt, "ttft_s": s.first - s.sent}


async def again(bench: Bench, prompt: int) -> dict[str, Any]:
    """Send a prompt, then the same once more.

    Parameters
    ----------
    bench : Bench
    prompt : int
        [tokens]
    """
    text = bench.texts.prompt(prompt)
    new = await bench.endpoint.ask(text, 1)
    old = await bench.endpoint.ask(text, 1)
    return {
        "prompt": prompt if np.isnan(new.prompt) else new.prompt, "ttft_s": new.first - new.sent,
        "again_s": old.first - old.sent, "cached": None if np.isnan(old.cached) else old.cached,
    }  # fmt: skip


async def beside(bench: Bench, prompt: int, answer: int, riders: int) -> dict[str, Any]:
    """Send a prompt while other answers are being decoded, and look at the gaps in those.

    Parameters
    ----------
    bench : Bench
    prompt, answer, riders : int
        Of the prompt; of each of the others' answers; others. [tokens, tokens, sequences]
    """
    riding = [asyncio.ensure_future(bench.endpoint.ask(bench.texts.prompt(16), answer)) for _ in range(riders)]
    try:
        await _under_way(bench, riding)
        s = await bench.endpoint.ask(bench.texts.prompt(prompt), 1)
        rode: list[Stream] = list(await asyncio.gather(*riding))
    finally:
        for task in riding:
            task.cancel()
    bench.seen(rode)
    return passes_beside(s, rode, prompt)


async def _under_way(bench: Bench, riding: Sequence[asyncio.Future[Stream]]) -> None:
    """Wait until answers are under way: as long as a short one takes beside them."""
    await bench.endpoint.ask(bench.texts.prompt(16), 4)
    if all(r.done() for r in riding):
        raise EndpointError(
            "answers that a prompt was to be computed beside ended before it: ask for longer ones (--answer)"
        )


def passes_beside(s: Stream, rode: Sequence[Stream], prompt: float) -> dict[str, Any]:
    """Return what answers under way say of the passes that a prompt took.

    Parameters
    ----------
    s : Stream
        Of the prompt, with one token.
    rode : sequence of Stream
        Answers under way.
    prompt : float
        Where the server does not count it. [tokens]

    Notes
    -----
    A pass is when any of them had a token: a server may hold one's text back. The first to end after the prompt was sent had begun
    before; the prompt's token comes with the last of its own.
    """
    ticks = np.unique(np.concatenate([x.events for x in rode]))
    opens, closes = max(x.first for x in rode), min(x.last for x in rode)
    each = [np.diff(x.events) / x.per_event for x in rode if len(x.events) > 2]
    gap = float(np.median(np.concatenate(each))) if each else 0.0
    ends = ticks[np.concatenate([[True], np.diff(ticks) > gap / 3])]  # of passes: tokens of one come close together
    here = ends[(ends > s.sent) & (ends <= s.first - gap / 3)]
    edges = np.concatenate([ends[ends <= s.sent][-1:], here, [s.first]])
    longest = float(np.max(np.diff(edges))) if len(edges) > 1 else 0.0
    cut = longest < _WHOLE * (s.first - s.sent)  # else one pass took it, whatever went before
    covered = bool(opens < s.sent and closes > s.first and gap)
    return {
        "prompt": prompt if np.isnan(s.prompt) else s.prompt, "riders": len(rode), "ttft_s": s.first - s.sent, "gap_s": gap,
        "passes": (len(here) if cut else 1) if covered else None, "longest_s": longest if covered and longest else None,
    }  # fmt: skip


async def load(bench: Bench, prompt: int, answer: int, many: int, flying: int, rate: float) -> dict[str, Any]:
    """Send requests in a closed loop of so many at a time, or as a Poisson process.

    Parameters
    ----------
    bench : Bench
    prompt, answer, many : int
        Of each request; requests. [tokens, tokens, requests]
    flying : int
        In flight, where `rate` is 0. [requests]
    rate : float
        Of arrivals; 0 for a closed loop. [1/s]
    """
    gate = asyncio.Semaphore(many if rate else flying)
    gaps = np.random.default_rng().exponential(1 / rate, many) if rate else np.zeros(many)
    begun = time.perf_counter()

    async def one(at: float) -> Stream:
        await asyncio.sleep(max(begun + at - time.perf_counter(), 0.0))
        async with gate:
            return await bench.endpoint.ask(bench.texts.prompt(prompt), answer)

    streams: list[Stream] = await all_of([one(float(at)) for at in np.cumsum(gaps)])
    bench.seen(streams)
    span = max(s.last for s in streams) - min(s.sent for s in streams)
    tpot = [(s.last - s.first) / (s.made - 1) for s in streams if s.made > 1]
    return {
        "requests": many, "flying": 0 if rate else flying, "rate": rate, "output_tok_s": sum(s.made for s in streams) / span,
        "ttft_s": [s.first - s.sent for s in streams], "tpot_s": tpot, "request_s": [s.last - s.sent for s in streams],
        "prompt": float(np.nanmean([prompt if np.isnan(s.prompt) else s.prompt for s in streams])),
        "made": float(np.mean([s.made for s in streams])),
    }  # fmt: skip
