"""Training and serving compute over a model's life (lecture 6.2; E19 to E21)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.errors import InputError

Real = Any  # a float or a NumPy array; everything broadcasts


@dataclass(frozen=True, slots=True)
class LifetimeCost:
    """Compute of a model's life, each in training-equivalent FLOPs (divided by relative MFU)."""

    pretraining: Real
    reinforcement: Real
    inference: Real

    @property
    def total(self) -> Real:
        """Sum of the three."""
        return self.pretraining + self.reinforcement + self.inference

    @property
    def shares(self) -> tuple[Real, Real, Real]:
        """Share of each in the total."""
        return self.pretraining / self.total, self.reinforcement / self.total, self.inference / self.total


def pretraining_flops(n: Real, tokens: Real) -> Real:
    """Return 6 N D: forward 2, backward 4 (gradients for both operands of each product) (lecture E19).

    Parameters
    ----------
    n : float or array
        N, active parameters. [parameters]
    tokens : float or array
        D. [tokens]
    """
    return 6 * n * tokens


def reinforcement_flops(n: Real, tokens: Real, factor: Real, relative_mfu: Real) -> Real:
    """Return (2 to 6) N D_RL / relative MFU (lecture E20).

    Parameters
    ----------
    n : float or array
        N, active parameters. [parameters]
    tokens : float or array
        D_RL, rollout tokens. [tokens]
    factor : float or array
        2 when rollouts are only generated, 6 when all are trained on (forward reused); see `rollout_factor`.
        [FLOP per parameter and token]
    relative_mfu : float or array
        Decode's MFU over training's, about 0.3: a low one makes each token dearer. [times]
    """
    return factor * n * tokens / relative_mfu


def inference_flops(n: Real, tokens: Real, relative_mfu: Real) -> Real:
    """Return 2 N D_inf / relative MFU (lecture E21).

    Parameters
    ----------
    n : float or array
        N, active parameters. [parameters]
    tokens : float or array
        D_inf. [tokens]
    relative_mfu : float or array
        Decode's MFU over training's. [times]
    """
    return 2 * n * tokens / relative_mfu


def rollout_factor(trained_share: Real, rerun_forward: bool = False) -> Real:
    """Return FLOPs per parameter and rollout token: 2 + 4 f, or 2 + 6 f when training runs the forward again.

    Parameters
    ----------
    trained_share : float or array
        f, share of the rollout tokens that are trained on. [share]
    rerun_forward : bool
        Training runs the forward pass again.
    """
    return 2 + (6 if rerun_forward else 4) * trained_share


def lifetime(
    n: Real, pretraining: Real, reinforcement: Real, inference: Real, factor: Real = 3.0, relative_mfu: Real = 1 / 3
) -> LifetimeCost:
    """Return the three costs of a model's life (lecture 6.2, SYS-E2).

    Parameters
    ----------
    n : float or array
        Active parameters. [parameters]
    pretraining, reinforcement, inference : float or array
        Tokens of each. [tokens]
    factor, relative_mfu : float or array
        See `reinforcement_flops`. [FLOP per parameter and token, times]

    Raises
    ------
    InputError
        When the factor is outside 2..8 or the relative MFU outside (0, 1].
    """
    if not (np.min(factor) >= 2 and np.max(factor) <= 8):
        raise InputError(f"RL factor {factor} must lie in 2..6 (8 when training re-runs the forward)")
    if not (np.min(relative_mfu) > 0 and np.max(relative_mfu) <= 1):
        raise InputError(f"relative MFU {relative_mfu} must be in (0, 1]")
    return LifetimeCost(
        pretraining_flops(n, pretraining),
        reinforcement_flops(n, reinforcement, factor, relative_mfu),
        inference_flops(n, inference, relative_mfu),
    )
