"""What benchmarks report, from pass times: TTFT, TPOT and throughput of static batches, closed loops and split pools.

Closed forms of mean values (no simulation): a step's length decides everything, so each model asks `step_time` for a
handful of passes (`loads`) and joins them. All arguments may be arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from headway.batching.speculative import expected_tokens
from headway.roofline import Group, Load

Real = Any  # a float or a NumPy array; everything broadcasts
Numbers = Any  # a Calibration, or a view of many with the same names and arrays for values
Kind = Literal["static_batch", "closed_loop", "disaggregated"]
LOADS: tuple[Kind, ...] = ("static_batch", "closed_loop", "disaggregated")

_EARLY, _LATE = 0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5  # two-point Gauss-Legendre: exact for cubics in context


@dataclass(frozen=True, slots=True)
class Workload:
    """Requests as a benchmark states them.

    Attributes
    ----------
    kind : str
        ``static_batch``: all start together. ``closed_loop``: so many in flight, each replaced when it ends.
        ``disaggregated``: a closed loop whose prompts and answers run on separate replicas.
    batch : float or array
        Sequences of the batch, or requests in flight, on one replica.
    prompt, output : float or array
        Mean tokens per request (ISL and OSL).
    drafts : float or array
        Tokens drafted per step (multi-token prediction); 0 for none.
    slots : float or array
        Sequences that memory or the engine lets run at a time; the rest of the closed loop waits.
    groups : float or array
        Attention-data-parallel groups: prompts of different groups share a pass, each with its own token budget.
    stages : float or array
        Pipeline stages of a static batch, which runs as that many micro-batches at the most. (A closed loop's replica
        is one of the micro-batches already.)
    piece : float or array
        Tokens of each prompt that a pass of a static batch computes; infinite for whole prompts.
    prefill_pool : float or array
        Replicas that compute prompts for each replica that decodes, where the pools are split.
    """

    kind: Kind
    batch: Real
    prompt: Real
    output: Real
    drafts: Real = 0.0
    slots: Real = np.inf
    groups: Real = 1.0
    stages: Real = 1.0
    piece: Real = np.inf
    prefill_pool: Real = 1.0

    @property
    def micro_batches(self) -> Real:
        """Micro-batches of a static batch: one per pipeline stage, none of less than a sequence."""
        return np.maximum(np.minimum(self.stages, self.batch), 1.0)

    @property
    def running(self) -> Real:
        """Sequences that run at a time."""
        return np.maximum(np.minimum(self.batch, self.slots), 1e-9)

    @property
    def abreast(self) -> Real:
        """Prompts that share a pass in steady state: one in each group."""
        return np.maximum(np.minimum(self.groups, self.running), 1.0)

    def at_once(self, chunk_tokens: Real) -> Real:
        """Prompts in a pass that nothing but the token budget limits."""
        fit = np.maximum(chunk_tokens / np.maximum(self.prompt, 1e-9), 1.0) * self.groups
        return np.maximum(np.minimum(fit, self.running), 1.0)


@dataclass(frozen=True, slots=True)
class Served:
    """What a load model predicts. Times in seconds, rates in tokens/s of one replica.

    Attributes
    ----------
    ttft, tpot : float or array
        Means: time to first token, time per output token after the first.
    ttft_median, ttft_p90, tpot_p90 : float or array
    request : float or array
        End to end.
    output_rate, input_rate : float or array
    waiting : float or array
        Mean wait for a slot, inside `ttft`.
    prefill_share : float or array
        Share of the time that steps spend on prompts.
    """

    ttft: Real
    tpot: Real
    ttft_median: Real
    ttft_p90: Real
    tpot_p90: Real
    request: Real
    output_rate: Real
    input_rate: Real
    waiting: Real
    prefill_share: Real


def loads(w: Workload, chunk_tokens: float) -> dict[str, Load]:
    """Return the passes that a load model needs timed.

    Parameters
    ----------
    w : Workload
        Of a closed loop the batch and the groups may be arrays; everything else scalars.
    chunk_tokens : float
        Prompt tokens that one pass may carry.
    """
    found: dict[str, Load] = {}
    new = 1.0 + w.drafts
    contexts = [w.prompt + w.output * s for s in (_EARLY, _LATE)]
    if w.kind == "static_batch":
        each = w.batch / float(w.micro_batches)
        if w.prompt > 0:
            found["prefill"] = _prompts(each, w.prompt, float(w.piece))
        for name, context in zip(("early", "late"), contexts, strict=True):
            if w.output > 0:
                found[name] = Load((Group(each, new, context, new),))
        return found
    if w.prompt > 0:
        found["prefill"] = _prompts(1.0, w.prompt, chunk_tokens)
        found["burst"] = _prompts(w.at_once(chunk_tokens), w.prompt, chunk_tokens)
    if w.output <= 0:
        return found
    decode = _decoding(w.running, contexts, w.prompt + w.output / 2, new)
    found["decode"] = decode
    if w.prompt > 0:
        found["mixed"] = decode + _prompts(w.abreast, w.prompt, chunk_tokens)
    return found


def _decoding(running: Real, halves: list[Real], middle: Real, new: Real) -> Load:
    """Half the sequences are in the earlier part of their answer, half in the later; one alone is in the middle."""
    several = np.asarray(running) >= 2
    if not several.ndim:
        chosen = halves if several else [middle]
        return Load(tuple(Group(running / len(chosen), new, context, new) for context in chosen))
    early, late = (np.where(several, h, middle) for h in halves)
    share = np.where(several, 0.5, 1.0)
    return Load((Group(running * share, new, early, new), Group(running * (1 - share), new, late, new)))


def _prompts(number: Real, length: float, chunk_tokens: float) -> Load:
    """Prompts side by side, each with its mean chunk; a chunk's share of a prompt needs its share of the one logit."""
    chunk = min(length, chunk_tokens)
    logits = chunk / length if length > 1 else length / 2
    return Load((Group(number, chunk, (length - chunk) / 2, logits),))


