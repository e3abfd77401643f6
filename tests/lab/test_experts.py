"""Experts that run (SYS-C1, SYS-C3): routers, slots, coverage, skew read back, and tokens that travel between devices."""

from __future__ import annotations

import numpy as np
import pytest

from headway.errors import InputError
from headway.lab import demonstrate, tiny
from headway.models import touched_experts
from headway.models.experts import popularity
from lab_child import there


def failed(d):
    return [(c.what, c.wanted, c.found) for c in d.checks if not c.passes]


def test_sys_c1_a_mixture_of_experts():
    """SYS-C1: k = E equals the dense mixture, and a token computes k/E of the experts: 8 of 256 is 1/32."""
    d = there(demonstrate, "experts")
    assert not failed(d)
    by = {r["router"]: r for r in d.rows}
    assert by["8 of 256"]["computed_share"] == 1 / 32
    assert by["all experts (k = E)"]["busiest_over_mean"] == 1
    assert by["slots for an even share"]["dropped"] > by["a quarter more slots"]["dropped"] > 0
    assert "--skew" in d.notes[1]


def with_biases():
    """gpt-oss: experts and a router with biases, all of them for every token, against the dense mixture."""
    from headway.lab.mixtures import _block, _dense, _row, with_experts

    every, few = (_block(with_experts(tiny("gpt-oss-20b"), 8, k)) for k in (8, 2))
    wanted = _dense(every)
    return float(np.max(np.abs(every.run()[0] - wanted)) / np.max(np.abs(wanted))), _row("top-k", few, capacity=1.0)


def test_experts_with_biases():
    apart, row = there(with_biases)
    assert apart < 1e-5
    assert row["apart"] < 1e-5
    assert row["dropped"] == row["over_slots"] > 0


@pytest.mark.parametrize("layout", ["dp8ep8", "dp4ep2"])
def test_sys_c3_dispatch_and_combine(layout):
    """SYS-C3: outputs of one worker, every pair exchanges tokens, two transfers a layer."""
    d = there(demonstrate, "dispatch", layout=layout)
    assert not failed(d)
    chips = int(layout[2])
    assert len(d.rows) == chips
    assert all(r["sent_on"] == sum(r[f"to_{j}"] for j in range(chips) if j != r["chip"]) for r in d.rows)
    assert d.picture.kind == "map"
    assert len(d.picture.points) == chips * chips


def routes(scores, groups, correction):
    import jax.numpy as jnp

    from headway.lab.routing import Router

    logits = np.random.default_rng(8).normal(size=(50, 16)).astype(np.float32)
    added = np.linspace(-1, 1, 16).astype(np.float32) if correction else None
    chosen, weights = Router(scores, 3, *groups)(jnp.asarray(logits), None if added is None else jnp.asarray(added))
    return logits, added, np.asarray(chosen), np.asarray(weights)


@pytest.mark.parametrize(("scores", "correction"), [("softmax", False), ("sigmoid", True), ("sigmoid", False)])
@pytest.mark.parametrize("groups", [(1, 1), (4, 2)])
def test_routers_token_by_token(scores, groups, correction):
    """The laws in plain words: best groups, best experts in them, weights of what was chosen alone."""
    logits, added, chosen, weights = there(routes, scores, groups, correction)
    for line, found, given in zip(logits.astype(float), chosen, weights, strict=True):
        score = 1 / (1 + np.exp(-line)) if scores == "sigmoid" else line
        rank = score + (0 if added is None else added)
        size = 16 // groups[0]
        standing = [sum(sorted(rank[g * size : (g + 1) * size])[-2:]) for g in range(groups[0])]
        kept = np.argsort(standing)[-groups[1] :]
        allowed = [e for e in range(16) if e // size in kept]
        wanted = sorted(allowed, key=lambda e: -rank[e])[:3]
        assert list(found) == wanted
        held = score[wanted] if scores == "sigmoid" else np.exp(line[wanted])
        np.testing.assert_allclose(given, held / held.sum(), rtol=1e-5)


def drew(skew):
    from headway.lab.routing import drawn, touched_by, unevenness

    chances = popularity(64, 4, skew)
    chosen = drawn(chances, 8192, np.random.default_rng(1))
    return chances, chosen, touched_by(chosen, 16), unevenness(chosen, 64)


@pytest.mark.parametrize("skew", [0.0, 0.5, 1.2])
def test_skew_is_read_back_from_choices(skew):
    chances, chosen, touched, found = there(drew, skew)
    assert all(len(set(c)) == 4 for c in chosen[:200])
    assert np.bincount(chosen.reshape(-1), minlength=64) / 8192 == pytest.approx(chances, abs=0.02)
    assert touched == pytest.approx(float(touched_experts(64, 4, 16.0, skew)), rel=0.02)
    assert found.skew == pytest.approx(skew, abs=0.03 if skew else 0.12)  # coverage is flat where choices are even
    assert found.hottest == pytest.approx(found.formula, rel=0.25)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: demonstrate("dispatch", layout="tp2"), "sends no tokens to experts"),
        (lambda: demonstrate("dispatch", "llama-3.1-8b"), "has no experts"),
        (lambda: demonstrate("experts", "llama-3.1-8b"), "has no experts"),
        (lambda: demonstrate("experts", layout="dp2"), "--layout: belongs to `headway lab audit or dispatch`"),
        (lambda: demonstrate("dispatch", layout="dp16ep16"), "16 chips"),
    ],
)
def test_what_is_refused(ask, says):
    with pytest.raises(InputError, match=says):
        ask()


def test_more_experts_keep_the_rest():
    from headway.lab.listing import SYSTEMS

    assert len({s.name for s in SYSTEMS}) == len({s.number for s in SYSTEMS}) == len(SYSTEMS)
    assert tiny("deepseek-v3").experts.count == 8
