"""What a load model is asked and answers: Workload, the passes that it needs timed, Served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from headway.numeric import larger, plain
from headway.roofline import Group, Load

Real = Any  # a float or a NumPy array; everything broadcasts
Numbers = Any  # a Calibration, or a view of many with the same names and arrays for values
Kind = Literal["static_batch", "closed_loop", "disaggregated"]

EARLY, LATE = 0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5  # two-point Gauss-Legendre: exact for cubics in context


@dataclass(frozen=True, slots=True)
class Workload:
    """Requests as a benchmark states them, on one replica.

    Attributes
    ----------
    kind : str
        ``static_batch``: all start together. ``closed_loop``: so many in flight, each replaced when it ends.
        ``disaggregated``: a closed loop whose prompts and answers run on separate replicas.
    batch : float or array
        Sequences of the batch, or requests in flight, on one replica. [sequences]
    prompt, output : float or array
        Mean lengths of a request (ISL and OSL). [tokens]
    drafts : float or array
        Drafted per step (multi-token prediction); 0 for none. [tokens]
    slots : float or array
        Sequences that memory or the engine lets run at a time; the rest of the closed loop waits. [sequences]
    groups : float or array
        Attention-data-parallel groups: prompts of different groups share a pass, each with its own token budget.
        [groups]
    stages : float or array
        Pipeline stages of a static batch, which runs as that many micro-batches at the most. (A closed loop's replica
        is one of the micro-batches already.) [stages]
    piece : float or array
        Of each prompt that a pass of a static batch computes; infinite for whole prompts. [tokens]
    prefill_pool : float or array
        Replicas that compute prompts for each replica that decodes, where the pools are split. [1]
    prompt_groups : float or array
        Data-parallel groups of a replica that computes prompts, where the pools are split; 0: as many as decode. [groups]
    spread : float or array
        Half-width of the lengths' uniform spread around their means; 0: all of one length, which travel in waves. [share]
    apart : float or array
        1 where prompts run in passes of their own, before any decode step; 0 where they share passes. [1]
    found : float or array
        Of each prompt, what a prefix cache holds already: read by attention, not computed. [tokens]
    gather : float or array
        Passes for which prompts wait until every data-parallel group has one; 0: none does. [passes]
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
    prompt_groups: Real = 0.0
    spread: Real = np.inf
    apart: Real = 0.0
    found: Real = 0.0
    gather: Real = 0.0

    @property
    def fresh(self) -> Real:
        """Of each prompt, what is computed. [tokens]"""
        return self.prompt - self.found

    @property
    def micro_batches(self) -> Real:
        """Micro-batches of a static batch: one per pipeline stage, none of less than a sequence."""
        return np.maximum(np.minimum(self.stages, self.batch), 1.0)

    @property
    def running(self) -> Real:
        """Sequences that run at a time."""
        return np.maximum(np.minimum(self.batch, self.slots), 1e-9)

    @property
    def waiting(self) -> Real:
        """Requests in flight that find no slot. [requests]"""
        return np.maximum(self.batch - self.running, 0.0)

    @property
    def abreast(self) -> Real:
        """Prompts that share a pass in steady state: one in each group."""
        return np.maximum(np.minimum(self.groups, self.running), 1.0)

    def pieces(self, chunk_tokens: Real) -> Real:
        """Passes that a prompt's chunks take: 1 at the least.

        Parameters
        ----------
        chunk_tokens : float or array
            Budget of a pass in each group. [tokens]
        """
        return larger(self.fresh / chunk_tokens, 1.0)

    def at_once(self, chunk_tokens: Real) -> Real:
        """Prompts in a pass that nothing but the token budget limits.

        Parameters
        ----------
        chunk_tokens : float or array
            Budget of a pass in each group. [tokens]
        """
        groups = np.where(np.asarray(self.prompt_groups) > 0, self.prompt_groups, self.groups)
        fit = np.maximum(chunk_tokens / np.maximum(self.fresh, 1e-9), 1.0) * groups
        return np.maximum(np.minimum(fit, self.running), 1.0)


