"""Speculative decoding: run for real, its expected tokens, and where it helps (SYS-H4)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.batching import Scene, expected_tokens, hurts_from, run_greedy, run_speculative, speculation
from headway.cli import app
from headway.hardware import chip
from headway.models import model
from headway.parallel import Layout, build_step
from headway.roofline import IDEAL, profile

VOCABULARY, WIDTH = 40, 16


def _network(seed, noise=0.0):
    """A small attention network over tokens: scores after each position depend on all before it."""
    rng, other = np.random.default_rng(seed), np.random.default_rng(99)
    embed, q, k, v, out = (
        rng.normal(size=s) for s in [(VOCABULARY, WIDTH), *[(WIDTH, WIDTH)] * 3, (WIDTH, VOCABULARY)]
    )
    out = out + noise * other.normal(size=out.shape)

    def scores(tokens):
        x = embed[tokens]
        a = (x @ q) @ (x @ k).T / WIDTH
        a = np.where(np.tril(np.ones_like(a)) > 0, a, -np.inf)
        a = np.exp(a - a.max(axis=1, keepdims=True))
        return (x + (a / a.sum(axis=1, keepdims=True)) @ (x @ v)) @ out

    return scores


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 6), st.floats(0, 3), st.integers(1, 40))
def test_sys_h4_speculative_output_is_that_of_plain_decoding(seed, length, noise, count):
    """SYS-H4: greedy output identical to plain decode, whatever drafts; never more passes than tokens."""
    big, small = _network(seed), _network(seed, noise)
    prompt = np.array([seed % VOCABULARY, 3, 7], dtype=np.intp)
    plain = run_greedy(big, prompt, count)
    fast, passes = run_speculative(big, small, prompt, count, length)
    np.testing.assert_array_equal(fast, plain)
    assert np.ceil(count / (length + 1)) <= passes <= count


def test_sys_h4_a_perfect_draft_takes_one_pass_per_length_plus_one():
    big = _network(5)
    _, passes = run_speculative(big, big, np.array([1, 2]), 40, 4)
    assert passes == 8


def test_sys_h4_expected_tokens():
    """SYS-H4: (1 - a^(g+1))/(1 - a) = 3.3616 for a = 0.8, g = 4; and a draft that is right four times in five gets there."""
    assert expected_tokens(0.8, 4) == pytest.approx(3.3616)
    assert expected_tokens(1.0, 4) == 5
    assert expected_tokens(0.0, 4) == 1
    rng = np.random.default_rng(0)
    table = rng.normal(size=(VOCABULARY, VOCABULARY, VOCABULARY))

    def big(tokens):  # looks two tokens back, so that thousands of tokens stay quick
        return table[np.concatenate([[0], tokens[:-1]]), tokens]

    def draft(tokens):
        found = big(tokens)
        return np.roll(found, 1, axis=1) if rng.random() > 0.8 else found

    prompt = np.array([1, 2])
    fast, passes = run_speculative(big, draft, prompt, 4000, 4)
    np.testing.assert_array_equal(fast, run_greedy(big, prompt, 4000))
    assert 4000 / passes == pytest.approx(3.3616, rel=0.04)


def _scene(name, on, layout, numbers=IDEAL):
    return Scene(build_step(model(name), layout), chip(on), numbers)


def test_checking_is_free_while_memory_binds_and_dear_when_compute_does():
    scene = _scene("llama-3.1-70b", "h100", Layout(tp=8))
    small = speculation(scene, 1, 1024, 0.8, 3)
    assert small.verify / small.plain < 1.02
    assert small.gain > 2.8
    large = speculation(scene, 8192, 64, 0.8, 3)
    assert large.verify / large.plain > 3
    assert large.gain < 1
    hurts = hurts_from(scene, 64, 0.8, 3, 8192)
    assert hurts == pytest.approx(
        295 * 2.952 / 4, rel=0.05
    )  # where 4 tokens each take as long as 2.95 passes that read all weights
    assert float(speculation(scene, hurts, 64, 0.8, 3).gain) <= 1
    assert float(speculation(scene, hurts * 0.9, 64, 0.8, 3).gain) > 1
    assert hurts_from(scene, 16_384, 0.8, 3, 8192) == float("inf")  # the cache is read once for all drafts


def test_a_mixture_of_experts_gains_less_at_small_batches():
    """Checking more tokens touches more experts: at a few sequences the pass reads more weights."""
    scene = _scene("deepseek-v3", "h200", Layout(tp=8))
    gains = [float(speculation(scene, b, 4096, 0.8, 3).gain) for b in (1, 8, 128)]
    assert gains[1] < gains[0]
    assert gains[1] < gains[2]


@given(st.floats(0, 1), st.integers(0, 8), st.floats(1, 512))
def test_no_draft_is_no_change_and_a_dear_drafter_never_helps(acceptance, length, batch):
    scene = _scene("llama-3.1-8b", "h100", Layout(), profile("modern").on(chip("h100")))
    assert float(speculation(scene, batch, 2048, acceptance, 0).gain) == pytest.approx(1)
    free = speculation(scene, batch, 2048, acceptance, length)
    assert free.tokens <= length + 1
    itself = speculation(scene, batch, 2048, acceptance, length, scene)
    assert itself.gain <= free.gain
    assert itself.gain <= 1 + 1e-9  # a drafter as slow as the model cannot help


def test_the_command(capsys):
    assert (
        app.run(["speculate", "deepseek-v3", "--on", "h200x8", "--acceptance", "0.8", "--length", "4", "--json"]) == 0
    )
    data = json.loads(capsys.readouterr().out)
    assert data["tokens_per_pass"] == pytest.approx(3.3616)
    assert data["drafter"] == "mtp"
    assert all(r["plain_s"] > 0 and r["verify_s"] >= r["plain_s"] for r in data["batches"])
    assert app.run(["speculate", "llama-3.1-8b", "--on", "h100"]) == 0
    out = capsys.readouterr().out
    assert "hurts" in out or "helps" in out
    for options, word in (
        (["--acceptance", "1.5"], "acceptance"),
        (["--length", "99"], "0..16"),
        (["--draft", "mtp"], "no multi"),
    ):
        assert app.run(["speculate", "llama-3.1-8b", "--on", "h100", *options]) == 2
        assert word in capsys.readouterr().err
