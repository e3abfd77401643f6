"""Static batches: all sequences start together, with fixed lengths."""

from __future__ import annotations

from headway.batching import expected_tokens
from headway.roofline import Group, Load
from headway.serving.loops.workload import (
    EARLY,
    LATE,
    Loop,
    Numbers,
    Real,
    Served,
    Times,
    Workload,
    first_token,
    later_tokens,
    prompts,
)


def passes(w: Workload, chunk_tokens: float) -> dict[str, Load]:
    """Return the passes: all prompts (of a micro-batch), and two decode steps that stand for the growing context.

    Parameters
    ----------
    w : Workload
    chunk_tokens : float
        Not used: a pass computes `piece` of each prompt. [tokens]
    """
    found: dict[str, Load] = {}
    each, new = w.batch / float(w.micro_batches), 1.0 + w.drafts
    if w.prompt > 0:
        found["prefill"] = prompts(each, w.fresh, float(w.piece), w.found)
    if w.output > 0:
        for name, share in (("early", EARLY), ("late", LATE)):
            found[name] = Load((Group(each, new, w.prompt + w.output * share, new),))
    return found


def served(w: Workload, seconds: Times, c: Numbers, transfer: Real = 0.0) -> Served:
    """Return what a static batch reports: all prompts in one pass, then one token of each per step.

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
    TPOT is the mean over the growing context (two-point quadrature); end to end = prefill + (output - 1) x TPOT.
    Such runs are timed inside the engine: no request crosses a server. Over pipeline stages a decode step lasts one
    micro-batch's way through all of them.
    """
    first = first_token(w, seconds.get("prefill", 0.0), c.chunk_tokens)
    step = (seconds.get("early", 0.0) + seconds.get("late", 0.0)) / 2
    tpot = step / expected_tokens(c.draft_acceptance, w.drafts)
    whole = first + later_tokens(w) * tpot
    nothing = 0.0 * whole
    return Served(
        first, tpot, first, first, tpot, whole, w.batch * w.output / whole, w.batch * w.prompt / whole, nothing,
        first / whole, w.batch + nothing,
    )  # fmt: skip


LOOP = Loop("static_batch", passes, served)
