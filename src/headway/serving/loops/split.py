"""Split pools: a closed loop whose prompts are computed by other replicas, and whose caches are handed over."""

from __future__ import annotations

import numpy as np

from headway.batching import expected_tokens
from headway.serving.loops import closed
from headway.serving.loops.workload import Loop, Numbers, Real, Served, Times, Workload, first_token, joined, queue


def prompt_seconds(w: Workload, seconds: Times, chunk_tokens: Real, alone: Real) -> Real:
    """Return the time of one prompt on a replica that does nothing else and is full: its rate is one over it. [s]

    Parameters
    ----------
    w : Workload
    seconds : mapping
        Times of the passes; ``burst`` is one that is full of prompts. [s]
    chunk_tokens : float or array
        [tokens]
    alone : float or array
        Time of a prompt with nothing in the way, which it never exceeds. [s]
    """
    return np.minimum(w.pieces(chunk_tokens) * seconds.get("burst", 0.0) / w.at_once(chunk_tokens), alone)


def served(w: Workload, seconds: Times, c: Numbers, transfer: Real = 0.0) -> Served:
    """Return what split pools report: no pauses in decode, a hand-over of the cache before it.

    Parameters
    ----------
    w : Workload
    seconds : mapping
        Times of the passes. [s]
    c : Calibration
    transfer : float or array
        To move one sequence's cache between the pools. [s]

    Notes
    -----
    Prompts wait as in a closed loop of n requests, but before `prefill_pool` replicas that do nothing else; where those
    are the slower pool they are always busy, and Little's law gives the wait.
    """
    step = seconds.get("decode", 0.0)
    x = np.maximum(w.output, 1e-9) * step / expected_tokens(c.draft_acceptance, w.drafts)
    alone = first_token(w, seconds.get("prefill", 0.0), c.chunk_tokens)
    each = prompt_seconds(w, seconds, c.chunk_tokens, alone) / w.prefill_pool
    n = w.running
    waits, rho = queue(n, each, x + np.maximum(alone - each, 0.0))
    behind = np.maximum(n * each - x - alone, 0.0)  # the prefill pool is the slower one: it is always busy
    wait = np.maximum(waits, behind)
    steady = c.request_seconds + alone + wait + transfer + step / 2
    start = np.maximum(each * n - 2 * wait, 0.0)
    return joined(w, steady, start, x, 0.0, rho, steady + x, c.run_rounds)


LOOP = Loop("disaggregated", closed.passes, served)
