"""Closed loops: so many requests in flight, each replaced when it ends; prompts and answers share the passes."""

from __future__ import annotations

import numpy as np

from headway.batching import expected_tokens
from headway.roofline import Load
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
        found["prefill"] = prompts(1.0, w.prompt, chunk_tokens)
        found["burst"] = prompts(w.at_once(chunk_tokens), w.prompt, chunk_tokens)
    if w.output <= 0:
        return found
    decode = decoding(w.running, w.prompt, w.output, 1.0 + w.drafts)
    found["decode"] = decode
    if w.prompt > 0:
        found["mixed"] = decode + prompts(w.abreast, w.prompt, chunk_tokens)
    return found


def _answer_seconds(n: Real, least: Real, extra: Real, alone: Real) -> Real:
    """Solve x = least + (n - 1) extra x/(x + alone): the time of an answer among those of others and their prompts. [s]"""
    x, others = least, np.maximum(n - 1, 0.0)
    for _ in range(8):
        x = least + others * extra * x / (x + alone + 1e-12)
    return x


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
    n sequences run; each prompt adds `extra` seconds to the steps that carry its chunks (data-parallel groups carry one
    each). While a request makes its output tokens (x seconds), every other slot starts x/(x + f) prompts, f being a
    prompt's own time in service:

        x = output x step + (n - 1) extra x/(x + f),   TPOT = x/output.

    TTFT = request overhead + own prefill + wait + half a step. The wait is that of `queue`: each prompt holds the
    server up for `extra` seconds. Where prompts come faster than full passes carry them, every pass is full: TPOT is its
    length, and by Little's law the requests that do not decode wait for their prompt. The first of `run_rounds` rounds
    starts all at once: it waits half a round of full prefill passes instead.
    """
    n, out = w.running, np.maximum(w.output, 1e-9)
    step, per_step = seconds.get("decode", 0.0), expected_tokens(c.draft_acceptance, w.drafts)
    pieces = w.pieces(c.chunk_tokens)
    extra = pieces * np.maximum(seconds.get("mixed", step) - step, 0.0) / w.abreast
    alone = first_token(w, seconds.get("prefill", 0.0), c.chunk_tokens)
    x = _answer_seconds(n, out * step / per_step, extra, alone)
    each = w.at_once(c.chunk_tokens) / pieces  # prompts that a pass can carry
    full = step + extra * each
    most = out * full / per_step
    behind = np.where(x > most, np.maximum(n * full / each - most - alone, 0.0), 0.0)
    x = np.minimum(x, most)
    waits, rho = queue(n, extra, x + np.maximum(alone - extra, 0.0))
    wait = np.maximum(waits, behind)
    steady = c.request_seconds + alone + wait + step / 2
    burst = np.maximum(pieces * seconds.get("burst", 0.0) / w.at_once(c.chunk_tokens), extra)  # seconds per prompt
    start = np.maximum(burst * n - 2 * wait, 0.0)  # of which the first round waits half, instead of the steady wait
    in_service = alone + wait + x
    # Without a second token there is no decode: every pass is a full one of prompts, and each waits for all others.
    only = np.asarray(w.output) <= 1
    together = np.maximum(burst * n, alone)
    steady, start = np.where(only, c.request_seconds + together, steady), np.where(only, 0.0, start)
    in_service = np.where(only, together, in_service)
    x = np.where(only, 0.0, x)
    return joined(w, steady, start, x, extra, rho, in_service, c.run_rounds)


LOOP = Loop("closed_loop", passes, served)
