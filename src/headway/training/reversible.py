"""Reversible networks and their trade of compute for memory (lecture 8; SYS-G1, G4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Real = Any  # a number or an array; integers for the bit version


def feistel_round(x: Real, y: Real, f: Callable[[Real], Real]) -> tuple[Real, Real]:
    """Return one Feistel round over the reals: (x, y) -> (y + f(x), x); f need not be invertible (lecture 8).

    Parameters
    ----------
    x, y : float or array
        The two halves. [1]
    f : callable
        Function of one half.
    """
    return y + f(x), x


def feistel_inverse(z: Real, x: Real, f: Callable[[Real], Real]) -> tuple[Real, Real]:
    """Undo one round: (z, x) -> (x, z - f(x)). Exact over integers, to rounding over floats.

    Parameters
    ----------
    z, x : float or array
        The two halves after the round. [1]
    f : callable
        The round's function.
    """
    return x, z - f(x)


def feistel_bits(x: int, y: int, rounds: Sequence[Callable[[int], int]]) -> tuple[int, int]:
    """Run a Feistel network over bits: exclusive-or in place of addition, so the inverse is exact.

    Parameters
    ----------
    x, y : int
        The two halves, as bits. [1]
    rounds : sequence of callable
        Function of each round, first to last.
    """
    for f in rounds:
        x, y = y ^ f(x), x
    return x, y


def feistel_bits_inverse(x: int, y: int, rounds: Sequence[Callable[[int], int]]) -> tuple[int, int]:
    """Undo `feistel_bits`: the same rounds backwards.

    Parameters
    ----------
    x, y : int
        The two halves, as bits after all rounds. [1]
    rounds : sequence of callable
        Function of each round, first to last.
    """
    for f in reversed(rounds):
        x, y = y, x ^ f(y)
    return x, y


@dataclass(frozen=True, slots=True)
class Trade:
    """What storing or recomputing costs.

    Attributes
    ----------
    stored : float
        Activations kept. [1]
    flops_per_parameter : float
        FLOPs per parameter and token. [FLOP per parameter and token]
    """

    stored: Real
    flops_per_parameter: float


def training_trade(layers: Real, activations_per_layer: Real, reversible: bool) -> Trade:
    """Return activations held and FLOPs per parameter-token of training (lecture 8 [D], SYS-G4).

    An ordinary network keeps all layers' activations and does 2 + 4 FLOPs; a reversible one keeps two streams and
    runs the forward again backwards: 2 + 2 + 4 = 8, a third more.

    Parameters
    ----------
    layers : float or array
        Layers of the network. [layers]
    activations_per_layer : float or array
        Activations of a layer, of a stream where it is reversible. [1]
    reversible : bool
        Whether the network is reversible.
    """
    if reversible:
        return Trade(2 * activations_per_layer, 8.0)
    return Trade(layers * activations_per_layer, 6.0)


def decode_recompute_factor(tokens: Real) -> Real:
    """Return forward passes to make n tokens without a KV cache over with one: (n + 1)/2, O(L^2) against O(L).

    Parameters
    ----------
    tokens : float or array
        n. [tokens]
    """
    return (tokens + 1) / 2
