"""Pipelining in closed form: idle fractions, bubbles, hops (lecture 4.3, 5.2, 5.3)."""

from __future__ import annotations

from typing import Any

import numpy as np

Real = Any  # a float or a NumPy array; everything broadcasts


def decode_idle_fraction(stages: Real, micro_batches: Real = 1) -> Real:
    """Return the idle share of a decode pipeline: 1 - M/P below P micro-batches, else 0 (lecture E13, SYS-D2).

    Parameters
    ----------
    stages : int or array
        P. [stages]
    micro_batches : int or array
        M in flight. [1]
    """
    return np.maximum(0.0, 1 - micro_batches / stages)


def decode_token_latency(stages: Real, micro_batches: Real, stage_time: Real = 1.0) -> Real:
    """Return time per token of one sequence: max(P, M) stage times; more micro-batches than stages only wait.

    Parameters
    ----------
    stages, micro_batches : int or array
        P, M. [stages, 1]
    stage_time : float or array
        Time of one stage. [s]
    """
    return np.maximum(stages, micro_batches) * stage_time


def training_bubble(stages: Real, micro_batches: Real, parts: Real = 1) -> Real:
    """Return the idle share of a hard-stop (GPipe) or 1F1B schedule: (P-1)/(M+P-1) (lecture 4.3 [D], SYS-D3).

    Parameters
    ----------
    stages, micro_batches, parts : int or array
        P, M; v parts of the model on each stage, interleaved: (P-1)/(vM+P-1) (Narayanan et al. 2021). [stages, 1, 1]

    Notes
    -----
    1F1B has the same bubble and holds at most P micro-batches of activations instead of M.
    """
    return (stages - 1) / (parts * micro_batches + stages - 1)


def activations_held(stages: Real, micro_batches: Real, schedule: str = "1f1b") -> Real:
    """Return peak micro-batches of activations on the first stage: M for ``gpipe``, at most P for ``1f1b``.

    Parameters
    ----------
    stages, micro_batches : int or array
        P, M. [stages, 1]
    schedule : str
        ``gpipe`` or ``1f1b``.
    """
    return micro_batches if schedule == "gpipe" else np.minimum(micro_batches, stages)


def latency_with_hops(step: Real, hops: Real, per_hop: Real) -> Real:
    """Return step time plus rack-to-rack hops, sequential in decode (lecture 5.3, SYS-D5).

    Parameters
    ----------
    step, per_hop : float or array
        [s]
    hops : int or array
        Rack changes per token. [1]
    """
    return step + hops * per_hop