def first_token(w: Workload, prefill: Real, chunk_tokens: Real, drain: bool = True) -> Real:
    """Return a prompt's own time to its first token from the time of its ``prefill`` pass: nothing else in the way.

    Parameters
    ----------
    w : Workload
    prefill : float or array
        [s]
    chunk_tokens : float or array
        Budget of a closed loop's pass.
    drain : bool
        False leaves out that a pipeline fills and drains: no order of work is faster.

    Notes
    -----
    A prompt longer than the budget takes a pass per chunk. A static batch over p pipeline stages runs as m = min(p, B)
    micro-batches of c pieces each, which fill and drain the pipeline: (m c + p - 1)/p passes of one piece.
    """
    if w.kind == "static_batch":
        pieces = w.micro_batches * np.maximum(np.asarray(w.prompt, dtype=float) / w.piece, 1.0)
        return prefill * (pieces + (w.stages - 1 if drain else 0.0)) / w.stages
    return prefill * np.maximum(np.asarray(w.prompt) / chunk_tokens, 1.0)


def static_batch(w: Workload, seconds: dict[str, Real], c: Numbers) -> Served:
    """Return what a static batch reports: all prompts in one pass, then one token of each per step.

    Parameters
    ----------
    w : Workload
    seconds : dict
        Times of the passes of `loads`. [s]
    c : Calibration

    Notes
    -----
    TPOT is the mean over the growing context (two-point quadrature); end to end = prefill + (output - 1) x TPOT.
    Such runs are timed inside the engine: no request crosses a server. Over pipeline stages a decode step lasts one
    micro-batch's way through all of them.
    """
    first = first_token(w, seconds.get("prefill", 0.0), c.chunk_tokens)
    step = (seconds.get("early", 0.0) + seconds.get("late", 0.0)) / 2
    tpot = step / expected_tokens(c.draft_acceptance, w.drafts)
    later = np.where(np.asarray(w.prompt) > 0, np.maximum(w.output - 1, 0), w.output)
    whole = first + later * tpot
    nothing = 0.0 * whole
    return Served(
        first, tpot, first, first, tpot, whole, w.batch * w.output / whole, w.batch * w.prompt / whole, nothing,
        first / whole,
    )  # fmt: skip


def closed_loop(w: Workload, seconds: dict[str, Real], c: Numbers) -> Served:
    """Return what a closed loop reports, in mean values.

    Notes
    -----
    n sequences run; each prompt adds `extra` seconds to the steps that carry its chunks (data-parallel groups carry one
    each). While a request makes its
    output tokens (x seconds), every other slot starts x/(x + f) prompts, f being a prompt's own time in service:

        x = output x step + (n - 1) extra x/(x + f),   TPOT = x/output.

    TTFT = request overhead + own prefill + wait + half a step. The wait is that of `_queue`: each prompt holds the
    server up for `extra` seconds. Where prompts come faster than full passes carry them, every pass is full: TPOT is its
    length, and by Little's law the requests that do not decode wait for their prompt. The first of `run_rounds` rounds
    starts all at once: it waits half a round of full prefill passes instead. Requests beyond the slots wait for one:
    Little's law, (N - n)/n x time in service.
    """
    n, out = w.running, np.maximum(w.output, 1e-9)
    step = seconds.get("decode", 0.0)
    per_step = expected_tokens(c.draft_acceptance, w.drafts)
    pieces = np.maximum(np.asarray(w.prompt) / c.chunk_tokens, 1.0)
    extra = pieces * np.maximum(seconds.get("mixed", step) - step, 0.0) / w.abreast
    alone = first_token(w, seconds.get("prefill", 0.0), c.chunk_tokens)
    x = out * step / per_step
    least, others = x, np.maximum(n - 1, 0.0)
    for _ in range(8):
        x = least + others * extra * x / (x + alone + 1e-12)
    each = w.at_once(c.chunk_tokens) / pieces  # prompts that a pass can carry
    full = step + extra * each
    most = out * full / per_step
    behind = np.where(x > most, np.maximum(n * full / each - most - alone, 0.0), 0.0)
    x = np.minimum(x, most)
    queue, rho = _queue(n, extra, x + np.maximum(alone - extra, 0.0))
    wait = np.maximum(queue, behind)
    steady = c.request_seconds + alone + wait + step / 2
    burst = np.maximum(pieces * seconds.get("burst", 0.0) / w.at_once(c.chunk_tokens), extra)  # seconds per prompt
    start = np.maximum(burst * n - 2 * wait, 0.0)  # of which the first round waits half, instead of the steady wait
    served = alone + wait + x
    # Without a second token there is no decode: every pass is a full one of prompts, and each waits for all others.
    only = np.asarray(w.output) <= 1
    prompts = np.maximum(burst * n, alone)
    steady, start = np.where(only, c.request_seconds + prompts, steady), np.where(only, 0.0, start)
    served = np.where(only, prompts, served)
    x = np.where(only, 0.0, x)
    waiting = np.maximum(w.batch - n, 0.0) / np.maximum(n, 1e-9) * served
    return _joined(w, steady, start, waiting, x, extra, rho, served, c.run_rounds)


