"""What a measurement says, in sentences: what the server does, how far each term is from its floor, what the next change would gain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from headway import units
from headway.measure.behaviour import Behaviour
from headway.measure.fitted import Cell, Line
from headway.measure.roofs import Roof

_FULL = 1.1  # of the memory's bandwidth: beyond it, fewer bytes were read than the config says
_BEATS = 0.97  # of a floor: what takes less is no scatter of a clock
_SAME = 0.1  # of a batch's tokens per second: a change that gains less is none
_ODD = 0.15  # of a step, by which C = 1 differs from the line before it is worth a word


@dataclass(frozen=True)
class Verdict:
    """A sentence.

    Attributes
    ----------
    about : str
        ``batching``, ``limit``, ``preemption``, ``cache``, ``prompts``, ``alone``, ``weights``, ``KV``, ``sequences``, ``next``
        or ``check``.
    text : str
    """

    about: str
    text: str


def percent(share: float) -> str:
    """Print a measured share in whole per cent, below a tenth with two figures.

    Parameters
    ----------
    share : float
        [share]
    """
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:,.0f} %"


def of_behaviour(b: Behaviour) -> list[Verdict]:
    """Return sentences on what a server does with requests.

    Parameters
    ----------
    b : Behaviour
    """
    found: list[Verdict] = []
    if b.batches is False:
        found.append(Verdict("batching", "does not batch: however many requests are sent, one decodes at a time"))
    elif math.isfinite(b.most) and math.isinf(b.preempts):
        found.append(Verdict("limit", f"runs {b.most:,.0f} sequences at a time; others wait until one has ended"))
    if math.isfinite(b.preempts):
        beyond = f"beyond {b.preempts:,.0f} sequences" if b.preempts else "at every batch that was asked for"
        found.append(Verdict("preemption", f"preempts {beyond}: sequences lost their places in the middle and waited"))
    if b.cache is not None:
        share = "" if math.isnan(b.cached) else f", {percent(b.cached)} of its tokens found by the server's count"
        took = f"a prompt sent again takes {percent(b.again)} of its time{share}"
        found.append(Verdict("cache", f"prefix cache {'on' if b.cache else 'off'}: {took}"))
    if b.chunked:
        low, high = b.chunk
        said = f"{b.likely_chunk:,.0f}" if b.likely_chunk <= high else f"{low:,.0f} to {high:,.0f}"
        found.append(
            Verdict(
                "prompts", f"chunks of {said} tokens a pass ({low:,.0f} to {high:,.0f} by the passes that prompts took)"
            )
        )
    if b.pause == b.pause:
        gap = f"{units.seconds(b.paused)} ({b.pause:.3g} times its usual)"
        stops = f"an answer's longest gap is {gap} beside a prompt of {b.beside:,.0f} tokens"
        found.append(Verdict("prompts", stops if b.chunked else f"prompts are not cut: {stops}"))
    return found


def of_line(
    line: Line, roof: Roof | None, floor: Line | None, estimate: Line | None, fastest: Roof | None = None
) -> list[Verdict]:
    """Return sentences on a step's terms.

    Parameters
    ----------
    line : Line
        Measured.
    roof : Roof or None
    floor, estimate : Line or None
        As measured ones, of the ideal machine and of headway's estimate.
    fastest : Roof or None
        Of the machine at its best, where its memory was measured several times; None: `roof`.
    """
    found = [_alone(line, c) for c in line.apart if c.batch == 1]
    if roof is not None and floor is not None and estimate is not None:
        found += [
            v
            for v in (
                _weights(line, roof),
                _kv(line, floor, estimate),
                _sequences(line, floor),
                _beaten(line, fastest or roof),
            )
            if v
        ]
    found += _next(line, floor)
    return found


def _alone(line: Line, one: Cell) -> Verdict:
    on = line.seconds(1, one.context)
    if on <= 0:
        return Verdict(
            "alone",
            f"one sequence at {one.context:,.0f} tokens takes {units.seconds(one.step)}; the line of the others says nothing of it",
        )
    off = one.step / on - 1
    how = f"{percent(abs(off))} {'above' if off > 0 else 'below'} the line" if abs(off) > _ODD else "on the line"
    return Verdict(
        "alone",
        f"one sequence at {one.context:,.0f} tokens takes {units.seconds(one.step)}, {how} of the others ({units.seconds(on)})",
    )


def _weights(line: Line, roof: Roof) -> Verdict | None:
    """The share of the bandwidth at the smallest batch that was measured, beside what this engine's evidence has."""
    one = min((*line.apart, *line.cells), key=lambda c: (c.batch, c.context))
    rate = roof.read_bytes(one.batch, one.context) / one.step
    share = rate / roof.bandwidth
    floor, said = roof.floor(one.batch, one.context), roof.estimate(one.batch, one.context)
    spread = roof.spread(float(one.batch))
    usual = ""
    if spread is not None:
        fast, slow = spread.around(said)
        usual = f"; typical for {roof.setting.engine.name} is {percent(min(floor / slow, 1))} to {percent(min(floor / fast, 1))}"
    most = units.si(roof.bandwidth, "B/s")
    text = f"reads at {percent(share)} of the memory's bandwidth at batch {one.batch} ({units.si(rate, 'B/s')} of {most}){usual}"
    return Verdict("weights", text)