@dataclass(frozen=True, slots=True)
class Served:
    """What a load model predicts. Times in seconds, rates in tokens/s of one replica.

    Attributes
    ----------
    ttft, tpot : float or array
        Means: time to first token, time per output token after the first. [s]
    ttft_median, ttft_p90, tpot_p90 : float or array
        [s]
    request : float or array
        End to end. [s]
    output_rate, input_rate : float or array
        [tokens/s]
    waiting : float or array
        Mean wait for a slot, inside `ttft`. [s]
    prefill_share : float or array
        Share of the time that steps spend on prompts. [share]
    decoding : float or array
        Mean of those that decode, of those that run: the others wait for their prompt. [sequences]
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
    decoding: Real


Times = Mapping[str, Real]  # name of a pass -> seconds


class Loop(NamedTuple):
    """A load model: which passes it needs timed, and what their times mean for a request.

    Attributes
    ----------
    kind : str
    passes : callable
        (workload, prompt tokens that one pass may carry) -> loads by name.
    served : callable
        (workload, seconds of those passes, calibration, seconds to hand a cache over) -> Served.
    """

    kind: Kind
    passes: Callable[[Workload, float], dict[str, Load]]
    served: Callable[[Workload, Times, Numbers, Real], Served]


def prompts(number: Real, length: float, chunk_tokens: float, found: float = 0.0) -> Load:
    """Return prompts side by side, each with its mean chunk.

    A chunk's share of a prompt needs its share of the one logit.

    Parameters
    ----------
    number : float or array
        Prompts side by side. [sequences]
    length, chunk_tokens, found : float
        Of each prompt what is computed; of it in one pass, at the most; and what the cache holds before it. [tokens]
    """
    chunk = min(length, chunk_tokens)
    logits = chunk / length if length > 1 else length / 2
    return Load((Group(number, chunk, found + (length - chunk) / 2, logits),))


def decoding(running: Real, prompt: float, output: float, new: Real) -> Load:
    """Return sequences of which half are in the earlier part of their answer, half in the later.

    One alone is in the middle.

    Parameters
    ----------
    running : float or array
        That run at a time. [sequences]
    prompt, output : float
        Of each request. [tokens]
    new : float or array
        Of each sequence in a pass. [tokens]
    """
    middle, halves = prompt + output / 2, [prompt + output * s for s in (EARLY, LATE)]
    if plain(running) or np.ndim(running) == 0:
        chosen = halves if running >= 2 else [middle]
        share = float(running) / len(chosen)
        return Load(tuple(Group(share, new, context, new) for context in chosen))
    several = np.asarray(running) >= 2
    early, late = (np.where(several, h, middle) for h in halves)
    share = np.where(several, 0.5, 1.0)
    return Load((Group(running * share, new, early, new), Group(running * (1 - share), new, late, new)))


def first_token(w: Workload, prefill: Real, chunk_tokens: Real, drain: bool = True) -> Real:
    """Return a prompt's own time to its first token from the time of its ``prefill`` pass: nothing else in the way. [s]

    Parameters
    ----------
    w : Workload
    prefill : float or array
        [s]
    chunk_tokens : float or array
        Budget of a closed loop's pass. [tokens]
    drain : bool
        False leaves out that a pipeline fills and drains: no order of work is faster.

    Notes
    -----
    A prompt longer than the budget takes a pass per chunk. A static batch over p pipeline stages runs as m = min(p, B)
    micro-batches of c pieces each, which fill and drain the pipeline: (m c + p - 1)/p passes of one piece.
    """
    if w.kind == "static_batch":
        pieces = w.micro_batches * np.maximum(np.asarray(w.fresh, dtype=float) / w.piece, 1.0)
        return prefill * (pieces + (w.stages - 1 if drain else 0.0)) / w.stages
    return prefill * w.pieces(chunk_tokens)


def later_tokens(w: Workload) -> Real:
    """Return how many tokens of an answer come after the first one."""
    return np.where(np.asarray(w.prompt) > 0, np.maximum(np.asarray(w.output) - 1, 0), w.output)


def joined(
    w: Workload, steady: Real, start: Real, x: Real, extra: Real, rho: Real, served: Real, c: Numbers, decode: Real
) -> Served:
    """Mix the first round with the others, and add spreads: pauses are counts of independent arrivals (Poisson).

    Parameters
    ----------
    w : Workload
    steady, start : float or array
        TTFT in steady state without a wait for a slot; how much longer the first round takes at most. [s]
    x, extra, served : float or array
        Time of an answer; what one prompt adds to it; time in service. [s]
    rho : float or array
        Utilisation of the prompts' server. [share]
    c : Calibration
        Its `run_rounds` are the requests per slot of the run, of which the first wait for a cold engine, too, and to be taken in.
    decode : float or array
        Those that decode, of those that run. [sequences]

    Notes
    -----
    Requests beyond the slots wait for one by Little's law: (N - n)/n x time in service.
    """
    n, out = w.running, np.maximum(w.output, 1e-9)
    first = 1.0 / np.asarray(c.run_rounds, dtype=float)
    waiting = w.waiting / n * served
    start = start + c.accept_seconds * np.maximum(n - 1.0, 0.0)
    ttft = steady + first * (start / 2 + c.cold_seconds) + waiting
    # a tenth of all requests wait longer than p90: with one round in ten at the start, those of the first round
    p90 = (
        steady * (1 + rho)
        + waiting
        + (start + c.cold_seconds) * np.clip((first - 0.1) / np.maximum(first, 1e-9), 0.0, 1.0)
    )
    pauses = np.maximum(n - 1, 0.0) * x / np.maximum(served, 1e-12)
    tpot = x / out
    whole = ttft + np.maximum(w.output - 1, 0) * tpot
    rate = w.batch / whole
    return Served(
        ttft, tpot, steady + waiting, p90, tpot + 1.2816 * np.sqrt(pauses) * extra / out, whole, rate * w.output,
        rate * w.prompt, waiting, rho, decode,
    )  # fmt: skip


def queue(n: Real, service: Real, away: Real) -> tuple[Real, Real]:
    """Return (mean wait, utilisation) of n requests that each need `service` seconds of one server between `away` ones.

    Parameters
    ----------
    n : float or array
        Requests that come back again and again. [requests]
    service, away : float or array
        At the server; elsewhere. [s]

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


