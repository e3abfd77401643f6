"""Equations of chapter 8 and of what the lecture names only: reversible nets, drafting, energy of moving data."""

from __future__ import annotations

from headway import batching, training
from headway.equations.declared import COUNT, NUMBER, RATIO, WORD, Equation, Parameter, Result, Value
from headway.equations.inputs import BATCH
from headway.roofline import movement_energy

_SECTION = "8 and beyond"


def _feistel(x: Value, y: Value) -> tuple[Value, ...]:
    there = training.feistel_round(x, y, lambda v: v * v)
    return (*there, *training.feistel_inverse(*there, lambda v: v * v))


def _reversible(layers: Value, activations: Value, reversible: Value) -> tuple[Value, ...]:
    trade = training.training_trade(layers, activations, reversible == "yes")
    return trade.stored, trade.flops_per_parameter


def _recompute(tokens: Value) -> tuple[Value, ...]:
    return (training.decode_recompute_factor(tokens),)


def _drafts(acceptance: Value, length: Value) -> tuple[Value, ...]:
    return (batching.expected_tokens(acceptance, length),)


def _energy(batch: Value, move: Value, multiply: Value) -> tuple[Value, ...]:
    return (movement_energy(batch, move, multiply),)


_HALF = "an example"

EQUATIONS = (
    Equation(
        "SYS-G1", (), _SECTION, "a Feistel round and its inverse", "(x, y) -> (y + f(x), x), f(x) = x^2",
        (Parameter("x", "", NUMBER, "", "one half", 3.0, _HALF), Parameter("y", "", NUMBER, "", "the other half",
        5.0, _HALF)),
        (Result("z"), Result("kept"), Result("x_again"), Result("y_again")), _feistel, ("training.feistel_round",
        "training.feistel_inverse"), "T",
    ),
    Equation(
        "SYS-G4", (), _SECTION, "reversible training: memory against compute",
        "ordinary: L A stored, 6 FLOPs; reversible: 2 A, 8 FLOPs",
        (Parameter("layers", "L", COUNT, "layers", "of the network", 100.0, "'about 100', lecture 4.1"),
         Parameter("activations", "A", COUNT, "", "of a layer", 1.0, "one unit"),
         Parameter("reversible", "", WORD, "", "whether it is", "yes", "lecture 8", choices=("yes", "no"))),
        (Result("stored"), Result("flops_per_parameter", "FLOP", "per token")), _reversible,
        ("training.training_trade",), "D",
    ),
    Equation(
        "recompute", ("kv-cache",), _SECTION, "what a KV cache saves",
        "forward passes without one over with one = (n + 1) / 2",
        (Parameter("tokens", "n", COUNT, "tokens", "made", 1000.0, "an example"),), (Result("factor", "x"),),
        _recompute,
        ("training.decode_recompute_factor",), "D",
    ),
    Equation(
        "SYS-H4", (), _SECTION, "tokens per pass when drafting", "(1 - a^(g + 1)) / (1 - a)",
        (Parameter("acceptance", "a", RATIO, "", "chance that a draft is accepted", 0.8, "an example"),
         Parameter("length", "g", COUNT, "tokens", "drafted per pass", 4.0, "an example")), (Result("tokens",
         "tokens"),), _drafts,
        ("batching.expected_tokens",), "X", "headway speculate MODEL --on SYSTEM",
        "Leviathan et al. 2023; named only in the lecture",
    ),
    Equation(
        "SYS-H5", (), _SECTION, "energy of moving a weight, by batch", "energy per use = multiply + move / B",
        (BATCH.given(1.0, "an example"), Parameter("move", "", NUMBER, "pJ", "of moving a value", 1000.0,
        "the toy model"),
         Parameter("multiply", "", NUMBER, "pJ", "of multiplying it", 1.0, "the toy model")), (Result("energy",
         "pJ"),), _energy,
        ("roofline.movement_energy",), "X", "", "not in the lecture",
    ),
)  # fmt: skip