def _queue(n: Real, service: Real, away: Real) -> tuple[Real, Real]:
    """Return (mean wait, utilisation) of n requests that each need `service` seconds of one server between `away` ones.

    Notes
    -----
    Schweitzer's approximation of mean-value analysis: R = s (1 + (n - 1) R/(R + Z)), solved for R. Service times are
    nearly equal, not exponential, so an idle server's queue is half as long (Pollaczek-Khinchine); a busy one's is not:
    the wait is (R - s)(1 + u)/2 at utilisation u.
    """
    gap = service * n - away
    r = (gap + np.sqrt(gap**2 + 4 * service * away)) / 2
    busy = np.minimum(n * service / np.maximum(r + away, 1e-12), 1.0)
    return np.maximum(r - service, 0.0) * (1 + busy) / 2, busy


def _joined(
    w: Workload, steady: Real, start: Real, waiting: Real, x: Real, extra: Real, rho: Real, served: Real, rounds: Real
) -> Served:
    """Mix the first round with the others, and add spreads: pauses are counts of independent arrivals (Poisson)."""
    n, out = w.running, np.maximum(w.output, 1e-9)
    first = 1.0 / np.asarray(rounds, dtype=float)
    ttft = steady + first * start / 2 + waiting
    # a tenth of all requests wait longer than p90: with one round in ten at the start, those of the first round
    p90 = steady * (1 + rho) + waiting + start * np.clip((first - 0.1) / np.maximum(first, 1e-9), 0.0, 1.0)
    pauses = np.maximum(n - 1, 0.0) * x / np.maximum(served, 1e-12)
    tpot = x / out
    whole = ttft + np.maximum(w.output - 1, 0) * tpot
    rate = w.batch / whole
    return Served(
        ttft, tpot, steady + waiting, p90, tpot + 1.2816 * np.sqrt(pauses) * extra / out, whole, rate * w.output,
        rate * w.prompt, waiting, rho,
    )  # fmt: skip


def disaggregated(w: Workload, seconds: dict[str, Real], c: Numbers, transfer: Real) -> Served:
    """Return a closed loop whose prompts run elsewhere: no pauses in decode, a hand-over of the cache before it.

    Parameters
    ----------
    transfer : float or array
        Seconds to move one sequence's cache between the pools.

    Notes
    -----
    Prompts wait as in a closed loop of n requests, but before `prefill_pool` replicas that do nothing else; where those
    are the slower pool they are always busy, and Little's law gives the wait.
    """
    step = seconds.get("decode", 0.0)
    x = np.maximum(w.output, 1e-9) * step / expected_tokens(c.draft_acceptance, w.drafts)
    pieces = np.maximum(np.asarray(w.prompt) / c.chunk_tokens, 1.0)
    alone = first_token(w, seconds.get("prefill", 0.0), c.chunk_tokens)
    each = np.minimum(pieces * seconds.get("burst", 0.0) / w.at_once(c.chunk_tokens), alone) / w.prefill_pool
    n = w.running
    queue, rho = _queue(n, each, x + np.maximum(alone - each, 0.0))
    behind = np.maximum(n * each - x - alone, 0.0)  # the prefill pool is the slower one: it is always busy
    wait = np.maximum(queue, behind)
    steady = c.request_seconds + alone + wait + transfer + step / 2
    start = np.maximum(each * n - 2 * wait, 0.0)
    waiting = np.maximum(w.batch - w.running, 0.0) / w.running * (x + steady)
    return _joined(w, steady, start, waiting, x, 0.0, rho, steady + x, c.run_rounds)


def served(w: Workload, seconds: dict[str, Real], c: Numbers, transfer: Real = 0.0) -> Served:
    """Return what the workload's own kind of benchmark reports."""
    if w.kind == "static_batch":
        return static_batch(w, seconds, c)
    if w.kind == "closed_loop":
        return closed_loop(w, seconds, c)
    return disaggregated(w, seconds, c, transfer)