def pulled_apart(w: Workload, length: Real, rounds: Real) -> Real:
    """Return over how much the ends of answers lie that began together: unequal lengths pull them apart, round by round.

    Parameters
    ----------
    w : Workload
    length : float or array
        Of a mean answer, in seconds or in steps. [s, steps]
    rounds : float or array
        Requests per slot of the run. [requests]

    Notes
    -----
    Ends after r rounds lie sqrt(r) spread length/sqrt(3) around their mean, as wide as a uniform spread of
    2 spread length sqrt(r); the mean of 1/sqrt(r) over R rounds is about that of R/3. At most a whole answer.
    """
    spread = 2 * np.asarray(w.spread, dtype=float)
    with np.errstate(invalid="ignore"):
        found = spread * np.sqrt(np.asarray(rounds, dtype=float) / 3)
    return np.minimum(np.where(spread > 0, found, 0.0), 1.0) * length


def bunched(w: Workload, n: Real, service: Real, cycle: Real, length: Real, rounds: Real) -> Real:
    """Return the mean wait of n requests that come to one server in a bunch as wide as their service and their spread. [s]

    Parameters
    ----------
    w : Workload
    n : float or array
        In the bunch. [requests]
    service, cycle, length : float or array
        Of one at the server; from one bunch to the next, at the most; of an answer. [s]
    rounds : float or array
        Requests per slot of the run. [requests]

    Notes
    -----
    Those that the server let go one after another come back so, shifted at random. At utilisation u inside the bunch the
    wait is that of an M/D/1 queue, u/(2 (1 - u)) of a service, but never more than n of them at random places of a busy
    server have: sqrt(pi n/8), the mean of a Brownian bridge's reach.
    """
    width = np.minimum(np.hypot(n * service, pulled_apart(w, length, rounds)), np.maximum(cycle, n * service))
    u = np.minimum(n * service / np.maximum(width, 1e-12), 1.0)
    return service * np.minimum(u / (2 * np.maximum(1 - u, 1e-9)), np.sqrt(np.pi * np.maximum(n - 1, 0.0) / 8))
