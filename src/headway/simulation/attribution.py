"""Who the time of passes falls to: fresh prompt tokens, cached ones, and answers, where all share the same passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headway.roofline import CompiledStep, Load
from headway.roofline.load import Group
from headway.simulation.lanes import Passes
from headway.simulation.requests import Requests

Floats = NDArray[np.float64]
_PIECE = 1 << 16  # runs, or requests, that are timed together


@dataclass(frozen=True, slots=True)
class Attribution:
    """Seconds of passes by what they were for, on all replicas together.

    Attributes
    ----------
    fresh, cached, output : float
        Computing prompt tokens; reading the caches that prompts found; making tokens. [s]
    tokens : tuple of float
        Fresh and cached prompt tokens, and those made. [tokens]
    """

    fresh: float
    cached: float
    output: float
    tokens: tuple[float, float, float]

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of fresh, cached and output: their part of the rent. Idle time falls to each in proportion. [share]"""
        whole = self.fresh + self.cached + self.output
        return (self.fresh / whole, self.cached / whole, self.output / whole) if whole > 0 else (0.0, 0.0, 0.0)


def decode_alone(step: CompiledStep, p: Passes, times: float, new: float) -> Floats:
    """Return what each run would take if its decoding sequences were alone in it. [s]

    Parameters
    ----------
    step : CompiledStep
    p : Passes
    times : float
        By which passes over a pipeline are longer. [times]
    new : float
        New tokens of each sequence in a pass. [tokens]
    """
    found = p.seconds.copy()
    prompts = p.tokens / np.maximum(p.count, 1) - p.decoding * new
    mixed = np.flatnonzero(prompts > 0.5)
    for at in range(0, len(mixed), _PIECE):
        which = mixed[at : at + _PIECE]
        riders = p.decoding[which].astype(float)
        some = np.maximum(riders, 1.0)
        load = Load((Group(some, new, np.maximum(p.caches[which] / some, 1.0), new),))
        seconds = np.broadcast_to(step.seconds(load), riders.shape) * times
        found[which] = np.where(riders > 0, np.minimum(seconds, p.seconds[which]), 0.0)
    return found


def reading(step: CompiledStep, new: Floats, cached: Floats) -> float:
    """Return the time by which prompts take longer because their beginnings were found, not computed: reading these. [s]

    Parameters
    ----------
    step : CompiledStep
    new, cached : array
        Tokens of each prompt that are computed, and that were found. [tokens]
    """
    total = 0.0
    for at in range(0, len(new), _PIECE):
        rest, found = new[at : at + _PIECE], cached[at : at + _PIECE]
        one = np.ones_like(rest)
        after, alone = (step.seconds(Load((Group(one, rest, context, one),))) for context in (found, 0.0 * found))
        total += float(np.maximum(after - alone, 0.0).sum())
    return total


def attributed(
    passes: Sequence[Passes],
    step: CompiledStep,
    times: float,
    drafts: int,
    requests: Requests,
    started: NDArray[np.bool_],
    cached: Floats,
) -> Attribution:
    """Return whose the time of passes is.

    Parameters
    ----------
    passes : sequence of Passes
        Of replicas that are alike.
    step : CompiledStep
    times : float
        By which passes over a pipeline are longer. [times]
    drafts : int
        Tokens drafted for each sequence and pass. [tokens]
    requests : Requests
    started : array of bool
        Which of them boarded.
    cached : array
        Tokens of each prompt that were found. [tokens]

    Notes
    -----
    A mixed pass would take its sequences' decode time without the prompts: that is the answers', the rest, by which the prompts made it
    longer, is theirs (marginal). What is left of the rent, idle time, falls to all in proportion, so that average prices times volumes
    are the rent.
    """
    whole = sum(float(p.seconds.sum()) for p in passes)
    output = sum(float(decode_alone(step, p, times, 1.0 + drafts).sum()) for p in passes)
    hit = started & (cached > 0)
    fresh = (requests.prompt - cached)[started].sum()
    found = reading(step, (requests.prompt - cached)[hit].astype(float), cached[hit].astype(float))
    prompts = whole - output
    found = min(found, prompts)
    made = float(sum(p.made.sum() for p in passes)) + float(started.sum())  # the first token comes with the prompt
    return Attribution(prompts - found, found, output, (float(fresh), float(cached[started].sum()), made))
