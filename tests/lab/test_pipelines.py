"""Pipelines that run (SYS-D2, SYS-D3): outputs and gradients of one device, idle time by tasks, what stages hold."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest

from headway.errors import InputError
from headway.lab import demonstrate, network, tiny
from headway.parallel.schedules import Task, decode_play, training_play
from lab_child import there


def failed(d):
    """What does not pass; whatever was timed is the machine's affair."""
    return [(c.what, c.wanted, c.found) for c in d.checks if not c.passes and "as timed" not in c.what]


def test_sys_d2_a_decode_pipeline():
    """SYS-D2: P = 4: idle 0.75, 0.50, 0.25, 0 for M = 1 to 4 at 4 tasks a token, 5 at M = 5; outputs of one device."""
    d = there(demonstrate, "pipeline")
    assert not failed(d)
    assert [round(r["idle_by_tasks"], 6) for r in d.rows] == [0.75, 0.5, 0.25, 0, 0]
    assert [round(r["latency_by_tasks"], 6) for r in d.rows] == [4, 4, 4, 4, 5]
    assert all(r["same_tokens"] for r in d.rows)
    assert [p.micro_batches for p in d.plays] == [1, 2, 3, 4, 5]
    assert d.rows[0]["idle_timed"] == pytest.approx(
        0.75, abs=0.01
    )  # one micro-batch: one stage works, however long it takes


def test_sys_d3_training_schedules():
    """SYS-D3: GPipe's bubble 0.4286 and 0.1579, 1F1B's is the same with at most P held, the others' are smaller; one gradient."""
    d = there(demonstrate, "schedules")
    assert not failed(d)
    by = {(r["schedule"], r["micro_batches"]): r for r in d.rows}
    assert by["gpipe", 4]["idle_by_tasks"] == pytest.approx(0.4286, abs=1e-4)
    assert by["1f1b", 16]["idle_by_tasks"] == pytest.approx(0.1579, abs=1e-4)
    assert by["gpipe", 16]["held"] == 16
    assert by["gpipe", 16]["held_bytes"] == pytest.approx(4 * by["gpipe", 4]["held_bytes"])
    assert by["1f1b", 16]["held_bytes"] == by["1f1b", 4]["held_bytes"]
    assert by["interleaved", 16]["idle_by_tasks"] == pytest.approx(3 / 35)  # (P-1)/(vM+P-1)
    assert by["interleaved", 16]["held"] == 5.5  # 11 halves on the first device
    assert all(r["apart"] < 1e-5 for r in d.rows)


def out_of_order():
    """A decode whose second stage comes first, and a training step whose backward does."""
    from headway.lab.pipelines import Timer, _Decoding
    from headway.lab.schedules import Training

    net = network(tiny("llama-3.1-8b", 8))
    said = []
    plan = decode_play(4, 1, tokens=4)
    work = Training(net, 1), _Decoding(net)
    step = training_play("gpipe", 4, 1)
    for one, play in zip(work, (step, plan), strict=True):
        tasks = tuple(sorted(play.tasks, key=lambda t: -t.stage))
        try:
            one.run(dataclasses.replace(play, tasks=tasks), Timer(), [])
        except InputError as error:
            said.append(str(error))
    return said


def test_a_schedule_out_of_order_asks_for_what_is_not_there():
    said = there(out_of_order)
    assert len(said) == 2
    assert all("before it has arrived" in s for s in said)


def parts(model):
    """A stage's output and gradients by parts and at once; products of the parts and of it all."""
    import jax
    import jax.numpy as jnp

    from headway.lab.asked import asked_flops
    from headway.lab.needs import QUICK
    from headway.lab.schedules import stage_function
    from headway.lab.splitting import split
    from headway.lab.stages import stage_weights

    net = network(tiny(model, 4))
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, 8, net.model.hidden)), jnp.float32)
    tokens = jnp.asarray(rng.integers(0, 256, (2, 9)))
    run, weights = (
        stage_function(net, 1),
        {"layers": stage_weights(jax.tree.map(jnp.asarray, net.weights()), 4)[1]["layers"]},
    )
    s = split(run, weights, x, tokens)

    @functools.partial(jax.jit, compiler_options=QUICK)
    def by_parts(weights, x):
        out, held = s.forward(weights, tokens, x)
        into, more = s.backward(weights, tokens, held, jnp.cos(out))
        return (out, s.onto_weights(weights, tokens, held, more), into), held, more

    @functools.partial(jax.jit, compiler_options=QUICK)
    def at_once(weights, x):
        out, back = jax.vjp(lambda w, x: run(w, x, tokens), weights, x)
        return out, *back(jnp.cos(out))

    found, held, more = by_parts(weights, x)
    slope = jnp.cos(found[0])
    apart = [
        float(np.max(np.abs(np.subtract(a, b))))
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(at_once(weights, x)), strict=True)
    ]

    def products(f, *given):
        return sum(p for p, _ in asked_flops(jax.make_jaxpr(f)(*given)).values())

    each = (
        products(s.forward, weights, tokens, x), products(s.backward, weights, tokens, held, slope),
        products(s.onto_weights, weights, tokens, held, more),
    )  # fmt: skip
    matrices = sum(m.parameters for m in net.shapes[1].layer.linears) * 2 * 16
    return max(apart), each, matrices, [h.nbytes for h in held]


@pytest.mark.parametrize("model", ["llama-3.1-8b", "gemma-3-27b"])
def test_a_stage_in_three_parts(model):
    """The same to the last digit; the weights' part multiplies what the forward multiplies for its matrices, the input's more."""
    apart, (ahead, back, onto), matrices, held = there(parts, model)
    assert apart < 1e-6
    assert onto == matrices
    assert ahead - matrices == pytest.approx((back - matrices) / 2)  # attention: two products forward, four back
    assert held


def test_clocks_wait_for_what_was_sent():
    from headway.lab.pipelines import Clocks

    clocks = Clocks(lambda t: 2.0 if t.stage else 1.0, [0.0, 0.0])
    clocks.sent["start"] = 0.5
    clocks.ran(Task(0, 0, "decode", 0, 0, 0), ["start"], "a")
    clocks.ran(Task(1, 0, "decode", 0, 0, 0), ["a"], "b")
    clocks.ran(Task(0, 1, "decode", 0, 0, 0), ["start"], "c")
    assert [(t.start, t.end) for t in clocks.tasks] == [(0.5, 1.5), (1.5, 3.5), (1.5, 2.5)]