def _kv(line: Line, floor: Line, estimate: Line) -> Verdict | None:
    if not line.contexts or floor.c.value <= 0:
        return None
    if not line.c.certain:
        return Verdict(
            "KV", "reading the cache takes no time that these contexts tell apart: longer ones (--contexts) would"
        )
    share = floor.c.value / line.c.value
    if floor.c.value / line.c.high > _FULL:
        return Verdict(
            "KV",
            f"KV in fp8, or half or less of what the config says: at its bytes it would be read at {percent(share)} of the bandwidth",
        )
    said = floor.c.value / estimate.c.value if estimate.c.value > 0 else math.nan
    return Verdict(
        "KV", f"reads the cache at {percent(share)} of the memory's bandwidth (headway's estimate: {percent(said)})"
    )


def _sequences(line: Line, floor: Line) -> Verdict | None:
    if not line.b.certain or floor.b.value <= 0:
        return None
    share = floor.b.value / line.b.value
    if floor.b.value > line.b.high:
        return Verdict(
            "check",
            f"a sequence more costs {units.seconds(line.b.value)} of a pass, less than its arithmetic at the chip's rate "
            f"({units.seconds(floor.b.value)}): the machine multiplies faster than was named (16-bit units: headway machine -o)",
        )
    return Verdict(
        "sequences",
        f"a sequence more costs {units.seconds(line.b.value)} of a pass, its cache apart; at the peak it is {percent(share)} of it",
    )


def _beaten(line: Line, roof: Roof) -> Verdict | None:
    """Physics beaten: what runs is not what was named."""
    beaten = [c for c in (*line.cells, *line.apart) if c.best < _BEATS * roof.floor(c.batch, c.context)]
    if not beaten:
        return None
    one = beaten[0]
    return Verdict(
        "check",
        f"{len(beaten)} of the steps beat their floor (batch {one.batch}: {units.seconds(one.best)} against "
        f"{units.seconds(roof.floor(one.batch, one.context))}): other weights, formats or another machine than was named run there",
    )


def of_prompts(rows: Sequence[tuple[float, float, float, int]], roof: Roof) -> list[Verdict]:
    """Return a sentence where prompts beat their floor.

    Parameters
    ----------
    rows : sequence
        Tokens, median and fastest time to the first token, runs, of prompts alone. [tokens, s, s, runs]
    roof : Roof
        Of the machine at its best.
    """
    beaten = [x for x in ((n, best, roof.prompt(n, True)) for n, _, best, _ in rows) if x[1] < _BEATS * x[2]]
    if not beaten:
        return []
    size, best, least = beaten[-1]
    return [
        Verdict(
            "check",
            f"prompts of {size:,.0f} tokens beat their floor ({units.seconds(best)} against {units.seconds(least)}): "
            "the machine multiplies faster than was named (16-bit units?), or computes less",
        )
    ]


def _next(line: Line, floor: Line | None) -> list[Verdict]:
    """What the next change would gain, at the largest batch that was measured."""
    largest = max(line.cells, key=lambda c: (c.batch, c.context))
    n, context = float(largest.batch), largest.context
    now = n / line.seconds(n, context)
    each = line.each(context)
    found: list[tuple[float, str]] = []
    if each > 0:
        near = 4 * line.a.value / each
        if near > n:
            gain = near / line.seconds(near, context) / now
            found.append((gain, f"batch {near:,.0f} instead of {n:,.0f}"))
    if line.contexts and line.c.certain:
        half = n / (line.seconds(n, context) - n * line.c.value * context / 2)
        found.append((half / now, "a cache of half the bytes"))
    if floor is not None and line.a.value > floor.a.value > 0:
        bare = n / (line.seconds(n, context) - line.a.value + floor.a.value)
        found.append((bare / now, "a pass without anything but reading its weights"))
    good = sorted((x for x in found if x[0] > 1 + _SAME), reverse=True)
    return [
        Verdict("next", f"{what}: {gain:.2f} times the tokens per second, at {context:,.0f} tokens")
        for gain, what in good
    ]
