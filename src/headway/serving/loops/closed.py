"""Closed loops: so many requests in flight, each replaced when it ends; prompts and answers share the passes or the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from headway.batching import expected_tokens
from headway.roofline import Load
from headway.serving.loops.steps import few, step_of
from headway.serving.loops.workload import (
    Loop,
    Numbers,
    Real,
    Served,
    Times,
    Workload,
    decoding,
    first_token,
    joined,
    prompts,
    pulled_apart,
    queue,
)


def passes(w: Workload, chunk_tokens: float) -> dict[str, Load]:
    """Return the passes: a prompt alone, as many as fit, a decode step, and one that carries a prompt of each group.

    Parameters
    ----------
    w : Workload
        The batch and the groups may be arrays; everything else scalars.
    chunk_tokens : float
        Prompt tokens that one pass may carry. [tokens]
    """
    found: dict[str, Load] = {}
    if w.prompt > 0:
        found["prefill"] = prompts(1.0, w.fresh, chunk_tokens, w.found)
        found["burst"] = prompts(w.at_once(chunk_tokens), w.fresh, chunk_tokens, w.found)
    if w.output <= 0:
        return found
    decode = decoding(w.running, w.prompt, w.output, 1.0 + w.drafts)
    found["decode"] = decode
    if w.prompt > 0 and not w.apart:
        fewer, beside = (
            decoding(few(w), w.prompt, w.output, 1.0 + w.drafts),
            prompts(w.abreast, w.fresh, chunk_tokens, w.found),
        )
        found |= {"mixed": decode + beside, "fewer": fewer, "mixed fewer": fewer + beside}
    return found


_ROUNDS = 3  # of the fixed point of prompts that share a pass


class _Cycle(NamedTuple):
    """What a scheduler makes of a request, all in mean values. [s]

    Attributes
    ----------
    steady : float or array
        TTFT after the first round, the server and the wait for a slot left out.
    start : float or array
        Twice what a request of the first round waits longer.
    x : float or array
        Time of an answer.
    extra : float or array
        What one prompt adds to the answers of others.
    busy : float or array
        Share of the time that goes to prompts. [share]
    service : float or array
        From a slot to the last token.
    decoding : float or array
        Those that decode, of those that run. [sequences]
    """

    steady: Real
    start: Real
    x: Real
    extra: Real
    busy: Real
    service: Real
    decoding: Real


class _Still(NamedTuple):
    """What stays the same from round to round.

    Attributes
    ----------
    n, groups, pieces, each : float or array
        Sequences that run, groups with prompts, passes of a prompt, prompts that a pass can carry. [1]
    made : float or array
        Decode passes of an answer. [passes]
    alone, burst : float or array
        Time of a prompt with nothing in the way, and among as many as fit. [s]
    together : float or array
        Prompts before one's own that come back together. [1]
    of : callable
        As of `_together`.
    """

    n: Real
    groups: Real
    pieces: Real
    each: Real
    made: Real
    alone: Real
    together: Real
    of: Callable[[Real], Real]
    burst: Real


class _Guess(NamedTuple):
    """What passes are like, closer with every round.

    Attributes
    ----------
    decode : float or array
        Those that decode in one. [sequences]
    some : float or array
        Prompts that share one, of those that carry any. [1]
    took, long : float or array
        Time that prompts are gathered; of a pass. [s]
    """

    decode: Real
    some: Real
    took: Real
    long: Real


def _answer_seconds(n: Real, least: Real, extra: Real, alone: Real) -> Real:
    """Solve x = least + (n - 1) extra x/(x + alone): the time of an answer among those of others and their prompts. [s]"""
    x, others = least, np.maximum(n - 1, 0.0)
    for _ in range(8):
        x = least + others * extra * x / (x + alone + 1e-12)
    return x


def _mixed(w: Workload, seconds: Times, c: Numbers, made: Real, alone: Real) -> _Cycle:
    """Prompts share passes with answers, within the budget.

    n sequences run; each prompt adds `extra` seconds to the steps that carry its chunks (data-parallel groups carry one
    each). While a request makes its output tokens (x seconds), every other slot starts x/(x + f) prompts, f being a
    prompt's own time in service:

        x = output x step + (n - 1) extra x/(x + f),   TPOT = x/output.

    TTFT = own passes, which carry the answers of others, too + wait + half a step (of others). The wait is that of
    `queue`: each prompt holds the server up for `extra` seconds. Where prompts come faster than full passes carry them,
    every pass is full: TPOT is its length, and by Little's law the requests that do not decode wait for their prompt.
    Requests of one length come back in groups of those that shared a pass, and share the next one. The first round starts
    all at once: it waits for its own of the full prefill passes instead, in the mean half of them and half a pass.
    """
    n, pieces, step = w.running, w.pieces(c.chunk_tokens), seconds.get("decode", 0.0)
    each = w.at_once(c.chunk_tokens) / pieces
    apart = np.maximum(pulled_apart(w, made, c.run_rounds) * each / n, 1.0)
    together = np.maximum(np.minimum(each, n) - 1.0, 0.0) / apart**2
    still = _Still(n, w.abreast, pieces, each, made, alone, together, _together(w, seconds, c), _full(w, seconds, c))
    guess = _Guess(n, still.groups, 0.0 * step, step)
    _, guess = _mixed_with(w, seconds, still, guess)
    for _ in range(_ROUNDS):
        _, new = _mixed_with(w, seconds, still, guess)
        guess = new._replace(decode=(guess.decode + new.decode) / 2)
    found, _ = _mixed_with(w, seconds, still, guess)
    begin = _till_first(w, c, n, np.maximum(still.burst, found.extra / np.maximum(each, 1.0)))
    return found._replace(start=2 * np.maximum(begin - found.steady, 0.0))


def _mixed_with(w: Workload, seconds: Times, k: _Still, guess: _Guess) -> tuple[_Cycle, _Guess]:
    """The same if passes are as guessed, and a better guess."""
    n, step, alone = k.n, step_of(w, seconds, guess.decode), k.alone
    added = np.maximum(step_of(w, seconds, guess.decode, "mixed") - step, 0.0)
    least = k.pieces * added / k.groups  # where every group has a prompt
    extra, gathered, guess = _gathered(w, step, k, least, guess)
    x = _answer_seconds(n, k.made * step, extra, alone)
    full = step + least * k.each
    most = k.made * full
    behind = np.where(x > most, np.maximum(n * full / k.each - most - alone, 0.0), 0.0)
    x = np.minimum(x, most)
    waits, rho = queue(n, extra, x + np.maximum(alone - extra, 0.0))
    wait = np.maximum(np.maximum(waits, k.together * extra), behind)
    wait = np.maximum(wait, gathered)  # whoever waits for others of its pass queues meanwhile
    decode = np.minimum(1.0 + np.maximum(n - 1.0, 0.0) * x / np.maximum(x + alone + wait, 1e-12), n)
    beside = _others(n) * np.maximum(k.pieces * step + extra - alone, 0.0)  # own passes carry others' answers, too
    found = _Cycle(alone + beside + wait + _under_way(n, step), 0.0 * x, x, extra, rho, alone + wait + x, decode)
    return found, guess._replace(decode=decode)


def _gathered(w: Workload, step: Real, k: _Still, least: Real, guess: _Guess) -> tuple[Real, Real, _Guess]:
    """What a prompt adds to the passes of its data-parallel groups, and how long it waits for others. [s, s]

    All groups take a pass together: a prompt of one of them holds all of them up, unless others have prompts, too. By chance those
    share a pass that came in the time of the ones before, or wait behind others (of those that do not decode). An engine that gathers
    (`Workload.gather`) waits so many passes for each group to have one, and by its evidence nearly all have: prompts come to groups
    at random, so that it takes G (1 + 1/2 + ... + 1/G) of them (the coupon collector's). The first waits for all of that, the
    others for half on average.
    `least` is what a prompt adds where every group has one.
    """
    n, groups = k.n, k.groups
    if np.all(groups == 1):  # a prompt holds nobody else up, and waits for nobody
        return least, 0.0 * step, guess
    least = least / np.maximum(k.of(groups), 1e-12)
    answer = _answer_seconds(n, k.made * step, least * k.of(guess.some), k.alone)
    rate = n / np.maximum(answer + k.alone + guess.took, 1e-12)
    until_all = groups * (np.log(groups) + 0.5772 + 0.5 / groups) / np.maximum(rate, 1e-12)
    took = np.where(n > groups, np.minimum(w.gather * step, np.where(groups > 1, until_all, 0.0)), 0.0)
    # prompts that came in the time of their passes: those of a Poisson variable that are not none
    come = np.maximum(rate * guess.long * k.pieces, np.maximum(n - guess.decode - groups, 1e-9))
    some = np.where(np.asarray(w.gather) > 0, groups, np.clip(come / -np.expm1(-come), 1.0, groups))
    extra = least * k.of(some)
    long = step - np.expm1(-come) * some * extra / k.pieces
    waited = took * (1 + rate * took / 2) / (1 + rate * took)
    return extra, waited, guess._replace(some=some, took=took, long=long)


def _apart(w: Workload, seconds: Times, c: Numbers, made: Real) -> _Cycle:
    """Prompts run in passes of their own, and answers pause: all that wait are computed before the next decode step.

    In one cycle of n requests, each makes its tokens and all prompts are computed once: f + x = output x step + n p, f
    being the time from a request's arrival to the end of the pass with its prompt, p a prompt's share of its pass. Those
    that end with the same step, g of them, are computed together: in b = g/(prompts of a full pass) passes, after
    (1 + 1/b)/2 of their time in the mean. All n arrive together in the first round, and in every round where all lengths
    are equal; the more unequal they are, the more steps their ends lie apart.
    """
    n, step = w.running, seconds.get("decode", 0.0)
    first = 1.0 / np.asarray(c.run_rounds, dtype=float)
    steps = np.maximum(pulled_apart(w, made, c.run_rounds), 1.0)
    few = np.maximum(n - 1.0, 0.0) / steps  # others that end with the same step
    together = _together(w, seconds, c)
    each, own, at_start = together(1.0 + few / 2), together(1.0 + few), together(n)
    f, begin = (_till_first(w, c, g, p) for g, p in ((1.0 + few, own), (n, at_start)))
    waited = first * begin + (1 - first) * f
    x = made * step + np.maximum(n * (first * at_start + (1 - first) * each) - waited, 0.0)
    busy = n * each / np.maximum(x + waited, 1e-12)
    return _Cycle(
        f + _under_way(n, step), 2 * np.maximum(begin - f, 0.0), x, each, np.minimum(busy, 1.0), waited + x, n
    )


def _under_way(n: Real, step: Real) -> Real:
    """Rest of the step that is under way when a request comes; a request alone finds none. [s]"""
    return _others(n) * step / 2


def _others(n: Real) -> Real:
    """Whether anybody else runs: 1 from two requests on, 0 for one. [1]"""
    return np.clip(n - 1.0, 0.0, 1.0)


def _together(w: Workload, seconds: Times, c: Numbers) -> Callable[[Real], Real]:
    """Time of a prompt among so many that are computed together: of passes between one prompt's and a full one. [s]"""
    most, pieces = w.at_once(c.chunk_tokens), w.pieces(c.chunk_tokens)
    one, full = seconds.get("prefill", 0.0), seconds.get("burst", 0.0)
    slope = np.maximum(full - one, 0.0) / np.maximum(most - 1.0, 1e-9)

    def of(number: Real) -> Real:
        k = np.minimum(number, most)
        return pieces * (one + slope * (k - 1.0)) / np.maximum(k, 1.0)

    return of


def _till_first(w: Workload, c: Numbers, number: Real, each: Real) -> Real:
    """Mean time until the passes of `number` prompts that arrive together have reached a request's own. [s]"""
    passes_of_prompts = np.maximum(number / w.at_once(c.chunk_tokens), 1.0)
    return number * each * (1 + 1 / passes_of_prompts) / 2


def _made(w: Workload, c: Numbers) -> Real:
    """Decode passes that an answer takes."""
    return np.maximum(w.output, 1e-9) / expected_tokens(c.draft_acceptance, w.drafts)


def _cycle(w: Workload, seconds: Times, c: Numbers) -> _Cycle:
    made, parts = _made(w, c), np.asarray(w.apart, dtype=float)
    alone = first_token(w, seconds.get("prefill", 0.0), c.chunk_tokens)
    if np.all(parts == 0):
        return _mixed(w, seconds, c, made, alone)
    if np.all(parts == 1):
        return _apart(w, seconds, c, made)
    both = zip(_mixed(w, seconds, c, made, alone), _apart(w, seconds, c, made), strict=True)
    return _Cycle(*(np.where(parts > 0, b, a) for a, b in both))


def _full(w: Workload, seconds: Times, c: Numbers) -> Real:
    """Time of a prompt in passes that are full of them. [s]"""
    return w.pieces(c.chunk_tokens) * seconds.get("burst", 0.0) / w.at_once(c.chunk_tokens)


def work(w: Workload, seconds: Times, c: Numbers) -> tuple[Real, Real]:
    """Return the time of passes that a request's prompt adds, and that its answer takes. [s, s]

    Parameters
    ----------
    w : Workload
    seconds : mapping
        Times of `passes`. [s]
    c : Calibration

    Notes
    -----
    A pass would take its answers' time without the prompts: each answer pays its share of that, a prompt what it adds.
    """
    only, found = np.asarray(w.output) <= 1, _cycle(w, seconds, c)
    prompt = np.where(only, _full(w, seconds, c), found.extra)
    each = step_of(w, seconds, found.decoding) / found.decoding
    return prompt, np.where(only, 0.0, _made(w, c) * each)


def served(w: Workload, seconds: Times, c: Numbers, transfer: Real = 0.0) -> Served:
    """Return what a closed loop reports, in mean values.

    Parameters
    ----------
    w : Workload
    seconds : mapping
        Times of `passes`. [s]
    c : Calibration
    transfer : float
        Not used: nothing is handed over. [s]

    Notes
    -----
    `_mixed` and `_apart` say how. Without a second token there is no decode: every pass is a full one of prompts, and
    each waits for all others.
    """
    n, found = w.running, _cycle(w, seconds, c)
    alone = first_token(w, seconds.get("prefill", 0.0), c.chunk_tokens)
    parts = np.asarray(w.apart, dtype=float)
    only = np.asarray(w.output) <= 1
    burst = _full(w, seconds, c)
    together = np.maximum(np.maximum(burst, np.where(parts > 0, 0.0, found.extra)) * n, alone)
    steady = c.request_seconds + np.where(only, together, found.steady)
    start, x = np.where(only, 0.0, found.start), np.where(only, 0.0, found.x)
    service = np.where(only, together, found.service)
    return joined(w, steady, start, x, found.extra, found.busy, service, c, found.decoding)


LOOP = Loop("closed_loop", passes, served)
