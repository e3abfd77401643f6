"""Split pools: a closed loop whose prompts are computed by other replicas, and whose caches are handed over."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from headway.batching import expected_tokens
from headway.roofline import Load
from headway.serving.loops import closed
from headway.serving.loops.steps import GRID, on_grid
from headway.serving.loops.workload import (
    Loop,
    Numbers,
    Real,
    Served,
    Times,
    Workload,
    bunched,
    decoding,
    first_token,
    joined,
    queue,
)

_OWN = ("prefill", "burst", "decode")
_SERVERS = 2  # that a request passes through, one of each pool
_ROUNDS = 12  # of the fixed point; it closes by a factor of two or more each


def passes(w: Workload, chunk_tokens: float) -> dict[str, Load]:
    """Return the passes: those of a closed loop, of which none carries both, and decode steps of fewer sequences.

    Parameters
    ----------
    w : Workload
    chunk_tokens : float
        Prompt tokens that one pass may carry. [tokens]
    """
    found = {name: load for name, load in closed.passes(w, chunk_tokens).items() if name in _OWN}
    if "decode" in found:
        sizes = [size for before, size in pairwise((0.0, *GRID)) if before < np.max(w.running)]
        found |= {f"decode {size:g}": decoding(size, w.prompt, w.output, 1.0 + w.drafts) for size in sizes}
    return found


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
    Prompts wait as in a closed loop of n requests, but before `prefill_pool` replicas that do nothing else, and longer in
    the rounds that still come in bunches (`bunched`); where those replicas are the slower pool they are always busy, and
    Little's law gives the wait. Requests that wait for their prompt do not decode:
    the step is that of the 1 + (n - 1) x/(x + f) which do beside one that does, x being the time of an answer and f what
    comes before it.
    """
    made = np.maximum(w.output, 1e-9) / expected_tokens(c.draft_acceptance, w.drafts)
    alone = first_token(w, seconds.get("prefill", 0.0), c.chunk_tokens)
    each = prompt_seconds(w, seconds, c.chunk_tokens, alone) / w.prefill_pool
    n = w.running

    def prompts_of(x: Real) -> tuple[Real, Real]:
        """Wait for a prompt's turn while answers take x, and how busy the prefill pool is."""
        waits, rho = queue(n, each, x + np.maximum(alone - each, 0.0))
        waits = np.maximum(waits, bunched(w, n, each, x + alone, x, c.run_rounds))
        behind = np.maximum(n * each - x - alone, 0.0)  # the prefill pool is the slower one: it is always busy
        return np.maximum(waits, behind), rho

    before = _SERVERS * c.request_seconds + alone + transfer
    step_at = on_grid(seconds)
    decode, step = n, step_at(n)
    for _ in range(_ROUNDS):
        x = made * step
        away = before + prompts_of(x)[0]
        decode = 1.0 + np.maximum(n - 1.0, 0.0) * x / np.maximum(x + away, 1e-12)
        step = step_at(decode)
    x = made * step
    wait, rho = prompts_of(x)
    steady = before + wait + step / 2
    start = np.maximum(each * n - 2 * wait, 0.0)
    return joined(w, steady, start, x, 0.0, rho, steady + x, c, np.minimum(decode, n))


LOOP = Loop("disaggregated", passes, served)
