"""Random weights of a network, matrix by matrix as its Architecture lists them, and their slices on chips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headway.lab.place import Place
from headway.lab.shapes import Family, Shape, vectors
from headway.models import Architecture, Linear

Weights = dict[str, Any]
_ONES = ("norm", "ffn_norm", "norm_after", "ffn_norm_after", "q_norm", "k_norm", "kv_norm", "q_latent_norm", "out_norm")
_SUMMED = ("o_proj", "down_proj", "out_proj")  # matrices whose inputs are sliced: partial sums follow


def random_weights(model: Architecture, all_shapes: Sequence[Shape], family: Family, seed: int = 0) -> Weights:
    """Return weights as NumPy arrays: ``embedding``, ``head`` (unless tied), ``final`` and a dict per layer.

    Parameters
    ----------
    model : Architecture
    all_shapes : sequence of Shape
    family : Family
    seed : int
        [1]
    """
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> Any:
        return (rng.standard_normal(shape) / np.sqrt(shape[-2])).astype(np.float32)

    found: Weights = {"embedding": rng.standard_normal((model.vocabulary, model.hidden)).astype(np.float32)}
    if not model.tied:
        found["head"] = normal(model.hidden, model.vocabulary)
    found["final"] = np.ones(model.final_parameters, np.float32)
    found["layers"] = []
    for s in all_shapes:
        one: Weights = {}
        for key, m in zip(s.keys, s.layer.linears, strict=True):
            one[key] = normal(m.copies, m.inputs, m.outputs) if m.role == "expert" else normal(m.inputs, m.outputs)
            if m.bias:
                shape = (m.copies, m.outputs) if m.role == "expert" else (m.outputs,)
                one[f"{key}+bias"] = 0.1 * rng.standard_normal(shape).astype(np.float32)
        for name, size in vectors(model, s, family).items():
            if name in _ONES or name == "index_norm":
                one[name] = np.ones(size, np.float32)
            else:
                one[name] = 0.3 * rng.standard_normal(size).astype(np.float32)
        found["layers"].append(one)
    return found


def weight_bytes(weights: Any) -> int:
    """Return the bytes of all arrays of a tree of weights. [bytes]"""
    if isinstance(weights, dict):
        return sum(map(weight_bytes, weights.values()))
    if isinstance(weights, list):
        return sum(map(weight_bytes, weights))
    return int(weights.nbytes)


def slices(weights: Weights, all_shapes: Sequence[Shape], place: Place) -> list[Weights]:
    """Return what each chip of a place holds; of a pipeline see `stages`.

    Parameters
    ----------
    weights : dict
    all_shapes : sequence of Shape
    place : Place
    """
    return [_slice(weights, all_shapes, place, chip) for chip in range(place.chips)]


def _slice(weights: Weights, all_shapes: Sequence[Shape], place: Place, chip: int) -> Weights:
    new = {k: v for k, v in weights.items() if k != "layers"}
    if place.tp > 1:
        new["embedding"] = _part(weights["embedding"], 0, 0, place.tp, chip)
        if "head" in weights:
            new["head"] = _part(weights["head"], 1, 0, place.tp, chip)
    new["layers"] = []
    for s, one in zip(all_shapes, weights["layers"], strict=True):
        mine = dict(one)
        for key, m in zip(s.keys, s.layer.linears, strict=True):
            bias = f"{key}+bias"
            if m.role == "expert":
                mine[key], b = _expert(m, one[key], one.get(bias), place, chip)
            else:
                mine[key] = _part(one[key], 0 if _summed(m) else 1, m.ways, place.tp, chip)
                b = one.get(bias)
                b = b if b is None or _summed(m) else _part(b, 0, m.ways, place.tp, chip)
            if b is not None:
                mine[bias] = b
        new["layers"].append(mine)
    return new


def _summed(m: Linear) -> bool:
    return m.path.endswith(_SUMMED)


def _part(w: Any, axis: int, ways: int, tp: int, chip: int) -> Any:
    """A chip's block of a matrix along an axis: whole heads, copies of one where chips are more than heads."""
    if tp == 1 or ways == 1:
        return w
    size = w.shape[axis]
    parts = min(ways or tp, tp)
    block = size // parts
    at = chip * parts // tp
    return w[at * block : (at + 1) * block] if axis == 0 else w[:, at * block : (at + 1) * block]


def _expert(m: Linear, w: Any, b: Any, place: Place, chip: int) -> tuple[Any, Any]:
    """Experts of a chip's group, each cut over the chips of the group."""
    group, at = divmod(chip, place.slices)
    if place.way not in ("tp", "cp", "dp"):
        return w, b
    count = len(w) // place.ep
    w = w[group * count : (group + 1) * count]
    b = None if b is None else b[group * count : (group + 1) * count]
    axis = 1 if _summed(m) else 2
    block = w.shape[axis] // place.slices
    cut = slice(at * block, (at + 1) * block)
    if axis == 1:
        return w[:, cut], b
    return w[:, :, cut], None if b is None else b[:, cut]
