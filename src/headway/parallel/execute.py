"""Schedules run for real: a small network computed task by task in the order of a play, each stage seeing only what reached it.

Outputs and gradients are those of the network in one piece, whatever the schedule (SYS-D2, SYS-D3): a play whose order were
wrong would ask for something that is not there yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from headway.errors import InputError
from headway.parallel.schedules import Play

Array = NDArray[np.float64]
K = TypeVar("K")
V = TypeVar("V")


def layer(x: Array, weights: Array) -> Array:
    """Return one layer: tanh(x W) + x.

    Parameters
    ----------
    x : array
        [batch, width] [1]
    weights : array
        W. [width, width] [1]
    """
    return np.tanh(x @ weights) + x


def run_decode(play: Play, layers: Sequence[Array], start: Array) -> Array:
    """Return every token's output [micro-batch, token, batch, width]: a token's input is the one before.

    Parameters
    ----------
    play : Play
        Of `decode_play`.
    layers : sequence of array
        Weights, cut evenly over the stages. [width, width] each [1]
    start : array
        First input of each micro-batch. [micro-batch, batch, width] [1]

    Raises
    ------
    InputError
        When the layers do not divide over the stages, or a task comes before its input.
    """
    pieces = _cut(layers, play.stages)
    wire: dict[tuple[int, int, int], Array] = {(m, 0, 0): x for m, x in enumerate(start)}
    out: dict[tuple[int, int], Array] = {}
    for task in play.tasks:
        x = _arrived(wire, (task.micro_batch, task.turn, task.stage))
        for weights in pieces[task.stage]:
            x = layer(x, weights)
        if task.stage + 1 < play.stages:
            wire[task.micro_batch, task.turn, task.stage + 1] = x
        else:
            out[task.micro_batch, task.turn] = wire[task.micro_batch, task.turn + 1, 0] = x
    tokens = 1 + max(t for _, t in out)
    return np.array([[out[m, t] for t in range(tokens)] for m in range(play.micro_batches)])


def run_training(play: Play, layers: Sequence[Array], inputs: Array, targets: Array) -> list[Array]:
    """Return the gradient of each layer's weights for the loss sum (y - target)^2/2 over all micro-batches.

    Parameters
    ----------
    play : Play
        Of `training_play`; with several parts per stage the layers are cut into stages x parts pieces in turn.
    layers : sequence of array
        Weights. [width, width] each [1]
    inputs, targets : array
        [micro-batch, batch, width] [1]

    Raises
    ------
    InputError
        As `run_decode`.
    """
    parts = 1 + max(t.turn for t in play.tasks)
    pieces = _cut(layers, play.stages * parts)
    apart = any(t.kind == "weights" for t in play.tasks)
    states: dict[tuple[int, int], list[Array]] = {}
    wire: dict[tuple[str, int, int], Array] = {("ahead", m, 0): x for m, x in enumerate(inputs)}
    kept: dict[tuple[int, int], list[tuple[Array, Array]]] = {}
    sums = [np.zeros_like(w) for w in layers]
    size = len(pieces[0])
    for task in play.tasks:
        m, piece = task.micro_batch, task.turn * play.stages + task.stage
        if task.kind == "forward":
            states[m, piece] = [_arrived(wire, ("ahead", m, piece))]
            for weights in pieces[piece]:
                states[m, piece].append(layer(states[m, piece][-1], weights))
            x = states[m, piece][-1]
            last = piece == len(pieces) - 1
            wire["back" if last else "ahead", m, piece if last else piece + 1] = x - targets[m] if last else x
        elif task.kind == "backward":
            slope = _arrived(wire, ("back", m, piece))
            kept[m, piece] = []
            for x, weights in zip(reversed(states.pop((m, piece))[:-1]), reversed(pieces[piece]), strict=True):
                inner = slope * (1 - np.tanh(x @ weights) ** 2)
                kept[m, piece].append((x, inner))
                slope = slope + inner @ weights.T
            wire["back", m, piece - 1] = slope
        if task.kind == "weights" or (task.kind == "backward" and not apart):
            for i, (x, inner) in enumerate(_arrived(kept, (m, piece))):
                sums[(piece + 1) * size - 1 - i] += np.einsum("bi,bj->ij", x, inner)
            del kept[m, piece]
    return sums


def _cut(layers: Sequence[Array], pieces: int) -> list[Sequence[Array]]:
    if len(layers) % pieces:
        raise InputError(f"{len(layers)} layers do not divide over {pieces} pieces")
    size = len(layers) // pieces
    return [layers[i * size : (i + 1) * size] for i in range(pieces)]


def _arrived(wire: Mapping[K, V], key: K) -> V:
    if key not in wire:
        raise InputError(f"the schedule asks for {key} before it has arrived")
    return wire[key]
