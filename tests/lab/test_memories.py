"""Memory of training: XLA's account of compiled steps beside ours, with and without activations computed again."""

from __future__ import annotations

import dataclasses

import pytest

from headway.lab import demonstrate
from headway.models import model
from headway.parallel import Layout
from headway.training.memory import flying_bytes, layer_bytes, training_memory
from headway.training.passes import FUSED, Attention
from headway.training.recipes import Recipe, states
from lab_child import there


def test_memory_of_compiled_steps():
    """Five families are within 5 % (`headway lab memory`); here a dense one, one with four norms, one with latents and experts."""
    d = there(demonstrate, "memory", "llama-3.1-8b,gemma-3-27b,deepseek-v3")
    assert [(c.what, c.found) for c in d.checks if not c.passes] == []
    rows = {(r["model"].split("/")[1], r["recompute"]): r for r in d.rows}
    assert len(rows) == 6
    for (_, way), r in rows.items():
        if way == "full":  # an input of 64 numbers, and its weights' three states and gradient
            assert r["program_bytes_a_layer"] == pytest.approx(r["account_bytes_a_layer"], rel=1e-3)
        else:  # the account has a number for each norm and each head's softmax, which this program computes again
            assert 0 < r["account_bytes_a_layer"] - r["program_bytes_a_layer"] < 13 * 4 * 512


def unnamed():
    """Products of a step in which one thing less is kept, by what that is."""
    from headway.lab.needs import jax_with

    jax_with()  # as every way into the lab: the process's devices are counted once
    from headway.lab import memories
    from headway.lab.place import Place

    found = {}
    step = memories.Step("llama-3.1-8b", 2)
    whole = Place.kept
    for skipped in range(12):
        count = iter(range(1000))

        def kept(self, x, skipped=skipped, count=count):
            return x if next(count) == skipped else whole(self, x)

        Place.kept = kept
        found[skipped] = step.products("none")
        Place.kept = whole
    return found, step.products("none")


def test_nothing_is_kept_in_vain():
    """Whatever has no name is computed again: a product's output costs that product; an input of products costs nothing but rows."""
    found, whole = there(unnamed)
    assert whole == pytest.approx(3)
    assert sum(x > 3.01 for x in found.values()) >= 6  # q, k, v, what attention gave, gate, up


def test_what_a_layer_takes_while_it_is_gone_back_through():
    """Gradients of the residual stream and of gate, the other factor and their product: h + 3 f of a gated block."""
    arch = model("llama-3.1-8b")
    r = Recipe(Layout(), 1, 4096, 1)
    assert flying_bytes(arch, arch.layers[0], r, FUSED) == 4096 * 2 * (4096 + 3 * 14336)
    half = flying_bytes(arch, arch.layers[0], dataclasses.replace(r, layout=Layout(tp=2)), FUSED)
    assert half == 4096 * (4096 + 3 * 14336)
    m = training_memory(arch, dataclasses.replace(r, recompute="full"), states("adam"), FUSED)
    again = layer_bytes(arch, arch.layers[0], r, FUSED)
    assert m.logits + m.temporaries == max(4096 * 128_256 * 6, again + 4096 * 2 * (4096 + 3 * 14336))


def test_one_input_is_kept_once():
    """Router, experts and shared expert have one input; four norms keep four inputs."""
    moe, dense = model("deepseek-v3"), model("gemma-3-27b")
    r = Recipe(Layout(), 1, 1024, 1)
    layer = moe.layers[1]
    alone = dataclasses.replace(layer, linears=tuple(m for m in layer.linears if m.role != "router"))
    assert layer_bytes(moe, layer, r, FUSED) - layer_bytes(moe, alone, r, FUSED) == 1024 * 2 * 256  # its scores alone
    wide = 1024 * 2 * 5376
    two = dataclasses.replace(dense, family="llama")
    assert (
        layer_bytes(dense, dense.layers[0], r, FUSED) - layer_bytes(two, two.layers[0], r, FUSED)
        == 2 * wide + 2 * 4 * 1024
    )


def test_selective_recomputation_brings_back_one_layer_of_scores():
    arch = model("llama-3.1-8b")
    r = Recipe(Layout(), 1, 2048, 1, recompute="selective")
    m = [training_memory(arch, r, states("adam"), a) for a in (FUSED, Attention(10.0))]
    assert m[0].activations == m[1].activations
    scores = 2048 * 32 * 2048 * 2
    assert m[1].temporaries + m[1].logits >= 2 * scores
